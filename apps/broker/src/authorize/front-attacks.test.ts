/** Front and tenant, both ways: what one issuer gave is worth nothing at the other, for every kind of credential (security.md §4). */
import { createHash } from 'node:crypto'
import { type Instant, instant } from '@drawbridge/core/instant'
import { createGuard } from '@drawbridge/guard/create-guard'
import {
  aFrontUrl,
  aFrontWorld,
  aSharedClient,
  baseOf,
  basic,
  type FrontWorld,
  ofSharedGuard,
  type Place,
  rowsOf,
} from '@drawbridge/testkit/a-front'
import { hidden } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const now: Instant = instant(Date.now())
let world: FrontWorld
beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world?.close())

type Way = { readonly from: Place; readonly to: Place }
const bothWays: readonly Way[] = [
  { from: 'front for acme', to: 'acme' },
  { from: 'acme', to: 'front for acme' },
  { from: 'front for acme', to: 'globex' },
  { from: 'globex', to: 'front for acme' },
]
const invalidGrant = { status: 400, body: { error: 'invalid_grant' } }
/** Of another tenant in the same form: the name in clear is exchanged. */
const asOfGlobex = (credential: string) => credential.replace('_acme.', '_globex.')
const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${world.broker.url}${path}`, { headers, redirect: 'manual' })

describe.each(bothWays)('what $from gave, at $to', ({ from, to }) => {
  it('a code is not redeemed, and is still good where it belongs', async () => {
    const code = await world.codeAt(from)
    expect(await world.redeemAt(to, code)).toMatchObject(invalidGrant)
    expect(await world.redeemAt(from, code)).toMatchObject({ status: 200 })
  })

  it('a refresh token is not rotated, and its family lives', async () => {
    const { refresh_token: token = '' } = await world.tokensAt(from)
    expect(await world.refreshAt(to, token)).toMatchObject(invalidGrant)
    expect(await world.refreshAt(from, token)).toMatchObject({ status: 200 })
  })

  it('nor are its tokens revoked', async () => {
    const { refresh_token: refresh = '', access_token: access = '' } = await world.tokensAt(from)
    // What names a tenant at which the client is not known yet is brought by nobody who is known there.
    for (const token of [refresh, access])
      expect([200, 401]).toContain((await world.post(`${baseOf(to)}/revoke`, { token }, basic(aSharedClient, world.secretAt(to)))).status)
    expect((await world.introspectAt(from, access)).body).toMatchObject({ active: true })
    expect(await world.refreshAt(from, refresh)).toMatchObject({ status: 200 })
  })

  it('an access token is not active, and opens no userinfo', async () => {
    const { access_token: token = '' } = await world.tokensAt(from, { scope: 'openid read' })
    expect(await world.introspectAt(to, token)).toMatchObject({ status: 200, body: { active: false } })
    expect((await get(`${baseOf(to)}/userinfo`, { authorization: `Bearer ${token}` })).status).toBe(401)
    expect((await get(`${baseOf(from)}/userinfo`, { authorization: `Bearer ${token}` })).status).toBe(200)
  })

  it('a client secret proves nobody', async () => {
    const form = { grant_type: 'refresh_token', refresh_token: 'x' }
    const answered = await world.post(`${baseOf(to)}/token`, form, basic(aSharedClient, world.secretAt(from)))
    expect(answered).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
  })

  it('the address of a pushed request is unknown', async () => {
    const query = Object.fromEntries(new URL(world.authorizeUrl(from)).searchParams)
    const pushed = await world.post(`${baseOf(from)}/par`, query, basic(aSharedClient, world.secretAt(from)))
    expect(pushed.status).toBe(201)
    const request = new URLSearchParams({ client_id: aSharedClient, request_uri: String(pushed.body['request_uri']) })
    const brought = await get(`${baseOf(to)}/authorize?${request}`)
    expect([brought.status, (await brought.text()).includes('request_uri_invalid')]).toEqual([400, true])
  })

  it('a registration access token manages nothing', async () => {
    const metadata = { redirect_uris: ['https://client.example/callback'], token_endpoint_auth_method: 'none' }
    const headers = { 'content-type': 'application/json' }
    const made = await fetch(`${world.broker.url}${baseOf(from)}/register`, { method: 'POST', headers, body: JSON.stringify(metadata) })
    const { client_id: id, registration_access_token: token } = (await made.json()) as Record<string, string>
    const proof = { authorization: `Bearer ${token}` }
    expect((await get(`${baseOf(to)}/register/${id}`, proof)).status).toBe(401)
    expect((await fetch(`${world.broker.url}${baseOf(to)}/register/${id}`, { method: 'DELETE', headers: proof })).status).toBe(401)
    expect((await get(`${baseOf(from)}/register/${id}`, proof)).status).toBe(200)
  })

  it('a session signs nobody in, also under the name that a cookie has there', async () => {
    const browser = world.browser()
    await world.signIn(from, {}, browser)
    for (const [name, value] of browser.jar) {
      if (!name.includes('session')) continue
      browser.jar.set(to.startsWith('front') ? 'drawbridge-front-session-acme' : `drawbridge-session-${to}`, value)
    }
    const silent = await browser.visit(world.authorizeUrl(to, { prompt: 'none' }))
    expect(new URL(silent.location).searchParams.get('error')).toBe('login_required')
  })

  it('a yes is none', async () => {
    world.idp.says = { ...world.idp.says, sub: `somebody-${from}-${to}` }
    const browser = world.browser()
    const isAsked = async (place: Place) => (await world.signIn(place, {}, browser).catch(() => undefined)) !== undefined
    const asked = async () =>
      (await rowsOf<{ count: number }>(world, 'SELECT count(*)::int FROM authorization_requests WHERE decision IS NOT NULL'))[0]?.count ?? 0
    await isAsked(from)
    const before = await asked()
    await isAsked(from)
    expect(await asked()).toBe(before)
    await isAsked(to)
    expect(await asked()).toBe(before + 1)
  })

  it('an event stream is unknown', async () => {
    const headers = { ...basic(world.credential.id, world.credential.secret), 'content-type': 'application/json' }
    const ask = (path: string, body?: object) =>
      fetch(`${world.broker.url}${path}`, { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) })
    const made = await ask(`${baseOf(from)}/ssf/streams`, { description: `${from} to ${to}` })
    expect(made.status).toBe(201)
    const { stream_id: id } = (await made.json()) as Record<string, string>
    const poll = { returnImmediately: true }
    expect((await ask(`${baseOf(to)}/ssf/streams?stream_id=${id}`)).status).toBe(404)
    expect((await ask(`${baseOf(to)}/ssf/streams/${id}/poll`, poll)).status).toBe(404)
    expect((await ask(`${baseOf(to)}/ssf/status`, { stream_id: id, status: 'disabled' })).status).toBe(404)
    expect((await ask(`${baseOf(from)}/ssf/streams/${id}/poll`, poll)).status).toBe(200)
  })

  it('an ID token is no hint for a sign-out', async () => {
    const browser = world.browser()
    const code = (await world.signIn(from, { scope: 'openid read' }, browser)).searchParams.get('code') ?? ''
    const { id_token: hint = '' } = (await world.redeemAt(from, code)).body as Record<string, string>
    await world.signIn(to, {}, browser)
    await browser.visit(`${aFrontUrl}${baseOf(to)}/logout?${new URLSearchParams({ id_token_hint: hint })}`)
    const silent = await browser.visit(world.authorizeUrl(to, { prompt: 'none' }))
    expect(new URL(silent.location).searchParams.get('error')).not.toBe('login_required')
  })

  it('a notice stream is unknown', async () => {
    const authorization = basic(world.credential.id, world.credential.secret).authorization
    const ask = async (path: string, body: object) => {
      const headers = { authorization, 'content-type': 'application/json' }
      const answer = await fetch(`${world.broker.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
    }
    const { status, body } = await ask(`${baseOf(from)}/ssf/streams`, { instance: 'one' })
    expect(status).toBe(201)
    const poll = { streamId: body['streamId'], returnImmediately: true }
    expect((await ask(`${baseOf(to)}/ssf/poll`, poll)).status).not.toBe(200)
    expect((await ask(`${baseOf(from)}/ssf/poll`, poll)).status).toBe(200)
  })
})

