/**
 * When the keys of an issuer change by themselves, for one purpose. Nothing that was issued dies by it: a key is published long before it signs,
 * because verifiers keep copies of the JWKS, and for as long after as anything that it signed is alive.
 */
import { addSeconds, type Instant } from '../instant.js'
import { policyLimits } from '../policy/error.js'
import { revocationKeepSeconds } from '../revocation/revocation-plan.js'
import type { TokenAlgorithm } from './token-algorithm.js'

/** SAML keys are no part of it: an IdP believes the one that it was told, so an admin changes them, with the IdP's admin. */
export const rotatedPurposes = ['tokens', 'notices', 'id_jag'] as const
export type RotatedPurpose = (typeof rotatedPurposes)[number]

/** How long a key signs, unless the installation says otherwise. NIST SP 800-57 part 1 §5.3.6 allows years; a theft that nobody saw ends sooner. */
export const defaultKeyAgeDays = 90
/** A new key is published for at least this long before it signs. We ask for 60 seconds of caching and our guards keep 300; libraries keep up to a day. */
export const keyOverlapSeconds = 86_400
/**
 * A retired key is published for this long: what it signed last may live as long as an access token, and an ID token says at a sign-out of which
 * session it was, until that session ends (OpenID Connect RP-Initiated Logout §2). The rest is for clocks that differ.
 */
export const retiredKeySeconds = policyLimits.sessionSeconds + revocationKeepSeconds

export type SigningPair = {
  readonly active: { readonly algorithm: string; readonly activatedAt: Instant }
  readonly next: { readonly algorithm: string; readonly createdAt: Instant; readonly activatesAt: Instant | undefined } | undefined
}

export type KeyRules = {
  /** That of the tenant's choice. */
  readonly algorithm: TokenAlgorithm
  /** `undefined`: age rotates nothing. */
  readonly ageSeconds: number | undefined
}

/** When the next key takes over; `undefined`: not by itself. A chosen algorithm waits for the overlap alone, and takes over whatever rotates by age. */
export function activationOf({ active, next }: SigningPair, { ageSeconds }: KeyRules): Instant | undefined {
  if (next === undefined) return undefined
  const known = addSeconds(next.createdAt, keyOverlapSeconds)
  if (next.algorithm !== active.algorithm) return known
  if (ageSeconds === undefined) return undefined
  const old = addSeconds(active.activatedAt, ageSeconds)
  return old > known ? old : known
}

export type KeyStep =
  /** Publish a next key, in place of one that is of another algorithm. */
  | { readonly kind: 'publish' }
  | { readonly kind: 'activate' }
  /** Write down when the next key takes over. */
  | { readonly kind: 'plan'; readonly activatesAt: Instant | undefined }

/** The one thing to do now; after it there may be another. */
export function nextKeyStep(pair: SigningPair, rules: KeyRules, now: Instant): KeyStep | undefined {
  if (pair.next === undefined || pair.next.algorithm !== rules.algorithm) return { kind: 'publish' }
  const activatesAt = activationOf(pair, rules)
  if (activatesAt !== undefined && activatesAt <= now) return { kind: 'activate' }
  return activatesAt === pair.next.activatesAt ? undefined : { kind: 'plan', activatesAt }
}
