/**
 * A company whose IdP speaks SAML with a key of the test: what the IdP says is written by hand, so that every message can be made wrong, and
 * everything of ours is the real thing. Each `begin` is a new tenant.
 */
import { inflateRawSync } from 'node:zlib'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { aFixtureKey, type FixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { aBroker, type TestBroker } from './a-broker.js'
import { aVerifier } from './a-grant.js'
import { type APlainBrowser, aCompany, anAuthorizeUrl, aPlainBrowser, aWebRedirectUri } from './a-login.js'
import type { ATenant } from './a-tenant.js'
import { aTokenKey } from './a-token-key.js'
import { anAdmin } from './an-admin.js'
import { asOwner, type TestDatabase } from './database.js'
import { type ToldRefusals, toldRefusals } from './told-refusals.js'

export type Tokens = { readonly access_token: string; readonly refresh_token: string }
export const idpAddresses = { sloUrl: 'https://idp.acme.example/slo?tenant=7', sloResponseUrl: 'https://idp.acme.example/slo/answers' }

export type ASamlCompany = Awaited<ReturnType<typeof aSamlCompany>>

const parameter = (location: string, name: string): string => new URL(location).searchParams.get(name) ?? ''
/** A message in the query of an address. */
export const inflated = (location: string, name: 'SAMLRequest' | 'SAMLResponse'): string =>
  inflateRawSync(Buffer.from(parameter(location, name), 'base64')).toString()
export const idIn = (xml: string): string => / ID="([^"]+)"/.exec(xml)?.[1] ?? ''
export { parameter }

export async function aSamlCompany(fixture: TestDatabase) {
  const key: FixtureKey = aFixtureKey()
  const told: ToldRefusals = toldRefusals()
  let now: Instant = fixtureParties.now
  let count = 0
  const broker: TestBroker = await aBroker(fixture.database, { clock: { now: () => now }, metrics: told.metrics })
  let company = undefined as unknown as ATenant
  const issuer = () => `http://localhost:4400/t/${company.slug}`
  const base = () => `${issuer()}/saml/${company.connectionId}`
  const here = (url: string) => url.replace('http://localhost:4400', broker.url)
  const post = (url: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(here(url), { method: 'POST', body: new URLSearchParams(form), headers, redirect: 'manual' })
  const at = (seconds: number): string => new Date(now + seconds * 1000).toISOString()
  const next = (word: string): string => `_${word}${(count += 1)}`

  const configure = async (more: Record<string, unknown> = idpAddresses): Promise<void> => {
    const idp = { idpEntityId: fixtureParties.idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates: [key.certificate] }
    const draft = { kind: 'saml', name: 'IdP', configuration: { ...idp, mapping: { groups: { from: ['groups'] } }, ...more } }
    const saved = await anAdmin(broker)('PUT', `/tenants/${company.slug}/connections/${company.connectionId}`, draft)
    if (saved.status !== 200) throw new Error(JSON.stringify(saved.body))
    broker.deps.configuration.invalidate()
  }
  const begin = async (): Promise<void> => {
    now = addSeconds(now, 2)
    company = await aCompany(fixture, `slo-${(count += 1)}`, now)
    await asOwner(fixture.ownerUrl, "UPDATE connections SET kind = 'saml' WHERE tenant_id = $1", [company.tenantId])
    await configure()
    await aTokenKey(fixture, broker, company)
    told.take()
  }

  /** What the IdP answers to the request that a browser was sent with. */
  const answerTo = (location: string, session = '_s1', nameId?: string): string => {
    const to = `InResponseTo="${idIn(inflated(location, 'SAMLRequest'))}"`
    const assertions = assertionXml({
      ...{ id: next('assertion'), ...(nameId !== undefined && { nameId }) },
      attributes: `Version="2.0" IssueInstant="${at(0)}"`,
      confirmationData: `${to} Recipient="${base()}/acs" NotOnOrAfter="${at(300)}"`,
      conditions: `<saml:AudienceRestriction><saml:Audience>${base()}/metadata</saml:Audience></saml:AudienceRestriction>`,
      conditionsAttributes: `NotOnOrAfter="${at(300)}"`,
      authnStatement: `<saml:AuthnStatement AuthnInstant="${at(-1)}" SessionIndex="${session}"/>`,
    })
    const head = `Version="2.0" IssueInstant="${at(0)}" Destination="${base()}/acs" ${to}`
    return responseXml({ responseId: next('response'), responseAttributes: head, assertions })
  }
  const sign = (xml: string, by = key): string => signXml(xml, idIn(xml), by)
  const browser = (): APlainBrowser => aPlainBrowser({ issuer: issuer(), url: broker.url })
  const authorizeUrl = (): string => anAuthorizeUrl(issuer(), company)
  const redeem = async (location: string): Promise<Tokens> => {
    const code = { grant_type: 'authorization_code', code: parameter(location, 'code'), redirect_uri: aWebRedirectUri }
    const answer = await post(`${issuer()}/token`, { ...code, code_verifier: aVerifier, client_id: company.clientId })
    if (answer.status !== 200) throw new Error(await answer.text())
    return (await answer.json()) as Tokens
  }
  return {
    ...{ broker, key, told, configure, begin, answerTo, sign, browser, authorizeUrl, redeem, post, here, issuer, base, at, next },
    tenant: () => company,
    wait: (seconds: number): void => {
      now = addSeconds(now, seconds)
    },
    signIn: async (session?: string, nameId?: string): Promise<{ readonly browser: APlainBrowser; readonly tokens: Tokens }> => {
      const hers = browser()
      const left = await hers.visit(authorizeUrl())
      const form = {
        SAMLResponse: encodeMessage(sign(answerTo(left.location, session, nameId))),
        RelayState: parameter(left.location, 'RelayState'),
      }
      const home = await hers.visit((await post(`${base()}/acs`, form)).headers.get('location') ?? '')
      return { browser: hers, tokens: await redeem(home.location) }
    },
    isActive: async ({ access_token: token }: Tokens): Promise<boolean> => {
      const basic = Buffer.from(`${company.credentialId}:${company.credentialSecret}`).toString('base64')
      const answer = await post(`${issuer()}/introspect`, { token }, { authorization: `Basic ${basic}` })
      return ((await answer.json()) as { active: boolean }).active
    },
    refresh: async ({ refresh_token }: Tokens): Promise<number> =>
      (await post(`${issuer()}/token`, { grant_type: 'refresh_token', refresh_token, client_id: company.clientId })).status,
    isSignedIn: async (of: APlainBrowser): Promise<boolean> => (await of.visit(authorizeUrl())).location.startsWith(aWebRedirectUri),
  }
}
