/**
 * The end of somebody's access that her directory names in advance. It binds by itself: whatever is issued, asked about or opened compares it with the
 * time. What is here keeps it with the person, and raises the barrier once when it has come, so that guards and clients are told: at once where it is
 * past when it is named.
 */
import type { Instant } from '@drawbridge/core/instant'
import { readEndDate } from '@drawbridge/core/scim/end-date'
import { type ScimUser, toDocument } from '@drawbridge/core/scim/user'
import type { ConnectionId, DeprovisioningEventId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { insertAuditEvent } from './audit-events.js'
import { deprovision, isLetIn, tellBack } from './deprovisioning.js'
import { raiseClaims } from './directory.js'
import { keptStatement } from './kept-statements.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type EndDateCaller = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly now: Instant
  readonly requestId: string | undefined
  readonly newId: () => string
  /** The attribute that names it. Absent: this directory names none. */
  readonly endDate?: string | undefined
}

const keptEnd = keptStatement('UPDATE scim_users SET ends_at = $3 WHERE tenant_id = $1 AND id = $2 AND ends_at IS DISTINCT FROM $3')
/**
 * Whichever is named has no barrier yet, though it was named before and had one: what was opened when it had been taken back is not below that. One that has
 * come and waits for its barrier is answered: after this nobody would find it.
 */
const keptEndOfSubject = keptStatement(`WITH held AS (
     SELECT id, CASE WHEN deactivates_at <= $4 AND ended_for IS DISTINCT FROM deactivates_at THEN deactivates_at END AS untold, deactivates_at <= $4 AS was_over
       FROM subjects
      WHERE tenant_id = $1 AND scim_user_id = $2 AND deactivates_at IS DISTINCT FROM $3 FOR UPDATE)
   UPDATE subjects s SET deactivates_at = $3, ended_for = NULL FROM held WHERE s.tenant_id = $1 AND s.id = held.id
   RETURNING s.id, held.untold AS "endedFor", held.was_over AND ${isLetIn('s', '$4')} AS "isBack"`)

export const endHasCome = 'the end that the directory named has come'

const endThatWasNamed = keptStatement('SELECT ends_at AS "endsAt" FROM scim_users WHERE tenant_id = $1 AND id = $2')

/**
 * Belongs into the transaction that writes the user, after she was linked. What is no date stands in the trail and changes nothing: the end of before is
 * hers, too, who was linked by the same change. True: it names an end, and another than before.
 */
export async function keepEndDate(db: Db, caller: EndDateCaller, user: ScimUser): Promise<boolean> {
  const { tenant, connectionId, now, requestId, endDate } = caller
  if (endDate === undefined) return false
  const said = readEndDate(toDocument(user), endDate)
  const detail = { scimUserId: user.id, endDate }
  if (said === 'unreadable')
    await insertAuditEvent(db, tenant, { at: now, kind: 'scim_user.end_unreadable', connectionId, detail, requestId })
  const end = said === 'unreadable' ? await endOfBefore(db, tenant, user) : said
  const at = end === 'none' ? null : toTimestamp(end)
  const isAnother = (await db.query(keptEnd, [tenant, user.id, at])).rowCount > 0
  const { rows: changed } = await db.query<Reached & { readonly isBack: boolean | null }>(keptEndOfSubject, [
    tenant,
    user.id,
    at,
    toTimestamp(now),
  ])
  if (changed.length > 0) {
    // A ceiling for everything that is open: what would outlive it is decided again.
    await raiseClaims(db, caller, [user.id])
    await insertAuditEvent(db, tenant, {
      ...{ at: now, kind: 'scim_user.end_changed', connectionId, requestId },
      detail: { ...detail, endsAt: at?.toISOString() ?? null },
    })
  }
  const isPast = typeof end !== 'string' && end <= now
  // Where no worker came to it, another end does not make it undone: what she held until then stays dead.
  await endSubjects(db, caller, user, isPast ? await reach(db, caller, user) : changed)
  for (const { id } of changed.filter(({ isBack }) => isBack)) await tellBack(db, { tenant, id, now })
  return typeof end !== 'string' && isAnother
}

async function endOfBefore(db: Db, tenant: TenantId, { id }: ScimUser): Promise<Instant | 'none'> {
  const { rows } = await db.query<{ endsAt: Instant | null }>(endThatWasNamed, [tenant, id])
  return rows[0]?.endsAt ?? 'none'
}