describe('at the front, of one tenant, for another', () => {
  it('a code and a refresh token whose tenant is exchanged are unknown', async () => {
    const code = await world.codeAt('front for acme')
    expect(code).toMatch(/^dbc_acme\./)
    expect(await world.redeemAt('front for acme', asOfGlobex(code))).toMatchObject({ status: 401 })
    await world.tokensAt('front for globex')
    expect(await world.redeemAt('front for globex', asOfGlobex(code))).toMatchObject(invalidGrant)
    const { refresh_token: token = '' } = (await world.redeemAt('front for acme', code)).body as Record<string, string>
    expect(await world.refreshAt('front for acme', asOfGlobex(token))).toMatchObject(invalidGrant)
    expect(await world.refreshAt('front for acme', token.replace('_acme.', '_vendor.'))).toMatchObject(invalidGrant)
    expect(await world.refreshAt('front for acme', token.replace('_acme.', '_'))).toMatchObject(invalidGrant)
    expect(await world.refreshAt('front for acme', token)).toMatchObject({ status: 200 })
  })

  it('an access token whose claim is exchanged is no token', async () => {
    const { access_token: token = '' } = await world.tokensAt('front for acme')
    const [head, payload = '', signature] = token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
    for (const tenant of ['globex', 'vendor', undefined]) {
      const changed = Buffer.from(JSON.stringify({ ...claims, tenant })).toString('base64url')
      expect((await world.introspectAt('front for acme', `${head}.${changed}.${signature}`)).body).toEqual({ active: false })
    }
  })
})

