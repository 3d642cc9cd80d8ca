/** OpenID Connect through the whole flow: an ID token for whoever asked for `openid`, and scopes that are said back as they were asked for. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { anAuthorizeUrl, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aRobot } from '@drawbridge/testkit/a-robot'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { type TokenAnswer } from '@drawbridge/testkit/a-token-client'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let at: SigningIn
const told = toldRefusals()

beforeAll(async () => {
  at = await aSigningIn(() => now, { metrics: told.metrics })
})
afterAll(() => at.close())
beforeEach(() => {
  now = addSeconds(now, 100_000)
})

type Tokens = TokenAnswer & { readonly id_token?: string }

/** In a browser of its own. `resource` as the client writes it in both requests. */
async function signIn(asks: Record<string, string>, resource = at.acme.resource as string): Promise<Tokens> {
  at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
  const browser = at.browser()
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(at.issuer, at.acme, { ...asks, resource })), at.acme.connectionId)
  const code = new URL(home.location).searchParams.get('code')
  if (code === null) throw new Error(`no code: ${home.location} ${home.text}`)
  const form = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  return at.client.post('token', { ...form, client_id: at.acme.clientId, resource })
}
const refresh = (tokens: Tokens, more: Record<string, string>) =>
  at.client.post('token', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, client_id: at.acme.clientId, ...more })
const audienceOf = ({ access_token: token }: Tokens) => decodeJwt(token).aud

describe('the scope openid', () => {
  it('brings an ID token for the client, and is said to have been granted (OpenID Connect Core §3.1.2.1, §3.1.3.3)', async () => {
    const tokens = await signIn({ scope: 'openid read', nonce: 'n-0S6_WzA2Mj' })
    expect(tokens.scope).toBe('openid read')
    const told = decodeJwt(tokens.id_token as string)
    expect(told).toMatchObject({ iss: at.issuer, aud: at.acme.clientId, nonce: 'n-0S6_WzA2Mj', amr: ['pwd', 'otp'] })
    expect(told.sub).toBe(decodeJwt(tokens.access_token).sub)
  })

  it('is nothing to a resource server: its token does not hold it', async () => {
    const tokens = await signIn({ scope: 'openid read' })
    expect(decodeJwt(tokens.access_token)['scope']).toBe('read')
    expect(await at.client.introspect(tokens.access_token)).toMatchObject({ active: true, scope: 'read' })
  })

  it('alone brings what a client gets of the resource that asks for nothing', async () => {
    expect((await signIn({ scope: 'openid profile' })).scope).toBe('openid read')
  })

  it('not asked for, brings no ID token', async () => {
    const tokens = await signIn({ scope: 'read' })
    expect(tokens).toMatchObject({ scope: 'read' })
    expect(tokens.id_token).toBeUndefined()
  })

  it.each([
    ['as it was asked for', 'openid read write', 'openid read write'],
    ['with a refresh token asked for, too', 'openid offline_access read', 'openid read'],
    ['alone', 'openid', 'openid read write'],
    ['not again', 'read', 'openid read'],
  ])('may be asked for again at a refresh: %s (RFC 6749 §6)', async (_, scope, granted) => {
    const tokens = await signIn({ scope: 'openid read write' })
    expect(await refresh(tokens, { scope })).toMatchObject({ scope: granted })
  })
})

describe('a resource written with a slash at its end, or its host in capitals', () => {
  const variants: readonly [string, (resource: string) => string][] = [
    ['a slash', (resource) => `${resource}/`],
    ['capitals', (resource) => resource.replace(/^https?:\/\/[^/]+/, (origin) => origin.toUpperCase())],
  ]
  it.each(variants)('is the same at both endpoints, and the token names it as registered: %s (RFC 8707 §2)', async (_, variant) => {
    const tokens = await signIn({ scope: 'read' }, variant(at.acme.resource))
    expect(audienceOf(tokens)).toBe(at.acme.resource)
    const refreshed = await refresh(tokens, { resource: variant(at.acme.resource) })
    expect(audienceOf(refreshed as Tokens)).toBe(at.acme.resource)
  })

  it.each(variants)('is the same for a client in its own name: %s', async (_, variant) => {
    const own = await aMachine()
    const tokens = await at.client.post('token', { grant_type: 'client_credentials', resource: variant(at.acme.resource) }, own)
    expect(audienceOf(tokens)).toBe(at.acme.resource)
  })

  it('is the only one of the issuer for a client in its own name that names none', async () => {
    expect(audienceOf(await at.client.post('token', { grant_type: 'client_credentials' }, await aMachine()))).toBe(at.acme.resource)
  })

  it('several are refused at both endpoints, to the client: a token is for one', async () => {
    told.take()
    const several = `&${new URLSearchParams({ resource: 'https://other.example' })}`
    const asked = await at.browser().visit(anAuthorizeUrl(at.issuer, at.acme, { scope: 'read' }) + several)
    expect(new URL(asked.location).searchParams.get('error')).toBe('invalid_target')
    const body = new URLSearchParams({ grant_type: 'refresh_token', resource: at.acme.resource }).toString() + several
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await fetch(`${at.broker.url}/t/acme/token`, { method: 'POST', body, headers })
    expect([answer.status, ((await answer.json()) as TokenAnswer).error]).toEqual([400, 'invalid_target'])
    expect(told.take()).toEqual(['resources_several', 'resources_of_token_several'])
  })

  it('another path is another resource', async () => {
    const tokens = await signIn({ scope: 'read' })
    expect(await refresh(tokens, { resource: `${at.acme.resource}/other` })).toMatchObject({ error: 'invalid_target' })
  })
})

describe('the scope of a client in its own name (RFC 6749 §3.3)', () => {
  it.each([
    ['none: all that its admin allows', {}, 'read write'],
    ['less', { scope: 'read' }, 'read'],
    ['more, and is narrowed', { scope: 'read openid admin' }, 'read'],
  ])('asks for %s', async (_, asks, scope) => {
    const form = { grant_type: 'client_credentials', resource: at.acme.resource as string, ...asks }
    expect(await at.client.post('token', form, await aMachine())).toMatchObject({ scope })
  })

  it('nothing that it may have is refused', async () => {
    const form = { grant_type: 'client_credentials', resource: at.acme.resource as string, scope: 'admin' }
    expect(await at.client.post('token', form, await aMachine())).toMatchObject({ error: 'invalid_scope' })
  })
})

/** Registered by its admin, who allows it read and write. */
async function aMachine(): Promise<Record<string, string>> {
  await aRobot(at.fixture, at.acme, { now, method: 'client_secret_basic', ceiling: '{read,write}' })
  return { authorization: `Basic ${Buffer.from('robot:dbk_robot').toString('base64')}` }
}
