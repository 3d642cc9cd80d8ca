/**
 * Nonces for DPoP proofs: whoever was told one can have made the proof only since then. Nothing is stored for them.
 *
 * A nonce is an HMAC over the issuer and the present epoch, by a key that every process derives from the master key, so any of them knows
 * what any other has told. It is worth something in its epoch and in the next one, at its own issuer, and says nothing of whom it was told to.
 *
 * @spec RFC 9449 §8, §11.3
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Instant } from '@drawbridge/core/instant'
import type { IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Sealer } from './seal.js'

/** A nonce is good for as long as this, and for less than twice that. */
export const dpopNonceEpochSeconds = 300

export type NonceIssuer = { readonly tenant: TenantId; readonly issuer: IssuerId }

const epochAt = (now: Instant): number => Math.floor(now / 1000 / dpopNonceEpochSeconds)

const mac = (sealer: Sealer, version: number, { tenant, issuer }: NonceIssuer, epoch: number): Buffer =>
  createHmac('sha256', sealer.derive('dpop-nonce', version))
    .update(JSON.stringify([tenant, issuer, epoch]))
    .digest()

/** The nonce to tell at this moment. */
export const dpopNonceAt = (sealer: Sealer, of: NonceIssuer, now: Instant): string =>
  `${sealer.currentVersion}.${mac(sealer, sealer.currentVersion, of, epochAt(now)).toString('base64url')}`

/** Whether this issuer told the nonce, in this epoch or in the one before. */
export function isDpopNonce(sealer: Sealer, of: NonceIssuer, presented: string, now: Instant): boolean {
  const match = /^(\d{1,9})\.([A-Za-z0-9_-]{43})$/.exec(presented)
  const version = Number(match?.[1])
  if (!match || !sealer.versions.includes(version)) return false
  const given = Buffer.from(match[2] as string, 'base64url')
  const epoch = epochAt(now)
  return [epoch, epoch - 1].some((each) => timingSafeEqual(given, mac(sealer, version, of, each)))
}
