/** What is tried against the device grant, and what it comes to. RFC 8628 §5; security.md §1, §4. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { userCodeGuesses } from '@drawbridge/core/oauth/user-code'
import { err, ok } from '@drawbridge/core/result'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ADevice, aDevice, answerDevice, type DeviceAsked, letDevicesAsk, typeUserCode } from '@drawbridge/testkit/a-device'
import { type AnIdp, type APlainBrowser, aCompany, anIdp, aPlainBrowser, hidden } from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const issuerOf = (tenant: ATenant) => `http://localhost:4400/t/${tenant.slug}`
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let globex: ATenant
let call: Call
let device: ADevice
let browser: APlainBrowser
let fetches: string[] = []
/** Addresses are counted, so each test comes from one of its own. */
let visitor = 0
let from: Record<string, string>

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  globex = await aCompany(fixture, 'globex', now)
  for (const tenant of [acme, globex]) await letDevicesAsk(fixture, tenant)
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    connectorFor: idp.connectorFor,
    settings: readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' }),
    fetchSafely: async (url) => {
      fetches.push(url)
      if (!url.endsWith('/client.json')) return err({ reason: 'unreachable' })
      const document = { client_id: url, client_name: 'Television', grant_types: [deviceGrantType, 'refresh_token'] }
      return ok({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(document)) })
    },
  })
  for (const tenant of [acme, globex]) await aTokenKey(fixture, broker, tenant)
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  now = addSeconds(now, 3600)
  visitor += 1
  from = { 'x-forwarded-for': `192.0.2.${visitor}` }
  fetches = []
  device = aDevice(broker, acme, from)
  browser = aBrowser()
})

const aBrowser = (headers = from) => aPlainBrowser({ issuer: issuerOf(acme), url: broker.url, headers })
const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const approve = async (asked: DeviceAsked) => {
  const left = await answerDevice(browser, issuerOf(acme), await typeUserCode(browser, issuerOf(acme), asked.user_code))
  const home = await browser.comeHome(left, acme.connectionId)
  return browser.submit(home.location, { answer: 'allow' })
}

