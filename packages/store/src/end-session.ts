/**
 * The end of a session at the IdP, which the IdP tells us; and what it has in common with the end of one here (`end-own-session`). security.md §16
 *
 * It ends browser sessions and what was granted from them, and no more: no epoch of the person moves, so her other sessions live on and her
 * next login is an ordinary one. Everything is written in the caller's transaction, barrier and notices included, as in `deprovisioning`.
 *
 * Nothing slips through between: a login that is being written waits (`hold_idp_session`), a grant that is being opened holds its session
 * (`open_grant_with_code`), and each statement here begins after the one before has waited for them.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { type IdpSessionEnd, type IdpSessionName, namesOfEnd } from '@drawbridge/core/logout/idp-session'
import { endsGrants, sessionEndKeepSeconds } from '@drawbridge/core/logout/logout-strength'
import { tellSessionEndedEntry } from '@drawbridge/core/logout/session-ended'
import type { DeprovisioningTarget } from '@drawbridge/core/revocation/deprovisioning-event'
import type {
  BrowserSessionId,
  ConnectionId,
  CredentialHash,
  DeprovisioningEventId,
  IssuerId,
  SubjectId,
  TenantId,
} from '@drawbridge/core/tenant/ids'
import { announce } from './announcements.js'
import { insertAuditEvent } from './audit-events.js'
import { deprovision } from './deprovisioning.js'
import { endGrants } from './end-grants.js'
import { mayBeHeld } from './grants.js'
import { type Db, toTimestamp } from './transaction.js'

/**
 * What one end may touch row by row. Beyond it a barrier takes the place: it is one row, it takes more than was asked, and it is complete.
 * No person has so many sessions in the half day that they live; an IdP that calls everybody by one name may.
 */
export const sessionEndLimits = { sessions: 500, grants: 500, subjects: 50 } as const

export type SessionEnding = {
  readonly tenant: TenantId
  /** By which way it was said: for the trail. */
  readonly reason: 'backchannel_logout' | 'frontchannel_logout' | 'saml_logout' | 'signed_out'
  readonly now: Instant
  readonly requestId: string
  readonly address: string | undefined
  readonly newId: () => string
}

export type SessionsEnded = {
  /** Browser sessions that were open. 0 with no grants: a session that is unknown or over, which is no alarm. */
  readonly sessions: number
  readonly grants: number
  /** Where there was too much to end one by one: whose barrier was raised instead. */
  readonly barrier: Extract<DeprovisioningTarget, 'subject' | 'connection'> | undefined
}

const nothing: SessionsEnded = { sessions: 0, grants: 0, barrier: undefined }

/**
 * Once the caller's transaction commits, every browser session under the names of `ended` is over with what was granted from it, and no
 * login that was under way is believed under them. Acts only on sessions of this connection. That nothing matches is a success.
 */
export async function endIdpSession(
  db: Db,
  ending: SessionEnding & { readonly connectionId: ConnectionId },
  ended: IdpSessionEnd,
): Promise<SessionsEnded> {
  const names = namesOfEnd(ended)
  await holdEnd(db, ending, names)
  const matched = await endSessionsNamed(db, ending, names)
  if (matched.length === 0) return nothing
  const done = await endWhatHangsOn(db, ending, matched, () => listPeopleNamed(db, ending, names))
  if (done.sessions + done.grants > 0 || done.barrier !== undefined) await auditEnd(db, ending, done)
  if (done.barrier !== undefined) await alarm(db, ending, done)
  return done
}

/** Nothing is taken back: what the IdP signed has happened. But somebody should know, and the tenant's contacts are told. */
async function alarm(db: Db, { tenant, connectionId, now, requestId, address }: Ending, { barrier }: SessionsEnded): Promise<void> {
  const event = { at: now, kind: 'connection.mass_logout' as const, connectionId }
  await insertAuditEvent(db, tenant, { ...event, detail: { barrier }, requestId, address })
  await announce(db, tenant, { ...event, about: undefined, by: undefined }, { connectionId })
}

/**
 * From here on no login under these names is believed that began before. The later end of one name counts. The times are for the sweep; what a
 * login is compared with is the number that the database gives this end (`end_numbered`), whatever clock this process has.
 */
export async function holdEnd(
  db: Db,
  { tenant, connectionId, now }: Pick<Ending, 'tenant' | 'connectionId' | 'now'>,
  names: readonly IdpSessionName[],
): Promise<void> {
  await db.query('SELECT await_idp_session($1, $2, $3)', [tenant, connectionId, names])
  await db.query(
    `INSERT INTO idp_session_ends (tenant_id, connection_id, name, ended_at, expires_at)
     SELECT $1, $2, name, $4, $5 FROM unnest($3::bytea[]) AS given (name)
     ON CONFLICT (tenant_id, connection_id, name) DO UPDATE SET
       ended_at = GREATEST(idp_session_ends.ended_at, EXCLUDED.ended_at), expires_at = GREATEST(idp_session_ends.expires_at, EXCLUDED.expires_at)`,
    [tenant, connectionId, names, toTimestamp(now), toTimestamp(addSeconds(now, sessionEndKeepSeconds))],
  )
}

