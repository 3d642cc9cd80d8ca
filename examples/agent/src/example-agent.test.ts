/** The agent and the example server together, with the version 2 client and the version 1 SDK: from 401 to a tool call to 401 again. */
import { createServer } from 'node:net'
import { createExampleMcpServer, type ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { aTinyIssuer, type TinyIssuer } from '../test/a-tiny-issuer.js'
import { createBrowserLogin } from './browser-login.js'
import { createExampleAgent, type ExampleAgent } from './example-agent.js'

const redirectUrl = 'http://127.0.0.1:7777/callback'
const agents: ExampleAgent[] = []
let issuer: TinyIssuer
let server: ExampleMcpServer
let resource = ''

beforeEach(async () => {
  issuer = await aTinyIssuer()
  const port = await freePort()
  resource = `http://127.0.0.1:${port}/mcp`
  server = await createExampleMcpServer({
    resource,
    port,
    issuers: [{ issuer: issuer.issuer, credential: { id: 'id', secret: 'dbx_secret' } }],
  })
  await server.guard.start()
})
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close()))
  await server.close()
  await issuer.close()
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
function anAgent(over: object = {}): ExampleAgent {
  const agent = createExampleAgent({ serverUrl: resource, redirectUrl, browser: (url: URL) => issuer.browse(url), ...over })
  agents.push(agent)
  return agent
}
const call = (token: string) =>
  fetch(resource, { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: '{}' })

it('says where to go without a token, at both metadata addresses', async () => {
  const refused = await fetch(resource, { method: 'POST', body: '{}' })
  expect(refused.status).toBe(401)
  const metadataUrl = `${new URL(resource).origin}/.well-known/oauth-protected-resource/mcp`
  expect(refused.headers.get('www-authenticate')).toBe(`Bearer scope="documents:read", resource_metadata="${metadataUrl}"`)
  for (const url of [metadataUrl, metadataUrl.replace('/mcp', '')])
    expect(await (await fetch(url)).json()).toMatchObject({
      resource,
      authorization_servers: [issuer.issuer],
      scopes_supported: ['documents:read'],
    })
})

it('refuses a foreign Origin and a foreign Host', async () => {
  expect((await fetch(resource, { method: 'POST', headers: { Origin: 'https://evil.example' }, body: '{}' })).status).toBe(403)
})

it('an unknown agent registers itself, signs in with PKCE for this resource, and calls a tool', async () => {
  const agent = anAgent()
  await agent.connect()
  expect(await agent.callTool('search_documents', { text: 'Drawbridge' })).toContain('welcome')
  expect(agent.visits()).toBe(1)
  expect(issuer.registrations).toHaveLength(1)
  expect(issuer.exchanges[0]?.get('resource')).toBe(resource)
})

it('an agent that is known beforehand does not register', async () => {
  const agent = anAgent({ client: { client_id: 'known', issuer: issuer.issuer } })
  await agent.connect()
  expect(issuer.registrations).toHaveLength(0)
  expect(issuer.exchanges[0]?.get('client_id')).toBe('known')
})

it('an agent with a metadata document is known by its URL', async () => {
  const clientMetadataUrl = 'https://agent.example/client.json'
  const agent = anAgent({ clientMetadataUrl })
  await agent.connect()
  expect(issuer.registrations).toHaveLength(0)
  expect(issuer.exchanges[0]?.get('client_id')).toBe(clientMetadataUrl)
})

it('steps up once when a tool needs more, and keeps what it had', async () => {
  const agent = anAgent()
  await agent.connect()
  expect(await agent.callTool('write_document', { name: 'plan', content: 'raise the bridge' })).toBe('wrote plan')
  expect(agent.visits()).toBe(2)
  expect(await agent.callTool('search_documents', { text: 'raise' })).toContain('plan')
})

it('an answer with a foreign state is not used', async () => {
  const agent = anAgent({
    browser: async (url: URL) => {
      const back = await issuer.browse(url)
      back.searchParams.set('state', 'other')
      return back
    },
  })
  await expect(agent.connect()).rejects.toThrow('state differs')
  expect(issuer.exchanges).toHaveLength(0)
})

it('the version 1 SDK finds the same way, and a revocation takes it from 200 to 401', async () => {
  const login = createBrowserLogin({ redirectUrl, browser: (url: URL) => issuer.browse(url) })
  const provider = login.provider as never
  const first = new TransportV1(new URL(resource), { authProvider: provider })
  await expect(new ClientV1({ name: 'v1', version: '1' }).connect(first as never)).rejects.toThrow()
  await first.finishAuth((await login.answer()).get('code') ?? '')
  const client = new ClientV1({ name: 'v1', version: '1' })
  await client.connect(new TransportV1(new URL(resource), { authProvider: provider }) as never)
  const result = await client.callTool({ name: 'search_documents', arguments: { text: 'people' } })
  expect(JSON.stringify(result.content)).toContain('welcome')
  const token = (await login.provider.tokens())?.access_token ?? ''
  expect((await call(token)).status).not.toBe(401)
  issuer.revoke('ada')
  for (let tries = 0; tries < 100 && (await call(token)).status !== 401; tries++) await new Promise((resolve) => setTimeout(resolve, 10))
  const refused = await call(token)
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('error="invalid_token"')])
  await client.close()
})

it('a stream of notifications that is open is closed by a revocation', async () => {
  const login = createBrowserLogin({ redirectUrl, browser: (url: URL) => issuer.browse(url) })
  const first = new TransportV1(new URL(resource), { authProvider: login.provider as never })
  await expect(new ClientV1({ name: 'v1', version: '1' }).connect(first as never)).rejects.toThrow()
  await first.finishAuth((await login.answer()).get('code') ?? '')
  const [version, method] = ['2026-07-28', 'subscriptions/listen']
  const ofMcp = (name: string) => `io.modelcontextprotocol/${name}`
  const _meta = {
    [ofMcp('protocolVersion')]: version,
    [ofMcp('clientInfo')]: { name: 'a', version: '1' },
    [ofMcp('clientCapabilities')]: {},
  }
  const listening = await fetch(resource, {
    method: 'POST',
    headers: {
      ...{ Authorization: `Bearer ${(await login.provider.tokens())?.access_token}`, 'Content-Type': 'application/json' },
      ...{ Accept: 'application/json, text/event-stream', 'MCP-Protocol-Version': version, 'Mcp-Method': method },
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { _meta, notifications: { toolsListChanged: true } } }),
  })
  expect([listening.status, listening.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/event-stream')])
  const reader = (listening.body as ReadableStream<Uint8Array>).getReader()
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toContain('acknowledged')
  issuer.revoke('ada')
  await expect(reader.read()).rejects.toThrow()
})
