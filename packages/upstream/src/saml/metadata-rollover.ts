/**
 * Which certificates are trusted while an IdP changes its key.
 *
 * New ones are trusted from the moment in which the metadata lists them, beside the old ones. One that the metadata no longer lists stays
 * trusted for a named time, because an IdP may publish before it signs; then it goes. Only a certificate that was in the metadata
 * and left it is ever taken away: expiry takes away nothing.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { mostCertificates } from '../connection-configuration.js'
import { fingerprintOf } from './metadata-changes.js'

export const rolloverOverlapSeconds = 7 * 86_400

export type Withdrawn = { readonly fingerprint: string; readonly at: Instant }
export type Rollover = {
  readonly certificates: readonly string[]
  /** Trusted still, listed no more. */
  readonly withdrawn: readonly Withdrawn[]
}
export type RolloverQuestion = {
  readonly trusted: readonly string[]
  readonly offered: readonly string[]
  readonly withdrawn: readonly Withdrawn[]
  readonly now: Instant
}

export function planRollover({ trusted, offered, withdrawn, now }: RolloverQuestion): Rollover {
  const isOffered = new Set(offered.map(fingerprintOf))
  const left = trusted
    .map((pem) => ({ pem, fingerprint: fingerprintOf(pem) }))
    .filter(({ fingerprint }) => !isOffered.has(fingerprint))
    .map(({ pem, fingerprint }) => ({ pem, fingerprint, at: withdrawn.find((each) => each.fingerprint === fingerprint)?.at ?? now }))
    .filter(({ at }) => now < overlapEndOf(at))
    .sort((one, other) => other.at - one.at)
    .slice(0, Math.max(0, mostCertificates - offered.length))
  return { certificates: [...offered, ...left.map(({ pem }) => pem)], withdrawn: left.map(({ fingerprint, at }) => ({ fingerprint, at })) }
}

export const overlapEndOf = (withdrawnAt: Instant): Instant => addSeconds(withdrawnAt, rolloverOverlapSeconds)
