/**
 * The same story for the version 1 MCP SDK, against the product started by its own command: the SDK discovers, introduces itself in each of
 * the three ways, sends the person to sign in, calls a tool, refreshes by itself, and is told 401 when IT says so. At both companies.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callTool } from '@drawbridge/cli/demo-client'
import { type BrowserLogin, createBrowserLogin, type LoginOptions } from '@drawbridge/example-agent/browser-login'
import { createExampleMcpServer, type ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { type OAuthClientProvider, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aCertificate } from './a-certificate.js'
import { aBrowser, redirectUri, walk, webRedirectUri } from './a-client.js'
import { type Company, eventually, type Hands, nextSecond } from './a-product.js'
import { aStartedProduct } from './a-started-product.js'

const person = 'lena'
const folder = mkdtempSync(join(tmpdir(), 'drawbridge-certificate-'))
const servers: Partial<Record<Company, ExampleMcpServer>> = {}
let product: Hands & { stop(): Promise<void> }
let publisher: Server
let documentUrl = ''

beforeAll(async () => {
  const port = await freePort()
  const origin = `https://127.0.0.1:${port}`
  documentUrl = `${origin}/client.json`
  const certificate = await aCertificate()
  const certificateFile = join(folder, 'certificate.pem')
  writeFileSync(certificateFile, certificate.cert)
  publisher = createServer(certificate, (_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(clientDocument()))
  }).listen(port, '127.0.0.1')
  product = await aStartedProduct({ DRAWBRIDGE_ALLOWED_ORIGINS: origin, NODE_EXTRA_CA_CERTS: certificateFile })
  for (const company of ['acme', 'globex'] as const) servers[company] = await aServerOf(company)
}, 180_000)
afterAll(async () => {
  publisher?.close()
  await Promise.all(Object.values(servers).map((server) => server.close()))
  await product?.stop()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

const clientDocument = () => ({
  client_id: documentUrl,
  client_name: 'Published agent',
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
})

/** The SDK asks the first issuer that a server names, so each company has a server that trusts its issuer alone. */
async function aServerOf(company: Company): Promise<ExampleMcpServer> {
  const port = await freePort()
  const resource = `http://127.0.0.1:${port}/mcp`
  const scopes = [
    { name: 'documents:read', description: 'Find and read documents', tier: 'read', isDefault: true },
    { name: 'documents:write', description: 'Write documents', tier: 'write' },
  ]
  const made = await product.admin('POST', `/tenants/${company}/resources`, {
    identifier: resource,
    name: `Documents of ${company}`,
    scopes,
  })
  const { status, json } = await product.admin('POST', `/tenants/${company}/resources/${made.json['id']}/credentials`, {})
  expect([made.status, status]).toEqual([201, 201])
  const credential = { id: String(json['id']), secret: String(json['secret']) }
  return createExampleMcpServer({ resource, port, issuers: [{ issuer: product.issuer(company), credential }] })
}

const ways = {
  'a metadata document': async () => ({ options: { redirectUrl: redirectUri, clientMetadataUrl: documentUrl }, gates: unknownClient }),
  'dynamic registration': async () => ({ options: { redirectUrl: redirectUri }, gates: unknownClient }),
  'the admin, who approved it': async (company: Company) => {
    const body = { name: 'Reviewed agent', redirectUris: [webRedirectUri], preApproved: true }
    const { status, json } = await product.admin('POST', `/tenants/${company}/clients`, body)
    expect(status).toBe(201)
    const client = { client_id: String(json['clientId']), issuer: product.issuer(company) }
    return { options: { redirectUrl: webRedirectUri, client }, gates: ['sign-in'] }
  },
} as const satisfies Record<string, (company: Company) => Promise<{ options: Omit<LoginOptions, 'browser'>; gates: readonly string[] }>>
const unknownClient = ['notice', 'sign-in', 'consent']

/** The SDK's provider is the example agent's own: the two versions differ in the types of what they hand to it, not in its shape. */
const providerOf = (login: BrowserLogin) => login.provider as unknown as OAuthClientProvider

async function connect(login: BrowserLogin, url: string): Promise<Client> {
  const client = new Client({ name: 'version 1', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider: providerOf(login) }))
  return client
}

const search = async (client: Client): Promise<string> =>
  JSON.stringify((await client.callTool({ name: 'search_documents', arguments: { text: 'people' } })).content)

describe.each(['acme', 'globex'] as const)('at %s', (company) => {
  it.each(Object.keys(ways) as (keyof typeof ways)[])(
    'known by %s, from 401 to a tool, a refresh, and 401 when IT says so',
    async (way) => {
      await product.provision(company)
      await product.setActive(company, person, true)
      await nextSecond()
      const url = servers[company]?.guard.resource ?? ''
      const { options, gates } = await ways[way](company)
      const seen: string[] = []
      const refused: string[] = []
      const browser = async (authorize: URL): Promise<URL> => {
        const walked = await walk(await aBrowser().open(authorize.href), { name: person })
        seen.push(...walked.seen)
        if (!walked.page.isStopped) refused.push(walked.page.text)
        return new URL(walked.page.url)
      }
      const login = createBrowserLogin({ ...options, browser })
      const first = new StreamableHTTPClientTransport(new URL(url), { authProvider: providerOf(login) })
      await expect(new Client({ name: 'version 1', version: '1' }).connect(first)).rejects.toThrow(UnauthorizedError)
      const back = await login.answer()
      expect(seen).toEqual(gates)
      expect(back.get('iss')).toBe(product.issuer(company))
      await first.finishAuth(back.get('code') ?? '')
      const client = await connect(login, url)
      expect(await search(client)).toContain('welcome')

      const tokens = await login.provider.tokens()
      if (!tokens) throw new Error('the SDK kept no tokens')
      await login.provider.saveTokens({ ...tokens, access_token: 'worn-out' })
      expect(await search(client)).toContain('welcome')
      const fresh = await login.provider.tokens()
      expect([fresh?.access_token === tokens.access_token, fresh?.refresh_token === tokens.refresh_token]).toEqual([false, false])
      expect(login.visits()).toBe(1)

      await product.setActive(company, person, false)
      await eventually(async () => (await callTool(url, fresh?.access_token)).status === 401)
      await expect(search(client)).rejects.toThrow(UnauthorizedError)
      await expect(login.answer()).rejects.toThrow()
      expect(login.visits()).toBe(2)
      expect(refused.join()).toContain('subject_deactivated')
      await client.close()
    },
  )
})