type Ending = SessionEnding & { readonly connectionId: ConnectionId }
const named = `tenant_id = $1 AND connection_id = $2 AND (idp_session_name = ANY ($3) OR idp_subject_name = ANY ($3)) AND expires_at > $4`
export type Matched = { readonly id: BrowserSessionId; readonly subject_id: SubjectId; readonly was_open: boolean }

/**
 * What one person had in one browser: sessions that logins there have put in each other's place. All but the last are over, and what was granted
 * from them is not. Many IdPs name each login anew, and then end the last name only. Between them another person may have used the browser; hers
 * are not touched, nor is one that is open under another name. By no time: those are of as many clocks as there are replicas. A condition on `b`
 * for each row of `one`, in the tenant `$1`.
 */
export const replacedInBrowser = (
  now: '$4' | '$5',
): string => `b.tenant_id = $1 AND b.subject_id = one.subject_id AND (b.id = one.first_id OR b.first_session_id = one.first_id)
  AND b.ended_at IS NOT NULL AND b.expires_at > ${now}`
export const firstOfBrowser = 'COALESCE(first_session_id, id) AS first_id'
export const isNamedByIdp = (row: string): string =>
  `(${row}.idp_session ->> 'sid' IS NOT NULL OR ${row}.idp_session ->> 'sessionIndex' IS NOT NULL)`

/**
 * Ends what is open and answers with all that match, and with those that were over before in the same browser. Rows are locked in one order. One more
 * than the limit says that there are too many.
 */
async function endSessionsNamed(
  db: Db,
  { tenant, connectionId, now }: Ending,
  names: readonly IdpSessionName[],
): Promise<readonly Matched[]> {
  const { rows } = await db.query<Matched>(
    `WITH one AS MATERIALIZED (
       SELECT id, subject_id, ${firstOfBrowser} FROM browser_sessions WHERE ${named} ORDER BY id LIMIT $5),
     matched AS MATERIALIZED (
       SELECT id, subject_id, ended_at IS NULL AND expires_at > $4 AS was_open FROM browser_sessions
       WHERE tenant_id = $1 AND id IN (SELECT id FROM one UNION SELECT b.id FROM one JOIN browser_sessions b ON ${replacedInBrowser('$4')})
       ORDER BY id LIMIT $5 FOR NO KEY UPDATE),
     closed AS (
       UPDATE browser_sessions b SET ended_at = $4, sealed_logout_hint = NULL FROM matched WHERE b.tenant_id = $1 AND b.id = matched.id AND b.ended_at IS NULL)
     SELECT * FROM matched`,
    [tenant, connectionId, names, toTimestamp(now), sessionEndLimits.sessions + 1],
  )
  return rows
}

/** The people concerned, one more than the limit if there are too many to name. */
type ListPeople = () => Promise<readonly SubjectId[]>

export async function endWhatHangsOn(db: Db, ending: Ending, matched: readonly Matched[], listPeople: ListPeople): Promise<SessionsEnded> {
  const sessions = matched.filter((session) => session.was_open).length
  const ids = matched.map(({ id }) => id)
  if (matched.length > sessionEndLimits.sessions)
    return { sessions, grants: 0, barrier: await raiseBarriers(db, ending, await listPeople()) }
  await tellClients(db, ending, ids)
  if (!endsGrants('session', await grantsOutliveLogout(db, ending.tenant))) return { ...nothing, sessions }
  if ((await countGrants(db, ending, ids)) > sessionEndLimits.grants)
    return { sessions, grants: 0, barrier: await raiseBarriers(db, ending, await listPeople()) }
  return { sessions, grants: await endGrantsOfSessions(db, ending, ids), barrier: undefined }
}

/** Clients that hear of logouts are told of the sessions themselves, whatever becomes of what was granted from them. Writes nothing where there is none. */
const tellClients = (db: Db, { tenant, now, newId }: SessionEnding, sessions: readonly BrowserSessionId[]): Promise<unknown> =>
  db.query(
    `WITH entry AS (
       INSERT INTO outbox (tenant_id, kind, payload, created_at)
       SELECT $1, '${tellSessionEndedEntry}', jsonb_build_object('eventId', $2::uuid, 'sessions', to_jsonb($3::uuid[])), $4
        WHERE EXISTS (SELECT 1 FROM clients WHERE tenant_id = $1 AND backchannel_logout_uri IS NOT NULL) RETURNING id)
     SELECT pg_notify('drawbridge_outbox', $1::uuid::text) FROM entry`,
    [tenant, newId(), sessions, toTimestamp(now)],
  )

