/**
 * SAML login → refresh token → ID-JAG → access token at another installation: the whole of Enterprise-Managed Authorization with both ends ours, and
 * the client's halves by clients of other makers.
 */
import { type AnAssertionCompany, anAgent, anAssertionCompany } from '@drawbridge/testkit/an-assertion-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { discoverAndRequestJwtAuthGrant, requestJwtAuthorizationGrant } from '@modelcontextprotocol/client'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aBrowser, anAttempt, walk, webRedirectUri } from './a-client.js'
import { aProduct, type Product } from './a-product.js'

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const idJag = 'urn:ietf:params:oauth:token-type:id-jag'
const refreshToken = 'urn:ietf:params:oauth:token-type:refresh_token'
const insecure = { [oauth.allowInsecureRequests]: true }
/** Where people sign in, acme by SAML. */
let product: Product
let issuer: string
let client: { readonly id: string; readonly secret: string }
/** Of a client of the same name at the other company. */
let secretAtGlobex: string
/** Another installation, with an issuer, people and policies of its own. */
let fixture: TestDatabase
let vendor: AnAssertionCompany

beforeAll(async () => {
  // A lab, whose clock can be moved.
  product = await aProduct({ DRAWBRIDGE_LAB: 'true' })
  issuer = product.issuer('acme')
  const registration = {
    ...{
      clientId: 'chained',
      name: 'Agent',
      redirectUris: [webRedirectUri],
      preApproved: true,
      tokenEndpointAuthMethod: 'client_secret_post',
    },
    grantTypes: ['authorization_code', 'refresh_token', exchange, jwtBearer],
  }
  const made = await product.admin('POST', '/tenants/acme/clients', registration)
  expect(made).toMatchObject({ status: 201 })
  secretAtGlobex = String((await product.admin('POST', '/tenants/globex/clients', registration)).json['clientSecret'])
  client = { id: String(made.json['clientId']), secret: String(made.json['clientSecret']) }
  fixture = await testDatabase()
  vendor = await anAssertionCompany(fixture)
  await vendor.begin()
  const permission = {
    ...{ client: client.id, audience: vendor.issuer(), clientThere: anAgent.id, resource: vendor.tenant().resource },
    scopes: [{ name: 'documents:read', tier: 'read' }],
  }
  expect(await product.admin('PUT', '/tenants/acme/id-jag-issuing', { permissions: [permission] })).toMatchObject({ status: 200 })
  // What the vendor's admin does: he reads who issues them, and trusts that.
  const jwks = await (await fetch(`${issuer}/id-jag/jwks`)).json()
  const mapping = { groups: { from: ['groups'] } }
  await vendor.trust({ issuer: `${issuer}/id-jag`, jwks, mapping })
  const scope =
    'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, $3, $3, $4, false)'
  await vendor.owner(scope, vendor.tenant().resourceId, 'documents:read', 'read')
  await vendor.publish('version: 1\nrules: [{name: all, effect: grant, scopes: ["documents:read"], everyone: true}]\n')
}, 180_000)
afterAll(async () => {
  await vendor?.broker.close()
  await fixture?.close()
  await product?.stop()
}, 60_000)

async function signIn(): Promise<Record<'access_token' | 'refresh_token' | 'id_token', string>> {
  const attempt = anAttempt({
    ...{ issuer, clientId: client.id, resource: product.mcpUrl, redirectUri: webRedirectUri, scope: 'openid documents:read' },
  })
  const { page } = await walk(await aBrowser().open(attempt.url), { name: 'ada' })
  const code = new URL(page.url).searchParams.get('code') ?? ''
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: webRedirectUri,
    code_verifier: attempt.verifier,
    resource: product.mcpUrl,
  }
  const body = new URLSearchParams({ ...form, client_id: client.id, client_secret: client.secret })
  return (await (await fetch(`${issuer}/token`, { method: 'POST', body })).json()) as Awaited<ReturnType<typeof signIn>>
}
const asked = (tokens: Awaited<ReturnType<typeof signIn>>) => ({
  ...{ requested_token_type: idJag, subject_token: tokens.refresh_token, subject_token_type: refreshToken },
  ...{ audience: vendor.issuer(), resource: vendor.tenant().resource },
})

it('a login by SAML becomes an access token of another installation, and its own installation takes no word of its own', async () => {
  const as = await oauth.processDiscoveryResponse(
    new URL(issuer),
    await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure }),
  )
  expect(as['identity_chaining_requested_token_types_supported']).toEqual([idJag])
  const tokens = await signIn()
  const [of, auth] = [{ client_id: client.id }, oauth.ClientSecretPost(client.secret)]
  const answer = await oauth.genericTokenEndpointRequest(as, of, auth, exchange, new URLSearchParams(asked(tokens)), insecure)
  // The library takes it for no access token, unless it is told that this type is none.
  await expect(oauth.processGenericTokenEndpointResponse(as, of, answer.clone())).rejects.toThrow('token_type')
  const recognizedTokenTypes = { n_a: () => undefined }
  const issued = await oauth.processGenericTokenEndpointResponse(as, of, answer, { recognizedTokenTypes })
  expect(issued).toMatchObject({ issued_token_type: idJag, token_type: 'n_a', expires_in: 300 })
  const keys = createRemoteJWKSet(new URL(`${issuer}/id-jag/jwks`))
  await jwtVerify(issued.access_token, keys, { issuer: `${issuer}/id-jag`, audience: vendor.issuer(), typ: 'oauth-id-jag+jwt' })

  // To its own installation it is nobody's word, at whichever tenant, though it names a client that has the grant type there and proves itself.
  for (const company of ['acme', 'globex'] as const) {
    const proof = { client_id: client.id, client_secret: company === 'acme' ? client.secret : secretAtGlobex }
    const body = new URLSearchParams({ grant_type: jwtBearer, assertion: issued.access_token, ...proof })
    const refused = await fetch(`${product.issuer(company)}/token`, { method: 'POST', body })
    expect([refused.status, await refused.json()]).toEqual([400, expect.objectContaining({ error: 'invalid_grant' })])
  }

  const { status, body } = await vendor.redeem(issued.access_token)
  expect([status, body]).toEqual([200, expect.objectContaining({ token_type: 'Bearer', scope: 'documents:read' })])
  expect(decodeJwt(body.access_token ?? '')).toMatchObject({ iss: vendor.issuer(), aud: vendor.tenant().resource, client_id: anAgent.id })
  expect(await vendor.introspect(body.access_token ?? '')).toMatchObject({ active: true })
  expect((await vendor.redeem(issued.access_token)).status).toBe(400)
})

