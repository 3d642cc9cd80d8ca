/**
 * From the front issuer of one installation to that of another: a person signs in by SAML through one, the MCP SDK asks there for a word about her, and the
 * other opens access with it at the one company for which it was made.
 */
import { instant } from '@drawbridge/core/instant'
import { aFrontUrl, aFrontWorld, aSharedResource, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { aBringer, aFrontBringer, type FrontBringer } from '@drawbridge/testkit/a-front-bringer'
import { publish } from '@drawbridge/testkit/a-login'
import { discoverAndRequestJwtAuthGrant } from '@modelcontextprotocol/client'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aBrowser, anAttempt, walk, webRedirectUri } from './a-client.js'
import { aFrontIssuer } from './a-front-issuer.js'
import { aProduct, type Product } from './a-product.js'

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** Where people sign in. */
let product: Product
let client: { readonly id: string; readonly secret: string }
/** Another installation, whose two companies both trust the issuer of such words, each at its front. */
let vendor: FrontWorld
let agent: FrontBringer

beforeAll(async () => {
  product = await aProduct()
  await aFrontIssuer(product)
  const made = await product.admin('POST', '/front-issuer/clients', {
    ...{ name: 'Agent', redirectUris: [webRedirectUri], tokenEndpointAuthMethod: 'client_secret_post' },
    grantTypes: ['authorization_code', 'refresh_token', exchange, jwtBearer],
  })
  client = { id: String(made.json['clientId']), secret: String(made.json['clientSecret']) }
  const there = { audience: aFrontUrl, clientThere: aBringer, tenantThere: 'globex', resource: aSharedResource }
  const permission = { client: client.id, at: 'front', ...there, scopes: [{ name: 'documents:read', tier: 'read' }] }
  expect(await product.admin('PUT', '/tenants/acme/id-jag-issuing', { permissions: [permission] })).toMatchObject({ status: 200 })
  vendor = await aFrontWorld(() => instant(Date.now()))
  agent = await aFrontBringer(vendor, () => instant(Date.now()))
  const issuer = `${product.issuer('acme')}/id-jag`
  const jwks = await (await fetch(`${issuer}/jwks`)).json()
  for (const company of ['acme', 'globex'] as const) {
    await agent.trust(company, { issuer, jwks, at: 'front' })
    await publish(vendor.fixture, vendor[company], instant(Date.now()), everybodyReads)
  }
  await rowsOf(
    vendor,
    `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default)
     SELECT tenant_id, id, 'documents:read', 'Read', 'read', false FROM resources WHERE identifier = $1`,
    [aSharedResource],
  )
  vendor.broker.deps.configuration.invalidate()
}, 180_000)
afterAll(async () => {
  await vendor?.close()
  await product?.stop()
}, 60_000)

/** The word says nothing of her groups; what her company there lets her have hangs on none. */
const everybodyReads = 'version: 1\nrules: [{name: all, effect: grant, scopes: ["documents:read"], everyone: true}]\n'

type Tokens = Readonly<Record<'access_token' | 'refresh_token' | 'id_token', string>>
async function signIn(): Promise<Tokens> {
  const attempt = anAttempt({
    ...{ issuer: product.publicUrl, clientId: client.id, resource: product.mcpUrl, redirectUri: webRedirectUri },
    scope: 'openid documents:read',
  })
  const { page } = await walk(await aBrowser().open(attempt.url), { name: 'ada', company: 'acme' })
  const code = new URL(page.url).searchParams.get('code') ?? ''
  const form = { grant_type: 'authorization_code', code, redirect_uri: webRedirectUri, code_verifier: attempt.verifier }
  const body = new URLSearchParams({ ...form, resource: product.mcpUrl, client_id: client.id, client_secret: client.secret })
  const answer = await fetch(`${product.publicUrl}/token`, { method: 'POST', body })
  return (await answer.json()) as Tokens
}

