/**
 * Mails to the contacts of a tenant, written in the transaction of what they tell of.
 *
 * `announce` adds an act to the open mail of each contact, or opens one. The worker claims what is due, which closes it, sends it and marks
 * what became of it. A claim is a lease: a worker that dies leaves its mails to the next one, so a mail may be sent twice, never not at all.
 */
import type { AuditEventKind } from '@drawbridge/core/audit/audit-event'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import {
  type AnnouncedAct,
  announcementLimits,
  digestSeconds,
  gatherSeconds,
  keepAnnouncementSeconds,
} from '@drawbridge/core/tenant/announcement'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { type AcrossDb, type Db, toTimestamp } from './transaction.js'

export type AnnouncementState = 'waiting' | 'sent' | 'failed'

export type Announcement = {
  readonly id: string
  readonly recipientName: string
  readonly recipientEmail: string
  readonly acts: readonly AnnouncedAct[]
  readonly actCount: number
  readonly state: AnnouncementState
  readonly attempts: number
  readonly trouble: string | undefined
  /** It gathers longer, because its recipient was written to often. */
  readonly isDigest: boolean
  /** Its recipient is no contact: she is told of what was done to herself. */
  readonly isOwn: boolean
  readonly openedAt: Instant
  readonly tryAt: Instant
  readonly endedAt: Instant | undefined
}

/** As JSON in the row: `at` is a number, absent members are absent. */
type StoredAct = { readonly at: number; readonly kind: AuditEventKind; readonly about?: string; readonly by?: AnnouncedAct['by'] }
type Row = {
  id: string
  recipient_name: string
  recipient_email: string
  acts: StoredAct[]
  act_count: number
  state: AnnouncementState
  attempts: number
  trouble: string | null
  is_digest: boolean
  is_own: boolean
  opened_at: Instant
  try_at: Instant
  ended_at: Instant | null
}
const columns =
  'id, recipient_name, recipient_email, acts, act_count, state, attempts, trouble, is_digest, is_own, opened_at, try_at, ended_at'
const toAnnouncement = (row: Row): Announcement => ({
  id: row.id,
  recipientName: row.recipient_name,
  recipientEmail: row.recipient_email,
  acts: row.acts.map(({ at, kind, about, by }) => ({ at: instant(at), kind, about, by })),
  actCount: row.act_count,
  state: row.state,
  attempts: row.attempts,
  trouble: row.trouble ?? undefined,
  isDigest: row.is_digest,
  isOwn: row.is_own,
  openedAt: row.opened_at,
  tryAt: row.try_at,
  endedAt: row.ended_at ?? undefined,
})

/** `connectionId`: an act that names nothing is told with the connection's name. `only`: the one address that is told. */
export type AnnounceTo = { readonly connectionId?: string | undefined; readonly only?: string }

/**
 * Tells every contact that the tenant has at this moment of the transaction. A mail that is full still lists the first act of each kind, so
 * that nobody hides one behind a hundred others. Whoever was written to often within a day gets what is new once an hour.
 */
export async function announce(db: Db, tenant: TenantId, act: AnnouncedAct, { connectionId, only }: AnnounceTo = {}): Promise<void> {
  await db.query(
    `INSERT INTO announcements (tenant_id, id, recipient_name, recipient_email, acts, act_count, is_open, state, attempts, opened_at, try_at, is_digest)
     SELECT $1, gen_random_uuid(), to_tell.name, email, jsonb_build_array(jsonb_strip_nulls(
         jsonb_build_object('about', (SELECT name FROM connections c WHERE c.tenant_id = $1 AND c.id = $7)) || $2::jsonb)), 1, true, 'waiting', 0, $3,
       CASE WHEN COALESCE(mails.count, 0) < $8 THEN $4::timestamptz ELSE $9::timestamptz END, COALESCE(mails.count, 0) >= $8
     FROM contacts to_tell LEFT JOIN (
       SELECT recipient_email, count(*) AS count FROM announcements WHERE tenant_id = $1 AND opened_at > $10 GROUP BY recipient_email
     ) mails ON mails.recipient_email = to_tell.email
     WHERE to_tell.tenant_id = $1 AND ($5::text IS NULL OR email = $5) ORDER BY email
     ON CONFLICT (tenant_id, recipient_email) WHERE is_open DO UPDATE SET act_count = announcements.act_count + 1,
       acts = CASE WHEN announcements.act_count < $6
           OR NOT announcements.acts @> jsonb_build_array(jsonb_build_object('kind', EXCLUDED.acts->0->'kind'))
         THEN announcements.acts || EXCLUDED.acts ELSE announcements.acts END`,
    [
      ...[tenant, JSON.stringify(act), toTimestamp(act.at), toTimestamp(addSeconds(act.at, gatherSeconds))],
      ...[only ?? null, announcementLimits.acts, connectionId ?? null, announcementLimits.promptMailsPerDay],
      ...[toTimestamp(addSeconds(act.at, digestSeconds)), toTimestamp(addSeconds(act.at, -86_400))],
    ],
  )
}

/**
 * Tells a person of what was done to herself, in a mail of its own that gathers nothing. The caller says that the address is hers. False: the
 * tenant has had as many addresses told today as it may.
 */
