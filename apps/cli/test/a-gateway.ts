/** A resource server that goes on to another one for whoever called it: set up as an admin does it. */
import { tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { expect } from 'vitest'
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
