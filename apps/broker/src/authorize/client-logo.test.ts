/** What a person sees of a client's logo: what an admin saw, from here, of a client that she vouches for, and nothing of anybody else's. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, type APlainBrowser, aCompany, anAuthorizeUrl, anIdp, aPlainBrowser } from '@drawbridge/testkit/a-login'
import { aPng } from '@drawbridge/testkit/a-picture'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let browser: APlainBrowser
let slugs = 0
const fetched: string[] = []
const picture = aPng({}, '<script>alert(1)</script>')

beforeAll(async () => {
  fixture = await testDatabase()
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    connectorFor: idp.connectorFor,
    fetchSafely: async (url) => {
      fetched.push(url)
      return { ok: false, error: { reason: 'unreachable' } }
    },
  })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  now = addSeconds(now, 600)
  acme = await aCompany(fixture, `logo-${(slugs += 1)}`, now)
  await sql('UPDATE clients SET logo_uri = $2 WHERE tenant_id = $1', logoUri)
  await sql(
    `INSERT INTO client_logos (tenant_id, issuer_id, client_id, logo_uri, media_type, digest, picture, approved_at)
     SELECT tenant_id, issuer_id, client_id, logo_uri, 'image/png', 'x', $2, now() FROM clients WHERE tenant_id = $1`,
    picture,
  )
  browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
})

const logoUri = 'https://cdn.client.example/logo.png'
const issuer = () => `http://localhost:4400/t/${acme.slug}`
const sql = (text: string, ...more: unknown[]) => asOwner(fixture.ownerUrl, text, [acme.tenantId, ...more])
/** To the page that asks for her consent. */
async function beAsked(): Promise<string> {
  const first = await browser.visit(anAuthorizeUrl(issuer(), acme, { scope: 'read', prompt: 'consent' }))
  const left = first.location.includes('/client-notice') ? await browser.submit(first.location, { answer: 'continue' }) : first
  return (await browser.comeHome(left, acme.connectionId)).location
}
const logoAt = (consent: string) => consent.replace('/consent?', '/client-logo?')
const answerOf = (url: string) =>
  fetch(url.replace('http://localhost:4400', broker.url), {
    headers: { cookie: [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ') },
  })
const imageIn = (text: string) => /<img [^>]*>/.exec(text)?.[0]

it('is on the page that asks, which loads pictures from here alone, and nobody goes to the client for it', async () => {
  const consent = await beAsked()
  const page = await answerOf(consent)
  expect(imageIn(await page.text())).toBe(`<img class="logo" alt="" src="${logoAt(consent)}">`)
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(page.headers.get('content-security-policy')).toContain("img-src 'self';")
  expect((await answerOf(logoAt(consent))).status).toBe(200)
  expect(fetched).toEqual([])
})

it('is served as the picture that it is and as nothing else: opened by itself it is of no origin and runs nothing', async () => {
  const answer = await answerOf(logoAt(await beAsked()))
  expect(Buffer.from(await answer.arrayBuffer()).equals(picture)).toBe(true)
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'image/png',
    'content-length': String(picture.length),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    'cache-control': 'no-store',
  })
})

it.each([
  { when: 'nobody vouches for the client', change: 'UPDATE clients SET pre_approved = false WHERE tenant_id = $1' },
  { when: 'the client names another address by now', change: "UPDATE clients SET logo_uri = logo_uri || '?2' WHERE tenant_id = $1" },
  { when: 'the client names none any more', change: 'UPDATE clients SET logo_uri = NULL WHERE tenant_id = $1' },
  { when: 'nobody has approved it', change: 'DELETE FROM client_logos WHERE tenant_id = $1' },
])('is neither on the page nor to be had when $when', async ({ change }) => {
  await sql(change)
  const consent = await beAsked()
  const page = await answerOf(consent)
  expect(page.status).toBe(200)
  expect(imageIn(await page.text())).toBeUndefined()
  expect(page.headers.get('content-security-policy')).not.toContain('img-src')
  expect((await answerOf(logoAt(consent))).status).toBe(404)
})

it('goes from a page that is open already when it is withdrawn', async () => {
  const consent = await beAsked()
  await sql('DELETE FROM client_logos WHERE tenant_id = $1')
  expect((await answerOf(logoAt(consent))).status).toBe(404)
})

it('is for the browser that is being asked, and only then: whether a client is approved cannot be asked of it', async () => {
  await sql('UPDATE clients SET pre_approved = false WHERE tenant_id = $1')
  const notice = await browser.visit(anAuthorizeUrl(issuer(), acme, { scope: 'read', prompt: 'consent' }))
  await sql('UPDATE clients SET pre_approved = true WHERE tenant_id = $1')
  expect((await answerOf(notice.location.replace('/client-notice?', '/client-logo?'))).status).toBe(404)
  const consent = await beAsked()
  browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
  const stranger = await answerOf(logoAt(consent))
  expect(stranger.status).not.toBe(200)
  expect(stranger.headers.get('content-type')).toContain('text/html')
})
