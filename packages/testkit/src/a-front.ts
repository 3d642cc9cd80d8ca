/**
 * A front issuer before two companies, acme and globex, which have issuers of their own beside it. At all three the same application asks for the same
 * shared resource under the same client_id, so that nothing but the issuer tells what is presented where.
 */
import type { Instant } from '@drawbridge/core/instant'
import { readEnv } from '@drawbridge/runtime/env'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { aBroker, type TestBroker } from './a-broker.js'
import { aChallenge, aVerifier } from './a-grant.js'
import { type AnIdp, type APage, type APlainBrowser, aCompany, aDomain, anIdp, aPlainBrowser, aWebRedirectUri } from './a-login.js'
import type { ATenant } from './a-tenant.js'
import { aTokenKey } from './a-token-key.js'
import { anAdmin, type Call } from './an-admin.js'
import { asOwner, type TestDatabase, testDatabase } from './database.js'

export const aFrontUrl = 'http://localhost:4400'
export const aSharedResource = 'https://mcp.vendor.example/mcp'
/** Known at the front and at both companies, with another secret at each. */
export const aSharedClient = 'agent'

/** Where something is asked for, and for a person of which company. */
export type Place = 'acme' | 'globex' | 'front for acme' | 'front for globex'
export const companyAt = (place: Place): 'acme' | 'globex' => (place.endsWith('globex') ? 'globex' : 'acme')
export const baseOf = (place: Place): string => (place.startsWith('front') ? '' : `/t/${place}`)

export type Posted = { readonly status: number; readonly body: Readonly<Record<string, string | boolean | undefined>> }
export type FrontWorld = {
  readonly fixture: TestDatabase
  readonly broker: TestBroker
  readonly idp: AnIdp
  readonly call: Call
  readonly acme: ATenant
  readonly globex: ATenant
  /** Of the shared resource server: good wherever its tokens are minted. */
  readonly credential: { readonly id: string; readonly secret: string }
  secretAt(place: Place): string
  post(path: string, form: Readonly<Record<string, string>>, headers?: Readonly<Record<string, string>>): Promise<Posted>
  authorizeUrl(place: Place, change?: Readonly<Record<string, string>>): string
  /** Through every page, as the person would; answers where the browser would be sent. */
  signIn(place: Place, change?: Readonly<Record<string, string>>, browser?: APlainBrowser): Promise<URL>
  codeAt(place: Place, change?: Readonly<Record<string, string>>): Promise<string>
  redeemAt(place: Place, code: string): Promise<Posted>
  refreshAt(place: Place, token: string): Promise<Posted>
  introspectAt(place: Place, token: string): Promise<Posted>
  tokensAt(place: Place, change?: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>>
  browser(): APlainBrowser
  close(): Promise<void>
}

const scopes = ['read', 'write'].map((name) => ({ name, description: name, tier: name, isDefault: name === 'read' }))
const client = {
  clientId: aSharedClient,
  name: 'Agent',
  redirectUris: [aWebRedirectUri],
  grantTypes: ['authorization_code', 'refresh_token'],
  tokenEndpointAuthMethod: 'client_secret_basic',
}
export const basic = (id: string, secret: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })

/** `withFront: false`: all but the front issuer. */
export async function aFrontWorld(
  now: () => Instant,
  { withFront = true, fetchSafely }: { readonly withFront?: boolean; readonly fetchSafely?: FetchSafely } = {},
): Promise<FrontWorld> {
  const fixture = await testDatabase()
  const idp = anIdp(now)
  // Everybody comes from one address here, and the clock may stand.
  const settings = readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000' })
  const broker = await aBroker(fixture.database, {
    clock: { now },
    connectorFor: idp.connectorFor,
    settings,
    ...(fetchSafely && { fetchSafely }),
  })
  const call = anAdmin(broker)
  const companies = { acme: await aCompany(fixture, 'acme', now()), globex: await aCompany(fixture, 'globex', now()) }
  const shared = (await call('POST', '/shared-resources', { identifier: aSharedResource, name: 'Documents', scopes })).body.id
  const credential = (await call('POST', `/shared-resources/${shared}/credentials`, {})).body
  const secrets: Record<string, string> = {}
  for (const [slug, company] of Object.entries(companies)) {
    await aTokenKey(fixture, broker, company)
    await aTokenKey(fixture, broker, company, 'notices')
    await aDomain(fixture, company, { connectionId: company.connectionId, domain: `${slug}.example`, verified: true })
    await call('POST', `/tenants/${slug}/shared-resources/${shared}`)
    secrets[slug] = (await call('POST', `/tenants/${slug}/clients`, client)).body.clientSecret
  }
  if (withFront) {
    await call('POST', '/front-issuer')
    await call('POST', `/front-issuer/shared-resources/${shared}`)
    secrets['front'] = (await call('POST', '/front-issuer/clients', client)).body.clientSecret
  }
  // What admins changed, the database told a moment ago.
  broker.deps.configuration.invalidate()
  return {
    ...{ fixture, broker, idp, call, ...companies, credential: { id: credential.id, secret: credential.secret } },
    ...hands(broker, { secrets, companies, credential }),
    close: async () => {
      await broker.close()
      await fixture.close()
    },
  }
}

