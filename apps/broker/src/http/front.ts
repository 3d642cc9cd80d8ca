/**
 * The front issuer: one address for clients that do not know the tenant, for resource servers that all tenants share (ADR 75).
 *
 * Its endpoints are those of a tenant's issuer, run by the same code: a request there is one of the tenant that its credential names, at that
 * tenant's membership. Before any tenant is known the front speaks for itself, and what is stored then is the vendor's.
 */
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { tenantNamedBy, tenantOfAssertion } from '@drawbridge/core/oauth/front-credential'
import { tenantParameter } from '@drawbridge/core/oauth/tenant-parameter'
import { type IssuerId, type TenantSlug, vendorSlug } from '@drawbridge/core/tenant/ids'
import type { BrokerDeps } from '../deps.js'
import type { Endpoint, HttpRequest, NamedOtherwise, NamingCredential } from './endpoint.js'
import { frontSessionsOf } from './session-cookie.js'
import type { ResolvedTenant } from './tenant.js'

/** An endpoint of tenants' issuers, at the front: the same, at the address without the tenant. */
export const atFront = (endpoint: Endpoint, namedBy: NamingCredential = () => undefined, namedOtherwise?: NamedOtherwise): Endpoint => ({
  ...endpoint,
  path: endpoint.path.replace('/t/:tenant', ''),
  summary: `At the front issuer: ${endpoint.summary}`,
  front: { namedBy, ...(namedOtherwise && { namedOtherwise }) },
})

type Asked = Parameters<NamingCredential>[0]

const parameter = ({ form }: Asked, ...names: readonly string[]): string | undefined =>
  form.ok ? names.map((name) => form.value[name]).find((value) => value !== undefined) : undefined

const namedIn = (credential: string | undefined): TenantSlug | undefined =>
  credential === undefined ? undefined : tenantNamedBy(credential)

/** What the token endpoint takes at the front. A JWT assertion says for which tenant it was made; of SAML we read nothing before its tenant is known. */
export const inTokenRequest: NamingCredential = (http) => {
  const assertion = parameter(http, 'assertion')
  return (
    namedIn(parameter(http, 'code', 'refresh_token', 'subject_token')) ??
    (assertion === undefined ? undefined : tenantOfAssertion(assertion))
  )
}
export const inToken: NamingCredential = (http) => namedIn(parameter(http, 'token'))
/**
 * Its value is a short name, and no credential. Sent without a value it counts as left out: RFC 6749 §3.2. A device code is the front's own until it has become
 * a tenant's, whatever its device says.
 */
export const byTenantParameter: NamedOtherwise = (http) =>
  parameter(http, 'grant_type') === deviceGrantType
    ? undefined
    : ((parameter(http, tenantParameter) || undefined) as TenantSlug | undefined)
/** @spec RFC 6750 §2.1, §2.2 */
export const inPresentedToken: NamingCredential = (http) =>
  namedIn(/^(?:Bearer|DPoP) +(\S+)$/i.exec(http.headers['authorization'] ?? '')?.[1] ?? parameter(http, 'access_token'))
/** An application brings it in a query or in a form. @spec OIDC RP-Initiated Logout §2 */
export const inIdTokenHint: NamingCredential = (http) =>
  namedIn(parameter(http, 'id_token_hint') ?? (http.query.ok ? http.query.value['id_token_hint'] : undefined))

/** Without a hint: whichever tenant is said, or the only one that this browser was ever signed in to at the front. */
export const inSignOut: NamedOtherwise = (http, deps) => {
  const said = [http.form, http.query].map((given) => (given.ok ? given.value[tenantParameter] : undefined)).find((tenant) => tenant)
  const [only, ...others] = frontSessionsOf(http, deps)
  return (said as TenantSlug | undefined) ?? (others.length === 0 ? only : undefined)
}

/**
 * Whose a request at the front is: the tenant's that its credential names, or that is named otherwise; else the front's own, where an unknown credential is as unknown
 * as anywhere. `undefined`: the vendor has not made a front issuer.
 */
export async function findAtFront(
  deps: BrokerDeps,
  { namedBy, namedOtherwise }: NonNullable<Endpoint['front']>,
  http: Omit<HttpRequest, 'spend'>,
): Promise<ResolvedTenant | undefined> {
  const { configuration } = deps
  const front = await configuration.find(vendorSlug, 'front')
  const slug = front && (namedBy(http) ?? namedOtherwise?.(http, deps))
  return (slug === undefined ? undefined : await configuration.find(slug, 'front_member')) ?? front
}

/** The tenant at the issuer at which something of it was begun: its own, or the front. `undefined`: it is neither. */
export async function atIssuer(
  { configuration }: BrokerDeps,
  tenant: ResolvedTenant,
  issuerId: IssuerId,
): Promise<ResolvedTenant | undefined> {
  if (tenant.issuer.id === issuerId) return tenant
  const member = await configuration.find(tenant.slug, 'front_member')
  return member?.issuer.id === issuerId ? member : undefined
}

/** What a credential names in clear: nothing, where the address of its issuer says it. */
export const frontTenantOf = ({ issuer, slug }: ResolvedTenant): TenantSlug | undefined => (issuer.kind === 'tenant' ? undefined : slug)
