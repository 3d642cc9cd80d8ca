/** What the vendor demands at the front issuer, beside what each tenant demands there, and nowhere else. ADR 100 */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { aFrontUrl, aFrontWorld, aSharedClient, baseOf, basic, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { aFrontBringer, type FrontBringer } from '@drawbridge/testkit/a-front-bringer'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const at = 'front for acme'
let now: Instant = instant(Date.now())
let world: FrontWorld
let idp: FrontBringer

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  idp = await aFrontBringer(world, () => now)
  for (const company of ['acme', 'globex'] as const) await idp.trust(company)
  for (const company of ['acme', 'globex']) await world.call('POST', `/tenants/${company}/front-clients/bringer`)
})
beforeEach(async () => {
  now = addSeconds(now, 3600)
  for (const place of ['/front-issuer', '/tenants/acme']) {
    await choose(`${place}/pushed-requests`, { required: false })
    await choose(`${place}/dpop`, nothing)
  }
})
afterAll(() => world?.close())

const nothing = { boundTokensDemanded: false, nonceDemanded: false }
async function choose(path: string, chosen: object): Promise<void> {
  expect((await world.call('PUT', path, chosen)).status).toBe(200)
  expect((await world.call('GET', path)).body).toEqual(chosen)
}
const metadata = async (base = '') =>
  (await (await fetch(`${world.broker.url}${base}/.well-known/openid-configuration`)).json()) as Readonly<Record<string, unknown>>
const saysOf = (reason: keyof typeof oauthErrors) => ({ body: { error_description: oauthErrors[reason].say } })

describe('pushed requests', () => {
  const asked = async (place: Place) => (await world.browser().visit(world.authorizeUrl(place))).location
  const refused = expect.stringContaining(`${aWebRedirectUri}?error=invalid_request`)
  const push = async (place: Place) => {
    const form = Object.fromEntries(new URL(world.authorizeUrl(place)).searchParams)
    const { status, body } = await world.post(`${baseOf(place)}/par`, form, basic(aSharedClient, world.secretAt(place)))
    expect(status).toBe(201)
    const query = new URLSearchParams({ client_id: aSharedClient, request_uri: String(body['request_uri']) })
    return (await world.browser().visit(`${aFrontUrl}${baseOf(place)}/authorize?${query}`)).location
  }

  it('are demanded at the front of every tenant’s people, and said by its metadata; a company’s own issuer takes others', async () => {
    await choose('/front-issuer/pushed-requests', { required: true })
    for (const place of [at, 'front for globex'] as const) {
      expect(await asked(place)).toEqual(refused)
      expect(await push(place)).not.toEqual(refused)
    }
    expect(await asked('acme')).not.toEqual(refused)
    expect([
      (await metadata())['require_pushed_authorization_requests'],
      (await metadata('/t/acme'))['require_pushed_authorization_requests'],
    ]).toEqual([true, false])
  })

  it('that one company demands are demanded there of its own people', async () => {
    await choose('/tenants/acme/pushed-requests', { required: true })
    expect([await asked(at), await asked('front for globex')]).toEqual([refused, expect.not.stringContaining('error=')])
  })

  it('demanded while a person is on her way, what she brings unpushed goes no further', async () => {
    const browser = world.browser()
    const first = await browser.visit(world.authorizeUrl(at))
    await rowsOf(world, "UPDATE tenants SET require_pushed_requests = true WHERE slug = 'vendor'")
    const state = new URL(first.location).searchParams.get('state')
    const page = first.location.startsWith(aFrontUrl)
      ? await browser.submit(first.location, { answer: 'continue' })
      : await browser.visit(`${aFrontUrl}/t/acme/oidc/${world.acme.connectionId}/callback?code=good&state=${state}`)
    expect(page.location).toEqual(refused)
  })
})

describe('tokens that are bound to a key', () => {
  const redeem = async (place: Place, dpop?: string) =>
    world.post(
      `${baseOf(place)}/token`,
      { grant_type: 'authorization_code', code: await world.codeAt(place), redirect_uri: aWebRedirectUri, code_verifier: aVerifier },
      { ...basic(aSharedClient, world.secretAt(place)), ...(dpop === undefined ? {} : { dpop }) },
    )
  const proof = async () => (await aDpopKey()).prove({ url: `${aFrontUrl}/token`, now })

  it('are demanded at the front for every tenant, and at no company’s own issuer', async () => {
    await choose('/front-issuer/dpop', { boundTokensDemanded: true, nonceDemanded: false })
    for (const place of [at, 'front for globex'] as const) {
      expect(await redeem(place)).toMatchObject({ status: 400, ...saysOf('dpop_proof_missing') })
      expect((await redeem(place, await proof())).body).toMatchObject({ token_type: 'DPoP' })
    }
    expect((await redeem('acme')).status).toBe(200)
  })

  it('with a nonce of ours, where the vendor demands one', async () => {
    await choose('/front-issuer/dpop', { boundTokensDemanded: false, nonceDemanded: true })
    expect(await redeem(at, await proof())).toMatchObject({ status: 400, body: { error: 'use_dpop_nonce' } })
    expect((await redeem(at)).status).toBe(200)
  })

  it('what the company demands there is not taken back by a vendor that demands nothing', async () => {
    await choose('/tenants/acme/dpop', { boundTokensDemanded: true, nonceDemanded: false })
    expect(await redeem(at)).toMatchObject(saysOf('dpop_proof_missing'))
    expect((await redeem('front for globex')).status).toBe(200)
  })

  it('demanded by another process, the next assertion needs a proof', async () => {
    const bring = async () => idp.bring(at, await idp.assertion(at))
    expect((await bring()).status).toBe(200)
    await rowsOf(world, "UPDATE tenants SET dpop = $1 WHERE slug = 'vendor'", [JSON.stringify({ ...nothing, boundTokensDemanded: true })])
    expect(await bring()).toMatchObject({ status: 400, ...saysOf('dpop_proof_missing') })
  })
})

it('the algorithm of the front’s tokens is chosen for every tenant: its key is published now, and signs when every verifier can know it', async () => {
  const published = async () => {
    const { keys } = (await (await fetch(`${world.broker.url}/jwks`)).json()) as { keys: readonly { alg: string }[] }
    return [...new Set(keys.map(({ alg }) => alg))].toSorted()
  }
  expect((await world.call('GET', '/front-issuer/token-algorithm')).body).toEqual({ algorithm: 'ES256' })
  expect(await published()).toEqual(['ES256'])
  await choose('/front-issuer/token-algorithm', { algorithm: 'RS256' })
  world.broker.deps.configuration.invalidate()
  expect(await published()).toEqual(['ES256', 'RS256'])
  const { access_token: token = '' } = await world.tokensAt(at)
  expect(decodeProtectedHeader(token).alg).toBe('ES256')
  expect((await world.call('GET', '/tenants/acme/token-algorithm')).body).toEqual({ algorithm: 'ES256' })
})