/** Whose end has come, and which it was; null: none that waits for its barrier. */
type Reached = { readonly id: SubjectId; readonly endedFor: Instant | null }

const reachedOfUser = keptStatement(`UPDATE subjects SET ended_for = deactivates_at
   WHERE tenant_id = $1 AND scim_user_id = $2 AND deactivates_at <= $3 AND ended_for IS DISTINCT FROM deactivates_at RETURNING id, ended_for AS "endedFor"`)

/** Whose end is past already when it is named. */
async function reach(db: Db, { tenant, now }: EndDateCaller, user: ScimUser): Promise<readonly Reached[]> {
  return (await db.query<Reached>(reachedOfUser, [tenant, user.id, toTimestamp(now)])).rows
}

/** What they hold is over with this commit. Of an inactive user that is so without it, and nobody is told twice. */
async function endSubjects(
  db: Db,
  { tenant, now, requestId, newId }: EndDateCaller,
  user: ScimUser,
  reached: readonly Reached[],
): Promise<void> {
  if (!user.active) return
  for (const { id, endedFor } of reached)
    if (endedFor !== null) await raiseBarrier(db, { tenant, id, endedFor, eventId: newId() as DeprovisioningEventId, now, requestId })
}

const endIsDue = keptStatement(
  `SELECT EXISTS (SELECT 1 FROM subjects WHERE deactivates_at > $1 AND deactivates_at <= $2 AND ended_for IS DISTINCT FROM deactivates_at) AS "isDue"`,
)

/** Whether anybody's end has come after the one moment and until the other, and no barrier has been raised for it. */
export async function isEndDueAcrossTenants(db: AcrossDb, after: Instant, until: Instant): Promise<boolean> {
  const { rows } = await db.query<{ isDue: boolean }>(endIsDue, [toTimestamp(after), toTimestamp(until)])
  return rows[0]?.isDue ?? false
}

export type EndedSubject = { readonly tenant: TenantId; readonly id: SubjectId }

/**
 * People whose end has come, and for whom no barrier has been raised yet, but those `except`; of each tenant the earliest first, and one of each tenant
 * before the second of any: a directory that names ends in the past again and again holds up its own people alone.
 */
export async function listEndedSubjectsAcrossTenants(
  db: AcrossDb,
  now: Instant,
  limit: number,
  except: readonly SubjectId[] = [],
): Promise<readonly EndedSubject[]> {
  const { rows } = await db.query<EndedSubject>(
    `SELECT tenant_id AS tenant, id FROM (
       SELECT tenant_id, id, deactivates_at, row_number() OVER (PARTITION BY tenant_id ORDER BY deactivates_at, id) AS turn
         FROM subjects WHERE deactivates_at <= $1 AND ended_for IS DISTINCT FROM deactivates_at AND id <> ALL ($3::uuid[])) ended
     ORDER BY turn, deactivates_at LIMIT $2`,
    [toTimestamp(now), limit, except],
  )
  return rows
}

const reached = keptStatement(`UPDATE subjects SET ended_for = deactivates_at WHERE tenant_id = $1 AND id = (
     SELECT id FROM subjects WHERE tenant_id = $1 AND id = $2 AND deactivates_at <= $3 AND ended_for IS DISTINCT FROM deactivates_at FOR UPDATE SKIP LOCKED)
   RETURNING ended_for AS "endedFor"`)

/**
 * Raises the barrier of one of them, once for each end that was named. The door stays shut by the end itself: a directory that names a later one
 * lets her in again, and nothing that died comes back. False as well while somebody else holds her: who does so ends her, or she is found again.
 */
export async function endSubject(db: Db, { tenant, id }: EndedSubject, eventId: DeprovisioningEventId, now: Instant): Promise<boolean> {
  const { rows } = await db.query<{ endedFor: Instant }>(reached, [tenant, id, toTimestamp(now)])
  const [ended] = rows
  if (ended === undefined) return false
  await raiseBarrier(db, { tenant, id, endedFor: ended.endedFor, eventId, now, requestId: undefined })
  return true
}

type Ended = EndedSubject & {
  readonly endedFor: Instant
  readonly eventId: DeprovisioningEventId
  readonly now: Instant
  readonly requestId: string | undefined
}

const raiseBarrier = (db: Db, { id, endedFor, ...ended }: Ended): Promise<unknown> =>
  deprovision(db, {
    ...{ ...ended, source: 'scim', target: 'subject', targetId: id, toldAt: endedFor, isShut: true },
    reason: endHasCome,
  })
