/** The public keys of a tenant's issuer, for tokens and notices. */
import { text } from '../http/answer.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** Short, because a compromised key must be forgotten soon; new keys are published long before they sign. */
export const jwksMaxAgeSeconds = 60

const prepared = new WeakMap<ResolvedTenant, string>()

function documentOf(tenant: ResolvedTenant): string {
  const known = prepared.get(tenant)
  if (known !== undefined) return known
  const keys = tenant.keys.filter((key) => key.purpose !== 'saml').map((key) => key.publicJwk)
  const document = JSON.stringify({ keys })
  prepared.set(tenant, document)
  return document
}

export const jwksEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/jwks',
  spec: 'RFC 7517 §5',
  summary: 'Public keys of the tenant\u2019s issuer; a compromised key is not among them',
  hot: true,
  cors: true,
  servesSuspended: true,
  tag: 'Discovery',
  run: (http) =>
    text('application/jwk-set+json', documentOf(tenantOf(http)), { headers: { 'cache-control': `public, max-age=${jwksMaxAgeSeconds}` } }),
})