export async function tellPerson(
  db: Db,
  tenant: TenantId,
  to: { readonly name: string; readonly email: string },
  act: AnnouncedAct,
): Promise<boolean> {
  if (!(await mayAnnounceTo(db, tenant, to.email, act.at))) return false
  await db.query(
    `INSERT INTO announcements (tenant_id, id, recipient_name, recipient_email, acts, act_count, is_open, state, attempts, opened_at, try_at, is_own)
     VALUES ($1, gen_random_uuid(), $2, $3, $4, 1, false, 'waiting', 0, $5, $5, true)`,
    [tenant, to.name, to.email, JSON.stringify([act]), toTimestamp(act.at)],
  )
  return true
}

/** Whether the tenant may have this address told, beside those that were within a day. Who asks at the same time is bounded by the contacts. */
export async function mayAnnounceTo(db: Db, tenant: TenantId, email: string, now: Instant): Promise<boolean> {
  const { rows } = await db.query<{ told: number }>(
    'SELECT count(DISTINCT recipient_email)::int AS told FROM announcements WHERE tenant_id = $1 AND opened_at > $2 AND recipient_email <> $3',
    [tenant, toTimestamp(addSeconds(now, -86_400)), email],
  )
  return (rows[0]?.told ?? 0) < announcementLimits.addressesPerDay
}

/** Newest first. */
export async function listAnnouncements(
  db: Db,
  tenant: TenantId,
  state: AnnouncementState | undefined,
  page: Page<MomentPosition>,
): Promise<readonly Announcement[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM announcements WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (opened_at, id) < ($2, $3::uuid))
       AND ($5::text IS NULL OR state = $5) ORDER BY opened_at DESC, id DESC LIMIT $4`,
    [tenant, ...momentParameters(page), state ?? null],
  )
  return rows.map(toAnnouncement)
}

/** A mail that was given up waits again, as if it had never been tried. Of any number of callers one gets it. */
export async function retryAnnouncement(
  db: Db,
  tenant: TenantId,
  id: string,
  now: Instant,
): Promise<Announcement | 'unknown' | 'not_given_up'> {
  const { rows } = await db.query<Row>(
    `UPDATE announcements SET state = 'waiting', attempts = 0, trouble = NULL, try_at = $3, ended_at = NULL, expires_at = NULL
     WHERE tenant_id = $1 AND id = $2 AND state = 'failed' RETURNING ${columns}`,
    [tenant, id, toTimestamp(now)],
  )
  if (rows[0]) return toAnnouncement(rows[0])
  const { rowCount } = await db.query('SELECT 1 FROM announcements WHERE tenant_id = $1 AND id = $2', [tenant, id])
  return rowCount === 0 ? 'unknown' : 'not_given_up'
}

export type ClaimedAnnouncement = Announcement & { readonly tenantId: TenantId; readonly tenantName: string }

/** Closes and leases what is due, the longest waiting first; no two workers get the same one within the lease. */
export async function claimAnnouncementsAcrossTenants(
  db: AcrossDb,
  claim: { readonly now: Instant; readonly leaseUntil: Instant; readonly limit: number },
): Promise<readonly ClaimedAnnouncement[]> {
  const { rows } = await db.query<Row & { tenant_id: TenantId; tenant_name: string }>(
    `WITH due AS (
       SELECT tenant_id, id FROM announcements WHERE state = 'waiting' AND try_at <= $1 ORDER BY try_at LIMIT $3 FOR UPDATE SKIP LOCKED
     ), taken AS (
       UPDATE announcements AS a SET is_open = false, attempts = a.attempts + 1, try_at = $2 FROM due
       WHERE a.tenant_id = due.tenant_id AND a.id = due.id RETURNING a.*
     )
     SELECT taken.tenant_id, t.name AS tenant_name, ${columns.replaceAll(/\b(\w+)\b/g, 'taken.$1')} FROM taken JOIN tenants t ON t.id = taken.tenant_id`,
    [toTimestamp(claim.now), toTimestamp(claim.leaseUntil), claim.limit],
  )
  return rows.map((row) => ({ ...toAnnouncement(row), tenantId: row.tenant_id, tenantName: row.tenant_name }))
}

type Claimed = Pick<ClaimedAnnouncement, 'tenantId' | 'id' | 'attempts'>

/** What became of a claimed mail. Says nothing of one that another worker has claimed since. */
export async function markAnnouncementEndedAcrossTenants(
  db: AcrossDb,
  { tenantId, id, attempts }: Claimed,
  end: { readonly state: 'sent' | 'failed'; readonly trouble?: string | undefined; readonly now: Instant },
): Promise<void> {
  await db.query(
    `UPDATE announcements SET state = $4, trouble = $5, ended_at = $6, expires_at = $7
     WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND state = 'waiting'`,
    [
      ...[tenantId, id, attempts, end.state, end.trouble ?? null],
      ...[toTimestamp(end.now), toTimestamp(addSeconds(end.now, keepAnnouncementSeconds))],
    ],
  )
}

export async function markAnnouncementDelayedAcrossTenants(
  db: AcrossDb,
  { tenantId, id, attempts }: Claimed,
  delay: { readonly tryAt: Instant; readonly trouble: string; readonly givesBackTry?: boolean },
): Promise<void> {
  await db.query(
    `UPDATE announcements SET try_at = $4, trouble = $5, attempts = attempts - $6 WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND state = 'waiting'`,
    [tenantId, id, attempts, toTimestamp(delay.tryAt), delay.trouble, delay.givesBackTry === true ? 1 : 0],
  )
}

export async function countWaitingAnnouncementsAcrossTenants(db: AcrossDb): Promise<number> {
  const { rows } = await db.query<{ count: number }>("SELECT count(*) AS count FROM announcements WHERE state = 'waiting'")
  return rows[0]?.count ?? 0
}
