/** Limits that are not of one address: of a tenant, a client, a resource server and a person, from wherever they ask, at whichever process. */
import { createHash } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { hashCredential } from '@drawbridge/crypto/hash'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type AnIdp, aCompany, anAuthorizeUrl, anIdp, aPlainBrowser, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aRobot } from '@drawbridge/testkit/a-robot'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { fromAnotherAddress, statusesOf } from '@drawbridge/testkit/many-addresses'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type RateLimitName, rateLimits } from './rate-limit.js'

const factor = 0.05
const mostOf = (name: RateLimitName): number => rateLimits[name].burst * factor
const issuer = 'http://localhost:4400/t/acme'
let now: Instant = instant(Date.UTC(2026, 10, 29))
let fixture: TestDatabase
let idp: AnIdp
let [one, other] = [undefined, undefined] as unknown as [TestBroker, TestBroker]
let [acme, globex] = [undefined, undefined] as unknown as [ATenant, ATenant]

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  globex = await aCompany(fixture, 'globex', now)
  idp = anIdp(() => now)
  const settings = { ...readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' }), rateLimitFactor: factor }
  const start = () => aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor, settings })
  ;[one, other] = [await start(), await start()]
  for (const tenant of [acme, globex]) {
    await aTokenKey(fixture, one, tenant)
    await aRobot(fixture, tenant, { now })
  }
  await asOwner(
    fixture.ownerUrl,
    `UPDATE clients SET pre_approved = true, redirect_uris = '{${aWebRedirectUri}}' WHERE client_id <> 'robot'`,
  )
})
afterAll(async () => {
  await one?.close()
  await other?.close()
  await fixture?.close()
})
beforeEach(() => {
  now = addSeconds(now, 100_000)
})

const fromAnywhere = {
  get 'x-forwarded-for'() {
    return fromAnotherAddress()['x-forwarded-for']
  },
}
const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}, broker = one) =>
  fetch(`${broker.url}${path}`, { method: 'POST', body: new URLSearchParams(form), headers: { ...fromAnotherAddress(), ...headers } })

it('a client that proves itself has its own limit, whatever addresses it has; nobody else pays for it, and who only knows its name spends nothing', async () => {
  const robot = (tenant: ATenant, secret = 'dbk_robot') => {
    const form = { grant_type: 'client_credentials', client_id: 'robot', client_secret: secret, resource: tenant.resource }
    return () => post(`/t/${tenant.slug}/token`, form)
  }
  expect(await statusesOf(mostOf('client'), robot(acme, 'wrong'))).toEqual(new Map([[401, mostOf('client')]]))
  expect(await statusesOf(mostOf('client') + 3, robot(acme))).toEqual(
    new Map([
      [200, mostOf('client')],
      [429, 3],
    ]),
  )
  const refused = await robot(acme)()
  expect([refused.status, Number(refused.headers.get('retry-after')), await refused.json()]).toMatchObject([429, 1, { error: 'slow_down' }])
  expect((await robot(globex)()).status).toBe(200)
  now = addSeconds(now, 1)
  expect((await robot(acme)()).status).toBe(200)
})

it('registrations at one tenant are limited together', async () => {
  const register = (slug: string) => () =>
    fetch(`${one.url}/t/${slug}/register`, {
      method: 'POST',
      body: '{}',
      headers: { ...fromAnotherAddress(), 'content-type': 'application/json' },
    })
  expect((await statusesOf(mostOf('tenant_register') + 2, register('acme'))).get(429)).toBe(2)
  expect((await register('globex')()).status).toBe(400)
})

it('logins that begin at one tenant are limited together; what goes on, and what ends one, is not counted', async () => {
  const begin = (slug: string) => () => fetch(`${one.url}/t/${slug}/authorize?client_id=x`, { headers: fromAnotherAddress() })
  expect((await statusesOf(mostOf('tenant_login') + 2, begin('acme'))).get(429)).toBe(2)
  expect((await begin('globex')()).status).toBe(400)
  const signOut = await fetch(`${one.url}/t/acme/logout`, { headers: fromAnotherAddress() })
  const revoke = await post('/t/acme/revoke', { token: 'dbr_x', client_id: acme.clientId })
  expect([signOut.status, revoke.status]).toEqual([200, 200])
})

