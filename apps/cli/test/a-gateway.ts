/** Clients that exchange tokens, set up as an admin does it: one that goes on to another resource server, one that has words for servers of others. */
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { expect } from 'vitest'
import { webRedirectUri } from './a-client.js'
import type { Company, Hands } from './a-product.js'

/** Where the gateway goes on to. */
export const behindTheGateway = 'https://behind.example/mcp'
export type AGateway = { readonly id: string; readonly secret: string; readonly target: string; readonly scope: string }

/** It may exchange what was issued for `resource`, of one client alone where that is said. */
export async function aGatewayOf(
  product: Hands,
  company: Company,
  ofClient?: string,
  { resource = product.mcpUrl, target = behindTheGateway } = {},
): Promise<AGateway> {
  const scope = 'documents:read'
  const done = async (method: string, path: string, body: object, status: number) => {
    const answered = await product.admin(method, `/tenants/${company}${path}`, body)
    expect(answered).toMatchObject({ status })
    return answered.json
  }
  await done(
    'POST',
    '/resources',
    { identifier: target, name: 'Behind', scopes: [{ name: scope, description: 'Read', tier: 'read' }] },
    201,
  )
  const client = { name: 'Gateway', grantTypes: [tokenExchangeGrantType], tokenEndpointAuthMethod: 'client_secret_basic' }
  const made = await done('POST', '/clients', client, 201)
  const id = String(made['clientId'])
  const permission = {
    client: id,
    from: resource,
    to: target,
    scopes: [scope],
    ...(ofClient === undefined ? {} : { ofClients: [ofClient] }),
  }
  await done('PUT', '/token-exchange', { permissions: [permission] }, 200)
  return { id, secret: String(made['clientSecret']), target, scope }
}

/** Where a gateway at the front goes on to. */
const behindTheFront = 'https://behind.vendor.example/mcp'
export type AFrontGateway = AGateway & { readonly credential: { readonly id: string; readonly secret: string } }

/** One at the front issuer, for people of one company, which permits it beside what it had permitted. */
export async function aFrontGatewayOf(product: Hands, company: Company, ofClient?: string): Promise<AFrontGateway> {
  const scope = 'documents:read'
  const done = async (method: string, path: string, body?: object) => {
    const { status, json } = await product.admin(method, path, body)
    if (status >= 300) throw new Error(`${path} was answered ${status} ${JSON.stringify(json)}`)
    return json
  }
  const scopes = [{ name: scope, description: 'Read', tier: 'read' }]
  const resource = String((await done('POST', '/shared-resources', { identifier: behindTheFront, name: 'Behind', scopes }))['id'])
  const credential = await done('POST', `/shared-resources/${resource}/credentials`, {})
  await done('POST', `/front-issuer/shared-resources/${resource}`)
  const client = { name: 'Gateway', grantTypes: [tokenExchangeGrantType], tokenEndpointAuthMethod: 'client_secret_basic' }
  const made = await done('POST', '/front-issuer/clients', client)
  const id = String(made['clientId'])
  await done('POST', `/tenants/${company}/front-clients/${id}`)
  const { permissions } = await done('GET', `/tenants/${company}/token-exchange`)
  const more = { client: id, at: 'front', from: product.mcpUrl, to: behindTheFront, scopes: [scope] }
  const permission = { ...more, ...(ofClient === undefined ? {} : { ofClients: [ofClient] }) }
  await done('PUT', `/tenants/${company}/token-exchange`, { permissions: [...(permissions as readonly object[]), permission] })
  return {
    ...{ id, secret: String(made['clientSecret']), target: behindTheFront, scope },
    credential: { id: String(credential['id']), secret: String(credential['secret']) },
  }
}

/** A client that people give access to, and that may have ID-JAGs for one authorization server of others. */
export async function aWordedClient(product: Hands, company: Company) {
  const { status, json } = await product.admin('POST', `/tenants/${company}/clients`, {
    ...{ name: 'Worded', redirectUris: [webRedirectUri], preApproved: true, tokenEndpointAuthMethod: 'client_secret_basic' },
    // So that nothing but whose word it is can be why its own is refused.
    grantTypes: ['authorization_code', 'refresh_token', tokenExchangeGrantType, jwtBearerGrantType],
  })
  expect({ status, json }).toMatchObject({ status: 201 })
  const [id, secret] = [String(json['clientId']), String(json['clientSecret'])]
  const there = { audience: 'https://as.vendor.example', resource: 'https://api.vendor.example/mcp' }
  const permission = { client: id, ...there, scopes: [{ name: 'documents:read', tier: 'read' }] }
  expect(await product.admin('PUT', `/tenants/${company}/id-jag-issuing`, { permissions: [permission] })).toMatchObject({ status: 200 })
  return { id, secret, redirectUri: webRedirectUri, ...there }
}
