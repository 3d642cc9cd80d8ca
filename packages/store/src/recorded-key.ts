/**
 * Who signed in before her directory told of her: known by the declared key, in what she recorded at her last login.
 *
 * An index of digests finds who may be meant (`recorded_keys`, docs/adr/0103), whichever claim the connection declares today; it is kept by triggers, and what it
 * finds is compared here, word by word. A digest is made without case for every key, so that nobody is missed for whom the comparison holds.
 */
import type { SubjectLink } from '@drawbridge/core/identity/subject-link'
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { mayHold, namesakeLimits } from './namesakes.js'
import { type Db, judged, toTimestamp } from './transaction.js'

export type KeyedUser = { readonly userName: string; readonly externalId: string | undefined }
type At = { readonly tenant: TenantId; readonly connectionId: ConnectionId; readonly link?: SubjectLink | undefined }

/** Under which the digest of a stable id is kept: no mapping may write a claim of that name. */
const stableIdName = 'sub'

// The plain lower() knows only the letters of the cluster's locale, ASCII in the embedded one; ICU's root collation knows all.
const lowered = (text: string): string => `lower((${text}) COLLATE "und-x-icu")`

type Comparison = { readonly folded: (text: string) => string; readonly isSame: (text: string) => string }

/** A userName comes in lower case, and is compared without case; an externalId exactly. RFC 7643 §4.1.1, §3.1 */
const comparisons: Readonly<Record<SubjectLink['scim'], Comparison>> = {
  userName: { folded: (text) => text, isSame: (text) => `${lowered(text)} = $4` },
  externalId: { folded: lowered, isSame: (text) => `${text} = $4` },
}

/** Nobody, one, or several. Each of these statements is planned when it is asked: a plan that was kept while a tenant was small might read all of it later. */
const mayBeMeant = ({ folded }: Comparison): string =>
  `SELECT people_of_recorded_key($1::uuid, $2::text[], ${folded('$3::text')}) AS id LIMIT 2`

/** The one who may be meant, by her id: among any number the planner would rather read a whole tenant of which it has not learned yet. */
const theOne = '$6::uuid[]'
/** Several, however many. They stay in the database: everybody may have recorded the same. */
const several = ({ folded }: Comparison): string => `ARRAY(SELECT people_of_recorded_key($2::uuid, $6::text[], ${folded('$4::text')}))`

/** Of those who may be meant: who recorded the very key. */
const areMeant = (ids: string, { isSame }: Comparison): string =>
  `s.tenant_id = $1 AND s.id = ANY (${ids}) AND ${judged('s.connection_id = $2 AND s.scim_user_id IS NULL')}
     AND ($5::boolean AND ${isSame('s.stable_id')}
       OR EXISTS (SELECT 1 FROM jsonb_array_elements(CASE WHEN jsonb_typeof(s.claims -> 'claims') = 'array' THEN s.claims -> 'claims' ELSE '[]' END) AS claim
         WHERE claim ->> 0 = ANY ($3::text[]) AND jsonb_typeof(claim -> 1) = 'string' AND ${isSame('claim ->> 1')}))`

const meant = (ids: string, comparison: Comparison): string =>
  `SELECT s.id FROM subjects s WHERE ${areMeant(ids, comparison)} AND ${judged('$8::timestamptz IS NULL OR s.created_at <= $8')} ORDER BY s.id LIMIT $7 FOR UPDATE`

type Row = { readonly id: SubjectId }

/** What is looked for, as the statements take it; `undefined`: nobody can be meant. */
function lookFor({ tenant, connectionId, link }: At, user: KeyedUser) {
  const value = link?.scim === 'userName' ? user.userName.toLowerCase() : user.externalId
  if (link === undefined || value === undefined || value === '') return undefined
  const names = link.isStableId ? [...link.claims, stableIdName] : link.claims
  return { comparison: comparisons[link.scim], value, names, looked: [tenant, connectionId, link.claims, value, link.isStableId] }
}

/**
 * Whoever of the connection has this user's key, and is linked to nobody yet; one more than are ended singly says that there are too many. `until`: of those
 * who had signed in by then, and no others.
 */
export async function findByRecordedKey(db: Db, at: At, user: KeyedUser, until?: Instant): Promise<readonly SubjectId[]> {
  const look = lookFor(at, user)
  if (look === undefined) return []
  const { comparison, value, names, looked } = look
  const { rows: may } = await db.query<Row>(mayBeMeant(comparison), [at.connectionId, names, value])
  if (may.length === 0) return []
  const [ids, among] = may.length === 1 ? [theOne, may.map(({ id }) => id)] : [several(comparison), names]
  const { rows } = await db.query<Row>(meant(ids, comparison), [
    ...[...looked, among, namesakeLimits.endedSingly + 1, until === undefined ? null : toTimestamp(until)],
  ])
  return rows.map(({ id }) => id)
}

const mayBeMeantElsewhere = ({ folded }: Comparison): string =>
  `SELECT other.connection AS at, array_agg(may.id) AS ids FROM jsonb_to_recordset($1::jsonb) AS other (connection uuid, claims text[])
     CROSS JOIN LATERAL (SELECT people_of_recorded_key(other.connection, other.claims, ${folded('$2::text')}) AS id LIMIT 2) may GROUP BY other.connection`

const meantElsewhere = (ids: string, comparison: Comparison): string =>
  `SELECT s.id FROM subjects s WHERE ${areMeant(ids, comparison)} LIMIT $7`

type Elsewhere = { readonly connectionId: ConnectionId; readonly link: SubjectLink }

/** The same at several connections, whose links are of one kind; nobody is held. One statement where nobody is meant, and one for each connection where somebody may be. */
export async function findByRecordedKeyElsewhere(
  db: Db,
  tenant: TenantId,
  elsewhere: readonly Elsewhere[],
  user: KeyedUser,
): Promise<readonly { readonly id: SubjectId; readonly at: ConnectionId }[]> {
  const looks = new Map(
    elsewhere.flatMap((at) => {
      const look = lookFor({ tenant, ...at }, user)
      return look === undefined ? [] : [[at.connectionId, look] as const]
    }),
  )
  const [first] = looks.values()
  if (first === undefined) return []
  const asked = [...looks].map(([connection, { names }]) => ({ connection, claims: names }))
  const { rows } = await db.query<{ at: ConnectionId; ids: SubjectId[] }>(mayBeMeantElsewhere(first.comparison), [
    ...[JSON.stringify(asked), first.value],
  ])
  const found = []
  for (const { at, ids } of rows) {
    const look = looks.get(at)
    if (look === undefined) continue
    const { comparison, names, looked } = look
    const [those, among] = ids.length === 1 ? [theOne, ids] : [several(comparison), names]
    const meantHere = await db.query<Row>(meantElsewhere(those, comparison), [...looked, among, namesakeLimits.endedSingly + 1])
    found.push(...meantHere.rows.map(({ id }) => ({ id, at })))
  }
  return found
}

/** Of all who have this user's key, however many: whether any of them may hold something. */
export async function mayAnyHoldByRecordedKey(db: Db, at: At, user: KeyedUser): Promise<boolean> {
  const look = lookFor(at, user)
  if (look === undefined) return false
  const { comparison, names, looked } = look
  const { rows } = await db.query<{ holds: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM ${mayHold} AND ${areMeant(several(comparison), comparison)}) AS holds`,
    [...looked, names],
  )
  return rows[0]?.holds !== false
}
