/** Devices at the front issuer: a code is given before anybody knows whose it is, a person says so elsewhere, and from then on it is one tenant's. RFC 8628, ADR 91. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { userCodeGuesses } from '@drawbridge/core/oauth/user-code'
import { answerDevice, type DeviceAsked, type Polled, typeUserCode } from '@drawbridge/testkit/a-device'
import { aFrontUrl, aFrontWorld, aSharedResource, baseOf, basic, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import type { APage, APlainBrowser } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
let browser: APlainBrowser
let count = 0
/** Registered by the vendor at the front, another one in each test. */
let television = ''

const companies = ['acme', 'globex'] as const
type Company = (typeof companies)[number]
type Form = Readonly<Record<string, string>>

beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world?.close())
beforeEach(async () => {
  now = addSeconds(now, 3600)
  world.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  browser = world.browser()
  await letDevicesAsk('/front-issuer', true)
  for (const slug of companies) await letDevicesAsk(`/tenants/${slug}`, true)
  television = await registered()
})

async function letDevicesAsk(path: string, enabled: boolean): Promise<void> {
  expect((await world.call('PUT', `${path}/device-grant`, { enabled })).status).toBe(200)
  world.broker.deps.configuration.invalidate()
}
async function registered(over: object = {}): Promise<string> {
  const client = { clientId: `television-${(count += 1)}`, name: 'Television', grantTypes: [deviceGrantType, 'refresh_token'], ...over }
  const { status, body } = await world.call('POST', '/front-issuer/clients', client)
  expect(status).toBe(201)
  return body.clientId
}
const tryToAsk = (form: Form = {}, at = '') =>
  world.post(`${at}/device_authorization`, { client_id: television, resource: aSharedResource, scope: 'read', ...form })
async function ask(form?: Form): Promise<DeviceAsked> {
  const { status, body } = await tryToAsk(form)
  expect({ status, body }).toMatchObject({ status: 200 })
  return body as unknown as DeviceAsked
}
/** Whatever interval it was told. */
const pollEverySeconds = 20
async function poll(asked: DeviceAsked, form: Form = {}, at = ''): Promise<Polled> {
  now = addSeconds(now, pollEverySeconds)
  const answered = await world.post(`${at}/token`, {
    grant_type: deviceGrantType,
    device_code: asked.device_code,
    client_id: television,
    ...form,
  })
  return answered.body as Polled
}
const refusedAs = (reason: keyof typeof oauthErrors) => ({
  error: 'code' in oauthErrors[reason] ? oauthErrors[reason].code : '',
  error_description: oauthErrors[reason].say,
})
/** She types the code and says that the device is hers. */
const take = async (asked: DeviceAsked, at = browser): Promise<APage> =>
  answerDevice(at, aFrontUrl, await typeUserCode(at, aFrontUrl, asked.user_code))
const connectionOf = (company: Company) => world[company].connectionId

const mostSteps = 8
/** Through every page, until one is the last or `until` is next. */
async function walk(
  first: APage,
  { company, at = browser, consent = 'allow', until }: { company: Company; at?: APlainBrowser; consent?: string; until?: string },
): Promise<APage> {
  let page = first
  for (let step = 0; step < mostSteps; step += 1) {
    const { location } = page
    if (location === '' || (until !== undefined && location.includes(until))) return page
    if (location.includes('/choose-tenant?')) page = await at.submit(location, { organisation: `ada@${company}.example` })
    else if (location.includes('/client-notice?')) page = await at.submit(location, { answer: 'continue' })
    else if (location.includes('/consent?')) page = await at.submit(location, { answer: consent })
    else {
      const state = new URL(location).searchParams.get('state')
      page = await at.visit(`${aFrontUrl}/t/${company}/oidc/${connectionOf(company)}/callback?code=good&state=${state}`)
    }
  }
  throw new Error('she was led on and on')
}
const approve = async (asked: DeviceAsked, company: Company = 'acme') => walk(await take(asked), { company })
const claimsOf = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
const isActive = async (token = '') => (await world.introspectAt('front for acme', token)).body['active']
const copiesOf = (client: string) =>
  rowsOf(
    world,
    "SELECT t.slug FROM clients c JOIN tenants t ON t.id = c.tenant_id WHERE c.client_id = $1 AND t.slug <> 'vendor' ORDER BY 1",
    [client],
  )

