/** The device authorization grant from the asking to the tokens, through HTTP. RFC 8628. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { deviceCodeTtlSeconds } from '@drawbridge/core/oauth/device-code'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ADevice, aDevice, answerDevice, type DeviceAsked, letDevicesAsk, typeUserCode } from '@drawbridge/testkit/a-device'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { type AnIdp, type APage, type APlainBrowser, aCompany, anIdp, aPlainBrowser, publish } from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const issuer = 'http://localhost:4400/t/acme'
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let device: ADevice
let browser: APlainBrowser

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  await letDevicesAsk(fixture, acme)
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
  await aTokenKey(fixture, broker, acme)
  device = aDevice(broker, acme)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  now = addSeconds(now, 3600)
  idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  idp.started.length = 0
  browser = aPlainBrowser({ issuer, url: broker.url })
})

const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const pass = (seconds: number) => {
  now = addSeconds(now, seconds)
}
/** From the code to the page after the sign-in. */
const signIn = async (asked: DeviceAsked): Promise<APage> => {
  const left = await answerDevice(browser, issuer, await typeUserCode(browser, issuer, asked.user_code))
  return browser.comeHome(left, acme.connectionId)
}
const approve = async (asked: DeviceAsked): Promise<APage> => {
  const home = await signIn(asked)
  return browser.submit(home.location, { answer: 'allow' })
}

describe('a device', () => {
  it('is given its tokens once the person has typed its code, signed in and said yes', async () => {
    const asked = await device.ask({ scope: 'read openid' })
    expect(asked).toEqual({
      device_code: expect.stringMatching(/^dbv_[A-Za-z0-9_-]{43}$/),
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      verification_uri: `${issuer}/device`,
      verification_uri_complete: `${issuer}/device?user_code=${asked.user_code}`,
      expires_in: deviceCodeTtlSeconds,
      interval: 5,
    })
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'authorization_pending' })
    const done = await approve(asked)
    expect(done).toMatchObject({ status: 200, location: '' })
    expect(done.text).toContain('You can go back to your device')
    expect(done.text).not.toContain('dbc_')
    pass(5)
    const tokens = await device.poll(asked.device_code)
    expect(tokens).toMatchObject({ token_type: 'Bearer', scope: 'openid read', refresh_token: expect.stringMatching(/^dbr_/) })
    expect(tokens.id_token).toBeDefined()
    const [opened] = await sql("SELECT detail->'device' AS device FROM audit_events WHERE kind = 'grant_opened' ORDER BY id DESC LIMIT 1")
    expect(opened).toEqual({ device: { address: expect.stringContaining('127.0.0.1'), country: null, askedAt: expect.any(String) } })
  })

  it('is found whatever stands between the letters of its code, in either case', async () => {
    const asked = await device.ask()
    const typed = asked.user_code.toLowerCase().replace('-', ' — ')
    expect((await typeUserCode(browser, issuer, typed)).text).toContain(asked.user_code)
  })

  it('is announced with its code, client, company, resource, time and address, and a warning, before anything begins', async () => {
    const asked = await device.ask()
    pass(90)
    const { text, status } = await typeUserCode(browser, issuer, asked.user_code)
    expect(status).toBe(200)
    const askedAt = new Date(addSeconds(now, -90)).toISOString()
    for (const said of [asked.user_code, 'acme', askedAt, '127.0.0.1', 'If somebody sent you the code', 'I did not start this'])
      expect(text).toContain(said)
    expect(idp.started).toEqual([])
  })

  it('is asked about even where the address brought the code with it', async () => {
    const asked = await device.ask()
    const prefilled = await browser.visit(asked.verification_uri_complete)
    expect(prefilled.text).toContain(`value="${asked.user_code}"`)
    expect(prefilled.text).not.toContain('Is this your device?')
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'authorization_pending' })
  })

  it('is never answered by a live session alone, nor by the approval of its client', async () => {
    await approve(await device.ask())
    idp.started.length = 0
    const asked = await device.ask()
    const next = await answerDevice(browser, issuer, await typeUserCode(browser, issuer, asked.user_code))
    expect(next.location).toContain('/authorize/consent?request=')
    expect(idp.started).toEqual([])
    expect((await browser.submit(next.location, { answer: 'allow' })).text).toContain('You can go back to your device')
  })

  it('goes through the notice where nobody vouches for its client', async () => {
    await sql('UPDATE clients SET pre_approved = false WHERE tenant_id = $1', [acme.tenantId])
    const asked = await device.ask()
    const next = await answerDevice(browser, issuer, await typeUserCode(browser, issuer, asked.user_code))
    expect(next.location).toContain('/authorize/client-notice?request=')
    expect((await browser.visit(next.location)).text).toContain('the device whose code you typed')
    const no = await browser.submit(next.location, { answer: 'cancel' })
    await sql('UPDATE clients SET pre_approved = true WHERE tenant_id = $1', [acme.tenantId])
    expect(no.text).toContain('The device gets no access')
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'access_denied' })
  })
})

