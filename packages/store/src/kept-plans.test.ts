/**
 * No kept statement reads all of a table or of a tenant, whatever the planner knows of the tables: nothing yet, or that they were nearly empty. A
 * connection that kept a plan early keeps it until the next ANALYZE.
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { type Explained, isWide, nodesOf, type PlanNode } from '@drawbridge/testkit/explained'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KeptStatement, keptStatements, statementRegistry } from './kept-statements.js'

const growing = new Set([
  ...['audit_events', 'deliveries', 'deprovisioning_events', 'grants', 'notice_deliveries', 'notice_receipts', 'notices', 'outbox'],
  ...[
    'recorded_logins',
    'revocations',
    'scim_group_members',
    'scim_groups',
    'scim_user_keys',
    'scim_users',
    'subjects',
    'unmatched_signals',
  ],
])

/**
 * While all companies together have a page of people, an index that begins with the tenant costs the planner the same as the key, and the newest wins. A
 * plan that was kept then reads that page, and what is added to it until autovacuum's ANALYZE comes within a minute; the third test says that it is over
 * by then. Without the tenant these indexes would hold whoever bears the same short name at any company.
 */
const tied = new Set([
  ...['scim_users_tenant_id_user_name_key_idx', 'scim_users_tenant_id_connection_id_external_id_idx'],
  ...['scim_group_members_tenant_id_member_id_idx', 'subjects_tenant_id_connection_id_stable_id_key'],
])

let fixture: TestDatabase
let all: readonly KeptStatement[]

beforeAll(async () => {
  fixture = await testDatabase()
  await aTenant(fixture, { slug: 'acme' })
  const here = fileURLToPath(new URL('.', import.meta.url))
  for (const file of readdirSync(here).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')))
    await import(`./${file.slice(0, -3)}.js`)
  all = keptStatements()
})
afterAll(() => fixture.close())

const mayNot = '42501'

/** Its one plan for all values; undefined: this role may not ask it. */
async function generic(pool: pg.Pool, { text }: Pick<KeptStatement, 'text'>): Promise<readonly PlanNode[] | undefined> {
  try {
    return nodesOf((await pool.query<Explained[number]>(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`)).rows)
  } catch (cause) {
    if ((cause as { code?: unknown }).code === mayNot) return undefined
    throw cause
  }
}

const told = (node: PlanNode) => ['Relation Name', 'Index Cond', 'Index Name'].map((key) => JSON.stringify(node[key] ?? 'none')).join(' ')

async function wideReads(
  statements: readonly Pick<KeptStatement, 'text'>[],
  allowed: ReadonlySet<string> = tied,
): Promise<readonly (readonly string[])[]> {
  const found: string[][] = []
  for (const statement of statements) {
    const plans = [await generic(fixture.database.tenantPool, statement), await generic(fixture.database.acrossPool, statement)]
    const asked = plans.filter((plan) => plan !== undefined)
    expect(asked.length, statement.text).toBeGreaterThan(0)
    const wide = asked.flat().filter((node) => isWide(node, growing) && !allowed.has(String(node['Index Name'])))
    if (wide.length > 0) found.push([statement.text, ...wide.map(told)])
  }
  return found
}

test('no whole table or tenant while the tables are new and nothing is known of them', async () => {
  expect(all.length).toBeGreaterThan(50)
  expect(await wideReads(all)).toEqual([])
})

test('no whole table or tenant although the tables were seen when they were nearly empty', async () => {
  await asOwner(fixture.ownerUrl, 'ANALYZE')
  expect(await wideReads(all)).toEqual([])
})

test('a statement that reads a whole table would be seen', async () => {
  expect(await wideReads([{ text: 'SELECT 1 FROM grants WHERE revoked_reason = $1' }])).toHaveLength(1)
})

test('nothing wide at all once there are some thousands of people', async () => {
  await asOwner(
    fixture.ownerUrl,
    `WITH c AS (SELECT tenant_id, id FROM connections LIMIT 1),
     g AS (INSERT INTO scim_groups (tenant_id, id, connection_id, display_name, display_name_key, resource, created_at, updated_at)
       SELECT tenant_id, gen_random_uuid(), id, 'all', 'all', '{}', now(), now() FROM c RETURNING tenant_id, id),
     u AS (INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, resource, created_at, updated_at)
       SELECT tenant_id, gen_random_uuid(), id, 'u' || n, 'u' || n, 'x' || n, '{}', now(), now() FROM c, generate_series(1, 3000) n RETURNING tenant_id, id, connection_id),
     m AS (INSERT INTO scim_group_members (tenant_id, group_id, member_id, user_id, generation)
       SELECT u.tenant_id, g.id, u.id, u.id, 1 FROM u, g RETURNING 1)
     INSERT INTO subjects (tenant_id, id, connection_id, stable_id, scim_user_id, claims, claims_at, created_at, last_login_at)
       SELECT tenant_id, gen_random_uuid(), connection_id, id::text, id, '{}', now(), now(), now() FROM u`,
  )
  await asOwner(fixture.ownerUrl, 'ANALYZE')
  expect(await wideReads(all, new Set())).toEqual([])
})

test('a column that a migration adds changes the answer of none: no kept plan becomes useless by it', async () => {
  const answers = async () => {
    const found: string[] = []
    for (const pool of [fixture.database.tenantPool, fixture.database.acrossPool])
      for (const { text } of all) found.push(`${text} answers ${await answeredTypes(pool, text)}`)
    return found
  }
  const before = await answers()
  await asOwner(
    fixture.ownerUrl,
    `DO $$ DECLARE each text; BEGIN
       FOR each IN SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
         EXECUTE 'ALTER TABLE ' || each || ' ADD COLUMN added_later integer';
       END LOOP; END $$`,
  )
  expect(await answers()).toEqual(before)
}, 60_000)

async function answeredTypes(pool: pg.Pool, text: string): Promise<string> {
  const client = await pool.connect()
  try {
    await client.query(`PREPARE asked AS ${text}`)
    const { rows } = await client.query<{ types: string | null }>(
      "SELECT result_types::text AS types FROM pg_prepared_statements WHERE name = 'asked'",
    )
    return rows[0]?.types ?? 'nothing'
  } finally {
    await client.query('DEALLOCATE ALL')
    client.release()
  }
}

test('a registry has room for as many statements as it says, knows one when it comes again, and refuses the next aloud', () => {
  const { keep, all: kept } = statementRegistry(2)
  expect([keep('SELECT 1'), keep('SELECT 2'), keep('SELECT 1')].map(({ text }) => text)).toEqual(['SELECT 1', 'SELECT 2', 'SELECT 1'])
  expect(new Set(kept().map(({ name }) => name)).size).toBe(2)
  expect(() => keep('SELECT 3')).toThrow('more than 2 statements would be kept')
})
