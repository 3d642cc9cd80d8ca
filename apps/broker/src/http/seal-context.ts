/** What a value of a tenant is sealed for: it opens in this row of this column alone. */
import type { SealContext } from '@drawbridge/crypto/seal'
import type { ResolvedTenant } from './tenant.js'

export const sealContextOf = (
  at: { readonly deps: { readonly installation: { readonly id: string } }; readonly tenant: Pick<ResolvedTenant, 'id'> },
  table: string,
  column: string,
  row: string,
): SealContext => ({ installation: at.deps.installation.id, tenant: at.tenant.id, table, column, row })
