/** What the introspection and revocation endpoints demand of who asks, and what they answer. Resource servers and clients depend on each word of it. */
import assert from 'node:assert/strict'
import {
  type Answered,
  basic,
  claimsOf,
  isActive,
  type Parameters,
  post,
  type Requirement,
  refusedWith,
  someTokens,
  type Target,
} from './requirement.js'

const introspect = ({ issuer, resourceCredential }: Target, form: Parameters): Promise<Answered> =>
  post(`${issuer}/introspect`, form, basic(resourceCredential))
const revoke = ({ issuer, client }: Target, token: string | undefined, change: Parameters = {}): Promise<Answered> =>
  post(`${issuer}/revoke`, { token, client_id: client.id, ...change })
const refresh = ({ issuer, client }: Target, token: string): Promise<Answered> =>
  post(`${issuer}/token`, { grant_type: 'refresh_token', refresh_token: token, client_id: client.id })

/** `active: false` and nothing beside it. */
const isNothing = ({ status, json }: Answered): void => assert.deepEqual([status, json], [200, { active: false }])

const introspection: readonly Requirement[] = [
  {
    section: 'RFC 7662 §2.1',
    level: 'MUST',
    says: 'tells nothing of a token to whoever does not prove himself',
    ask: async (target) => {
      const { accessToken: token } = await someTokens(target)
      const url = `${target.issuer}/introspect`
      const wrong = basic({ ...target.resourceCredential, secret: 'wrong' })
      for (const headers of [{}, wrong, basic({ id: 'nobody', secret: 'x' }), { authorization: `Bearer ${token}` }]) {
        const { status, json, headers: answered } = await post(url, { token }, headers)
        assert.deepEqual([status, json['active']], [401, undefined])
        assert.ok(answered.has('www-authenticate'))
      }
      assert.equal(await isActive(target, target.issuer, token), true)
    },
  },
  {
    section: 'RFC 7662 §2.2',
    level: 'MUST',
    says: 'says of a living token what the token says of itself, as JSON',
    ask: async (target) => {
      const { accessToken: token } = await someTokens(target)
      const { status, headers, json } = await introspect(target, { token })
      assert.match(headers.get('content-type') ?? '', /^application\/json(;|$)/)
      assert.deepEqual([status, json['active']], [200, true])
      const said = claimsOf(token)
      for (const name of ['iss', 'sub', 'aud', 'client_id', 'exp', 'iat', 'jti', 'scope']) assert.deepEqual(json[name], said[name], name)
    },
  },
  {
    section: 'RFC 7662 §2.2',
    level: 'SHOULD',
    says: 'says of a token that is none, is changed or belongs elsewhere that it is not active, and nothing else',
    ask: async (target) => {
      const { accessToken: token, refreshToken } = await someTokens(target)
      const [head = '', claims = ''] = token.split('.')
      const forged = `${head}.${Buffer.from(JSON.stringify({ ...claimsOf(token), scope: 'admin' })).toString('base64url')}.${token.split('.')[2]}`
      for (const other of ['x', 'a.b.c', `${head}.${claims}.`, forged, refreshToken, `${token}x`])
        isNothing(await introspect(target, { token: other }))
    },
  },
  {
    section: 'RFC 7662 §2.1',
    level: 'MUST',
    says: 'finds a token whatever the hint says that it is',
    ask: async (target) => {
      const { accessToken: token } = await someTokens(target)
      for (const token_type_hint of ['access_token', 'refresh_token', 'no-such-type'])
        assert.equal((await introspect(target, { token, token_type_hint })).json['active'], true, token_type_hint)
      isNothing(await introspect(target, { token: 'x', token_type_hint: 'access_token' }))
    },
  },
  {
    section: 'RFC 7662 §2.1',
    level: 'MUST',
    says: 'is asked by POST alone, and for a token',
    ask: async (target) => {
      const { accessToken: token } = await someTokens(target)
      const asked = await fetch(`${target.issuer}/introspect?${new URLSearchParams({ token }).toString()}`, {
        headers: basic(target.resourceCredential),
      })
      assert.ok(asked.status === 404 || asked.status === 405, String(asked.status))
      await asked.text()
      refusedWith(await introspect(target, {}), ['invalid_request'])
    },
  },
  {
    section: 'RFC 7662 §4',
    level: 'MUST NOT',
    says: 'calls a token active whose grant has been given back',
    ask: async (target) => {
      const { accessToken: token, refreshToken } = await someTokens(target)
      assert.equal(await isActive(target, target.issuer, token), true)
      assert.equal((await revoke(target, refreshToken)).status, 200)
      isNothing(await introspect(target, { token }))
    },
  },
]

const revocation: readonly Requirement[] = [
  {
    section: 'RFC 7009 §2.1',
    level: 'MUST',
    says: 'ends a refresh token that is given back, and the access tokens of the same grant',
    ask: async (target) => {
      const { accessToken, refreshToken } = await someTokens(target)
      assert.equal(await isActive(target, target.issuer, accessToken), true)
      assert.equal((await revoke(target, refreshToken)).status, 200)
      refusedWith(await refresh(target, refreshToken), ['invalid_grant'])
      assert.equal(await isActive(target, target.issuer, accessToken), false)
    },
  },
  {
    section: 'RFC 7009 §2.1',
    level: 'MUST NOT',
    says: 'ends a token that another client gives back',
    ask: async (target) => {
      const { accessToken, refreshToken } = await someTokens(target)
      for (const token of [accessToken, refreshToken]) await revoke(target, token, { client_id: target.otherClientId })
      assert.equal(await isActive(target, target.issuer, accessToken), true)
      const { status, json } = await refresh(target, refreshToken)
      assert.equal(status, 200)
      assert.equal((await revoke(target, String(json['refresh_token']))).status, 200)
      assert.equal(await isActive(target, target.issuer, accessToken), false)
    },
  },
  {
    section: 'RFC 7009 §2.1',
    level: 'MUST',
    says: 'has a client prove itself before it gives anything back',
    ask: async ({ issuer, machine }) => {
      const form = { token: 'x' }
      refusedWith(await post(`${issuer}/revoke`, form), ['invalid_client', 'invalid_request'])
      refusedWith(await post(`${issuer}/revoke`, { ...form, client_id: machine.id }), ['invalid_client'])
      refusedWith(await post(`${issuer}/revoke`, form, basic({ ...machine, secret: 'wrong' })), ['invalid_client'])
      assert.equal((await post(`${issuer}/revoke`, form, basic(machine))).status, 200)
    },
  },
  {
    section: 'RFC 7009 §2.1',
    level: 'MUST',
    says: 'finds what is given back whatever the hint says that it is',
    ask: async (target) => {
      for (const token_type_hint of ['access_token', 'no-such-type']) {
        const { accessToken, refreshToken } = await someTokens(target)
        assert.equal((await revoke(target, refreshToken, { token_type_hint })).status, 200)
        refusedWith(await refresh(target, refreshToken), ['invalid_grant'])
        assert.equal(await isActive(target, target.issuer, accessToken), false)
      }
    },
  },
  {
    section: 'RFC 7009 §2.2',
    level: 'MUST',
    says: 'answers 200 for a token that is none, and does so as often as it is given back, but not for a request without one',
    ask: async (target) => {
      const { refreshToken } = await someTokens(target)
      for (const token of ['x', 'a.b.c', refreshToken, refreshToken]) assert.equal((await revoke(target, token)).status, 200)
      refusedWith(await revoke(target, undefined), ['invalid_request'])
    },
  },
]

export const introspectionRequirements = introspection
export const revocationRequirements = revocation
