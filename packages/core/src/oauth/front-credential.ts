/**
 * Credentials of the front issuer name their tenant in clear, so that a request with one is a request of that tenant from its first statement on.
 *
 * The name proves nothing and is no secret: access tokens say it, too. A code or refresh token with another name in front has another hash, so it is
 * unknown; an access token with another claim has no signature. Those of a tenant's own issuer name none: its address does.
 */
import type { TenantSlug } from '../tenant/ids.js'

/** What a code or a refresh token begins with, behind its prefix. */
export const frontTenantPart = '(?:([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\\.)?'
const opaque = new RegExp(`^db[cr]_${frontTenantPart}[A-Za-z0-9_-]+$`)

/** The part that a credential of the front has in front of its random one; of any other issuer, nothing. */
export const nameOfTenant = (tenant: TenantSlug | undefined): string => (tenant === undefined ? '' : `${tenant}.`)

/** The tenant that a presented code or refresh token names, or an access token that nobody has verified yet. */
export function tenantNamedBy(credential: string): TenantSlug | undefined {
  const named = opaque.exec(credential)?.[1]
  return named === undefined ? tenantClaimOf(credential, 'tenant') : (named as TenantSlug)
}

/**
 * The tenant for which a JWT assertion was made, that nobody has verified yet. Its claim `tenant` is another thing: the company at the issuer.
 *
 * @spec draft-ietf-oauth-identity-assertion-authz-grant: aud_tenant
 */
export const tenantOfAssertion = (assertion: string): TenantSlug | undefined => tenantClaimOf(assertion, 'aud_tenant')

function tenantClaimOf(token: string, name: 'tenant' | 'aud_tenant'): TenantSlug | undefined {
  const [, payload, signature, ...rest] = token.split('.')
  if (payload === undefined || signature === undefined || rest.length > 0) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    const tenant = ((claims ?? {}) as Readonly<Record<string, unknown>>)[name]
    return typeof tenant === 'string' ? (tenant as TenantSlug) : undefined
  } catch {
    return undefined
  }
}
