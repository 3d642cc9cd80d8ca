/**
 * People as the directory sees them, and what a change of theirs does to the subjects who signed in.
 *
 * Every change runs in the caller's transaction: the row, the link to the subject, the barrier, the audit event and the outbox entry
 * commit together or not at all. Deleted rows stay as tombstones.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import { readEndDate } from '@drawbridge/core/scim/end-date'
import { sameJson } from '@drawbridge/core/scim/json'
import { type ScimUser, type ScimUserData, toDocument } from '@drawbridge/core/scim/user'
import type { DeprovisioningEventId, ScimUserId } from '@drawbridge/core/tenant/ids'
import { insertAuditEvent } from './audit-events.js'
import { deprovision, recordUnmatchedEvent, reinstate } from './deprovisioning.js'
import { raiseClaimsOfUser } from './directory.js'
import { endElsewhere } from './elsewhere.js'
import { endHasCome, keepEndDate } from './end-dates.js'
import { keptStatement } from './kept-statements.js'
import { announceNamesakes, type EndedNamesakes, endNamesakes } from './namesakes.js'
import { mayAnyHoldByRecordedKey } from './recorded-key.js'
import { holdDirectory, isTaken, keyOf, type ScimCaller } from './scim-caller.js'
import { removeFromGroups } from './scim-group-members.js'
import { findMeant, linkedSubjects, linkSubject, type Meant, nobody } from './scim-meant.js'
import { type ScimUserRow, scimUserColumns, toScimUser } from './scim-user-row.js'
import { type Db, isUuid, toTimestamp } from './transaction.js'
import { recoveriesOf } from './unnamed-people.js'

/** Living people of one connection, where nobody says otherwise. */
export const mostUsers = 500_000
/** With those who left, of whom a tombstone is kept for good: as many times. Whoever makes and deletes without end is stopped by it. */
export const knownUsersFactor = 4

const insertedUser =
  keptStatement(`INSERT INTO scim_users AS u (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at, named_after)
   SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $9, ${recoveriesOf('$3')} WHERE NOT $7::boolean OR NOT EXISTS (
     SELECT 1 FROM scim_user_counts n WHERE n.tenant_id = $1 AND n.connection_id = $3 AND (n.living >= $10::int OR n.known >= $10 * ${knownUsersFactor}))
   RETURNING ${scimUserColumns}`)

/**
 * Creates the user, or refuses when the name is taken, or there are as many as there may be. A user who is created inactive takes access away at once, and is
 * never too many.
 */
export async function insertScimUser(
  db: Db,
  caller: ScimCaller,
  data: ScimUserData,
  most: number = mostUsers,
): Promise<Result<ScimUser, 'taken' | 'too_many'>> {
  await holdDirectory(db, caller)
  if (await isTaken(db, caller, data, undefined)) return err('taken')
  const { rows } = await db.query<ScimUserRow>(insertedUser, [
    caller.tenant,
    caller.newId(),
    caller.connectionId,
    data.userName,
    keyOf(data.userName),
    data.externalId ?? null,
    data.active ?? true,
    JSON.stringify(data.attributes),
    toTimestamp(caller.now),
    most,
  ])
  // Whoever holds the directory is the only one who makes people of it.
  if (rows[0] === undefined) return err('too_many')
  const user = toScimUser(rows[0])
  await audit(db, caller, user.id, 'scim_user.created')
  await linkSubject(db, caller, user)
  await settle(db, caller, user, user.active ? undefined : { reason: 'the directory created the user as inactive', isNews: false })
  return ok(user)
}

const userById = `SELECT ${scimUserColumns} FROM scim_users AS u WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND deleted_at IS NULL`
const userFound = keptStatement(userById)
const userLocked = keptStatement(`${userById} FOR UPDATE`)

export async function findScimUser(
  db: Db,
  caller: Pick<ScimCaller, 'tenant' | 'connectionId'>,
  id: string,
  lock = false,
): Promise<ScimUser | undefined> {
  if (!isUuid(id)) return undefined
  const { rows } = await db.query<ScimUserRow>(lock ? userLocked : userFound, [caller.tenant, caller.connectionId, id])
  return rows[0] && toScimUser(rows[0])
}

/** What a change may answer instead of a new user. */
export type ScimChangeRefusal<E> =
  | { readonly kind: 'not_found' }
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly error: E }

/**
 * Applies a pure change to the locked row. Where it takes `active` away the subject dies in this transaction; where it gives it back
 * the subject may sign in again, unless somebody else keeps her out, and nothing more.
 */
