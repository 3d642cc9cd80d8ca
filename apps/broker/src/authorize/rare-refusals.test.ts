/** Refusals that need the world to be against us: the IdP down, a policy that changes faster than it can be decided on. By the reason that is counted. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { hashCredential } from '@drawbridge/crypto/hash'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, aCompany, aCompanyPolicy, anAuthorizeUrl, anIdp, aPlainBrowser, publish } from '@drawbridge/testkit/a-login'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let race: ARace
let idp: AnIdp
let company: ATenant
let slugs = 0
const told = toldRefusals()

beforeAll(async () => {
  fixture = await testDatabase()
  race = aRace(fixture.database)
  idp = anIdp(() => now)
  broker = await aBroker(race.database, { clock: { now: () => now }, connectorFor: idp.connectorFor, metrics: told.metrics })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  now = addSeconds(now, 5)
  company = await aCompany(fixture, `rare-${(slugs += 1)}`, now)
  told.take()
})
const issuer = () => `http://localhost:4400/t/${company.slug}`
const authorize = (change?: Record<string, string>) => anAuthorizeUrl(issuer(), company, change)

it('login_unavailable: nobody answers where the IdP should be', async () => {
  // The real connector, at an address where nothing listens.
  const real = await aBroker(fixture.database, { clock: { now: () => now }, metrics: told.metrics })
  try {
    const nowhere = JSON.stringify({ issuer: 'http://127.0.0.1:1', clientId: 'drawbridge' })
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $2 WHERE tenant_id = $1', [company.tenantId, nowhere])
    const page = await aPlainBrowser({ issuer: issuer(), url: real.url }).visit(authorize())
    expect(page).toMatchObject({ location: '', text: expect.stringContaining('<code>login_unavailable</code>') })
    expect(told.take()).toEqual(['login_unavailable'])
  } finally {
    await real.close()
  }
})

it('access_refused: policy allows nothing, and prompt=none forbids the page that would say so', async () => {
  const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
  await browser.comeHome(await browser.visit(authorize()), company.connectionId)
  await publish(fixture, company, now, aCompanyPolicy(['other']))
  now = addSeconds(now, 5)
  const answered = new URL((await browser.visit(authorize({ prompt: 'none' }))).location)
  expect(Object.fromEntries(answered.searchParams)).toMatchObject({ error: 'access_denied', state: 'xyz', iss: issuer() })
  expect(told.take()).toEqual(['access_refused'])
})

it('decision_unsettled: a policy is published anew during each of the attempts to decide', async () => {
  const machine = `UPDATE clients SET grant_types = '{client_credentials}', token_endpoint_auth_method = 'client_secret_post', secret_hash = $2,
    scope_ceiling = '{read}' WHERE tenant_id = $1`
  await asOwner(fixture.ownerUrl, machine, [company.tenantId, hashCredential('s'.repeat(43))])
  const ask = async () => {
    const form = {
      grant_type: 'client_credentials',
      client_id: company.clientId,
      client_secret: 's'.repeat(43),
      resource: company.resource,
    }
    return fetch(`${broker.url}/t/${company.slug}/token`, { method: 'POST', body: new URLSearchParams(form) })
  }
  race.before('open_client_grant', () => publish(fixture, company, now, aCompanyPolicy(['read'])), 100)
  const answer = await ask()
  expect([answer.status, told.take()]).toEqual([503, ['decision_unsettled']])
  expect(await asOwner(fixture.ownerUrl, 'SELECT 1 FROM grants WHERE tenant_id = $1', [company.tenantId])).toEqual([])
})
