/** Clients of other makers exchange tokens at the whole product: two strict libraries, and a guard that hears of the end. */
import { createGuard, type Guard } from '@drawbridge/guard/create-guard'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aBrowser, anAttempt, walk, webRedirectUri } from './a-client.js'
import { type AGateway, aGatewayOf, behindTheGateway } from './a-gateway.js'
import { aProduct, type Product } from './a-product.js'

const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
const insecure = { [oauth.allowInsecureRequests]: true }
const client = 'desktop'
let product: Product
let gateway: AGateway
let issuer: string
let guard: Guard

beforeAll(async () => {
  product = await aProduct()
  issuer = product.issuer('acme')
  const registered = { clientId: client, name: 'Desktop', redirectUris: [webRedirectUri], preApproved: true }
  expect(await product.admin('POST', '/tenants/acme/clients', registered)).toMatchObject({ status: 201 })
  gateway = await aGatewayOf(product, 'acme')
  const { json } = await product.admin('GET', '/tenants/acme/resources')
  const behind = (json['resources'] as { id: string; identifier: string }[]).find(({ identifier }) => identifier === behindTheGateway)
  const made = await product.admin('POST', `/tenants/acme/resources/${behind?.id}/credentials`, {})
  expect(made).toMatchObject({ status: 201 })
  const credential = { id: String(made.json['id']), secret: String(made.json['secret']) }
  guard = createGuard({
    resource: behindTheGateway,
    issuers: [{ issuer, credential }],
    baseScopes: ['documents:read'],
    toolScopes: {},
    onDeaf: 'refuse',
  })
  await guard.start()
}, 180_000)
afterAll(async () => {
  await guard?.stop()
  await product?.stop()
}, 60_000)

async function hers(): Promise<{ readonly token: string; readonly refreshToken: string }> {
  const attempt = anAttempt({ issuer, clientId: client, resource: product.mcpUrl, redirectUri: webRedirectUri })
  const { page } = await walk(await aBrowser().open(attempt.url), { name: 'ada' })
  const code = new URL(page.url).searchParams.get('code') ?? ''
  const form = { grant_type: 'authorization_code', code, redirect_uri: webRedirectUri, client_id: client, code_verifier: attempt.verifier }
  const answer = await fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams({ ...form, resource: product.mcpUrl }) })
  const tokens = (await answer.json()) as { access_token: string; refresh_token: string }
  return { token: tokens.access_token, refreshToken: tokens.refresh_token }
}
const asked = (token: string) => ({ subject_token: token, subject_token_type: accessToken, resource: gateway.target })

it('oauth4webapi finds the grant type, gets a token that it can validate, and is told what is missing', async () => {
  const as = await oauth.processDiscoveryResponse(
    new URL(issuer),
    await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure }),
  )
  expect(as.grant_types_supported).toContain(grantType)
  const { token } = await hers()
  const of = { client_id: gateway.id }
  const request = (form: Record<string, string>) =>
    oauth.genericTokenEndpointRequest(as, of, oauth.ClientSecretBasic(gateway.secret), grantType, new URLSearchParams(form), insecure)
  const tokens = await oauth.processGenericTokenEndpointResponse(as, of, await request(asked(token)))
  expect(tokens).toMatchObject({ token_type: 'bearer', issued_token_type: accessToken, scope: 'documents:read' })
  const asResource = new Request(gateway.target, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  expect(await oauth.validateJwtAccessToken(as, asResource, gateway.target, insecure)).toMatchObject({
    client_id: gateway.id,
    act: { sub: gateway.id },
  })
  const widened = oauth.processGenericTokenEndpointResponse(as, of, await request({ ...asked(token), scope: 'documents:write' }))
  await expect(widened).rejects.toMatchObject({ error: 'invalid_scope' })
})

it('openid-client gets one, with a key of its own where hers is bound to one', async () => {
  const config = await openid.discovery(new URL(issuer), gateway.id, gateway.secret, openid.ClientSecretBasic(gateway.secret), {
    execute: [openid.allowInsecureRequests],
    algorithm: 'oauth2',
  })
  const { token } = await hers()
  expect(await openid.genericGrantRequest(config, grantType, asked(token))).toMatchObject({ token_type: 'bearer' })
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
  expect(await openid.genericGrantRequest(config, grantType, asked(token), { DPoP })).toMatchObject({ token_type: 'dpop' })
  await expect(openid.genericGrantRequest(config, grantType, { ...asked(token), resource: product.mcpUrl })).rejects.toMatchObject({
    error: 'invalid_target',
  })
})

it('the guard of the other resource lets it in, with who acts, and not after her client has given back what it had', async () => {
  const { token, refreshToken } = await hers()
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: grantType, ...asked(token) }),
    headers: { authorization: `Basic ${Buffer.from(`${gateway.id}:${gateway.secret}`).toString('base64')}` },
  })
  const { access_token: exchanged } = (await answer.json()) as { access_token: string }
  expect(await guard.check(`Bearer ${exchanged}`, ['documents:read'])).toMatchObject({ ok: true, value: { actors: [gateway.id] } })
  expect((await guard.check(`Bearer ${token}`)).ok).toBe(false)
  await fetch(`${issuer}/revoke`, { method: 'POST', body: new URLSearchParams({ token: refreshToken, client_id: client }) })
  await expect.poll(async () => (await guard.check(`Bearer ${exchanged}`)).ok, { timeout: 20_000, interval: 100 }).toBe(false)
})
