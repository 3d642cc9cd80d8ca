/** A yes is remembered for the same person, client, resource and redirect URI, spares the question, and gives nothing that was not agreed to. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import {
  type AnIdp,
  type APlainBrowser,
  aCompany,
  aCompanyPolicy,
  anAuthorizeUrl,
  anIdp,
  aPlainBrowser,
  aWebRedirectUri,
  publish,
} from '@drawbridge/testkit/a-login'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let race: ARace
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let browser: APlainBrowser
let call: Call
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
  race = aRace(fixture.database)
  idp = anIdp(() => now)
  broker = await aBroker(race.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
/** Ada has signed in a minute ago, and has agreed to read. */
beforeEach(async () => {
  now = addSeconds(now, 600)
  idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  acme = await aCompany(fixture, `mind-${(slugs += 1)}`, now)
  await sql('UPDATE clients SET pre_approved = false WHERE tenant_id = $1')
  browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
  const consent = await comeIn()
  expect(consent.location).toContain(ends.consent)
  expect((await browser.submit(consent.location, { answer: 'allow' })).location).toContain(ends.code)
  now = addSeconds(now, 60)
})

const ends = { code: 'code=dbc_', consent: '/authorize/consent?request=', notice: '/authorize/client-notice?request=' } as const
const issuer = () => `http://localhost:4400/t/${acme.slug}`
const authorize = (change?: Record<string, string>) => anAuthorizeUrl(issuer(), acme, { scope: 'read', ...change })
const sql = <Row = Record<string, unknown>>(text: string, ...more: unknown[]) =>
  asOwner<Row>(fixture.ownerUrl, text, [acme.tenantId, ...more])
const ask = (change?: Record<string, string>) => browser.visit(authorize(change))
/** Signs in, by way of the notice that a stranger's client is given. */
async function comeIn(change?: Record<string, string>) {
  const notice = await ask(change)
  expect(notice.location).toContain(ends.notice)
  return browser.comeHome(await browser.submit(notice.location, { answer: 'continue' }), acme.connectionId)
}
const consents = () => sql('SELECT scopes, redirect_uri, agreed_at, expires_at FROM consents WHERE tenant_id = $1')
const days = (count: number) => count * 86_400

it('she is not asked again, by a live session or after another sign-in, and the trail says of when her yes is', async () => {
  const agreedAt = new Date(addSeconds(now, -60))
  expect((await ask()).location).toContain(ends.code)
  expect((await ask({ prompt: 'none' })).location).toContain(ends.code)
  browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
  expect((await comeIn()).location).toContain(ends.code)
  const trail = await sql<{ of: string | null }>(
    `SELECT detail ->> 'consentOf' AS of FROM audit_events WHERE tenant_id = $1 AND kind = 'grant_opened' ORDER BY id`,
  )
  expect(trail.map(({ of }) => of)).toEqual([null, ...Array.from({ length: 3 }, () => agreedAt.toISOString())])
  expect(await consents()).toEqual([
    { scopes: ['read'], redirect_uri: aWebRedirectUri, agreed_at: agreedAt, expires_at: new Date(addSeconds(now, days(90) - 60)) },
  ])
})

it('a later yes to more takes the place of the earlier, and answers what is less', async () => {
  const wider = await ask({ scope: 'read write' })
  expect(wider.location).toContain(ends.consent)
  expect((await browser.submit(wider.location, { answer: 'allow' })).location).toContain(ends.code)
  for (const scope of ['read write', 'write', 'read']) expect((await ask({ scope })).location).toContain(ends.code)
  // What can change something is remembered for thirty days.
  expect(await consents()).toMatchObject([{ scopes: ['read', 'write'], expires_at: new Date(addSeconds(now, days(30))) }])
})

