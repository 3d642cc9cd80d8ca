/** After very many grants ended in one transaction: each gets the event, the line of the trail and the revocation for which there was no time in it. */
import type { TellEndedPayload } from '@drawbridge/core/revocation/ended-grants'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { tellEndedGrants } from '@drawbridge/store/end-grants'
import { inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

export type TellEndedJob = TellEndedPayload & { readonly tenant: string; readonly entry: number }

/** Runs as often as it likes; has its effect once. */
export async function tellEnded(deps: JobDeps, { tenant: id, ...ended }: TellEndedJob): Promise<void> {
  const tenant = id as TenantId
  const told = await inTenant(deps.database, tenant, (db) => tellEndedGrants(db, tenant, { ...ended, now: deps.clock.now() }))
  deps.log.info({ tenant, told, reason: ended.reason }, 'grants that had ended were told of')
}
