/** Limits at the front issuer, where all companies come to one address: what one of them spends there, or a stranger, is not what the others have. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { accessTokenUrn, tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aFrontWorld, aSharedResource, baseOf, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { aBringer, aFrontBringer, type FrontBringer } from '@drawbridge/testkit/a-front-bringer'
import { aFrontGateway, behindIt, type FrontGateway } from '@drawbridge/testkit/a-front-gateway'
import { fromAnotherAddress, statusesOf } from '@drawbridge/testkit/many-addresses'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { limitsAtFront } from './limit-at.js'
import { type RateLimitName, rateLimits } from './rate-limit.js'

const factor = 0.05
const mostOf = (name: RateLimitName): number => rateLimits[name].burst * factor
const television = 'television'
let now: Instant = instant(Date.UTC(2026, 10, 29))
let world: FrontWorld
let idp: FrontBringer
let gateway: FrontGateway
/** A process with limits that a test can reach, beside the one by which everything is set up. */
let limited: TestBroker

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  idp = await aFrontBringer(world, () => now)
  gateway = await aFrontGateway(world)
  const settings = { ...readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' }), rateLimitFactor: factor }
  limited = await aBroker(world.fixture.database, { clock: { now: () => now }, connectorFor: world.idp.connectorFor, settings })
  const client = { clientId: television, name: 'Television', grantTypes: [deviceGrantType] }
  expect((await world.call('POST', '/front-issuer/clients', client)).status).toBe(201)
  for (const path of ['/front-issuer', '/tenants/acme', '/tenants/globex'])
    expect((await world.call('PUT', `${path}/device-grant`, { enabled: true })).status).toBe(200)
  await idp.trust('acme')
})
afterAll(async () => {
  await limited?.close()
  await world?.close()
})
beforeEach(() => {
  now = addSeconds(now, 100_000)
})