it('a credential of a tenant’s own resource server, or of one that is not shared with the front, asks nothing there', async () => {
  const { access_token: token = '' } = await world.tokensAt('front for acme')
  const unshared = (await world.call('POST', '/shared-resources', { identifier: 'https://other.vendor.example', name: 'x', scopes: [] }))
    .body.id
  const other = (await world.call('POST', `/shared-resources/${unshared}/credentials`, {})).body
  const { credentialId, credentialSecret } = world.acme
  for (const [id, secret] of [
    [credentialId, credentialSecret],
    [other.id, other.secret],
  ] as const) {
    expect((await world.post('/introspect', { token }, basic(id, secret))).status).toBe(401)
    const headers = { ...basic(id, secret), 'content-type': 'application/json' }
    const opened = await fetch(`${world.broker.url}/ssf/streams`, { method: 'POST', headers, body: '{"instance": "x"}' })
    expect(opened.status).toBe(401)
  }
})

it('a guard believes each issuer for what it may say, and a front token at a tenant’s issuer not at all', async () => {
  const { access_token: front = '' } = await world.tokensAt('front for acme')
  const { access_token: own = '' } = await world.tokensAt('acme')
  const guardOf = (issuers: Parameters<typeof createGuard>[0]['issuers']) => createGuard({ ...ofSharedGuard(world, () => now), issuers })
  const frontAlone = guardOf([{ issuer: aFrontUrl, front: true, credential: world.credential }])
  const acmeAlone = guardOf([{ issuer: `${aFrontUrl}/t/acme`, credential: world.credential }])
  await Promise.all([frontAlone.start(), acmeAlone.start()])
  try {
    const verdicts = async (guard: typeof frontAlone) =>
      Promise.all([front, own].map(async (token) => (await guard.check(`Bearer ${token}`)).ok))
    expect(await verdicts(frontAlone)).toEqual([true, false])
    expect(await verdicts(acmeAlone)).toEqual([false, true])
    const judged = await frontAlone.check(`Bearer ${front}`)
    expect(judged.ok && judged.value.tenant).toBe('acme')
  } finally {
    await Promise.all([frontAlone.stop(), acmeAlone.stop()])
  }
})

it('no key signs at both', async () => {
  const kidsAt = async (path: string) => ((await (await get(path)).json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
  for (const kind of ['/jwks', '/ssf/jwks']) {
    const front = await kidsAt(kind)
    expect(front.length).toBeGreaterThan(0)
    expect((await kidsAt(`/t/acme${kind}`)).filter((kid) => front.includes(kid))).toEqual([])
  }
})

describe('what is not offered at the front', () => {
  it.each(['/scim/v2/Users', '/ssf/receivers'])('there is no %s', async (path) => {
    expect((await get(path)).status).toBe(404)
    expect((await world.post(path, {})).status).toBe(404)
  })
})

it('whoever signs out at her company’s page is signed out at the front, too', async () => {
  const browser = world.browser()
  await world.signIn('front for acme', {}, browser)
  const silent = () => browser.visit(world.authorizeUrl('front for acme', { prompt: 'none' }))
  expect(new URL((await silent()).location).searchParams.get('error')).not.toBe('login_required')
  const page = await browser.visit(`${aFrontUrl}/t/acme/logout`)
  await browser.visit(`${aFrontUrl}/t/acme/logout`, { proof: hidden(page.text, 'proof') })
  expect(new URL((await silent()).location).searchParams.get('error')).toBe('login_required')
})

it('tokens of the front tell the tenant and a subject that no other tenant has', async () => {
  const subjects: unknown[] = []
  for (const place of ['front for acme', 'front for globex'] as const) {
    const { access_token: token = '', id_token: idToken = '' } = await world.tokensAt(place, { scope: 'openid read' })
    const claimsOf = (of: string) => JSON.parse(Buffer.from(of.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
    const told = { iss: aFrontUrl, tenant: place.replace('front for ', '') }
    expect([claimsOf(token), claimsOf(idToken)]).toMatchObject([told, told])
    subjects.push(claimsOf(token)['sub'])
  }
  // The IdP of each calls her by the same name.
  expect(new Set(subjects).size).toBe(2)
})

it('nothing of it rests in clear', async () => {
  const code = await world.codeAt('front for acme')
  const hashes = await rowsOf<{ code_hash: Buffer }>(world, 'SELECT code_hash FROM authorization_codes')
  expect(hashes.some(({ code_hash: hash }) => hash.equals(createHash('sha256').update(code).digest()))).toBe(true)
})
