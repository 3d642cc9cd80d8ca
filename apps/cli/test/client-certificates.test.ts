/** Two strict client libraries that prove themselves by a certificate (RFC 8705), over real TLS, through a proxy that asks for it: at a company's issuer and at the front issuer. */
import type { KeyObject } from 'node:crypto'
import { request } from 'node:https'
import { aClientCertificate, asPem, common, nameOf, organization } from '@drawbridge/testkit/a-client-certificate'
import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aCertificate } from './a-certificate.js'
import { aFrontIssuer } from './a-front-issuer.js'
import { aMachineAt, issuerOf, namedTenant, type Place } from './a-place.js'
import { aProduct, type Product } from './a-product.js'
import { aTlsProxy, type TlsProxy } from './a-tls-proxy.js'

const own = aClientCertificate({ subject: nameOf(organization('Initech'), common('reports')) })
const ofOther = aClientCertificate({ subject: nameOf(organization('Initech'), common('payroll')) })
const ofNoAuthority = aClientCertificate({ subject: nameOf(organization('Initech'), common('reports')) })
const places = ['acme', 'front for acme'] as const satisfies readonly Place[]
let proxy: TlsProxy
let product: Product

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
  await aFrontIssuer(product)
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

const asked = (place: Place) => ({ resource: product.mcpUrl, scope: 'documents:read', ...namedTenant(place) })

async function tokenAt(place: Place, clientId: string, customFetch: typeof fetch, headers: Record<string, string> = {}) {
  const insecure = { [oauth.allowInsecureRequests]: true }
  const issuer = new URL(issuerOf(product, place))
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
  const client: oauth.Client = { client_id: clientId, use_mtls_endpoint_aliases: true }
  const options = { ...insecure, [oauth.customFetch]: customFetch, headers }
  const response = await oauth.clientCredentialsGrantRequest(server, client, oauth.TlsClientAuth(), asked(place), options)
  return oauth.processClientCredentialsResponse(server, client, response)
}
const certified = async (place: Place, name: string, over: object = {}) => {
  const certificateName = { kind: 'subject_dn', value: `CN=${name},O=Initech` }
  return (await aMachineAt(product, place, product.mcpUrl, { tokenEndpointAuthMethod: 'tls_client_auth', certificateName, ...over })).id
}
const refused = { error: 'invalid_client', status: 401 }

describe.each(places)('at %s', (place) => {
  let clientId = ''
  beforeAll(async () => {
    clientId = await certified(place, 'reports')
  })

  it('oauth4webapi gets a token by its certificate alone, at the address that metadata name for that', async () => {
    const tokens = await tokenAt(place, clientId, showing(own))
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'documents:read' })
    expect(decodeJwt(tokens.access_token)).toMatchObject({ iss: issuerOf(product, place), client_id: clientId, ...namedTenant(place) })
  })

  it('openid-client gets one bound to a key of its own (DPoP), at that address', async () => {
    const metadata = { use_mtls_endpoint_aliases: true }
    const config = await openid.discovery(new URL(issuerOf(product, place)), clientId, metadata, openid.TlsClientAuth(), {
      execute: [openid.allowInsecureRequests],
    })
    config[openid.customFetch] = showing(own) as unknown as openid.CustomFetch
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'))
    expect(await openid.clientCredentialsGrant(config, asked(place), { DPoP })).toMatchObject({ token_type: 'dpop' })
  })

  it.each([
    ['without a certificate', () => showing()],
    ['with one of another name', () => showing(ofOther)],
    ['with one of the same name that the proxy does not believe', () => showing(ofNoAuthority)],
  ])('nobody gets one %s, and nobody by sending the header himself', async (_, fetchAs) => {
    await expect(tokenAt(place, clientId, fetchAs())).rejects.toMatchObject(refused)
    const forged = { 'client-cert': `:${own.octets.toString('base64')}:` }
    await expect(tokenAt(place, clientId, fetchAs(), forged)).rejects.toMatchObject(refused)
  })
})

it('a certificate proves a client of one name at the issuer that registered it for that, and at the other nobody, both ways', async () => {
  const clientId = 'of-one-name'
  for (const [place, name] of [
    ['acme', 'reports'],
    ['front for acme', 'payroll'],
  ] as const)
    await certified(place, name, { clientId })
  const [atCompany, atFront] = places
  expect(await tokenAt(atCompany, clientId, showing(own))).toHaveProperty('access_token')
  expect(await tokenAt(atFront, clientId, showing(ofOther))).toHaveProperty('access_token')
  await expect(tokenAt(atFront, clientId, showing(own))).rejects.toMatchObject(refused)
  await expect(tokenAt(atCompany, clientId, showing(ofOther))).rejects.toMatchObject(refused)
})
