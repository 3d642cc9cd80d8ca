import { toSeconds } from '@drawbridge/core/instant'
import { err } from '@drawbridge/core/result'
import { signForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseConnection } from '../connection.js'
import type { OidcConnection } from '../connection-configuration.js'
import { upstreamErrors } from '../error.js'
import { anOpenIdProvider, aSigner, issuer, later, now, type Signer } from './fixtures/a-provider.js'
import { backchannelLogoutEvent, logoutTokenLimits, verifyLogoutToken } from './logout-token.js'

const signer = aSigner('k1')
const seconds = toSeconds(now)
const events = { [backchannelLogoutEvent]: {} }
const good = { iss: issuer, aud: 'drawbridge', iat: seconds, exp: seconds + 120, jti: 'j1', events, sub: 'ada', sid: 's1' }
type Claims = Readonly<Record<string, unknown>>

const aToken = (claims: Claims = {}, header: Readonly<Record<string, string>> = {}, by: Signer = signer): string =>
  signForeignJwt(by, { kid: by.kid, typ: 'logout+jwt', ...header }, { ...good, ...claims })

/** A member that is `undefined` is not in the token. */
const withoutTyp = (claims: Claims = {}): string => aToken(claims, { typ: undefined as unknown as string })

function anIssuer(configuration: Claims = {}, of = issuer) {
  const provider = anOpenIdProvider({ issuer: of, signer })
  const parsed = parseConnection('oidc', { issuer: of, clientId: 'drawbridge', ...configuration })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return { ...provider, connection: parsed.value as OidcConnection }
}
async function verdictOn(token: string, configuration: Claims = {}, of = issuer) {
  const { fetchSafely, connection, asked } = anIssuer(configuration, of)
  return { verdict: await verifyLogoutToken(fetchSafely, connection, { token, now }), asked }
}
const refused = (rule: string) => ({ ok: false, error: { reason: 'oidc_logout_token_refused', detail: { rule } } })