it('tokens that clients without a credential ask for at one tenant are limited together; those that prove themselves are not held up, and nothing is by what is given back', async () => {
  const refresh = (tenant: ATenant) => () =>
    post(`/t/${tenant.slug}/token`, { grant_type: 'refresh_token', refresh_token: 'dbr_x', client_id: tenant.clientId })
  expect(await statusesOf(mostOf('tenant_token') + 2, refresh(acme))).toEqual(
    new Map([
      [400, mostOf('tenant_token')],
      [429, 2],
    ]),
  )
  const refused = await refresh(acme)()
  expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, 1])
  expect((await refresh(globex)()).status).toBe(400)
  const robot = { grant_type: 'client_credentials', client_id: 'robot', client_secret: 'dbk_robot', resource: acme.resource }
  expect((await post('/t/acme/token', robot)).status).toBe(200)
  expect((await post('/t/acme/revoke', { token: 'dbr_x', client_id: acme.clientId })).status).toBe(200)
})

it('clients that registered themselves and have a credential have one limit together beside their own, at tokens and at pushes; nobody else is held up by them', async () => {
  const registered = (n: number) => `dbd_${n}`
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at, pre_approved, software_statement)
     SELECT $1, $2, 'dbd_' || n, 'dynamic', 'Stranger', '{}', '{refresh_token}', 'client_secret_post', $3, '{}', $4, n > 5, CASE WHEN n > 5 THEN '{"issuer":"x"}'::jsonb END
       FROM generate_series(0, 9) n`,
    [acme.tenantId, acme.issuerId, hashCredential('dbk_stranger'), new Date(now)],
  )
  let asked = 0
  const ask = (path: string) => () => {
    const credential = { client_id: registered((asked += 1) % 10), client_secret: 'dbk_stranger' }
    return post(`/t/acme/${path}`, { grant_type: 'refresh_token', refresh_token: 'dbr_x', ...credential })
  }
  for (const { path, limit } of [
    { path: 'token', limit: 'tenant_unvouched_token' },
    { path: 'par', limit: 'tenant_unvouched_push' },
  ] as const) {
    expect(mostOf(limit)).toBeLessThan(10 * mostOf('client'))
    expect(await statusesOf(mostOf(limit) + 2, ask(path))).toEqual(
      new Map([
        [400, mostOf(limit)],
        [429, 2],
      ]),
    )
    now = addSeconds(now, 100)
  }
  await statusesOf(mostOf('tenant_unvouched_token') + 2, ask('token'))
  const form = { grant_type: 'refresh_token', refresh_token: 'dbr_x', client_id: acme.clientId }
  expect((await post('/t/acme/token', form)).status).toBe(400)
  const robot = { grant_type: 'client_credentials', client_id: 'robot', client_secret: 'dbk_robot', resource: acme.resource }
  expect((await post('/t/acme/token', robot)).status).toBe(200)
})

it('what is asked of one person at userinfo is limited, by whichever tokens and addresses, and what nobody signed spends nothing', async () => {
  const tokenOf = async (sub: string) => {
    idp.says = { sub, groups: ['staff'], amr: ['pwd', 'otp'] }
    const browser = aPlainBrowser({ issuer, url: one.url, headers: fromAnywhere })
    const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer, acme, { scope: 'openid read' })), acme.connectionId)
    const code = new URL(home.location).searchParams.get('code') ?? ''
    const form = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: aWebRedirectUri,
      client_id: acme.clientId,
      code_verifier: aVerifier,
    }
    return ((await (await post('/t/acme/token', form)).json()) as { access_token: string }).access_token
  }
  const ask = (token: string) => () =>
    fetch(`${one.url}/t/acme/userinfo`, { headers: { ...fromAnotherAddress(), authorization: `Bearer ${token}` } })
  const [first, second, other] = [await tokenOf('lena'), await tokenOf('lena'), await tokenOf('max')]
  const [head, claims] = first.split('.')
  expect(await statusesOf(mostOf('userinfo') + 1, ask(`${head}.${claims}.${'A'.repeat(86)}`))).toEqual(
    new Map([[401, mostOf('userinfo') + 1]]),
  )
  expect(await statusesOf(mostOf('userinfo') - 1, ask(first))).toEqual(new Map([[200, mostOf('userinfo') - 1]]))
  expect(await statusesOf(3, ask(second))).toEqual(
    new Map([
      [200, 1],
      [429, 2],
    ]),
  )
  const refused = await ask(first)()
  expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true])
  expect((await ask(other)()).status).toBe(200)
})

it.each([
  { comes: 'from ever new addresses', headers: () => ({}) },
  // More than an address may ask of everything else.
  { comes: 'from one address', headers: () => ({ 'x-forwarded-for': '198.51.100.7' }) },
])('a resource server that proves itself has its own limit, $comes', async ({ headers }) => {
  const authorization = `Basic ${Buffer.from(`${acme.credentialId}:${acme.credentialSecret}`).toString('base64')}`
  const introspect = () => post('/t/acme/introspect', { token: 'x' }, { authorization, ...headers() })
  expect((await statusesOf(mostOf('introspection') + 1, introspect)).get(429)).toBe(1)
})

it('grants of one person are limited, whichever browsers she has', async () => {
  idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  const browser = aPlainBrowser({ issuer, url: one.url, headers: fromAnywhere })
  const address = anAuthorizeUrl(issuer, acme)
  const first = await browser.comeHome(await browser.visit(address), acme.connectionId)
  expect(first.location).toContain('code=')
  for (let opened = 1; opened < mostOf('subject'); opened += 1) expect((await browser.visit(address)).location).toContain('code=')
  const refused = await browser.visit(address)
  expect([refused.status, refused.text.includes('rate_limited')]).toEqual([429, true])
  idp.says = { sub: 'grace', groups: ['staff'], amr: ['pwd', 'otp'] }
  const another = aPlainBrowser({ issuer, url: one.url, headers: fromAnywhere })
  expect((await another.comeHome(await another.visit(address), acme.connectionId)).location).toContain('code=')
})

it('what policy refuses one person is limited as what it allows, before the trail, which is kept for ever, has a line of it', async () => {
  idp.says = { sub: 'eve', groups: ['strangers'], amr: ['pwd', 'otp'] }
  const browser = aPlainBrowser({ issuer, url: one.url, headers: fromAnywhere })
  const address = anAuthorizeUrl(issuer, acme)
  expect((await browser.comeHome(await browser.visit(address), acme.connectionId)).text).toContain('access_denied')
  const statuses: number[] = []
  for (let asked = 0; asked <= mostOf('subject'); asked += 1) statuses.push((await browser.visit(address)).status)
  expect(statuses.slice(-2)).toEqual([429, 429])
  const lines = await asOwner(fixture.ownerUrl, "SELECT FROM audit_events WHERE kind = 'access_denied' AND at = $1", [new Date(now)])
  expect(lines).toHaveLength(mostOf('subject'))
})

it('what one process let through another knows within a moment', async () => {
  const address = fromAnotherAddress()
  const register = (broker: TestBroker) =>
    fetch(`${broker.url}/t/acme/register`, { method: 'POST', body: '{}', headers: { ...address, 'content-type': 'application/json' } })
  expect((await register(one)).status).toBe(400)
  expect((await register(one)).status).toBe(429)
  // It tells of its own first, and is told.
  expect((await register(other)).status).toBe(400)
  const key = createHash('sha256').update(`register  ${address['x-forwarded-for']}`).digest()
  const level = async () =>
    (await asOwner<{ level: number }>(fixture.ownerUrl, 'SELECT level FROM shared_limits WHERE key_hash = $1', [key]))[0]?.level
  for (let tries = 0; tries < 500 && (await level()) !== 2; tries += 1) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await level()).toBe(2)
})
