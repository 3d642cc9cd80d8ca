/** The SAML identity provider of a company: holds a login while its person is chosen, then answers it. */
import { randomBytes } from 'node:crypto'
import type { Company, Person } from '../companies.js'
import { type FaultId, sessionAgeSeconds } from '../faults.js'
import type { CompanyKeys } from '../keys.js'
import { listOf, type RelyingParty } from '../relying-party.js'
import { type AuthnRequest, AuthnRequestRefused, parseAuthnRequest } from './authn-request.js'
import { createSamlLogout, type SamlLogout } from './logout.js'
import { buildIdpMetadata, type IdpAddresses } from './metadata.js'
import { buildResponse, mfaClassRef } from './response.js'

const maxPendingLogins = 1000
/** Class references by which service providers ask for a second factor. */
const mfaClassRefs = [
  mfaClassRef,
  'http://schemas.microsoft.com/claims/multipleauthn',
  'urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract',
]

export type SamlIdentityProvider = {
  readonly addresses: IdpAddresses
  readonly logout: SamlLogout
  metadata(isExpired: boolean): string
  /** Throws `AuthnRequestRefused`. The handle names the login until it is answered. */
  begin(parameters: URLSearchParams): { readonly handle: string; readonly request: AuthnRequest; readonly asksForMfa: boolean }
  find(handle: string): { readonly request: AuthnRequest; readonly asksForMfa: boolean } | undefined
  /** An unbroken response was sent before, so the replay card has something to send again. */
  canReplay(): boolean
  /** Answers a login once. `undefined`: there is no such login, or it was answered before. */
  answer(handle: string, person: Person, withMfa: boolean, faults: ReadonlySet<FaultId>): SamlAnswer | undefined
  /** A tile of the portal: an answer that nobody asked for. Throws `AuthnRequestRefused`. */
  openTile(person: Person, relayState: string | undefined, faults: ReadonlySet<FaultId>): SamlAnswer
}

export type SamlAnswer = { readonly acsUrl: string; readonly samlResponse: string; readonly relayState: string | undefined }

export type SamlSettings = {
  readonly company: Company
  readonly publicUrl: string
  readonly keys: CompanyKeys
  readonly relyingParty: () => RelyingParty
  readonly now: () => Date
}

export function createSamlIdentityProvider(settings: SamlSettings): SamlIdentityProvider {
  const base = `${settings.publicUrl}/${settings.company.id}`
  const addresses = { entityId: `${base}/metadata`, ssoUrl: `${base}/sso`, sloUrl: `${base}/slo` }
  const logout = createSamlLogout(addresses, settings.keys, () => metadataUrlOf(settings.relyingParty()))
  const pending = new Map<string, AuthnRequest>()
  let previous: string | undefined
  return {
    addresses,
    logout,
    metadata: (isExpired) =>
      buildIdpMetadata(
        addresses,
        settings.keys.current.certificatePem,
        isExpired ? new Date(settings.now().getTime() - 86_400_000) : undefined,
      ),
    begin: (parameters) => {
      const request = parseAuthnRequest(parameters, {
        registered: registered(settings),
        destination: addresses.ssoUrl,
        now: settings.now(),
      })
      const handle = randomBytes(16).toString('base64url')
      pending.set(handle, request)
      const oldest = pending.keys().next()
      if (pending.size > maxPendingLogins && oldest.done !== true) pending.delete(oldest.value)
      return { handle, request, asksForMfa: asksForMfa(request) }
    },
    find: (handle) => {
      const request = pending.get(handle)
      return request === undefined ? undefined : { request, asksForMfa: asksForMfa(request) }
    },
    canReplay: () => previous !== undefined,
    answer: (handle, person, withMfa, faults) => {
      const request = pending.get(handle)
      if (request === undefined) return undefined
      pending.delete(handle)
      const replayed = faults.has('replay') ? previous : undefined
      const samlResponse =
        replayed ?? Buffer.from(build(settings, { addresses, logout }, { request, person, withMfa, faults })).toString('base64')
      if (faults.size === 0) previous = samlResponse
      return { acsUrl: request.acsUrl, samlResponse, relayState: request.relayState }
    },
    openTile: (person, relayState, faults) => {
      const { spEntityId, acsUrls } = registered(settings)
      const [acsUrl] = acsUrls
      if (acsUrl === undefined) throw new AuthnRequestRefused(`No service provider is registered at ${settings.company.name} yet.`)
      const request = { id: undefined, issuer: spEntityId, acsUrl, forceAuthn: false }
      const xml = build(settings, { addresses, logout }, { request, person, withMfa: person.hasMfa, faults })
      return { acsUrl, samlResponse: Buffer.from(xml).toString('base64'), relayState }
    },
  }
}

function registered(settings: SamlSettings) {
  const { spEntityId, acsUrl } = settings.relyingParty()
  if (spEntityId === undefined || acsUrl === undefined)
    throw new AuthnRequestRefused(`No service provider is registered at ${settings.company.name} yet.`)
  return { spEntityId, acsUrls: listOf(acsUrl) }
}

type Login = {
  readonly request: Pick<AuthnRequest, 'issuer' | 'acsUrl' | 'forceAuthn'> & { readonly id: string | undefined }
  readonly person: Person
  readonly withMfa: boolean
  readonly faults: ReadonlySet<FaultId>
}

const metadataUrlOf = ({ spMetadataUrl, spEntityId }: RelyingParty): string | undefined => spMetadataUrl ?? spEntityId

type Here = { readonly addresses: IdpAddresses; readonly logout: SamlLogout }

/** A login is a session, which ends when she signs out at either end. */
function build(settings: SamlSettings, { addresses, logout }: Here, login: Login): string {
  const sessionIndex = `_${randomBytes(20).toString('hex')}`
  logout.remember({ sessionIndex, personId: login.person.id, metadataUrl: metadataUrlOf(settings.relyingParty()) ?? login.request.issuer })
  return buildResponse({
    sessionIndex,
    person: login.person,
    withMfa: login.withMfa,
    sessionAgeSeconds: sessionAgeSeconds(login.faults, login.request.forceAuthn),
    faults: login.faults,
    idpEntityId: addresses.entityId,
    spEntityId: login.request.issuer,
    acsUrl: login.request.acsUrl,
    inResponseTo: login.request.id,
    sign: settings.relyingParty().sign ?? 'both',
    keys: settings.keys,
    now: settings.now(),
  })
}

function asksForMfa(request: AuthnRequest): boolean {
  return request.requestedClassRefs.some((classRef) => mfaClassRefs.includes(classRef))
}
