/**
 * The barrier. Whoever takes something away calls `deprovision` inside the transaction that makes it true.
 *
 * One statement raises the epoch of the target, writes the event, the audit event and the outbox entry, and wakes the relay, so that
 * none of them can exist without the others. Browser sessions, pending requests, codes, grants and refresh tokens are not touched:
 * they carry the epochs that they were made under and are dead from this commit on.
 */

import type { Instant } from '@drawbridge/core/instant'
import type { DeprovisioningEvent, DeprovisioningSource, DeprovisioningTarget } from '@drawbridge/core/revocation/deprovisioning-event'
import { tellReinstatedEntry } from '@drawbridge/core/revocation/webhook'
import type { ConnectionId, DeprovisioningEventId, ScimUserId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { forgetConsentOfGrant } from './consents.js'
import { type KeptStatement, keptStatement } from './kept-statements.js'
import { asUuid, type Db, toTimestamp } from './transaction.js'
import { isOutSinceRestore } from './unnamed-people.js'

export type Deprovision = DeprovisioningEvent & {
  readonly now: Instant
  readonly requestId: string | undefined
  /** Also shut the door: `deactivated_at` of a subject, `blocked_at` of a client, `disabled_at`, `suspended_at`. Without it only what exists dies. */
  readonly deactivate?: boolean
  /** Something else has shut the door, and it is told so: an end date that has come. */
  readonly isShut?: boolean
}

export type Deprovisioned = {
  /** False: the target is not known here. The event is kept and shown as an alarm; nothing was revoked. */
  readonly matched: boolean
  /** The epoch below which everything of the target is dead; 0 when nothing matched. */
  readonly epoch: number
  /** From then on nothing of the target is accepted: now, or later, where it was ended before by a clock that is ahead of this one. */
  readonly barrierAt: Instant
}

/**
 * The barrier of each target. `$1` tenant, `$2` target id, `$3` now, `$4` deactivate, `$5` reason, `$7` source.
 * A person is kept out by each source that said so, until each has taken it back (`reinstate`).
 * A client that several issuers of the tenant know is one client to whoever kills it: all of its rows get the same new epoch. At the front the mark is the
 * tenant's own beside the vendor's, and each lifts her own alone (migration 0162). What makes the copies at the tenants follow hears who ended it (0182).
 * Its time never goes back: each replica has its own clock, and evidence and foreign receivers were told of the later one.
 */
const barriers: Readonly<Record<DeprovisioningTarget, string>> = {
  subject: `UPDATE subjects SET epoch = epoch + 1, barrier_at = GREATEST(barrier_at, $3), deactivated_at = CASE WHEN $4 THEN coalesce(deactivated_at, $3) ELSE deactivated_at END,
            deactivated_by = CASE WHEN NOT $4 THEN deactivated_by WHEN deactivated_at IS NULL THEN ARRAY[$7::text]
              WHEN $7 = ANY (deactivated_by) THEN deactivated_by ELSE deactivated_by || $7::text END
            WHERE tenant_id = $1 AND id = ${asUuid('$2')} AND $5::text IS NOT NULL RETURNING epoch, id, barrier_at`,
  client: `UPDATE clients SET epoch = (SELECT max(epoch) + 1 FROM clients WHERE tenant_id = $1 AND client_id = $2),
            barrier_at = GREATEST(barrier_at, (SELECT max(barrier_at) FROM clients WHERE tenant_id = $1 AND client_id = $2), $3),
            blocked_at = CASE WHEN $4 THEN coalesce(blocked_at, $3) ELSE blocked_at END,
            own_blocked_at = CASE WHEN $4 THEN coalesce(own_blocked_at, $3) ELSE own_blocked_at END
            WHERE tenant_id = $1 AND client_id = $2 AND $5::text IS NOT NULL AND set_config('drawbridge.ended_by', $7::text, true) IS NOT NULL RETURNING epoch, barrier_at`,
  connection: `UPDATE connections SET epoch = epoch + 1, barrier_at = GREATEST(barrier_at, $3), disabled_at = CASE WHEN $4 THEN coalesce(disabled_at, $3) ELSE disabled_at END
            WHERE tenant_id = $1 AND id = ${asUuid('$2')} AND $5::text IS NOT NULL RETURNING epoch, id, barrier_at`,
  tenant: `UPDATE tenants SET epoch = epoch + 1, barrier_at = GREATEST(barrier_at, $3), suspended_at = CASE WHEN $4 THEN coalesce(suspended_at, $3) ELSE suspended_at END
            WHERE id = $1 AND id = ${asUuid('$2')} AND $5::text IS NOT NULL RETURNING epoch, id, barrier_at`,
  grant: `UPDATE grants SET epoch = epoch + 1, revoked_at = coalesce(revoked_at, $3), revoked_reason = coalesce(revoked_reason, $5)
            WHERE tenant_id = $1 AND id = ${asUuid('$2')} AND $4::boolean IS NOT NULL RETURNING epoch, id, GREATEST(barrier_at, $3) AS barrier_at`,
}

/**
 * Whether anybody is to hear of it: of a client that ends by its own registration's word, which is ended as often as whoever registered it likes, who may be
 * anybody. Told is it where it holds a grant that is not below its barrier already. Grants are kept for weeks after their end, longer than any token of theirs lives.
 * In the order of the index, so that no other way is taken: one step, whatever it holds.
 */
const holdsSomething = `EXISTS (SELECT 1 FROM clients c CROSS JOIN LATERAL (SELECT 1 FROM grants g
      WHERE g.tenant_id = $1 AND g.issuer_id = c.issuer_id AND g.client_id = $2 AND g.client_epoch >= c.epoch ORDER BY g.client_epoch LIMIT 1) held WHERE c.tenant_id = $1 AND c.client_id = $2)`

const statementFor = (target: DeprovisioningTarget, isTold = 'true'): string => `
  WITH hit AS (${barriers[target]}),
  barrier AS (SELECT count(*) > 0 AS matched, coalesce(max(epoch), 0) AS epoch, coalesce(max(barrier_at), $3) AS barrier_at, ${isTold} AS is_told FROM hit),
  event AS (
    INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, told_at, received_at, barrier_at)
    SELECT $1, $6::uuid, $7, '${target}', $2, $5, matched, $8, $3, barrier_at FROM barrier WHERE is_told
  ),
  audit AS (
    INSERT INTO audit_events (tenant_id, at, kind, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id)
    SELECT $1, $3, '${target}.deprovisioned',
      ${target === 'subject' ? '(SELECT id FROM hit)' : 'NULL::uuid'}, ${target === 'client' ? '$2' : 'NULL'},
      ${target === 'connection' ? '(SELECT id FROM hit)' : 'NULL::uuid'}, ${target === 'grant' ? '(SELECT id FROM hit)' : 'NULL::uuid'},
      '{}', $5, jsonb_build_object('eventId', $6::text, 'source', $7::text, 'matched', matched, 'epoch', epoch, 'deactivated', $4::boolean), $9
    FROM barrier WHERE is_told
  ),
  entry AS (
    INSERT INTO outbox (tenant_id, kind, payload, created_at)
    SELECT $1, 'revoke', jsonb_build_object('eventId', $6::text, 'target', '${target}', 'targetId', $2::text, 'epoch', epoch, 'deactivated', $4::boolean OR $10::boolean), $3
    FROM barrier WHERE matched AND is_told
    RETURNING id
  )
  SELECT matched, epoch, barrier_at, (SELECT count(pg_notify('drawbridge_outbox', $1::text)) FROM entry) FROM barrier`

const statements: Readonly<Record<DeprovisioningTarget, KeptStatement>> = {
  subject: keptStatement(statementFor('subject')),
  client: keptStatement(statementFor('client')),
  connection: keptStatement(statementFor('connection')),
  tenant: keptStatement(statementFor('tenant')),
  grant: keptStatement(statementFor('grant')),
}
/** It alone reads grants: whoever else takes a client's access waits for nobody who has that table. */
const clientByRegistration = keptStatement(statementFor('client', holdsSomething))

/**
 * Against every insert that refers to it. So what is being opened for it is committed before the statement after this one looks for it, or is opened after
 * this transaction: with a code, below the barrier; with a token at once, not at all (`caller`).
 */
const heldClient = keptStatement('SELECT 1 FROM clients WHERE tenant_id = $1 AND client_id = $2 ORDER BY issuer_id FOR UPDATE')

/** Once the caller's transaction commits, everything of the target made before is dead; if it rolls back, nothing happened at all. */
export async function deprovision(db: Db, event: Deprovision): Promise<Deprovisioned> {
  const isByRegistration = event.source === 'registration' && event.target === 'client'
  if (isByRegistration) await db.query(heldClient, [event.tenant, event.targetId])
  const result = await db.query<{ matched: boolean; epoch: number; barrier_at: Instant }>(
    isByRegistration ? clientByRegistration : statements[event.target],
    [
      event.tenant,
      event.targetId,
      toTimestamp(event.now),
      event.deactivate ?? false,
      event.reason,
      event.eventId,
      event.source,
      event.toldAt === undefined ? null : toTimestamp(event.toldAt),
      event.requestId ?? null,
      event.isShut ?? false,
    ],
  )
  const row = result.rows[0]
  if (event.target === 'subject' && event.deactivate === true && row?.matched === true) await forgetLogins(db, event)
  if (event.target === 'connection' && row?.matched === true) await endTrustsInIt(db, event)
  if (event.target === 'grant' && row?.matched === true) await forgetConsentOfGrant(db, event.tenant, event.targetId)
  return { matched: row?.matched ?? false, epoch: row?.epoch ?? 0, barrierAt: row?.barrier_at ?? event.now }
}

const forgottenLogins = keptStatement('DELETE FROM recorded_logins WHERE tenant_id = $1 AND subject_id = $2')

/**
 * What was recorded of the logins of somebody who is gone serves nobody. A statement of its own: it sees what was being kept while the
 * barrier waited for her row, and nothing is kept after it (`recorded-logins`).
 */
const forgetLogins = (db: Db, { tenant, targetId }: Deprovision): Promise<unknown> => db.query(forgottenLogins, [tenant, targetId])

/**
 * What hangs on a login connection hangs on it also where an assertion opened it that is about its people, or that its IdP signed: the barrier of
 * every such trust rises with its own. The trust itself stays on; while the connection is off, nothing is redeemed by it.
 */
async function endTrustsInIt(db: Db, event: Deprovision): Promise<void> {
  const { rows } = await db.query<{ id: string; event_id: DeprovisioningEventId }>(
    `SELECT id::text, gen_random_uuid() AS event_id FROM connections
     WHERE tenant_id = $1 AND kind = 'assertion' AND (configuration -> 'peopleOf' ->> 'connection' = $2 OR configuration ->> 'keysOf' = $2)`,
    [event.tenant, event.targetId],
  )
  for (const { id, event_id: eventId } of rows) await deprovision(db, { ...event, eventId, targetId: id, deactivate: false })
}

export type UnmatchedEvent = {
  readonly tenant: TenantId
  readonly eventId: DeprovisioningEventId
  readonly source: DeprovisioningEvent['source']
  /** What the source named, in its own terms: `scim:<id>`. */
  readonly targetId: string
  readonly reason: string
  readonly now: Instant
  readonly requestId: string | undefined
}

const unmatchedEvent = keptStatement(`WITH event AS (
     INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, received_at, barrier_at)
     VALUES ($1, $2, $3, 'subject', $4, $5, false, $6, $6)
   )
   INSERT INTO audit_events (tenant_id, at, kind, scopes, reason, detail, request_id)
   VALUES ($1, $6, 'deprovisioning.unmatched', '{}', $5, jsonb_build_object('eventId', $2::text, 'source', $3::text, 'named', $4::text), $7)`)

/** Keeps an event about somebody who never signed in: an alarm for the admin, and never a silent success. */
export async function recordUnmatchedEvent(db: Db, event: UnmatchedEvent): Promise<void> {
  await db.query(unmatchedEvent, [
    event.tenant,
    event.eventId,
    event.source,
    event.targetId,
    event.reason,
    toTimestamp(event.now),
    event.requestId ?? null,
  ])
}

/** Whose word that a person is in again counts. No signal's does: what an IdP told, an admin lifts. docs/adr/0099 */
export type Reinstating = Extract<DeprovisioningSource, 'admin' | 'scim'>

export type Reinstatement = {
  readonly tenant: TenantId
  readonly subjectId: SubjectId
  /** A directory takes back its own word alone, and only where it had her as out; an admin lifts whatever keeps her out. */
  readonly by: Reinstating
  readonly reason: string
  readonly now: Instant
  readonly requestId: string | undefined
}

/**
 * SQL over `subjects`: nothing that is kept of her shuts her out at this moment, neither a word nor an end that has come, nor that her directory has her as
 * switched off or deleted. A restore may: of whom it keeps out the news waits for her directory (`tellBackOnceNamed`).
 */
export const isLetIn = (
  subject: string,
  now: string,
): string => `(${subject}.deactivated_at IS NULL AND (${subject}.deactivates_at <= ${now}) IS NOT TRUE
  AND NOT EXISTS (SELECT 1 FROM scim_users u WHERE u.tenant_id = ${subject}.tenant_id AND u.id = ${subject}.scim_user_id AND (NOT u.active OR u.deleted_at IS NOT NULL)))`

/** SQL: an outbox entry for each `id` in `people`. Tenant `$1`, now `$3`, and the same as text in `at`. */
const queuedBack = (people: string, at: string): string => `INSERT INTO outbox (tenant_id, kind, payload, created_at)
     SELECT $1, '${tellReinstatedEntry}', jsonb_build_object('eventId', gen_random_uuid(), 'subjectId', id, 'at', ${at}::text), $3 FROM ${people} RETURNING id`

/**
 * A directory lets in by its word also whom an admin lifted before it: until then its own user of her kept her out, and nobody was told that she is back. By such a word
 * it names her, too.
 */
const reinstated = keptStatement(`WITH known AS (
     SELECT id, deactivated_by, deactivated_at IS NOT NULL AS was_out FROM subjects WHERE tenant_id = $1 AND id = $2 AND (deactivated_at IS NOT NULL OR $7 = 'scim') FOR UPDATE
   ), heard AS (
     UPDATE subjects AS s SET deactivated_by = CASE $7 WHEN 'admin' THEN '{}' ELSE array_remove(s.deactivated_by, $7) END,
       deactivated_at = CASE WHEN $7 = 'admin' OR s.deactivated_by = ARRAY[$7::text] THEN NULL ELSE s.deactivated_at END
     FROM known WHERE s.tenant_id = $1 AND s.id = known.id
     RETURNING s.id, s.epoch, known.was_out, s.deactivated_at IS NULL AS is_lifted, ${isLetIn('s', '$3')} AS is_back,
       ${isOutSinceRestore('s', "$7 = 'scim'")} AS is_awaited, s.deactivates_at, known.deactivated_by AS was_by, s.deactivated_by AS is_by
   ), queued AS (
     ${queuedBack('heard WHERE is_back', '$6')}
   ), audited AS (
     INSERT INTO audit_events (tenant_id, at, kind, subject_id, scopes, reason, detail, request_id)
     SELECT $1, $3, CASE WHEN is_back AND NOT is_awaited THEN 'subject.reinstated' ELSE 'subject.kept_out' END, id, '{}', $4,
       jsonb_build_object('epoch', epoch, 'by', $7::text, 'wasDeactivatedBy', was_by, 'isDeactivatedBy', is_by)
         || CASE WHEN NOT is_lifted OR is_back AND NOT is_awaited THEN '{}' WHEN is_back THEN '{"stillOutBy": "restore"}'
              WHEN deactivates_at <= $3 THEN '{"stillOutBy": "end_date"}' ELSE '{"stillOutBy": "directory"}' END::jsonb, $5 FROM heard
   )
   SELECT was_out AND is_lifted AS "isLifted", (SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM queued) FROM heard`)

/**
 * Opens the door again, where nobody else keeps it shut, and nothing more: the epoch stays, so nothing that died comes back. True if she was
 * deactivated and is no more. Of whom another still keeps out, or an end that has come, or her directory, or a restore, the trail says so (`subject.kept_out`).
 */
export async function reinstate(db: Db, event: Reinstatement): Promise<boolean> {
  const { rows } = await db.query<{ isLifted: boolean }>(reinstated, [
    event.tenant,
    event.subjectId,
    toTimestamp(event.now),
    event.reason,
    event.requestId ?? null,
    toTimestamp(event.now).toISOString(),
    event.by,
  ])
  return rows[0]?.isLifted ?? false
}

const toldBack = keptStatement(`WITH queued AS (${queuedBack('(SELECT $2::uuid AS id) person', '$4')})
   SELECT pg_notify('drawbridge_outbox', $1::uuid::text) FROM queued`)

/** Has it told that she may come in again whom nothing else than what was just taken back kept out. After whatever of hers ended in the same transaction. */
export async function tellBack(
  db: Db,
  { tenant, id, now }: { readonly tenant: TenantId; readonly id: SubjectId; readonly now: Instant },
): Promise<void> {
  await db.query(toldBack, [tenant, id, toTimestamp(now), toTimestamp(now).toISOString()])
}

/** `$2` connection, `$5` one user of its directory. Whoever has signed in since her last end is in, and was told to be. */
const onceNamed = (which: string): string => `WITH awaited AS (
     SELECT s.id FROM subjects s WHERE s.tenant_id = $1 AND s.connection_id = $2 AND ${which} AND (s.last_login_at >= s.barrier_at) IS FALSE AND ${isOutSinceRestore('s')}
   ), queued AS (${queuedBack('awaited', '$4')})
   SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM queued`
const toldOnceNamed = keptStatement(onceNamed('s.scim_user_id = $5'))
const toldOnceResynced = onceNamed('s.deactivated_at IS NULL')

/**
 * Of whoever was taken back while a restore kept her out nobody was told that she is in. Before the word that lets in this user of the directory, or all of
 * them: whether she may come in by then, the worker asks after it.
 */
export async function tellBackOnceNamed(
  db: Db,
  { tenant, connectionId, now }: { readonly tenant: TenantId; readonly connectionId: ConnectionId; readonly now: Instant },
  user?: ScimUserId,
): Promise<void> {
  const parameters = [tenant, connectionId, toTimestamp(now), toTimestamp(now).toISOString()]
  await (user === undefined ? db.query(toldOnceResynced, parameters) : db.query(toldOnceNamed, [...parameters, user]))
}