describe('a device at the front', () => {
  it('gets its tokens once a person has typed its code, said where she works, signed in there and said yes', async () => {
    const asked = await ask({ scope: 'openid read' })
    expect(asked).toMatchObject({
      verification_uri: `${aFrontUrl}/device`,
      verification_uri_complete: `${aFrontUrl}/device?user_code=${asked.user_code}`,
    })
    expect(await poll(asked)).toEqual(refusedAs('device_pending'))
    const shown = await typeUserCode(browser, aFrontUrl, asked.user_code)
    for (const said of [asked.user_code, 'Television', 'If somebody sent you the code']) expect(shown.text).toContain(said)
    expect(shown.text).not.toContain('You sign in at')
    const next = await answerDevice(browser, aFrontUrl, shown)
    expect(next.location).toContain('/authorize/choose-tenant?')
    expect(await poll(asked)).toEqual(refusedAs('device_pending'))
    const atConsent = await walk(next, { company: 'acme', until: '/consent?' })
    expect(await poll(asked)).toEqual(refusedAs('device_pending'))
    expect((await walk(atConsent, { company: 'acme' })).text).toContain('You can go back to your device')
    const tokens = await poll(asked)
    expect(tokens).toMatchObject({ token_type: 'Bearer', scope: 'openid read', refresh_token: expect.stringMatching(/^dbr_acme\./) })
    for (const token of [tokens.access_token, tokens.id_token]) expect(claimsOf(token)).toMatchObject({ iss: aFrontUrl, tenant: 'acme' })
    expect(await isActive(tokens.access_token)).toBe(true)
    const refreshed = await world.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token ?? '',
      client_id: television,
    })
    expect(refreshed.status).toBe(200)
    expect(await copiesOf(television)).toEqual([{ slug: 'acme' }])
    const opened = await rowsOf(
      world,
      "SELECT detail->'device' IS NOT NULL AS is_told FROM audit_events WHERE kind = 'grant_opened' ORDER BY id DESC LIMIT 1",
    )
    expect(opened).toEqual([{ is_told: true }])
  })

  it.each([
    ['acme', 'write'],
    ['globex', 'read'],
  ] as const)('that names no scope gets at %s what that company gives by default: %s', async (company, scope) => {
    const sharedResources = [{ identifier: aSharedResource, scopes: ['write'] }]
    await world.call('PUT', '/tenants/acme/default-scopes', { sharedResources })
    const asked = await ask({ scope: '' })
    await approve(asked, company)
    expect(await poll(asked)).toMatchObject({ scope })
  })

  it('that names its company by `tenant` has the person asked for none, and shown which it is', async () => {
    const asked = await ask({ tenant: 'globex' })
    expect(await copiesOf(television)).toEqual([])
    const shown = await typeUserCode(browser, aFrontUrl, asked.user_code)
    expect(shown.text).toContain('You sign in at')
    const next = await answerDevice(browser, aFrontUrl, shown)
    expect(next.location).not.toContain('choose-tenant')
    expect((await walk(next, { company: 'globex' })).text).toContain('You can go back to your device')
    expect(await poll(asked, { tenant: 'acme' })).toEqual(refusedAs('tenant_parameter_unfit'))
    expect(claimsOf((await poll(asked, { tenant: 'globex' })).access_token)).toMatchObject({ tenant: 'globex' })
  })

  it('goes on polling though it names its company in each poll', async () => {
    const asked = await ask({ tenant: 'acme' })
    expect(await poll(asked, { tenant: 'acme' })).toEqual(refusedAs('device_pending'))
  })

  it('that hands on the address of its person leads her to her company; one that leads nowhere is asked about', async () => {
    const led = await take(await ask({ login_hint: 'ada@acme.example' }))
    expect(led.location).not.toContain('choose-tenant')
    const asked = await take(await ask({ login_hint: 'ada@nowhere.example' }), world.browser())
    expect(asked.location).toContain('/authorize/choose-tenant?')
  })

  it('that names nobody, or a company whose people may not answer devices, is told so at once', async () => {
    for (const tenant of ['nobody', 'vendor', 'ACME'])
      expect((await tryToAsk({ tenant })).body).toEqual(refusedAs('tenant_parameter_unfit'))
    await letDevicesAsk('/tenants/acme', false)
    expect((await tryToAsk({ tenant: 'acme' })).body).toEqual(refusedAs('device_grant_off'))
    expect((await tryToAsk({ tenant: 'globex' })).status).toBe(200)
    expect((await tryToAsk({ tenant: 'globex' }, '/t/acme')).body).toEqual(refusedAs('device_grant_off'))
    await letDevicesAsk('/tenants/acme', true)
    expect((await tryToAsk({ tenant: 'globex' }, '/t/acme')).body).toEqual(refusedAs('tenant_parameter_unfit'))
  })

  it('is told to slow down by the interval that it had before it became a company’s, too', async () => {
    const asked = await ask()
    expect(await poll(asked)).toEqual(refusedAs('device_pending'))
    const early = async () => {
      now = addSeconds(now, -pollEverySeconds)
      return poll(asked)
    }
    expect(await early()).toEqual(refusedAs('device_polled_early'))
    await walk(await take(asked), { company: 'acme', until: '/consent?' })
    expect(await early()).toEqual(refusedAs('device_polled_early'))
    expect(await poll(asked)).toEqual(refusedAs('device_pending'))
  })
})

