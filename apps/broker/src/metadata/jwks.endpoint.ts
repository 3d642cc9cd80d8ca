/**
 * The public keys of a tenant's issuer, one document per kind of message: whoever verifies tokens with the first believes no key for notices,
 * and the other way round.
 */
import { text } from '../http/answer.js'
import { type Endpoint, endpoint, tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** Short, because a compromised key must be forgotten soon; new keys are published long before they sign. */
export const jwksMaxAgeSeconds = 60

type Purpose = 'tokens' | 'notices'
const prepared: Readonly<Record<Purpose, WeakMap<ResolvedTenant, string>>> = { tokens: new WeakMap(), notices: new WeakMap() }

function documentOf(tenant: ResolvedTenant, purpose: Purpose): string {
  const known = prepared[purpose].get(tenant)
  if (known !== undefined) return known
  const keys = tenant.keys.filter((key) => key.purpose === purpose).map((key) => key.publicJwk)
  const document = JSON.stringify({ keys })
  prepared[purpose].set(tenant, document)
  return document
}

const at = (path: string, purpose: Purpose, summary: string): Endpoint =>
  endpoint({
    method: 'GET',
    path,
    spec: 'RFC 7517 §5',
    summary,
    hot: true,
    cors: true,
    servesSuspended: true,
    tag: 'Discovery',
    addressLimit: 'keys_address',
    run: (http) =>
      text('application/jwk-set+json', documentOf(tenantOf(http), purpose), {
        headers: { 'cache-control': `public, max-age=${jwksMaxAgeSeconds}` },
      }),
  })

export const jwksEndpoint = at(
  '/t/:tenant/jwks',
  'tokens',
  'Public keys of the tenant\u2019s issuer for tokens; a compromised key is not among them',
)
export const noticeJwksEndpoint = at(
  '/t/:tenant/ssf/jwks',
  'notices',
  'Public keys of the tenant\u2019s issuer for notices; a compromised key is not among them',
)
