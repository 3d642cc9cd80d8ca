/** How strongly and how lately a person signed in, at the front: asked of the IdP of her own company, held to its policy, and told in tokens of the front. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { createGuard, type Guard } from '@drawbridge/guard/create-guard'
import { aFrontUrl, aFrontWorld, companyAt, type FrontWorld, ofSharedGuard, type Place } from '@drawbridge/testkit/a-front'
import { type APage, type APlainBrowser, publish } from '@drawbridge/testkit/a-login'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const at = 'front for acme'
let now: Instant = instant(Date.now())
let world: FrontWorld
let browser: APlainBrowser

beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
beforeEach(async () => {
  now = addSeconds(now, 10_000)
  browser = world.browser()
  world.idp.started.length = 0
  says('pwd')
  await demand('acme', '')
})
afterAll(() => world?.close())

const says = (...amr: readonly string[]) => {
  world.idp.says = { sub: 'ada', groups: ['staff'], amr }
}
async function demand(company: 'acme' | 'globex', mfa: string): Promise<void> {
  const all = 'rules: [{ name: all, effect: grant, scopes: [read, write], everyone: true }]'
  await publish(world.fixture, world[company], now, `version: 1\n${all}\n${mfa}`)
  world.broker.deps.configuration.invalidate()
}
/** Up to her IdP, or to the client where nothing is asked of her. */
async function ask(place: Place, change: Readonly<Record<string, string>> = {}): Promise<APage> {
  let page = await browser.visit(world.authorizeUrl(place, { scope: 'openid read', ...change }))
  while (page.location.includes('/client-notice?')) page = await browser.submit(page.location, { answer: 'continue' })
  return page
}
async function comeHome(place: Place, left: APage): Promise<APage> {
  const company = companyAt(place)
  const state = new URL(left.location).searchParams.get('state')
  let page = await browser.visit(`${aFrontUrl}/t/${company}/oidc/${world[company].connectionId}/callback?code=good&state=${state}`)
  while (page.location.includes('/consent?')) page = await browser.submit(page.location, { answer: 'allow' })
  return page
}
const isAtIdp = ({ location }: APage): boolean => location.startsWith('https://idp.example/')
const tokensOf = async (place: Place, { location }: APage) =>
  (await world.redeemAt(place, new URL(location).searchParams.get('code') ?? '')).body as Readonly<Record<string, string>>
const claimsOf = async (place: Place, page: APage) => decodeJwt((await tokensOf(place, page))['access_token'] ?? '')

describe('acr_values', () => {
  it('lead a person who is signed in to her own company’s IdP for more, and the token of the front says what was reached', async () => {
    expect((await claimsOf(at, await comeHome(at, await ask(at))))['acr']).not.toBe('multi_factor')
    const left = await ask(at, { acr_values: 'multi_factor' })
    expect(isAtIdp(left)).toBe(true)
    says('pwd', 'otp')
    expect(await claimsOf(at, await comeHome(at, left))).toMatchObject({ iss: aFrontUrl, tenant: 'acme', acr: 'multi_factor' })
    // Now that she has it, nobody asks her again; at the other company she has not been.
    expect(isAtIdp(await ask(at, { acr_values: 'multi_factor' }))).toBe(false)
    expect(isAtIdp(await ask('front for globex', { acr_values: 'multi_factor' }))).toBe(true)
  })

  it('are a wish: whose IdP cannot do more is asked once, and comes on', async () => {
    const home = await comeHome(at, await ask(at, { acr_values: 'multi_factor' }))
    const came = isAtIdp(home) ? await comeHome(at, home) : home
    expect((await claimsOf(at, came))['acr']).not.toBe('multi_factor')
  })
})