it('a yes is to the client that the page showed: one that calls itself something else meanwhile is asked about, and nothing is remembered of it', async () => {
  const wider = await ask({ scope: 'read write' })
  expect(wider.location).toContain(ends.consent)
  await sql(`UPDATE clients SET name = 'Somebody else' WHERE tenant_id = $1`)
  const again = await browser.submit(wider.location, { answer: 'allow' })
  expect(again.location).toContain(ends.consent)
  expect(await consents()).toMatchObject([{ scopes: ['read'] }])
  expect((await browser.submit(again.location, { answer: 'allow' })).location).toContain(ends.code)
  expect(await consents()).toMatchObject([{ scopes: ['read', 'write'] }])
})

it('a no changes nothing of what she agreed to before', async () => {
  const wider = await ask({ scope: 'write' })
  expect((await browser.submit(wider.location, { answer: 'deny' })).location).toContain('error=access_denied')
  expect((await ask()).location).toContain(ends.code)
  expect((await ask({ scope: 'write' })).location).toContain(ends.consent)
})

describe('she is asked', () => {
  const another = 'https://client.example/other'
  it.each<{ when: string; before?: () => Promise<unknown>; change?: Record<string, string>; isAway?: boolean }>([
    { when: 'for a scope that she has not agreed to', change: { scope: 'read write' } },
    { when: 'for what the client is told of her', change: { scope: 'openid read' } },
    { when: 'where the client wants her asked', change: { prompt: 'consent' } },
    {
      when: 'for another redirect URI',
      before: () => sql('UPDATE clients SET redirect_uris = redirect_uris || $2 WHERE tenant_id = $1', [another]),
      change: { redirect_uri: another },
    },
    { when: 'when the client has another name', before: () => sql(`UPDATE clients SET name = 'Another' WHERE tenant_id = $1`) },
    {
      when: 'when the client may be sent elsewhere too',
      before: () => sql('UPDATE clients SET redirect_uris = redirect_uris || $2 WHERE tenant_id = $1', [another]),
    },
    { when: 'after a barrier of the client', before: () => sql('UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1') },
    { when: 'after a barrier of hers', before: () => sql('UPDATE subjects SET epoch = epoch + 1 WHERE tenant_id = $1'), isAway: true },
    {
      when: 'after a barrier of her connection',
      before: () => sql('UPDATE connections SET epoch = epoch + 1 WHERE tenant_id = $1'),
      isAway: true,
    },
    { when: 'after a barrier of the tenant', before: () => sql('UPDATE tenants SET epoch = epoch + 1 WHERE id = $1'), isAway: true },
    { when: 'when it is too long ago', before: async () => (now = addSeconds(now, days(90) - 59)), isAway: true },
    {
      when: 'when what she agreed to is sensitive by now',
      before: () => sql(`UPDATE resource_scopes SET tier = 'sensitive' WHERE tenant_id = $1`),
    },
    {
      when: 'when the tenant has a consent last for less',
      before: () => publish(fixture, acme, now, `${aCompanyPolicy(['read', 'write'])}session: { reconsentSeconds: 60 }\n`),
    },
  ])('$when', async ({ before, change, isAway }) => {
    await before?.()
    await sql('UPDATE clients SET version = version + 1 WHERE tenant_id = $1')
    const page = isAway === true ? await comeIn(change) : await ask(change)
    expect(page.location).toContain(ends.consent)
    if (change?.['prompt'] === undefined)
      expect((await ask({ ...change, prompt: 'none' })).location).toMatch(/error=(interaction|login)_required/)
  })

  it.each(['http://127.0.0.1:8000/cb', 'https://localhost:8443/cb', 'com.example.app:/cb'])(
    'each time, where the code goes to %s, which any program can take',
    async (redirect) => {
      await sql('UPDATE clients SET redirect_uris = $2, version = version + 1 WHERE tenant_id = $1', [redirect])
      const page = () => ask({ redirect_uri: redirect })
      for (let times = 0; times < 2; times += 1) {
        const consent = await page()
        expect(consent.location).toContain(ends.consent)
        expect((await browser.submit(consent.location, { answer: 'allow' })).location).toContain(ends.code)
      }
      expect((await ask({ redirect_uri: redirect, prompt: 'none' })).location).toContain('error=interaction_required')
      expect((await consents()).map(({ redirect_uri }) => redirect_uri)).toEqual([aWebRedirectUri])
    },
  )

  it('who is somebody else', async () => {
    idp.says = { sub: 'grace', groups: ['staff'], amr: ['pwd', 'otp'] }
    browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    expect((await comeIn()).location).toContain(ends.consent)
  })
})

