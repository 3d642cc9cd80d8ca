/** The metadata of a tenant's issuer: one document, at every well-known place where a client may look. */
import { buildServerMetadata } from '@drawbridge/core/oauth/server-metadata'
import type { TokenAlgorithm } from '@drawbridge/core/oauth/token-algorithm'
import { text } from '../http/answer.js'
import { type Endpoint, endpoint, tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** It changes with releases, and with the algorithms of the tenant's keys, long before one signs. Clients fetch it at every start. */
export const metadataMaxAgeSeconds = 300

const prepared = new WeakMap<ResolvedTenant, string>()

function documentOf(tenant: ResolvedTenant): string {
  const known = prepared.get(tenant)
  if (known !== undefined) return known
  const document = JSON.stringify(buildServerMetadata(tenant.issuer.url, algorithmsOf(tenant)))
  prepared.set(tenant, document)
  return document
}

/** That of the key that signs first. */
function algorithmsOf({ keys }: ResolvedTenant): readonly TokenAlgorithm[] {
  const known = keys.filter(({ purpose }) => purpose === 'tokens')
  const first = known.filter(({ state }) => state === 'active')
  return [...new Set([...first, ...known].map(({ publicJwk }) => publicJwk.alg))]
}

const at = (path: string, spec: string): Endpoint =>
  endpoint({
    method: 'GET',
    path,
    spec,
    summary: 'Metadata of the tenant\u2019s issuer',
    hot: true,
    cors: true,
    servesSuspended: true,
    tag: 'Discovery',
    run: (http) =>
      text('application/json', documentOf(tenantOf(http)), { headers: { 'cache-control': `public, max-age=${metadataMaxAgeSeconds}` } }),
  })

/** RFC 8414 inserts the well-known part before the issuer's path, OpenID Connect Discovery appends it; MCP clients try all of these. */
export const serverMetadataEndpoints: readonly Endpoint[] = [
  at('/.well-known/oauth-authorization-server/t/:tenant', 'RFC 8414 §3.1'),
  at('/.well-known/openid-configuration/t/:tenant', 'RFC 8414 §5'),
  at('/t/:tenant/.well-known/openid-configuration', 'OpenID Connect Discovery 1.0 §4'),
  at('/t/:tenant/.well-known/oauth-authorization-server', 'RFC 8414 §3.1'),
]
