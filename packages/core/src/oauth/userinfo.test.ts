import { describe, expect, it, test } from 'vitest'
import type { ClaimValue, NormalizedIdentity } from '../identity/normalized-identity.js'
import type { Scope } from '../tenant/ids.js'
import { divideScopes } from './scope.js'
import { buildUserinfo, readPresentedToken, scopesTold, toldOfPeopleFromJson } from './userinfo.js'

const claims: readonly (readonly [string, ClaimValue])[] = [
  ['name', 'Ada Lovelace'],
  ['locale', 7],
  ['nickname', ['a', 'b']],
  ['department', 'Engines'],
  ['email', 'ada@acme.example'],
  ['email_verified', true],
]
const identity = { claims: new Map(claims) } as unknown as NormalizedIdentity

test.each([
  { scopes: ['openid'] as const, told: {} },
  { scopes: ['openid', 'profile'] as const, told: { name: 'Ada Lovelace' } },
  { scopes: ['openid', 'email'] as const, told: { email: 'ada@acme.example', email_verified: true } },
])('of $scopes the claims are told that she has and that have their shape, and no others', ({ scopes, told }) => {
  expect(buildUserinfo('s1', identity, scopes)).toEqual({ sub: 's1', ...told })
})

test('nothing is told of her but sub where what is known of her cannot be read, and no address is verified that is not told', () => {
  expect(buildUserinfo('s1', undefined, ['openid', 'profile', 'email'])).toEqual({ sub: 's1' })
  const verified = {
    claims: new Map<string, ClaimValue>([
      ['email_verified', true],
      ['sub', 'eve'],
    ]),
  } as unknown as NormalizedIdentity
  expect(buildUserinfo('s1', verified, ['openid', 'profile', 'email'])).toEqual({ sub: 's1' })
})

test.each([
  { asked: 'openid profile email', told: ['profile', 'email'] as const, identity: ['openid', 'profile', 'email'] },
  { asked: 'email openid profile', told: ['email'] as const, identity: ['openid', 'email'] },
  { asked: 'openid profile', told: [] as const, identity: ['openid'] },
  { asked: 'profile email', told: ['profile', 'email'] as const, identity: [] },
])('$asked brings $identity where $told may be told', ({ asked, told, identity }) => {
  expect(divideScopes(asked.split(' ') as Scope[], told)).toEqual({ identity, ofResource: undefined })
})

test.each([undefined, null, 'x', { profile: 'yes' }, { other: true }])(
  'what nobody chose, or cannot be read, tells nothing: %j',
  (json) => {
    expect(scopesTold(toldOfPeopleFromJson(json))).toEqual([])
  },
)

describe('an access token', () => {
  it.each([
    { authorization: 'Bearer a.b.c', inForm: undefined },
    { authorization: 'bearer  a.b.c', inForm: undefined },
    { authorization: undefined, inForm: 'a.b.c' },
    { authorization: 'DPoP a.b.c', inForm: undefined, scheme: 'DPoP' },
    { authorization: 'dpop  a.b.c', inForm: undefined, scheme: 'DPoP' },
  ])('is read: %j', ({ scheme = 'Bearer', ...presented }) => {
    const read = readPresentedToken(presented)
    expect(read.ok && [read.value.scheme, read.value.token.reveal()]).toEqual([scheme, 'a.b.c'])
  })

  it.each([
    { authorization: undefined, inForm: undefined, reason: 'userinfo_token_missing' },
    { authorization: 'Basic YTpi', inForm: undefined, reason: 'userinfo_token_missing' },
    { authorization: 'DPoPa.b.c', inForm: undefined, reason: 'userinfo_token_missing' },
    { authorization: 'DPoP', inForm: undefined, reason: 'userinfo_request_malformed' },
    { authorization: 'DPoP a.b.c', inForm: 'a.b.c', reason: 'userinfo_request_malformed' },
    { authorization: 'Bearer', inForm: undefined, reason: 'userinfo_request_malformed' },
    { authorization: 'Bearer a b', inForm: undefined, reason: 'userinfo_request_malformed' },
    { authorization: undefined, inForm: '', reason: 'userinfo_request_malformed' },
    { authorization: 'Bearer a.b.c', inForm: 'a.b.c', reason: 'userinfo_request_malformed' },
    { authorization: `Bearer ${'a'.repeat(100_000)}`, inForm: undefined, reason: 'userinfo_token_refused' },
  ])('is none: $reason', ({ reason, ...presented }) => {
    expect(readPresentedToken(presented)).toEqual({ ok: false, error: reason })
  })
})
