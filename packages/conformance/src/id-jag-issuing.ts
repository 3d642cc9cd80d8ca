/** Signed words about a person for an authorization server of others: what the issuer of ID-JAGs owes. */
import assert from 'node:assert/strict'
import {
  type Answered,
  aCode,
  basic,
  codeForm,
  type Parameters,
  post,
  type Requirement,
  refusedWith,
  someTokens,
  type Target,
} from './requirement.js'

const urn = (name: string) => `urn:ietf:params:oauth:token-type:${name}`
const draft = 'ID-JAG draft'
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

async function refreshTokenOf(target: Target): Promise<string> {
  const { id, secret, redirectUri } = target.worded
  const asClient: Target = { ...target, client: { id, redirectUri } }
  const { status, json } = await post(`${target.issuer}/token`, codeForm(asClient, await aCode(asClient)), basic({ id, secret }))
  assert.equal(status, 200)
  return String(json['refresh_token'])
}
const formOf = ({ worded: { audience, resource } }: Target, refreshToken: string): Parameters => ({
  ...{ grant_type: tokenExchange, requested_token_type: urn('id-jag'), audience, resource },
  ...{ subject_token: refreshToken, subject_token_type: urn('refresh_token') },
})
const ask = async (target: Target, change: Parameters = {}, by: { id: string; secret: string } = target.worded): Promise<Answered> =>
  post(`${target.issuer}/token`, { ...formOf(target, await refreshTokenOf(target)), ...change }, basic(by))
const partOf = (jwt: unknown, part: 0 | 1): Readonly<Record<string, unknown>> =>
  JSON.parse(Buffer.from(String(jwt).split('.')[part] ?? '', 'base64url').toString())

export const idJagIssuingRequirements: readonly Requirement[] = [
  {
    section: draft,
    level: 'MUST',
    says: 'answers with an ID-JAG, which is no access token, and stores it nowhere',
    ask: async (target) => {
      const { status, headers, json } = await ask(target)
      assert.equal(status, 200)
      assert.deepEqual([json['issued_token_type'], String(json['token_type']).toUpperCase()], [urn('id-jag'), 'N_A'])
      assert.ok(Number(json['expires_in']) <= 300)
      assert.match(headers.get('cache-control') ?? '', /no-store/)
      assert.equal(json['refresh_token'], undefined)
      assert.equal(partOf(json['access_token'], 0)['typ'], 'oauth-id-jag+jwt')
    },
  },
  {
    section: draft,
    level: 'MUST',
    says: 'writes into it for whom it is, for which client and for whom alone',
    ask: async (target) => {
      const claims = partOf((await ask(target)).json['access_token'], 1)
      assert.deepEqual([claims['aud'], claims['resource']], [target.worded.audience, target.worded.resource])
      for (const name of ['iss', 'sub', 'client_id', 'jti']) assert.ok(typeof claims[name] === 'string' && claims[name] !== '', name)
      assert.ok(Number(claims['exp']) - Number(claims['iat']) <= 300)
    },
  },
  {
    section: draft,
    level: 'MUST NOT',
    says: 'issues it under the name by which it issues access tokens, nor takes it itself',
    ask: async (target) => {
      const { json } = await ask(target)
      assert.notEqual(partOf(json['access_token'], 1)['iss'], target.issuer)
      const assertion = String(json['access_token'])
      const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }
      // By the client that it names, which has that grant type: whoever else brings it is refused for that.
      refusedWith(await post(`${target.issuer}/token`, form, basic(target.worded)), ['invalid_grant'])
    },
  },
  {
    section: draft,
    level: 'SHOULD',
    says: 'says in its metadata that it issues them, and who, with which keys',
    ask: async (target) => {
      const { json } = await ask(target)
      const { iss } = partOf(json['access_token'], 1)
      const metadata = async (issuer: unknown) =>
        (await (await fetch(`${String(issuer)}/.well-known/openid-configuration`)).json()) as Readonly<Record<string, unknown>>
      for (const issuer of [target.issuer, iss])
        assert.deepEqual((await metadata(issuer))['identity_chaining_requested_token_types_supported'], [urn('id-jag')])
      const own = await metadata(iss)
      assert.equal(own['issuer'], iss)
      const { keys } = (await (await fetch(String(own['jwks_uri']))).json()) as { readonly keys: readonly { readonly kid: string }[] }
      assert.ok(keys.some(({ kid }) => kid === partOf(json['access_token'], 0)['kid']))
    },
  },
  ...(
    [
      ['MUST', 'issues none for an audience that is not allowed', () => ({ audience: 'https://unknown.example' }), 'invalid_target'],
      ['MUST', 'issues none for a resource that is not allowed', () => ({ resource: 'https://unknown.example/mcp' }), 'invalid_target'],
      ['MUST', 'demands an audience', () => ({ audience: undefined }), 'invalid_request'],
      ['MUST', 'issues none for an access token', () => ({ subject_token_type: urn('access_token') }), 'invalid_request'],
    ] as const
  ).map(
    ([level, says, change, error]): Requirement => ({
      ...{ section: draft, level, says },
      ask: async (target) => refusedWith(await ask(target, change()), [error]),
    }),
  ),
  {
    section: draft,
    level: 'MUST',
    says: 'issues none to a client that does not prove itself, or that is another',
    ask: async (target) => {
      refusedWith(await ask(target, {}, { ...target.worded, secret: 'wrong' }), ['invalid_client'])
      refusedWith(await ask(target, {}, target.gateway), ['invalid_target', 'invalid_request'])
    },
  },
  {
    section: 'MCP Enterprise-Managed Authorization, Client Authentication',
    level: 'SHOULD',
    says: 'issues none to a public client',
    ask: async (target) => {
      const members = { grant_types: ['authorization_code', 'refresh_token', tokenExchange] }
      const { clientId: id, redirectUri } = target.publish({ members })
      const { refreshToken } = await someTokens({ ...target, client: { id, redirectUri } })
      const form = { ...formOf(target, refreshToken), client_id: id }
      refusedWith(await post(`${target.issuer}/token`, form), ['unauthorized_client', 'invalid_client'])
    },
  },
]
