/** What an issuer says about itself, wherever it is asked and whatever the request calls it. */
import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { authorizeUrl, type Requirement, refusedToClient, type Target } from './requirement.js'

type Document = Readonly<Record<string, unknown>>

/** An issuer without a path has none of one character either. */
const pathOf = ({ pathname }: URL): string => (pathname === '/' ? '' : pathname)
const places = {
  'RFC 8414 §3': (issuer: URL) => `${issuer.origin}/.well-known/oauth-authorization-server${pathOf(issuer)}`,
  'RFC 8414 §5': (issuer: URL) => `${issuer.origin}/.well-known/openid-configuration${pathOf(issuer)}`,
  'OpenID Connect Discovery 1.0 §4': (issuer: URL) => `${issuer.origin}${pathOf(issuer)}/.well-known/openid-configuration`,
} as const

const placesOf = ({ issuer }: Target): string[] => Object.values(places).map((place) => place(new URL(issuer)))
const documentOf = async (target: Target): Promise<Document> => {
  const response = await fetch(places['RFC 8414 §3'](new URL(target.issuer)))
  return (await response.json()) as Document
}
const includesAll = (list: unknown, wanted: readonly string[]): void => {
  assert.ok(Array.isArray(list) && wanted.every((one) => list.includes(one)), `${JSON.stringify(list)} lacks some of ${wanted.join()}`)
}

const asymmetricAlone = (algorithms: unknown): void => {
  assert.ok(Array.isArray(algorithms) && algorithms.length > 0, JSON.stringify(algorithms))
  for (const algorithm of algorithms) assert.match(String(algorithm), /^(ES|PS|RS)(256|384|512)$|^EdDSA$|^Ed25519$/)
}

/** With a Host header that a fetch would not send. */
const getWith = (url: string, headers: Readonly<Record<string, string>>): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const request = httpRequest(url, { headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: `${JSON.stringify(response.headers)}\n${text}` }))
      response.on('error', reject)
    })
    request.on('error', reject).end()
  })

