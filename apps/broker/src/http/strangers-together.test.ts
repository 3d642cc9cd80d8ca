/** What strangers cost a tenant, who prove nothing: counted for them together, wherever they are; those at work, and what ends something, are not held up. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
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
import { mostSpellings } from './proven-callers.js'
import { type RateLimitName, rateLimits } from './rate-limit.js'

const factor = 0.02
const mostOf = (name: RateLimitName): number => rateLimits[name].burst * factor
let now: Instant = instant(Date.UTC(2026, 10, 29))
let fixture: TestDatabase
let idp: AnIdp
let broker: TestBroker
let [acme, globex] = [undefined, undefined] as unknown as [ATenant, ATenant]

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  globex = await aCompany(fixture, 'globex', now)
  idp = anIdp(() => now)
  const settings = { ...readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' }), rateLimitFactor: factor }
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor, settings })
  for (const tenant of [acme, globex]) {
    await aTokenKey(fixture, broker, tenant)
    await aTokenKey(fixture, broker, tenant, 'notices')
    await aRobot(fixture, tenant, { now })
  }
  await asOwner(
    fixture.ownerUrl,
    `UPDATE clients SET pre_approved = true, redirect_uris = '{${aWebRedirectUri}}' WHERE client_id <> 'robot'`,
  )
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  now = addSeconds(now, 100_000)
})

const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${broker.url}${path}`, { method: 'POST', body: new URLSearchParams(form), headers: { ...fromAnotherAddress(), ...headers } })
const robotAt =
  (tenant: ATenant, secret = 'dbk_robot') =>
  () =>
    post(`/t/${tenant.slug}/token`, {
      grant_type: 'client_credentials',
      client_id: 'robot',
      client_secret: secret,
      resource: tenant.resource,
    })
const refreshAt = (tenant: ATenant) => () =>
  post(`/t/${tenant.slug}/token`, { grant_type: 'refresh_token', refresh_token: 'dbr_x', client_id: tenant.clientId })
const revokeAt =
  (tenant: ATenant, client: Record<string, string> = { client_id: tenant.clientId }, token = 'dbr_x') =>
  () =>
    post(`/t/${tenant.slug}/revoke`, { token, ...client })
const robot = { client_id: 'robot', client_secret: 'dbk_robot' }
let names = 0

it.each([
  { what: 'guess the secret of a client', ask: (tenant: ATenant) => robotAt(tenant, 'wrong') },
  {
    what: 'come by names that nobody has',
    ask: (tenant: ATenant) => () =>
      post(`/t/${tenant.slug}/token`, { grant_type: 'refresh_token', refresh_token: 'dbr_x', client_id: `x${(names += 1)}` }),
  },
])(
  'those who $what at one tenant are limited together; clients at work are not held up, nor is another tenant, nor what gives back',
  async ({ ask }) => {
    expect([(await robotAt(acme)()).status, (await refreshAt(acme)()).status]).toEqual([200, 400])
    now = addSeconds(now, 100)
    expect(await statusesOf(mostOf('tenant_unproven') + 2, ask(acme))).toEqual(
      new Map([
        [401, mostOf('tenant_unproven')],
        [503, 2],
      ]),
    )
    const refused = await ask(acme)()
    expect([refused.headers.get('retry-after'), await refused.json()]).toMatchObject(['1', { error: 'temporarily_unavailable' }])
    expect([(await robotAt(acme)()).status, (await refreshAt(acme)()).status]).toEqual([200, 400])
    expect((await ask(globex)()).status).toBe(401)
    expect((await revokeAt(acme, { ...robot, client_secret: 'wrong' })()).status).toBe(401)
  },
)

it('those who guess the credential of a resource server are limited together; one that proved itself here is not held up, nor is another tenant', async () => {
  const introspect =
    (tenant: ATenant, secret = tenant.credentialSecret) =>
    () => {
      const authorization = `Basic ${Buffer.from(`${tenant.credentialId}:${secret}`).toString('base64')}`
      return post(`/t/${tenant.slug}/introspect`, { token: 'x' }, { authorization })
    }
  expect((await introspect(acme)()).status).toBe(200)
  now = addSeconds(now, 100)
  const most = mostOf('tenant_unproven_introspection')
  expect(await statusesOf(most + 2, introspect(acme, 'wrong'))).toEqual(
    new Map([
      [401, most],
      [429, 2],
    ]),
  )
  expect((await introspect(acme)()).status).toBe(200)
  expect([(await introspect(globex)()).status, (await robotAt(acme)()).status]).toEqual([200, 200])
  await asOwner(fixture.ownerUrl, 'UPDATE resource_credentials SET revoked_at = now() WHERE id = $1', [acme.credentialId])
  // What it proved before gives it nothing, and counts once.
  expect([(await introspect(acme)()).status, (await introspect(acme)()).status]).toEqual([401, 429])
})

it('those who guess it where guards listen are, too; a guard that proved itself here is not held up by them, in whichever way it writes its credential', async () => {
  const hear =
    (tenant: ATenant, secret = tenant.credentialSecret, scheme = 'Basic') =>
    () => {
      const authorization = `${scheme} ${Buffer.from(`${tenant.credentialId}:${secret}`).toString('base64')}`
      const body = JSON.stringify({ streamId: '00000000-0000-4000-8000-000000000000', returnImmediately: true })
      const headers = { ...fromAnotherAddress(), authorization, 'content-type': 'application/json' }
      return fetch(`${broker.url}/t/${tenant.slug}/ssf/poll`, { method: 'POST', body, headers })
    }
  await asOwner(fixture.ownerUrl, 'UPDATE resource_credentials SET revoked_at = NULL')
  expect((await hear(acme)()).status).toBe(404)
  now = addSeconds(now, 100)
  const most = mostOf('tenant_unproven_signals')
  // Whoever presents nothing takes nobody's turn.
  const unnamed = () => fetch(`${broker.url}/t/acme/ssf/poll`, { method: 'POST', headers: fromAnotherAddress() })
  expect(await statusesOf(10, unnamed)).toEqual(new Map([[401, 10]]))
  expect(await statusesOf(most + 2, hear(acme, 'wrong'))).toEqual(
    new Map([
      [401, most],
      [429, 2],
    ]),
  )
  expect((await hear(acme)()).status).toBe(404)
  expect((await hear(globex)()).status).toBe(404)
  // Another spelling of it is nobody known, until there is room to prove it; the latest few are remembered.
  const spelled = async (scheme: string) => (await hear(acme, acme.credentialSecret, scheme)()).status
  const [first, ...later] = ['Basic', 'basic', 'BASIC', 'bASIC', 'BaSIC'] as const
  expect(later).toHaveLength(mostSpellings)
  expect(await spelled('basic')).toBe(429)
  now = addSeconds(now, 100)
  for (const scheme of later) expect(await spelled(scheme)).toBe(404)
  expect(await statusesOf(most, hear(acme, 'wrong'))).toEqual(
    new Map([
      [401, most - later.length],
      [429, later.length],
    ]),
  )
  for (const scheme of later) expect(await spelled(scheme)).toBe(404)
  expect(await spelled(first)).toBe(429)
})

it('what looks like a refresh token is given back within a limit of its own; what is signed, and what a client gives back that is meant, are not held up', async () => {
  idp.says = { sub: 'lena', groups: ['staff'], amr: ['pwd', 'otp'] }
  const headers = fromAnotherAddress()
  const browser = aPlainBrowser({ issuer: 'http://localhost:4400/t/acme', url: broker.url, headers })
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl('http://localhost:4400/t/acme', acme)), acme.connectionId)
  const code = new URL(home.location).searchParams.get('code') ?? ''
  const redeem = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: aWebRedirectUri,
    code_verifier: aVerifier,
    client_id: acme.clientId,
  }
  const { access_token: token } = (await (await post('/t/acme/token', redeem)).json()) as { access_token: string }
  await revokeAt(acme, robot)()
  now = addSeconds(now, 100)
  const most = mostOf('tenant_revocation')
  expect(await statusesOf(most + 2, revokeAt(acme))).toEqual(
    new Map([
      [200, most],
      [429, 2],
    ]),
  )
  expect([(await revokeAt(acme, robot)()).status, (await revokeAt(globex)()).status]).toEqual([200, 200])
  expect([(await refreshAt(acme)()).status, (await revokeAt(acme, undefined, token)()).status]).toEqual([400, 200])
  const ended = await asOwner<{ count: number }>(
    fixture.ownerUrl,
    'SELECT count(*)::int FROM grants WHERE tenant_id = $1 AND revoked_at IS NOT NULL',
    [acme.tenantId],
  )
  expect(ended[0]?.count).toBe(1)
})

it('what one client gives back is limited for itself', async () => {
  const most = mostOf('client_revocation')
  expect((await statusesOf(most + 1, revokeAt(acme, robot))).get(429)).toBe(1)
  expect([(await robotAt(acme)()).status, (await revokeAt(acme)()).status]).toEqual([200, 200])
})

it.each(['GET', 'DELETE'])('%s of a registration, whose token is looked up, is limited for all of one tenant', async (method) => {
  const ask = (tenant: ATenant) => () =>
    fetch(`${broker.url}/t/${tenant.slug}/register/dbd_x`, {
      method,
      headers: { ...fromAnotherAddress(), authorization: 'Bearer guessed' },
    })
  const most = mostOf('tenant_registration')
  const counts = await statusesOf(most + 2, ask(acme))
  expect([counts.get(401), counts.get(429)]).toEqual([most, 2])
  expect((await ask(globex)()).status).toBe(401)
})
