/**
 * How many groups may be in groups. Whoever is granted anything is looked for in all that hold her groups, in statements that everybody waits for,
 * so what a directory nests is limited where it is written; the walk itself ends where it knows enough (`groups_above`).
 */
import type { MemberChange } from '@drawbridge/core/scim/member-change'
import type { Directory, KnownMember } from './scim-group-members.js'
import type { Db } from './transaction.js'

/** Groups that one group may hold itself. */
export const mostNestedGroups = 200
/** Groups within groups of one connection, all of its groups together. */
export const mostNestings = 5_000

type Nesting = { readonly kept: number; readonly removed: number; readonly held: number }

/** What is full by a change that nests more than before. Whatever nests nothing new is never in the way, however much there was before the limits. */
export async function findFullNesting(
  db: Db,
  directory: Directory,
  group: { readonly id: string; readonly generation: number } | undefined,
  { from, remove }: Pick<MemberChange, 'from' | 'remove'>,
  known: readonly KnownMember[],
): Promise<'group' | 'connection' | undefined> {
  const nested = known.filter(({ isGroup }) => isGroup).map(({ id }) => id)
  if (nested.length === 0) return undefined
  const { kept, removed, held } = group ? await countNested(db, directory, group, nested, [...remove]) : { kept: 0, removed: 0, held: 0 }
  const more = nested.length - kept
  if (more === 0) return undefined
  const gone = from === 'none' ? held - kept : removed
  if (held - gone + more > mostNestedGroups) return 'group'
  return (await countNestings(db, directory)) - gone + more > mostNestings ? 'connection' : undefined
}

async function countNested(
  db: Db,
  { tenant }: Directory,
  group: { readonly id: string; readonly generation: number },
  nested: readonly string[],
  removed: readonly string[],
): Promise<Nesting> {
  const { rows } = await db.query<Nesting>(
    `SELECT count(*) FILTER (WHERE nested_id = ANY ($4::uuid[]))::int AS kept, count(*)::int AS held,
       count(*) FILTER (WHERE nested_id::text = ANY ($5::text[]) AND NOT nested_id = ANY ($4::uuid[]))::int AS removed
     FROM scim_group_members WHERE tenant_id = $1 AND group_id = $2 AND generation = $3 AND nested_id IS NOT NULL`,
    [tenant, group.id, group.generation, nested, removed],
  )
  return rows[0] as Nesting
}

async function countNestings(db: Db, { tenant, connectionId }: Directory): Promise<number> {
  const { rows } = await db.query<{ many: number }>(
    `SELECT count(*)::int AS many FROM scim_group_members m
     JOIN scim_groups g ON g.tenant_id = $1 AND g.id = m.group_id AND g.connection_id = $2 AND g.deleted_at IS NULL AND g.generation = m.generation
     WHERE m.tenant_id = $1 AND m.nested_id IS NOT NULL`,
    [tenant, connectionId],
  )
  return rows[0]?.many ?? 0
}
