/** What changes between the decision and the statement that writes it: decided again, and never written as it was. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, aCompany, aCompanyPolicy, anAuthorizeUrl, anIdp, aPlainBrowser, publish } from '@drawbridge/testkit/a-login'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let race: ARace
let idp: AnIdp
let company: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
  race = aRace(fixture.database)
  idp = anIdp(() => now)
  broker = await aBroker(race.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})
beforeEach(async () => {
  now = addSeconds(now, 5)
  idp.started.length = 0
  company = await aCompany(fixture, `race-${(slugs += 1)}`, now)
})

const issuer = () => `http://localhost:4400/t/${company.slug}`
const owner = <Row = Record<string, unknown>>(sql: string): Promise<Row[]> => asOwner<Row>(fixture.ownerUrl, sql, [company.tenantId])
const grants = () => owner<{ scopes: string[]; policy_version: number }>('SELECT scopes, policy_version FROM grants WHERE tenant_id = $1')
const authorize = (change?: Record<string, string>) => anAuthorizeUrl(issuer(), company, change)
const codeOf = (location: string) => new URL(location).searchParams.get('code')

async function signedIn() {
  const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
  const home = await browser.comeHome(await browser.visit(authorize({ scope: 'read' })), company.connectionId)
  expect(codeOf(home.location)).toMatch(/^dbc_/)
  await owner('DELETE FROM grants WHERE tenant_id = $1')
  idp.started.length = 0
  return browser
}
const meanwhile = (act: () => Promise<unknown>, times?: number) => race.before('open_grant_with_code', act, times)

describe('between the decision and the opening of the grant', () => {
  it('a narrower policy is published: the grant holds what that one allows', async () => {
    const browser = await signedIn()
    meanwhile(() => publish(fixture, company, now, aCompanyPolicy(['read'])))
    expect(codeOf((await browser.visit(authorize())).location)).toMatch(/^dbc_/)
    expect(await grants()).toEqual([{ scopes: ['read'], policy_version: 2 }])
  })
  it('a policy is published that allows nothing: a page says so, and nothing was opened', async () => {
    const browser = await signedIn()
    meanwhile(() => publish(fixture, company, now, aCompanyPolicy(['other'])))
    expect((await browser.visit(authorize())).text).toContain('nothing_granted')
    expect(await grants()).toEqual([])
  })
  it.each([
    { what: 'ended', change: 'UPDATE browser_sessions SET ended_at = now() WHERE tenant_id = $1' },
    { what: 'barred with its subject', change: 'UPDATE subjects SET epoch = epoch + 1 WHERE tenant_id = $1' },
    { what: 'barred with its connection', change: 'UPDATE connections SET epoch = epoch + 1 WHERE tenant_id = $1' },
    { what: 'barred with the tenant', change: 'UPDATE tenants SET epoch = epoch + 1 WHERE id = $1' },
    { what: 'that of a person who was deactivated', change: 'UPDATE subjects SET deactivated_at = now() WHERE tenant_id = $1' },
  ])('the session is $what: she is sent to sign in again', async ({ change }) => {
    const browser = await signedIn()
    meanwhile(() => owner(change))
    expect((await browser.visit(authorize())).location).toContain('https://idp.example/login')
    expect(await grants()).toEqual([])
  })
  it('the client is blocked: a page says so, and nothing was opened', async () => {
    const browser = await signedIn()
    meanwhile(() => owner('UPDATE clients SET blocked_at = now() WHERE tenant_id = $1'))
    expect(await browser.visit(authorize())).toMatchObject({ status: 403, text: expect.stringContaining('client_blocked') })
    expect(await grants()).toEqual([])
  })
  it('the client gives the redirect URI up: nothing is sent there', async () => {
    const browser = await signedIn()
    meanwhile(() => owner(`UPDATE clients SET redirect_uris = '{https://elsewhere.example/}' WHERE tenant_id = $1`))
    expect(await browser.visit(authorize())).toMatchObject({ location: '', text: expect.stringContaining('redirect_uri_unregistered') })
    expect(await grants()).toEqual([])
  })
  it('the client is no longer vouched for: she is asked', async () => {
    const browser = await signedIn()
    meanwhile(() => owner('UPDATE clients SET pre_approved = false WHERE tenant_id = $1'))
    expect((await browser.visit(authorize())).location).toContain('/authorize/consent?request=')
    expect(await grants()).toEqual([])
  })
  it('what her IdP says of her changes by another login: policy decides on that', async () => {
    const browser = await signedIn()
    const told = `UPDATE subjects SET claims = jsonb_set(claims, '{groups,value}', '[]'), claims_version = claims_version + 1 WHERE tenant_id = $1`
    meanwhile(() => owner(told))
    expect((await browser.visit(authorize())).text).toContain('nothing_granted')
    expect(await grants()).toEqual([])
  })
  it('the tenant is suspended: a page says so', async () => {
    const browser = await signedIn()
    meanwhile(() => owner('UPDATE tenants SET suspended_at = now() WHERE id = $1'))
    expect((await browser.visit(authorize())).text).toContain('tenant_suspended')
    expect(await grants()).toEqual([])
  })
  it('everything changes each time: after some rounds a page asks to start again', async () => {
    const browser = await signedIn()
    meanwhile(() => publish(fixture, company, now, aCompanyPolicy(['read'])), 100)
    expect(await browser.visit(authorize())).toMatchObject({ status: 503, text: expect.stringContaining('request_unsettled') })
    expect(await grants()).toEqual([])
    meanwhile(async () => undefined)
    expect(codeOf((await browser.visit(authorize())).location)).toMatch(/^dbc_/)
  })
})

describe('between the decision and the way out', () => {
  it('the connection is switched off: nobody is sent there', async () => {
    race.before('insert_login_request', () => owner('UPDATE connections SET disabled_at = now() WHERE tenant_id = $1'))
    const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    expect((await browser.visit(authorize())).text).toContain('connection_missing')
    expect(await owner('SELECT 1 FROM login_requests WHERE tenant_id = $1')).toEqual([])
    expect(await owner('SELECT 1 FROM authorization_requests WHERE tenant_id = $1')).toEqual([])
  })
  it('the client is no longer vouched for: it is announced first', async () => {
    race.before('insert_login_request', () => owner('UPDATE clients SET pre_approved = false WHERE tenant_id = $1'))
    const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    expect((await browser.visit(authorize())).location).toContain('/authorize/client-notice?request=')
    expect(await owner('SELECT step FROM authorization_requests WHERE tenant_id = $1')).toEqual([{ step: 'client_notice' }])
  })
  it('the client is blocked while she reads the notice: continuing is refused', async () => {
    await owner('UPDATE clients SET pre_approved = false WHERE tenant_id = $1')
    const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    const notice = await browser.visit(authorize())
    race.before('insert_login_request', () => owner('UPDATE clients SET blocked_at = now() WHERE tenant_id = $1'))
    expect((await browser.submit(notice.location, { answer: 'continue' })).text).toContain('request_expired')
    expect(idp.started).toHaveLength(1)
    expect(await owner('SELECT 1 FROM login_requests WHERE tenant_id = $1')).toEqual([])
  })
})

describe('a client that this process remembers otherwise than the database has it', () => {
  const remembered = async () => {
    const browser = await signedIn()
    await browser.visit(authorize())
    await owner('DELETE FROM grants WHERE tenant_id = $1')
    return browser
  }
  it.each([
    { what: 'is blocked', change: 'blocked_at = now()', text: 'client_blocked' },
    { what: 'has given its redirect URI up', change: `redirect_uris = '{https://elsewhere.example/}'`, text: 'redirect_uri_unregistered' },
  ])('$what: nothing is sent to it, not even an error', async ({ change, text }) => {
    const browser = await remembered()
    await owner(`UPDATE clients SET ${change} WHERE tenant_id = $1`)
    expect(await browser.visit(authorize())).toMatchObject({ location: '', text: expect.stringContaining(text) })
    const stranger = aPlainBrowser({ issuer: issuer(), url: broker.url })
    expect(await stranger.visit(authorize({ prompt: 'none' }))).toMatchObject({ location: '', text: expect.stringContaining(text) })
    expect(await stranger.visit(authorize({ response_type: 'token' }))).toMatchObject({ location: '', text: expect.stringContaining(text) })
    expect(await grants()).toEqual([])
  })
  it('has got another redirect URI: it counts from the next request on', async () => {
    const browser = await remembered()
    await owner(`UPDATE clients SET redirect_uris = '{https://new.example/}' WHERE tenant_id = $1`)
    expect((await browser.visit(authorize({ redirect_uri: 'https://new.example/' }))).location).toContain('https://new.example/?code=')
  })
})
