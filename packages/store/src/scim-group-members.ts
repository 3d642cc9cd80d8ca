/** Members of groups: rows that count while their generation is that of their living group. Each change touches the rows of those whom it names. */
import type { Instant } from '@drawbridge/core/instant'
import type { ScimMember } from '@drawbridge/core/scim/group'
import type { MemberChange } from '@drawbridge/core/scim/member-change'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { mostNamedPeople, type Touched } from './directory.js'
import { keptStatement } from './kept-statements.js'
import { type AcrossDb, type Db, isUuid, toTimestamp } from './transaction.js'

/** People and groups in one group. */
export const mostMembers = 100_000

export type Directory = { readonly tenant: TenantId; readonly connectionId: ConnectionId }
type Group = { readonly id: string; readonly generation: number; readonly member_count: number }

/** Of how a member is called: a name may be longer, and there may be very many of them. */
export const memberDisplayCharacters = 256

/** How a member `m`, user `mu` or group `mg`, is called. */
export const memberDisplay = `left(COALESCE(mg.display_name, mu.resource ->> 'displayName', mu.user_name), ${memberDisplayCharacters})`

/** Members of one answer that are shown with their names: to read a hundred thousand takes a join with as many people, and as much memory. */
export const mostNamedMembers = 10_000

type Counted = { readonly id: string; readonly memberCount: number }

/** Whether an answer with them holds more than are named. */
export const holdMany = (groups: readonly Counted[]): boolean =>
  groups.reduce((sum, { memberCount }) => sum + memberCount, 0) > mostNamedMembers

type ListedMember = { group_id: string; id: string; is_group: boolean; display?: string }
const ofGroups = 'FROM scim_groups g JOIN scim_group_members m ON m.tenant_id = $1 AND m.group_id = g.id AND m.generation = g.generation'

/** The members of some groups as they are shown: without their names where they are very many. */
export async function listShownMembers(
  db: Db,
  directory: Directory,
  groups: readonly Counted[],
): Promise<ReadonlyMap<string, readonly ScimMember[]>> {
  const ids = groups.map(({ id }) => id)
  if (!holdMany(groups)) return listMembers(db, directory, ids)
  const { rows } = await db.query<ListedMember>(
    `SELECT m.group_id, m.member_id AS id, m.nested_id IS NOT NULL AS is_group ${ofGroups} WHERE g.tenant_id = $1 AND g.id = ANY ($2::uuid[])
     ORDER BY m.group_id, m.member_id`,
    [directory.tenant, ids],
  )
  return byGroup(ids, rows)
}

/** The members of some groups with their names, in a stable order. */
export async function listMembers(
  db: Db,
  { tenant }: Directory,
  groups: readonly string[],
): Promise<ReadonlyMap<string, readonly ScimMember[]>> {
  const { rows } = await db.query<ListedMember>(
    `SELECT m.group_id, m.member_id AS id, m.nested_id IS NOT NULL AS is_group, ${memberDisplay} AS display
     ${ofGroups} LEFT JOIN scim_users mu ON mu.tenant_id = $1 AND mu.id = m.user_id LEFT JOIN scim_groups mg ON mg.tenant_id = $1 AND mg.id = m.nested_id
     WHERE g.tenant_id = $1 AND g.id = ANY ($2::uuid[]) ORDER BY m.group_id, m.member_id`,
    [tenant, groups],
  )
  return byGroup(groups, rows)
}

function byGroup(groups: readonly string[], rows: readonly ListedMember[]): ReadonlyMap<string, readonly ScimMember[]> {
  const members = new Map<string, ScimMember[]>(groups.map((id) => [id, []]))
  for (const { group_id: group, id, is_group: isGroup, display } of rows) members.get(group)?.push({ id, isGroup, display })
  return members
}

export type KnownMember = { readonly id: string; readonly isGroup: boolean }

const knownMembers =
  keptStatement(`SELECT id, false AS "isGroup" FROM scim_users WHERE tenant_id = $1 AND connection_id = $2 AND id = ANY ($3::uuid[]) AND deleted_at IS NULL
   UNION ALL
   SELECT id, true FROM scim_groups WHERE tenant_id = $1 AND connection_id = $2 AND id = ANY ($3::uuid[]) AND deleted_at IS NULL`)

/** Those of the ids that are living users or groups of this directory. */
export async function findMembers(db: Db, { tenant, connectionId }: Directory, ids: ReadonlySet<string>): Promise<readonly KnownMember[]> {
  const uuids = [...ids].filter(isUuid)
  if (uuids.length === 0) return []
  const { rows } = await db.query<KnownMember>(knownMembers, [tenant, connectionId, uuids])
  return rows
}

