/** How we prove to the IdP's token endpoint that we are its client: a secret, or a signature with this connection's own key. */
import type { KeyObject } from 'node:crypto'
import { addSeconds, type Instant, toSeconds } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import type { ForeignAlgorithm } from '@drawbridge/crypto/foreign-algorithms'
import { signForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { Random } from '@drawbridge/crypto/random'
import * as client from 'openid-client'
import type { OidcConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import type { ProviderMetadata } from './provider-metadata.js'

/** The active key of a connection, for `private_key_jwt`. */
export type ClientKey = {
  readonly kid: string
  readonly algorithm: ForeignAlgorithm
  readonly privateKey: KeyObject
  /** SHA-256 of the certificate that an admin has uploaded at Entra, base64url; it finds the key by this alone. */
  readonly certificateThumbprint: string | undefined
}

/** Asked only where the connection authenticates with a key. */
export type FindClientKey = () => Promise<ClientKey | undefined>

export type ClientCredential = { readonly secret: Secret | undefined; readonly key: ClientKey | undefined }

/** Used at once, so it need not live longer; the IdP's clock may be behind ours. */
export const clientAssertionSeconds = 120

export type ClientProof = {
  readonly connection: OidcConnection
  readonly provider: Pick<ProviderMetadata, 'issuer' | 'tokenEndpoint'>
  readonly credential: ClientCredential
  readonly random: Random
  readonly now: Instant
}

export function clientAuthentication(proof: ClientProof): Result<client.ClientAuth, UpstreamRefusal> {
  const { connection, credential } = proof
  const { secret } = credential
  switch (connection.clientAuthentication ?? (secret === undefined ? 'none' : 'client_secret_basic')) {
    case 'none':
      return ok(client.None())
    case 'private_key_jwt':
      return credential.key === undefined ? err({ reason: 'oidc_client_key_missing' }) : ok(withAssertion(proof, credential.key))
    case 'client_secret_post':
      return secret === undefined ? err({ reason: 'oidc_client_secret_missing' }) : ok(client.ClientSecretPost(secret.reveal()))
    case 'client_secret_basic':
      return secret === undefined ? err({ reason: 'oidc_client_secret_missing' }) : ok(client.ClientSecretBasic(secret.reveal()))
  }
}

/** @spec RFC 7523 §2.2, OIDC Core §9 private_key_jwt */
function withAssertion(proof: ClientProof, key: ClientKey): client.ClientAuth {
  return (_server, _client, body) => {
    body.set('client_id', proof.connection.clientId)
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    body.set('client_assertion', clientAssertion(proof, key))
  }
}

/** Our clock and our randomness, so the library's own key authentication is not used. */
export function clientAssertion({ connection, provider, random, now }: ClientProof, key: ClientKey): string {
  const { kid, certificateThumbprint } = key
  const audience = connection.clientAssertionAudience === 'issuer' ? provider.issuer : provider.tokenEndpoint
  const header = { typ: 'JWT', kid, ...(certificateThumbprint !== undefined && { 'x5t#S256': certificateThumbprint }) }
  const { clientId } = connection
  const times = { iat: toSeconds(now), nbf: toSeconds(now), exp: toSeconds(addSeconds(now, clientAssertionSeconds)) }
  return signForeignJwt(key, header, { iss: clientId, sub: clientId, aud: audience, jti: random.uuid(), ...times })
}
