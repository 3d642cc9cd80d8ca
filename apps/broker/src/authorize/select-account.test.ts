/** A client that lets the person choose as whom she goes on, and one that says in which languages she reads. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import {
  type AnIdp,
  type APage,
  type APlainBrowser,
  aCompany,
  anAuthorizeUrl,
  anIdp,
  anotherConnection,
  aPlainBrowser,
} from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let globex: ATenant
let second: ConnectionId
let browser: APlainBrowser

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  globex = await aCompany(fixture, 'globex', now)
  second = await anotherConnection(fixture, globex, 'Subsidiary', 'globex.example')
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})
beforeEach(() => {
  now = addSeconds(now, 100_000)
  idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  idp.started.length = 0
})
const at = (company: string) => {
  browser = aPlainBrowser({ issuer: `http://localhost:4400/t/${company}`, url: broker.url })
}
const ask = (tenant: ATenant, change: Record<string, string>) =>
  browser.visit(anAuthorizeUrl(`http://localhost:4400/t/${tenant.slug}`, tenant, { scope: 'read', ...change }))
const code = expect.stringContaining('code=dbc_')
const whoIsIt = async ({ location }: APage) => {
  const [row] = await asOwner<{ stable_id: string }>(
    fixture.ownerUrl,
    `SELECT s.stable_id FROM subjects s JOIN grants g ON g.tenant_id = s.tenant_id AND g.subject_id = s.id ORDER BY g.created_at DESC LIMIT 1`,
  )
  return [location.includes('code=dbc_'), row?.stable_id]
}

describe('prompt=select_account (OIDC Core §3.1.2.1)', () => {
  it('takes no session silently: the IdP is asked to let her choose, and whom she chose goes on', async () => {
    at('acme')
    expect((await browser.comeHome(await ask(acme, {}), acme.connectionId)).location).toEqual(code)
    const left = await ask(acme, { prompt: 'select_account' })
    expect(idp.started).toMatchObject([{ selectAccount: false }, { selectAccount: true, forceAuthn: false }])
    now = addSeconds(now, 5)
    idp.says = { ...idp.says, sub: 'grace' }
    expect(await whoIsIt(await browser.comeHome(left, acme.connectionId))).toEqual([true, 'grace'])
    expect(idp.started).toHaveLength(2)
  })

  it('asks for no fresh sign-in: she may go on with the session that the IdP has, whose time it need not tell', async () => {
    at('acme')
    idp.says = { ...idp.says, signedInAt: undefined }
    expect((await browser.comeHome(await ask(acme, { prompt: 'select_account' }), acme.connectionId)).location).toEqual(code)
  })

  it('shows the choice of connection where there are several, whatever the hint says and the browser remembers', async () => {
    at('globex')
    const hinted = { login_hint: 'ada@globex.example' }
    expect((await ask(globex, hinted)).location).toContain('https://idp.example/login')
    const chosen = await browser.submit((await ask(globex, {})).location, { connection: second, remember: 'yes' })
    expect((await browser.comeHome(chosen, second)).location).toEqual(code)
    const choice = await ask(globex, { ...hinted, prompt: 'select_account' })
    expect(choice.location).toContain('/authorize/choose-connection?request=')
    const left = await browser.submit(choice.location, { connection: globex.connectionId })
    expect(idp.started.at(-1)).toMatchObject({ connectionId: globex.connectionId, selectAccount: true })
    expect((await browser.comeHome(left, globex.connectionId)).location).toEqual(code)
  })

  it('with login, she signs in anew; with none, it is refused', async () => {
    at('acme')
    await ask(acme, { prompt: 'select_account login' })
    expect(idp.started).toMatchObject([{ selectAccount: true, forceAuthn: true }])
    expect((await ask(acme, { prompt: 'select_account none' })).location).toContain('error=invalid_request')
  })
})

describe('ui_locales and claims_locales (OIDC Core §3.1.2.1: never an error)', () => {
  it.each(['en', 'de-CH fr', 'tlh', '', 'x'.repeat(4000), '../../etc <script>', '🦊 %00'.replace('%00', '')])('%#', async (locales) => {
    at('acme')
    const left = await ask(acme, { ui_locales: locales, claims_locales: locales })
    expect(left.location).toContain('https://idp.example/login')
  })
  it('pages are in English, and the metadata says so (OIDC Discovery §3)', async () => {
    at('globex')
    const page = await browser.visit((await ask(globex, { ui_locales: 'de fr' })).location)
    expect(page.text).toContain('<html lang="en">')
    const metadata = await browser.visit('http://localhost:4400/t/globex/.well-known/openid-configuration')
    expect(JSON.parse(metadata.text)).toMatchObject({
      ui_locales_supported: ['en'],
      prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
    })
  })
})