describe('a page of ours', () => {
  it('is shown in no frame (RFC 9700 §4.16)', async () => {
    const response = await fetch(`${broker.url}/t/acme/device`)
    expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  it.each([
    { what: 'a code without the proof of our page', path: '/device', form: { user_code: 'BCDF-GHJK' } },
    { what: 'a code with a proof that nobody made', path: '/device', form: { user_code: 'BCDF-GHJK', proof: `1.${'A'.repeat(43)}` } },
    {
      what: 'a yes without a proof',
      path: '/device/confirm',
      form: { device: 'aaaaaaaa-0000-4000-8000-000000000001', answer: 'continue' },
    },
    { what: 'a yes to what is no device', path: '/device/confirm', form: { device: 'x', answer: 'continue' } },
  ])('takes no $what from another site', async ({ path, form }) => {
    await browser.visit(`${issuerOf(acme)}/device`)
    const refused = await browser.visit(`${issuerOf(acme)}${path}`, form as Record<string, string>)
    expect(refused).toMatchObject({ status: 403 })
    expect(refused.text).toContain('user_code_proof_invalid')
  })

  it('takes no yes with the proof of another browser, or of another device', async () => {
    const [one, other] = [await device.ask(), await device.ask()]
    const shown = await typeUserCode(browser, issuerOf(acme), one.user_code)
    const stranger = aBrowser()
    await stranger.visit(`${issuerOf(acme)}/device`)
    expect((await answerDevice(stranger, issuerOf(acme), shown)).text).toContain('user_code_proof_invalid')
    const others = await sql<{ id: string }>('SELECT id FROM device_codes WHERE id <> $1 AND created_at = $2', [
      ...[hidden(shown.text, 'device'), new Date(now)],
    ])
    expect(others).toHaveLength(1)
    const form = { device: others[0]?.id ?? '', proof: hidden(shown.text, 'proof'), answer: 'continue' }
    expect((await browser.visit(`${issuerOf(acme)}/device/confirm`, form)).text).toContain('user_code_proof_invalid')
    expect(await device.poll(other.device_code)).toMatchObject({ error: 'authorization_pending' })
  })

  it('shows a name that is markup as text', async () => {
    await sql("UPDATE clients SET name = '<script>alert(1)</script>' WHERE tenant_id = $1", [acme.tenantId])
    const { text } = await typeUserCode(browser, issuerOf(acme), (await device.ask()).user_code)
    await sql("UPDATE clients SET name = 'Client' WHERE tenant_id = $1", [acme.tenantId])
    expect(text).toContain('&lt;script&gt;')
    expect(text).not.toContain('<script>alert')
    expect((await browser.visit(`${issuerOf(acme)}/device?user_code=%22%3E%3Cscript%3E`)).text).not.toContain('"><script>')
  })
})

describe('guessing', () => {
  it('is over for an address after so many codes that no device shows, with Retry-After; what cannot be a code is no guess', async () => {
    const { user_code: right } = await device.ask()
    await typeUserCode(browser, issuerOf(acme), 'not a code')
    for (let n = 0; n < userCodeGuesses.mostWrongOfAddress; n += 1) {
      const wrong = await typeUserCode(browser, issuerOf(acme), 'BBBB-BBBB')
      expect(wrong.status).toBe(400)
      expect(wrong.text).toContain(oauthErrors['user_code_unknown'].say)
    }
    const locked = await typeUserCode(browser, issuerOf(acme), right)
    expect(locked.status).toBe(429)
    expect(locked.text).toContain('user_codes_locked')
    const elsewhere = aBrowser({ 'x-forwarded-for': '198.51.100.7' })
    expect((await typeUserCode(elsewhere, issuerOf(acme), right)).text).toContain('Is this your device?')
  })

  it('by the address of the page learns nothing: it looks nothing up', async () => {
    const { user_code: right } = await device.ask()
    const texts = [right, 'BBBB-BBBB'].map(async (code) =>
      (await browser.visit(`${issuerOf(acme)}/device?user_code=${code}`)).text.replaceAll(code, ''),
    )
    const [first, second] = await Promise.all(texts)
    const bare = (text: string | undefined) => text?.replace(/name="proof" value="[^"]+"|<footer>.*<\/footer>/g, '')
    expect(bare(first)).toBe(bare(second))
  })

  it('of device codes is unknown, whatever the prefix', async () => {
    for (const code of ['x', `dbv_${'A'.repeat(43)}`]) expect(await device.poll(code)).toMatchObject({ error: 'invalid_grant' })
  })
})

describe('a device code', () => {
  it('of another client is refused, and its own client goes on', async () => {
    await sql(
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
       VALUES ($1, $2, 'thief', 'preregistered', 'Thief', '{}', $3, 'none', '{}', now()) ON CONFLICT DO NOTHING`,
      [acme.tenantId, acme.issuerId, [deviceGrantType]],
    )
    const asked = await device.ask()
    await approve(asked)
    expect(await device.poll(asked.device_code, { client_id: 'thief' })).toEqual({
      error: 'invalid_grant',
      error_description: oauthErrors.device_code_of_other_client.say,
    })
    expect(await device.poll(asked.device_code)).toHaveProperty('access_token')
  })

  it('of another tenant is refused, and so is its user code there', async () => {
    const asked = await device.ask()
    await approve(asked)
    expect(await aDevice(broker, globex, from).poll(asked.device_code)).toMatchObject({ error: 'invalid_grant' })
    const there = aPlainBrowser({ issuer: issuerOf(globex), url: broker.url, headers: from })
    const other = await device.ask()
    expect((await typeUserCode(there, issuerOf(globex), other.user_code)).text).toContain(oauthErrors['user_code_unknown'].say)
  })

  it('is no authorization code, and no code of a device is one of a redirect', async () => {
    const asked = await device.ask()
    await approve(asked)
    const form = {
      grant_type: 'authorization_code',
      code: asked.device_code,
      redirect_uri: deviceGrantType,
      code_verifier: asked.device_code,
    }
    expect(await device.poll(asked.device_code, form)).toMatchObject({ error: 'invalid_grant' })
  })

  it('asked for another resource than was granted is refused, and can still be redeemed', async () => {
    const asked = await device.ask()
    await approve(asked)
    expect(await device.poll(asked.device_code, { resource: 'https://other.example' })).toMatchObject({ error: 'invalid_target' })
    now = addSeconds(now, 5)
    expect(await device.poll(asked.device_code)).toHaveProperty('access_token')
  })

  it('presented again takes back what it was redeemed for', async () => {
    const asked = await device.ask()
    await approve(asked)
    const tokens = await device.poll(asked.device_code)
    now = addSeconds(now, 5)
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'invalid_grant' })
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '', device_code: '' }
    expect(await device.poll('', refresh)).toMatchObject({ error: 'invalid_grant' })
  })
})

describe('where a proof of a key is demanded', () => {
  const demand = (boundTokensDemanded: boolean) =>
    sql('UPDATE tenants SET dpop = $2 WHERE id = $1', [acme.tenantId, JSON.stringify({ boundTokensDemanded, nonceDemanded: false })])
  beforeEach(async () => {
    await demand(true)
    broker.deps.configuration.invalidate()
  })
  afterEach(() => demand(false))
  const missing = { error: 'invalid_dpop_proof' }

  it('a device without one hears so at its first poll, and has used nothing up when the demand is lifted', async () => {
    const [waiting, approved] = [await device.ask(), await device.ask()]
    await approve(approved)
    for (const { device_code: code } of [waiting, approved]) expect(await device.poll(code)).toMatchObject(missing)
    now = addSeconds(now, approved.interval)
    await demand(false)
    expect(await device.poll(waiting.device_code)).toMatchObject({ error: 'authorization_pending' })
    expect(await device.poll(approved.device_code)).toMatchObject({ scope: 'read' })
  })

  it('so does one that polls a process that has not heard of it', async () => {
    await demand(false)
    broker.deps.configuration.invalidate()
    const asked = await device.ask()
    await demand(true)
    expect(await device.poll(asked.device_code)).toMatchObject(missing)
  })

  it('a code that was redeemed is a replay also without one, and its grant ends', async () => {
    await demand(false)
    const asked = await device.ask()
    await approve(asked)
    const { access_token: token = '' } = await device.poll(asked.device_code)
    await demand(true)
    broker.deps.configuration.invalidate()
    now = addSeconds(now, asked.interval)
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'invalid_grant' })
    expect(await sql('SELECT revoked_reason FROM grants WHERE id = $1', [decodeJwt(token)['gid']])).toEqual([
      { revoked_reason: 'code_replayed' },
    ])
  })
})

describe('a barrier between the yes and the poll ends it', () => {
  it.each([
    {
      of: 'the person',
      barrier: async () => sql('UPDATE subjects SET epoch = epoch + 1, deactivated_at = now() WHERE tenant_id = $1', [acme.tenantId]),
    },
    { of: 'the client', barrier: async () => sql('UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1', [acme.tenantId]) },
    { of: 'the connection', barrier: async () => sql('UPDATE connections SET epoch = epoch + 1 WHERE tenant_id = $1', [acme.tenantId]) },
    { of: 'the tenant', barrier: async () => sql('UPDATE tenants SET epoch = epoch + 1 WHERE id = $1', [acme.tenantId]) },
  ])('of $of', async ({ barrier }) => {
    const asked = await device.ask()
    expect((await approve(asked)).text).toContain('You can go back to your device')
    await barrier()
    broker.deps.configuration.invalidate()
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'invalid_grant' })
    await sql('UPDATE subjects SET deactivated_at = NULL WHERE tenant_id = $1', [acme.tenantId])
    now = addSeconds(now, 5)
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'invalid_grant' })
  })

  it('and one between the asking and the yes, of client or tenant, lets nobody say yes', async () => {
    for (const barrier of [
      'UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1',
      'UPDATE tenants SET epoch = epoch + 1 WHERE id = $1',
    ]) {
      const asked = await device.ask()
      const shown = await typeUserCode(browser, issuerOf(acme), asked.user_code)
      const left = await answerDevice(browser, issuerOf(acme), shown)
      await sql(barrier, [acme.tenantId])
      broker.deps.configuration.invalidate()
      expect((await answerDevice(browser, issuerOf(acme), shown)).text).toContain('request_expired')
      expect((await browser.comeHome(left, acme.connectionId)).text).not.toContain('You can go back')
      expect(await device.poll(asked.device_code)).toMatchObject({ error: 'invalid_grant' })
    }
  })
})

describe('where devices may not ask', () => {
  const metadata = async () =>
    (await (await fetch(`${broker.url}/.well-known/oauth-authorization-server/t/acme`)).json()) as Record<string, unknown>
  const choose = async (enabled: boolean) => {
    const { body } = await call('PUT', '/tenants/acme/device-grant', { enabled })
    broker.deps.configuration.invalidate()
    return body
  }

  it('there is no endpoint, no page and no grant type; what waits gets nothing, and it is so until somebody chooses', async () => {
    const fresh = await aCompany(fixture, 'initech', now)
    expect((await call('GET', `/tenants/${fresh.slug}/device-grant`)).body).toEqual({ enabled: false })
    const [waiting, approved] = [await device.ask(), await device.ask()]
    await approve(approved)
    const shown = await typeUserCode(browser, issuerOf(acme), waiting.user_code)
    expect(await metadata()).toMatchObject({
      device_authorization_endpoint: `${issuerOf(acme)}/device_authorization`,
      grant_types_supported: expect.arrayContaining([deviceGrantType]),
    })
    expect(await choose(false)).toEqual({ enabled: false })
    const said = await metadata()
    expect(said).not.toHaveProperty('device_authorization_endpoint')
    expect(said['grant_types_supported']).not.toContain(deviceGrantType)
    expect((await device.tryToAsk()).body).toEqual({ error: 'unauthorized_client', error_description: oauthErrors.device_grant_off.say })
    for (const refused of [
      await browser.visit(`${issuerOf(acme)}/device`),
      await browser.visit(`${issuerOf(acme)}/device`, { user_code: 'x' }),
      await answerDevice(browser, issuerOf(acme), shown),
    ]) {
      expect(refused.status).toBe(404)
      expect(refused.text).toContain('device_page_off')
    }
    for (const each of [waiting, approved]) expect(await device.poll(each.device_code)).toMatchObject({ error: 'unauthorized_client' })
    expect(await choose(true)).toEqual({ enabled: true })
  })

  it('a person who is under way learns it at her next step', async () => {
    const asked = await device.ask()
    const left = await answerDevice(browser, issuerOf(acme), await typeUserCode(browser, issuerOf(acme), asked.user_code))
    await choose(false)
    expect((await browser.comeHome(left, acme.connectionId)).text).toContain('device_page_off')
    await choose(true)
  })
})

describe('who may ask', () => {
  it.each([
    { who: 'a client that nobody knows', change: { client_id: 'nobody' }, error: 'invalid_client' },
    { who: 'nobody by name', change: { client_id: '' }, error: 'invalid_client' },
    { who: 'a public client with a secret', change: { client_secret: 'x' }, error: 'invalid_client' },
    { who: 'a client for a resource that there is not', change: { resource: 'https://other.example' }, error: 'invalid_target' },
    { who: 'a client for scopes that there are not', change: { scope: 'nothing' }, error: 'invalid_scope' },
  ])('$who is answered $error', async ({ change, error }) => {
    expect((await device.tryToAsk(change as unknown as Record<string, string>)).body).toMatchObject({ error })
  })

  it('a client that is not registered for it may not, nor poll', async () => {
    const asked = await device.ask()
    await sql("UPDATE clients SET grant_types = '{authorization_code}' WHERE tenant_id = $1", [acme.tenantId])
    expect((await device.tryToAsk()).body).toMatchObject({ error: 'unauthorized_client' })
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'unauthorized_client' })
    expect((await typeUserCode(browser, issuerOf(acme), asked.user_code)).text).toContain('request_expired')
    await letDevicesAsk(fixture, acme)
  })

  it('a client registers for it alone, without a redirect URI, and cannot use another grant', async () => {
    const response = await fetch(`${broker.url}/t/acme/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'Television', grant_types: [deviceGrantType], token_endpoint_auth_method: 'none' }),
    })
    const registered = (await response.json()) as Record<string, string>
    expect(registered).toMatchObject({ grant_types: [deviceGrantType], redirect_uris: [], response_types: [] })
    const asked = await device.ask({ client_id: registered['client_id'] ?? '' })
    const next = await answerDevice(browser, issuerOf(acme), await typeUserCode(browser, issuerOf(acme), asked.user_code))
    expect(next.location).toContain('/authorize/client-notice')
  })

  it('a client that describes itself may come here first, and is announced by its host', async () => {
    const clientId = 'https://tv.example/client.json'
    const asked = await device.ask({ client_id: clientId })
    expect(fetches).toEqual([clientId])
    expect((await typeUserCode(browser, issuerOf(acme), asked.user_code)).text).toContain('tv.example')
  })

  it('an address that asks too often is told when to come again', async () => {
    const answers = []
    for (let n = 0; n < 62; n += 1) answers.push(await device.tryToAsk())
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited.length).toBeGreaterThan(0)
    expect(limited[0]?.headers.get('retry-after')).toMatch(/^\d+$/)
  })
})
