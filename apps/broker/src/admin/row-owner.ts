/** Whose rows an endpoint is about: those of a tenant, or those of the vendor, which are the vendor's alone. The same endpoints serve both. */
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'

export type RowOwner = {
  readonly path: string
  /** In the summary of each endpoint. */
  readonly whose: string
  readonly tenantId: (http: HttpRequest<unknown, unknown>) => TenantId
  readonly vendorOnly?: true
}

export const ownedByTenant = (noun: string, whose: string): RowOwner => ({
  path: `/tenants/:tenant/${noun}`,
  whose,
  tenantId: (http) => tenantOf(http).id,
})

export const ownedByVendor = (noun: string, whose: string): RowOwner => ({
  path: `/${noun}`,
  whose,
  tenantId: () => vendorTenantId,
  vendorOnly: true,
})

/** For the definition of an endpoint. */
export const reservedFor = ({ vendorOnly }: Pick<RowOwner, 'vendorOnly'>): { readonly vendorOnly?: true } =>
  vendorOnly === true ? { vendorOnly } : {}
