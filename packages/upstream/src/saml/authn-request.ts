/** Our request to a SAML IdP: as bare as possible, because every optional element breaks some IdP's first contact. */
import { contextsToAsk } from '@drawbridge/core/identity/asked-authentication'
import type { Instant } from '@drawbridge/core/instant'
import type { SamlConnection } from '../connection-configuration.js'
import type { UpstreamAnswer } from '../connector.js'
import { formatDateTime } from './date-time.js'
import { namespaces } from './element.js'
import { escapeXml } from './escape-xml.js'
import { sendMessage, toQuery, withQuery } from './send-message.js'
import type { ServiceProviderKey } from './service-provider.js'
import { spEntityIdOf } from './verify-response.js'

export type AuthnRequest = {
  readonly id: string
  readonly connection: SamlConnection
  readonly acsUrl: string
  readonly stepUp: boolean
  readonly acrValues: readonly string[]
  readonly forceAuthn: boolean
  /** SAML has no word for the choice of an account; who is asked to sign in again may do so as somebody else. */
  readonly selectAccount: boolean
  readonly now: Instant
}

const answerBindings = {
  post: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
  redirect: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
} as const

/**
 * No Subject (Entra errors), no NameIDPolicy and no RequestedAuthnContext unless configured or stepping up: PasswordProtectedTransport,
 * which many products send always, locks passwordless people out.
 *
 * @spec SAML Core §3.4.1
 */
export function buildAuthnRequest(request: AuthnRequest): string {
  const { connection } = request
  const attributes = [
    ['xmlns:samlp', namespaces.protocol],
    ['xmlns:saml', namespaces.assertion],
    ['ID', request.id],
    ['Version', '2.0'],
    ['IssueInstant', formatDateTime(request.now)],
    ['Destination', connection.ssoUrl],
    ['ProtocolBinding', answerBindings[connection.responseBinding]],
    ['AssertionConsumerServiceURL', request.acsUrl],
    ...(demandsFreshLogin(request) || request.selectAccount ? [['ForceAuthn', 'true']] : []),
  ] as [string, string][]
  const written = attributes.map(([name, value]) => ` ${name}="${escapeXml(value)}"`).join('')
  const issuer = `<saml:Issuer>${escapeXml(spEntityIdOf(connection, request.acsUrl))}</saml:Issuer>`
  return `<samlp:AuthnRequest${written}>${issuer}${nameIdPolicy(connection.nameIdFormat)}${requestedContext(classesToAsk(request), connection.requestedClassComparison)}</samlp:AuthnRequest>`
}

/** A step-up's, or what a client wishes of what the connection lists, or what is asked for at every login. */
function classesToAsk({ connection, stepUp, acrValues }: AuthnRequest): readonly string[] {
  const { stepUpClassRef, requestedClassRefs: listed } = connection
  if (stepUp && stepUpClassRef !== null) return [stepUpClassRef]
  const wished = contextsToAsk(acrValues, { listed, stepUp: stepUpClassRef === null ? [] : [stepUpClassRef] })
  return wished.length > 0 ? wished : listed
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

/** What the connection adds to the query, and who is expected, stands in the address by either binding. */
export function sendAuthnRequest({ id, xml, connection, relayState, loginHint, key }: AuthnRequestToSend): UpstreamAnswer {
  const { requestSignature: algorithm, loginHintParameter, ssoBinding: binding } = connection
  const hint = loginHintParameter !== undefined && loginHint !== undefined ? { [loginHintParameter]: loginHint } : {}
  const address = withQuery(connection.ssoUrl, toQuery({ ...connection.requestParameters, ...hint }))
  return sendMessage({ carries: 'SAMLRequest', id, xml, address, binding, relayState, key, algorithm })
}
