/** What the authorization endpoint refuses, and where it says so. */
import assert from 'node:assert/strict'
import {
  aCode,
  asksThePerson,
  authorizeUrl,
  type Parameters,
  type Requirement,
  refusedOnPage,
  refusedToClient,
  type Target,
} from './requirement.js'

const refusals: readonly [section: string, level: Requirement['level'], says: string, change: Parameters, errors: readonly string[]][] = [
  [
    'RFC 7636 §4.4.1',
    'MUST',
    'refuses a request without a challenge',
    { code_challenge: undefined, code_challenge_method: undefined },
    ['invalid_request'],
  ],
  [
    'RFC 9700 §2.1.1',
    'MUST',
    'refuses the method "plain"',
    { code_challenge: 'a'.repeat(43), code_challenge_method: 'plain' },
    ['invalid_request'],
  ],
  ['RFC 7636 §4.3', 'MUST', 'takes no method for "plain", and refuses it', { code_challenge_method: undefined }, ['invalid_request']],
  ['RFC 7636 §4.2', 'MUST', 'refuses a challenge that is no SHA-256', { code_challenge: 'short' }, ['invalid_request']],
  ['RFC 6749 §4.1.2.1', 'MUST', 'refuses a request without a response type', { response_type: undefined }, ['invalid_request']],
  ...['token', 'id_token', 'code token', 'code id_token', 'code id_token token', 'none', 'CODE'].map((type): (typeof refusals)[number] => [
    'RFC 9700 §2.1.2',
    'SHOULD',
    `refuses the response type "${type}"`,
    { response_type: type },
    ['unsupported_response_type'],
  ]),
  ['RFC 8707 §2', 'MUST', 'refuses a resource that it does not know', { resource: 'https://unknown.example/mcp' }, ['invalid_target']],
  ['RFC 6749 §4.1.2.1', 'MUST', 'refuses scopes none of which it knows', { scope: 'no-such-scope' }, ['invalid_scope']],
  [
    'OpenID Connect Core 1.0 §3.1.2.6',
    'MUST',
    'answers prompt=none without a session by an error',
    { prompt: 'none' },
    ['login_required', 'interaction_required'],
  ],
  ['OpenID Connect Core 1.0 §3.1.2.1', 'MUST', 'refuses prompt=none beside another prompt', { prompt: 'none login' }, ['invalid_request']],
  [
    'OpenID Connect Core 1.0 §6.1',
    'MUST',
    'refuses a request object that it does not read',
    { request: 'e30.e30.' },
    ['request_not_supported'],
  ],
  [
    'OpenID Connect Core 1.0 §3.1.2.6',
    'MUST',
    'refuses the address of a request object elsewhere by an error of its own',
    { request_uri: 'https://agent.example/request.jwt' },
    ['request_uri_not_supported'],
  ],
]

/** Each differs from the registered one in what a lenient comparison would forgive. */
const tricks = (registered: string): readonly string[] => {
  const { host, pathname } = new URL(registered)
  return [
    `${registered}/`,
    `${registered}?x=1`,
    `${registered}#x`,
    `${registered}/../callback`,
    `${registered}%2e`,
    `${registered}%00`,
    `${registered}\n`,
    ` ${registered}`,
    registered.toUpperCase(),
    registered.replace('https:', 'http:'),
    `https://${host}:8443${pathname}`,
    `https://${host}:443${pathname}`,
    `https://${host}.${pathname}`,
    `https://${host}.evil.example${pathname}`,
    `https://evil.example/${host}${pathname}`,
    `https://evil.example@${host}${pathname}`,
    `https://${host}@evil.example${pathname}`,
    `https://${host}%40evil.example${pathname}`,
    `https://evil.example\\@${host}${pathname}`,
    `https://evil.example#@${host}${pathname}`,
    `https:/${host}${pathname}`,
    `https:///${host}${pathname}`,
    `//${host}${pathname}`,
    `javascript:alert(1)//${registered}`,
    `data:text/html,${registered}`,
    'https://evil.example/callback',
    'http://127.0.0.1/callback',
    'urn:ietf:wg:oauth:2.0:oob',
  ]
}

const repeated = (target: Target, name: string): string =>
  authorizeUrl(target, {}, `&${name}=${encodeURIComponent(new URL(authorizeUrl(target)).searchParams.get(name) ?? '')}`)

