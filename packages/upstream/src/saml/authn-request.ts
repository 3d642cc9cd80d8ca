/** Our request to a SAML IdP: as bare as possible, because every optional element breaks some IdP's first contact. */
import { deflateRawSync } from 'node:zlib'
import type { Instant } from '@drawbridge/core/instant'
import type { SamlConnection } from '../connection-configuration.js'
import type { UpstreamAnswer } from '../connector.js'
import { formatDateTime } from './date-time.js'
import { namespaces } from './element.js'
import { escapeXml } from './escape-xml.js'
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
  return `<samlp:AuthnRequest${written}>${issuer}${nameIdPolicy(connection.nameIdFormat)}${requestedContext(classRefs)}</samlp:AuthnRequest>`
}

/** A session at the IdP may be of a lesser strength, so a step-up always asks for a fresh login too. */
export const demandsFreshLogin = (request: {
  readonly connection: SamlConnection
  readonly stepUp: boolean
  readonly forceAuthn: boolean
}): boolean => request.stepUp || request.forceAuthn || request.connection.forceAuthn

const nameIdPolicy = (format: string | undefined): string =>
  format === undefined ? '' : `<samlp:NameIDPolicy Format="${escapeXml(format)}" AllowCreate="true"/>`

/** `exact`, because Entra accepts no other comparison. */
function requestedContext(classRefs: readonly string[]): string {
  if (classRefs.length === 0) return ''
  const refs = classRefs.map((ref) => `<saml:AuthnContextClassRef>${escapeXml(ref)}</saml:AuthnContextClassRef>`).join('')
  return `<samlp:RequestedAuthnContext Comparison="exact">${refs}</samlp:RequestedAuthnContext>`
}

/**
 * @spec SAML Bindings §3.4.4.1 DEFLATE encoding in the query
 * @spec SAML Bindings §3.5.4 base64 in a form
 */
export function sendAuthnRequest(
  xml: string,
  connection: SamlConnection,
  relayState: string,
  loginHint: string | undefined,
): UpstreamAnswer {
  const hint = connection.loginHintParameter !== undefined && loginHint !== undefined ? { [connection.loginHintParameter]: loginHint } : {}
  if (connection.ssoBinding === 'post') {
    return {
      kind: 'form',
      action: withQuery(connection.ssoUrl, hint),
      fields: { SAMLRequest: Buffer.from(xml, 'utf8').toString('base64'), RelayState: relayState },
    }
  }
  const deflated = deflateRawSync(Buffer.from(xml, 'utf8')).toString('base64')
  return { kind: 'redirect', url: withQuery(connection.ssoUrl, { SAMLRequest: deflated, RelayState: relayState, ...hint }) }
}

/** Keeps the query that the IdP's URL already has (Google: `?idpid=…`). */
function withQuery(address: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL(address)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}
