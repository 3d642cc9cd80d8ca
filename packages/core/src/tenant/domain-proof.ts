/** How a tenant proves that a domain is its own, and when a proof that was good is one no more. */
import { getPublicSuffix } from 'tldts'
import { addSeconds, type Instant, secondsBetween } from '../instant.js'
import { err, ok, type Result } from '../result.js'
import { type DomainName, parseDomainName } from './domain-name.js'

export type DomainRefusal = 'domain_malformed' | 'domain_public_suffix'

/**
 * A domain that somebody could own. What lies under a public suffix belongs to many: whoever proved `co.uk`, or a hoster's domain that its
 * customers share, would own the addresses of strangers.
 */
export function parseOwnableDomain(text: string): Result<DomainName, DomainRefusal> {
  const domain = parseDomainName(text)
  if (domain === undefined) return err('domain_malformed')
  return getPublicSuffix(domain, { allowPrivateDomains: true }) === domain ? err('domain_public_suffix') : ok(domain)
}

/** Where the proof stands: a name of its own, so that it neither meets nor shows what else the domain says of itself. */
export const challengeName = (domain: string): string => `_drawbridge-challenge.${domain}`
/** `challenge`: 256 bits, drawn for this tenant and this domain. It is no secret: only who writes the zone can publish it there. */
export const challengeRecord = (challenge: string): string => `drawbridge-domain-verification=${challenge}`

/** What one look at the DNS came to. */
export type DomainCheck = 'proven' | 'absent' | 'unreachable'

export const judgeRecords = (records: readonly string[], challenge: string): DomainCheck =>
  records.some((record) => record.trim() === challengeRecord(challenge)) ? 'proven' : 'absent'

export const proofLimits = {
  /** Between two looks at a proof that holds. */
  checkEverySeconds: 86_400,
  /** Between two looks at one that fails. */
  checkFailingEverySeconds: 6 * 3600,
  /** Share of the pause by which it is shortened at random, so that domains proven together are not asked for together. */
  jitter: 0.2,
  /** Looks that must have failed in a row before a proof lapses. */
  failuresToLapse: 4,
  /** For how long they must have failed: where the DNS says that the record is gone, and where it says nothing at all. */
  lapseSeconds: { absent: 3 * 86_400, unreachable: 14 * 86_400 },
} as const

export type ProofState = { readonly failingSince: Instant | undefined; readonly failedChecks: number }
export type ProofVerdict = ProofState & {
  readonly news: 'none' | 'failing' | 'recovered' | 'lapsed'
  /** `undefined`: never again by itself. */
  readonly nextCheckAt: Instant | undefined
}

/**
 * What a look at a proven domain changes. A name server that does not answer is given longer than one that denies: the one may be an
 * outage, of ours too; but who keeps silent for ever proves nothing.
 *
 * `chance`: from 0 to 1.
 */
export function judgeProof(state: ProofState, check: DomainCheck, now: Instant, chance: number): ProofVerdict {
  if (check === 'proven') {
    const nextCheckAt = after(now, proofLimits.checkEverySeconds, chance)
    return { news: state.failedChecks > 0 ? 'recovered' : 'none', failingSince: undefined, failedChecks: 0, nextCheckAt }
  }
  const failing = { failingSince: state.failingSince ?? now, failedChecks: state.failedChecks + 1 }
  const isLong = secondsBetween(failing.failingSince, now) >= proofLimits.lapseSeconds[check]
  if (failing.failedChecks >= proofLimits.failuresToLapse && isLong) return { ...failing, news: 'lapsed', nextCheckAt: undefined }
  const news = state.failedChecks === 0 ? 'failing' : 'none'
  return { ...failing, news, nextCheckAt: after(now, proofLimits.checkFailingEverySeconds, chance) }
}

const after = (now: Instant, seconds: number, chance: number): Instant =>
  addSeconds(now, Math.round(seconds * (1 - proofLimits.jitter * chance)))
