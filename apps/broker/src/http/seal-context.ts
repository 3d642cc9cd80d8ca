/** Where a value of a tenant rests, for the seal that holds it there. */
import type { SealContext } from '@drawbridge/crypto/seal'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from './tenant.js'

type Place = { readonly deps: Pick<BrokerDeps, 'installation'>; readonly tenant: Pick<ResolvedTenant, 'id'> }

export const sealContextOf = ({ deps, tenant }: Place, table: string, column: string, row: string): SealContext => ({
  installation: deps.installation.id,
  tenant: tenant.id,
  table,
  column,
  row,
})
