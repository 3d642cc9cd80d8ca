/** Authorization requests that a client pushes beforehand: what is taken, what its address is worth, and for whom. */
import assert from 'node:assert/strict'
import { authorizeUrl, basic, type Parameters, post, type Requirement, refusedOnPage, refusedWith, type Target } from './requirement.js'

const good = (target: Target, change: Parameters = {}): Parameters => ({
  ...Object.fromEntries(new URL(authorizeUrl(target)).searchParams),
  ...change,
})
const push = (target: Target, change: Parameters = {}) => post(`${target.issuer}/par`, good(target, change))

async function aRequestUri(target: Target): Promise<string> {
  const { status, json } = await push(target)
  assert.equal(status, 201)
  return String(json['request_uri'])
}

const bringUrl = ({ issuer, client }: Target, requestUri: string, beside: Readonly<Record<string, string>> = {}): string =>
  `${issuer}/authorize?${new URLSearchParams({ client_id: client.id, request_uri: requestUri, ...beside }).toString()}`

const refusals: readonly [section: string, says: string, change: Parameters, errors: readonly string[]][] = [
  ['RFC 9126 §2.1', 'takes no request_uri in a push', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }, ['invalid_request']],
  [
    'RFC 9126 §2.3',
    'refuses a redirect URI that the client did not register',
    { redirect_uri: 'https://evil.example/' },
    ['invalid_request'],
  ],
  ['RFC 9126 §2.3', 'refuses a response type that it does not have', { response_type: 'token' }, ['unsupported_response_type']],
  [
    'RFC 9126 §2.3',
    'refuses a push without a challenge',
    { code_challenge: undefined, code_challenge_method: undefined },
    ['invalid_request'],
  ],
  ['RFC 9126 §2.3', 'refuses a push for a resource that it does not know', { resource: 'https://unknown.example/mcp' }, ['invalid_target']],
  ['RFC 9126 §2.3', 'refuses a push of a client that it does not know', { client_id: 'nobody' }, ['invalid_client']],
]

export const pushedRequestRequirements: readonly Requirement[] = [
  {
    section: 'RFC 9126 §5',
    level: 'MUST',
    says: 'names its endpoint, below its own address, and whether requests must be pushed',
    ask: async ({ issuer }) => {
      const { origin, pathname } = new URL(issuer)
      const document = (await (await fetch(`${origin}/.well-known/oauth-authorization-server${pathname}`)).json()) as Record<
        string,
        unknown
      >
      assert.equal(document['pushed_authorization_request_endpoint'], `${issuer}/par`)
      assert.equal(typeof document['require_pushed_authorization_requests'], 'boolean')
    },
  },
  {
    section: 'RFC 9126 §2.2',
    level: 'MUST',
    says: 'answers 201 with an address and its life in seconds, as JSON that nobody stores',
    ask: async (target) => {
      const { status, headers, json } = await push(target)
      assert.equal(status, 201)
      assert.match(headers.get('content-type') ?? '', /^application\/json(;|$)/)
      assert.match(headers.get('cache-control') ?? '', /no-store/)
      assert.ok(Number.isInteger(json['expires_in']) && Number(json['expires_in']) > 0)
      assert.match(String(json['request_uri']), /^urn:ietf:params:oauth:request_uri:/)
    },
  },
  {
    section: 'RFC 9126 §7.1',
    level: 'MUST',
    says: 'makes each address anew, of at least 128 random bits',
    ask: async (target) => {
      const uris = await Promise.all(Array.from({ length: 5 }, () => aRequestUri(target)))
      assert.equal(new Set(uris).size, uris.length)
      for (const uri of uris) assert.ok((uri.split(':').at(-1) ?? '').length >= 22, uri)
    },
  },
  ...refusals.map(
    ([section, says, change, errors]): Requirement => ({
      section,
      level: 'MUST',
      says,
      ask: async (target) => refusedWith(await push(target, change), errors),
    }),
  ),
  {
    section: 'RFC 9126 §2',
    level: 'MUST',
    says: 'has a client prove itself as at the token endpoint',
    ask: async (target) => {
      const form = good(target, { client_id: target.machine.id })
      refusedWith(await post(`${target.issuer}/par`, form), ['invalid_client'])
      refusedWith(await post(`${target.issuer}/par`, form, basic({ ...target.machine, secret: 'wrong' })), ['invalid_client'])
    },
  },
  {
    section: 'RFC 9126 §4',
    level: 'MUST',
    says: 'signs the person in by the address and the client_id alone, with the state that was pushed',
    ask: async (target) => {
      const back = new URL(await target.signIn(bringUrl(target, await aRequestUri(target))))
      assert.equal(`${back.origin}${back.pathname}`, target.client.redirectUri)
      assert.ok(back.searchParams.has('code'))
      assert.deepEqual([back.searchParams.get('state'), back.searchParams.get('iss')], ['of-the-client', target.issuer])
    },
  },
  {
    section: 'RFC 9101 §6.3',
    level: 'MUST NOT',
    says: 'uses a parameter that stands beside the address of a request',
    ask: async (target) => {
      const beside = { state: 'evil', redirect_uri: 'https://evil.example/', response_type: 'token', prompt: 'none' }
      const back = new URL(await target.signIn(bringUrl(target, await aRequestUri(target), beside)))
      assert.equal(`${back.origin}${back.pathname}`, target.client.redirectUri)
      assert.equal(back.searchParams.get('state'), 'of-the-client')
    },
  },
  {
    section: 'RFC 9126 §7.3',
    level: 'SHOULD',
    says: 'takes an address once',
    ask: async (target) => {
      const url = bringUrl(target, await aRequestUri(target))
      await target.signIn(url)
      await refusedOnPage(url)
    },
  },
  {
    section: 'RFC 9126 §2.2',
    level: 'MUST',
    says: 'binds an address to the client that pushed, and sends the browser of another nowhere',
    ask: async (target) => {
      const requestUri = await aRequestUri(target)
      await refusedOnPage(bringUrl(target, requestUri, { client_id: target.otherClientId }))
      assert.ok(new URL(await target.signIn(bringUrl(target, requestUri))).searchParams.has('code'))
    },
  },
  {
    section: 'RFC 9126 §7.2',
    level: 'MUST NOT',
    says: 'sends the browser anywhere by an address that it did not give out, whatever stands beside it',
    ask: async (target) => {
      const beside = { redirect_uri: target.client.redirectUri, response_type: 'code', state: 'x' }
      for (const handle of ['x', 'A'.repeat(43), ''])
        await refusedOnPage(bringUrl(target, `urn:ietf:params:oauth:request_uri:${handle}`, beside))
    },
  },
  {
    section: 'RFC 9126 §4',
    level: 'MUST NOT',
    says: 'takes an address of another issuer',
    ask: async (target) => refusedOnPage(bringUrl({ ...target, issuer: target.otherIssuer }, await aRequestUri(target))),
  },
]
