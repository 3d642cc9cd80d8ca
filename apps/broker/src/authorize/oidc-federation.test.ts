/** An OpenID provider that nobody here wrote, behind the whole broker: our keys, Graph, two companies on one issuer. */
import { openBrowser, type Page } from '@drawbridge/simulator/browser'
import { createSimulator, type Simulator } from '@drawbridge/simulator/simulator'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BrokerApp, createApp } from '../app.js'

const redirectUri = 'http://127.0.0.1:51235/callback'
const policy = 'version: 1\nrules: [{name: engineers, effect: grant, scopes: [read], groups: [engineering]}]\n'
type Slug = 'globex' | 'initech'
let fixture: TestDatabase
let simulator: Simulator
let plain: TestBroker
let app: BrokerApp
let publicUrl: string
let call: Call
const tenants: Partial<Record<Slug, ATenant>> = {}

beforeAll(async () => {
  fixture = await testDatabase()
  const port = await freePort()
  publicUrl = `http://127.0.0.1:${port}`
  simulator = createSimulator({ port: 0, host: '127.0.0.1', signInWithoutAsking: true })
  await simulator.start()
  plain = await aBroker(fixture.database)
  for (const slug of ['globex', 'initech'] as const) await aCompanyOnThatIssuer(slug)
  app = createApp({ ...plain.deps, settings: { ...plain.deps.settings, publicUrl } })
  await new Promise<void>((resolve) => app.server.listen(port, '127.0.0.1', resolve))
  call = anAdmin({ url: publicUrl, adminKey: plain.adminKey })
  simulator.connect('globex', { oidcRedirectUri: (['globex', 'initech'] as const).map((slug) => callbackOf(slug)) })
})
afterAll(async () => {
  await app.close()
  await plain.close()
  await simulator.close()
  await fixture.close()
})

const of = (slug: Slug) => tenants[slug] as ATenant
const callbackOf = (slug: Slug) => `${publicUrl}/t/${slug}/oidc/${of(slug).connectionId}/callback`

async function aCompanyOnThatIssuer(slug: Slug) {
  const tenant = await aTenant(fixture, { slug, publicUrl })
  tenants[slug] = tenant
  const scope = `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'read', 'read', 'read', false)`
  await asOwner(fixture.ownerUrl, scope, [tenant.tenantId, tenant.resourceId])
  const now = plain.deps.clock.now()
  await inTenant(fixture.database, tenant.tenantId, (db) => publishPolicy(db, tenant.tenantId, { document: policy, author: 'test', now }))
  const { clientSecret } = simulator.oidcClient('globex')
  const place = { tenant: tenant.tenantId, table: 'connections', column: 'sealed_secret', row: tenant.connectionId }
  const sealed = plain.deps.sealer.seal(Buffer.from(clientSecret), { installation: plain.deps.installation.id, ...place })
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET sealed_secret = $2 WHERE id = $1', [tenant.connectionId, sealed])
  await configure(slug, {})
}

const configure = (slug: Slug, more: Readonly<Record<string, unknown>>) =>
  asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $2 WHERE id = $1', [
    of(slug).connectionId,
    JSON.stringify({ issuer: simulator.oidcIssuer('globex'), clientId: simulator.oidcClient('globex').clientId, ...more }),
  ])

async function beginSignIn(slug: Slug, person: string, browser = openBrowser({ stopAt: redirectUri })): Promise<Page> {
  const query = {
    client_id: of(slug).clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    resource: `${of(slug).resource}/`,
    scope: 'read',
    state: 'xyz',
    login_hint: `${person}@globex.example`,
  }
  return browser.open(`${publicUrl}/t/${slug}/authorize?${new URLSearchParams(query)}`)
}
const signIn = async (slug: Slug, person: string, browser = openBrowser({ stopAt: redirectUri })): Promise<Page> =>
  (await beginSignIn(slug, person, browser)).form().submit({ answer: 'continue' })
const isLetIn = (page: Page) => page.text.includes('Allow Client?')

