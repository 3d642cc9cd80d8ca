/** Clients that register themselves: what they are told, what they may change, and what is worth nothing without their token. */
import assert from 'node:assert/strict'
import {
  type Answered,
  authorizeUrl,
  claimsOf,
  type Requirement,
  refusedWith,
  type StatementChange,
  someTokens,
  type Target,
} from './requirement.js'

const metadata = {
  client_name: 'Conformance',
  redirect_uris: ['https://client.example/callback'],
  token_endpoint_auth_method: 'client_secret_basic',
}

async function send(method: string, url: string, { token, body }: { token?: string; body?: object } = {}): Promise<Answered> {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: text.startsWith('{') ? JSON.parse(text) : {} }
}

const register = ({ issuer }: Target, body: object = metadata) => send('POST', `${issuer}/register`, { body })

type Registered = { readonly id: string; readonly secret: string; readonly uri: string; readonly token: string }
async function aRegistered(target: Target): Promise<Registered> {
  const { status, json } = await register(target)
  assert.equal(status, 201)
  return {
    id: String(json['client_id']),
    secret: String(json['client_secret']),
    uri: String(json['registration_client_uri']),
    token: String(json['registration_access_token']),
  }
}

const isUnauthorized = ({ status, headers }: Answered): void => {
  assert.equal(status, 401)
  assert.match(headers.get('www-authenticate') ?? '', /^Bearer/)
}

