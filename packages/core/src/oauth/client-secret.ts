/**
 * The secrets of a client: one, or two while the client is moved from the one to the other, so that there is no moment in which it has none.
 *
 * What has lapsed is as if it were not there: it proves nothing, nobody gives it a later end, and it makes room.
 */
import type { Instant } from '../instant.js'
import { err, ok, type Result } from '../result.js'
import type { CredentialHash } from '../tenant/ids.js'

export type ClientSecret = {
  readonly hash: CredentialHash
  /** Undefined: by a version that did not note it. */
  readonly createdAt: Instant | undefined
  /** Undefined: never. */
  readonly expiresAt: Instant | undefined
  /** When it last got the client a token, exact to an hour. Undefined: not since that is noted. */
  readonly lastUsedAt: Instant | undefined
}

export const clientSecretLimits = { most: 2 } as const

/** Names one of a client's secrets to an admin; of its hash, so it says nothing of the secret itself. */
export const secretIdOf = ({ hash }: Pick<ClientSecret, 'hash'>): string => hash.toString('hex').slice(0, 16)

/** Equal means over, as everywhere. */
export const isLiving = ({ expiresAt }: ClientSecret, now: Instant): boolean => expiresAt === undefined || now < expiresAt

/** Beside the one that there is. */
export function addSecret(
  secrets: readonly ClientSecret[],
  added: ClientSecret,
  now: Instant,
): Result<readonly ClientSecret[], 'secrets_full'> {
  const living = secrets.filter((secret) => isLiving(secret, now))
  return living.length < clientSecretLimits.most ? ok([...living, added]) : err('secrets_full')
}

/** The last one that lives stays: whoever wants the client to have none blocks it. */
export function withdrawSecret(
  secrets: readonly ClientSecret[],
  id: string,
  now: Instant,
): Result<readonly ClientSecret[], 'not_found' | 'last_secret'> {
  const rest = secrets.filter((secret) => secretIdOf(secret) !== id)
  if (rest.length === secrets.length) return err('not_found')
  return rest.some((secret) => isLiving(secret, now)) ? ok(rest) : err('last_secret')
}

/** Gives one another end, or none. */
export function limitSecret(
  secrets: readonly ClientSecret[],
  id: string,
  { expiresAt, now }: { readonly expiresAt: Instant | undefined; readonly now: Instant },
): Result<readonly ClientSecret[], 'not_found'> {
  const isMeant = (secret: ClientSecret): boolean => secretIdOf(secret) === id && isLiving(secret, now)
  return secrets.some(isMeant) ? ok(secrets.map((secret) => (isMeant(secret) ? { ...secret, expiresAt } : secret))) : err('not_found')
}
