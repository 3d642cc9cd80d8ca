/** A person signs out at the front issuer: at once by the ID token of her session there, else after she was asked of which company; and of no other. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aFrontUrl, aFrontWorld, aSharedClient, companyAt, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { type APlainBrowser, hidden } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const bye = 'https://client.example/bye'
let now: Instant = instant(Date.now())
let world: FrontWorld
let browser: APlainBrowser

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  // What a client says of itself follows to its copies.
  await rowsOf(
    world,
    "UPDATE clients SET post_logout_redirect_uris = $1 FROM issuers i WHERE i.id = clients.issuer_id AND i.kind = 'front'",
    [[bye]],
  )
})
afterAll(() => world?.close())
beforeEach(() => {
  now = addSeconds(now, 5)
  browser = world.browser()
  world.idp.says = { sub: 'ada', sid: `s-${now}`, groups: ['staff'], amr: ['pwd', 'otp'] }
  world.idp.offersLogout = false
  world.idp.left.length = 0
})

type Said = Readonly<Record<string, string>>
const hintAt = async (place: Place, at = browser): Promise<string> => {
  const code = (await world.signIn(place, { scope: 'openid read' }, at)).searchParams.get('code') ?? ''
  return String((await world.redeemAt(place, code)).body['id_token'])
}
const lead = (asks: Said, at = browser) => at.visit(`${aFrontUrl}/logout?${new URLSearchParams(asks)}`)
const isSignedIn = async (place: Place, at = browser): Promise<boolean> =>
  new URL((await at.visit(world.authorizeUrl(place, { prompt: 'none' }))).location).searchParams.get('error') !== 'login_required'
const livingGrantsOf = async (company: 'acme' | 'globex') =>
  (await rowsOf(world, 'SELECT 1 FROM grants WHERE tenant_id = $1 AND revoked_at IS NULL', [world[company].tenantId])).length
/** All that the form of a page would post. */
const fieldsOf = (page: string): Record<string, string> =>
  Object.fromEntries([...page.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name as string, value as string]))
const linksOf = (page: string): readonly string[] =>
  [...page.matchAll(/<a href="([^"]+)"/g)].map(([, address]) => (address as string).replaceAll('&amp;', '&'))

it('the metadata names the address', async () => {
  const metadata = (await (await fetch(`${world.broker.url}/.well-known/openid-configuration`)).json()) as Said
  expect(metadata['end_session_endpoint']).toBe(`${aFrontUrl}/logout`)
})

describe('with the ID token of this very session', () => {
  it('she is signed out at once, of what was granted too, and sent to where the client registered', async () => {
    const hint = await hintAt('front for acme')
    expect(await livingGrantsOf('acme')).toBeGreaterThan(0)
    const gone = await lead({ id_token_hint: hint, post_logout_redirect_uri: bye, state: 'a b' })
    expect(gone.location).toBe(`${bye}?state=a+b`)
    expect([await isSignedIn('front for acme'), await livingGrantsOf('acme')]).toEqual([false, 0])
  })

  it('she is led to her IdP first where that offers it, and on from there to what the client of the front registered', async () => {
    world.idp.offersLogout = true
    const hint = await hintAt('front for acme')
    const left = await lead({ id_token_hint: hint, post_logout_redirect_uri: bye, state: 's' })
    expect(left.location).toMatch(/^https:\/\/idp\.example\/logout\?state=/)
    const done = `${aFrontUrl}/t/acme/logout/done`
    expect(world.idp.left[0]).toMatchObject({ returnUrl: done, idpSession: { subject: { sub: 'ada' } } })
    expect((await browser.visit(`${done}${new URL(left.location).search}`)).location).toBe(`${bye}?state=s`)
    expect(await isSignedIn('front for acme')).toBe(false)
  })

  it('she is signed out at her company’s own issuer, too', async () => {
    await world.signIn('acme', {}, browser)
    const hint = await hintAt('front for acme')
    await lead({ id_token_hint: hint })
    expect([await isSignedIn('acme'), await isSignedIn('front for acme')]).toEqual([false, false])
  })

  it('her sessions of another company live on', async () => {
    await world.signIn('front for globex', {}, browser)
    const hint = await hintAt('front for acme')
    expect(await lead({ id_token_hint: hint })).toMatchObject({ status: 200, text: expect.stringContaining('You are signed out') })
    expect([await isSignedIn('front for acme'), await isSignedIn('front for globex')]).toEqual([false, true])
  })

  it('an application may post it', async () => {
    const hint = await hintAt('front for acme')
    const posted = await browser.visit(`${aFrontUrl}/logout`, { id_token_hint: hint, post_logout_redirect_uri: bye })
    expect(posted.status).toBe(303)
    expect((await browser.visit(posted.location)).location).toBe(bye)
    expect(await isSignedIn('front for acme')).toBe(false)
  })

  it('whoever is there under no name any more is sent on', async () => {
    const hint = await hintAt('front for acme')
    const nobody = world.browser()
    expect((await lead({ id_token_hint: hint, post_logout_redirect_uri: bye }, nobody)).location).toBe(bye)
    expect(await isSignedIn('front for acme')).toBe(true)
  })
})