const insertedMembers = keptStatement(`INSERT INTO scim_group_members AS m (tenant_id, group_id, member_id, user_id, nested_id, generation)
   SELECT $1, $2, given.id, CASE WHEN NOT given.is_group THEN given.id END, CASE WHEN given.is_group THEN given.id END, $5
   FROM unnest($3::uuid[], $4::boolean[]) AS given (id, is_group)
   ON CONFLICT (tenant_id, group_id, member_id) DO UPDATE SET generation = EXCLUDED.generation, withheld = false WHERE m.generation <> EXCLUDED.generation
   RETURNING m.member_id AS id`)

/** Answers the ids of those who were not in it. */
export async function insertMembers(
  db: Db,
  { tenant }: Directory,
  { id, generation }: Group,
  members: readonly KnownMember[],
): Promise<readonly string[]> {
  if (members.length === 0) return []
  const { rows } = await db.query<{ id: string }>(insertedMembers, [
    tenant,
    id,
    members.map((member) => member.id),
    members.map(({ isGroup }) => isGroup),
    generation,
  ])
  return rows.map((row) => row.id)
}

/** Whether a change leaves more than the limit. The group is looked into only where whom it has and whom it gets may be too many together. */
export async function overfills(
  db: Db,
  { tenant }: Directory,
  group: Group,
  { from, add, remove }: MemberChange,
  known: readonly KnownMember[],
): Promise<boolean> {
  if (from === 'none') return add.size > mostMembers
  if (group.member_count + add.size <= mostMembers) return false
  // Who is in it and is named goes, or is there already; nobody is named for both.
  const named = [...[...remove].filter(isUuid), ...known.map(({ id }) => id)]
  const { rowCount } = await db.query(
    'SELECT 1 FROM scim_group_members WHERE tenant_id = $1 AND group_id = $2 AND generation = $3 AND member_id = ANY ($4::uuid[])',
    [tenant, group.id, group.generation, named],
  )
  const more = known.length - rowCount
  return more > 0 && group.member_count + more > mostMembers
}

type MembersChanged = {
  readonly added: number
  readonly removed: number
  /** Who was in it already, and had nothing by it. */
  readonly restored: number
  readonly count: number
  readonly generation: number
  readonly touched: Touched
}

/** To be found out one by one, the members that stay must not be many more than those who are named. */
const compared = (named: number): number => Math.max(2 * mostNamedPeople, 4 * named)

export async function changeMembers(
  db: Db,
  caller: Directory,
  group: Group,
  change: MemberChange,
  known: readonly KnownMember[],
): Promise<MembersChanged> {
  if (change.from === 'none' && group.member_count > compared(known.length)) return emptyAndAdd(db, caller, group, known)
  const removed = await deleteMembers(db, caller, group, change)
  const added = await insertMembers(db, caller, group, known)
  const restored = added.length < known.length ? await restoreMembers(db, caller, group, known) : []
  const fresh = new Set([...added, ...restored])
  return {
    ...{ added: added.length, removed: removed.length, restored: restored.length, generation: group.generation },
    count: group.member_count + added.length - removed.length,
    touched: touchedOf([...removed, ...known.filter(({ id }) => fresh.has(id))]),
  }
}

/** Costs what is added, whatever the group held. */
async function emptyAndAdd(db: Db, caller: Directory, group: Group, known: readonly KnownMember[]): Promise<MembersChanged> {
  const generation = group.generation + 1
  await insertMembers(db, caller, { ...group, generation }, known)
  return { added: known.length, removed: group.member_count, restored: 0, count: known.length, generation, touched: 'everybody' }
}

async function deleteMembers(
  db: Db,
  { tenant }: Directory,
  group: Group,
  { from, add, remove }: MemberChange,
): Promise<readonly KnownMember[]> {
  if (from === 'present' && remove.size === 0) return []
  const ids = [...(from === 'none' ? add : remove)].filter(isUuid)
  const { rows } = await db.query<KnownMember>(
    `DELETE FROM scim_group_members WHERE tenant_id = $1 AND group_id = $2 AND generation = $3
     AND ${from === 'none' ? 'NOT member_id = ANY ($4::uuid[])' : 'member_id = ANY ($4::uuid[])'}
     RETURNING member_id AS id, nested_id IS NOT NULL AS "isGroup"`,
    [tenant, group.id, group.generation, ids],
  )
  return rows
}

const restoredMembers = keptStatement(`UPDATE scim_group_members SET withheld = false
   WHERE tenant_id = $1 AND group_id = $2 AND generation = $3 AND member_id = ANY ($4::uuid[]) AND withheld RETURNING member_id AS id`)

