/** Where filters find what they ask of people: columns and indexes of `scim_users`, the rest in the document. */

import { pathText } from '@drawbridge/core/scim/attribute-path'
import type { Filter } from '@drawbridge/core/scim/filter'
import type { ScimUser, ScimUserGroup } from '@drawbridge/core/scim/user'
import { userSchema } from '@drawbridge/core/scim/user-schema'
import type { ScimCaller } from './scim-caller.js'
import type { AddParameter, ScimColumn } from './scim-filter-sql.js'
import { type SearchAnswer, type SearchQuestion, type SearchSource, searchResources } from './scim-search.js'
import { groupsOfUserSql, isInGroup, listGroupsOf } from './scim-user-groups.js'
import { type ScimUserRow, scimUserColumns, toScimUser } from './scim-user-row.js'
import { type Db, isUuid } from './transaction.js'

const keyed = (name: string) => (value: string, add: AddParameter) =>
  `u.id IN (SELECT k.user_id FROM scim_user_keys AS k WHERE k.tenant_id = $1 AND k.connection_id = $2 AND k.name = '${name}' AND k.key = scim_key(${add(value)}))`

/** By the index on members or on names of groups, and never by looking through the people. */
const inGroup = (value: string, add: AddParameter): string => (isUuid(value) ? isInGroup(`m.group_id = ${add(value)}::uuid`) : 'FALSE')
/** Lowered by JavaScript, as the key was when it was written. */
const inGroupNamed = (value: string, add: AddParameter): string => isInGroup(`g.display_name_key = ${add(value.toLowerCase())}::text`)

/**
 * Who is in a group is listed by her id, as the index of members has them: a page reads a page. In the order in which they came it would read the whole
 * group to sort it, or the whole directory.
 */
function isOfOneGroup(filter: Filter): boolean {
  if (filter.kind === 'and') return filter.parts.some(isOfOneGroup)
  if (filter.kind === 'some') return pathText(filter.path) === 'groups' && isOneValue(filter.part)
  return filter.kind === 'compare' && !('element' in filter.path) && pathText(filter.path) === 'groups.value' && filter.operator === 'eq'
}

function isOneValue(part: Filter): boolean {
  if (part.kind === 'and') return part.parts.some(isOneValue)
  return part.kind === 'compare' && 'element' in part.path && part.path.element.name === 'value' && part.operator === 'eq'
}

const source = (baseUrl: string): SearchSource => ({
  columns: scimUserColumns,
  from: 'scim_users AS u',
  where: 'u.tenant_id = $1 AND u.connection_id = $2 AND u.deleted_at IS NULL',
  id: 'u.id',
  createdAt: 'u.created_at',
  isInOrderOfId: isOfOneGroup,
  target: {
    document: 'u.resource',
    columns: new Map<string, ScimColumn>([
      ['id', { kind: 'uuid', sql: 'u.id' }],
      ['userName', { kind: 'text', sql: () => 'u.user_name', key: 'u.user_name_key' }],
      ['externalId', { kind: 'text', sql: () => 'u.external_id', nullable: true }],
      ['active', { kind: 'boolean', sql: 'u.active' }],
      ['groups', { kind: 'values', sql: groupsOfUserSql(baseUrl) }],
      ['schemas', { kind: 'values', sql: schemasSql }],
      ['meta', { kind: 'always' }],
      ['meta.resourceType', { kind: 'text', sql: (add) => `${add('User')}::text` }],
      ['meta.created', { kind: 'instant', sql: 'u.created_at' }],
      ['meta.lastModified', { kind: 'instant', sql: 'u.updated_at' }],
      ['meta.location', { kind: 'text', sql: (add) => `(${add(`${baseUrl}/Users/`)}::text || u.id::text)` }],
      ['meta.version', { kind: 'text', sql: () => `('W/"' || u.version || '"')` }],
    ]),
    narrow: new Map([
      ['displayName', keyed('displayName')],
      ['emails.value', keyed('emails.value')],
      ['groups.value', inGroup],
      ['groups.display', inGroupNamed],
    ]),
    equal: new Map([
      ['groups.value', inGroup],
      ['groups.display', inGroupNamed],
    ]),
  },
})

const schemasSql = (add: AddParameter): string =>
  `SELECT to_jsonb(${add(userSchema)}::text) UNION ALL SELECT to_jsonb(name) FROM jsonb_object_keys(u.resource) AS name WHERE name ~* '^urn:'`

/** `groups` absent: nobody asked for them. */
export type FoundUser = { readonly user: ScimUser; readonly groups: readonly ScimUserGroup[] | undefined }

/**
 * A page of people; `baseUrl` is where the tenant's resources say that they are. With groups it may be shorter than was asked for, as a server
 * may decide.
 */
export async function searchScimUsers(
  db: Db,
  caller: Pick<ScimCaller, 'tenant' | 'connectionId'>,
  question: SearchQuestion,
  baseUrl: string,
  withGroups: boolean,
): Promise<SearchAnswer<FoundUser>> {
  const found = await searchResources<ScimUserRow & { readonly sort_key?: string | null }>(db, caller, source(baseUrl), question)
  const groups = withGroups
    ? await listGroupsOf(
        db,
        caller,
        found.rows.map(({ id }) => id),
      )
    : undefined
  const rows = groups === undefined ? found.rows : found.rows.filter(({ id }) => groups.has(id))
  const last = rows.at(-1)
  const isCut = rows.length < found.rows.length && question.page.by === 'position' && last !== undefined
  return {
    ...found,
    rows: rows.map((row) => ({ user: toScimUser(row), groups: groups?.get(row.id) })),
    next: isCut ? { key: last.sort_key ?? undefined, id: last.id } : found.next,
  }
}
