/** Two strict client libraries that prove themselves by a certificate (RFC 8705), over real TLS, through a proxy that asks for it. */
import type { KeyObject } from 'node:crypto'
import { request } from 'node:https'
import { aClientCertificate, asPem, common, nameOf, organization } from '@drawbridge/testkit/a-client-certificate'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCertificate } from './a-certificate.js'
import { aProduct, type Product } from './a-product.js'
import { aTlsProxy, type TlsProxy } from './a-tls-proxy.js'

const own = aClientCertificate({ subject: nameOf(organization('Initech'), common('reports')) })
const ofOther = aClientCertificate({ subject: nameOf(organization('Initech'), common('payroll')) })
const ofNoAuthority = aClientCertificate({ subject: nameOf(organization('Initech'), common('reports')) })
let proxy: TlsProxy
let product: Product
let issuer: string
let clientId: string

beforeAll(async () => {
  const ofProxy = await aCertificate()
  proxy = await aTlsProxy(ofProxy, [own, ofOther].map(({ octets }) => asPem(octets)).join(''))
  product = await aProduct({
    DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: 'client-cert',
    DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1',
    DRAWBRIDGE_PROXY_SECRETS: proxy.proxySecret,
    DRAWBRIDGE_MTLS_URL: proxy.origin,
  })
  proxy.leadTo(product.publicUrl)
  issuer = product.issuer('acme')
  const { status, json } = await product.admin('POST', '/tenants/acme/clients', {
    name: 'Reports',
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'tls_client_auth',
    certificateName: { kind: 'subject_dn', value: 'CN=reports,O=Initech' },
    scopeCeiling: ['documents:read'],
  })
  expect({ status, json }).toMatchObject({ status: 201 })
  clientId = String(json['clientId'])
}, 120_000)
afterAll(async () => {
  await proxy?.close()
  await product?.stop()
}, 60_000)

type Certified = { readonly octets: Buffer; readonly privateKey: KeyObject }
/** A fetch whose TLS shows this certificate, a new connection each time. */
function showing(certificate?: Certified): typeof fetch {
  const key = certificate?.privateKey.export({ type: 'pkcs8', format: 'pem' })
  const tls = { rejectUnauthorized: false, agent: false, ...(certificate ? { key, cert: asPem(certificate.octets) } : {}) } as const
  return async (input, init) => {
    const asked = new Request(input, init)
    const body = await asked.text()
    return new Promise<Response>((resolve, reject) => {
      const options = { ...tls, method: asked.method, headers: Object.fromEntries(asked.headers) }
      const sent = request(asked.url, options, async (answered) => {
        const parts: Buffer[] = []
        for await (const part of answered) parts.push(part as Buffer)
        const headers = { 'content-type': answered.headers['content-type'] ?? '' }
        resolve(new Response(Buffer.concat(parts), { status: answered.statusCode ?? 500, headers }))
      })
      sent.once('error', reject)
      sent.end(body)
    })
  }
}

async function tokenBy(customFetch: typeof fetch, headers: Record<string, string> = {}) {
  const insecure = { [oauth.allowInsecureRequests]: true }
  const server = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), insecure))
  const client: oauth.Client = { client_id: clientId, use_mtls_endpoint_aliases: true }
  const options = { ...insecure, [oauth.customFetch]: customFetch, headers }
  const asked = { resource: product.mcpUrl, scope: 'documents:read' }
  const response = await oauth.clientCredentialsGrantRequest(server, client, oauth.TlsClientAuth(), asked, options)
  return oauth.processClientCredentialsResponse(server, client, response)
}

it('oauth4webapi gets a token by its certificate alone, at the address that metadata name for that', async () => {
  expect(await tokenBy(showing(own))).toMatchObject({ token_type: 'bearer', scope: 'documents:read' })
})

it('openid-client gets one bound to a key of its own (DPoP), at that address', async () => {
  const config = await openid.discovery(new URL(issuer), clientId, { use_mtls_endpoint_aliases: true }, openid.TlsClientAuth(), {
    execute: [openid.allowInsecureRequests],
  })
  config[openid.customFetch] = showing(own) as unknown as openid.CustomFetch
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'))
  const parameters = { resource: product.mcpUrl, scope: 'documents:read' }
  expect(await openid.clientCredentialsGrant(config, parameters, { DPoP })).toMatchObject({ token_type: 'dpop' })
})

it.each([
  ['without a certificate', () => showing()],
  ['with one of another name', () => showing(ofOther)],
  ['with one of the same name that the proxy does not believe', () => showing(ofNoAuthority)],
])('nobody gets one %s, and nobody by sending the header himself', async (_, fetchAs) => {
  await expect(tokenBy(fetchAs())).rejects.toMatchObject({ error: 'invalid_client', status: 401 })
  const forged = { 'client-cert': `:${own.octets.toString('base64')}:` }
  await expect(tokenBy(fetchAs(), forged)).rejects.toMatchObject({ error: 'invalid_client', status: 401 })
})