describe('with a key of ours in place of a secret', () => {
  const keys = () => `/tenants/globex/connections/${of('globex').connectionId}/keys`
  const published = async () => {
    const answer = await fetch(`${publicUrl}/t/globex/oidc/${of('globex').connectionId}/jwks`)
    expect(answer.headers.get('content-type')).toContain('application/jwk-set+json')
    return ((await answer.json()) as { keys: Record<string, unknown>[] }).keys
  }
  beforeAll(async () => {
    await configure('globex', { clientAuthentication: 'private_key_jwt' })
    simulator.connect('globex', {
      tokenEndpointAuthMethod: 'private_key_jwt',
      jwksUri: `${publicUrl}/t/globex/oidc/${of('globex').connectionId}/jwks`,
    })
  })
  afterAll(async () => {
    await configure('globex', {})
    simulator.connect('globex', { tokenEndpointAuthMethod: 'client_secret_basic' })
  })

  it('says that there is none before anybody is sent away', async () => {
    expect((await signIn('globex', 'ada')).text).toContain('oidc_client_key_missing')
  })
  it.each(['RS256', 'PS256', 'ES256'])('signs people in with %s, rotated by overlap', async (algorithm) => {
    const before = await published()
    const made = await call('POST', keys(), { algorithm })
    expect(made.status).toBe(201)
    const fresh = made.body.keys.find(({ id }: { id: string }) => !before.some(({ kid }) => kid === id))
    expect(fresh).toMatchObject({ algorithm, state: before.length === 0 ? 'active' : 'next' })
    expect(fresh.certificate === null).toBe(algorithm === 'ES256')
    expect((await published()).map(({ kid }) => kid)).toContain(fresh.id)
    expect((await call('POST', `${keys()}/${fresh.id}/activate`)).status).toBe(200)
    // The provider remembers what it fetched, as providers do; another client stands for its patience.
    simulator.connect('globex', { jwksUri: `${publicUrl}/t/globex/oidc/${of('globex').connectionId}/jwks?${algorithm}` })
    expect(isLetIn(await signIn('globex', 'ada'))).toBe(true)
    const listed = await call('GET', keys())
    expect(listed.body.keys.filter(({ state }: { state: string }) => state === 'active')).toHaveLength(1)
    expect(JSON.stringify(listed.body)).not.toMatch(/"d":|PRIVATE/)
  })
  it('has room for four keys', async () => {
    expect((await call('POST', keys(), { algorithm: 'ES256' })).status).toBe(201)
    expect(await call('POST', keys(), { algorithm: 'ES256' })).toMatchObject({
      status: 409,
      body: { type: 'urn:drawbridge:error:connection_keys_enough' },
    })
  })
  it('keeps the active key and gives up any other', async () => {
    const listed: { id: string; state: string }[] = (await call('GET', keys())).body.keys
    const active = listed.find(({ state }) => state === 'active')
    expect(await call('DELETE', `${keys()}/${active?.id}`)).toMatchObject({ status: 409 })
    const retired = listed.find(({ state }) => state === 'retired')
    expect((await call('DELETE', `${keys()}/${retired?.id}`)).status).toBe(204)
    expect((await call('DELETE', `${keys()}/${retired?.id}`)).status).toBe(404)
    expect((await published()).map(({ kid }) => kid)).not.toContain(retired?.id)
    expect((await call('POST', `${keys()}/nobody/activate`)).status).toBe(404)
  })
  it('has none for a connection of another tenant', async () => {
    const foreign = `/tenants/initech/connections/${of('globex').connectionId}/keys`
    expect((await call('POST', foreign, {})).status).toBe(404)
    expect((await call('GET', foreign)).body.keys).toEqual([])
    expect((await fetch(`${publicUrl}/t/initech/oidc/${of('globex').connectionId}/jwks`)).status).not.toBe(200)
  })
})

describe('too many groups for a token', () => {
  it('are unknown, and what a rule grants for them is not granted', async () => {
    simulator.armFault('globex', 'groups-overage')
    const refused = await signIn('globex', 'max')
    expect(refused.status).toBe(403)
    expect(isLetIn(refused)).toBe(false)
  })
  it.each(['id', 'displayName'])('are read from Graph by %s where the connection may', async (groups) => {
    const { url, tokenUrl, tenantId } = simulator.graph('globex')
    await configure('globex', { tenantIds: [tenantId], graph: { url, tokenUrl, groups } })
    simulator.armFault('globex', 'groups-overage')
    const page = await signIn('globex', 'max')
    await configure('globex', {})
    // Two hundred and fifty names are more than two pages of this Graph, which we do not read on for.
    expect(isLetIn(page)).toBe(groups === 'id')
  })
})

it('a session here ends with the session at the IdP, where the IdP says when', async () => {
  simulator.armFault('globex', 'short-session')
  // Ten minutes from the second of the ID token, which lies somewhere in this login.
  const second = () => Math.floor(Date.now() / 1000)
  const begunAt = second()
  expect(isLetIn(await signIn('globex', 'lena'))).toBe(true)
  const endedAt = second()
  const text = `SELECT extract(epoch FROM b.expires_at)::float8 AS at FROM browser_sessions b
    JOIN subjects s ON s.tenant_id = b.tenant_id AND s.id = b.subject_id WHERE s.stable_id = 'globex-lena'`
  const [session] = await asOwner(fixture.ownerUrl, text, [])
  expect(Number(session?.['at'])).toBeGreaterThanOrEqual(begunAt + 600)
  expect(Number(session?.['at'])).toBeLessThanOrEqual(endedAt + 600)
})

describe('two companies on one issuer', () => {
  it('have people of their own, be the subject the same', async () => {
    for (const slug of ['globex', 'initech'] as const) expect(isLetIn(await signIn(slug, 'ada'))).toBe(true)
    const rows = await asOwner(fixture.ownerUrl, `SELECT tenant_id, id FROM subjects WHERE stable_id = 'globex-ada'`, [])
    expect(new Set(rows.map((row) => row['tenant_id'])).size).toBe(2)
    expect(new Set(rows.map((row) => row['id'])).size).toBe(2)
  })
  it('do not take each other’s answers, even in one browser', async () => {
    const stopping = openBrowser({ stopAt: callbackOf('globex') })
    const atCallback = await signIn('globex', 'ada', stopping)
    expect(atCallback.isStopped).toBe(true)
    const answer = new URL(atCallback.url).search
    const crossed = await stopping.open(`${callbackOf('initech')}${answer}`)
    expect(crossed.status).toBeGreaterThanOrEqual(400)
    expect(crossed.text).not.toContain('Allow Client?')
  })
  it('are told apart by the tenant that the token names', async () => {
    await configure('initech', { tenantIds: ['99999999-2222-4333-8444-555555555555'] })
    const refused = await signIn('initech', 'ada')
    await configure('initech', {})
    expect(refused.text).toContain('oidc_tenant_refused')
    const trail = await asOwner(fixture.ownerUrl, `SELECT reason FROM audit_events WHERE tenant_id = $1 AND kind = 'login_refused'`, [
      of('initech').tenantId,
    ])
    expect(trail.map((row) => row['reason'])).toContain('oidc_tenant_refused')
  })
})
