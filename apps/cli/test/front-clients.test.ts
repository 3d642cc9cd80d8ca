/** A strict client library at the front issuer, known in each way: what it checks in an answer of a tenant's issuer, an answer of the front has. */
import { createServer, type Server } from 'node:http'
import { freePort } from '@drawbridge/store/embedded-postgres'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, redirectUri, registerAt, walk, webRedirectUri } from './a-client.js'
import { aFrontIssuer } from './a-front-issuer.js'
import { aProduct, type Product } from './a-product.js'

let product: Product
let publisher: Server
let documentUrl = ''

beforeAll(async () => {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  documentUrl = `${origin}/client.json`
  const document = {
    client_id: documentUrl,
    client_name: 'Published agent',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  }
  publisher = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
  }).listen(port, '127.0.0.1')
  product = await aProduct({ DRAWBRIDGE_ALLOWED_ORIGINS: origin })
  await aFrontIssuer(product)
}, 120_000)
afterAll(async () => {
  publisher?.close()
  await product?.stop()
}, 60_000)

type Known = { readonly clientId: string; readonly auth: openid.ClientAuth; readonly back: string }
async function ofVendor(over: object): Promise<{ readonly clientId: string; readonly secret: string }> {
  const body = { name: 'Strict client', redirectUris: [webRedirectUri], ...over }
  const { status, json } = await product.admin('POST', '/front-issuer/clients', body)
  expect({ status, json }).toMatchObject({ status: 201 })
  return { clientId: String(json['clientId']), secret: String(json['clientSecret']) }
}
const ways: Readonly<Record<string, () => Promise<Known>>> = {
  'a metadata document': async () => ({ clientId: documentUrl, auth: openid.None(), back: redirectUri }),
  'dynamic registration': async () => ({ clientId: await registerAt(product.publicUrl), auth: openid.None(), back: redirectUri }),
  'the vendor, by a secret': async () => {
    const { clientId, secret } = await ofVendor({ tokenEndpointAuthMethod: 'client_secret_basic' })
    return { clientId, auth: openid.ClientSecretBasic(secret), back: webRedirectUri }
  },
  'the vendor, by a key': async () => {
    const pair = await oauth.generateKeyPair('ES256', { extractable: true })
    const jwks = { keys: [await crypto.subtle.exportKey('jwk', pair.publicKey)] }
    const { clientId } = await ofVendor({ tokenEndpointAuthMethod: 'private_key_jwt', jwks })
    return { clientId, auth: openid.PrivateKeyJwt(pair.privateKey), back: webRedirectUri }
  },
}
const how = { 'in the address': openid.buildAuthorizationUrl, 'pushed beforehand': openid.buildAuthorizationUrlWithPAR } as const

describe.each(Object.entries(ways))('openid-client, known by %s', (_way, known) => {
  it.each(Object.entries(how))(
    'signs somebody in by a request %s, refreshes, asks who she is, and gives the access back',
    async (_how, build) => {
      const issuer = product.publicUrl
      const { clientId, auth, back } = await known()
      const config = await openid.discovery(new URL(issuer), clientId, undefined, auth, { execute: [openid.allowInsecureRequests] })
      openid.enableNonRepudiationChecks(config)
      const pkceCodeVerifier = openid.randomPKCECodeVerifier()
      const [expectedState, expectedNonce] = [openid.randomState(), openid.randomNonce()]
      const url = await build(config, {
        ...{ redirect_uri: back, scope: 'openid documents:read', resource: product.mcpUrl, state: expectedState, nonce: expectedNonce },
        ...{ code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256' },
      })
      const { page } = await walk(await aBrowser().open(url.href), { name: 'ada', company: 'globex' })
      const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
      const tokens = await openid.authorizationCodeGrant(config, new URL(page.url), checks, { resource: product.mcpUrl })
      const claims = tokens.claims()
      expect(claims).toMatchObject({ iss: issuer, aud: clientId, nonce: expectedNonce })

      const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', { scope: 'openid documents:read' })
      expect(await openid.fetchUserInfo(config, fresh.access_token, claims?.sub ?? '')).toMatchObject({ sub: claims?.sub })
      await openid.tokenRevocation(config, fresh.refresh_token ?? '')
      await expect(openid.refreshTokenGrant(config, fresh.refresh_token ?? '')).rejects.toMatchObject({
        error: 'invalid_grant',
        status: 400,
      })
    },
  )
})
