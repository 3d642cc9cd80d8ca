/**
 * No registered hot statement reads all of a table by itself, or of a tenant by an index that is there for something else, whatever the planner knows of the
 * tables: nothing yet (a new database), or that they were nearly empty. A statement that was planned early keeps its plan until the next ANALYZE. What a plan
 * reads of a few rows by the primary key, or through an index without a condition, is not seen here (docs/performance.md).
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { type Explained, isWide, nodesOf } from '@drawbridge/testkit/explained'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HotStatement, hotStatements } from './transaction.js'

/** Tables that grow with every login; what is configured is small, and reading all of one tenant's configuration is a fair question. */
const growing = new Set([
  'grants',
  'authorization_codes',
  'refresh_tokens',
  'browser_sessions',
  'authorization_requests',
  'login_requests',
  'device_codes',
  'parked_messages',
])

let fixture: TestDatabase

beforeAll(async () => {
  fixture = await testDatabase()
  await aTenant(fixture, { slug: 'acme' })
  const here = fileURLToPath(new URL('.', import.meta.url))
  for (const file of readdirSync(here).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')))
    await import(`./${file.slice(0, -3)}.js`)
})
afterAll(() => fixture.close())

async function wideScans(statement: Pick<HotStatement, 'name' | 'text'>): Promise<readonly string[]> {
  const { rows } = await fixture.database.hotPool.query<Explained[number]>(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${statement.text}`)
  return nodesOf(rows)
    .filter((node) => isWide(node, growing))
    .map((node) => ['Relation Name', 'Index Cond', 'Index Name'].map((key) => JSON.stringify(node[key] ?? 'none')).join(' '))
}

async function allWideScans(): Promise<Readonly<Record<string, readonly string[]>>> {
  expect(hotStatements().length).toBeGreaterThan(10)
  const found: Record<string, readonly string[]> = {}
  for (const statement of hotStatements()) {
    const wide = await wideScans(statement)
    if (wide.length > 0) found[statement.name] = wide
  }
  return found
}

test('no whole table or tenant while the tables are new and nothing is known of them', async () => {
  expect(await allWideScans()).toEqual({})
})

test('no whole table or tenant although the tables were seen when they were nearly empty', async () => {
  await asOwner(fixture.ownerUrl, 'ANALYZE')
  expect(await allWideScans()).toEqual({})
})

/** One with a condition is left out: it serves only whoever asks for what the condition says. */
const findingByTenant = `SELECT c.relname AS index FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey) AND a.attname = 'tenant_id'
  WHERE t.relname = ANY ($1) AND NOT i.indisunique AND i.indpred IS NULL ORDER BY 1`

test('of the tables that grow, nothing but a key holds the tenant', async () => {
  const { rows } = await fixture.database.hotPool.query<{ index: string }>(findingByTenant, [[...growing, 'subjects']])
  expect(rows.map(({ index }) => index)).toEqual([])
})

test('a login reads no more people and users than bear its names, however many are out', async () => {
  const [made] = await asOwner<{ tenant_id: string; id: string }>(fixture.ownerUrl, 'SELECT tenant_id, id FROM connections LIMIT 1')
  const at = [made?.tenant_id, made?.id]
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, link_value, email_key, claims, claims_at, created_at, last_login_at, deactivated_at)
     SELECT $1, gen_random_uuid(), $2, 's' || n, 'l' || n, 'e' || n, '{}', now(), now(), now(), now() FROM generate_series(1, 3000) n`,
    at,
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, active, resource, created_at, updated_at)
     SELECT $1, gen_random_uuid(), $2, 'u' || n, 'u' || n, 'x' || n, false, '{}', now(), now() FROM generate_series(1, 3000) n`,
    at,
  )
  await asOwner(fixture.ownerUrl, 'ANALYZE')
  const { rows } = await fixture.database.hotPool.query<Explained[number]>(
    `EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${hotStatements().find(({ name }) => name === 'complete_login')?.text}`,
  )
  const nodes = nodesOf(rows)
  const named = /stable_id|link_value|email_key|user_name_key|external_id|[( ]id = /
  const byIndex = nodes.filter((node) => /^(?:subjects|scim_users)_/.test(String(node['Index Name'])))
  expect(byIndex.filter((node) => !/scim_user_id/.test(String(node['Index Cond'])) && !named.test(String(node['Index Cond'])))).toEqual([])
  expect(
    nodes.filter((node) => node['Node Type'] === 'Seq Scan' && /^(?:subjects|scim_users)$/.test(String(node['Relation Name']))),
  ).toEqual([])
  expect(byIndex.length).toBeGreaterThan(5)
})

test('a statement that reads a whole table would be seen', async () => {
  expect(await wideScans({ name: 'wide', text: 'SELECT 1 FROM grants WHERE revoked_reason = $1' })).toHaveLength(1)
})

test('an index that begins with the tenant would be seen', async () => {
  await asOwner(fixture.ownerUrl, 'CREATE INDEX grants_acr_idx ON grants (tenant_id, acr)')
  expect(await wideScans({ name: 'tied', text: 'SELECT 1 FROM grants WHERE tenant_id = $1 AND id = $2' })).toHaveLength(1)
})