export const registrationRequirements: readonly Requirement[] = [
  {
    section: 'RFC 7591 §3.2.1',
    level: 'MUST',
    says: 'answers 201 with a client_id, all that it registered, and when its secret ends, as JSON that nobody stores',
    ask: async (target) => {
      const { status, headers, json } = await register(target)
      assert.equal(status, 201)
      assert.match(headers.get('content-type') ?? '', /^application\/json(;|$)/)
      assert.match(headers.get('cache-control') ?? '', /no-store/)
      assert.equal(typeof json['client_id'], 'string')
      assert.equal(json['client_secret_expires_at'], 0)
      assert.deepEqual(json['redirect_uris'], metadata.redirect_uris)
      assert.equal(json['token_endpoint_auth_method'], metadata.token_endpoint_auth_method)
    },
  },
  {
    section: 'RFC 7591 §2.3',
    level: 'MUST',
    says: 'takes what a software statement says in the place of what the client says, and answers it unmodified',
    ask: async (target) => {
      const statement = await target.state({})
      const { status, json } = await register(target, { ...metadata, software_statement: statement })
      assert.equal(status, 201)
      assert.deepEqual(json['redirect_uris'], ['https://stated.example/callback'])
      assert.deepEqual([json['software_statement'], json['client_name']], [statement, metadata.client_name])
    },
  },
  {
    section: 'RFC 7591 §2.3',
    level: 'MUST',
    says: 'ignores a software statement where it supports none',
    ask: async (target) => {
      const body = { ...metadata, software_statement: await target.state({}) }
      const { status, json } = await register({ ...target, issuer: target.otherIssuer }, body)
      assert.equal(status, 201)
      assert.deepEqual([json['redirect_uris'], json['software_statement']], [metadata.redirect_uris, undefined])
    },
  },
  {
    section: 'RFC 7591 §3.2.2',
    level: 'MUST',
    says: 'refuses a software statement that does not hold by invalid_software_statement, and one of a stranger by unapproved_software_statement',
    ask: async (target) => {
      // Its neighbour is accepted, or the refusal would prove nothing.
      assert.equal((await register(target, { software_statement: await target.state({}) })).status, 201)
      const by = async (change: StatementChange) => register(target, { ...metadata, software_statement: await target.state(change) })
      refusedWith(await by({ byStranger: true }), ['invalid_software_statement'])
      refusedWith(await by({ claims: { exp: 1_000_000_000 } }), ['invalid_software_statement'])
      refusedWith(await by({ claims: { redirect_uris: ['http://stated.example'] } }), ['invalid_software_statement'])
      refusedWith(await by({ claims: { iss: 'https://evil.example' } }), ['unapproved_software_statement'])
    },
  },
  {
    section: 'RFC 7591 §5',
    level: 'MUST',
    says: 'makes another client of each registration',
    ask: async (target) => {
      const [first, second] = await Promise.all([aRegistered(target), aRegistered(target)])
      assert.notEqual(first.id, second.id)
      assert.notEqual(first.token, second.token)
    },
  },
  {
    section: 'RFC 9700 §4.15.1',
    level: 'SHOULD',
    says: 'makes up the client_id of whoever registers itself, who asks in vain for the sub of a person',
    ask: async (target) => {
      const { sub } = claimsOf((await someTokens(target)).accessToken)
      assert.equal(typeof sub, 'string')
      const { status, json } = await register(target, { ...metadata, client_id: sub })
      assert.equal(status, 201)
      assert.ok(
        typeof json['client_id'] === 'string' && !json['client_id'].toLowerCase().startsWith(String(sub)),
        String(json['client_id']),
      )
    },
  },
  {
    section: 'RFC 7591 §3.2.2',
    level: 'MUST',
    says: 'refuses a redirect URI that it does not allow by invalid_redirect_uri, and other metadata by invalid_client_metadata',
    ask: async (target) => {
      refusedWith(await register(target, { ...metadata, redirect_uris: ['http://client.example/callback'] }), ['invalid_redirect_uri'])
      refusedWith(await register(target, { ...metadata, token_endpoint_auth_method: 'unheard_of' }), ['invalid_client_metadata'])
    },
  },
  {
    section: 'RFC 7591 §2',
    level: 'MUST NOT',
    says: 'sends a person’s browser to the host that a client names for its logo',
    ask: async (target) => {
      const logo = 'https://logo.client.example/logo.png'
      const { json } = await register(target, { ...metadata, logo_uri: logo })
      assert.equal(json['logo_uri'], logo)
      const asked = { client_id: String(json['client_id']), redirect_uri: metadata.redirect_uris[0] }
      const begun = await fetch(authorizeUrl(target, asked), { redirect: 'manual' })
      const cookie = begun.headers.getSetCookie().map((one) => one.split(';')[0])
      const page = await fetch(new URL(begun.headers.get('location') ?? '', target.issuer), { headers: { cookie: cookie.join('; ') } })
      assert.equal(page.status, 200)
      assert.doesNotMatch(await page.text(), /logo\.client\.example|<img/)
      assert.doesNotMatch(page.headers.get('content-security-policy') ?? '', /img-src [^;]*(https?:|\*|data:)/)
    },
  },
  {
    section: 'RFC 7592 §3',
    level: 'MUST',
    says: 'tells a client where its registration is, and the token that opens it',
    ask: async (target) => {
      const { uri, token } = await aRegistered(target)
      assert.ok(uri.startsWith(`${target.issuer}/`), uri)
      assert.ok(token.length >= 22, 'at least 128 bits')
    },
  },
  {
    section: 'RFC 7592 §2.1',
    level: 'MUST',
    says: 'shows a client its registration, as JSON that nobody stores',
    ask: async (target) => {
      const { id, uri, token } = await aRegistered(target)
      const { status, headers, json } = await send('GET', uri, { token })
      assert.equal(status, 200)
      assert.match(headers.get('cache-control') ?? '', /no-store/)
      assert.deepEqual([json['client_id'], json['registration_client_uri'], json['client_name']], [id, uri, metadata.client_name])
      assert.equal(typeof json['registration_access_token'], 'string')
    },
  },
  {
    section: 'RFC 7592 §2',
    level: 'MUST',
    says: 'answers 401 to whoever brings no token, or one of another client, and does nothing',
    ask: async (target) => {
      const [client, other] = [await aRegistered(target), await aRegistered(target)]
      for (const method of ['GET', 'PUT', 'DELETE']) {
        isUnauthorized(await send(method, client.uri))
        isUnauthorized(await send(method, client.uri, { token: other.token }))
      }
      assert.equal((await send('GET', client.uri, { token: client.token })).status, 200)
    },
  },
  {
    section: 'RFC 7592 §2.2',
    level: 'MUST',
    says: 'replaces all of a registration: what is left out is gone, and what it answers opens it',
    ask: async (target) => {
      const { id, secret, uri, token } = await aRegistered(target)
      const { client_name: _, ...rest } = metadata
      const { status, json } = await send('PUT', uri, { token, body: { ...rest, client_id: id, client_secret: secret } })
      assert.equal(status, 200)
      assert.equal(json['client_id'], id)
      const read = await send('GET', uri, { token: String(json['registration_access_token']) })
      assert.notEqual(read.json['client_name'], metadata.client_name)
    },
  },
  {
    section: 'RFC 7592 §2.2',
    level: 'MUST NOT',
    says: 'takes a secret, a token or a client_id that the client chose',
    ask: async (target) => {
      const { id, uri, token } = await aRegistered(target)
      const wrong = [
        { client_id: 'another' },
        { client_secret: 'chosen' },
        { registration_access_token: 'chosen' },
        { client_id: undefined },
      ]
      for (const change of wrong)
        refusedWith(await send('PUT', uri, { token, body: { ...metadata, client_id: id, ...change } }), ['invalid_client_metadata'])
    },
  },
  {
    section: 'RFC 7592 §2.3',
    level: 'MUST',
    says: 'ends a registration by 204, after which the client, its secret and its token are worth nothing',
    ask: async (target) => {
      const { id, secret, uri, token } = await aRegistered(target)
      assert.equal((await send('DELETE', uri, { token })).status, 204)
      isUnauthorized(await send('GET', uri, { token }))
      const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
      const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'x' })
      const response = await fetch(`${target.issuer}/token`, { method: 'POST', headers: { authorization }, body })
      assert.equal(response.status, 401)
      assert.equal(((await response.json()) as Record<string, unknown>)['error'], 'invalid_client')
    },
  },
]
