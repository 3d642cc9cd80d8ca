/** Userinfo through the whole flow: who is told what, and that nobody is told of somebody who is out. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { anAuthorizeUrl, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { type TokenAnswer } from '@drawbridge/testkit/a-token-client'
import { asOwner } from '@drawbridge/testkit/database'
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
beforeEach(async () => {
  now = addSeconds(now, 100_000)
  await allow({ profile: true, email: true })
  told.take()
})

const owner = (sql: string, ...more: readonly unknown[]) => asOwner(at.fixture.ownerUrl, sql, [at.acme.tenantId, ...more])
async function allow(chosen: unknown): Promise<void> {
  await owner('UPDATE tenants SET told_of_people = $2 WHERE id = $1', JSON.stringify(chosen))
  at.broker.deps.configuration.invalidate()
}
type Tokens = TokenAnswer & { readonly id_token?: string }
async function signIn(scope: string, sub = 'ada'): Promise<Tokens> {
  at.idp.says = { sub, groups: ['staff'], amr: ['pwd', 'otp'], email: `${sub}@acme.example` }
  const browser = at.browser()
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope })), at.acme.connectionId)
  const code = new URL(home.location).searchParams.get('code') ?? ''
  const form = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  return at.client.post('token', { ...form, client_id: at.acme.clientId, resource: at.acme.resource })
}
/** What is known of her from now on. */
const knownAs = (...claims: readonly (readonly [string, unknown])[]) =>
  owner(`UPDATE subjects SET claims = jsonb_set(claims, '{claims}', $2) WHERE tenant_id = $1 AND stable_id = 'ada'`, JSON.stringify(claims))
async function ask({ access_token: token }: Pick<Tokens, 'access_token'>) {
  const answer = await fetch(`${at.broker.url}/t/acme/userinfo`, { headers: { authorization: `Bearer ${token}` } })
  const body = (await answer.json()) as Readonly<Record<string, unknown>>
  return { status: answer.status, body, challenge: answer.headers.get('www-authenticate'), cache: answer.headers.get('cache-control') }
}
const refused = { status: 401, challenge: expect.stringMatching(/^Bearer .*error="invalid_token"/) }

describe('a client with openid', () => {
  it('is told the sub of its ID token, and of profile and email what is known of her now, by the scopes that it was granted', async () => {
    const openid = await signIn('openid read')
    const { sub } = decodeJwt(openid.id_token ?? '')
    const both = await signIn('openid profile email read')
    expect(both.scope).toBe('openid profile email read')
    await knownAs(['name', 'Ada Lovelace'], ['given_name', 'Ada'], ['department', 'Engines'], ['email', 'ada@elsewhere.example'])
    expect(await ask(openid)).toMatchObject({ status: 200, body: { sub }, cache: 'no-store' })
    expect((await ask(openid)).body).toEqual({ sub })
    expect((await ask(both)).body).toEqual({
      ...{ sub, name: 'Ada Lovelace', given_name: 'Ada', email: 'ada@elsewhere.example', email_verified: false },
    })
    expect((await ask(await signIn('openid profile read'))).body).toEqual({ sub })
  })

  it('hears that an address is verified while its tenant holds a proof of the domain', async () => {
    const tokens = await signIn('openid email read')
    await knownAs(['email', 'ada@proven.example'])
    const proof = `INSERT INTO domains (tenant_id, domain, created_at, verified_at) VALUES ($1, 'proven.example', now(), now())`
    await owner(proof)
    expect((await ask(tokens)).body).toMatchObject({ email: 'ada@proven.example', email_verified: true })
    await owner(`DELETE FROM domains WHERE tenant_id = $1 AND domain = 'proven.example'`)
    expect((await ask(tokens)).body).toMatchObject({ email: 'ada@proven.example', email_verified: false })
  })

  it('is granted and told nothing more than its tenant allows, also where it allowed more before', async () => {
    const both = await signIn('openid profile email read')
    await knownAs(['name', 'Ada'], ['email', 'ada@acme.example'])
    await allow({ profile: false, email: true })
    expect(Object.keys((await ask(both)).body).toSorted()).toEqual(['email', 'email_verified', 'sub'])
    expect((await signIn('openid profile email read')).scope).toBe('openid email read')
    await allow(undefined)
    expect((await signIn('openid profile email read')).scope).toBe('openid read')
    expect(Object.keys((await ask(both)).body)).toEqual(['sub'])
  })

  it('is announced to the person with what it will learn of her, and with nothing that its tenant does not allow', async () => {
    const learns = async () => {
      at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
      const browser = at.browser()
      const asked = anAuthorizeUrl(at.issuer, at.acme, { scope: 'openid profile email read', prompt: 'consent' })
      const page = await browser.visit((await browser.comeHome(await browser.visit(asked), at.acme.connectionId)).location)
      return [...page.text.matchAll(/<li>(your [^<]*)<\/li>/g)].map(([, words]) => words)
    }
    expect(await learns()).toEqual(['your name and what else your company says of you', 'your e-mail address'])
    await allow({ profile: false, email: true })
    expect(await learns()).toEqual(['your e-mail address'])
  })

  it('knows what it may ask for from the metadata', async () => {
    const metadata = async () =>
      (await (await fetch(`${at.broker.url}/t/acme/.well-known/openid-configuration`)).json()) as Readonly<Record<string, unknown>>
    expect(await metadata()).toMatchObject({
      userinfo_endpoint: `${at.issuer}/userinfo`,
      scopes_supported: ['openid', 'profile', 'email'],
      claims_supported: expect.arrayContaining(['sub', 'name', 'email', 'email_verified']),
    })
    await allow({ profile: false, email: false })
    expect((await metadata())['scopes_supported']).toEqual(['openid'])
  })
})