const names = {
  Host: { host: 'evil.example' },
  'X-Forwarded-Host': { 'x-forwarded-host': 'evil.example' },
  'X-Forwarded-Host and -Proto': { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', 'x-forwarded-port': '444' },
  Forwarded: { forwarded: 'host=evil.example;proto=https' },
  'X-Original-URL': { 'x-original-url': '/t/evil', 'x-rewrite-url': '/t/evil' },
} as const

export const metadataRequirements: readonly Requirement[] = [
  {
    section: 'OpenID Connect Discovery 1.0 §3',
    level: 'MUST',
    says: 'says by which types of sub it knows people',
    ask: async (target) => includesAll((await documentOf(target))['subject_types_supported'], ['public', 'pairwise']),
  },
  {
    section: 'OpenID Connect Discovery 1.0 §3',
    level: 'MUST',
    says: 'says that it reads no request object, and none at an address, which whoever says nothing is taken to do',
    ask: async (target) => {
      const document = await documentOf(target)
      assert.deepEqual([document['request_parameter_supported'], document['request_uri_parameter_supported']], [false, false])
    },
  },
  {
    section: 'MCP Enterprise-Managed Authorization',
    level: 'SHOULD',
    says: 'says that it accepts ID-JAGs and the grant type that they come by, and not whose',
    ask: async (target) => {
      const document = await documentOf(target)
      includesAll(document['authorization_grant_profiles_supported'], ['urn:ietf:params:oauth:grant-profile:id-jag'])
      includesAll(document['grant_types_supported'], ['urn:ietf:params:oauth:grant-type:jwt-bearer'])
      const { iss } = JSON.parse(Buffer.from((await target.assert({})).split('.')[1] ?? '', 'base64url').toString('utf8')) as {
        iss: string
      }
      assert.ok(!JSON.stringify(document).includes(iss), 'the metadata names an issuer that is trusted')
    },
  },
  ...Object.entries(places).map(
    ([section, place]): Requirement => ({
      section,
      level: 'MUST',
      says: 'answers its metadata here as application/json, with the issuer that was asked, character by character',
      ask: async ({ issuer }) => {
        const response = await fetch(place(new URL(issuer)))
        assert.match(response.headers.get('content-type') ?? '', /^application\/json(;|$)/)
        assert.deepEqual([response.status, ((await response.json()) as Document)['issuer']], [200, issuer])
      },
    }),
  ),
  {
    section: 'MCP authorization 2026-07-28, Authorization Server Metadata Discovery',
    level: 'MUST',
    says: 'says the same at every well-known place',
    ask: async (target) => {
      const texts = await Promise.all(placesOf(target).map(async (url) => (await fetch(url)).text()))
      assert.equal(new Set(texts).size, 1)
    },
  },
  {
    section: 'RFC 8414 §2',
    level: 'MUST',
    says: 'lists its endpoints below its own address, and the response types',
    ask: async (target) => {
      const document = await documentOf(target)
      for (const name of [
        'authorization_endpoint',
        'token_endpoint',
        'jwks_uri',
        'registration_endpoint',
        'introspection_endpoint',
        'revocation_endpoint',
      ])
        assert.ok(String(document[name]).startsWith(`${target.issuer}/`), `${name} is ${String(document[name])}`)
      includesAll(document['response_types_supported'], ['code'])
    },
  },
  {
    section: 'RFC 8414 §3.2',
    level: 'MUST',
    says: 'leaves a claim out rather than answer it as an empty list',
    ask: async (target) => {
      for (const [name, value] of Object.entries(await documentOf(target))) assert.notDeepEqual(value, [], `${name} is empty`)
    },
  },
  {
    section: 'MCP authorization 2026-07-28, Authorization Code Protection',
    level: 'MUST',
    says: 'lists S256 and no other way to prove a code',
    ask: async (target) => assert.deepEqual((await documentOf(target))['code_challenge_methods_supported'], ['S256']),
  },
  {
    section: 'RFC 9207 §3',
    level: 'MUST',
    says: 'says that its answers name their issuer',
    ask: async (target) => assert.equal((await documentOf(target))['authorization_response_iss_parameter_supported'], true),
  },
  {
    section: 'OpenID Connect Discovery 1.0 §3',
    level: 'MUST',
    says: 'lists subject types and the algorithms of ID tokens, none of them "none"',
    ask: async (target) => {
      const document = await documentOf(target)
      assert.ok(Array.isArray(document['subject_types_supported']) && document['subject_types_supported'].length > 0)
      const algorithms = document['id_token_signing_alg_values_supported']
      assert.ok(Array.isArray(algorithms) && algorithms.length > 0 && !algorithms.includes('none'), String(algorithms))
    },
  },
  {
    section: 'MCP OAuth Client Credentials extension',
    level: 'MUST',
    says: 'lists the proofs of clients that act for themselves, and by which algorithms, none of them "none"',
    ask: async (target) => {
      const document = await documentOf(target)
      includesAll(document['grant_types_supported'], ['client_credentials'])
      includesAll(document['token_endpoint_auth_methods_supported'], ['private_key_jwt', 'client_secret_basic'])
      asymmetricAlone(document['token_endpoint_auth_signing_alg_values_supported'])
    },
  },
  {
    section: 'RFC 9449 §5.1',
    level: 'MUST',
    says: 'lists the algorithms of proofs, asymmetric ones alone',
    ask: async (target) => asymmetricAlone((await documentOf(target))['dpop_signing_alg_values_supported']),
  },
  {
    section: 'RFC 7517 §4',
    level: 'MUST NOT',
    says: 'publishes a private or symmetric part of a key',
    ask: async (target) => {
      const { keys } = (await (await fetch(String((await documentOf(target))['jwks_uri']))).json()) as { keys: Document[] }
      assert.ok(keys.length > 0)
      for (const key of keys)
        for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']) assert.ok(!(part in key), `a key has ${part}`)
    },
  },
  ...Object.entries(names).map(
    ([name, headers]): Requirement => ({
      section: 'RFC 8414 §6.2',
      level: 'MUST NOT',
      says: `calls itself, or sends a browser to, what ${name} of a request says`,
      ask: async (target) => {
        const asked = [...placesOf(target), authorizeUrl(target), authorizeUrl(target, { response_type: 'token' })]
        for (const url of asked) assert.ok(!(await getWith(url, headers)).text.includes('evil'), url)
        for (const url of placesOf(target)) {
          const { status, text } = await getWith(url, headers)
          assert.ok(status >= 400 || text.includes(`"issuer":"${target.issuer}"`), `${url}: ${status}`)
        }
        await refusedToClient(target, authorizeUrl(target, { response_type: 'token' }), ['unsupported_response_type'])
      },
    }),
  ),
]