it.each(['acme', 'globex'] as const)(
  'no admin of %s has a word of this installation believed there, by its name or its keys, or one made for it',
  async (company) => {
    const jwks = await (await fetch(`${issuer}/id-jag/jwks`)).json()
    const loops = { status: 409, json: { type: 'urn:drawbridge:error:trust_loops' } }
    for (const named of [`${issuer}/id-jag`, issuer, 'https://elsewhere.example']) {
      const configuration = { issuer: named, jwks }
      expect(await product.admin('POST', `/tenants/${company}/assertion-trusts`, { name: 'Loop', configuration })).toMatchObject(loops)
    }
    const scopes = [{ name: 'documents:read', tier: 'read' }]
    const permission = { client: client.id, audience: product.issuer('globex'), resource: product.mcpUrl, scopes }
    expect(await product.admin('PUT', `/tenants/${company}/id-jag-issuing`, { permissions: [permission] })).toMatchObject(loops)
  },
)

it('openid-client and the MCP SDK get one, the SDK from what the issuer says of itself', async () => {
  const tokens = await signIn()
  const config = await openid.discovery(new URL(issuer), client.id, client.secret, openid.ClientSecretPost(client.secret), {
    execute: [openid.allowInsecureRequests],
    algorithm: 'oauth2',
  })
  await expect(
    openid.genericGrantRequest(config, exchange, { ...asked(tokens), audience: 'https://nobody.example' }),
  ).rejects.toMatchObject({
    error: 'invalid_target',
  })
  const { audience, resource } = asked(tokens)
  const of = { audience, resource, idToken: tokens.id_token, clientId: client.id, clientSecret: client.secret }
  const found = await discoverAndRequestJwtAuthGrant({ idpUrl: issuer, ...of })
  const given = await requestJwtAuthorizationGrant({ tokenEndpoint: `${issuer}/token`, scope: 'documents:read', ...of })
  for (const { jwtAuthGrant } of [found, given]) {
    expect(decodeJwt(jwtAuthGrant)).toMatchObject({ iss: `${issuer}/id-jag`, sub: decodeJwt(tokens.access_token).sub, resource })
    expect((await vendor.redeem(jwtAuthGrant)).status).toBe(200)
  }
})

it('the MCP SDK gets one long after the sign-in, by the ID token of a refresh: it brings ID tokens alone', async () => {
  const later = async (seconds: number) => {
    expect((await product.admin('PUT', '/lab/clock', { offsetSeconds: seconds })).status).toBe(200)
  }
  const { audience, resource } = { audience: vendor.issuer(), resource: vendor.tenant().resource }
  const sdk = ({ id_token: idToken }: Pick<Awaited<ReturnType<typeof signIn>>, 'id_token'>) =>
    discoverAndRequestJwtAuthGrant({ idpUrl: issuer, audience, resource, idToken, clientId: client.id, clientSecret: client.secret })
  const first = await signIn()
  await later(360)
  vendor.wait(360)
  try {
    await expect(sdk(first)).rejects.toThrow('invalid_request')
    // A client of another maker believes it, whose clock goes with it.
    const metadata = { client_secret: client.secret, [openid.clockSkew]: 360 }
    const config = await openid.discovery(new URL(issuer), client.id, metadata, openid.ClientSecretPost(client.secret), {
      execute: [openid.allowInsecureRequests],
    })
    const second = await openid.refreshTokenGrant(config, first.refresh_token)
    expect(second.claims()).toMatchObject({ sub: decodeJwt(first.id_token).sub, auth_time: decodeJwt(first.id_token)['auth_time'] })
    const { jwtAuthGrant } = await sdk({ id_token: second.id_token ?? '' })
    expect((await vendor.redeem(jwtAuthGrant)).status).toBe(200)
  } finally {
    await later(0)
    vendor.wait(-360)
  }
})

it('whoever is out at her company gets no further one', async () => {
  const tokens = await signIn()
  await product.provision('acme')
  await product.setActive('acme', 'ada', false)
  const form = { grant_type: exchange, ...asked(tokens), client_id: client.id, client_secret: client.secret }
  const again = async () =>
    ((await (await fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams(form) })).json()) as { error?: string }).error
  await expect.poll(again, { timeout: 20_000, interval: 200 }).toBe('invalid_request')
})
