/** The end of a session here, which its person asks for in her browser; and of the logins which that browser has under way. security.md §16 */
import type { IdpSessionName } from '@drawbridge/core/logout/idp-session'
import type { BrowserSessionId, ConnectionId, CredentialHash, IssuerId, SubjectId } from '@drawbridge/core/tenant/ids'
import { endLoginsUnderWay, listOpenSessionsOfBrowser } from './end-logins.js'
import {
  auditEnd,
  endWhatHangsOn,
  firstOfBrowser,
  holdEnd,
  isNamedByIdp,
  type Matched,
  replacedInBrowser,
  type SessionEnding,
  sessionEndLimits,
} from './end-session.js'
import { type Db, toTimestamp } from './transaction.js'

export type BrowserAtIssuer = {
  readonly handleHash: CredentialHash
  readonly issuerId: IssuerId
  /** Undefined: it has begun no login here. */
  readonly browserHash: CredentialHash | undefined
}
type OwnSession = { readonly issuerId: IssuerId } & ({ readonly handleHash: CredentialHash } | { readonly id: BrowserSessionId })
const ownSession = (row: string): string =>
  `${row}.tenant_id = $1 AND (${row}.handle_hash = $2 OR ${row}.id = $3) AND ${row}.issuer_id = $4 AND ${row}.ended_at IS NULL AND ${row}.expires_at > $5`
const ownSessionParameters = ({ tenant, now }: SessionEnding, own: OwnSession): readonly unknown[] => [
  ...[tenant, 'id' in own ? null : own.handleHash, 'id' in own ? own.id : null, own.issuerId, toTimestamp(now)],
]
export type OwnSessionEnded = {
  readonly id: BrowserSessionId
  readonly connectionId: ConnectionId
  readonly subjectId: SubjectId
  /** As `identityToJson` wrote it. */
  readonly idpSession: unknown
  readonly sealedLogoutHint: Buffer | undefined
}
type OwnRow = Matched & {
  readonly own_id: BrowserSessionId
  readonly connection_id: ConnectionId
  readonly idp_session: unknown
  readonly sealed_logout_hint: Buffer | null
}

/**
 * The person ends her session in this browser and the logins that it has under way, with what was granted from that session, from those that she had
 * in this browser before it, and from others here of the same session at the IdP, where the IdP named it. `undefined`: the handle opens nothing, and
 * neither does any login of this browser.
 */
export async function endOwnSession(db: Db, ending: SessionEnding, browser: BrowserAtIssuer): Promise<OwnSessionEnded | undefined> {
  const { handleHash, issuerId, browserHash } = browser
  const logins = browserHash && { ...ending, browserHash }
  if (logins) await endLoginsUnderWay(db, logins)
  let ended = await endOne(db, ending, { handleHash, issuerId })
  const opened = logins ? await listOpenSessionsOfBrowser(db, logins) : []
  for (const id of opened) ended = (await endOne(db, ending, { id, issuerId })) ?? ended
  return ended
}

async function endOne(db: Db, ending: SessionEnding, browser: OwnSession): Promise<OwnSessionEnded | undefined> {
  await rememberOwnEnd(db, ending, browser)
  const { rows } = await db.query<OwnRow>(
    `WITH one AS MATERIALIZED (
       SELECT id, subject_id, connection_id, idp_session, idp_session_name, sealed_logout_hint, ${firstOfBrowser} FROM browser_sessions
       WHERE ${ownSession('browser_sessions')}),
     matched AS MATERIALIZED (
       SELECT id, ended_at IS NULL AND expires_at > $5 AS was_open FROM browser_sessions
       WHERE tenant_id = $1 AND id IN (
         SELECT id FROM one UNION SELECT b.id FROM one JOIN browser_sessions b ON ${replacedInBrowser('$5')}
         UNION SELECT b.id FROM one JOIN browser_sessions b ON b.tenant_id = $1 AND b.expires_at > $5
           AND b.idp_session_name = one.idp_session_name AND b.connection_id = one.connection_id AND b.subject_id = one.subject_id
           AND ${isNamedByIdp('b')})
       ORDER BY id LIMIT $6 FOR NO KEY UPDATE),
     closed AS (
       UPDATE browser_sessions b SET ended_at = $5, sealed_logout_hint = NULL
       WHERE b.tenant_id = $1 AND b.ended_at IS NULL AND b.id IN (SELECT id FROM matched UNION SELECT id FROM one))
     SELECT matched.id, matched.was_open, one.id AS own_id, one.subject_id, one.connection_id, one.idp_session, one.sealed_logout_hint FROM one, matched`,
    [...ownSessionParameters(ending, browser), sessionEndLimits.sessions + 1],
  )
  const own = rows[0]
  if (!own) return undefined
  const { connection_id: connectionId, subject_id: subjectId } = own
  const done = await endWhatHangsOn(db, { ...ending, connectionId }, rows, async () => [subjectId])
  await auditEnd(db, { ...ending, connectionId }, done, subjectId)
  return { id: own.own_id, connectionId, subjectId, idpSession: own.idp_session, sealedLogoutHint: own.sealed_logout_hint ?? undefined }
}

/** A login of another browser that was under way when she signed out is not believed, as far as the IdP says that it is of the same session. */
async function rememberOwnEnd(db: Db, ending: SessionEnding, browser: OwnSession): Promise<void> {
  const { rows } = await db.query<{ connection_id: ConnectionId; name: IdpSessionName }>(
    `SELECT b.connection_id, b.idp_session_name AS name FROM browser_sessions b
     WHERE ${ownSession('b')} AND b.idp_session_name IS NOT NULL AND ${isNamedByIdp('b')}`,
    ownSessionParameters(ending, browser),
  )
  for (const { connection_id: connectionId, name } of rows) await holdEnd(db, { ...ending, connectionId }, [name])
}
