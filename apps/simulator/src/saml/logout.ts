/**
 * Single logout at the SAML IdP, both ways: who is signed in here, what the service is told when she signs out here, and what it is answered
 * when she signs out there. The service is known by its metadata, fetched when it is needed; every message is signed, by samlify.
 */
import { randomBytes } from 'node:crypto'
import samlify from 'samlify'
import { bareCertificate, type CompanyKeys } from '../keys.js'
import type { IdpAddresses } from './metadata.js'

export type SignedIn = {
  readonly sessionIndex: string
  readonly personId: string
  /** Of the service that she signed in to. */
  readonly metadataUrl: string
}

/** The cause, in words for the person at the desk. */
export class LogoutRefused extends Error {}

export type Received = { readonly binding: 'redirect' | 'post'; readonly rawQuery: string; readonly form: URLSearchParams }
/** Where the browser goes next, or what there is to tell. */
export type Taken = { readonly url: string } | { readonly told: string }

export type SamlLogout = {
  remember(session: SignedIn): void
  sessions(): readonly SignedIn[]
  /** She signs out here. Answers where her browser takes the news. Throws `LogoutRefused`. */
  signOut(sessionIndex: string): Promise<string>
  /** What the service sends: its own request, or the answer to ours. Throws `LogoutRefused`. */
  take(received: Received): Promise<Taken>
}

const mostSessions = 1000
const metadataTimeoutMs = 5000
const persistent = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'
const rsaSha256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
const wantsSigned = { wantLogoutRequestSigned: true, wantLogoutResponseSigned: true }

type Idp = ReturnType<typeof samlify.IdentityProvider>
type Sp = ReturnType<typeof samlify.ServiceProvider>

export function createSamlLogout(addresses: IdpAddresses, keys: CompanyKeys, metadataUrl: () => string | undefined): SamlLogout {
  const sessions = new Map<string, SignedIn>()
  /** Requests of ours that wait for an answer, by their ID. */
  const asked = new Set<string>()
  const idp = identityProvider(addresses, keys)
  return {
    sessions: () => [...sessions.values()].reverse(),
    remember: (session) => {
      sessions.set(session.sessionIndex, session)
      const oldest = sessions.keys().next()
      if (sessions.size > mostSessions && oldest.done !== true) sessions.delete(oldest.value)
    },
    signOut: async (sessionIndex) => {
      const session = sessions.get(sessionIndex)
      if (session === undefined) throw new LogoutRefused('There is no such session.')
      sessions.delete(sessionIndex)
      const [service] = await fetchServices(session.metadataUrl)
      if (service === undefined) throw new LogoutRefused('The service offers no single logout. It has not heard of this.')
      const made = idp.createLogoutRequest(service, 'redirect', { logoutNameID: session.personId, sessionIndex }, randomState())
      asked.add(made.id)
      return made.context
    },
    take: async (received) => {
      const parameters = parametersOf(received)
      const url = metadataUrl()
      const services = url === undefined ? [] : await fetchServices(url)
      if (parameters.has('SAMLResponse')) return { told: await takeAnswer(idp, services, received, asked) }
      return takeRequest(idp, services, received, (sessionIndex) => void sessions.delete(sessionIndex))
    },
  }
}

async function takeAnswer(idp: Idp, services: readonly Sp[], received: Received, asked: Set<string>): Promise<string> {
  const { extract } = await parseByOne(services, (service) => idp.parseLogoutResponse(service, received.binding, toParse(received)))
  const to = asRecord(extract.response)['inResponseTo']
  if (typeof to !== 'string' || !asked.delete(to)) throw new LogoutRefused('The answer is to no request of ours, or came before.')
  return 'Signed out here, and at the service.'
}

async function takeRequest(idp: Idp, services: readonly Sp[], received: Received, end: (sessionIndex: string) => void): Promise<Taken> {
  const read = await parseByOne(services, (service) => idp.parseLogoutRequest(service, received.binding, toParse(received)))
  const { sessionIndex } = read.extract as { readonly sessionIndex?: unknown }
  if (typeof sessionIndex === 'string') end(sessionIndex)
  const [service] = services as readonly [Sp]
  const relayState = parametersOf(received).get('RelayState') ?? ''
  const made = idp.createLogoutResponse(service, { ...read }, 'redirect', relayState) as { readonly context: string }
  return { url: made.context }
}

const parametersOf = ({ binding, rawQuery, form }: Received): URLSearchParams =>
  binding === 'redirect' ? new URLSearchParams(rawQuery) : form

/** A query is verified over its octets as they came, in the order of the binding. @spec SAML Bindings §3.4.4.1 */
function toParse(received: Received) {
  const parameters = Object.fromEntries(parametersOf(received))
  const pieces = received.rawQuery.split('&')
  const signed = ['SAMLRequest', 'SAMLResponse', 'RelayState', 'SigAlg'].flatMap(
    (name) => pieces.find((piece) => piece.startsWith(`${name}=`)) ?? [],
  )
  return { query: parameters, body: parameters, octetString: signed.join('&') }
}

type Parsed = Awaited<ReturnType<Idp['parseLogoutRequest']>>

async function parseByOne(services: readonly Sp[], parse: (service: Sp) => Promise<Parsed>): Promise<Parsed> {
  if (services.length === 0) throw new LogoutRefused('The service offers no single logout, or is not known here.')
  for (const service of services) {
    const read = await parse(service).catch(() => undefined)
    if (read !== undefined) return read
  }
  throw new LogoutRefused('The message is not signed by the service, is too old, or is broken.')
}

function identityProvider(addresses: IdpAddresses, keys: CompanyKeys): Idp {
  samlify.setSchemaValidator({ validate: async () => 'not needed here' })
  const service = (binding: 'redirect' | 'post', Location: string) => ({ Binding: samlify.Constants.namespace.binding[binding], Location })
  return samlify.IdentityProvider({
    entityID: addresses.entityId,
    privateKey: keys.current.privateKeyPem,
    signingCert: bareCertificate(keys.current.certificatePem),
    requestSignatureAlgorithm: rsaSha256,
    nameIDFormat: [persistent],
    ...wantsSigned,
    singleSignOnService: [service('redirect', addresses.ssoUrl)],
    singleLogoutService: [service('redirect', addresses.sloUrl), service('post', addresses.sloUrl)],
  })
}

/** The service once for each of its signing keys, because samlify takes one; none, if its metadata offer no logout. */
async function fetchServices(url: string): Promise<readonly Sp[]> {
  const response = await fetch(url, { signal: AbortSignal.timeout(metadataTimeoutMs) }).catch(() => undefined)
  if (response?.ok !== true) throw new LogoutRefused(`The metadata of the service at ${url} cannot be fetched.`)
  const xml = await response.text()
  if (!xml.includes('SingleLogoutService')) return []
  const keys = [...xml.matchAll(/<(\w+:)?KeyDescriptor use="signing">[\s\S]*?<\/(\w+:)?KeyDescriptor>/g)].map(([key]) => key)
  return keys.map((kept) => {
    const metadata = keys.filter((key) => key !== kept).reduce((text, other) => text.replace(other, ''), xml)
    return samlify.ServiceProvider({ metadata, ...wantsSigned })
  })
}

const randomState = (): string => randomBytes(12).toString('base64url')

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