type Held = {
  readonly secrets: Readonly<Record<string, string>>
  readonly companies: Readonly<Record<'acme' | 'globex', ATenant>>
  readonly credential: { readonly id: string; readonly secret: string }
}

function hands(broker: TestBroker, { secrets, companies, credential }: Held) {
  const secretAt = (place: Place): string => secrets[place.startsWith('front') ? 'front' : place] ?? ''
  const post: FrontWorld['post'] = async (path, form, headers = {}) => {
    const answer = await fetch(`${broker.url}${path}`, { method: 'POST', body: new URLSearchParams(form), headers })
    const text = await answer.text()
    return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : {} }
  }
  const asClient = (place: Place) => basic(aSharedClient, secretAt(place))
  const authorizeUrl: FrontWorld['authorizeUrl'] = (place, change = {}) =>
    `${aFrontUrl}${baseOf(place)}/authorize?${new URLSearchParams({
      client_id: aSharedClient,
      redirect_uri: aWebRedirectUri,
      response_type: 'code',
      code_challenge: aChallenge,
      code_challenge_method: 'S256',
      resource: aSharedResource,
      scope: 'read',
      login_hint: `ada@${companyAt(place)}.example`,
      ...change,
    })}`
  const browser = () => aPlainBrowser({ issuer: `${aFrontUrl}/t/acme`, url: broker.url })
  const signIn: FrontWorld['signIn'] = async (place, change = {}, at = browser()) => {
    const callback = `${aFrontUrl}/t/${companyAt(place)}/oidc/${companies[companyAt(place)].connectionId}/callback`
    return walkOn(at, await at.visit(authorizeUrl(place, change)), callback)
  }
  const codeAt: FrontWorld['codeAt'] = async (place, change) => (await signIn(place, change)).searchParams.get('code') ?? ''
  const redeemAt: FrontWorld['redeemAt'] = (place, code) =>
    post(
      `${baseOf(place)}/token`,
      { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier },
      asClient(place),
    )
  return {
    ...{ secretAt, post, authorizeUrl, browser, signIn, codeAt, redeemAt },
    refreshAt: (place: Place, token: string) =>
      post(`${baseOf(place)}/token`, { grant_type: 'refresh_token', refresh_token: token }, asClient(place)),
    introspectAt: (place: Place, token: string) => post(`${baseOf(place)}/introspect`, { token }, basic(credential.id, credential.secret)),
    tokensAt: async (place: Place, change?: Readonly<Record<string, string>>) =>
      (await redeemAt(place, await codeAt(place, change))).body as Readonly<Record<string, string>>,
  }
}

const mostSteps = 8

/** Says yes to whatever she is asked, and is let in by her IdP. */
async function walkOn(browser: APlainBrowser, first: APage, callback: string): Promise<URL> {
  let page = first
  for (let step = 0; step < mostSteps; step += 1) {
    const { location } = page
    if (location === '') throw new Error(`she came no further: ${page.status} ${/<main>.*/s.exec(page.text)?.[0] ?? page.text}`)
    if (location.includes('/client-notice?')) page = await browser.submit(location, { answer: 'continue' })
    else if (location.includes('/consent?')) page = await browser.submit(location, { answer: 'allow' })
    else if (location.startsWith('https://idp.example/'))
      page = await browser.visit(`${callback}?code=good&state=${new URL(location).searchParams.get('state')}`)
    else return new URL(location)
  }
  throw new Error('she was led on and on')
}

/** What the owner of the tables sees. */
export const rowsOf = <Row>(
  world: Pick<FrontWorld, 'fixture'>,
  text: string,
  parameters: readonly unknown[] = [],
): Promise<readonly Row[]> => asOwner<Row>(world.fixture.ownerUrl, text, parameters)

/** What a guard of the shared resource is made of, which finds the issuers where the world's broker is; it listens to the front. */
export const ofSharedGuard = (world: Pick<FrontWorld, 'broker' | 'credential'>, now: () => Instant) => ({
  resource: aSharedResource,
  toolScopes: {},
  onDeaf: 'refuse' as const,
  now,
  fetch: ((url: string | URL, init?: RequestInit) => fetch(url.toString().replace(aFrontUrl, world.broker.url), init)) as typeof fetch,
  issuers: [{ issuer: aFrontUrl, front: true as const, credential: world.credential }],
})
