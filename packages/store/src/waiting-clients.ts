/** Clients that speak for themselves, and that nobody vouches for: what an admin has to decide on. */
import type { Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { registrationLimits } from '@drawbridge/core/oauth/client-registration'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { WhichClient } from './admin-clients.js'
import type { Page } from './admin-page.js'
import { type ClientRow, clientColumns, toClient } from './clients.js'
import { type Db, toTimestamp } from './transaction.js'

/** People who use a client are counted up to here: one row more says as much to an admin, and costs the same again. */
export const mostPeopleCounted = 1000

export type WaitingClient = {
  readonly client: Client
  readonly firstSeenAt: Instant
  readonly askedAt: Instant | undefined
  readonly people: number
}
export type WaitingFilter = {
  /** Those that nobody of the tenant uses, or asked for of late, too. Strangers can make as many as a tenant has room for. */
  readonly withUnused: boolean
  readonly now: Instant
}

/** SQL: living grants of people for the client `c`; `$2` is now. A grant takes a person of the tenant: no stranger gets a client in here. */
const inUse = `FROM grants g WHERE g.tenant_id = $1 AND g.issuer_id = c.issuer_id AND g.client_id = c.client_id AND g.subject_id IS NOT NULL
  AND g.revoked_at IS NULL AND g.expires_at > $2 AND g.client_epoch >= c.epoch`

/** By client_id: neither approved nor blocked; in use, asked for of late, or approved before. */
export async function listWaitingClients(
  db: Db,
  tenant: TenantId,
  filter: WaitingFilter,
  page: Page<string>,
): Promise<readonly WaitingClient[]> {
  const { rows } = await db.query<ClientRow & { created_at: Instant; asked_at: Instant | null; people: number }>(
    `SELECT ${clientColumns}, created_at, asked_at,
       (SELECT count(*)::int FROM (SELECT DISTINCT g.subject_id ${inUse} LIMIT ${mostPeopleCounted}) counted) AS people
     FROM clients c WHERE c.tenant_id = $1 AND c.kind <> 'preregistered' AND NOT c.pre_approved AND c.blocked_at IS NULL AND c.unregistered_at IS NULL
       AND c.client_id > $3 AND ($5::boolean OR c.approval_lost IS NOT NULL OR c.asked_at > $2::timestamptz - make_interval(secs => ${registrationLimits.askedClientSeconds})
         OR EXISTS (SELECT 1 ${inUse}))
     ORDER BY c.client_id LIMIT $4`,
    [tenant, toTimestamp(filter.now), page.from ?? '', page.limit, filter.withUnused],
  )
  return rows.map((row) => ({ client: toClient(row), firstSeenAt: row.created_at, askedAt: row.asked_at ?? undefined, people: row.people }))
}

/** How exact `asked_at` is: whoever tries again and again must not write the row as often. */
const askRecordedEverySeconds = 86_400

/** It asked, and was refused for want of an approval. Its version stays; one that was approved meanwhile is not marked. */
export async function markClientAsked(db: Db, tenant: TenantId, { issuerId, id }: WhichClient, now: Instant): Promise<void> {
  await db.query(
    `UPDATE clients SET asked_at = $4 WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND NOT pre_approved
       AND (asked_at IS NULL OR asked_at <= $4::timestamptz - make_interval(secs => ${askRecordedEverySeconds}))`,
    [tenant, issuerId, id, toTimestamp(now)],
  )
}