describe('a no', () => {
  it('on the page of the code is heard by the device, and is in the audit trail', async () => {
    const asked = await device.ask()
    const stopped = await answerDevice(browser, issuer, await typeUserCode(browser, issuer, asked.user_code), 'stop')
    expect(stopped.text).toContain('The device gets no access')
    expect(await device.poll(asked.device_code)).toEqual({ error: 'access_denied', error_description: oauthErrors.device_denied.say })
    expect(await sql("SELECT client_id FROM audit_events WHERE kind = 'device_declined'")).toEqual([{ client_id: acme.clientId }])
  })
  it('on the consent page is heard by the device', async () => {
    const asked = await device.ask()
    const home = await signIn(asked)
    expect((await browser.submit(home.location, { answer: 'deny' })).text).toContain('The device gets no access')
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'access_denied' })
  })
  it('of policy is heard by the device, and the person is told what was missing', async () => {
    idp.says = { ...idp.says, groups: [] }
    const asked = await device.ask()
    const denied = await signIn(asked)
    expect(denied.status).toBe(403)
    expect(denied.text).toContain('You have no access to this')
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'access_denied' })
  })
  it('is the end: a yes from another browser that was under way opens nothing', async () => {
    const asked = await device.ask()
    const home = await signIn(asked)
    const other = aPlainBrowser({ issuer, url: broker.url })
    await answerDevice(other, issuer, await typeUserCode(other, issuer, asked.user_code), 'stop')
    const before = await sql('SELECT count(*)::int AS n FROM grants')
    expect((await browser.submit(home.location, { answer: 'allow' })).text).toContain('request_expired')
    expect(await sql('SELECT count(*)::int AS n FROM grants')).toEqual(before)
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'access_denied' })
  })
})

describe('a poll', () => {
  it('that comes too early is told so, and has to wait five seconds longer from then on', async () => {
    const { device_code: code } = await device.ask()
    const after = async (seconds: number) => {
      pass(seconds)
      return (await device.poll(code)).error
    }
    expect([await after(0), await after(5), await after(1), await after(5), await after(15), await after(14)]).toEqual([
      'authorization_pending',
      'authorization_pending',
      'slow_down',
      'slow_down',
      'authorization_pending',
      'authorization_pending',
    ])
    expect(await sql('SELECT max(interval_seconds) AS most FROM device_codes WHERE tenant_id = $1', [acme.tenantId])).toEqual([
      { most: 15 },
    ])
  })
  it('after its time hears that it expired, and so does a person who types the code', async () => {
    const asked = await device.ask()
    pass(deviceCodeTtlSeconds)
    expect(await device.poll(asked.device_code)).toEqual({ error: 'expired_token', error_description: oauthErrors.device_code_expired.say })
    expect((await typeUserCode(browser, issuer, asked.user_code)).text).toContain('no device shows this code now')
  })
  it('too long after the yes hears the same', async () => {
    const asked = await device.ask()
    await approve(asked)
    pass(120)
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'expired_token' })
  })
  it('with the proof of a key brings tokens that are bound to it', async () => {
    const key = await aDpopKey()
    const asked = await device.ask()
    await approve(asked)
    const dpop = await key.prove({ url: `${issuer}/token`, now })
    const tokens = await device.poll(asked.device_code, {}, { dpop })
    expect(tokens).toMatchObject({ token_type: 'DPoP' })
    const claims = JSON.parse(Buffer.from(tokens.access_token?.split('.')[1] ?? '', 'base64url').toString())
    expect(claims.cnf).toEqual({ jkt: key.thumbprint })
  })
  it('of policy that has changed since the yes is decided again, in the same poll', async () => {
    const asked = await device.ask({ scope: 'read write' })
    expect(await device.poll(asked.device_code)).toMatchObject({ error: 'authorization_pending' })
    await approve(asked)
    pass(5)
    await publish(fixture, acme, now, `version: 1\nrules: [{name: staff, effect: grant, scopes: ["read"], groups: [staff]}]\n`)
    expect(await device.poll(asked.device_code)).toMatchObject({ scope: 'read' })
    await publish(fixture, acme, now, `version: 1\nrules: [{name: staff, effect: grant, scopes: ["read", "write"], groups: [staff]}]\n`)
  })
})
