import { createHash } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { createConnector, parseConnection } from '../connection.js'
import type { StartLogin } from '../connector.js'

const issuer = 'https://idp.globex.example'
const callbackUrl = 'https://broker.example/t/globex/oidc/c2/callback'
/** Far from the machine's clock: only the injected one may decide. */
const now = instant(Date.UTC(2031, 4, 1, 12))

let key: CryptoKey
let foreign: CryptoKey
let jwk: Record<string, unknown>
beforeAll(async () => {
  const pair = await generateKeyPair('RS256', { extractable: true })
  key = pair.privateKey
  foreign = (await generateKeyPair('RS256')).privateKey
  jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }
})

type Op = {
  claims?: Record<string, unknown>
  signWith?: () => CryptoKey
  discovery?: Record<string, unknown>
  userinfo?: Record<string, unknown>
  tokenError?: string
}
type Asked = { url: string; body: URLSearchParams; authorization: string | undefined }

/** An OpenID provider as a function: what the safe fetch would have brought from it. */
function anOpenIdProvider(op: Op) {
  const asked: Asked[] = []
  let nonce = ''
  const json = (status: number, value: unknown) =>
    ok({ status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) })
  const fetchSafely: FetchSafely = async (url, options) => {
    const body = new URLSearchParams(String(options.body ?? ''))
    asked.push({ url, body, authorization: options.headers?.['authorization'] })
    if (url.endsWith('/.well-known/openid-configuration')) {
      const endpoints = {
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        userinfo_endpoint: `${issuer}/me`,
      }
      return json(200, {
        issuer,
        ...endpoints,
        response_types_supported: ['code'],
        id_token_signing_alg_values_supported: ['RS256'],
        ...op.discovery,
      })
    }
    if (url.endsWith('/jwks')) return json(200, { keys: [jwk] })
    if (url.endsWith('/me'))
      return json(200, op.userinfo ?? { sub: 'ada', groups: ['engineering'], acr: 'forged', email: 'userinfo@globex.example' })
    if (op.tokenError !== undefined) return json(400, { error: op.tokenError })
    const claims = {
      iss: issuer,
      sub: 'ada',
      aud: 'drawbridge',
      nonce,
      iat: toSeconds(now),
      exp: toSeconds(now) + 300,
      email: 'ada@globex.example',
      acr: 'real',
      amr: ['pwd', 'otp'],
      ...op.claims,
    }
    const idToken = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign((op.signWith ?? (() => key))())
    return json(200, { access_token: 'at', token_type: 'Bearer', expires_in: 60, id_token: idToken })
  }
  return { fetchSafely, asked, remember: (sent: string) => void (nonce = sent) }
}