it('what is granted by an earlier yes ends when a policy says that consent ends, counted from that yes', async () => {
  await publish(fixture, acme, now, `${aCompanyPolicy(['read', 'write'])}session: { reconsentSeconds: 600 }\n`)
  expect((await ask()).location).toContain(ends.code)
  const [grant] = await sql<{ expires_at: Date }>('SELECT expires_at FROM grants WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT 1')
  expect(grant?.expires_at).toEqual(new Date(addSeconds(now, 540)))
})

describe('an admin', () => {
  const list = async (query = '') => (await call('GET', `/tenants/${acme.slug}/consents${query}`)).body.consents
  const living = async () => (await sql('SELECT id FROM grants WHERE tenant_id = $1 AND revoked_at IS NULL')).length
  const reason = { reason: 'no longer needed' }

  it('sees what was agreed to, and withdraws it: the grants of it end, and she is asked', async () => {
    await ask()
    const [consent] = await list()
    expect(consent).toMatchObject({ clientId: acme.clientId, audience: acme.resource, redirectUri: aWebRedirectUri, scopes: ['read'] })
    expect(await list(`?subject=${consent.subjectId}&client=${acme.clientId}`)).toHaveLength(1)
    expect(await list('?client=another')).toEqual([])
    expect(await living()).toBe(2)
    const withdrawn = await call('POST', `/tenants/${acme.slug}/consents/${consent.id}/withdraw`, reason)
    expect([withdrawn.status, withdrawn.body]).toEqual([200, { grantsEnded: 2 }])
    expect([await living(), await list()]).toEqual([0, []])
    expect((await ask()).location).toContain(ends.consent)
    expect((await call('POST', `/tenants/${acme.slug}/consents/${consent.id}/withdraw`, reason)).status).toBe(404)
  })

  it('withdraws with it what she agreed to for other addresses of the client', async () => {
    const other = 'https://client.example/other'
    await sql('UPDATE clients SET redirect_uris = redirect_uris || $2, version = version + 1 WHERE tenant_id = $1', [other])
    for (const redirect_uri of [aWebRedirectUri, other])
      expect((await browser.submit((await ask({ redirect_uri })).location, { answer: 'allow' })).location).toContain(ends.code)
    const [consent, ...others] = await list()
    expect(others).toHaveLength(1)
    expect((await call('POST', `/tenants/${acme.slug}/consents/${consent.id}/withdraw`, reason)).body).toEqual({ grantsEnded: 3 })
    for (const redirect_uri of [aWebRedirectUri, other]) expect((await ask({ redirect_uri })).location).toContain(ends.consent)
  })

  it('who ends one grant has her asked before there is another', async () => {
    const [grant] = await sql<{ id: string }>('SELECT id FROM grants WHERE tenant_id = $1')
    await call('POST', `/tenants/${acme.slug}/grants/${grant?.id}/revoke`, reason)
    expect((await ask()).location).toContain(ends.consent)
  })

  it('is shown nothing that a barrier has ended', async () => {
    await sql('UPDATE subjects SET epoch = epoch + 1 WHERE tenant_id = $1')
    expect(await list()).toEqual([])
  })
})

it('what is withdrawn while a grant is being opened by it opens none: she is asked', async () => {
  race.before('open_grant_with_code', () => sql('DELETE FROM consents WHERE tenant_id = $1'))
  expect((await ask()).location).toContain(ends.consent)
  expect(await sql('SELECT id FROM grants WHERE tenant_id = $1')).toHaveLength(1)
})
