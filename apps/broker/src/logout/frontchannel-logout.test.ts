/** A frame of the OpenID provider: ends the one session that it names, in the browser that has it, and nothing that was granted. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, type APlainBrowser, aCompany, anAuthorizeUrl, anIdp, aPlainBrowser } from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

const publicUrl = 'https://broker.example'
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let company: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
  idp = anIdp(() => now)
  const settings = { ...readEnv({}), publicUrl }
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor, settings })
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})
beforeEach(async () => {
  now = addSeconds(now, 5)
  company = await aCompany(fixture, `frame-${(slugs += 1)}`, now, publicUrl)
  idp.says = { sub: 'ada', sid: 's1', groups: ['staff'], amr: ['pwd', 'otp'] }
  await configure({ frontchannelLogout: true })
})

const issuer = () => `${publicUrl}/t/${company.slug}`
const configure = (more: object) =>
  asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $2 WHERE tenant_id = $1', [
    company.tenantId,
    JSON.stringify({ issuer: 'https://idp.example', clientId: 'drawbridge', ...more }),
  ])
const frameCookie = () => `__Host-drawbridge-frame-${company.slug}`
const sessionCookie = () => `__Host-drawbridge-session-${company.slug}`
const good = { iss: 'https://idp.example', sid: 's1' }

async function signedIn(): Promise<APlainBrowser> {
  const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
  await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer(), company)), company.connectionId)
  return browser
}
const isSignedIn = async (browser: APlainBrowser): Promise<boolean> =>
  new URL((await browser.visit(anAuthorizeUrl(issuer(), company))).location).searchParams.has('code')

/** As a frame of another site: of all cookies only those that go along there. */
const frame = (
  browser: APlainBrowser,
  query: Record<string, string>,
  cookies = [frameCookie()],
  connection: string = company.connectionId,
) =>
  fetch(`${broker.url}/t/${company.slug}/oidc/${connection}/frontchannel-logout?${new URLSearchParams(query)}`, {
    headers: { cookie: cookies.map((name) => `${name}=${browser.jar.get(name)}`).join('; ') },
  })

it('ends the session of this browser, from a frame of the provider alone, and leaves what was granted', async () => {
  const [browser, other] = [await signedIn(), await signedIn()]
  const answer = await frame(browser, good)
  expect([answer.status, answer.headers.get('cache-control'), await answer.text()]).toEqual([200, 'no-store', ''])
  expect(answer.headers.get('x-frame-options')).toBeNull()
  expect(answer.headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors https://idp.example")
  expect([await isSignedIn(browser), await isSignedIn(other)]).toEqual([false, true])
  const living = 'SELECT id FROM grants WHERE tenant_id = $1 AND revoked_at IS NULL'
  expect((await asOwner(fixture.ownerUrl, living, [company.tenantId])).length).toBeGreaterThanOrEqual(2)
})

it('takes the cookie of the session, where the browser brings that', async () => {
  const browser = await signedIn()
  await frame(browser, good, [sessionCookie()])
  expect(await isSignedIn(browser)).toBe(false)
})

it.each<{ when: string; query: Record<string, string>; cookies?: () => string[] }>([
  { when: 'no cookie comes along', query: good, cookies: () => [] },
  { when: 'another session is named', query: { ...good, sid: 's2' } },
  { when: 'another issuer is named', query: { ...good, iss: 'https://other.example' } },
  { when: 'no issuer is named', query: { sid: 's1' } },
  { when: 'no session is named', query: { iss: good.iss } },
  { when: 'nothing is named', query: {} },
])('ends nothing where $when, and answers the same', async ({ query, cookies }) => {
  const browser = await signedIn()
  const answer = await frame(browser, query, cookies?.())
  expect([answer.status, await answer.text()]).toEqual([200, ''])
  expect(await isSignedIn(browser)).toBe(true)
})

it('ends nothing at a connection that the session is not of', async () => {
  const browser = await signedIn()
  expect((await frame(browser, good, undefined, randomUUID())).status).toBe(200)
  expect(await isSignedIn(browser)).toBe(true)
})

it('the cookie that goes into frames signs nobody in, and is set for connections alone that need it', async () => {
  const browser = await signedIn()
  const framed = browser.jar.get(frameCookie()) ?? ''
  const thief = aPlainBrowser({ issuer: issuer(), url: broker.url })
  for (const name of [frameCookie(), sessionCookie()]) thief.jar.set(name, framed)
  expect(await isSignedIn(thief)).toBe(false)
  await configure({})
  now = addSeconds(now, 5)
  expect((await signedIn()).jar.has(frameCookie())).toBe(false)
})