describe('what a logout token must say', () => {
  test('names a session, a person, or both', async () => {
    const ends = await Promise.all(
      [{}, { sub: undefined }, { sid: undefined }].map(async (claims) => (await verdictOn(aToken(claims))).verdict),
    )
    expect(ends.map((verdict) => verdict.ok && verdict.value.ended)).toEqual([
      { protocol: 'oidc', issuer, sid: 's1', sub: 'ada' },
      { protocol: 'oidc', issuer, sid: 's1', sub: undefined },
      { protocol: 'oidc', issuer, sid: undefined, sub: 'ada' },
    ])
  })
  test.each<{ when: string; claims: Claims; rule: string }>([
    { when: 'another issuer says it', claims: { iss: 'https://other.example' }, rule: 'iss' },
    { when: 'the issuer differs by a slash', claims: { iss: `${issuer}/` }, rule: 'iss' },
    { when: 'it is for another client', claims: { aud: 'another' }, rule: 'aud' },
    { when: 'it is for nobody', claims: { aud: undefined }, rule: 'aud' },
    { when: 'it says no time', claims: { iat: undefined }, rule: 'iat' },
    { when: 'its time is text', claims: { iat: String(seconds) }, rule: 'iat' },
    { when: 'it is of tomorrow', claims: { iat: seconds + 86_400 }, rule: 'iat' },
    { when: 'it is old, whatever exp says', claims: { iat: seconds - 800, exp: seconds + 9e6 }, rule: 'iat' },
    { when: 'it does not end', claims: { exp: undefined }, rule: 'exp' },
    { when: 'it has ended', claims: { exp: seconds - logoutTokenLimits.skewSeconds }, rule: 'exp' },
    { when: 'it does not hold yet', claims: { nbf: seconds + 3600 }, rule: 'nbf' },
    { when: 'it has no id', claims: { jti: undefined }, rule: 'jti' },
    { when: 'its id is empty', claims: { jti: '' }, rule: 'jti' },
    { when: 'it carries a nonce', claims: { nonce: 'n' }, rule: 'nonce' },
    { when: 'it carries no nonce but the name', claims: { nonce: null }, rule: 'nonce' },
    { when: 'it carries no event', claims: { events: undefined }, rule: 'events' },
    { when: 'it carries another event', claims: { events: { 'urn:other': {} } }, rule: 'events' },
    { when: 'its event is no object', claims: { events: { [backchannelLogoutEvent]: true } }, rule: 'events' },
    { when: 'its event is a list', claims: { events: { [backchannelLogoutEvent]: [] } }, rule: 'events' },
    { when: 'its event is null', claims: { events: { [backchannelLogoutEvent]: null } }, rule: 'events' },
    { when: 'its events are null', claims: { events: null }, rule: 'events' },
    { when: 'its events are a list', claims: { events: [backchannelLogoutEvent] }, rule: 'events' },
    { when: 'it names nobody', claims: { sub: undefined, sid: undefined }, rule: 'sub_or_sid' },
    { when: 'its person is no text', claims: { sub: ['ada'] }, rule: 'sub' },
    { when: 'its session is empty', claims: { sid: '' }, rule: 'sid' },
    { when: 'its session is endless', claims: { sid: 'x'.repeat(1025) }, rule: 'sid' },
  ])('$rule: refused where $when, before anybody is asked for keys', async ({ claims, rule }) => {
    const { verdict, asked } = await verdictOn(aToken(claims))
    expect(verdict).toMatchObject(refused(rule))
    expect(asked).toEqual([])
  })
  test('it may say from when on it holds', async () => {
    expect((await verdictOn(aToken({ nbf: seconds }))).verdict.ok).toBe(true)
    expect((await verdictOn(aToken({ nbf: null }))).verdict).toMatchObject(refused('nbf'))
  })
  test('the client may be one of several that it is for', async () => {
    expect((await verdictOn(aToken({ aud: ['another', 'drawbridge'] }))).verdict.ok).toBe(true)
  })
})

describe('what kind of message it is', () => {
  test.each(['at+jwt', 'secevent+jwt', 'global-token-revocation+jwt', 'oauth-id-jag+jwt', 'token-introspection+jwt', 'dpop+jwt'])(
    'typ %s is another kind, also where typ may be missing',
    async (typ) => {
      for (const logoutTokens of ['typed', 'untyped'])
        expect((await verdictOn(aToken({}, { typ }), { logoutTokens })).verdict).toMatchObject(refused('typ'))
    },
  )
  test.each(['application/logout+jwt', 'LOGOUT+JWT'])('typ %s is its own', async (typ) => {
    expect((await verdictOn(aToken({}, { typ }))).verdict.ok).toBe(true)
  })
  test.each([
    { what: 'without typ', token: withoutTyp() },
    { what: 'of typ JWT', token: aToken({}, { typ: 'JWT' }) },
    { what: 'without exp and typ', token: withoutTyp({ exp: undefined }) },
  ])('a token $what is believed by the exception of its connection alone', async ({ token }) => {
    expect((await verdictOn(token)).verdict).toMatchObject(refused('typ'))
    expect((await verdictOn(token, { logoutTokens: 'untyped' })).verdict.ok).toBe(true)
  })
  test('the exception is for what is missing, not for what is wrong', async () => {
    const untyped = { logoutTokens: 'untyped' }
    expect((await verdictOn(withoutTyp({ exp: 1 }), untyped)).verdict).toMatchObject(refused('exp'))
    expect((await verdictOn(withoutTyp({ events: undefined }), untyped)).verdict).toMatchObject(refused('events'))
    expect((await verdictOn(withoutTyp({ nonce: 'n' }), untyped)).verdict).toMatchObject(refused('nonce'))
    expect((await verdictOn(withoutTyp({ iat: seconds - 800, exp: undefined }), untyped)).verdict).toMatchObject(refused('iat'))
  })
})

