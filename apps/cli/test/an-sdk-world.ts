/** What the official SDK needs to meet the product as strangers do: a published client document, a tool server for each company, and a client known in each of the three ways. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoginOptions } from '@drawbridge/example-agent/browser-login'
import { createExampleMcpServer, type ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { companyAt, type Place } from '@drawbridge/testkit/a-front'
import { expect } from 'vitest'
import { aCertificate } from './a-certificate.js'
import { type Person, redirectUri, webRedirectUri } from './a-client.js'
import type { Hands } from './a-product.js'
import { aStartedProduct } from './a-started-product.js'

type Known = { readonly options: Omit<LoginOptions, 'browser'>; readonly gates: readonly string[] }
export const knownBy = ['a metadata document', 'dynamic registration', 'the admin, who approved it'] as const
export type KnownBy = (typeof knownBy)[number]
export type SdkWorld = {
  readonly product: Hands
  /** The issuer of a company, or the front issuer. */
  issuer(place: Place): string
  /** `path`: of its identifier; nothing: the resource is the whole host. */
  server(place: Place, path?: string): Promise<ExampleMcpServer>
  /** One after the other, at one address: whichever was asked for last is there. */
  movingServer(): Promise<(place: Place) => Promise<ExampleMcpServer>>
  /** `gates`: what a person meets on her way; at the front she is asked where she works before all else. */
  client(place: Place, by: KnownBy): Promise<Known>
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
  expect((await product.admin('POST', '/front-issuer')).status).toBeLessThan(300)
  const servers = new Set<ExampleMcpServer | undefined>()
  const ways: Readonly<Record<KnownBy, (place: Place) => Promise<Known>>> = {
    'a metadata document': async () => ({ options: { redirectUrl: redirectUri, clientMetadataUrl: documentUrl }, gates: unknownClient }),
    'dynamic registration': async () => ({ options: { redirectUrl: redirectUri }, gates: unknownClient }),
    'the admin, who approved it': async (place) => {
      const clientId = await reviewed(product, place)
      const client = { client_id: clientId, issuer: issuerOf(product, place) }
      return { options: { redirectUrl: webRedirectUri, client }, gates: ['sign-in'] }
    },
  }
  return {
    product,
    issuer: (place) => issuerOf(product, place),
    server: async (place, path = '/mcp') => {
      const server = await aServerAt(product, place, path)
      servers.add(server)
      return server
    },
    movingServer: async () => {
      const port = await freePort()
      const resource = `http://127.0.0.1:${port}/mcp`
      const credential = await registered(product, { resource, name: 'Documents that move', at: ['acme', 'front for acme'] })
      let there: ExampleMcpServer | undefined
      return async (place) => {
        await there?.close()
        servers.delete(there)
        there = await createExampleMcpServer({ resource, port, issuers: [believed(product, place, credential)] })
        servers.add(there)
        await there.guard.start()
        return there
      }
    },
    client: async (place, by) => {
      const known = await ways[by](place)
      return { ...known, gates: [...(isFront(place) ? ['whose'] : []), ...known.gates] }
    },
    stop: async () => {
      publisher.close()
      await Promise.all([...servers].map((server) => server?.close()))
      await product.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const unknownClient = ['notice', 'sign-in', 'consent']

/** At the front the vendor registers it, and each company approves it for its own people. */
async function reviewed(product: Hands, place: Place): Promise<string> {
  const atCompany = `/tenants/${companyAt(place)}`
  const body = { name: 'Reviewed agent', redirectUris: [webRedirectUri] }
  const made = isFront(place)
    ? await product.admin('POST', '/front-issuer/clients', body)
    : await product.admin('POST', `${atCompany}/clients`, { ...body, preApproved: true })
  expect(made.status).toBe(201)
  const id = String(made.json['clientId'])
  if (!isFront(place)) return id
  const known = await product.admin('POST', `${atCompany}/front-clients/${id}`)
  const approved = await product.admin('PATCH', `${atCompany}/front-clients/${id}`, { preApproved: true })
  expect([known.status, approved.status]).toEqual([200, 200])
  return id
}

const clientDocument = (documentUrl: string) => ({
  client_id: documentUrl,
  client_name: 'Published agent',
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
})

const isFront = (place: Place): boolean => place.startsWith('front')

/** Of the company that a place is of. */
export const someone = (place: Place, name: string): Person => ({ name, company: companyAt(place) })

const scopes = [
  { name: 'documents:read', description: 'Find and read documents', tier: 'read', isDefault: true },
  { name: 'documents:write', description: 'Write documents', tier: 'write' },
]
type Credential = { readonly id: string; readonly secret: string }

/** What several issuers mint for, and what the front does, is the vendor's. Answers with the credential that is good at each of them. */
async function registered(
  product: Hands,
  { resource, name, at }: { readonly resource: string; readonly name: string; readonly at: readonly [Place, ...Place[]] },
): Promise<Credential> {
  const isShared = at.length > 1 || isFront(at[0])
  const resources = isShared ? '/shared-resources' : `/tenants/${at[0]}/resources`
  const made = await product.admin('POST', resources, { identifier: resource, name, scopes })
  const id = String(made.json['id'])
  const { status, json } = await product.admin('POST', `${resources}/${id}/credentials`, {})
  expect([made.status, status]).toEqual([201, 201])
  for (const place of isShared ? at : []) {
    const mints = `${isFront(place) ? '/front-issuer' : `/tenants/${place}`}/shared-resources/${id}`
    expect((await product.admin('POST', mints)).status).toBeLessThan(300)
  }
  return { id: String(json['id']), secret: String(json['secret']) }
}

const issuerOf = (product: Hands, place: Place): string => (isFront(place) ? product.publicUrl : product.issuer(companyAt(place)))
/** The SDK asks the first issuer that a server names, so each place has a server that trusts its issuer alone. */
const believed = (product: Hands, place: Place, credential: Credential) => ({
  issuer: issuerOf(product, place),
  credential,
  ...(isFront(place) && { front: true as const }),
})

async function aServerAt(product: Hands, place: Place, path: string): Promise<ExampleMcpServer> {
  const port = await freePort()
  const resource = `http://127.0.0.1:${port}${path}`
  const credential = await registered(product, { resource, name: `Documents of ${place}${path}`, at: [place] })
  return createExampleMcpServer({ resource, port, issuers: [believed(product, place, credential)] })
}
