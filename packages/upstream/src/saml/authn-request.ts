/** Our request to a SAML IdP: as bare as possible, because every optional element breaks some IdP's first contact. */
import { deflateRawSync } from 'node:zlib'
import type { Instant } from '@drawbridge/core/instant'
import type { SamlConnection } from '../connection-configuration.js'
import type { UpstreamAnswer } from '../connector.js'
import { formatDateTime } from './date-time.js'
import { namespaces } from './element.js'
import { escapeXml } from './escape-xml.js'
import type { ServiceProviderKey } from './service-provider.js'
import { signEnveloped, signQuery } from './sign-request.js'
import { spEntityIdOf } from './verify-response.js'

export type AuthnRequest = {
  /** Starts with `_`: Entra refuses a leading digit, and an xs:ID may not have one. */
  readonly id: string
  readonly connection: SamlConnection
  readonly acsUrl: string
  readonly stepUp: boolean
  readonly forceAuthn: boolean
  readonly now: Instant
}

const postBinding = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'

/**
 * No Subject (Entra errors), no NameIDPolicy and no RequestedAuthnContext unless configured or stepping up: PasswordProtectedTransport,
 * which many products send always, locks passwordless people out.
 *
 * @spec SAML Core §3.4.1
 */
export function buildAuthnRequest(request: AuthnRequest): string {
  const { connection } = request
  const classRefs = request.stepUp && connection.stepUpClassRef !== null ? [connection.stepUpClassRef] : connection.requestedClassRefs
  const attributes = [
    ['xmlns:samlp', namespaces.protocol],
    ['xmlns:saml', namespaces.assertion],
    ['ID', request.id],
    ['Version', '2.0'],
    ['IssueInstant', formatDateTime(request.now)],
    ['Destination', connection.ssoUrl],
    ['ProtocolBinding', postBinding],
    ['AssertionConsumerServiceURL', request.acsUrl],
    ...(demandsFreshLogin(request) ? [['ForceAuthn', 'true']] : []),
  ] as [string, string][]
  const written = attributes.map(([name, value]) => ` ${name}="${escapeXml(value)}"`).join('')
  const issuer = `<saml:Issuer>${escapeXml(spEntityIdOf(connection, request.acsUrl))}</saml:Issuer>`
  return `<samlp:AuthnRequest${written}>${issuer}${nameIdPolicy(connection.nameIdFormat)}${requestedContext(classRefs, connection.requestedClassComparison)}</samlp:AuthnRequest>`
}

/** A session at the IdP may be of a lesser strength, so a step-up always asks for a fresh login too. */
export const demandsFreshLogin = (request: {
  readonly connection: SamlConnection
  readonly stepUp: boolean
  readonly forceAuthn: boolean
}): boolean => request.stepUp || request.forceAuthn || request.connection.forceAuthn

const nameIdPolicy = (format: string | undefined): string =>
  format === undefined ? '' : `<samlp:NameIDPolicy Format="${escapeXml(format)}" AllowCreate="true"/>`

/** `exact` unless configured, because Entra accepts no other comparison. */
function requestedContext(classRefs: readonly string[], comparison: SamlConnection['requestedClassComparison']): string {
  if (classRefs.length === 0) return ''
  const refs = classRefs.map((ref) => `<saml:AuthnContextClassRef>${escapeXml(ref)}</saml:AuthnContextClassRef>`).join('')
  return `<samlp:RequestedAuthnContext Comparison="${comparison}">${refs}</samlp:RequestedAuthnContext>`
}

export type AuthnRequestToSend = {
  readonly id: string
  readonly xml: string
  readonly connection: SamlConnection
  readonly relayState: string
  readonly loginHint: string | undefined
  /** Signs it; undefined: it goes unsigned. */
  readonly key: ServiceProviderKey | undefined
}

/**
 * What is signed is the octets of the query as they are sent, so the query is written here by hand and never parsed again.
 *
 * @spec SAML Bindings §3.4.4.1 DEFLATE encoding in the query, and its signature
 * @spec SAML Bindings §3.5.4 base64 in a form
 */
export function sendAuthnRequest({ id, xml, connection, relayState, loginHint, key }: AuthnRequestToSend): UpstreamAnswer {
  const { requestSignature, loginHintParameter } = connection
  const hint = loginHintParameter !== undefined && loginHint !== undefined ? { [loginHintParameter]: loginHint } : {}
  const address = withQuery(connection.ssoUrl, toQuery({ ...connection.requestParameters, ...hint }))
  if (connection.ssoBinding === 'post') {
    const message = key === undefined ? xml : signEnveloped(xml, id, key, requestSignature)
    return {
      kind: 'form',
      action: address,
      fields: { SAMLRequest: Buffer.from(message, 'utf8').toString('base64'), RelayState: relayState },
    }
  }
  const deflated = deflateRawSync(Buffer.from(xml, 'utf8')).toString('base64')
  const query = toQuery({ SAMLRequest: deflated, RelayState: relayState })
  return { kind: 'redirect', url: withQuery(address, key === undefined ? query : signQuery(query, key, requestSignature)) }
}

const toQuery = (parameters: Readonly<Record<string, string>>): string =>
  Object.entries(parameters)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')

/** Keeps the query that the IdP's URL already has (Google: `?idpid=…`). */
function withQuery(address: string, query: string): string {
  const { href } = new URL(address)
  return query === '' ? href : `${href}${href.includes('?') ? '&' : '?'}${query}`
}
