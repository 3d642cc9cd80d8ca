/** Reads what a service provider asks of the SAML IdP, and refuses what the IdP would be wrong to answer. */
import { inflateRawSync } from 'node:zlib'
import samlify from 'samlify'

/** Far above any AuthnRequest; bounds the decompression too. */
const maxRequestBytes = 64 * 1024

/** Older than this is stale, whatever the reason. */
const maxAgeSeconds = 600

export type AuthnRequest = {
  readonly id: string
  readonly issuer: string
  readonly acsUrl: string
  readonly requestedClassRefs: readonly string[]
  /** The IdP must ask the person, whatever session it has. SAML Core §3.4.1 */
  readonly forceAuthn: boolean
  readonly loginHint: string | undefined
  readonly relayState: string | undefined
}

export type RegisteredServiceProvider = { readonly spEntityId: string; readonly acsUrls: readonly string[] }

/** The cause, in words for the person at the desk. */
export class AuthnRequestRefused extends Error {}

const fields = [
  {
    key: 'request',
    localPath: ['AuthnRequest'],
    attributes: ['ID', 'Version', 'IssueInstant', 'Destination', 'AssertionConsumerServiceURL', 'ProtocolBinding', 'ForceAuthn'],
  },
  { key: 'issuer', localPath: ['AuthnRequest', 'Issuer'], attributes: [] },
  { key: 'nameId', localPath: ['AuthnRequest', 'Subject', 'NameID'], attributes: [] },
  { key: 'classRefs', localPath: ['AuthnRequest', 'RequestedAuthnContext', 'AuthnContextClassRef'], attributes: [] },
]

/**
 * Parses a message of the Redirect binding (deflated) or of the POST binding and checks it.
 *
 * The ACS URL must be registered: an IdP that answers to any address hands its assertions to whoever asks.
 * A request without one is answered at the first that is registered. A signature is not looked at: our metadata does not ask for one.
 *
 * @spec SAML Core §3.4.1
 * @spec SAML Bindings §3.4.4.1
 */
export function parseAuthnRequest(
  parameters: URLSearchParams,
  expected: { readonly registered: RegisteredServiceProvider; readonly destination: string; readonly now: Date },
): AuthnRequest {
  const extracted = extract(decode(parameters.get('SAMLRequest')))
  const request = asRecord(extracted['request'])
  const id = text(request['id'])
  if (id === undefined || !/^[A-Za-z_][\w.-]{7,127}$/.test(id)) throw new AuthnRequestRefused('The AuthnRequest has no usable ID.')
  if (text(request['version']) !== '2.0') throw new AuthnRequestRefused('The AuthnRequest is not of SAML 2.0.')
  checkInstant(text(request['issueInstant']), expected.now)
  const destination = text(request['destination'])
  if (destination !== undefined && destination !== expected.destination)
    throw new AuthnRequestRefused(`The AuthnRequest was sent to ${destination}, this is ${expected.destination}.`)
  const issuer = text(extracted['issuer'])
  if (issuer !== expected.registered.spEntityId)
    throw new AuthnRequestRefused(`No service provider “${issuer ?? ''}” is registered here, only “${expected.registered.spEntityId}”.`)
  return {
    id,
    issuer,
    acsUrl: registeredAcsUrl(text(request['assertionConsumerServiceUrl']), expected.registered.acsUrls),
    requestedClassRefs: list(extracted['classRefs']),
    forceAuthn: text(request['forceAuthn']) === 'true' || text(request['forceAuthn']) === '1',
    loginHint: text(extracted['nameId']) ?? parameters.get('login_hint') ?? parameters.get('LoginHint') ?? undefined,
    relayState: parameters.get('RelayState') ?? undefined,
  }
}

function registeredAcsUrl(asked: string | undefined, registered: readonly string[]): string {
  const acsUrl = asked ?? registered[0]
  if (acsUrl === undefined || !registered.includes(acsUrl))
    throw new AuthnRequestRefused(`The assertion consumer service ${acsUrl ?? ''} is not registered here.`)
  return acsUrl
}

function decode(encoded: string | null): string {
  if (encoded === null || encoded === '') throw new AuthnRequestRefused('There is no SAMLRequest. Start the login at the service provider.')
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.length > maxRequestBytes) throw new AuthnRequestRefused('The SAMLRequest is too large.')
  const xml = bytes[0] === 0x3c ? bytes.toString('utf8') : inflate(bytes)
  if (xml.includes('<!')) throw new AuthnRequestRefused('The SAMLRequest contains a declaration or comment.')
  return xml
}

function inflate(bytes: Buffer): string {
  try {
    return inflateRawSync(bytes, { maxOutputLength: maxRequestBytes }).toString('utf8')
  } catch {
    throw new AuthnRequestRefused('The SAMLRequest is neither XML nor deflated XML.')
  }
}

function extract(xml: string): Record<string, unknown> {
  try {
    return asRecord(samlify.Extractor.extract(xml, fields))
  } catch {
    throw new AuthnRequestRefused('The SAMLRequest is not well-formed XML.')
  }
}

function checkInstant(issueInstant: string | undefined, now: Date): void {
  const issuedMs = Date.parse(issueInstant ?? '')
  if (Number.isNaN(issuedMs)) throw new AuthnRequestRefused('The AuthnRequest has no IssueInstant.')
  if (Math.abs(now.getTime() - issuedMs) > maxAgeSeconds * 1000)
    throw new AuthnRequestRefused('The AuthnRequest is older than ten minutes, or from the future.')
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
}

function list(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.map(text).filter((one) => one !== undefined)
}
