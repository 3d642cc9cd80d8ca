/**
 * Whether the issuer of a connection signed this: the one way in which every kind of its messages is verified, ID tokens and logout tokens
 * alike. Which kind it is, is for the validator of that kind to say; the keys are the same, so they can not.
 */
import type { Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ForeignKey, type ReadJwt, verifyForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { OidcConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { issuerPlaceholder, isTemplate } from './configuration.js'
import type { IssuerKeys, TokenSource } from './issuer-keys.js'

export type SignatureCheck = KeysOfSigner & { readonly connection: OidcConnection }

/** With a template `iss` must fit the token's own `tid`, which the caller then looks up among those of the connection. */
export const issuerOf = ({ issuer }: OidcConnection, claims: ReadonlyMap<string, unknown>): string =>
  isTemplate(issuer) ? issuer.replace(issuerPlaceholder, String(claims.get('tid'))) : issuer

export type SignatureFault = 'unknown_key' | 'bad_signature' | 'key_of_another_issuer'

export type KeysOfSigner = {
  readonly keys: IssuerKeys
  readonly jwksUri: string
  readonly now: Instant
  /** When the message came to us, where that is earlier: keys that were asked for since are final for it. */
  readonly cameAt?: Instant | undefined
}

/**
 * The keys of this signer alone, fetched once more where none of those we know has signed it. A fault is told only of keys that were fetched for this
 * token, or since it came: where they may not be, it may be of a new one, and is not judged.
 */
export async function verifyBySigner(
  jwt: ReadJwt,
  { keys, jwksUri, now, cameAt }: KeysOfSigner,
  source: TokenSource,
): Promise<Result<ForeignKey, UpstreamRefusal | SignatureFault>> {
  const known = await keys.read(jwksUri, now)
  if (!known.ok) return known
  const first = verifyForeignJwt(jwt, known.value.keys)
  const isFinal = known.value.justFetched || (cameAt !== undefined && known.value.fetchedAt >= cameAt)
  const newer = first.ok || isFinal ? undefined : await keys.readAgain(jwksUri, source, now)
  if (newer?.kind === 'wait') return err({ reason: 'oidc_keys_awaited', detail: { retryAfterSeconds: newer.seconds } })
  return newer === undefined ? first : verifyForeignJwt(jwt, newer.keys)
}

export async function verifyIssuerSignature(
  jwt: ReadJwt,
  { connection, ...signer }: SignatureCheck,
  source: TokenSource,
): Promise<Result<undefined, UpstreamRefusal | SignatureFault>> {
  const verdict = await verifyBySigner(jwt, signer, source)
  if (!verdict.ok) return verdict
  // In a JWKS that tenants share, each key may say whose tokens it signs.
  const signs = verdict.value.issuer?.replace(issuerPlaceholder, String(jwt.claims.get('tid')))
  return signs === undefined || signs === issuerOf(connection, jwt.claims) ? ok(undefined) : err('key_of_another_issuer')
}