describe('without a hint', () => {
  it('the one session of this browser says whose it is: she is asked, and nothing has ended', async () => {
    await world.signIn('front for acme', {}, browser)
    const page = await lead({ client_id: aSharedClient, post_logout_redirect_uri: bye })
    expect(page.text).toContain(`Sign out of ${await nameOf('acme')}?`)
    expect(page.text).toContain('<strong>client.example</strong>')
    expect(await isSignedIn('front for acme')).toBe(true)
    const done = await browser.visit(`${aFrontUrl}/logout`, fieldsOf(page.text))
    expect([done.location, await isSignedIn('front for acme')]).toEqual([bye, false])
  })

  it('of several she chooses one, is asked, and loses that one alone', async () => {
    for (const place of ['front for acme', 'front for globex'] as const) await world.signIn(place, {}, browser)
    const asks = { client_id: aSharedClient, post_logout_redirect_uri: bye, state: 's' }
    const choice = await lead({ ...asks, id_token_hint: 'none.of.ours' })
    for (const company of ['acme', 'globex'] as const) expect(choice.text).toContain(await nameOf(company))
    expect(hidden(choice.text, 'proof')).toBe('')
    const links = linksOf(choice.text)
    expect(links).toEqual(['acme', 'globex'].map((tenant) => `${aFrontUrl}/logout?${new URLSearchParams({ ...asks, tenant })}`))
    const page = await browser.visit(links[1] as string)
    expect(page.text).toContain(`Sign out of ${await nameOf('globex')}?`)
    expect([await isSignedIn('front for acme'), await isSignedIn('front for globex')]).toEqual([true, true])
    expect((await browser.visit(`${aFrontUrl}/logout`, fieldsOf(page.text))).location).toBe(`${bye}?state=s`)
    expect([await isSignedIn('front for acme'), await isSignedIn('front for globex')]).toEqual([true, false])
  })

  it('sessions that are over are none: she is asked of the living one', async () => {
    for (const place of ['front for acme', 'front for globex'] as const) await world.signIn(place, {}, browser)
    await rowsOf(world, 'UPDATE browser_sessions SET ended_at = now() WHERE tenant_id = $1', [world.globex.tenantId])
    const led = await lead({ client_id: aSharedClient })
    expect(led.location).toBe(`${aFrontUrl}/logout?${new URLSearchParams({ client_id: aSharedClient, tenant: 'acme' })}`)
    expect((await browser.visit(led.location)).text).toContain(`Sign out of ${await nameOf('acme')}?`)
  })

  it.each<[string, Said]>([
    ['nothing', {}],
    ['a client', { client_id: aSharedClient, post_logout_redirect_uri: bye }],
    ['a tenant that there is not', { tenant: 'nobody' }],
    ['a tenant without a name', { tenant: '' }],
    ['the vendor', { tenant: 'vendor' }],
    ['an ID token of nobody', { id_token_hint: `a.${Buffer.from('{"tenant":"nobody"}').toString('base64url')}.c` }],
  ])('whoever is signed in nowhere reads so, whether she says %s', async (_what, asks) => {
    const page = await lead(asks)
    expect([page.status, page.location]).toEqual([200, ''])
    expect(page.text).toContain('You are signed out')
    expect((await browser.visit(`${aFrontUrl}/logout`, {})).text).toContain('You are signed out')
  })
})