export async function updateScimUser<E>(
  db: Db,
  caller: ScimCaller,
  id: string,
  change: (user: ScimUser) => Result<ScimUserData, E>,
): Promise<Result<ScimUser, ScimChangeRefusal<E>>> {
  await holdDirectory(db, caller)
  const before = await findScimUser(db, caller, id, true)
  if (before === undefined) return err({ kind: 'not_found' })
  const changed = change(before)
  if (!changed.ok) return err({ kind: 'refused', error: changed.error })
  const user = isSame(before, changed.value) ? before : await rewrite(db, caller, before, changed.value)
  if (user === undefined) return err({ kind: 'taken' })
  await linkSubject(db, caller, user)
  await settle(db, caller, user, user.active ? undefined : { reason: 'the directory set active to false', isNews: before.active })
  if (user.active && !before.active) await giveBack(db, caller, user)
  return ok(user)
}

/** Saying what is known already makes no new version: RFC 7644 §3.5.2.1. */
const isSame = (user: ScimUser, data: ScimUserData): boolean =>
  user.userName === data.userName &&
  user.externalId === data.externalId &&
  user.active === (data.active ?? user.active) &&
  sameJson(user.attributes, data.attributes)

const isRenamed = (user: ScimUser, data: ScimUserData): boolean =>
  keyOf(data.userName) !== keyOf(user.userName) || data.externalId !== user.externalId

const rewrittenUser =
  keptStatement(`UPDATE scim_users AS u SET user_name = $3, user_name_key = $4, external_id = $5, active = $6, resource = $7, version = version + 1, updated_at = $8,
     former_user_name = CASE WHEN user_name_key <> $4 THEN user_name ELSE former_user_name END,
     former_external_id = CASE WHEN external_id IS DISTINCT FROM $5 THEN coalesce(external_id, former_external_id) ELSE former_external_id END,
     former_user_name_until = CASE WHEN user_name_key <> $4 THEN $8 ELSE former_user_name_until END,
     former_external_id_until = CASE WHEN external_id IS DISTINCT FROM $5 AND external_id IS NOT NULL THEN $8 ELSE former_external_id_until END
   WHERE tenant_id = $1 AND id = $2 RETURNING ${scimUserColumns}`)

/** Undefined: the name is taken. */
async function rewrite(db: Db, caller: ScimCaller, before: ScimUser, data: ScimUserData): Promise<ScimUser | undefined> {
  // What she has already, nobody else has: changes of one connection queue.
  if (isRenamed(before, data) && (await isTaken(db, caller, data, before.id))) return undefined
  const { rows } = await db.query<ScimUserRow>(rewrittenUser, [
    caller.tenant,
    before.id,
    data.userName,
    keyOf(data.userName),
    data.externalId ?? null,
    data.active ?? before.active,
    JSON.stringify(data.attributes),
    toTimestamp(caller.now),
  ])
  await raiseClaimsOfUser(db, caller, before.id)
  await audit(db, caller, before.id, 'scim_user.updated')
  return toScimUser(rows[0] as ScimUserRow)
}

/**
 * Of a request that says she leaves and is refused for what else it says: the barrier alone. Nothing of her user changes, as RFC 7644 §3.5.2 has it, but what
 * she holds is over; whether she may come back, her IdP says when she signs in.
 */
export async function endAccessOfRefused<E>(
  db: Db,
  caller: ScimCaller,
  id: string,
  check: (user: ScimUser) => Result<void, E>,
): Promise<void> {
  await holdDirectory(db, caller)
  const user = await findScimUser(db, caller, id, true)
  if (user === undefined || !check(user).ok) return
  await linkSubject(db, caller, user)
  await takeAway(db, caller, user, await findMeant(db, caller, user), {
    reason: 'the directory set active to false in a request that was refused',
    isNews: false,
    deactivate: false,
  })
}

const deletedUser = keptStatement(
  'UPDATE scim_users SET active = false, deleted_at = $3, updated_at = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2',
)

/** Leaves a tombstone that keeps the linking keys, and takes everything away. */
export async function deleteScimUser<E>(
  db: Db,
  caller: ScimCaller,
  id: string,
  check: (user: ScimUser) => Result<void, E> = () => ok(undefined),
): Promise<Result<void, ScimChangeRefusal<E>>> {
  await holdDirectory(db, caller)
  const before = await findScimUser(db, caller, id, true)
  if (before === undefined) return err({ kind: 'not_found' })
  const checked = check(before)
  if (!checked.ok) return err({ kind: 'refused', error: checked.error })
  await db.query(deletedUser, [caller.tenant, before.id, toTimestamp(caller.now)])
  await removeFromGroups(db, caller, before.id)
  await audit(db, caller, before.id, 'scim_user.deleted')
  await linkSubject(db, caller, before)
  await takeAway(db, caller, before, await findMeant(db, caller, before), { reason: 'the directory deleted the user', isNews: true })
  return ok(undefined)
}

