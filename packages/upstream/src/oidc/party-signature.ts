/**
 * Whether a party whom an admin named signed this, by the keys that the admin gave or at the address that she named. What strangers send is what it is
 * for: they have us fetch no more often than the pauses allow, and who comes in one is told how long to wait.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ForeignKey, type ReadJwt, verifyForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { issuerKeysOf } from './issuer-keys.js'
import { type SignatureFault, verifyBySigner } from './issuer-signature.js'

/** After keys could not be fetched, in which nobody has us ask again. */
export const fetchPauseSeconds = 30

/** A value of the configuration: what was fetched is kept with it, and a new version starts anew. */
export type NamedParty = {
  /** Undefined: they are at `jwksUri`. */
  readonly keys: readonly ForeignKey[] | undefined
  readonly jwksUri?: string | undefined
}
export type KeysAwaited = { readonly retryAfterSeconds: number }

/** The keys as they are now; `undefined`: they cannot be read. For whoever saves the party. */
export async function keysOfParty(fetchSafely: FetchSafely, party: NamedParty, now: Instant): Promise<readonly ForeignKey[] | undefined> {
  if (party.keys !== undefined) return party.keys
  const read = await issuerKeysOf(fetchSafely, party).read(party.jwksUri ?? '', now)
  return read.ok ? read.value.keys : undefined
}

/** When keys of a party were last found unreachable. */
const failures = new WeakMap<NamedParty, Instant>()

export async function verifyByParty(
  fetchSafely: FetchSafely,
  party: NamedParty,
  jwt: ReadJwt,
  now: Instant,
): Promise<Result<ForeignKey, KeysAwaited | SignatureFault>> {
  if (party.keys !== undefined) return verifyForeignJwt(jwt, party.keys)
  const failedAt = failures.get(party)
  if (failedAt !== undefined && now < addSeconds(failedAt, fetchPauseSeconds)) return err({ retryAfterSeconds: fetchPauseSeconds })
  const signed = await verifyBySigner(jwt, { keys: issuerKeysOf(fetchSafely, party), jwksUri: party.jwksUri ?? '', now }, 'anybody')
  if (signed.ok) return ok(signed.value)
  if (typeof signed.error === 'string') return err(signed.error)
  if (signed.error.reason === 'oidc_keys_awaited')
    return err({ retryAfterSeconds: Number(signed.error.detail?.['retryAfterSeconds'] ?? fetchPauseSeconds) })
  failures.set(party, now)
  return err({ retryAfterSeconds: fetchPauseSeconds })
}
