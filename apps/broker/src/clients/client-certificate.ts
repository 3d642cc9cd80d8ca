/**
 * The certificate of a client, as the proxy says that it verified it. Off until an operator names the header.
 *
 * Certificates are public, so whoever can send this header is every client. The position of a proxy, by which X-Forwarded-For is believed, is too
 * little for that: whoever reaches our port past the proxy has it too. So the proxy shows a secret with each request that only we and it know. What
 * it cannot show is that the proxy overwrites the header of whoever calls it; that is the operator's to see to.
 *
 * @spec RFC 9440 §2.4, §4.1
 */

import type { Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { type ClientCertificate, holdsName, isInForce } from '@drawbridge/core/oauth/client-certificate'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import type { RegistrationOffer } from '@drawbridge/core/oauth/registration-request'
import { err, ok, type Result } from '@drawbridge/core/result'
import { readClientCertificate } from '@drawbridge/crypto/client-certificate'
import { hashCredential, sameHash } from '@drawbridge/crypto/hash'
import type { Settings } from '@drawbridge/runtime/env'
import type { HttpRequest } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** The header in which a proxy shows that it is ours. */
export const proxySecretHeader = 'drawbridge-proxy-secret'

export type CertificateSettings = Pick<Settings, 'clientCertificateHeader' | 'proxySecrets'>
/** The tenant's issuer at the address that asks for certificates, where that is another than the one that people's browsers use. */
export const mtlsIssuerOf = (
  { mtlsUrl, publicUrl }: Pick<Settings, 'mtlsUrl' | 'publicUrl'>,
  { issuer }: ResolvedTenant,
): string | undefined =>
  mtlsUrl === undefined || !issuer.url.startsWith(publicUrl) ? undefined : `${mtlsUrl}${issuer.url.slice(publicUrl.length)}`

/** What a client that registers itself is offered. */
export const offerOf = ({ settings }: { readonly settings: CertificateSettings }): RegistrationOffer => ({
  certificates: settings.clientCertificateHeader !== undefined,
})

type Read = Result<ClientCertificate, JsonRefusal>

/** Reads it once, when it is first asked for: most requests have a certificate of nobody. Sent twice, it arrives with a comma in it and is none. */
export function certificateReader(settings: CertificateSettings, { headers }: Pick<HttpRequest, 'headers'>): () => Read {
  let known: Read | undefined
  return () => (known ??= readCertificate(settings, headers))
}

function readCertificate({ clientCertificateHeader, proxySecrets }: CertificateSettings, headers: HttpRequest['headers']): Read {
  if (clientCertificateHeader === undefined) return err({ reason: 'client_authentication_method' })
  const text = headers[clientCertificateHeader]
  if (text === undefined || text === '') return err({ reason: 'client_certificate_missing' })
  const shown = hashCredential(headers[proxySecretHeader] ?? '')
  if (!proxySecrets.some((secret) => sameHash(shown, hashCredential(secret)))) return err({ reason: 'client_certificate_of_stranger' })
  const certificate = readClientCertificate(text)
  return certificate === undefined ? err({ reason: 'client_certificate_malformed' }) : ok(certificate)
}

/**
 * Says why this certificate does not prove the client. Its time is judged here too: a proxy that keeps connections open verified it hours ago.
 *
 * @spec RFC 8705 §2.1
 */
export function findFaultOfCertificate({ certificateName }: Client, read: Read, now: Instant): JsonRefusal | undefined {
  if (!read.ok) return read.error
  if (certificateName === undefined || !holdsName(read.value, certificateName)) return { reason: 'client_certificate_of_other' }
  return isInForce(read.value, now) ? undefined : { reason: 'client_certificate_not_in_force' }
}
