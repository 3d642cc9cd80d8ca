/** A tenant's single sign-on confers no role here, the vendor's least of all: nothing that a login yields, and no claim of it, opens the admin API. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { ensureSigningKeys } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import {
  type AnIdp,
  type APlainBrowser,
  aCompany,
  anAuthorizeUrl,
  anIdp,
  aPlainBrowser,
  aWebRedirectUri,
} from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ResolvedTenant } from '../http/tenant.js'
import { adminEndpoints } from './admin-endpoints.js'
import { keyChangeOf } from './key-change.js'
import { adminPermissionNames } from './permission.js'

const issuer = 'http://localhost:4400/t/acme'
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let call: Call
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
  call = anAdmin(broker)
  // Whose paths are unknown before.
  expect((await call('POST', '/front-issuer')).status).toBe(201)
  const { tenant, ...change } = keyChangeOf(broker.deps, (await broker.deps.configuration.find('acme')) as ResolvedTenant)
  await inTenant(fixture.database, tenant, (db) => ensureSigningKeys(db, tenant, { ...change, purpose: 'tokens' }))
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

/** Her IdP calls her everything that a vendor could be called. */
async function signIn(): Promise<{ browser: APlainBrowser; code: string }> {
  now = addSeconds(now, 5)
  idp.says = { ...idp.says, groups: ['staff', 'vendor', 'admin', 'support', '*', ...adminPermissionNames] }
  const browser = aPlainBrowser({ issuer, url: broker.url })
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer, acme)), acme.connectionId)
  return { browser, code: new URL(home.location).searchParams.get('code') ?? '' }
}
async function redeem(code: string): Promise<readonly string[]> {
  const form = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier, client_id: acme.clientId }
  const answer = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) })
  expect(answer.status).toBe(200)
  return Object.entries((await answer.json()) as Record<string, string>).flatMap(([name, value]) => (name.endsWith('token') ? [value] : []))
}
const reads = adminEndpoints
  .filter(({ method }) => method === 'GET')
  .map(({ path }) => path.replace(':tenant', 'acme').replaceAll(/:[a-z]+/gi, '1'))

it('neither code, token nor cookie of her is a key, at any endpoint', async () => {
  const { code } = await signIn()
  const { browser, code: kept } = await signIn()
  const worth = [kept, ...(await redeem(code)), ...browser.jar.values()]
  expect(worth.length).toBeGreaterThan(3)
  for (const credential of worth)
    for (const path of reads) {
      const { status, body } = await call('GET', path.replace('/admin/v1', ''), undefined, credential)
      expect([path, status, body.type]).toEqual([path, 401, 'urn:drawbridge:error:key_missing'])
    }
})

it('her browser with all its cookies is nobody there', async () => {
  const { browser } = await signIn()
  const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  for (const path of reads) expect([path, (await fetch(`${broker.url}${path}`, { headers: { cookie } })).status]).toEqual([path, 401])
})

it('the vendor itself has no sign-in through which somebody could become it', async () => {
  for (const path of ['authorize', 'token', 'logout', '.well-known/openid-configuration'])
    expect((await fetch(`${broker.url}/t/vendor/${path}`, { redirect: 'manual' })).status).toBeGreaterThanOrEqual(400)
  for (const [path, body] of [
    ['connections', { kind: 'oidc', name: 'x', configuration: { issuer: 'https://idp.example', clientId: 'x' } }],
    ['setup-links', { note: 'x' }],
  ] as const)
    expect((await call('POST', `/tenants/vendor/${path}`, body)).status).toBe(404)
})
