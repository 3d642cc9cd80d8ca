/** Where filters find what they ask of groups: columns and indexes of `scim_groups`, members in their own table, the rest in the document. */
import type { ScimGroup } from '@drawbridge/core/scim/group'
import { groupSchema } from '@drawbridge/core/scim/group-schema'
import type { AddParameter, ScimColumn } from './scim-filter-sql.js'
import { type Directory, memberDisplay, mostMembers } from './scim-group-members.js'
import { type ScimGroupRow, scimGroupColumns, toScimGroup } from './scim-groups.js'
import { type SearchAnswer, type SearchQuestion, type SearchSource, searchResources } from './scim-search.js'
import { type Db, isUuid } from './transaction.js'

const source = (baseUrl: string): SearchSource => ({
  columns: scimGroupColumns,
  from: 'scim_groups AS g',
  where: 'g.tenant_id = $1 AND g.connection_id = $2 AND g.deleted_at IS NULL',
  id: 'g.id',
  createdAt: 'g.created_at',
  target: {
    document: 'g.resource',
    columns: new Map<string, ScimColumn>([
      ['id', { kind: 'uuid', sql: 'g.id' }],
      ['displayName', { kind: 'text', sql: () => 'g.display_name', key: 'g.display_name_key' }],
      ['externalId', { kind: 'text', sql: () => 'g.external_id', nullable: true }],
      ['members', { kind: 'values', sql: membersSql(baseUrl) }],
      ['schemas', { kind: 'values', sql: schemasSql }],
      ['meta', { kind: 'always' }],
      ['meta.resourceType', { kind: 'text', sql: (add) => `${add('Group')}::text` }],
      ['meta.created', { kind: 'instant', sql: 'g.created_at' }],
      ['meta.lastModified', { kind: 'instant', sql: 'g.updated_at' }],
      ['meta.location', { kind: 'text', sql: (add) => `(${add(`${baseUrl}/Groups/`)}::text || g.id::text)` }],
      ['meta.version', { kind: 'text', sql: () => `('W/"' || g.version || '"')` }],
    ]),
    narrow: new Map(),
    equal: new Map([['members.value', holds]]),
  },
})

/** By the index on members, and never by looking through a group: ids are compared exactly. */
const holds = (value: string, add: AddParameter): string =>
  isUuid(value)
    ? `EXISTS (SELECT 1 FROM scim_group_members AS m
        WHERE m.tenant_id = $1 AND m.member_id = ${add(value)}::uuid AND m.group_id = g.id AND m.generation = g.generation)`
    : 'FALSE'

const membersSql =
  (baseUrl: string) =>
  (add: AddParameter): string =>
    `SELECT jsonb_build_object('value', m.member_id, 'type', CASE WHEN m.nested_id IS NULL THEN 'User' ELSE 'Group' END, 'display', ${memberDisplay},
       '$ref', ${add(baseUrl)}::text || CASE WHEN m.nested_id IS NULL THEN '/Users/' ELSE '/Groups/' END || m.member_id)
     FROM scim_group_members AS m LEFT JOIN scim_users AS mu ON mu.tenant_id = $1 AND mu.id = m.user_id
     LEFT JOIN scim_groups AS mg ON mg.tenant_id = $1 AND mg.id = m.nested_id
     WHERE m.tenant_id = $1 AND m.group_id = g.id AND m.generation = g.generation`

const schemasSql = (add: AddParameter): string =>
  `SELECT to_jsonb(${add(groupSchema)}::text) UNION ALL SELECT to_jsonb(name) FROM jsonb_object_keys(g.resource) AS name WHERE name ~* '^urn:'`

/** A page with members holds as many groups as have this many together, or one: the page is shorter than was asked for, as a server may decide. */
const mostMembersOfPage = mostMembers

/** A page of groups; `baseUrl` is where the tenant's resources say that they are. */
export async function searchScimGroups(
  db: Db,
  directory: Directory,
  question: SearchQuestion,
  baseUrl: string,
  withMembers: boolean,
): Promise<SearchAnswer<ScimGroup>> {
  const found = await searchResources<ScimGroupRow & { readonly sort_key?: string | null }>(db, directory, source(baseUrl), question)
  const rows = withMembers ? firstOf(found.rows) : found.rows
  const last = rows.at(-1)
  const isCut = rows.length < found.rows.length && question.page.by === 'position' && last !== undefined
  return { ...found, rows: rows.map(toScimGroup), next: isCut ? { key: last.sort_key ?? undefined, id: last.id } : found.next }
}

function firstOf<Row extends Pick<ScimGroupRow, 'member_count'>>(rows: readonly Row[]): readonly Row[] {
  let members = 0
  const end = rows.findIndex((row, at) => (members += row.member_count) > mostMembersOfPage && at > 0)
  return end < 0 ? rows : rows.slice(0, end)
}