const endGrantsOfSessions = (
  db: Db,
  { tenant, reason, now, requestId }: SessionEnding,
  ids: readonly BrowserSessionId[],
): Promise<number> =>
  endGrants(db, tenant, {
    which: { sql: 'session_id = ANY ($6::uuid[])', parameters: [ids] },
    ...{ source: 'logout', reason, now, requestId },
  })

async function countGrants(db: Db, { tenant, now }: Ending, ids: readonly BrowserSessionId[]): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM (SELECT 1 FROM grants
       WHERE tenant_id = $1 AND session_id = ANY ($2::uuid[]) AND revoked_at IS NULL AND ${mayBeHeld('grants', '$3')} LIMIT $4) AS living`,
    [tenant, ids, toTimestamp(now), sessionEndLimits.grants + 1],
  )
  return rows[0]?.count ?? 0
}

/** Takes more than was asked and never less: everything of those people, or of the connection if even they are too many. */
async function raiseBarriers(db: Db, ending: Ending, people: readonly SubjectId[]): Promise<'subject' | 'connection'> {
  const { tenant, connectionId, reason, now, requestId, newId } = ending
  const target = people.length <= sessionEndLimits.subjects ? 'subject' : 'connection'
  for (const targetId of target === 'subject' ? people : [connectionId])
    await deprovision(db, {
      ...{ tenant, target, targetId, source: 'logout', reason, toldAt: undefined, now, requestId },
      eventId: newId() as DeprovisioningEventId,
    })
  return target
}

async function listPeopleNamed(
  db: Db,
  { tenant, connectionId, now }: Ending,
  names: readonly IdpSessionName[],
): Promise<readonly SubjectId[]> {
  const { rows } = await db.query<{ subject_id: SubjectId }>(
    `SELECT DISTINCT subject_id FROM browser_sessions WHERE ${named} ORDER BY subject_id LIMIT $5`,
    [...[tenant, connectionId, names, toTimestamp(now), sessionEndLimits.subjects + 1]],
  )
  return rows.map((row) => row.subject_id)
}

/** Whether the tenant lets what was granted from a session outlive it. */
export async function grantsOutliveLogout(db: Db, tenant: TenantId): Promise<boolean> {
  const { rows } = await db.query<{ outlive: boolean }>('SELECT grants_outlive_logout AS outlive FROM tenants WHERE id = $1', [tenant])
  return rows[0]?.outlive ?? false
}

export const auditEnd = (db: Db, ending: Ending, { sessions, grants, barrier }: SessionsEnded, subjectId?: SubjectId): Promise<void> =>
  insertAuditEvent(db, ending.tenant, {
    ...{ at: ending.now, kind: 'session_ended', connectionId: ending.connectionId, subjectId, reason: ending.reason },
    detail: { sessions, grants, barrier: barrier ?? null },
    ...{ requestId: ending.requestId, address: ending.address },
  })

/** Which session of this browser: by the handle in its cookie, or by its id, which the caller has opened a seal of ours for. */
export type SessionOfBrowser = {
  readonly handleHash: CredentialHash | undefined
  readonly sessionId: BrowserSessionId | undefined
  readonly issuerId: IssuerId
}

/**
 * A browser logout, which nobody has signed: ends the session of this one browser, if it is of the session at the IdP that is named, and
 * nothing that was granted. Answers whether there was one.
 */
export async function endSessionOfBrowser(
  db: Db,
  ending: Ending,
  browser: SessionOfBrowser & { readonly ended: IdpSessionEnd },
): Promise<boolean> {
  const { rows } = await db.query<{ subject_id: SubjectId }>(
    `UPDATE browser_sessions SET ended_at = $4, sealed_logout_hint = NULL
     WHERE tenant_id = $1 AND (handle_hash = $2 OR id = $7) AND issuer_id = $3 AND connection_id = $5
       AND idp_session_name = ANY ($6) AND ended_at IS NULL AND expires_at > $4 RETURNING subject_id`,
    [
      ...[ending.tenant, browser.handleHash ?? null, browser.issuerId, toTimestamp(ending.now), ending.connectionId],
      ...[namesOfEnd(browser.ended), browser.sessionId ?? null],
    ],
  )
  if (rows[0]) await auditEnd(db, ending, { ...nothing, sessions: rows.length }, rows[0].subject_id)
  return rows.length > 0
}
