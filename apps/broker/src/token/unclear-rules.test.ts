/** Rules that nobody can judge are counted wherever policy decides, whatever comes of it. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { publishPolicy } from '@drawbridge/store/policies'
import { demandPolicySweep } from '@drawbridge/store/policy-sweeps'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { aCompany, anAuthorizeUrl, anIdp, aPlainBrowser, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aRobot } from '@drawbridge/testkit/a-robot'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
let broker: TestBroker
const metrics = createMetrics({ withProcess: false })

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: anIdp(() => now).connectorFor, metrics })
  await aTokenKey(fixture, broker, acme)
  await aRobot(fixture, acme, { now })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const everything = 'version: 1\nrules: [{ name: all, effect: grant, scopes: [read, write], everyone: true }'
const clear = `${everything}]\n`
/** Nobody's title is known, and no proxy says a country. */
const unclear = `${everything}, { name: guests, effect: deny, scopes: [write], when: "claims.title == 'guest'" }]
clients: [{ name: abroad, clients: { ids: [robot] }, when: "request.country != 'CH'", refuse: true }]\n`

const publish = (document: string, effect: 'now' | 'later' = 'later') =>
  inTenant(fixture.database, acme.tenantId, async (db) => {
    now = addSeconds(now, 10)
    const version = await publishPolicy(db, acme.tenantId, { document, author: 'test', now })
    if (effect === 'now') await demandPolicySweep(db, acme.tenantId, version, now)
  })
beforeEach(() => publish(clear))

const counted = async (): Promise<number> => Number(/^drawbridge_policy_unclear_rules_total (\d+)$/m.exec(await metrics.print())?.[1] ?? 0)
async function countedIn<T>(act: () => Promise<T>): Promise<readonly [T, number]> {
  const before = await counted()
  const told = await act()
  return [told, (await counted()) - before]
}

const issuer = 'http://localhost:4400/t/acme'
async function signIn(): Promise<string> {
  now = addSeconds(now, 10)
  const browser = aPlainBrowser({ issuer, url: broker.url })
  const { location } = await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer, acme)), acme.connectionId)
  return new URL(location).searchParams.get('code') ?? ''
}
async function post(form: Record<string, string>) {
  const answer = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) })
  return (await answer.json()) as Record<string, string>
}
const ofClient = () => ({ client_id: acme.clientId })
const redeem = (code: string) =>
  post({ grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier, ...ofClient() })
const refresh = (token: string) => post({ grant_type: 'refresh_token', refresh_token: token, ...ofClient() })

it('at a login', async () => {
  expect((await countedIn(signIn))[1]).toBe(0)
  await publish(unclear)
  expect((await countedIn(signIn))[1]).toBe(1)
})

it('at a refresh that decides again', async () => {
  const { refresh_token: token = '' } = await redeem(await signIn())
  await publish(unclear)
  expect(await countedIn(() => refresh(token))).toEqual([expect.objectContaining({ scope: 'read' }), 1])
})

it('where a grant is settled because a policy took effect at once, and nothing is left', async () => {
  const { refresh_token: token = '' } = await redeem(await signIn())
  // It reads nothing of the request, so that settling it is all that there is to decide.
  await publish(`${everything}, { name: guests, effect: deny, scopes: ["*"], when: "claims.title == 'guest'" }]\n`, 'now')
  expect(await countedIn(() => refresh(token))).toEqual([expect.objectContaining({ error: 'invalid_grant' }), 1])
})

it('of a client in its own name, which is refused', async () => {
  const robot = { grant_type: 'client_credentials', client_id: 'robot', client_secret: 'dbk_robot', resource: acme.resource }
  expect(await countedIn(() => post(robot))).toEqual([expect.objectContaining({ scope: 'read' }), 0])
  await publish(unclear)
  expect(await countedIn(() => post(robot))).toEqual([expect.objectContaining({ error: 'invalid_scope' }), 1])
})