describe('what says nothing here', () => {
  it.each<[string, Place]>([
    ['of her session at her company’s own issuer', 'acme'],
    ['of another company’s issuer', 'globex'],
    ['of an earlier session at the front', 'front for acme'],
  ])('an ID token %s is no hint: she is asked', async (_what, place) => {
    const hint = await hintAt(place, place === 'acme' ? browser : world.browser())
    await world.signIn('front for acme', {}, browser)
    const page = await lead({ id_token_hint: hint, tenant: 'acme' })
    // It names its tenant, and of that one this browser has no session here.
    if (companyAt(place) === 'acme') expect(page.text).toContain(`Sign out of ${await nameOf('acme')}?`)
    expect(await isSignedIn('front for acme')).toBe(true)
  })

  it('an ID token of one company ends no session of another', async () => {
    const hint = await hintAt('front for globex', world.browser())
    await world.signIn('front for acme', {}, browser)
    await lead({ id_token_hint: hint, tenant: 'acme' })
    expect(await isSignedIn('front for acme')).toBe(true)
  })

  it('the proof of a page is worth nothing for another company, at the company’s own issuer, or for another address', async () => {
    for (const place of ['front for acme', 'front for globex', 'acme'] as const) await world.signIn(place, {}, browser)
    const shown = fieldsOf((await lead({ tenant: 'acme' })).text)
    expect(shown).toMatchObject({ tenant: 'acme', proof: expect.any(String) })
    const own = fieldsOf((await browser.visit(`${aFrontUrl}/t/acme/logout`)).text)
    for (const [path, form] of [
      ['/logout', { ...shown, tenant: 'globex' }],
      ['/logout', { ...shown, client_id: aSharedClient, post_logout_redirect_uri: bye }],
      ['/logout', { ...own, tenant: 'acme' }],
      ['/t/acme/logout', shown],
    ] as const)
      expect((await browser.visit(`${aFrontUrl}${path}`, form)).text).toContain('step_proof_invalid')
    expect(await Promise.all((['front for acme', 'front for globex', 'acme'] as const).map((place) => isSignedIn(place)))).toEqual([
      true,
      true,
      true,
    ])
  })

  it.each<[string, string]>([
    ['that was never registered', 'https://evil.example/'],
    ['that the client of the same name registered at the company’s own issuer', 'https://client.example/own'],
  ])('an address %s leads nowhere, though she is signed out', async (_what, to) => {
    await rowsOf(
      world,
      "UPDATE clients SET post_logout_redirect_uris = '{https://client.example/own}' FROM issuers i WHERE i.id = clients.issuer_id AND i.kind = 'tenant'",
    )
    const hint = await hintAt('front for acme')
    const gone = await lead({ id_token_hint: hint, post_logout_redirect_uri: to })
    expect([gone.status, gone.location, await isSignedIn('front for acme')]).toEqual([200, '', false])
  })

  it('nor does one of a client that this tenant has blocked', async () => {
    const hint = await hintAt('front for globex')
    await rowsOf(world, 'UPDATE clients SET blocked_at = now() WHERE tenant_id = $1', [world.globex.tenantId])
    const gone = await lead({ id_token_hint: hint, post_logout_redirect_uri: bye })
    expect([gone.status, gone.location]).toEqual([200, ''])
    await rowsOf(world, 'UPDATE clients SET blocked_at = NULL WHERE tenant_id = $1', [world.globex.tenantId])
  })

  it('the ID token of another client', async () => {
    const hint = await hintAt('front for acme')
    const refused = await lead({ id_token_hint: hint, client_id: 'another' })
    expect([refused.status, refused.text.includes('sign_out_of_other_client')]).toEqual([400, true])
    expect(await isSignedIn('front for acme')).toBe(true)
  })
})

it('a suspended company’s sessions are ended by nobody, as at its own issuer', async () => {
  await world.signIn('front for acme', {}, browser)
  await rowsOf(world, 'UPDATE tenants SET suspended_at = now() WHERE id = $1', [world.acme.tenantId])
  world.broker.deps.configuration.invalidate()
  const refused = await Promise.all([lead({}), browser.visit(`${aFrontUrl}/t/acme/logout`)])
  await rowsOf(world, 'UPDATE tenants SET suspended_at = NULL WHERE id = $1', [world.acme.tenantId])
  world.broker.deps.configuration.invalidate()
  expect(refused[0].status).toBe(refused[1].status)
  expect(refused[0].status).not.toBe(200)
})

async function nameOf(company: 'acme' | 'globex'): Promise<string> {
  const [row] = await rowsOf<{ name: string }>(world, 'SELECT name FROM tenants WHERE id = $1', [world[company].tenantId])
  return String(row?.name)
}
