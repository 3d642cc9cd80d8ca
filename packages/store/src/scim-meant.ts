/** Whom a directory means by one of its people: who is linked to her, by the stable id or by what a login recorded, or who may be she. */
import type { Instant } from '@drawbridge/core/instant'
import type { ScimUser } from '@drawbridge/core/scim/user'
import type { SubjectId } from '@drawbridge/core/tenant/ids'
import { keptStatement } from './kept-statements.js'
import { findByRecordedKey, type KeyedUser } from './recorded-key.js'
import { isTaken, type ScimCaller } from './scim-caller.js'
import type { Db } from './transaction.js'

const linkedByStableId =
  keptStatement(`UPDATE subjects SET scim_user_id = $4 WHERE tenant_id = $1 AND connection_id = $2 AND stable_id = $3 AND scim_user_id IS NULL
   AND NOT EXISTS (SELECT 1 FROM subjects other WHERE other.tenant_id = $1 AND other.scim_user_id = $4)`)

/**
 * Links the subject whose stable id is this externalId, on this connection only. Made once: a linked subject is never linked again,
 * and a user who has her subject never gets a second one, so a directory cannot collect people by changing an externalId.
 */
export async function linkSubject(db: Db, caller: ScimCaller, user: Pick<ScimUser, 'id' | 'externalId'>): Promise<void> {
  if (user.externalId === undefined) return
  await db.query(linkedByStableId, [caller.tenant, caller.connectionId, user.externalId, user.id])
}

/**
 * Links, at deprovisioning, the one subject who signed in before her SCIM user existed: by the declared key, in what she recorded at
 * her last login. Nobody is chosen among several: then nothing is linked, and the caller ends what they hold (`namesakes`).
 */
async function linkByRecordedKey(
  db: Db,
  caller: ScimCaller,
  user: Pick<ScimUser, 'id' | 'userName' | 'externalId'>,
  until?: Instant | null,
): Promise<readonly SubjectId[]> {
  const found = await findByRecordedKey(db, caller, user, until ?? undefined)
  if (found.length === 1)
    await db.query('UPDATE subjects SET scim_user_id = $3 WHERE tenant_id = $1 AND id = $2', [caller.tenant, found[0], user.id])
  return found
}

/** By which the clock of whoever wrote her first login may be ahead. */
const clockSkewSeconds = 300

/**
 * As `linkByRecordedKey`, and where nobody is found, by the key that the user had before: a directory may take name and access together, or one after the
 * other (Entra renames whom it deletes). Not while somebody else bears that, nor whoever first signed in when it was hers no longer: it may be another's by then.
 */
async function linkLeaving(
  db: Db,
  caller: ScimCaller,
  user: ScimUser,
): Promise<{ readonly found: readonly SubjectId[]; readonly key: KeyedUser }> {
  const found = await linkByRecordedKey(db, caller, user)
  if (found.length > 0) return { found, key: user }
  const { rows } = await db.query<{ userName: string; externalId: string | null; until: Instant | null }>(
    `SELECT coalesce(former_user_name, user_name) AS "userName", coalesce(former_external_id, external_id) AS "externalId",
       CASE WHEN $3 THEN former_user_name_until ELSE former_external_id_until END + interval '${clockSkewSeconds} seconds' AS until FROM scim_users
     WHERE tenant_id = $1 AND id = $2 AND (former_user_name IS NOT NULL OR former_external_id IS NOT NULL)`,
    [caller.tenant, user.id, caller.link?.scim === 'userName'],
  )
  if (!rows[0]) return { found: [], key: user }
  const former = { id: user.id, userName: rows[0].userName, externalId: rows[0].externalId ?? undefined }
  return {
    found: (await isTaken(db, caller, former, user.id)) ? [] : await linkByRecordedKey(db, caller, former, rows[0].until),
    key: former,
  }
}

/** `isKeptOut`: by the directory itself, whoever else does. */
type Linked = { readonly id: SubjectId; readonly isOut: boolean; readonly isKeptOut: boolean }

const subjectsOfUser = keptStatement(
  `SELECT id, deactivated_at IS NOT NULL AS "isOut", deactivated_at IS NOT NULL AND 'scim' = ANY (deactivated_by) AS "isKeptOut"
   FROM subjects WHERE tenant_id = $1 AND scim_user_id = $2 ORDER BY id FOR UPDATE`,
)

export const linkedSubjects = async (db: Db, caller: ScimCaller, user: Pick<ScimUser, 'id'>): Promise<readonly Linked[]> =>
  (await db.query<Linked>(subjectsOfUser, [caller.tenant, user.id])).rows

/** Whom a change takes something from: who is linked; or, where nobody is, those of whom each may be she (`namesakes`), by `key`. */
export type Meant = { readonly linked: readonly Linked[]; readonly namesakes: readonly SubjectId[]; readonly key?: KeyedUser }
export const nobody: Meant = { linked: [], namesakes: [] }

export async function findMeant(db: Db, caller: ScimCaller, user: ScimUser): Promise<Meant> {
  const known = await linkedSubjects(db, caller, user)
  if (known.length > 0) return { ...nobody, linked: known }
  const { found, key } = await linkLeaving(db, caller, user)
  if (found.length > 1) return { ...nobody, namesakes: found, key }
  return found.length === 0 ? nobody : { ...nobody, linked: await linkedSubjects(db, caller, user) }
}