const post = (path: string, form: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${limited.url}${path}`, { method: 'POST', body: new URLSearchParams(form), headers: { ...fromAnotherAddress(), ...headers } })
const statuses = async (count: number, ask: () => Promise<Response>): Promise<Readonly<Record<number, number>>> =>
  Object.fromEntries(await statusesOf(count, ask))

it.each(Object.entries(limitsAtFront))('what spends %s at a company spends more at the front, by %s', (own, atFront) => {
  expect(rateLimits[atFront].burst).toBeGreaterThan(rateLimits[own as RateLimitName].burst)
  expect(rateLimits[atFront].perSecond).toBeGreaterThan(rateLimits[own as RateLimitName].perSecond)
})

describe('at the front', () => {
  it('more logins begin than at one company, and none of them is counted at any', async () => {
    const begin = (base: string) => () => fetch(`${limited.url}${base}/authorize?client_id=x`, { headers: fromAnotherAddress() })
    const more = mostOf('tenant_login') + 2
    expect(await statuses(more, begin(''))).toEqual({ 400: more })
    expect(await statuses(mostOf('tenant_login'), begin('/t/acme'))).toEqual({ 400: mostOf('tenant_login') })
    expect((await begin('/t/acme')()).status).toBe(429)
    expect((await begin('')()).status).toBe(400)
  })

  it('devices ask within one limit for all; those that name their company are counted there, too', async () => {
    const ask = (form: Readonly<Record<string, string>>) => () =>
      post('/device_authorization', { client_id: television, resource: aSharedResource, scope: 'read', ...form })
    const named = mostOf('tenant_device_authorization')
    expect(await statuses(named + 2, ask({ tenant: 'acme' }))).toEqual({ 200: named, 429: 2 })
    const left = mostOf('front_device_authorization') - named - 2
    expect(await statuses(1, ask({ tenant: 'globex' }))).toEqual({ 200: 1 })
    expect(await statuses(left, ask({}))).toEqual({ 200: left - 1, 429: 1 })
  })

  it('public clients that poll for what is nobody’s yet are more than those of one company', async () => {
    const poll = () => post('/token', { grant_type: deviceGrantType, device_code: 'dbv_x', client_id: television })
    const more = mostOf('tenant_token') + 2
    expect(await statuses(more, poll)).toEqual({ 400: more })
  })
})

it('a client has a limit at each issuer: one of its name at another spends nothing of it', async () => {
  const ask = (place: Place) => () => {
    const named = place.startsWith('front') ? { tenant: 'acme' } : undefined
    return post(`${baseOf(place)}/token`, { grant_type: 'client_credentials', resource: aSharedResource, ...named }, idp.byItself(place))
  }
  // Each hears that its registration has not the grant type, which is not decided before it is counted.
  await world.call('POST', `/tenants/acme/front-clients/${aBringer}`)
  expect(await statuses(mostOf('client') + 1, ask('front for acme'))).toEqual({ 400: mostOf('client'), 429: 1 })
  expect((await ask('acme')()).status).toBe(400)
  expect((await ask('front for acme')()).status).toBe(429)
})

describe('for one person who is not here', () => {
  const refusal = { error: 'temporarily_unavailable', error_description: oauthErrors['person_limited'].say }
  async function expectLimit(ask: (person: string) => Promise<Response>): Promise<void> {
    const most = mostOf('subject_unattended')
    expect(await statuses(most, () => ask('ada'))).toEqual({ 200: most })
    const refused = await ask('ada')
    expect([refused.status, Number(refused.headers.get('retry-after')), await refused.json()]).toEqual([429, expect.any(Number), refusal])
    expect((await ask('grace')).status).toBe(200)
    now = addSeconds(now, 100)
    expect((await ask('ada')).status).toBe(200)
  }

  it('assertions are limited, whoever brings them; what nobody signed spends nothing', async () => {
    const bring = (assertion: string) =>
      post('/token', { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }, idp.byItself('front for acme'))
    const most = mostOf('subject_unattended')
    const forged = `${(await idp.assertion('front for acme', { sub: 'ada' })).split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`
    expect(await statuses(most + 1, () => bring(forged))).toEqual({ 400: most + 1 })
    await expectLimit(async (person) => bring(await idp.assertion('front for acme', { sub: person })))
  })

  /** The trail is kept for ever. */
  async function expectRefusalsLimited(kind: string, reason: string, ask: () => Promise<Response>): Promise<void> {
    const most = mostOf('subject_unattended')
    const lines = () => rowsOf(world, 'SELECT FROM audit_events WHERE kind = $1 AND reason = $2 AND at = $3', [kind, reason, new Date(now)])
    expect(await statuses(most + 5, ask)).toEqual({ 400: most, 429: 5 })
    expect(await lines()).toHaveLength(most)
  }

  it('assertions that are refused are limited as those that are redeemed, before the trail has a line of them', async () => {
    const assertion = await idp.assertion('front for acme', { sub: 'ada', client_id: 'another' })
    await expectRefusalsLimited('assertion_refused', 'assertion_of_other_client', () =>
      post('/token', { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }, idp.byItself('front for acme')),
    )
  })

  it('exchanges that are refused are limited as those that are allowed, before the trail has a line of them', async () => {
    expect(await gateway.adopt('acme')).toBe(200)
    expect((await gateway.permit('acme', gateway.permission())).status).toBe(200)
    world.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
    const { access_token: token = '' } = await world.tokensAt('front for acme')
    const form = { grant_type: tokenExchangeGrantType, subject_token: token, subject_token_type: accessTokenUrn, resource: behindIt }
    await expectRefusalsLimited('token_exchange_refused', 'scope_widened', () =>
      post('/token', { ...form, scope: 'admin' }, gateway.byItself('front for acme')),
    )
  })

  it('exchanges are limited, by whichever of her tokens', async () => {
    let asked = 0
    expect(await gateway.adopt('acme')).toBe(200)
    expect((await gateway.permit('acme', gateway.permission())).status).toBe(200)
    const tokens: Record<string, string[]> = {}
    for (const person of ['ada', 'grace']) {
      world.idp.says = { sub: person, groups: ['staff'], amr: ['pwd', 'otp'] }
      const [one, other] = [await world.tokensAt('front for acme'), await world.tokensAt('front for acme')]
      tokens[person] = [one, other].map(({ access_token: token = '' }) => token)
    }
    await expectLimit((person) => {
      const subject = { subject_token: tokens[person]?.[(asked += 1) % 2] ?? '', subject_token_type: accessTokenUrn }
      const form = { grant_type: tokenExchangeGrantType, ...subject, resource: behindIt }
      return post('/token', form, gateway.byItself('front for acme'))
    })
  })
})
