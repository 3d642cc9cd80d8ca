/** Whether a key of this connection signed a JWT: of an OpenID provider its published keys, of a SAML IdP those of its certificates. */
import type { Instant } from '@drawbridge/core/instant'
import { addSeconds } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { HeardWords } from '@drawbridge/core/signals/security-event'
import { type ForeignAlgorithm, foreignAlgorithms } from '@drawbridge/crypto/foreign-algorithms'
import { type ForeignKey, type ReadJwt, verifyForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { certificateOf } from '../certificate.js'
import type { ConnectionConfiguration, OidcConnection, SamlConnection } from '../connection-configuration.js'
import { issuersOf } from '../oidc/configuration.js'
import { discoveryOf } from '../oidc/discovery.js'
import { issuerKeysOf } from '../oidc/issuer-keys.js'
import { type SignatureFault, verifyIssuerSignature } from '../oidc/issuer-signature.js'
import { subjectLinkOf } from '../subject-link.js'
import type { SignalRefusal } from './signal-refusal.js'
import type { SsfTransmitter } from './transmitter.js'

/** After a fetch that failed no other is begun for so long. */
export const signalFetchPauseSeconds = 5

export const algorithmsOf = (connection: ConnectionConfiguration): readonly ForeignAlgorithm[] =>
  connection.kind === 'oidc' ? connection.idTokenAlgorithms : foreignAlgorithms

/** Every name under which the IdP of a connection may sign a signal and name people in it. */
export const issuersOfConnection = (connection: ConnectionConfiguration): readonly string[] => [
  ...(connection.kind === 'oidc' ? issuersOf(connection) : [connection.idpEntityId]),
  ...connection.signalIssuers,
]

/** In whose words the transmitter of a connection may speak of its people. */
export const heardWordsOf = (connection: ConnectionConfiguration, { issuer, events }: SsfTransmitter): HeardWords => ({
  issuers: [...issuersOfConnection(connection), issuer],
  loginIssuer: connection.kind === 'oidc' ? connection.issuer : undefined,
  link: subjectLinkOf(connection),
  events,
})

type Given = { readonly jwt: ReadJwt; readonly now: Instant }
type Checked = Result<undefined, SignalRefusal | SignatureFault>

export const verifyConnectionSignature = (fetchSafely: FetchSafely, connection: ConnectionConfiguration, given: Given): Promise<Checked> =>
  connection.kind === 'oidc'
    ? verifyByProvider(fetchSafely, signerOf(connection, String(given.jwt.claims.get('iss'))), given)
    : Promise.resolve(verifyByCertificates(connection, given))

/** A key id is the IdP's name for a key of its JWKS; certificates have none, and each of them is tried. */
function verifyByCertificates({ certificates }: SamlConnection, { jwt }: Given): Checked {
  const keys: ForeignKey[] = certificates.map((pem) => ({
    ...{ kid: undefined, algorithm: undefined, issuer: undefined },
    publicKey: certificateOf(pem).publicKey,
  }))
  const verdict = verifyForeignJwt({ ...jwt, kid: undefined }, keys)
  return verdict.ok ? ok(undefined) : verdict
}

const signers = new WeakMap<OidcConnection, Map<string, OidcConnection>>()

/** A further issuer of the connection has keys of its own, behind its own discovery document: those of one never prove another. */
function signerOf(connection: OidcConnection, issuer: string): OidcConnection {
  if (!connection.signalIssuers.includes(issuer) || issuersOf(connection).includes(issuer)) return connection
  const known = signers.get(connection) ?? new Map<string, OidcConnection>()
  signers.set(connection, known)
  const made = known.get(issuer) ?? { ...connection, issuer, discoveryUrl: undefined, tenantIds: undefined }
  known.set(issuer, made)
  return made
}

/** When an issuer was last found unreachable; with the configuration value, so a new version starts anew. */
const failures = new WeakMap<OidcConnection, Instant>()

async function verifyByProvider(fetchSafely: FetchSafely, connection: OidcConnection, { jwt, now }: Given): Promise<Checked> {
  const failedAt = failures.get(connection)
  if (failedAt !== undefined && now < addSeconds(failedAt, signalFetchPauseSeconds)) return awaited(signalFetchPauseSeconds)
  const provider = await discoveryOf(fetchSafely, connection)(now)
  const keys = issuerKeysOf(fetchSafely, connection)
  const signed = provider.ok
    ? await verifyIssuerSignature(jwt, { connection, keys, jwksUri: provider.value.jwksUri, now }, 'anybody')
    : provider
  if (signed.ok) return signed
  if (typeof signed.error === 'string') return err(signed.error)
  if (signed.error.reason === 'oidc_keys_awaited')
    return awaited(Number(signed.error.detail?.['retryAfterSeconds'] ?? signalFetchPauseSeconds))
  failures.set(connection, now)
  return awaited(signalFetchPauseSeconds)
}

const awaited = (retryAfterSeconds: number): Checked => err({ reason: 'signal_keys_awaited', detail: { retryAfterSeconds } })