it('the MCP SDK gets a word at the one front, and the other opens access with it at the company that it names, and at no other', async () => {
  const { id_token: idToken } = await signIn()
  const of = { idpUrl: product.publicUrl, idToken, clientId: client.id, clientSecret: client.secret }
  const { jwtAuthGrant } = await discoverAndRequestJwtAuthGrant({ ...of, audience: aFrontUrl, resource: aSharedResource })
  expect(decodeJwt(jwtAuthGrant)).toMatchObject({
    ...{ iss: `${product.issuer('acme')}/id-jag`, aud: aFrontUrl, aud_tenant: 'globex', client_id: aBringer },
    sub: decodeJwt(idToken).sub,
  })
  const [hers, others] = ['front for globex', 'front for acme'] as const satisfies readonly Place[]
  expect((await agent.bring(others, jwtAuthGrant, { tenant: 'acme' })).status).toBe(400)
  const { status, body } = await agent.bring(hers, jwtAuthGrant)
  expect([status, body['error']]).toEqual([200, undefined])
  expect(decodeJwt(String(body['access_token']))).toMatchObject({ iss: aFrontUrl, tenant: 'globex', client_id: aBringer })
  expect((await agent.bring(hers, jwtAuthGrant)).status).toBe(400)
  // To its own installation it is nobody's word.
  const form = { grant_type: jwtBearer, assertion: jwtAuthGrant }
  const atHome = new URLSearchParams({ ...form, client_id: client.id, client_secret: client.secret })
  const refused = await fetch(`${product.publicUrl}/token`, { method: 'POST', body: atHome })
  expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([400, 'invalid_grant'])
})

const idJag = 'urn:ietf:params:oauth:token-type:id-jag'
const asked = ({ refresh_token: token }: Tokens) => ({
  ...{ requested_token_type: idJag, subject_token: token, subject_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
  ...{ audience: aFrontUrl, resource: aSharedResource },
})

it('oauth4webapi and openid-client get one for a refresh token, which the keys of its issuer prove, and the other front takes it', async () => {
  const front = new URL(product.publicUrl)
  const insecure = { [oauth.allowInsecureRequests]: true }
  const as = await oauth.processDiscoveryResponse(front, await oauth.discoveryRequest(front, { algorithm: 'oauth2', ...insecure }))
  expect(as['identity_chaining_requested_token_types_supported']).toEqual([idJag])
  const tokens = await signIn()
  const [of, auth] = [{ client_id: client.id }, oauth.ClientSecretPost(client.secret)]
  const answer = await oauth.genericTokenEndpointRequest(as, of, auth, exchange, new URLSearchParams(asked(tokens)), insecure)
  // The library takes it for no access token, unless it is told that this type is none.
  await expect(oauth.processGenericTokenEndpointResponse(as, of, answer.clone())).rejects.toThrow('token_type')
  const recognizedTokenTypes = { n_a: () => undefined }
  const issued = await oauth.processGenericTokenEndpointResponse(as, of, answer, { recognizedTokenTypes })
  expect(issued).toMatchObject({ issued_token_type: idJag, token_type: 'n_a', expires_in: 300 })

  const config = await openid.discovery(front, client.id, client.secret, openid.ClientSecretPost(client.secret), {
    ...{ execute: [openid.allowInsecureRequests], algorithm: 'oauth2' },
  })
  // This library knows no token_type but those of access tokens, so that a refusal is all that it understands here.
  const elsewhere = openid.genericGrantRequest(config, exchange, { ...asked(tokens), audience: 'https://nobody.example' })
  await expect(elsewhere).rejects.toMatchObject({ error: 'invalid_target', status: 400 })

  const issuer = `${product.issuer('acme')}/id-jag`
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
  await jwtVerify(issued.access_token, keys, { issuer, audience: aFrontUrl, typ: 'oauth-id-jag+jwt' })
  expect((await agent.bring('front for globex', issued.access_token)).status).toBe(200)
})
