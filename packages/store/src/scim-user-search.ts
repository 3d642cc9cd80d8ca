/** Where filters find what they ask of people: columns and indexes of `scim_users`, the rest in the document. */

import type { ScimUser } from '@drawbridge/core/scim/user'
import { userSchema } from '@drawbridge/core/scim/user-schema'
import type { AddParameter, ScimColumn } from './scim-filter-sql.js'
import { type SearchAnswer, type SearchQuestion, type SearchSource, searchResources } from './scim-search.js'
import { type ScimCaller, type ScimUserRow, scimUserColumns, toScimUser } from './scim-users.js'
import type { Db } from './transaction.js'

const keyed = (name: string) => (value: string, add: AddParameter) =>
  `u.id IN (SELECT k.user_id FROM scim_user_keys AS k WHERE k.tenant_id = $1 AND k.connection_id = $2 AND k.name = '${name}' AND k.key = scim_key(${add(value)}))`

const source = (usersUrl: string): SearchSource => ({
  columns: scimUserColumns,
  from: 'scim_users AS u',
  where: 'u.tenant_id = $1 AND u.connection_id = $2 AND u.deleted_at IS NULL',
  id: 'u.id',
  createdAt: 'u.created_at',
  target: {
    document: 'u.resource',
    columns: new Map<string, ScimColumn>([
      ['id', { kind: 'uuid', sql: 'u.id' }],
      ['userName', { kind: 'text', sql: () => 'u.user_name', key: 'u.user_name_key' }],
      ['externalId', { kind: 'text', sql: () => 'u.external_id', nullable: true }],
      ['active', { kind: 'boolean', sql: 'u.active' }],
      ['schemas', { kind: 'values', sql: schemasSql }],
      ['meta', { kind: 'always' }],
      ['meta.resourceType', { kind: 'text', sql: (add) => `${add('User')}::text` }],
      ['meta.created', { kind: 'instant', sql: 'u.created_at' }],
      ['meta.lastModified', { kind: 'instant', sql: 'u.updated_at' }],
      ['meta.location', { kind: 'text', sql: (add) => `(${add(`${usersUrl}/`)}::text || u.id::text)` }],
      ['meta.version', { kind: 'text', sql: () => `('W/"' || u.version || '"')` }],
    ]),
    narrow: new Map([
      ['displayName', keyed('displayName')],
      ['emails.value', keyed('emails.value')],
    ]),
  },
})

const schemasSql = (add: AddParameter): string =>
  `SELECT to_jsonb(${add(userSchema)}::text) UNION ALL SELECT to_jsonb(name) FROM jsonb_object_keys(u.resource) AS name WHERE name ~* '^urn:'`

/** A page of people; `usersUrl` is where they say that they are. */
export async function searchScimUsers(
  db: Db,
  caller: Pick<ScimCaller, 'tenant' | 'connectionId'>,
  question: SearchQuestion,
  usersUrl: string,
): Promise<SearchAnswer<ScimUser>> {
  const found = await searchResources<ScimUserRow>(db, caller, source(usersUrl), question)
  return { ...found, rows: found.rows.map(toScimUser) }
}
