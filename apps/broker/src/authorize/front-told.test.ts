/** At the front a client asks to be told of a person before anybody knows whose she is: her own company says what of that is granted, and told. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { answerDevice, typeUserCode } from '@drawbridge/testkit/a-device'
import { aFrontUrl, aFrontWorld, aSharedClient, aSharedResource, basic, companyAt, type FrontWorld } from '@drawbridge/testkit/a-front'
import type { APage, APlainBrowser } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

type Tokens = Readonly<Record<string, string>>
type Place = 'front for acme' | 'front for globex'
const [atAcme, atGlobex] = ['front for acme', 'front for globex'] as const
const asked = 'openid profile email read'
const television = 'television'
let now: Instant = instant(Date.now())
let world: FrontWorld

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  const client = { clientId: television, name: 'Television', grantTypes: [deviceGrantType, 'refresh_token'] }
  expect((await world.call('POST', '/front-issuer/clients', client)).status).toBe(201)
  for (const path of ['/front-issuer', '/tenants/acme', '/tenants/globex'])
    expect((await world.call('PUT', `${path}/device-grant`, { enabled: true })).status).toBe(200)
  world.broker.deps.configuration.invalidate()
})
beforeEach(async () => {
  now = addSeconds(now, 3600)
  await allow('acme', { profile: true, email: true })
  await allow('globex', { profile: false, email: false })
})
afterAll(() => world?.close())

const comeFrom = (place: Place) => {
  world.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'], email: `ada@${companyAt(place)}.example` }
}
async function allow(company: string, told: object): Promise<void> {
  expect((await world.call('PUT', `/tenants/${company}/userinfo`, told)).status).toBe(200)
  world.broker.deps.configuration.invalidate()
}
async function userinfo({ access_token: token = '' }: Tokens): Promise<object> {
  const answer = await fetch(`${world.broker.url}/userinfo`, { headers: { authorization: `Bearer ${token}` } })
  expect(answer.status).toBe(200)
  return (await answer.json()) as object
}

const asClient = () => basic(aSharedClient, world.secretAt(atAcme))
async function byPushedRequest(place: Place): Promise<Tokens> {
  const parameters = new URL(world.authorizeUrl(place, { scope: asked })).searchParams
  const pushed = await world.post('/par', Object.fromEntries(parameters), asClient())
  expect(pushed.status).toBe(201)
  const { request_uri: requestUri = '' } = pushed.body as Tokens
  const browser = world.browser()
  const first = await browser.visit(`${aFrontUrl}/authorize?${new URLSearchParams({ client_id: aSharedClient, request_uri: requestUri })}`)
  const { location } = await walk(browser, first, place)
  return (await world.redeemAt(place, new URL(location).searchParams.get('code') ?? '')).body as Tokens
}
async function byDevice(place: Place): Promise<Tokens> {
  const form = { client_id: television, resource: aSharedResource, scope: asked, login_hint: `ada@${companyAt(place)}.example` }
  const { body } = await world.post('/device_authorization', form)
  const { user_code: userCode = '', device_code: deviceCode = '' } = body as Tokens
  const browser = world.browser()
  await walk(browser, await answerDevice(browser, aFrontUrl, await typeUserCode(browser, aFrontUrl, userCode)), place)
  now = addSeconds(now, 20)
  const polled = await world.post('/token', { grant_type: deviceGrantType, device_code: deviceCode, client_id: television })
  return polled.body as Tokens
}
/** Through every page, up to the client's own. What consent shows that the client will learn is kept. */
let learns: readonly (string | undefined)[] = []
async function walk(browser: APlainBrowser, first: APage, place: Place): Promise<APage> {
  let page = first
  while (page.location.startsWith(aFrontUrl) || page.location.startsWith('https://idp.example/')) {
    const { location } = page
    if (location.includes('/client-notice?')) page = await browser.submit(location, { answer: 'continue' })
    else if (location.includes('/consent?')) {
      const { text } = await browser.visit(location)
      learns = [...text.matchAll(/<li>(your [^<]*)<\/li>/g)].map(([, words]) => words)
      page = await browser.submit(location, { answer: 'allow' })
    } else {
      const company = companyAt(place)
      const state = new URL(location).searchParams.get('state')
      page = await browser.visit(`${aFrontUrl}/t/${company}/oidc/${world[company].connectionId}/callback?code=good&state=${state}`)
    }
  }
  return page
}

const ways: Readonly<Record<string, (place: Place) => Promise<Tokens>>> = {
  'the authorization endpoint': (place) => world.tokensAt(place, { scope: asked }),
  'a pushed request': byPushedRequest,
  'a device': byDevice,
}
describe.each(Object.entries(ways))('what a client asks by %s', (_name, ask) => {
  const by = (place: Place) => {
    comeFrom(place)
    return ask(place)
  }

  it('it is granted and told as the company of the person allows it', async () => {
    const tokens = await by(atAcme)
    expect(tokens['scope']).toBe(asked)
    expect(await userinfo(tokens)).toEqual({ sub: expect.any(String), email: 'ada@acme.example', email_verified: true })
    await allow('acme', { profile: true, email: false })
    expect(await userinfo(tokens)).toEqual({ sub: expect.any(String) })
    expect((await by(atAcme))['scope']).toBe('openid profile read')
  })

  it('it is not by what another company allows', async () => {
    const tokens = await by(atGlobex)
    expect(tokens['scope']).toBe('openid read')
    expect(await userinfo(tokens)).toEqual({ sub: expect.any(String) })
  })
})

it('a person reads what the client will learn of her, and nothing that her company does not let it', async () => {
  const learned = async (place: Place) => {
    comeFrom(place)
    const browser = world.browser()
    await walk(browser, await browser.visit(world.authorizeUrl(place, { scope: asked, prompt: 'consent' })), place)
    return learns
  }
  expect(await learned(atAcme)).toEqual(['your name and what else your company says of you', 'your e-mail address'])
  expect(await learned(atGlobex)).toEqual([])
})

it('metadata says what may be asked for, whatever a company allows', async () => {
  for (const path of ['.well-known/openid-configuration', '.well-known/oauth-authorization-server'])
    expect(await (await fetch(`${world.broker.url}/${path}`)).json()).toMatchObject({
      scopes_supported: ['openid', 'profile', 'email'],
      claims_supported: expect.arrayContaining(['sub', 'tenant', 'name', 'email', 'email_verified']),
    })
})

it('without openid nothing is asked of the issuer', async () => {
  comeFrom(atAcme)
  const { scope } = await world.tokensAt(atAcme, { scope: 'profile email read' })
  expect(scope).toBe('read')
})