async function logIn(op: Op, answer: Record<string, string | undefined> = {}, request: Partial<StartLogin> = {}, at: Instant = now) {
  const provider = anOpenIdProvider(op)
  const parsed = parseConnection('oidc', { issuer, clientId: 'drawbridge' })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  const connector = createConnector(
    { random: systemRandom(), fetchSafely: provider.fetchSafely },
    'c2' as ConnectionId,
    parsed.value,
    new Secret('s3cret'),
  )
  const started = await connector.start({
    loginRequestId: 'l',
    callbackUrl,
    relayState: 'handle',
    stepUpAcr: undefined,
    forceAuthn: false,
    now,
    ...request,
  })
  if (!started.ok) return { verdict: started, url: new URL(issuer), asked: provider.asked }
  const url = new URL(started.value.answer.kind === 'redirect' ? started.value.answer.url : '')
  provider.remember(url.searchParams.get('nonce') ?? '')
  const parameters = new Map(
    Object.entries({ code: 'code1', state: 'handle', ...answer }).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const verdict = await connector.finish(
    { binding: 'query', parameters },
    { upstreamId: started.value.upstreamId, state: started.value.state, callbackUrl, now: at },
  )
  return { verdict, url, asked: provider.asked }
}

test('code, PKCE and nonce lead to a verified ID token with merged userinfo, whose evidence is the token’s alone', async () => {
  const { verdict, url, asked } = await logIn({}, { iss: issuer }, { loginHint: 'ada@globex.example' })
  expect(verdict).toMatchObject({ ok: true, value: { kind: 'oidc', sub: 'ada', issuer, acr: 'real', amr: ['pwd', 'otp'] } })
  if (!verdict.ok || verdict.value.kind !== 'oidc') throw new Error('refused')
  expect(verdict.value.claims.get('groups')).toEqual(['engineering'])
  expect(verdict.value.claims.get('email')).toBe('ada@globex.example')
  expect(verdict.value.claims.get('acr')).toBe('real')
  const redeemed = asked.find((each) => each.url.endsWith('/token'))
  const challenge = createHash('sha256')
    .update(redeemed?.body.get('code_verifier') ?? '')
    .digest('base64url')
  expect(url.searchParams.get('code_challenge')).toBe(challenge)
  expect(url.searchParams.get('code_challenge_method')).toBe('S256')
  expect(redeemed?.body.get('redirect_uri')).toBe(callbackUrl)
  expect(redeemed?.authorization).toMatch(/^Basic /)
  expect(url.searchParams.has('prompt') || url.searchParams.has('acr_values')).toBe(false)
  expect(url.searchParams.get('login_hint')).toBe('ada@globex.example')
})

test('a step-up asks with acr_values and prompt', async () => {
  const { url } = await logIn({}, {}, { stepUpAcr: 'mfa' })
  expect(url.searchParams.get('acr_values')).toBe('https://refeds.org/profile/mfa')
  expect(url.searchParams.get('prompt')).toBe('login')
})

describe('an answer is refused', () => {
  const seconds = toSeconds(now)
  test.each([
    { when: 'its state is another', op: {}, answer: { state: 'other' }, reason: 'oidc_state_mismatch' },
    { when: 'it has no state', op: {}, answer: { state: undefined }, reason: 'oidc_answer_malformed' },
    { when: 'it has no code', op: {}, answer: { code: undefined }, reason: 'oidc_answer_malformed' },
    { when: 'iss is another', op: {}, answer: { iss: 'https://evil.example' }, reason: 'oidc_issuer_mismatch' },
    {
      when: 'iss is promised and missing',
      op: { discovery: { authorization_response_iss_parameter_supported: true } },
      answer: {},
      reason: 'oidc_issuer_mismatch',
    },
    { when: 'the IdP reports an error', op: {}, answer: { error: 'a_new_word' }, reason: 'oidc_login_refused' },
    { when: 'the IdP cannot step up', op: {}, answer: { error: 'unmet_authentication_requirements' }, reason: 'oidc_step_up_unmet' },
    { when: 'the code is refused', op: { tokenError: 'invalid_grant' }, answer: {}, reason: 'oidc_code_refused' },
    { when: 'the nonce is another', op: { claims: { nonce: 'other' } }, answer: {}, reason: 'oidc_id_token_refused' },
    { when: 'the audience is another', op: { claims: { aud: 'other' } }, answer: {}, reason: 'oidc_id_token_refused' },
    { when: 'azp is another', op: { claims: { azp: 'other' } }, answer: {}, reason: 'oidc_id_token_refused' },
    { when: 'the token’s issuer is another', op: { claims: { iss: 'https://evil.example' } }, answer: {}, reason: 'oidc_issuer_mismatch' },
    { when: 'the token is expired', op: { claims: { exp: seconds - 180 } }, answer: {}, reason: 'oidc_id_token_refused' },
    { when: 'the token is old', op: { claims: { iat: seconds - 781, exp: seconds + 9999 } }, answer: {}, reason: 'oidc_id_token_refused' },
    {
      when: 'the token is from the future',
      op: { claims: { iat: seconds + 181, exp: seconds + 500 } },
      answer: {},
      reason: 'oidc_id_token_refused',
    },
    { when: 'another key signed it', op: { signWith: () => foreign }, answer: {}, reason: 'oidc_id_token_refused' },
    { when: 'userinfo speaks of somebody else', op: { userinfo: { sub: 'root' } }, answer: {}, reason: 'oidc_userinfo_refused' },
    { when: 'the discovery document is none', op: { discovery: { issuer: 42 } }, answer: {}, reason: 'oidc_discovery_failed' },
    {
      when: 'an endpoint is missing',
      op: { discovery: { authorization_endpoint: undefined } },
      answer: {},
      reason: 'oidc_discovery_failed',
    },
    {
      when: 'an endpoint is a script',
      op: { discovery: { authorization_endpoint: 'javascript:alert(1)' } },
      answer: {},
      reason: 'oidc_discovery_failed',
    },
    {
      when: 'the discovery document names another issuer',
      op: { discovery: { issuer: `${issuer}/` } },
      answer: {},
      reason: 'oidc_issuer_mismatch',
    },
  ])('when $when', async ({ op, answer, reason }) => {
    const { verdict } = await logIn(op, answer)
    expect(verdict).toMatchObject({ ok: false, error: { reason } })
  })

  test('when a fresh login was asked for and auth_time is old', async () => {
    const { verdict } = await logIn({ claims: { auth_time: seconds - 3600 } }, {}, { forceAuthn: true })
    expect(verdict).toMatchObject({ ok: false, error: { reason: 'oidc_authn_not_fresh' } })
  })
})

test('discovery is fetched once, and again after it has expired', async () => {
  const provider = anOpenIdProvider({})
  const parsed = parseConnection('oidc', { issuer, clientId: 'drawbridge' })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  const startAt = (at: Instant) =>
    createConnector({ random: systemRandom(), fetchSafely: provider.fetchSafely }, 'c2' as ConnectionId, parsed.value).start({
      loginRequestId: 'l',
      callbackUrl,
      relayState: 'h',
      stepUpAcr: undefined,
      forceAuthn: false,
      now: at,
    })
  await Promise.all([startAt(now), startAt(now), startAt(addSeconds(now, 3599))])
  expect(provider.asked).toHaveLength(1)
  await startAt(addSeconds(now, 3600))
  expect(provider.asked).toHaveLength(2)
})

test('an unreachable IdP is a refusal, and is asked again', async () => {
  const parsed = parseConnection('oidc', { issuer, clientId: 'drawbridge' })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  let calls = 0
  const fetchSafely: FetchSafely = async () => {
    calls += 1
    return { ok: false, error: { reason: 'timed_out' } }
  }
  const connector = createConnector({ random: systemRandom(), fetchSafely }, 'c2' as ConnectionId, parsed.value)
  const start = () => connector.start({ loginRequestId: 'l', callbackUrl, relayState: 'h', stepUpAcr: undefined, forceAuthn: false, now })
  expect(await start()).toMatchObject({ ok: false, error: { reason: 'upstream_fetch_failed' } })
  await start()
  expect(calls).toBe(2)
})
