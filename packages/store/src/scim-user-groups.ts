/** In which groups people are: the rows of `scim_group_members`, asked from the person's side. Only groups that hold her herself: RFC 7643 §4.1.2. */
import type { ScimUserGroup } from '@drawbridge/core/scim/user'
import { keptStatement } from './kept-statements.js'
import type { AddParameter } from './scim-filter-sql.js'
import type { Directory } from './scim-group-members.js'
import type { Db } from './transaction.js'

/** Groups of all the people of a page together, each counted for each of them. Of one person no more are shown. */
export const mostGroupsOfPage = 20_000

/** Living groups `g` whose row `m` counts. */
const counting = (condition: string): string =>
  `scim_group_members AS m JOIN scim_groups AS g ON g.tenant_id = $1 AND g.id = m.group_id AND g.generation = m.generation
   WHERE m.tenant_id = $1 AND ${condition} AND g.connection_id = $2 AND g.deleted_at IS NULL`

/** A condition: the person `u` is in a group of which this holds. */
export const isInGroup = (condition: string): string => `EXISTS (SELECT 1 FROM ${counting(`m.member_id = u.id AND ${condition}`)})`

/** The groups of the person `u` as values of a list. */
export const groupsOfUserSql =
  (baseUrl: string) =>
  (add: AddParameter): string =>
    `SELECT jsonb_build_object('value', g.id, '$ref', ${add(`${baseUrl}/Groups/`)}::text || g.id, 'display', g.display_name, 'type', 'direct')
     FROM ${counting('m.member_id = u.id')}`

const groupsOfPeople = keptStatement(`SELECT asked.nth::int AS nth, g.id, g.display_name AS display
   FROM unnest($3::uuid[]) WITH ORDINALITY AS asked (id, nth), LATERAL (
     SELECT g.id, g.display_name, g.display_name_key FROM ${counting('m.member_id = asked.id')}) AS g
   ORDER BY asked.nth, g.display_name_key COLLATE "C", g.id LIMIT $4`)

/**
 * The groups of some people, by name. People whose groups find no room are left out, those behind them too; the first is always there.
 */
export async function listGroupsOf(
  db: Db,
  { tenant, connectionId }: Directory,
  people: readonly string[],
  most = mostGroupsOfPage,
): Promise<ReadonlyMap<string, readonly ScimUserGroup[]>> {
  if (people.length === 0) return new Map()
  const { rows } = await db.query<{ nth: number; id: string; display: string }>(groupsOfPeople, [tenant, connectionId, people, most + 1])
  const cutAt = rows.length > most ? (rows[most]?.nth ?? 0) : people.length + 1
  const shown = people.slice(0, Math.max(1, cutAt - 1))
  const groups = new Map<string, ScimUserGroup[]>(shown.map((id) => [id, []]))
  for (const { nth, id, display } of rows.slice(0, most)) groups.get(people[nth - 1] as string)?.push({ id, display })
  return groups
}
