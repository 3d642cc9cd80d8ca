/** Tokens that a resource server exchanges for others, to go on for the person who called it: RFC 8693. */
import assert from 'node:assert/strict'
import { type Answered, basic, type Parameters, post, type Requirement, refusedWith, someTokens, type Target } from './requirement.js'

const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
type Payload = Readonly<Record<string, unknown>>
const payloadOf = (token: unknown): Payload => JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString())

const exchange = (
  { issuer, gateway }: Target,
  token: string,
  change: Parameters = {},
  headers: Readonly<Record<string, string>> = basic(gateway),
): Promise<Answered> =>
  post(
    `${issuer}/token`,
    { grant_type: grantType, subject_token: token, subject_token_type: accessToken, resource: gateway.target, ...change },
    headers,
  )

const refused: readonly [
  section: string,
  level: Requirement['level'],
  says: string,
  change: (target: Target) => Parameters,
  error: string,
][] = [
  ['RFC 8693 §2.1', 'MUST', 'refuses an exchange without a subject token', () => ({ subject_token: undefined }), 'invalid_request'],
  ['RFC 8693 §2.1', 'MUST', 'refuses a subject token that is of no type', () => ({ subject_token_type: undefined }), 'invalid_request'],
  [
    'RFC 8693 §2.1',
    'MUST NOT',
    'takes the type of an actor token without one',
    () => ({ actor_token_type: accessToken }),
    'invalid_request',
  ],
  [
    'RFC 8693 §2.2.2',
    'MUST',
    'calls a subject token that is none an invalid request',
    () => ({ subject_token: 'a.b.c' }),
    'invalid_request',
  ],
  [
    'RFC 8693 §2.2.2',
    'MUST',
    'calls a subject token that is called by a wrong type an invalid request',
    () => ({ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }),
    'invalid_request',
  ],
  [
    'RFC 8693 §2.2.2',
    'SHOULD',
    'calls a resource for which it issues nothing an invalid target',
    () => ({ resource: 'https://unknown.example/mcp' }),
    'invalid_target',
  ],
  ['RFC 8693 §2.1', 'MUST', 'widens no scope', ({ gateway }) => ({ scope: `${gateway.scope} documents:write` }), 'invalid_scope'],
]

export const tokenExchangeRequirements: readonly Requirement[] = [
  {
    section: 'RFC 8693 §2.2.1',
    level: 'MUST',
    says: 'answers an exchange with a token, its type and its kind, and stores it nowhere',
    ask: async (target) => {
      const { status, headers, json } = await exchange(target, (await someTokens(target)).accessToken)
      assert.equal(status, 200)
      assert.equal(json['issued_token_type'], accessToken)
      assert.match(String(json['token_type']), /^bearer$/i)
      assert.equal(json['scope'], target.gateway.scope)
      assert.match(headers.get('cache-control') ?? '', /no-store/)
      assert.equal(json['refresh_token'], undefined)
    },
  },
  {
    section: 'RFC 8693 §4.1',
    level: 'SHOULD',
    says: 'writes into an exchanged token for whom it is, and who acts',
    ask: async (target) => {
      const subject = (await someTokens(target)).accessToken
      const [of, to] = [payloadOf(subject), payloadOf((await exchange(target, subject)).json['access_token'])]
      assert.deepEqual([to['sub'], to['aud'], to['client_id']], [of['sub'], target.gateway.target, target.gateway.id])
      assert.deepEqual(to['act'], { sub: target.gateway.id })
      assert.ok(Number(to['exp']) <= Number(of['exp']), 'outlives the token that was exchanged')
    },
  },
  {
    section: 'RFC 8693 §2.1',
    level: 'MUST',
    says: 'exchanges nothing for a client that does not prove itself',
    ask: async (target) => {
      const { accessToken: token } = await someTokens(target)
      refusedWith(await exchange(target, token, { client_id: target.gateway.id }, {}), ['invalid_client'])
      refusedWith(await exchange(target, token, {}, basic({ ...target.gateway, secret: 'wrong' })), ['invalid_client'])
      refusedWith(await exchange(target, token, { client_id: target.client.id }, {}), ['unauthorized_client'])
      refusedWith(await exchange(target, token, {}, basic(target.machine)), ['unauthorized_client'])
    },
  },
  ...refused.map(
    ([section, level, says, change, error]): Requirement => ({
      section,
      level,
      says,
      ask: async (target) => {
        const { accessToken: token } = await someTokens(target)
        refusedWith(await exchange(target, token, change(target)), [error])
      },
    }),
  ),
  {
    section: 'RFC 8693 §2.1',
    level: 'MUST',
    says: 'exchanges no token of another kind for an access token, whatever it is called',
    ask: async (target) => {
      const { refreshToken } = await someTokens(target)
      refusedWith(await exchange(target, refreshToken), ['invalid_request'])
      refusedWith(await exchange(target, await target.assert({})), ['invalid_request'])
    },
  },
  {
    section: 'RFC 8693 §5',
    level: 'SHOULD',
    says: 'exchanges no token after what it was issued for has ended',
    ask: async (target) => {
      const { accessToken: token, refreshToken } = await someTokens(target)
      await post(`${target.issuer}/revoke`, { token: refreshToken, client_id: target.client.id })
      refusedWith(await exchange(target, token), ['invalid_request'])
    },
  },
]
