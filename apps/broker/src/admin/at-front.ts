/** Endpoints of the admin API about a tenant at its own issuer, for the front issuer: the same, about the vendor there, or about a tenant as its member. */
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import type { BrokerDeps } from '../deps.js'
import type { Endpoint } from '../http/endpoint.js'

/** The vendor's alone: `authorize-admin` refuses everybody else. */
export const ofFront = (endpoint: Endpoint): Endpoint => ({
  ...endpoint,
  path: endpoint.path.replace('/tenants/:tenant', '/front-issuer'),
  summary: `At the front issuer: ${endpoint.summary}`,
  front: { namedBy: () => undefined },
  // Of a vendor who has made none.
  refuses: [...(endpoint.refuses ?? []), 'vendor_only', 'path_unknown'],
})

/** What the vendor has chosen counts at every member of the front: whoever chose it here finds it so here at once. */
export function tellMembers({ configuration }: Pick<BrokerDeps, 'configuration'>, chosenBy: TenantId): void {
  if (chosenBy === vendorTenantId) configuration.invalidate()
}

/** The tenant's own: `noun` is what the path calls them. */
export const ofMember = (endpoint: Endpoint, noun: string): Endpoint => ({
  ...endpoint,
  path: endpoint.path.replace(`/tenants/:tenant/${noun}`, `/tenants/:tenant/front-${noun}`),
  summary: `Of the tenant at the front issuer: ${endpoint.summary}`,
  ofMember: true,
})