/**
 * What a change of hers comes to: the end that it names, which is hers, too, who signed in before her directory told of her; and that she leaves. Whom it
 * means is asked once, for both. Where several may be she, each says again who she is.
 */
async function settle(db: Db, caller: ScimCaller, user: ScimUser, leaving: TakenAway | undefined): Promise<void> {
  const end = caller.endDate === undefined ? 'none' : readEndDate(toDocument(user), caller.endDate)
  const meant = leaving !== undefined || typeof end !== 'string' ? await findMeant(db, caller, user) : nobody
  const isNews = await keepEndDate(db, caller, user)
  if (meant.namesakes.length === 0) return leaving && takeAway(db, caller, user, meant, leaving)
  const isPast = typeof end !== 'string' && end <= caller.now
  const named = { reason: isPast ? endHasCome : 'the directory named the end of her access', isNews }
  const said = leaving === undefined ? named : { ...leaving, isNews: leaving.isNews || isNews }
  const alarmsElsewhere = leaving !== undefined && (await endElsewhere(db, caller, user, leaving))
  return endAllOf(db, caller, user, meant, { ...said, alarmsElsewhere })
}

/** Last of all in the transaction (`announceNamesakes`). */
async function endAllOf(
  db: Db,
  caller: ScimCaller,
  user: ScimUser,
  { namesakes, key = user }: Meant,
  { alarmsElsewhere, ...said }: Pick<EndedNamesakes, 'reason' | 'isNews'> & { readonly alarmsElsewhere: boolean },
): Promise<void> {
  const mayAnyHold = () => mayAnyHoldByRecordedKey(db, caller, key)
  const tells = await endNamesakes(db, namesakes, { ...caller, ...said, mayAnyHold, source: 'scim', named: `scim:${user.id}` })
  if (tells || alarmsElsewhere) await announceNamesakes(db, caller)
}

type TakenAway = { readonly reason: string; readonly isNews: boolean; readonly deactivate?: boolean }

/**
 * Saying it again is harmless: a subject whom the directory keeps out already is not told twice, and an alarm is raised only for news. Whom somebody else
 * keeps out the directory keeps out, too, from now on: the other's taking it back does not let her in. Who is she elsewhere loses what she holds (`elsewhere`).
 */
async function takeAway(
  db: Db,
  caller: ScimCaller,
  user: ScimUser,
  meant: Meant,
  { reason, isNews, deactivate = true }: TakenAway,
): Promise<void> {
  const alarmsElsewhere = deactivate && (await endElsewhere(db, caller, user, { reason, isNews }))
  if (meant.namesakes.length > 0) return endAllOf(db, caller, user, meant, { reason, isNews, alarmsElsewhere })
  const event = { tenant: caller.tenant, source: 'scim', reason, now: caller.now, requestId: caller.requestId } as const
  if (meant.linked.length === 0 && isNews)
    await recordUnmatchedEvent(db, { ...event, eventId: caller.newId() as DeprovisioningEventId, targetId: `scim:${user.id}` })
  for (const subject of meant.linked.filter((one) => isNews || !(deactivate ? one.isKeptOut : one.isOut))) {
    await deprovision(db, {
      ...event,
      eventId: caller.newId() as DeprovisioningEventId,
      target: 'subject',
      targetId: subject.id,
      toldAt: undefined,
      deactivate,
    })
  }
  if (alarmsElsewhere) await announceNamesakes(db, caller)
}

/** Takes back what the directory said, and nothing that an admin or a signal did. docs/adr/0099 */
async function giveBack(db: Db, caller: ScimCaller, user: Pick<ScimUser, 'id'>): Promise<void> {
  for (const subject of await linkedSubjects(db, caller, user)) {
    await reinstate(db, {
      tenant: caller.tenant,
      subjectId: subject.id,
      by: 'scim',
      reason: 'the directory set active to true',
      now: caller.now,
      requestId: caller.requestId,
    })
  }
}

const audit = (db: Db, caller: ScimCaller, id: ScimUserId, kind: `scim_user.${'created' | 'updated' | 'deleted'}`): Promise<void> =>
  insertAuditEvent(db, caller.tenant, {
    at: caller.now,
    kind,
    connectionId: caller.connectionId,
    detail: { scimUserId: id },
    requestId: caller.requestId,
  })
