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
import { aClientAt, approve, aResourceAt, aServerAt, believed, isFront, issuerOf, type Place } from './a-place.js'
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
  const servers = new Set<ExampleMcpServer>()
  const ways: Readonly<Record<KnownBy, (place: Place) => Promise<Known>>> = {
    'a metadata document': async () => ({ options: { redirectUrl: redirectUri, clientMetadataUrl: documentUrl }, gates: unknownClient }),
    'dynamic registration': async () => ({ options: { redirectUrl: redirectUri }, gates: unknownClient }),
    'the admin, who approved it': async (place) => {
      const { id } = await aClientAt(product, place, { name: 'Reviewed agent', redirectUris: [webRedirectUri] })
      await approve(product, place, id)
      const client = { client_id: id, issuer: issuerOf(product, place) }
      return { options: { redirectUrl: webRedirectUri, client }, gates: ['sign-in'] }
    },
  }
  return {
    product,
    issuer: (place) => issuerOf(product, place),
    server: async (place, path) => {
      const server = await aServerAt(product, place, path)
      servers.add(server)
      return server
    },
    movingServer: async () => {
      const port = await freePort()
      const resource = `http://127.0.0.1:${port}/mcp`
      const credential = await aResourceAt(product, { resource, name: 'Documents that move', at: ['acme', 'front for acme'] })
      let there: ExampleMcpServer | undefined
      return async (place) => {
        if (there !== undefined) {
          servers.delete(there)
          await there.close()
        }
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
      await Promise.all([...servers].map((server) => server.close()))
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
