/**
 * The end of somebody's access that her directory names in advance. It binds by itself: whatever is issued, asked about or opened compares it with the
 * time. What is here keeps it with the person, and raises the barrier once when it has come, so that guards and clients are told.
 */
import type { Instant } from '@drawbridge/core/instant'
import { readEndDate } from '@drawbridge/core/scim/end-date'
import { type ScimUser, toDocument } from '@drawbridge/core/scim/user'
import type { ConnectionId, DeprovisioningEventId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { insertAuditEvent } from './audit-events.js'
import { deprovision } from './deprovisioning.js'
import { raiseClaims } from './directory.js'
import { keptStatement } from './kept-statements.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type EndDateCaller = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly now: Instant
  readonly requestId: string | undefined
  /** The attribute that names it. Absent: this directory names none. */
  readonly endDate?: string | undefined
}

const keptEnd = keptStatement('UPDATE scim_users SET ends_at = $3 WHERE tenant_id = $1 AND id = $2 AND ends_at IS DISTINCT FROM $3')
const keptEndOfSubject = keptStatement(
  'UPDATE subjects SET deactivates_at = $3 WHERE tenant_id = $1 AND scim_user_id = $2 AND deactivates_at IS DISTINCT FROM $3',
)

/** Belongs into the transaction that writes the user, after she was linked. What is no date changes nothing, and stands in the trail. */
export async function keepEndDate(db: Db, caller: EndDateCaller, user: ScimUser): Promise<void> {
  const { tenant, connectionId, now, requestId, endDate } = caller
  if (endDate === undefined) return
  const end = readEndDate(toDocument(user), endDate)
  const detail = { scimUserId: user.id, endDate }
  if (end === 'unreadable')
    return insertAuditEvent(db, tenant, { at: now, kind: 'scim_user.end_unreadable', connectionId, detail, requestId })
  const at = end === 'none' ? null : toTimestamp(end)
  await db.query(keptEnd, [tenant, user.id, at])
  const { rowCount } = await db.query(keptEndOfSubject, [tenant, user.id, at])
  if (rowCount === 0) return
  // A ceiling for everything that is open: what would outlive it is decided again.
  await raiseClaims(db, caller, [user.id])
  await insertAuditEvent(db, tenant, {
    ...{ at: now, kind: 'scim_user.end_changed', connectionId, requestId },
    detail: { ...detail, endsAt: at?.toISOString() ?? null },
  })
}

export type EndedSubject = { readonly tenant: TenantId; readonly id: SubjectId }

/**
 * People whose end has come, and for whom no barrier has been raised yet; of each tenant the earliest first, and one of each tenant before the second of
 * any: a directory that names ends in the past again and again holds up its own people alone.
 */
export async function listEndedSubjectsAcrossTenants(db: AcrossDb, now: Instant, limit: number): Promise<readonly EndedSubject[]> {
  const { rows } = await db.query<EndedSubject>(
    `SELECT tenant_id AS tenant, id FROM (
       SELECT tenant_id, id, deactivates_at, row_number() OVER (PARTITION BY tenant_id ORDER BY deactivates_at, id) AS turn
         FROM subjects WHERE deactivates_at <= $1 AND ended_for IS DISTINCT FROM deactivates_at) ended
     ORDER BY turn, deactivates_at LIMIT $2`,
    [toTimestamp(now), limit],
  )
  return rows
}

/**
 * Raises the barrier of one of them, once for each end that was named. The door stays shut by the end itself: a directory that names a later one
 * lets her in again, and nothing that died comes back.
 */
export async function endSubject(db: Db, { tenant, id }: EndedSubject, eventId: DeprovisioningEventId, now: Instant): Promise<boolean> {
  const { rows } = await db.query<{ ended_for: Instant }>(
    `UPDATE subjects SET ended_for = deactivates_at WHERE tenant_id = $1 AND id = $2 AND deactivates_at <= $3 AND ended_for IS DISTINCT FROM deactivates_at
     RETURNING ended_for`,
    [tenant, id, toTimestamp(now)],
  )
  const [ended] = rows
  if (ended === undefined) return false
  await deprovision(db, {
    ...{ tenant, eventId, source: 'scim', target: 'subject', targetId: id, now, requestId: undefined },
    reason: 'the end that the directory named has come',
    toldAt: ended.ended_for,
  })
  return true
}