describe('whether devices may ask', () => {
  it('the vendor says for the front: until then, and afterwards, there is nothing', async () => {
    const metadata = async () =>
      (await (await fetch(`${world.broker.url}/.well-known/oauth-authorization-server`)).json()) as Record<string, unknown>
    expect(await metadata()).toMatchObject({ device_authorization_endpoint: `${aFrontUrl}/device_authorization` })
    const waits = await ask()
    const approved = await ask()
    await approve(approved)
    await letDevicesAsk('/front-issuer', false)
    expect(await metadata()).not.toHaveProperty('device_authorization_endpoint')
    expect((await tryToAsk()).body).toEqual(refusedAs('device_grant_off'))
    for (const asked of [waits, approved]) expect(await poll(asked)).toEqual(refusedAs('device_grant_off'))
    expect((await browser.visit(`${aFrontUrl}/device`)).text).toContain('device_page_off')
  })

  it('each company says for its people: at another one she may go on', async () => {
    await letDevicesAsk('/tenants/acme', false)
    const asked = await ask()
    const next = await take(asked)
    const refused = await browser.submit(next.location, { organisation: 'acme' })
    expect(refused.text).toContain('device_page_off')
    expect(await copiesOf(television)).toEqual([])
    expect(await poll(asked)).toEqual(refusedAs('device_pending'))
    expect((await walk(next, { company: 'globex' })).text).toContain('You can go back to your device')
    expect(claimsOf((await poll(asked)).access_token)).toMatchObject({ tenant: 'globex' })
  })

  it('and switched off at the company after she has said yes nothing is given', async () => {
    const asked = await ask()
    await approve(asked)
    await letDevicesAsk('/tenants/acme', false)
    expect(await poll(asked)).toEqual(refusedAs('device_grant_off'))
  })
})

