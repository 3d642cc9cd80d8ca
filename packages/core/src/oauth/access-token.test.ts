import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addSeconds, instant, toSeconds } from '../instant.js'
import type { ClientId, GrantId, Issuer, TenantSlug } from '../tenant/ids.js'
import { buildAccessTokenClaims, buildIdTokenClaims, type Issuance, issuedAt } from './access-token.js'
import { buildIntrospection, readIntrospectedToken } from './introspection.js'
import { parseRevocationRequest } from './revocation-request.js'
import { parseTokenRequest } from './token-request.js'

const now = instant(1_800_000_000_500)
const by = { issuer: 'https://broker.example/t/acme' as Issuer, tenant: 'acme' as TenantSlug, jti: 'jti' }
const issuance: Issuance = {
  grantId: '6ba7b810-9dad-41d1-80b4-00c04fd430c8' as GrantId,
  clientId: 'client' as ClientId,
  subject: 'ada',
  audience: 'https://mcp.example',
  scopes: ['read', 'write'],
  epochs: { tenant: 1, client: 2, connection: 3, subject: 4, grant: 5 },
  sessionId: undefined,
  connectionId: undefined,
  acr: 'mfa',
  amr: ['otp'],
  authenticatedAt: now,
  accessTokenTtlSeconds: 900,
  grantExpiresAt: addSeconds(now, 3600),
  barrierAt: undefined,
}

test('an access token says what the statement returned', () => {
  expect(buildAccessTokenClaims(issuance, by, now)).toEqual({
    iss: 'https://broker.example/t/acme',
    sub: 'ada',
    aud: 'https://mcp.example',
    exp: 1_800_000_900,
    iat: 1_800_000_000,
    jti: 'jti',
    client_id: 'client',
    scope: 'read write',
    tenant: 'acme',
    gid: issuance.grantId,
    epochs: '1.2.3.4.5',
    auth_time: 1_800_000_000,
    acr: 'mfa',
    amr: ['otp'],
  })
})

test('an ID token says all that was asked of it, and nothing of the resource', () => {
  const told = { nonce: 'n-0S6_WzA2Mj', subject: 'ada at this client', accessTokenHash: 'half', now }
  const all = { ...issuance, sessionId: 'session', scopes: ['read'] }
  expect(buildIdTokenClaims(all, by, told)).toEqual({
    iss: 'https://broker.example/t/acme',
    sub: 'ada at this client',
    aud: 'client',
    exp: 1_800_000_300,
    iat: 1_800_000_000,
    at_hash: 'half',
    nonce: 'n-0S6_WzA2Mj',
    sid: 'session',
    auth_time: 1_800_000_000,
    acr: 'mfa',
    amr: ['otp'],
    gid: issuance.grantId,
    epochs: '1.2.3.4.5',
  })
  const front = buildIdTokenClaims(all, { ...by, isFront: true }, { ...told, nonce: undefined })
  expect([front.tenant, 'nonce' in front]).toEqual(['acme', false])
})

test('an access token names its connection, so that another connection’s kill spares it', () => {
  const through = { ...issuance, connectionId: 'c0ffee00-0000-4000-8000-000000000001' }
  expect(buildAccessTokenClaims(through, by, now)).toMatchObject({ connection: 'c0ffee00-0000-4000-8000-000000000001' })
})

test('no token outlives its grant, whatever was asked', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 100_000_000 }), (seconds, life) => {
      const grantExpiresAt = instant(now + life)
      const { exp } = buildAccessTokenClaims({ ...issuance, accessTokenTtlSeconds: seconds, grantExpiresAt }, by, now)
      return exp * 1000 <= grantExpiresAt && exp <= toSeconds(now) + seconds
    }),
  )
})

test('the first token after a barrier is dated after its cut', () => {
  expect(issuedAt(now, now)).toBe(1_800_000_001)
  expect(issuedAt(now, addSeconds(now, -10))).toBe(1_800_000_000)
})

test('introspection answers the scopes that the grant still has', () => {
  const token = readIntrospectedToken(buildAccessTokenClaims(issuance, by, now))
  if (!token) throw new Error('unreadable')
  expect(buildIntrospection(token, ['write', 'admin'])).toMatchObject({ active: true, scope: 'write', sub: 'ada', epochs: '1.2.3.4.5' })
  expect(buildIntrospection(token, [])).toEqual({ active: false })
})

test.each([
  { given: {}, reason: 'token_request_malformed' },
  { given: { grant_type: 'password' }, reason: 'grant_type_unsupported' },
  { given: { grant_type: 'authorization_code', code: 'c', redirect_uri: 'r' }, reason: 'token_request_malformed' },
  { given: { grant_type: 'authorization_code', code: 'c', redirect_uri: 'r', code_verifier: 'short' }, reason: 'token_request_malformed' },
  { given: { grant_type: 'refresh_token' }, reason: 'token_request_malformed' },
  { given: { grant_type: 'refresh_token', refresh_token: 't', scope: 'a"b' }, reason: 'scope_list_malformed' },
])('a token request is refused with $reason: $given', ({ given, reason }) => {
  expect(parseTokenRequest(given as Record<string, string>)).toMatchObject({ ok: false, error: { reason } })
})

test('parsers answer whatever they are given', () => {
  const form = fc.dictionary(
    fc.constantFrom('grant_type', 'code', 'redirect_uri', 'code_verifier', 'refresh_token', 'scope', 'token', '__proto__'),
    fc.oneof(fc.string(), fc.constantFrom('authorization_code', 'refresh_token')),
  )
  fc.assert(
    fc.property(form, (given) => {
      expect(typeof parseTokenRequest(given).ok).toBe('boolean')
      expect(typeof parseRevocationRequest(given).ok).toBe('boolean')
    }),
  )
})
