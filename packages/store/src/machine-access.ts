/** What a tenant lets a client of the front issuer have in its own name, and the end of what that had opened. */
import type { Instant } from '@drawbridge/core/instant'
import type { MachineAccess } from '@drawbridge/core/oauth/machine-access'
import type { ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import type { WhichClient } from './admin-clients.js'
import { endGrants } from './end-grants.js'
import type { Db } from './transaction.js'

/** No client of the tenant opens a grant of its own at the front before this transaction ends, and whoever was about to decides again. Call it first. */
export const holdMachineAccess = (db: Db, tenant: TenantId): Promise<unknown> =>
  db.query(`SELECT pg_advisory_xact_lock(hashtextextended('machine access:' || $1::uuid::text, 0))`, [tenant])

/** All of it, in place of what there was. */
export async function markMachineAccess(db: Db, tenant: TenantId, { issuerId, id }: WhichClient, access: MachineAccess): Promise<void> {
  await db.query('UPDATE clients SET machine_access = $4 WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3', [
    ...[tenant, issuerId, id, JSON.stringify(access)],
  ])
}

export type AccessLost = {
  readonly of: WhichClient
  readonly resources: readonly ResourceIdentifier[]
  readonly now: Instant
  readonly requestId: string | undefined
}

/** Ends what the client holds for these resources in its own name; answers how many grants. Follows `holdMachineAccess`. */
export async function endMachineGrants(db: Db, tenant: TenantId, { of, resources, now, requestId }: AccessLost): Promise<number> {
  if (resources.length === 0) return 0
  const which = {
    sql: 'issuer_id = $6 AND client_id = $7 AND audience = ANY ($8) AND subject_id IS NULL',
    parameters: [of.issuerId, of.id, resources],
  }
  return endGrants(db, tenant, { which, source: 'admin', reason: 'machine_access_taken_away', now, requestId })
}
