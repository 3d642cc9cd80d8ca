/** Clients that describe themselves at their own address: what is fetched, what is believed of it, and for how long. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:net'
import {
  aCode,
  asksThePerson,
  authorizeUrl,
  codeForm,
  type DocumentChange,
  type Published,
  post,
  type Requirement,
  refusedOnPage,
  refusedWith,
  type Target,
} from './requirement.js'

const asks = (target: Target, { clientId, redirectUri }: Published, change: object = {}): string =>
  authorizeUrl(target, { client_id: clientId, redirect_uri: redirectUri, ...change })
const asClient = (target: Target, { clientId, redirectUri }: Published): Target => ({ ...target, client: { id: clientId, redirectUri } })
const publicKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })

const mcp = 'MCP authorization 2026-07-28, Client ID Metadata Documents'
const refused: readonly [section: string, level: Requirement['level'], says: string, change: DocumentChange][] = [
  [mcp, 'MUST', 'refuses a document that is of another address', { members: { client_id: 'https://other.example/client.json' } }],
  [mcp, 'MUST', 'refuses a document without a name', { members: { client_name: undefined } }],
  [mcp, 'MUST', 'refuses a document without redirect URIs', { members: { redirect_uris: undefined } }],
  [mcp, 'MUST', 'refuses a document that is no JSON', { text: '{"client_id":' }],
  [
    mcp,
    'MUST',
    'refuses a redirect URI that the document does not list',
    { members: { redirect_uris: ['https://other.example/callback'] } },
  ],
  ['OAuth CIMD §4', 'MUST', 'takes a document that is not there for none', { status: 404 }],
  ['OAuth CIMD §4', 'MUST', 'takes no other success than 200 for a document', { status: 201 }],
  ['OAuth CIMD §4', 'MUST', 'refuses a document that is no application/json', { headers: { 'content-type': 'text/html' } }],
  ['OAuth CIMD §4.1', 'MUST NOT', 'accepts a document that publishes a secret', { members: { client_secret: 'secret' } }],
  [
    'OAuth CIMD §4.1',
    'MUST NOT',
    'accepts a document of a client that would prove itself by a shared secret',
    { members: { token_endpoint_auth_method: 'client_secret_basic' } },
  ],
  ['OAuth CIMD §6', 'SHOULD', 'reads no document of more than 5 kB', { members: { note: 'x'.repeat(6_000) } }],
]

const noDocumentUrls: Readonly<Record<string, (url: string) => string>> = {
  'a fragment': (url) => `${url}#x`,
  'a name and a password': (url) => url.replace('://', '://user:password@'),
  'dot segments': (url) => `${url}/../client.json`,
  'dot segments in disguise': (url) => `${url}/%2e%2E/client.json`,
  'no path': (url) => new URL(url).origin,
}

export const clientDocumentRequirements: readonly Requirement[] = [
  {
    section: mcp,
    level: 'SHOULD',
    says: 'knows a client by its document alone, as far as its tokens, and says in its metadata that it does',
    ask: async (target) => {
      const metadata = await fetch(`${target.issuer}/.well-known/openid-configuration`)
      assert.equal(((await metadata.json()) as Record<string, unknown>)['client_id_metadata_document_supported'], true)
      const client = asClient(target, target.publish())
      const { status } = await post(`${target.issuer}/token`, codeForm(client, await aCode(client)))
      assert.equal(status, 200)
    },
  },
  ...refused.map(
    ([section, level, says, change]): Requirement => ({
      section,
      level,
      says,
      ask: async (target) => {
        // Its neighbour is accepted, or the refusal would prove nothing.
        await asksThePerson(target, asks(target, target.publish()))
        await refusedOnPage(asks(target, target.publish(change)))
      },
    }),
  ),
  {
    section: 'OAuth CIMD §4',
    level: 'MUST NOT',
    says: 'follows a redirect to a document',
    ask: async (target) => {
      const good = target.publish()
      const moved = target.publish({ status: 302, headers: { location: good.clientId } })
      await refusedOnPage(asks(target, moved))
      assert.deepEqual([moved.fetched(), good.fetched()], [1, 0])
    },
  },
  {
    section: 'OAuth CIMD §4.3',
    level: 'MUST NOT',
    says: 'keeps an error, or a document that is none: once it is mended it counts',
    ask: async (target) => {
      for (const change of [{ status: 500 }, { members: { client_name: undefined } }] as const) {
        const published = target.publish({ ...change, headers: { 'cache-control': 'max-age=86400' } })
        await refusedOnPage(asks(target, published))
        published.change({})
        await asksThePerson(target, asks(target, published))
      }
    },
  },
  {
    section: mcp,
    level: 'SHOULD',
    says: 'keeps a document for as long as HTTP says',
    ask: async (target) => {
      const published = target.publish({ headers: { 'cache-control': 'max-age=600' } })
      for (let round = 0; round < 3; round++) await asksThePerson(target, asks(target, published))
      assert.equal(published.fetched(), 1)
    },
  },
  {
    section: 'OAuth CIMD §6',
    level: 'MUST',
    says: 'connects to no special-use address for a document',
    ask: async (target) => {
      let connections = 0
      const inside = createServer((socket) => {
        connections += 1
        socket.destroy()
      })
      const port = await new Promise<number>((resolve) =>
        inside.listen(0, '127.0.0.1', () => resolve((inside.address() as { readonly port: number }).port)),
      )
      try {
        for (const host of ['127.0.0.1', 'localhost', '0x7f000001', '[::ffff:127.0.0.1]'])
          await refusedOnPage(authorizeUrl(target, { client_id: `https://${host}:${port}/client.json` }))
        assert.equal(connections, 0)
      } finally {
        inside.close()
      }
    },
  },
  ...Object.entries(noDocumentUrls).map(
    ([what, change]): Requirement => ({
      section: 'OAuth CIMD §3',
      level: 'MUST',
      says: `takes an address with ${what} for the name of no document`,
      ask: async (target) => {
        const published = target.publish()
        await refusedOnPage(asks(target, published, { client_id: change(published.clientId) }))
        assert.equal(published.fetched(), 0)
      },
    }),
  ),
  {
    section: 'OAuth CIMD §6',
    level: 'MUST',
    says: 'has a client whose document says private_key_jwt prove itself by it',
    ask: async (target) => {
      const members = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ ...publicKey, kid: 'k' }] } }
      const client = asClient(target, target.publish({ members }))
      refusedWith(await post(`${target.issuer}/token`, codeForm(client, await aCode(client))), ['invalid_client'])
    },
  },
  {
    section: 'OAuth CIMD §3',
    level: 'SHOULD',
    says: 'gives a client that registers no name that could be an address of a document',
    ask: async ({ issuer }) => {
      const response = await fetch(`${issuer}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: ['https://client.example/callback'] }),
      })
      assert.equal(response.status, 201)
      const { client_id: id } = (await response.json()) as { readonly client_id: string }
      assert.doesNotMatch(id, /^https?:/)
    },
  },
]