describe('a device becomes one company’s', () => {
  it('once, whoever else has typed its code', async () => {
    const asked = await ask()
    const [one, other] = [world.browser(), world.browser()]
    const [mine, theirs] = [await take(asked, one), await take(asked, other)]
    const atConsent = await walk(mine, { company: 'acme', at: one, until: '/consent?' })
    const late = await other.submit(theirs.location, { organisation: 'globex' })
    expect(late.text).toContain('request_expired')
    expect(
      await rowsOf(world, 'SELECT t.slug FROM device_codes d JOIN tenants t ON t.id = d.tenant_id WHERE d.client_id = $1 ORDER BY 1', [
        television,
      ]),
    ).toEqual([{ slug: 'acme' }, { slug: 'vendor' }])
    await walk(atConsent, { company: 'acme', at: one })
    expect(claimsOf((await poll(asked)).access_token)).toMatchObject({ tenant: 'acme' })
  })

  it('and of two who say so at the same moment one does', async () => {
    const asked = await ask()
    const both = await Promise.all(companies.map(async (company) => ({ company, at: world.browser() })))
    const taken: APage[] = []
    for (const { at } of both) taken.push(await take(asked, at))
    const ends = await Promise.all(both.map(({ company, at }, each) => at.submit(taken[each]?.location ?? '', { organisation: company })))
    expect(ends.filter(({ text }) => text.includes('request_expired'))).toHaveLength(1)
    expect(
      await rowsOf(
        world,
        "SELECT 1 FROM device_codes d JOIN tenants t ON t.id = d.tenant_id WHERE d.client_id = $1 AND t.slug <> 'vendor'",
        [television],
      ),
    ).toHaveLength(1)
  })

  it('and its code is shown by nobody any more, there or at the front', async () => {
    const asked = await ask()
    await walk(await take(asked), { company: 'acme', until: '/consent?' })
    for (const issuer of [aFrontUrl, `${aFrontUrl}/t/acme`, `${aFrontUrl}/t/globex`])
      expect((await typeUserCode(world.browser(), issuer, asked.user_code)).text).toContain(oauthErrors.user_code_unknown.say)
  })
})

describe('a no', () => {
  it('on the page of the code, and on the page of consent, is heard', async () => {
    const [stopped, denied] = [await ask(), await ask()]
    await answerDevice(browser, aFrontUrl, await typeUserCode(browser, aFrontUrl, stopped.user_code), 'stop')
    expect(await poll(stopped)).toEqual(refusedAs('device_denied'))
    const end = await walk(await take(denied), { company: 'acme', consent: 'deny' })
    expect(end.text).toContain('The device gets no access')
    expect(await poll(denied)).toEqual(refusedAs('device_denied'))
  })

  it('of her company’s policy, too', async () => {
    world.idp.says = { sub: 'eve', groups: ['nobody'], amr: ['pwd'] }
    const asked = await ask()
    await walk(await take(asked), { company: 'acme' })
    expect(await poll(asked)).toEqual(refusedAs('device_denied'))
  })
})

describe('what one issuer gave, at another', () => {
  const ofTenant = async (slug: Company): Promise<DeviceAsked> => {
    await world.call('POST', `/tenants/${slug}/clients`, { clientId: television, name: 'Television', grantTypes: [deviceGrantType] })
    const { status, body } = await tryToAsk({}, `/t/${slug}`)
    expect(status).toBe(200)
    return body as unknown as DeviceAsked
  }
  const elsewhere = ['acme', 'globex'] as const satisfies readonly Place[]

  it.each(elsewhere)('a device code of the front is none of %s’s, before and after it has become acme’s', async (slug) => {
    await ofTenant(slug)
    const asked = await ask()
    for (const _stage of ['nobody’s', 'acme’s']) {
      expect(await poll(asked, {}, baseOf(slug))).toEqual(refusedAs('device_code_unknown'))
      await approve(asked).catch(() => undefined)
    }
    expect(await poll(asked)).toHaveProperty('access_token')
  })

  it.each(elsewhere)('a device code of %s is none of the front’s, nor its user code one of the page there', async (slug) => {
    const own = await ofTenant(slug)
    expect(await poll(own)).toEqual(refusedAs('device_code_unknown'))
    expect((await typeUserCode(browser, aFrontUrl, own.user_code)).text).toContain(oauthErrors.user_code_unknown.say)
    expect(await poll(own, {}, baseOf(slug))).toEqual(refusedAs('device_pending'))
  })

  it('a user code of the front is none of a company’s page', async () => {
    const asked = await ask({ tenant: 'acme' })
    for (const slug of companies)
      expect((await typeUserCode(world.browser(), `${aFrontUrl}/t/${slug}`, asked.user_code)).text).toContain(
        oauthErrors.user_code_unknown.say,
      )
    expect(await poll(asked)).toEqual(refusedAs('device_pending'))
  })

  it('of another client of the front nobody polls', async () => {
    const other = await registered()
    const [waits, approved] = [await ask(), await ask()]
    await approve(approved)
    for (const asked of [waits, approved]) expect(await poll(asked, { client_id: other })).toEqual(refusedAs('device_code_of_other_client'))
    const secret = basic(other, 'x')
    expect((await world.post('/token', { grant_type: deviceGrantType, device_code: waits.device_code }, secret)).status).toBe(401)
  })

  it('used twice, the grant is revoked', async () => {
    const asked = await ask()
    await approve(asked)
    const { access_token: token } = await poll(asked)
    expect(await poll(asked)).toEqual(refusedAs('code_replayed'))
    expect(await isActive(token)).toBe(false)
  })
})

