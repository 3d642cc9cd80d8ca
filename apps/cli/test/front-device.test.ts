/** A device at the front issuer and a person elsewhere, against the whole broker, by strict client libraries. RFC 8628. */
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aBrowser, registerAt, walk } from './a-client.js'
import { aFrontIssuer } from './a-front-issuer.js'
import { aProduct, type Company, type Product } from './a-product.js'

let product: Product
const insecure = { [oauth.allowInsecureRequests]: true }

beforeAll(async () => {
  // A laboratory, so that a device need not wait in real time.
  product = await aProduct({ DRAWBRIDGE_LAB: 'true' })
  await aFrontIssuer(product)
  for (const whose of ['/front-issuer', '/tenants/acme', '/tenants/globex'])
    expect(await product.admin('PUT', `${whose}/device-grant`, { enabled: true })).toMatchObject({ status: 200 })
}, 120_000)
afterAll(() => product?.stop(), 60_000)

const television = { client_name: 'Television', grant_types: [deviceGrantType, 'refresh_token'], redirect_uris: [] }
const asked = () => ({ scope: 'openid documents:read', resource: product.mcpUrl })
async function answerElsewhere(address: string, company: Company) {
  const typed = await aBrowser().open(address)
  return walk(await typed.form('user_code').submit(), { name: 'ada', company })
}

it('openid-client, that registered itself: the person says where she works, and the tokens say it back', async () => {
  const issuer = product.publicUrl
  const clientId = await registerAt(issuer, television)
  const config = await openid.discovery(new URL(issuer), clientId, undefined, openid.None(), { execute: [openid.allowInsecureRequests] })
  openid.enableNonRepudiationChecks(config)
  const device = await openid.initiateDeviceAuthorization(config, asked())
  const { page, seen } = await answerElsewhere(device.verification_uri_complete ?? '', 'globex')
  expect(seen).toContain('whose')
  expect(page.text).toContain('You can go back to your device')
  const tokens = await openid.pollDeviceAuthorizationGrant(config, { ...device, interval: 0 })
  expect(tokens.claims()).toMatchObject({ iss: issuer, aud: clientId, tenant: 'globex' })
  const fresh = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')
  expect(fresh.access_token).not.toBe(tokens.access_token)
})

it('oauth4webapi, with a key: each assertion proves it once, though a poll is judged at two places', async () => {
  const pair = await oauth.generateKeyPair('ES256', { extractable: true })
  const jwks = { keys: [await crypto.subtle.exportKey('jwk', pair.publicKey)] }
  const body = { name: 'Agent', grantTypes: [deviceGrantType], tokenEndpointAuthMethod: 'private_key_jwt', jwks }
  const client = { client_id: String((await product.admin('POST', '/front-issuer/clients', body)).json['clientId']) }
  const url = new URL(product.publicUrl)
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { ...insecure, algorithm: 'oauth2' }))
  const auth = oauth.PrivateKeyJwt(pair.privateKey)
  const device = await oauth.processDeviceAuthorizationResponse(
    server,
    client,
    await oauth.deviceAuthorizationRequest(server, client, auth, { ...asked(), tenant: 'acme' }, insecure),
  )
  const poll = async () =>
    oauth.processDeviceCodeResponse(server, client, await oauth.deviceCodeGrantRequest(server, client, auth, device.device_code, insecure))
  await expect(poll()).rejects.toMatchObject({ error: 'authorization_pending', status: 400 })
  const { seen } = await answerElsewhere(device.verification_uri_complete ?? '', 'acme')
  expect(seen).not.toContain('whose')
  expect(await product.admin('PUT', '/lab/clock', { offsetSeconds: 10 })).toMatchObject({ status: 200 })
  expect(await poll()).toMatchObject({ access_token: expect.any(String), scope: 'openid documents:read' })
})