describe('who signed it', () => {
  test.each([
    { when: 'another key of the same name', token: aToken({}, {}, { ...aSigner('k1'), kid: 'k1' }), rule: 'bad_signature' },
    { when: 'a key that the issuer does not have', token: aToken({}, {}, aSigner('k2')), rule: 'unknown_key' },
    { when: 'nobody', token: `${encode({ alg: 'none', typ: 'logout+jwt' })}.${encode(good)}.`, rule: 'algorithm' },
    { when: 'a shared secret', token: `${encode({ alg: 'HS256', typ: 'logout+jwt' })}.${encode(good)}.AAAA`, rule: 'algorithm' },
  ])('refused where it is $when', async ({ token, rule }) => {
    expect((await verdictOn(token)).verdict).toMatchObject(refused(rule))
  })
  test('an algorithm that the connection does not allow is refused', async () => {
    expect((await verdictOn(aToken(), { idTokenAlgorithms: ['PS256'] })).verdict).toMatchObject(refused('algorithm'))
  })
  test('it is short', async () => {
    expect((await verdictOn(aToken({ filler: 'x'.repeat(logoutTokenLimits.length) }))).verdict).toMatchObject(refused('malformed'))
  })
})

describe('an issuer that many companies share', () => {
  const template = 'https://login.microsoftonline.com/{tenantid}/v2.0'
  const [ours, theirs] = ['11111111-2222-4333-8444-555555555555', '99999999-2222-4333-8444-555555555555']
  const entra = { discoveryUrl: 'https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration', tenantIds: [ours] }
  const of = (tid: string) => ({ iss: template.replace('{tenantid}', tid), tid })
  test.each([
    { when: 'it is of our tenant', claims: of(ours), rule: undefined },
    { when: 'it is of another tenant', claims: of(theirs), rule: 'tenant' },
    { when: 'its tid is ours and its issuer another’s', claims: { ...of(theirs), tid: ours }, rule: 'iss' },
    { when: 'it names no tenant', claims: { iss: of(ours).iss }, rule: 'iss' },
    { when: 'its issuer is of no tenant', claims: { iss: template.replace('{tenantid}', 'undefined') }, rule: 'tenant' },
  ])('where $when: $rule', async ({ claims, rule }) => {
    const { verdict } = await verdictOn(aToken(claims), entra, template)
    expect(verdict).toMatchObject(rule === undefined ? { ok: true, value: { ended: { issuer: of(ours).iss } } } : refused(rule))
  })
  test('it may name no hosted domain, and none but ours', async () => {
    expect((await verdictOn(aToken(), { hostedDomains: ['globex.example'] })).verdict.ok).toBe(true)
    expect((await verdictOn(aToken({ hd: 'Globex.Example' }), { hostedDomains: ['globex.example'] })).verdict.ok).toBe(true)
    for (const hd of ['other.example', 7, null, ['globex.example']])
      expect((await verdictOn(aToken({ hd }), { hostedDomains: ['globex.example'] })).verdict).toMatchObject(refused('tenant'))
  })
})

