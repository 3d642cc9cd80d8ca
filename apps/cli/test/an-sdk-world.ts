/** What the official SDK needs to meet the product as strangers do: a published client document, a tool server for each company, and a client known in each of the three ways. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoginOptions } from '@drawbridge/example-agent/browser-login'
import { createExampleMcpServer, type ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { expect } from 'vitest'
import { aCertificate } from './a-certificate.js'
import { redirectUri, webRedirectUri } from './a-client.js'
import type { Company, Hands } from './a-product.js'
import { aStartedProduct } from './a-started-product.js'

type Known = { readonly options: Omit<LoginOptions, 'browser'>; readonly gates: readonly string[] }
export const knownBy = ['a metadata document', 'dynamic registration', 'the admin, who approved it'] as const
export type KnownBy = (typeof knownBy)[number]
export type SdkWorld = {
  readonly product: Hands
  /** `path`: of its identifier; nothing: the resource is the whole host. */
  server(company: Company, path?: string): Promise<ExampleMcpServer>
  /** `gates`: what a person meets on her way. */
  client(company: Company, by: KnownBy): Promise<Known>
  stop(): Promise<void>
}

export async function anSdkWorld(): Promise<SdkWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'drawbridge-certificate-'))
  const origin = `https://127.0.0.1:${await freePort()}`
  const documentUrl = `${origin}/client.json`
  const certificate = await aCertificate()
  const certificateFile = join(folder, 'certificate.pem')
  writeFileSync(certificateFile, certificate.cert)
  const publisher = createServer(certificate, (_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(clientDocument(documentUrl)))
  }).listen(Number(new URL(origin).port), '127.0.0.1')
  const product = await aStartedProduct({ DRAWBRIDGE_ALLOWED_ORIGINS: origin, NODE_EXTRA_CA_CERTS: certificateFile })
  const servers: ExampleMcpServer[] = []
  const ways: Readonly<Record<KnownBy, (company: Company) => Promise<Known>>> = {
    'a metadata document': async () => ({ options: { redirectUrl: redirectUri, clientMetadataUrl: documentUrl }, gates: unknownClient }),
    'dynamic registration': async () => ({ options: { redirectUrl: redirectUri }, gates: unknownClient }),
    'the admin, who approved it': async (company) => {
      const body = { name: 'Reviewed agent', redirectUris: [webRedirectUri], preApproved: true }
      const { status, json } = await product.admin('POST', `/tenants/${company}/clients`, body)
      expect(status).toBe(201)
      const client = { client_id: String(json['clientId']), issuer: product.issuer(company) }
      return { options: { redirectUrl: webRedirectUri, client }, gates: ['sign-in'] }
    },
  }
  return {
    product,
    server: async (company, path = '/mcp') => {
      const server = await aServerOf(product, company, path)
      servers.push(server)
      return server
    },
    client: (company, by) => ways[by](company),
    stop: async () => {
      publisher.close()
      await Promise.all(servers.map((server) => server.close()))
      await product.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const unknownClient = ['notice', 'sign-in', 'consent']

const clientDocument = (documentUrl: string) => ({
  client_id: documentUrl,
  client_name: 'Published agent',
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
})

/** The SDK asks the first issuer that a server names, so each company has a server that trusts its issuer alone. */
async function aServerOf(product: Hands, company: Company, path: string): Promise<ExampleMcpServer> {
  const port = await freePort()
  const resource = `http://127.0.0.1:${port}${path}`
  const scopes = [
    { name: 'documents:read', description: 'Find and read documents', tier: 'read', isDefault: true },
    { name: 'documents:write', description: 'Write documents', tier: 'write' },
  ]
  const made = await product.admin('POST', `/tenants/${company}/resources`, {
    identifier: resource,
    name: `Documents of ${company}${path}`,
    scopes,
  })
  const { status, json } = await product.admin('POST', `/tenants/${company}/resources/${String(made.json['id'])}/credentials`, {})
  expect([made.status, status]).toEqual([201, 201])
  const credential = { id: String(json['id']), secret: String(json['secret']) }
  return createExampleMcpServer({ resource, port, issuers: [{ issuer: product.issuer(company), credential }] })
}
