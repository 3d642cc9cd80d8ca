/** How much a tenant may configure: found out in the transaction that would write more, and refused with what is full. */
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type CountedOfTenant, tenantLimits } from '@drawbridge/core/tenant/tenant-limits'
import { fitsBesideOthers, hasRoomFor } from '@drawbridge/store/tenant-room'
import type { Db } from '@drawbridge/store/transaction'
import type { Answer } from '../http/answer.js'
import { refuseAdmin } from './refuse-admin.js'

/** What is full; nothing was written. */
export type Full = { readonly full: { readonly path: string; readonly message: string } }
export const isFull = (outcome: object | undefined): outcome is Full => outcome !== undefined && 'full' in outcome
export const refuseFull = ({ full }: Full): Answer => refuseAdmin('tenant_full', [full])

/** `undefined`: there is room for one more. */
export async function findFull(db: Db, tenant: TenantId, what: CountedOfTenant): Promise<Full | undefined> {
  return (await hasRoomFor(db, tenant, what)) ? undefined : { full: { path: what, message: `at most ${tenantLimits[what]}` } }
}

type Written = { readonly id: ConnectionId; readonly configuration: unknown }

/** `undefined`: the configuration fits beside those of the other connections and trusts. */
export async function findTooLarge(db: Db, tenant: TenantId, written: Written): Promise<Full | undefined> {
  if (await fitsBesideOthers(db, tenant, written)) return undefined
  const message = `those of all connections and trusts of a tenant have at most ${tenantLimits.configurationBytes} bytes together`
  return { full: { path: 'configuration', message } }
}

/** Of one that is new. */
export const findFullOf = async (
  db: Db,
  tenant: TenantId,
  what: 'connections' | 'assertionTrusts',
  written: Written,
): Promise<Full | undefined> => (await findFull(db, tenant, what)) ?? findTooLarge(db, tenant, written)
