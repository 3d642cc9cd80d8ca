/** What stands on the desk of a running simulator: both identity providers, the cards and the relying parties. */
import { type Company, type CompanyId, companies, findPerson, getCompany, type Person, peopleOf } from './companies.js'
import type { FaultId, Faults } from './faults.js'
import type { SimulatorKeys } from './keys.js'
import { createGraph, type Graph } from './oidc/graph.js'
import { createOpenIdProvider, type OpenIdProvider } from './oidc/provider.js'
import { listOf, type RelyingParty } from './relying-party.js'
import { createSamlIdentityProvider, type SamlIdentityProvider } from './saml/identity-provider.js'
import type { ScimTarget } from './scim-client.js'
import { createTransmitter, type Transmitter } from './ssf/transmitter.js'

export type Desk = {
  readonly publicUrl: string
  readonly faults: Faults
  readonly signInWithoutAsking: boolean
  readonly saml: SamlIdentityProvider
  readonly oidc: OpenIdProvider
  readonly graph: Graph
  transmitter(company: CompanyId): Transmitter
  relyingParty(company: CompanyId): RelyingParty
  scimTarget(company: CompanyId): ScimTarget | undefined
}

/** Acme speaks SAML and Globex OpenID Connect; both are made at the start. */
export const samlCompany = getCompany('acme')
export const oidcCompany = getCompany('globex')

export const oidcClientId = 'drawbridge'

export function oidcIssuerAt(publicUrl: string): string {
  return `${publicUrl}/${oidcCompany.id}`
}

export type DeskSettings = {
  readonly publicUrl: string
  readonly keys: SimulatorKeys
  readonly faults: Faults
  readonly signInWithoutAsking: boolean
  readonly relyingParty: (company: CompanyId) => RelyingParty
  readonly now: () => Date
}

export async function createDesk(settings: DeskSettings): Promise<Desk> {
  const { publicUrl, keys, now, relyingParty } = settings
  const client = () => {
    const party = relyingParty(oidcCompany.id)
    return {
      clientId: oidcClientId,
      redirectUris: listOf(party.oidcRedirectUri),
      tokenEndpointAuthMethod: party.tokenEndpointAuthMethod ?? 'client_secret_basic',
      jwksUri: party.jwksUri,
      backchannelLogoutUri: party.backchannelLogoutUri,
      postLogoutRedirectUri: party.postLogoutRedirectUri,
    }
  }
  const transmitters = new Map(
    companies.map(({ id }) => [id, createTransmitter({ issuer: `${publicUrl}/${id}`, keys: () => keys[id].current, now })]),
  )
  return {
    publicUrl,
    transmitter: (company) => transmitters.get(company) as Transmitter,
    faults: settings.faults,
    signInWithoutAsking: settings.signInWithoutAsking,
    relyingParty,
    scimTarget: (company) => {
      const { scimBaseUrl, scimToken } = relyingParty(company)
      return scimBaseUrl === undefined || scimToken === undefined ? undefined : { baseUrl: scimBaseUrl, token: scimToken }
    },
    saml: createSamlIdentityProvider({
      company: samlCompany,
      publicUrl,
      keys: keys[samlCompany.id],
      relyingParty: () => relyingParty(samlCompany.id),
      now,
    }),
    oidc: await createOpenIdProvider({
      company: oidcCompany.id,
      issuer: oidcIssuerAt(publicUrl),
      signInPath: (uid) => `${new URL(publicUrl).pathname.replace(/\/$/, '')}/${oidcCompany.id}/sign-in/${uid}`,
      keys: keys[oidcCompany.id],
      client,
      now,
    }),
    graph: createGraph({
      company: oidcCompany.id,
      publicUrl: () => publicUrl,
      client: () => ({ clientId: oidcClientId, clientSecret: keys[oidcCompany.id].oidcClientSecret }),
    }),
  }
}

/** In lab mode only: whoever the hint names is signed in unasked; with MFA if that was asked for and the person has it. */
export function hintedPerson(desk: Desk, company: Company, loginHint: string | undefined): Person | undefined {
  if (!desk.signInWithoutAsking || loginHint === undefined) return undefined
  return findPerson(company.id, loginHint)
}

/** The armed cards, for one login. Replay stays armed while there is nothing to send again. */
export function takeFaults(desk: Desk, company: Company): ReadonlySet<FaultId> {
  const taken = desk.faults.takeForLogin(company)
  const canReplay = company.protocol === 'saml' ? desk.saml.canReplay() : desk.oidc.canReplay()
  if (!taken.has('replay') || canReplay) return taken
  desk.faults.arm(company, 'replay')
  return new Set([...taken].filter((fault) => fault !== 'replay'))
}

export const everyone = companies.map((company) => ({ company, people: peopleOf(company.id) }))