describe('what ends it', () => {
  const kill = (path: string) => world.call('POST', path, { reason: 'a test' })
  const ends: Readonly<Record<string, () => Promise<unknown>>> = {
    'the vendor’s kill of the client': () => kill(`/front-issuer/clients/${television}/kill`),
    'the company’s kill of the client': () => kill(`/tenants/acme/clients/${television}/kill`),
  }

  it.each(Object.entries(ends))('%s: what waits for her, what she has said yes to, and what was given', async (_how, end) => {
    const [busy, approved, given] = [await ask(), await ask(), await ask()]
    for (const asked of [approved, given]) await approve(asked)
    const { access_token: token } = await poll(given)
    const atConsent = await walk(await take(busy, browser), { company: 'acme', until: '/consent?' })
    await end()
    expect(await isActive(token)).toBe(false)
    for (const asked of [busy, approved]) expect(['invalid_client', 'invalid_grant']).toContain((await poll(asked)).error)
    expect((await walk(atConsent, { company: 'acme' })).text).not.toContain('You can go back to your device')
  })

  it('the vendor’s kill of the client: what is nobody’s yet', async () => {
    const asked = await ask()
    const next = await take(asked)
    await kill(`/front-issuer/clients/${television}/kill`)
    await world.call('PATCH', `/front-issuer/clients/${television}`, { blocked: false })
    expect(await poll(asked)).toEqual(refusedAs('device_code_below_barrier'))
    expect((await walk(next, { company: 'acme' })).text).toMatch(/request_(?:expired|not_of_browser)/)
    expect((await typeUserCode(world.browser(), aFrontUrl, asked.user_code)).text).toContain(oauthErrors.user_code_unknown.say)
  })

  it('the end of its person: what she has said yes to, and what was given', async () => {
    const [approved, given] = [await ask(), await ask()]
    for (const asked of [approved, given]) await approve(asked)
    const { access_token: token } = await poll(given)
    expect((await kill(`/tenants/acme/subjects/${String(claimsOf(token)['sub'])}/kill`)).status).toBeLessThan(300)
    expect(await isActive(token)).toBe(false)
    expect((await poll(approved)).error).toBe('invalid_grant')
  })
})

it('codes that no device shows lock the address that types them, and, from many addresses, the page', async () => {
  const wrong = (at: APlainBrowser) => typeUserCode(at, aFrontUrl, 'BBBB-BBBB')
  for (let guess = 0; guess < userCodeGuesses.mostWrongOfAddress; guess += 1)
    expect((await wrong(browser)).status).toBe(oauthErrors.user_code_unknown.status)
  expect((await wrong(browser)).status).toBe(oauthErrors.user_codes_locked.status)
  const [together] = await rowsOf<{ wrong: number }>(
    world,
    "SELECT wrong FROM user_code_guesses g JOIN tenants t ON t.id = g.tenant_id WHERE t.slug = 'vendor' AND guesser = '*'",
  )
  expect(together?.wrong).toBeGreaterThan(0)
  now = addSeconds(now, userCodeGuesses.lockSeconds)
  await rowsOf(world, "UPDATE user_code_guesses SET wrong = $1, expires_at = $2 WHERE guesser = '*'", [
    userCodeGuesses.mostWrongAtFront,
    new Date(addSeconds(now, 60)),
  ])
  expect((await wrong(browser)).status).toBe(oauthErrors.user_codes_locked.status)
})
