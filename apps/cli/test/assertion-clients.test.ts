/** Clients of other makers bring assertions to the whole product: the MCP SDK's Enterprise-Managed Authorization, and two strict libraries. */
import type { ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import { Client, CrossAppAccessProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type AnAgent, anAgentOf } from './an-agent.js'
import { anSdkWorld, type SdkWorld } from './an-sdk-world.js'

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const samlBearer = 'urn:ietf:params:oauth:grant-type:saml2-bearer'
const insecure = { [oauth.allowInsecureRequests]: true }
let world: SdkWorld
let server: ExampleMcpServer
let agent: AnAgent
let issuer: string

beforeAll(async () => {
  world = await anSdkWorld()
  server = await world.server('acme')
  issuer = world.product.issuer('acme')
  agent = await anAgentOf(world.product, 'acme', server.guard.resource)
}, 180_000)
afterAll(() => world?.stop(), 60_000)

const metadata = async () =>
  oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure }))

it('oauth4webapi gets a token that it can validate, once for each assertion', async () => {
  const as = await metadata()
  const client = { client_id: agent.id }
  const assertion = await agent.assert()
  const request = () =>
    oauth.genericTokenEndpointRequest(
      as,
      client,
      oauth.ClientSecretBasic(agent.secret),
      jwtBearer,
      new URLSearchParams({ assertion }),
      insecure,
    )
  const tokens = await oauth.processGenericTokenEndpointResponse(as, client, await request())
  expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'documents:read documents:write' })
  expect(tokens).not.toHaveProperty('refresh_token')
  const asResource = new Request(server.guard.resource, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  expect(await oauth.validateJwtAccessToken(as, asResource, server.guard.resource, insecure)).toMatchObject({
    client_id: agent.id,
    iss: issuer,
  })
  const again = oauth.processGenericTokenEndpointResponse(as, client, await request())
  await expect(again).rejects.toMatchObject({ error: 'invalid_grant' })
})

it('oauth4webapi gets one for a SAML assertion, once', async () => {
  const as = await metadata()
  const client = { client_id: agent.id }
  const more = { assertion: await agent.assertSaml(), resource: server.guard.resource, scope: 'documents:read' }
  const request = () =>
    oauth.genericTokenEndpointRequest(as, client, oauth.ClientSecretBasic(agent.secret), samlBearer, new URLSearchParams(more), insecure)
  const tokens = await oauth.processGenericTokenEndpointResponse(as, client, await request())
  expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'documents:read' })
  const asResource = new Request(server.guard.resource, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  expect(await oauth.validateJwtAccessToken(as, asResource, server.guard.resource, insecure)).toMatchObject({ client_id: agent.id })
  const again = oauth.processGenericTokenEndpointResponse(as, client, await request())
  await expect(again).rejects.toMatchObject({ error: 'invalid_grant' })
})

it('openid-client gets one, and is told what is missing', async () => {
  const config = await openid.discovery(new URL(issuer), agent.id, agent.secret, openid.ClientSecretBasic(agent.secret), {
    execute: [openid.allowInsecureRequests],
    algorithm: 'oauth2',
  })
  const bring = async (claims: object) =>
    openid.genericGrantRequest(config, jwtBearer, { assertion: await agent.assert({ claims: { ...claims } }) })
  expect(await bring({})).toMatchObject({ token_type: 'bearer' })
  const privileged = { resource: world.product.mcpUrl, scope: 'admin:purge' }
  await expect(bring(privileged)).rejects.toMatchObject({ error: 'insufficient_user_authentication' })
  await expect(bring({ aud: `${issuer}/token` })).rejects.toMatchObject({ error: 'invalid_grant' })
})

it('openid-client gets one for a SAML assertion, with a key of its own where it wants that, and is told why not', async () => {
  const config = await openid.discovery(new URL(issuer), agent.id, agent.secret, openid.ClientSecretBasic(agent.secret), {
    execute: [openid.allowInsecureRequests],
    algorithm: 'oauth2',
  })
  expect(config.serverMetadata().grant_types_supported).toContain(samlBearer)
  const bring = async (assertion: string, options?: openid.DPoPOptions) =>
    openid.genericGrantRequest(config, samlBearer, { assertion, resource: server.guard.resource, scope: 'documents:read' }, options)
  expect(await bring(await agent.assertSaml())).toMatchObject({ token_type: 'bearer', scope: 'documents:read' })
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
  expect(await bring(await agent.assertSaml(), { DPoP })).toMatchObject({ token_type: 'dpop' })
  await expect(bring(await agent.assertSaml({ isUnsigned: true }))).rejects.toMatchObject({ error: 'invalid_grant', status: 400 })
})

it('the MCP SDK comes to a tool without a browser, and not after the trust is killed', async () => {
  const asked: unknown[] = []
  const connected = async () => {
    const authProvider = new CrossAppAccessProvider({
      assertion: async (context) => {
        asked.push([context.authorizationServerUrl, context.resourceUrl])
        return agent.assert()
      },
      clientId: agent.id,
      clientSecret: agent.secret,
      expectedIssuer: issuer,
    })
    const client = new Client({ name: 'enterprise-managed', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(new URL(server.guard.resource), { authProvider }))
    return client
  }
  const client = await connected()
  const found = await client.callTool({ name: 'search_documents', arguments: { text: 'Drawbridge' } })
  expect(JSON.stringify(found)).toContain('welcome')
  expect(asked).toEqual([[issuer, server.guard.resource]])

  const other = await anAgentOf(world.product, 'globex')
  expect((await world.product.admin('POST', `/tenants/globex/assertion-trusts/${other.trustId}/kill`, { reason: 'a test' })).status).toBe(
    200,
  )
  const killed = await world.product.admin('POST', `/tenants/acme/assertion-trusts/${agent.trustId}/kill`, { reason: 'a test' })
  expect(killed.status).toBe(200)
  await expect(connected()).rejects.toThrow()
  const call = () => client.callTool({ name: 'search_documents', arguments: { text: 'Drawbridge' } })
  const outcome = () =>
    call().then(
      () => 'answered',
      () => 'refused',
    )
  await expect.poll(outcome, { timeout: 20_000, interval: 200 }).toBe('refused')
  await client.close()
})
