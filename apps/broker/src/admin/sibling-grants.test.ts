/** Installations of one client share its name, so an admin tells their grants apart by when and from where they were opened and by their keys, and ends one alone (security.md §7). */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ADpopKey, aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type AnIdp, aCompany, anAuthorizeUrl, anIdp, aPlainBrowser, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'

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
  const settings = readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' })
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor, settings })
  await aTokenKey(fixture, broker, acme)
  const vouched = 'UPDATE clients SET pre_approved = true, redirect_uris = $2 WHERE tenant_id = $1'
  await asOwner(fixture.ownerUrl, vouched, [acme.tenantId, [aWebRedirectUri]])
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

async function token(form: Record<string, string>, key?: ADpopKey) {
  const proof = await key?.prove({ url: `${issuer}/token`, now })
  const headers = proof === undefined ? {} : { dpop: proof }
  const body = new URLSearchParams({ ...form, client_id: acme.clientId })
  const answer = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body, headers })
  return (await answer.json()) as Record<string, string>
}
/** Ada, at another machine each time. */
async function installed(address: string, key?: ADpopKey) {
  now = addSeconds(now, 10)
  idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  const browser = aPlainBrowser({ issuer, url: broker.url, headers: { 'x-forwarded-for': address } })
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer, acme)), acme.connectionId)
  const openedAt = new Date(now).toISOString()
  const code = new URL(home.location).searchParams.get('code') ?? ''
  const tokens = await token({ grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }, key)
  return { openedAt, tokens }
}
const refresh = (tokens: Record<string, string>) => token({ grant_type: 'refresh_token', refresh_token: tokens['refresh_token'] ?? '' })

it('an admin sees of each when and from where it was opened, and its key, and ends one without the others', async () => {
  const key = await aDpopKey()
  const bound = await installed('198.51.100.1', key)
  const laptop = await installed('198.51.100.2')
  const stranger = await installed('203.0.113.66')
  const { grants } = (await call('GET', `/tenants/acme/grants?client=${acme.clientId}`)).body
  expect(grants).toMatchObject([
    { createdAt: stranger.openedAt, openedFrom: '203.0.113.66', boundToKey: null, living: true },
    { createdAt: laptop.openedAt, openedFrom: '198.51.100.2', boundToKey: null, living: true },
    { createdAt: bound.openedAt, openedFrom: '198.51.100.1', boundToKey: key.thumbprint, living: true },
  ])
  expect((await call('POST', `/tenants/acme/grants/${grants[0].id}/revoke`, { reason: 'nobody here knows that address' })).status).toBe(200)
  expect(await refresh(stranger.tokens)).toMatchObject({ error: 'invalid_grant' })
  expect(await refresh(laptop.tokens)).toMatchObject({ token_type: 'Bearer' })
})

it('a grant whose line of the trail is gone says nothing of it', async () => {
  await asOwner(
    fixture.ownerUrl,
    'ALTER TABLE audit_events DISABLE TRIGGER USER; DELETE FROM audit_events; ALTER TABLE audit_events ENABLE TRIGGER USER',
  )
  const { grants } = (await call('GET', `/tenants/acme/grants?client=${acme.clientId}`)).body
  expect(grants).toMatchObject([{ openedFrom: null }, { openedFrom: null }, { openedFrom: null }])
})
