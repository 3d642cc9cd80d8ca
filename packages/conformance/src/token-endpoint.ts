/** What the token endpoint refuses, and how it answers. */
import assert from 'node:assert/strict'
import {
  type AssertionChange,
  aCode,
  basic,
  claimsOf,
  codeForm,
  type Parameters,
  post,
  type Requirement,
  refusedWith,
  someTokens,
  type Target,
} from './requirement.js'

const badRedemptions: readonly [
  section: string,
  says: string,
  change: (target: { readonly otherClientId: string }) => Parameters,
  errors: readonly string[],
][] = [
  ['RFC 7636 §4.6', 'refuses a code with the verifier of another', () => ({ code_verifier: 'a'.repeat(43) }), ['invalid_grant']],
  [
    'RFC 7636 §4.6',
    'refuses a code with its challenge for a verifier',
    () => ({ code_verifier: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' }),
    ['invalid_grant'],
  ],
  [
    'RFC 9700 §4.8.2',
    'refuses a code of a challenge without a verifier',
    () => ({ code_verifier: undefined }),
    ['invalid_grant', 'invalid_request'],
  ],
  [
    'RFC 6749 §4.1.3',
    'refuses a code with another redirect URI',
    () => ({ redirect_uri: 'https://evil.example/callback' }),
    ['invalid_grant'],
  ],
  ['RFC 6749 §4.1.3', 'refuses a code of another client', ({ otherClientId }) => ({ client_id: otherClientId }), ['invalid_grant']],
  ['RFC 8707 §2.2', 'refuses a resource that the code is not for', () => ({ resource: 'https://unknown.example/mcp' }), ['invalid_target']],
]

const malformed: readonly [section: string, says: string, form: string, errors: readonly string[]][] = [
  ['RFC 6749 §5.2', 'refuses a request without a grant type', 'client_id=CLIENT', ['invalid_request']],
  [
    'RFC 6749 §5.2',
    'refuses a grant type that it does not know',
    'client_id=CLIENT&grant_type=urn:example:none',
    ['unsupported_grant_type'],
  ],
  [
    'RFC 9700 §2.4',
    'refuses the password of a person',
    'client_id=CLIENT&grant_type=password&username=ada&password=x',
    ['unsupported_grant_type', 'unauthorized_client'],
  ],
  [
    'RFC 6749 §3.2',
    'takes no parameter twice',
    'client_id=CLIENT&grant_type=authorization_code&grant_type=refresh_token',
    ['invalid_request'],
  ],
  ['RFC 6749 §3.2', 'takes no code twice', 'client_id=CLIENT&grant_type=authorization_code&code=a&code=b', ['invalid_request']],
  [
    'RFC 6749 §3.2',
    'takes a parameter without a value for one that is absent',
    'client_id=CLIENT&grant_type=',
    ['invalid_request', 'unsupported_grant_type'],
  ],
]

const gaveTokens = ({ status, json }: Awaited<ReturnType<typeof post>>): void => {
  assert.equal(status, 200)
  assert.match(String(json['token_type']), /^bearer$/i)
}

const assertionForm = (assertion: string): Parameters => ({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion })

const badAssertions: readonly [section: string, says: string, change: (target: Target) => AssertionChange][] = [
  ['ID-JAG draft', 'refuses an assertion of another type', () => ({ header: { typ: 'JWT' } })],
  ['ID-JAG draft', 'refuses an assertion for another client', ({ otherClientId }) => ({ claims: { client_id: otherClientId } })],
  ['RFC 7523 §3', 'refuses an assertion for another issuer', ({ otherIssuer }) => ({ claims: { aud: otherIssuer } })],
  ['ID-JAG draft', 'refuses an assertion for several issuers', ({ issuer, otherIssuer }) => ({ claims: { aud: [issuer, otherIssuer] } })],
  ['RFC 7523 §3', 'refuses an assertion of an issuer that it does not trust', () => ({ claims: { iss: 'https://evil.example' } })],
  ['RFC 7523 §3', 'refuses an assertion that has ended', () => ({ claims: { iat: 1_000_000_000, exp: 1_000_000_060 } })],
  ['RFC 7523 §3', 'refuses an assertion about nobody', () => ({ claims: { sub: undefined } })],
  ['ID-JAG draft', 'refuses an assertion that is bound to a key, without a proof of it', () => ({ claims: { cnf: { jkt: 'x' } } })],
  [
    'MCP Enterprise-Managed Authorization',
    'refuses an assertion with details of authorization that it would not carry out',
    () => ({ claims: { authorization_details: [{ type: 'payment' }] } }),
  ],
]

export const tokenEndpointRequirements: readonly Requirement[] = [
  ...badRedemptions.map(
    ([section, says, change, errors]): Requirement => ({
      section,
      level: 'MUST',
      says,
      ask: async (target) => {
        const form = codeForm(target, await aCode(target), change(target))
        refusedWith(await post(`${target.issuer}/token`, form), errors)
      },
    }),
  ),
  ...malformed.map(
    ([section, says, form, errors]): Requirement => ({
      section,
      level: 'MUST',
      says,
      ask: async ({ issuer, client }) =>
        refusedWith(await post(`${issuer}/token`, new URLSearchParams(form.replace('CLIENT', client.id))), errors),
    }),
  ),
  {
    section: 'RFC 6749 §5.1',
    level: 'MUST',
    says: 'answers tokens as JSON that nobody stores, each of a type',
    ask: async (target) => {
      const { status, headers, json } = await post(`${target.issuer}/token`, codeForm(target, await aCode(target)))
      assert.equal(status, 200)
      assert.match(headers.get('content-type') ?? '', /^application\/json(;|$)/)
      assert.match(headers.get('cache-control') ?? '', /no-store/)
      assert.match(String(json['token_type']), /^bearer$/i)
    },
  },
  {
    section: 'RFC 6749 §4.1.2',
    level: 'MUST NOT',
    says: 'redeems a code twice',
    ask: async (target) => {
      const form = codeForm(target, await aCode(target))
      assert.equal((await post(`${target.issuer}/token`, form)).status, 200)
      refusedWith(await post(`${target.issuer}/token`, form), ['invalid_grant'])
    },
  },
  {
    section: 'OAuth 2.1 §10.2',
    level: 'MUST',
    says: 'redeems a code of a client that says no redirect URI again',
    ask: async (target) => {
      const form = codeForm(target, await aCode(target), { redirect_uri: undefined })
      gaveTokens(await post(`${target.issuer}/token`, form))
    },
  },
  {
    section: 'RFC 6749 §3.2',
    level: 'MUST',
    says: 'takes what proves a client and has no value for what is absent',
    ask: async (target) => {
      const form = codeForm(target, await aCode(target), { client_secret: '', client_assertion: '', client_assertion_type: '' })
      gaveTokens(await post(`${target.issuer}/token`, form))
      const { machine, resource } = target
      const named = { grant_type: 'client_credentials', client_id: '', client_secret: '', resource }
      gaveTokens(await post(`${target.issuer}/token`, named, basic(machine)))
    },
  },
  {
    section: 'RFC 6749 §3.2',
    level: 'MUST',
    says: 'is asked by POST alone, and reads nothing from the address',
    ask: async ({ issuer, machine, resource }) => {
      const asked = new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: machine.id,
        client_secret: machine.secret,
        resource,
      })
      const got = await fetch(`${issuer}/token?${asked.toString()}`)
      assert.ok(got.status >= 400 && got.status < 500, `GET was answered ${got.status}`)
      refusedWith(await post(`${issuer}/token?${asked.toString()}`, {}), ['invalid_request', 'invalid_client'])
    },
  },
  {
    section: 'RFC 6749 §2.3',
    level: 'MUST NOT',
    says: 'believes a client that proves itself in two ways at once',
    ask: async ({ issuer, machine, resource }) => {
      const form = { grant_type: 'client_credentials', client_id: machine.id, client_secret: machine.secret, resource }
      refusedWith(await post(`${issuer}/token`, form, basic(machine)), ['invalid_request', 'invalid_client'])
    },
  },
  {
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    says: 'answers 401 and a challenge to a client whose secret is wrong',
    ask: async ({ issuer, machine, resource }) => {
      const wrong = await post(`${issuer}/token`, { grant_type: 'client_credentials', resource }, basic({ ...machine, secret: 'wrong' }))
      refusedWith(wrong, ['invalid_client'])
      assert.equal(wrong.status, 401)
      assert.match(wrong.headers.get('www-authenticate') ?? '', /^Basic /)
    },
  },
  {
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    says: 'answers 401 and invalid_client to a client that it does not know, by which a deleted one learns to register again',
    ask: async ({ issuer }) => {
      const form = { grant_type: 'refresh_token', refresh_token: 'x' }
      for (const answered of [
        await post(`${issuer}/token`, { ...form, client_id: 'nobody' }),
        await post(`${issuer}/token`, form, basic({ id: 'nobody', secret: 'x' })),
      ]) {
        refusedWith(answered, ['invalid_client'])
        assert.equal(answered.status, 401)
      }
    },
  },
  {
    section: 'RFC 6749 §2.3.1',
    level: 'MUST',
    says: 'believes both secrets of a client that is moved from one to the other, and no third one',
    ask: async ({ issuer, machine, resource }) => {
      const form = { grant_type: 'client_credentials', resource }
      const asked = async (secret: string) => (await post(`${issuer}/token`, form, basic({ ...machine, secret }))).status
      assert.notEqual(machine.secret, machine.secondSecret)
      assert.deepEqual([await asked(machine.secret), await asked(machine.secondSecret), await asked('wrong')], [200, 200, 401])
    },
  },
  {
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    says: 'refuses a scope that is malformed by invalid_scope',
    ask: async ({ issuer, machine, resource }) => {
      for (const scope of ['a"b', 'a\\b', 'read\twrite', 'é'])
        refusedWith(await post(`${issuer}/token`, { grant_type: 'client_credentials', resource, scope }, basic(machine)), ['invalid_scope'])
    },
  },
  {
    section: 'RFC 8707 §2',
    level: 'MUST',
    says: 'refuses to a client in its own name a resource that it does not know, and gives it, where it names none, the only one or nothing',
    ask: async ({ issuer, machine, resource }) => {
      const form = { grant_type: 'client_credentials' }
      const of = (change: Parameters) => post(`${issuer}/token`, { ...form, ...change }, basic(machine))
      refusedWith(await of({ resource: 'https://unknown.example/mcp' }), ['invalid_target'])
      const answered = await of({})
      if (answered.status !== 200) return refusedWith(answered, ['invalid_target'])
      assert.deepEqual([claimsOf(String(answered.json['access_token']))['aud']].flat(), [resource])
    },
  },
  {
    section: 'RFC 6749 §4.4',
    level: 'MUST',
    says: 'gives tokens in its own name to no public client',
    ask: async ({ issuer, client, resource }) =>
      refusedWith(await post(`${issuer}/token`, { grant_type: 'client_credentials', client_id: client.id, resource }), [
        'unauthorized_client',
        'invalid_client',
      ]),
  },
  ...badAssertions.map(
    ([section, says, change]): Requirement => ({
      section,
      level: 'MUST',
      says,
      ask: async (target) => {
        // Its neighbour is accepted, or the refusal would prove nothing.
        const good = await post(`${target.issuer}/token`, assertionForm(await target.assert({})), basic(target.agent))
        assert.equal(good.status, 200)
        assert.equal(good.json['refresh_token'], undefined)
        const bad = await post(`${target.issuer}/token`, assertionForm(await target.assert(change(target))), basic(target.agent))
        refusedWith(bad, ['invalid_grant'])
      },
    }),
  ),
  {
    section: 'MCP Enterprise-Managed Authorization',
    level: 'MUST',
    says: 'takes its name as the only one in a list for the audience, and gives a token for the resource of the assertion alone',
    ask: async (target) => {
      const form = assertionForm(await target.assert({ claims: { aud: [target.issuer] } }))
      const { status, json } = await post(`${target.issuer}/token`, form, basic(target.agent))
      assert.equal(status, 200)
      assert.deepEqual([claimsOf(String(json['access_token']))['aud']].flat(), [target.resource])
      assert.notEqual(json['scope'] ?? '', '')
    },
  },
  {
    section: 'MCP Enterprise-Managed Authorization',
    level: 'MUST NOT',
    says: 'believes an assertion that nobody signed',
    ask: async (target) => {
      const [, claims = ''] = (await target.assert({})).split('.')
      const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'oauth-id-jag+jwt' })).toString('base64url')
      assert.equal((await post(`${target.issuer}/token`, assertionForm(await target.assert({})), basic(target.agent))).status, 200)
      const forged = assertionForm(`${header}.${claims}.`)
      refusedWith(await post(`${target.issuer}/token`, forged, basic(target.agent)), ['invalid_grant', 'invalid_request'])
    },
  },
  {
    section: 'MCP Enterprise-Managed Authorization',
    level: 'MUST NOT',
    says: 'redeems an assertion twice',
    ask: async (target) => {
      const form = assertionForm(await target.assert({}))
      assert.equal((await post(`${target.issuer}/token`, form, basic(target.agent))).status, 200)
      refusedWith(await post(`${target.issuer}/token`, form, basic(target.agent)), ['invalid_grant'])
    },
  },
  {
    section: 'MCP Enterprise-Managed Authorization',
    level: 'MUST',
    says: 'grants of the scopes of an assertion no more than were asked for, and for its resource alone',
    ask: async (target) => {
      const narrow = { ...assertionForm(await target.assert({})), scope: target.agent.scope }
      const { json } = await post(`${target.issuer}/token`, narrow, basic(target.agent))
      assert.equal(json['scope'], target.agent.scope)
      const elsewhere = { ...assertionForm(await target.assert({})), resource: 'https://unknown.example/mcp' }
      refusedWith(await post(`${target.issuer}/token`, elsewhere, basic(target.agent)), ['invalid_target'])
      const ofAnother = assertionForm(await target.assert({ claims: { resource: 'https://unknown.example/mcp' } }))
      refusedWith(await post(`${target.issuer}/token`, ofAnother, basic(target.agent)), ['invalid_target'])
    },
  },
  {
    section: 'RFC 6749 §6',
    level: 'MUST NOT',
    says: 'refreshes for another client, or with more than was granted',
    ask: async (target) => {
      const { refreshToken } = await someTokens(target)
      const form = { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: target.client.id }
      refusedWith(await post(`${target.issuer}/token`, { ...form, scope: 'admin:purge' }), ['invalid_scope'])
      refusedWith(await post(`${target.issuer}/token`, { ...form, client_id: target.otherClientId }), ['invalid_grant'])
    },
  },
]