export const authorizationEndpointRequirements: readonly Requirement[] = [
  ...refusals.map(
    ([section, level, says, change, errors]): Requirement => ({
      section,
      level,
      says,
      ask: (target) => refusedToClient(target, authorizeUrl(target, change), errors),
    }),
  ),
  ...['response_type', 'state', 'code_challenge', 'code_challenge_method'].map(
    (name): Requirement => ({
      section: 'RFC 6749 §3.1',
      level: 'MUST NOT',
      says: `takes ${name} twice`,
      ask: async (target) => {
        const response = await fetch(repeated(target, name), { redirect: 'manual' })
        const to = response.headers.get('location')
        if (to === null) assert.equal(response.status, 400)
        else assert.ok(to.startsWith(`${target.client.redirectUri}?`) && new URL(to).searchParams.get('error') === 'invalid_request', to)
      },
    }),
  ),
  ...['client_id', 'redirect_uri'].map(
    (name): Requirement => ({
      section: 'RFC 6749 §3.1',
      level: 'MUST NOT',
      says: `takes ${name} twice, or sends the browser anywhere by one of the two`,
      ask: (target) => refusedOnPage(repeated(target, name)),
    }),
  ),
  {
    section: 'RFC 6749 §3.1',
    level: 'MUST',
    says: 'takes parameters without a value for what is absent',
    ask: async (target) => {
      const empty = Object.fromEntries(
        ['request', 'request_uri', 'prompt', 'max_age', 'nonce', 'id_token_hint', 'connection'].map((name) => [name, '']),
      )
      const back = new URL(await target.signIn(authorizeUrl(target, empty)))
      assert.ok(back.searchParams.has('code') && back.searchParams.get('state') === 'of-the-client', `came back with ${back.search}`)
    },
  },
  {
    section: 'RFC 9700 §4.1.3',
    level: 'MUST',
    says: 'compares redirect URIs character by character, and sends the browser to no other',
    ask: async (target) => {
      for (const redirectUri of tricks(target.client.redirectUri)) await refusedOnPage(authorizeUrl(target, { redirect_uri: redirectUri }))
    },
  },
  {
    section: 'OAuth 2.0 Form Post Response Mode §2',
    level: 'MUST',
    says: 'answers by a form to the redirect URI where that is asked for, a refusal, too, with the state and its name, at the front issuer as well',
    ask: async (target) => {
      for (const issuer of [target.issuer, target.front]) {
        const at = { ...target, issuer }
        const response = await fetch(authorizeUrl(at, { response_mode: 'form_post', prompt: 'none' }), { redirect: 'manual' })
        const text = await response.text()
        assert.equal(response.headers.get('location'), null)
        for (const said of [
          `action="${target.client.redirectUri}"`,
          'name="error"',
          'value="of-the-client"',
          `name="iss" value="${issuer}"`,
        ])
          assert.ok(text.includes(said), `${said} is not in ${text}`)
      }
    },
  },
  {
    section: 'RFC 8252 §7.3',
    level: 'MUST',
    says: 'takes any port of a loopback redirect URI, whose other parts are compared as ever, and no other port of a web host',
    ask: async (target) => {
      for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
        const { clientId } = target.publish({ members: { redirect_uris: [`http://${host}/callback`, 'https://agent.example/callback'] } })
        const ask = (redirectUri: string) => authorizeUrl(target, { client_id: clientId, redirect_uri: redirectUri })
        await asksThePerson(target, ask(`http://${host}:49152/callback`))
        for (const other of [
          `http://${host}:49152/elsewhere`,
          `http://${host}:49152@evil.example/callback`,
          'https://agent.example:49152/callback',
        ])
          await refusedOnPage(ask(other))
      }
    },
  },
  {
    section: 'RFC 6749 §4.1.2.1',
    level: 'MUST NOT',
    says: 'sends the browser to the redirect URI of a client that it does not know',
    ask: (target) => refusedOnPage(authorizeUrl(target, { client_id: 'nobody' })),
  },
  {
    section: 'RFC 6749 §3.1.2.5',
    level: 'MUST NOT',
    says: 'tells a refusal to a redirect URI that it has not proven, whatever else is wrong',
    ask: (target) => refusedOnPage(authorizeUrl(target, { redirect_uri: 'https://evil.example/', response_type: 'token' })),
  },
  {
    section: 'RFC 9207 §2',
    level: 'MUST',
    says: 'names itself beside a code, with the state of the client',
    ask: async (target) => {
      const back = new URL(await target.signIn(authorizeUrl(target)))
      assert.equal(`${back.origin}${back.pathname}`, target.client.redirectUri)
      assert.deepEqual([back.searchParams.get('iss'), back.searchParams.get('state')], [target.issuer, 'of-the-client'])
      assert.deepEqual([...back.searchParams.keys()].sort(), ['code', 'iss', 'state'])
    },
  },
  {
    section: 'RFC 6749 §10.10',
    level: 'MUST',
    says: 'makes codes that nobody guesses: 128 bits and more, none twice',
    ask: async (target) => {
      const codes = [await aCode(target), await aCode(target)]
      assert.equal(new Set(codes).size, codes.length)
      for (const code of codes) assert.ok(code.length >= 22, `a code of ${code.length} characters`)
    },
  },
]