it('max_age is of the sign-in at her company: an older one leads to another, also after she has come by the front', async () => {
  await comeHome(at, await ask(at))
  now = addSeconds(now, 301)
  expect(isAtIdp(await ask(at, { max_age: '600' }))).toBe(false)
  const left = await ask(at, { max_age: '300' })
  expect([isAtIdp(left), world.idp.started.at(-1)]).toMatchObject([true, { forceAuthn: true }])
  const { auth_time: authTime } = await claimsOf(at, await comeHome(at, left))
  expect(authTime).toBe(Math.floor(now / 1000))
  const silent = await browser.visit(world.authorizeUrl(at, { scope: 'openid read', max_age: '0', prompt: 'none' }))
  expect(new URL(silent.location).searchParams.get('error')).toBe('login_required')
})

describe('the policy of her company', () => {
  const needsTwo = 'mfa: [{ name: strong, scopes: [read] }]'

  it('demands two factors of her at the front, and of nobody of another company', async () => {
    await demand('acme', needsTwo)
    says('pwd', 'otp')
    expect(await claimsOf(at, await comeHome(at, await ask(at)))).toMatchObject({ scope: 'read', tenant: 'acme' })
    says('pwd')
    browser = world.browser()
    const other = 'front for globex'
    expect(await claimsOf(other, await comeHome(other, await ask(other)))).toMatchObject({ scope: 'read', tenant: 'globex' })
  })

  it('gives nothing where her IdP proves one alone', async () => {
    await demand('acme', needsTwo)
    let page = await comeHome(at, await ask(at))
    if (isAtIdp(page)) page = await comeHome(at, page)
    expect(page.location).not.toContain('code=')
  })

  it('published after she has signed in is asked of her next request', async () => {
    expect((await comeHome(at, await ask(at))).location).toContain('code=')
    await demand('acme', needsTwo)
    const page = await ask(at)
    expect(page.location).not.toContain('code=')
    says('pwd', 'otp')
    expect((await comeHome(at, page)).location).toContain('code=')
  })
})

describe('a resource server that believes the front (RFC 9470)', () => {
  let guard: Guard
  beforeAll(async () => {
    guard = createGuard({
      ...ofSharedGuard(world, () => now),
      toolScopes: { search: ['read'], pay: ['read'], sign: ['read'] },
      toolAuthentication: { pay: { acrValues: ['multi_factor'] }, sign: { maxAgeSeconds: 300 } },
      onDeaf: 'introspect',
    })
    await guard.start()
  })
  afterAll(() => guard.stop())

  const call = async (tool: string, token: string | undefined) => {
    const verdict = await guard.check(`Bearer ${token}`, guard.toolScopes[tool], guard.toolAuthentication[tool])
    return verdict.ok ? 'served' : String(verdict.error.headers['WWW-Authenticate'])
  }
  /** What a client does with the challenge: §4. */
  const wishOf = (challenge: string): Record<string, string> => {
    expect(challenge).toContain('error="insufficient_user_authentication"')
    return Object.fromEntries([...challenge.matchAll(/(acr_values|max_age)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]))
  }
  const tokenOf = async (page: APage) => (await tokensOf(at, page))['access_token']

  it('leads a person whose sign-in is too weak to her own company’s IdP and back, and serves her then', async () => {
    const weak = await tokenOf(await comeHome(at, await ask(at)))
    expect(await call('search', weak)).toBe('served')
    const left = await ask(at, wishOf(await call('pay', weak)))
    expect(isAtIdp(left)).toBe(true)
    says('pwd', 'otp')
    expect(await call('pay', await tokenOf(await comeHome(at, left)))).toBe('served')
  })

  it('leads her there for a fresh sign-in where hers is too long ago', async () => {
    const first = await tokenOf(await comeHome(at, await ask(at)))
    expect(await call('sign', first)).toBe('served')
    now = addSeconds(now, 301)
    const left = await ask(at, wishOf(await call('sign', first)))
    expect([isAtIdp(left), world.idp.started.at(-1)]).toMatchObject([true, { forceAuthn: true }])
    expect(await call('sign', await tokenOf(await comeHome(at, left)))).toBe('served')
  })
})
