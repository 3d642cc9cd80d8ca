/** Access tokens that are bound to a key, at userinfo: told with the proof of that key, and to nobody who has the token alone. RFC 9449 §7. */
import { createHash } from 'node:crypto'
import { type Instant, instant } from '@drawbridge/core/instant'
import { type OAuthErrorReason, oauthErrors } from '@drawbridge/core/oauth/error'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ADpopKey, aDpopKey, type ProofOver } from '@drawbridge/testkit/a-dpop-key'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { anAuthorizeUrl, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { aSigningIn, type SigningIn } from '@drawbridge/testkit/a-signing-in'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { asOwner } from '@drawbridge/testkit/database'
import { dpopAttacks } from '@drawbridge/testkit/dpop-attacks'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const now: Instant = instant(Date.now())
let at: SigningIn
/** A second process of the same installation. */
let other: TestBroker
let key: ADpopKey
let bound: string
let bearer: string
const refusals = toldRefusals()

beforeAll(async () => {
  at = await aSigningIn(() => now, { metrics: refusals.metrics })
  other = await aBroker(at.fixture.database, { clock: { now: () => now }, metrics: refusals.metrics })
  key = await aDpopKey()
  bound = await signIn('openid read', key)
  bearer = await signIn('openid read')
})
afterAll(async () => {
  await other?.close()
  await at?.close()
})
beforeEach(async () => {
  await demandNonces(false)
  for (const { deps } of [at.broker, other]) deps.configuration.invalidate()
  refusals.take()
})

const demandNonces = (nonceDemanded: boolean) =>
  anAdmin(at.broker)('PUT', '/tenants/acme/dpop', { boundTokensDemanded: false, nonceDemanded })

async function signIn(scope: string, by?: ADpopKey, sub = 'ada'): Promise<string> {
  at.idp.says = { sub, groups: ['staff'], amr: ['pwd', 'otp'] }
  const browser = at.browser()
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope })), at.acme.connectionId)
  const code = new URL(home.location).searchParams.get('code') ?? ''
  const form = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  const headers = by === undefined ? {} : { dpop: await by.prove({ url: `${at.issuer}/token`, now }) }
  const tokens = await at.client.post('token', { ...form, client_id: at.acme.clientId, resource: at.acme.resource }, headers)
  return tokens.access_token
}

const hashOfToken = (token: string): string => createHash('sha256').update(token).digest('base64url')
const target = (method = 'GET') => ({ method, url: `${at.issuer}/userinfo`, now })
type Proving = ProofOver & { readonly by?: ADpopKey; readonly method?: string; readonly token?: string }
const prove = ({ by = key, method, token = bound, ...over }: Proving = {}) =>
  by.prove(target(method), { ...over, claims: { ath: hashOfToken(token), ...over.claims } })

type Asking = { readonly authorization?: string; readonly proof?: string; readonly method?: string; readonly to?: TestBroker }
async function ask({ authorization = `DPoP ${bound}`, proof, method = 'GET', to = at.broker }: Asking) {
  const headers = { authorization, ...(proof === undefined ? {} : { dpop: proof }) }
  const answer = await fetch(`${to.url}/t/acme/userinfo`, { method, headers })
  const body = (await answer.json()) as Readonly<Record<string, unknown>>
  const [challenge, nonce] = ['www-authenticate', 'dpop-nonce'].map((name) => answer.headers.get(name))
  return { status: answer.status, body, challenge, nonce: nonce ?? null }
}
type Answered = Awaited<ReturnType<typeof ask>>

const algs = 'algs="ES256 EdDSA Ed25519 RS256 PS256"'
/** Refused for this reason, in the catalogue's words, and challenged by this scheme. */
function expectRefused(answered: Answered, reason: OAuthErrorReason, status = 401): void {
  expect(refusals.take().at(-1)).toBe(reason)
  const { code, say } = oauthErrors[reason]
  expect(answered).toMatchObject({ status, body: { error: code, error_description: say } })
  expect(answered.challenge).toBe(
    `DPoP realm="drawbridge", ${algs}, error="${code}", error_description="${say}"${status === 403 ? ', scope="openid"' : ''}`,
  )
}

describe('a bound token with the proof of its key', () => {
  it.each(['GET', 'POST'])('is told of its person, by %s', async (method) => {
    const { sub } = decodeJwt(bound)
    expect(await ask({ proof: await prove({ method }), method })).toMatchObject({ status: 200, body: { sub }, nonce: null })
    expect((await ask({ proof: await prove({ method }), method, authorization: `dpop ${bound}` })).status).toBe(200)
  })

  it('is refused for its scope by the scheme that it came by, and its proof may be used again', async () => {
    const token = await signIn('read', key)
    const asked = { authorization: `DPoP ${token}`, proof: await prove({ token }) }
    for (const _ of [1, 2]) expectRefused(await ask(asked), 'userinfo_scope_missing', 403)
  })

  it('is refused when its grant was revoked, and when it is not of this issuer', async () => {
    const token = await signIn('openid read', key, 'grace')
    const proof = await prove({ token })
    const revoke = 'UPDATE grants SET revoked_at = created_at WHERE tenant_id = $1 AND subject_id = $2'
    await asOwner(at.fixture.ownerUrl, revoke, [at.acme.tenantId, decodeJwt(token).sub])
    expectRefused(await ask({ authorization: `DPoP ${token}`, proof }), 'userinfo_token_refused')
    expectRefused(await ask({ authorization: 'DPoP a.b.c', proof: await prove({ token: 'a.b.c' }) }), 'userinfo_token_refused')
  })
})