describe('a rollover of keys behind a forged token', () => {
  const forged = aToken({}, {}, aSigner('forged'))
  const fresh = aSigner('k2')
  const genuine = aToken({ iat: toSeconds(later(20)), exp: toSeconds(later(200)) }, {}, fresh)
  const awaited = (retryAfterSeconds: number) => ({ ok: false, error: { reason: 'oidc_keys_awaited', detail: { retryAfterSeconds } } })

  async function afterForgery() {
    let keys = [signer.jwk]
    const provider = anOpenIdProvider({ issuer, signer, jwks: () => ({ keys }) })
    const { connection } = anIssuer()
    const verdict = (token: string, at: number) => verifyLogoutToken(provider.fetchSafely, connection, { token, now: later(at) })
    expect((await verdict(aToken(), 0)).ok).toBe(true)
    expect(await verdict(forged, 61)).toMatchObject(refused('unknown_key'))
    keys = [fresh.jwk]
    return verdict
  }

  test('a genuine token is not judged until the keys may be asked for again, and then believed', async () => {
    const verdict = await afterForgery()
    expect(await verdict(genuine, 80)).toEqual(awaited(41))
    expect(await verdict(genuine, 120)).toEqual(awaited(1))
    expect((await verdict(genuine, 121)).ok).toBe(true)
  })
  test('tokens of a key that we know are judged meanwhile, however many forged ones come', async () => {
    const verdict = await afterForgery()
    for (const at of [62, 63]) expect(await verdict(forged, at)).toMatchObject(awaited(121 - at))
    expect((await verdict(aToken(), 63)).ok).toBe(true)
  })
})

test('an issuer that cannot be reached is not asked by every stranger', async () => {
  const { connection } = anIssuer()
  let asked = 0
  const unreachable: FetchSafely = async () => {
    asked += 1
    return err({ reason: 'timed_out' })
  }
  for (const at of [now, later(1), later(logoutTokenLimits.fetchPauseSeconds - 1), later(logoutTokenLimits.fetchPauseSeconds)])
    expect(await verifyLogoutToken(unreachable, connection, { token: aToken(), now: at })).toMatchObject({
      ok: false,
      error: { reason: 'upstream_fetch_failed' },
    })
  expect(asked).toBe(2)
})

test('a flipped bit anywhere is refused, and nothing throws', async () => {
  const token = aToken()
  const { fetchSafely, connection } = anIssuer()
  const at = fc.nat(token.length - 1)
  await fc.assert(
    fc.asyncProperty(at, fc.integer({ min: 1, max: 127 }), async (place, flip) => {
      const bent = token.slice(0, place) + String.fromCharCode(token.charCodeAt(place) ^ flip) + token.slice(place + 1)
      const same = Buffer.from(bent.split('.')[2] ?? '', 'base64url').equals(Buffer.from(token.split('.')[2] ?? '', 'base64url'))
      const verdict = await verifyLogoutToken(fetchSafely, connection, { token: bent, now })
      expect(verdict.ok && !(same && bent.split('.').slice(0, 2).join() === token.split('.').slice(0, 2).join())).toBe(false)
    }),
    { numRuns: 300 },
  )
})

describe('whatever arrives as a logout token', () => {
  const json = fc.jsonValue({ maxDepth: 2 })
  const claims = fc.dictionary(fc.constantFrom(...Object.keys(good), 'nonce', 'nbf', 'x'), json)
  const header = fc.dictionary(fc.constantFrom('alg', 'kid', 'typ', 'crit', 'jku', 'b64', 'jwk'), json)
  const segments = fc.tuple(header, claims).map(([first, second]) => `${encode(first)}.${encode(second)}.AAAA`)
  const signed = fc.tuple(header, claims).map(([first, second]) => aToken(second, first as Record<string, string>))

  test('has one verdict, the same twice, and none is an exception', async () => {
    const { fetchSafely, connection } = anIssuer({ logoutTokens: 'untyped' })
    // With the keys at hand: what none of them has signed is then never judged at this moment.
    expect((await verifyLogoutToken(fetchSafely, connection, { token: aToken(), now })).ok).toBe(true)
    let refusals = 0
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), segments, signed), async (token) => {
        const verdict = await verifyLogoutToken(fetchSafely, connection, { token, now })
        expect(await verifyLogoutToken(fetchSafely, connection, { token, now })).toEqual(verdict)
        if (verdict.ok) return
        refusals += 1
        expect(verdict.error.reason in upstreamErrors).toBe(true)
      }),
      { numRuns: 300 },
    )
    expect(refusals).toBeGreaterThan(100)
  })
})

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
