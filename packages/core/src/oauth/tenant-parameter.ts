/**
 * `tenant`, ours, at the token endpoint: the short name of the company that a request is for. At the front issuer it says so where no credential does; anywhere
 * else the credential or the address has said it, and a request that says another one is wrong.
 */
import type { IssuerKind, TenantSlug } from '../tenant/ids.js'
import type { TokenErrorReason } from './token-error.js'

export const tenantParameter = 'tenant'

/** Whoever brings one of these has a credential that names its tenant, or one that is worth nothing at the front. */
const namedByCredential: readonly string[] = ['authorization_code', 'refresh_token']

export type TenantParameterRefusal = Extract<TokenErrorReason, `tenant_parameter_${string}`>

/** `at`: the tenant whose the request was found to be, or the front itself, where it was found to be nobody's. */
export function judgeTenantParameter(
  { grantType, said }: { readonly grantType: string; readonly said: string | undefined },
  at: { readonly slug: TenantSlug; readonly issuer: { readonly kind: IssuerKind } },
): TenantParameterRefusal | undefined {
  const isNobodys = at.issuer.kind === 'front'
  if (said !== undefined) return isNobodys || said !== at.slug ? 'tenant_parameter_unfit' : undefined
  return isNobodys && !namedByCredential.includes(grantType) ? 'tenant_parameter_missing' : undefined
}
