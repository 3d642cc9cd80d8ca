/** What userinfo tells, to whom, and how it refuses. */
import assert from 'node:assert/strict'
import { authorizeUrl, codeForm, type Parameters, post, type Requirement, someTokens, type Target } from './requirement.js'

const at = ({ issuer }: Target): string => `${issuer}/userinfo`

/** Of a client that asked for `openid`: its access token, and whom its ID token names. */
async function openidTokens(
  target: Target,
  client: { readonly id: string; readonly redirectUri: string } = target.client,
): Promise<{ readonly accessToken: string; readonly sub: unknown }> {
  const back = new URL(await target.signIn(authorizeUrl({ ...target, client }, { scope: 'openid' })))
  const { json } = await post(`${target.issuer}/token`, codeForm({ ...target, client }, back.searchParams.get('code') ?? ''))
  const claims = JSON.parse(Buffer.from(String(json['id_token']).split('.')[1] ?? '', 'base64url').toString()) as { sub: unknown }
  return { accessToken: String(json['access_token']), sub: claims.sub }
}

const ask = async (target: Target, init: RequestInit, query = '') => {
  const response = await fetch(`${at(target)}${query}`, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: JSON.parse(text) as Readonly<Record<string, unknown>> }
}
const bearing = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } })

function challenged({ status, headers }: Awaited<ReturnType<typeof ask>>, expected: number, error: string | undefined): void {
  const challenge = headers.get('www-authenticate') ?? ''
  assert.match(challenge, /^Bearer /)
  assert.deepEqual([status, /error="(\w+)"/.exec(challenge)?.[1]], [expected, error])
}

export const userinfoRequirements: readonly Requirement[] = [
  {
    section: 'OpenID Connect Core 1.0 §8.1',
    level: 'MUST',
    says: 'tells a client that wants a sub of its own another one than others are told, always the same, at userinfo too',
    ask: async (target) => {
      const [first, again, other] = [
        await openidTokens(target, target.pairwise),
        await openidTokens(target, target.pairwise),
        await openidTokens(target),
      ]
      assert.equal(typeof first.sub, 'string')
      assert.equal(first.sub, again.sub)
      assert.notEqual(first.sub, other.sub)
      const { status, json } = await ask(target, { method: 'GET', ...bearing(first.accessToken) })
      assert.deepEqual([status, json['sub']], [200, first.sub])
    },
  },
  ...(['GET', 'POST'] as const).map(
    (method): Requirement => ({
      section: 'OpenID Connect Core 1.0 §5.3.1',
      level: 'MUST',
      says: `answers ${method} with the access token in the header, as JSON, with the sub of the ID token`,
      ask: async (target) => {
        const { accessToken, sub } = await openidTokens(target)
        const { status, headers, json } = await ask(target, { method, ...bearing(accessToken) })
        assert.match(headers.get('content-type') ?? '', /^application\/json(;|$)/)
        assert.deepEqual([status, json['sub']], [200, sub])
      },
    }),
  ),
  {
    section: 'RFC 6750 §2.2',
    level: 'SHOULD',
    says: 'takes the access token in the form of a POST',
    ask: async (target) => {
      const { accessToken, sub } = await openidTokens(target)
      const { status, json } = await post(at(target), { access_token: accessToken })
      assert.deepEqual([status, json['sub']], [200, sub])
    },
  },
  {
    section: 'RFC 6750 §2',
    level: 'MUST NOT',
    says: 'takes an access token in two ways at once',
    ask: async (target) => {
      const { accessToken } = await openidTokens(target)
      const body = new URLSearchParams({ access_token: accessToken } satisfies Parameters as Record<string, string>)
      challenged(await ask(target, { method: 'POST', body, ...bearing(accessToken) }), 400, 'invalid_request')
    },
  },
  {
    section: 'OAuth 2.1 §5.2',
    level: 'MUST NOT',
    says: 'takes an access token in the query',
    ask: async (target) => {
      const { accessToken } = await openidTokens(target)
      challenged(await ask(target, {}, `?access_token=${accessToken}`), 401, undefined)
    },
  },
  {
    section: 'RFC 6750 §3.1',
    level: 'SHOULD',
    says: 'challenges whoever presents no token, and names no error',
    ask: async (target) => challenged(await ask(target, {}), 401, undefined),
  },
  {
    section: 'RFC 6750 §3.1',
    level: 'SHOULD',
    says: 'refuses what is no token of its own with invalid_token',
    ask: async (target) => challenged(await ask(target, bearing('a.b.c')), 401, 'invalid_token'),
  },
  {
    section: 'RFC 6750 §3.1',
    level: 'SHOULD',
    says: 'refuses a token without openid with insufficient_scope',
    ask: async (target) => challenged(await ask(target, bearing((await someTokens(target)).accessToken)), 403, 'insufficient_scope'),
  },
  {
    section: 'OpenID Connect Core 1.0 §5.3.3',
    level: 'MUST',
    says: 'refuses a token that was revoked',
    ask: async (target) => {
      const { accessToken, refreshToken } = await someTokens(target)
      await post(`${target.issuer}/revoke`, { token: refreshToken, client_id: target.client.id })
      challenged(await ask(target, bearing(accessToken)), 401, 'invalid_token')
    },
  },
  {
    section: 'OpenID Connect Discovery 1.0 §3',
    level: 'SHOULD',
    says: 'names userinfo in its metadata',
    ask: async (target) => {
      const response = await fetch(`${target.issuer}/.well-known/openid-configuration`)
      assert.equal(((await response.json()) as Readonly<Record<string, unknown>>)['userinfo_endpoint'], at(target))
    },
  },
]
