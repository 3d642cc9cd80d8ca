/** What a policy reads as request.country is what the operator's own proxy said of this very request, wherever policy decides. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { aCompany, anAuthorizeUrl, anIdp, aPlainBrowser, aWebRedirectUri, publish } from '@drawbridge/testkit/a-login'
import { aRobot } from '@drawbridge/testkit/a-robot'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
/** Behind a proxy that says the country, and without one. */
let behindProxy: TestBroker
let bare: TestBroker

const swiss = (scopes: string): string =>
  `version: 1\nrules: [{name: swiss, effect: grant, scopes: ${scopes}, when: "request.country == 'CH'"}]
clients: [{name: abroad, clients: {ids: [robot]}, when: "request.country != 'CH'", refuse: true}]\n`

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  const { connectorFor } = anIdp(() => now)
  const settings = readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1', DRAWBRIDGE_COUNTRY_HEADER: 'X-Country' })
  behindProxy = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor, settings })
  bare = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor })
  await aTokenKey(fixture, behindProxy, acme)
  await aRobot(fixture, acme, { now })
  await publish(fixture, acme, now, swiss('[read, write]'))
})
afterAll(async () => {
  await behindProxy.close()
  await bare.close()
  await fixture.close()
})

const issuer = 'http://localhost:4400/t/acme'

async function signIn(broker: TestBroker, country: string) {
  now = addSeconds(now, 10)
  const browser = aPlainBrowser({ issuer, url: broker.url, headers: { 'x-country': country } })
  return browser.comeHome(await browser.visit(anAuthorizeUrl(issuer, acme)), acme.connectionId)
}
async function post(broker: TestBroker, country: string, form: Record<string, string>) {
  const headers = { 'x-country': country }
  const answer = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form), headers })
  return (await answer.json()) as Record<string, string>
}

it.each([
  { country: 'CH', end: 'code=dbc_' },
  { country: 'ch', end: 'code=dbc_' },
  { country: 'DE', end: '' },
  { country: 'Switzerland', end: '' },
])('at authorize: a person from $country ends at "$end"', async ({ country, end }) => {
  const home = await signIn(behindProxy, country)
  expect(home.location).toContain(end)
  expect(home.text.includes('nothing_granted')).toBe(end === '')
})

it('at authorize: without a proxy of the operator’s own the header is a stranger’s word', async () => {
  expect((await signIn(bare, 'CH')).text).toContain('nothing_granted')
})

it('at a refresh: when policy has to decide again, it decides on where the client asks from now', async () => {
  const code = new URL((await signIn(behindProxy, 'CH')).location).searchParams.get('code') ?? ''
  const client = { client_id: acme.clientId }
  const redeem = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier, ...client }
  const { refresh_token: first = '' } = await post(behindProxy, 'CH', redeem)
  const refresh = (country: string, token: string) =>
    post(behindProxy, country, { grant_type: 'refresh_token', refresh_token: token, ...client })
  await publish(fixture, acme, now, swiss('[read]'))
  expect(await refresh('DE', first)).toMatchObject({ error: 'invalid_grant' })
  expect(await refresh('CH', first)).toMatchObject({ scope: 'read' })
  await publish(fixture, acme, now, swiss('[read, write]'))
})

it.each([
  { country: 'CH', told: { scope: 'read' } },
  { country: 'DE', told: { error: 'invalid_scope' } },
  { country: 'nowhere', told: { error: 'invalid_scope' } },
])('in its own name: a client from $country is told $told', async ({ country, told }) => {
  const form = { grant_type: 'client_credentials', client_id: 'robot', client_secret: 'dbk_robot', resource: acme.resource }
  expect(await post(behindProxy, country, form)).toMatchObject(told)
})

it.each([
  { when: 'both proxies say it', forwarded: '192.0.2.1, 10.0.0.8', told: { scope: 'read' } },
  { when: 'it came round one of them, and the caller said it himself', forwarded: '192.0.2.1', told: { error: 'invalid_scope' } },
  { when: 'it came round both', forwarded: undefined, told: { error: 'invalid_scope' } },
])('an address that a rule demands is known where $when: $told', async ({ forwarded, told }) => {
  const office = `version: 1\nclients: [{ name: elsewhere, clients: { ids: [robot] }, when: "!(request.address in ['192.0.2.1', '127.0.0.1', '::ffff:127.0.0.1'])", refuse: true }]\n`
  await publish(fixture, acme, now, office)
  const behindTwo = await aBroker(fixture.database, {
    clock: { now: () => now },
    settings: readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '2' }),
  })
  try {
    const form = { grant_type: 'client_credentials', client_id: 'robot', client_secret: 'dbk_robot', resource: acme.resource }
    const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
    const answer = await fetch(`${behindTwo.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form), headers })
    expect(await answer.json()).toMatchObject(told)
  } finally {
    await behindTwo.close()
  }
})