async function restoreMembers(db: Db, { tenant }: Directory, group: Group, known: readonly KnownMember[]): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>(restoredMembers, [tenant, group.id, group.generation, known.map(({ id }) => id)])
  return rows.map(({ id }) => id)
}

/** Has those whom a change would take out stay in it with nothing, and answers who had something. As many rows as would be removed, whatever the group. */
export async function withholdMembers(
  db: Db,
  { tenant }: Directory,
  group: Group,
  { from, add, remove }: MemberChange,
): Promise<readonly KnownMember[]> {
  const ids = [...(from === 'none' ? add : remove)].filter(isUuid)
  const { rows } = await db.query<KnownMember>(
    `UPDATE scim_group_members SET withheld = true WHERE tenant_id = $1 AND group_id = $2 AND generation = $3 AND NOT withheld
     AND ${from === 'none' ? 'NOT member_id = ANY ($4::uuid[])' : 'member_id = ANY ($4::uuid[])'}
     RETURNING member_id AS id, nested_id IS NOT NULL AS "isGroup"`,
    [tenant, group.id, group.generation, ids],
  )
  return rows
}

/** Who is in a group that is in this one cannot be named without looking. */
export const touchedOf = (members: readonly KnownMember[]): Touched =>
  members.length > mostNamedPeople || members.some(({ isGroup }) => isGroup) ? 'everybody' : members.map(({ id }) => id)

export const both = (one: Touched, other: Touched): Touched =>
  one === 'everybody' || other === 'everybody' ? 'everybody' : [...one, ...other]

/** Whom it touches that the group as a whole is another one, or gone. */
export async function touchedByGroup(db: Db, { tenant }: Directory, group: Group): Promise<Touched> {
  if (group.member_count > mostNamedPeople) return 'everybody'
  const { rows } = await db.query<KnownMember>(
    `SELECT member_id AS id, nested_id IS NOT NULL AS "isGroup" FROM scim_group_members
     WHERE tenant_id = $1 AND group_id = $2 AND generation = $3 LIMIT $4`,
    [tenant, group.id, group.generation, mostNamedPeople + 1],
  )
  return touchedOf(rows)
}

const removedEverywhere =
  keptStatement(`WITH gone AS (DELETE FROM scim_group_members WHERE tenant_id = $1 AND member_id = $2 RETURNING group_id, generation)
   UPDATE scim_groups g SET member_count = g.member_count - 1, version = g.version + 1, updated_at = $3
   FROM gone WHERE g.tenant_id = $1 AND g.id = gone.group_id AND g.generation = gone.generation`)

/** Whoever is deleted, person or group, is in no group any more. */
export async function removeFromGroups(
  db: Db,
  caller: { readonly tenant: TenantId; readonly now: Instant },
  member: string,
): Promise<void> {
  await db.query(removedEverywhere, [caller.tenant, member, toTimestamp(caller.now)])
}

/** Removes at most `limit` rows of members that count no more, of groups that were emptied or deleted; answers how many. */
export async function sweepMembersAcrossTenants(db: AcrossDb, limit: number): Promise<number> {
  const { rows } = await db.query<{ removed: number }>(
    `WITH stale AS (SELECT tenant_id, id, generation FROM scim_groups WHERE swept_generation < generation ORDER BY tenant_id, id LIMIT 1),
     gone AS (
       DELETE FROM scim_group_members d USING stale
       -- Asked of the row once more: whoever was added again meanwhile counts again.
       WHERE d.tenant_id = stale.tenant_id AND d.group_id = stale.id AND d.generation < stale.generation AND (d.tenant_id, d.group_id, d.member_id) IN (
         SELECT m.tenant_id, m.group_id, m.member_id FROM stale JOIN scim_group_members m ON m.tenant_id = stale.tenant_id AND m.group_id = stale.id
           AND m.generation < stale.generation LIMIT $1)
       RETURNING 1),
     swept AS (
       UPDATE scim_groups g SET swept_generation = stale.generation FROM stale
       WHERE g.tenant_id = stale.tenant_id AND g.id = stale.id AND (SELECT count(*) FROM gone) < $1)
     SELECT count(*)::int AS removed FROM gone`,
    [limit],
  )
  return rows[0]?.removed ?? 0
}

/** So that whoever asks what became of a group finds its name for a while. Nothing is refused by one that is gone, other than by a person. */
export const goneGroupKeepSeconds = 7 * 86_400

/** Removes at most `limit` groups that were deleted before then and have no members left, the oldest first; answers how many. */
export async function sweepGroupsAcrossTenants(db: AcrossDb, before: Instant, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `DELETE FROM scim_groups WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM scim_groups WHERE deleted_at < $1 AND swept_generation >= generation ORDER BY deleted_at LIMIT $2))`,
    [toTimestamp(before), limit],
  )
  return rowCount
}