describe('whoever has the token alone is told nothing:', () => {
  it('a bound token is no bearer token, in the header or in a form, also with a proof beside it', async () => {
    expectRefused(await ask({ authorization: `Bearer ${bound}` }), 'userinfo_token_bound')
    expectRefused(await ask({ authorization: `Bearer ${bound}`, proof: await prove() }), 'userinfo_token_bound')
    const inForm = await fetch(`${at.broker.url}/t/acme/userinfo`, { method: 'POST', body: new URLSearchParams({ access_token: bound }) })
    expect([inForm.status, inForm.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining(algs)])
    expect(refusals.take()).toEqual(['userinfo_token_bound'])
  })

  it('a bearer token is not taken for a bound one, also with a proof', async () => {
    const authorization = `DPoP ${bearer}`
    expectRefused(await ask({ authorization }), 'userinfo_token_unbound')
    expectRefused(await ask({ authorization, proof: await prove({ token: bearer }) }), 'userinfo_token_unbound')
    expect((await ask({ authorization: `Bearer ${bearer}` })).status).toBe(200)
  })

  it('without a proof, or with the proof of another key', async () => {
    expectRefused(await ask({}), 'userinfo_proof_missing')
    expectRefused(await ask({ proof: await prove({ by: await aDpopKey() }) }), 'userinfo_token_of_other_key')
  })

  it.each([
    ['of another token', () => ({ ath: hashOfToken(bearer) })],
    ['of no token, as the token endpoint takes it', () => ({ ath: undefined })],
    ['of an empty hash', () => ({ ath: '' })],
    ['of no text', () => ({ ath: [hashOfToken(bound)] })],
  ])('with a proof %s', async (_, claims) => {
    expectRefused(await ask({ proof: await prove({ claims: claims() }) }), 'dpop_proof_of_other_token')
  })

  it('with a proof for the token endpoint, or for the address that the Host header names', async () => {
    for (const htu of [`${at.issuer}/token`, `${at.broker.url}/t/acme/userinfo`])
      expectRefused(await ask({ proof: await prove({ claims: { htu } }) }), 'dpop_proof_of_other_request')
  })

  it.each(dpopAttacks)('with a proof, when $when', async ({ header, reason }) => {
    const besides = { ath: hashOfToken(bound) }
    const honest: ADpopKey = { ...key, prove: (of, over = {}) => key.prove(of, { ...over, claims: { ...besides, ...over.claims } }) }
    const proof = await header({ key: honest, ...target('POST'), besides })
    expectRefused(await ask({ proof, method: 'POST' }), reason as OAuthErrorReason)
  })
})

describe('a proof is believed once', () => {
  it('of twenty that come at once to two processes', async () => {
    const proof = await prove()
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask({ proof, to: n % 2 ? at.broker : other })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ body }) => body['error'] === 'invalid_dpop_proof')).toHaveLength(19)
    expectRefused(await ask({ proof }), 'dpop_proof_replayed')
  })

  it('for each key: another one may have the same id', async () => {
    const second = await aDpopKey()
    const token = await signIn('openid read', second)
    const claims = { jti: 'the same' }
    expect((await ask({ proof: await prove({ claims }) })).status).toBe(200)
    const proof = await prove({ by: second, token, claims })
    expect((await ask({ authorization: `DPoP ${token}`, proof })).status).toBe(200)
    expectRefused(await ask({ proof: await prove({ claims }) }), 'dpop_proof_replayed')
  })
})

describe('a nonce', () => {
  it('is told with 401 where the tenant demands one, also by a process that has not heard of it, and with each answer', async () => {
    expect((await ask({ proof: await prove(), to: other })).nonce).toBeNull()
    await demandNonces(true)
    const asked = await ask({ proof: await prove(), to: other })
    expectRefused(asked, 'dpop_nonce_missing')
    const { nonce } = asked
    expect(nonce).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]{20,}$/)
    at.broker.deps.configuration.invalidate()
    expect(await ask({ proof: await prove({ claims: { nonce } }) })).toMatchObject({ status: 200, nonce })
  })

  it('that is not ours is refused, also where none is demanded', async () => {
    const answered = await ask({ proof: await prove({ claims: { nonce: 'made-up' } }) })
    expectRefused(answered, 'dpop_nonce_missing')
    expect(answered.nonce).not.toBeNull()
  })
})

it('browsers of other origins may send a proof, and read the challenge and the nonce', async () => {
  const origin = 'https://app.example'
  const preflight = await fetch(`${at.broker.url}/t/acme/userinfo`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization,dpop' },
  })
  expect(preflight.headers.get('access-control-allow-headers')).toMatch(/\bauthorization\b.*\bdpop\b/)
  const answered = await fetch(`${at.broker.url}/t/acme/userinfo`, { headers: { origin } })
  expect(answered.headers.get('access-control-expose-headers')).toMatch(/\bwww-authenticate\b.*\bdpop-nonce\b/)
})