describe('nobody is told', () => {
  it.each([
    { of: 'who is out', by: 'UPDATE subjects SET deactivated_at = created_at, epoch = epoch + 1 WHERE tenant_id = $1 AND stable_id = $2' },
    { of: 'whose session was revoked', by: 'UPDATE subjects SET epoch = epoch + 1 WHERE tenant_id = $1 AND stable_id = $2' },
    { of: 'whose grant was revoked', by: 'UPDATE grants SET revoked_at = created_at WHERE tenant_id = $1 AND $2::text IS NOT NULL' },
  ])('of her $of, by a token of before', async ({ of, by }) => {
    const sub = `she ${of}`.replaceAll(' ', '-')
    const tokens = await signIn('openid profile read', sub)
    expect((await ask(tokens)).status).toBe(200)
    await owner(by, sub)
    expect(await ask(tokens)).toMatchObject(refused)
    expect(told.take()).toEqual(['userinfo_token_refused'])
  })

  it('by what has expired, was not signed here, or is no access token', async () => {
    const tokens = await signIn('openid read')
    expect(await ask({ access_token: tokens.id_token ?? '' })).toMatchObject(refused)
    expect(await ask({ access_token: `${tokens.access_token.slice(0, -4)}AAAA` })).toMatchObject(refused)
    now = addSeconds(now, 86_400)
    expect(await ask(tokens)).toMatchObject(refused)
  })

  it('without openid, without a token, or with two', async () => {
    const tokens = await signIn('read')
    const missing = expect.stringContaining('error="insufficient_scope"')
    expect(await ask(tokens)).toMatchObject({ status: 403, challenge: missing })
    const post = (headers: Record<string, string>, body = '') =>
      fetch(`${at.broker.url}/t/acme/userinfo`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body,
      })
    const none = await post({})
    expect([none.status, none.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Bearer realm="drawbridge", DPoP realm="drawbridge", algs="ES256 [^"]*"$/),
    ])
    const two = await post({ authorization: `Bearer ${tokens.access_token}` }, `access_token=${tokens.access_token}`)
    expect(two.status).toBe(400)
    expect((await post({}, 'access_token=a&access_token=b')).status).toBe(400)
    expect(told.take()).toEqual([
      ...['userinfo_scope_missing', 'userinfo_token_missing', 'userinfo_request_malformed', 'userinfo_request_malformed'],
    ])
  })
})
