/** One MCP server for all tenants, and clients of other makers that come to it without a browser: by assertions, and by tokens that are exchanged. */
import { createExampleMcpServer, type ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import { createGuard, type Guard } from '@drawbridge/guard/create-guard'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { Client, CrossAppAccessProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, anAttempt, redeem, registerAt, walk } from './a-client.js'
import { aFrontIssuer } from './a-front-issuer.js'
import { type AFrontGateway, aFrontGatewayOf } from './a-gateway.js'
import { aProduct, type Product } from './a-product.js'
import { type AFrontAgent, aFrontAgentOf } from './an-agent.js'

const grantType = (name: string) => `urn:ietf:params:oauth:grant-type:${name}`
const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
const insecure = { [oauth.allowInsecureRequests]: true }
let product: Product
let server: ExampleMcpServer
let agent: AFrontAgent
let gateway: AFrontGateway
let guard: Guard
let resource = ''
let front = ''

beforeAll(async () => {
  product = await aProduct()
  front = product.publicUrl
  await aFrontIssuer(product)
  server = await aSharedServer()
  agent = await aFrontAgentOf(product, 'acme', resource)
  gateway = await aFrontGatewayOf(product, 'acme')
  guard = createGuard({
    ...{ resource: gateway.target, issuers: [{ issuer: front, front: true, credential: gateway.credential }] },
    ...{ baseScopes: ['documents:read'], toolScopes: {}, onDeaf: 'refuse' },
  })
  await guard.start()
}, 180_000)
afterAll(async () => {
  await guard?.stop()
  await server?.close()
  await product?.stop()
}, 60_000)

/** It names the front as its authorization server, and believes it alone. */
async function aSharedServer(): Promise<ExampleMcpServer> {
  const port = await freePort()
  resource = `http://127.0.0.1:${port}/mcp`
  const scopes = ['read', 'write'].map((tier) => ({ name: `documents:${tier}`, description: tier, tier, isDefault: tier === 'read' }))
  const made = await product.admin('POST', '/shared-resources', { identifier: resource, name: 'Shared documents', scopes })
  const { status, json } = await product.admin('POST', `/shared-resources/${String(made.json['id'])}/credentials`, {})
  expect([made.status, status]).toEqual([201, 201])
  expect((await product.admin('POST', `/front-issuer/shared-resources/${String(made.json['id'])}`)).status).toBeLessThan(300)
  const credential = { id: String(json['id']), secret: String(json['secret']) }
  return createExampleMcpServer({ resource, port, issuers: [{ issuer: front, front: true, credential }] })
}
const metadata = async () =>
  oauth.processDiscoveryResponse(new URL(front), await oauth.discoveryRequest(new URL(front), { algorithm: 'oauth2', ...insecure }))
const configured = (id: string, secret: string) =>
  openid.discovery(new URL(front), id, secret, openid.ClientSecretBasic(secret), {
    ...{ execute: [openid.allowInsecureRequests], algorithm: 'oauth2' },
  })

describe('an agent with an assertion', () => {
  it('of oauth4webapi gets a token that it can validate, by JWT and by SAML, once for each', async () => {
    const as = await metadata()
    const client = { client_id: agent.id }
    const { secret, assert, assertSaml } = agent.atFront
    const ways = {
      'jwt-bearer': { assertion: await assert() },
      'saml2-bearer': { assertion: await assertSaml(), resource, scope: 'documents:read', tenant: 'acme' },
    }
    for (const [name, more] of Object.entries(ways)) {
      expect(as.grant_types_supported).toContain(grantType(name))
      const form = new URLSearchParams(more)
      const request = () => oauth.genericTokenEndpointRequest(as, client, oauth.ClientSecretBasic(secret), grantType(name), form, insecure)
      const tokens = await oauth.processGenericTokenEndpointResponse(as, client, await request())
      const asResource = new Request(resource, { headers: { authorization: `Bearer ${tokens.access_token}` } })
      const told = { iss: front, client_id: agent.id, tenant: 'acme' }
      expect(await oauth.validateJwtAccessToken(as, asResource, resource, insecure)).toMatchObject(told)
      const again = oauth.processGenericTokenEndpointResponse(as, client, await request())
      await expect(again).rejects.toMatchObject({ error: 'invalid_grant' })
    }
  })

  it('of openid-client is told what is missing, and gets a token that is bound to its key', async () => {
    const config = await configured(agent.id, agent.atFront.secret)
    const bring = async (claims: object, options?: openid.DPoPOptions) =>
      openid.genericGrantRequest(
        config,
        grantType('jwt-bearer'),
        { assertion: await agent.atFront.assert({ claims: { ...claims } }) },
        options,
      )
    await expect(bring({ aud_tenant: 'globex' })).rejects.toMatchObject({ status: expect.any(Number) })
    await expect(bring({ aud_tenant: undefined })).rejects.toMatchObject({ error: 'invalid_request' })
    await expect(bring({ aud: `${front}/token` })).rejects.toMatchObject({ error: 'invalid_grant' })
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
    expect(await bring({}, { DPoP })).toMatchObject({ token_type: 'dpop' })
  })

  it('of openid-client gets one for a SAML assertion, with a key of its own where it wants that, and is told why not', async () => {
    const config = await configured(agent.id, agent.atFront.secret)
    const bring = async (change: Parameters<typeof agent.assertSaml>[0], { tenant = 'acme', options = {} as openid.DPoPOptions } = {}) => {
      const form = { assertion: await agent.atFront.assertSaml(change), resource, scope: 'documents:read', tenant }
      return openid.genericGrantRequest(config, grantType('saml2-bearer'), form, options)
    }
    expect(await bring({})).toMatchObject({ token_type: 'bearer', scope: 'documents:read' })
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
    expect(await bring({}, { options: { DPoP } })).toMatchObject({ token_type: 'dpop' })
    await expect(bring({ isUnsigned: true })).rejects.toMatchObject({ error: 'invalid_grant', status: 400 })
    await expect(bring({}, { tenant: 'globex' })).rejects.toMatchObject({ status: expect.any(Number) })
  })

  it('of the MCP SDK comes to a tool, knowing nothing of tenants, and not after the company has killed the trust', async () => {
    const asked: unknown[] = []
    const connected = async () => {
      const authProvider = new CrossAppAccessProvider({
        assertion: async (context) => {
          asked.push([context.authorizationServerUrl, context.resourceUrl])
          return agent.atFront.assert()
        },
        ...{ clientId: agent.id, clientSecret: agent.atFront.secret, expectedIssuer: front },
      })
      const client = new Client({ name: 'enterprise-managed', version: '1' })
      await client.connect(new StreamableHTTPClientTransport(new URL(resource), { authProvider }))
      return client
    }
    const client = await connected()
    const call = () => client.callTool({ name: 'search_documents', arguments: { text: 'Drawbridge' } })
    expect(JSON.stringify(await call())).toContain('welcome')
    expect(asked.map((each) => String(each).replaceAll(/\/(?=,|$)/g, ''))).toEqual([`${front},${resource}`])
    const killed = await product.admin('POST', `/tenants/acme/assertion-trusts/${agent.trustId}/kill`, { reason: 'a test' })
    expect(killed.status).toBe(200)
    await expect(connected()).rejects.toThrow()
    const outcome = () =>
      call().then(
        () => 'answered',
        () => 'refused',
      )
    await expect.poll(outcome, { timeout: 20_000, interval: 200 }).toBe('refused')
    await client.close()
  })
})

describe('a server that goes on to another one', () => {
  async function hers(company: 'acme' | 'globex'): Promise<string> {
    const clientId = await registerAt(front)
    const attempt = anAttempt({ issuer: front, clientId, resource: product.mcpUrl })
    const { page } = await walk(await aBrowser().open(attempt.url), { name: 'ada', company })
    return String((await redeem(attempt, page, front)).json['access_token'])
  }
  const asked = (token: string) => ({ subject_token: token, subject_token_type: accessToken, resource: gateway.target })

  it('by oauth4webapi gets a token that it can validate, of the company that permits it alone', async () => {
    const as = await metadata()
    const of = { client_id: gateway.id }
    const request = async (company: 'acme' | 'globex') =>
      oauth.genericTokenEndpointRequest(
        as,
        of,
        oauth.ClientSecretBasic(gateway.secret),
        grantType('token-exchange'),
        new URLSearchParams(asked(await hers(company))),
        insecure,
      )
    const tokens = await oauth.processGenericTokenEndpointResponse(as, of, await request('acme'))
    expect(tokens).toMatchObject({ token_type: 'bearer', issued_token_type: accessToken, scope: 'documents:read' })
    const asResource = new Request(gateway.target, { headers: { authorization: `Bearer ${tokens.access_token}` } })
    const told = { client_id: gateway.id, act: { sub: `acme.${gateway.id}` }, tenant: 'acme' }
    expect(await oauth.validateJwtAccessToken(as, asResource, gateway.target, insecure)).toMatchObject(told)
    await expect(oauth.processGenericTokenEndpointResponse(as, of, await request('globex'))).rejects.toThrow()
  })

  it('by openid-client gets one that is bound to a key of its own, and hears for which resource it may have none', async () => {
    const config = await configured(gateway.id, gateway.secret)
    const token = await hers('acme')
    const ask = (change: Record<string, string>, options?: openid.DPoPOptions) =>
      openid.genericGrantRequest(config, grantType('token-exchange'), { ...asked(token), ...change }, options)
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
    expect(await ask({}, { DPoP })).toMatchObject({ token_type: 'dpop', issued_token_type: accessToken })
    await expect(ask({ resource: product.mcpUrl })).rejects.toMatchObject({ error: 'invalid_target' })
    await expect(ask({ scope: 'documents:write' })).rejects.toMatchObject({ error: 'invalid_scope' })
  })

  it('is let in with the company and who acts, and no more by the same guard after the vendor has ended the client', async () => {
    const config = await configured(gateway.id, gateway.secret)
    const { access_token: token } = await openid.genericGrantRequest(config, grantType('token-exchange'), asked(await hers('acme')))
    const letIn = { ok: true, value: { actors: [`acme.${gateway.id}`], tenant: 'acme' } }
    expect(await guard.check(`Bearer ${token}`, ['documents:read'])).toMatchObject(letIn)
    expect((await product.admin('POST', `/front-issuer/clients/${gateway.id}/kill`, { reason: 'a test' })).status).toBe(200)
    await expect.poll(async () => (await guard.check(`Bearer ${token}`)).ok, { timeout: 20_000, interval: 100 }).toBe(false)
  })
})
