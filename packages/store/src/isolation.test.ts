import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { instant } from '@drawbridge/core/instant'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { listen } from './changes.js'
import { ensureInstallation, moveLabClock } from './installation.js'
import { acrossTenants, type HotStatement, hotStatements, inTenant, toTimestamp } from './transaction.js'

const acme = 'aaaaaaaa-0000-4000-8000-000000000001' as TenantId
const globex = 'bbbbbbbb-0000-4000-8000-000000000002' as TenantId
const acmeConnection = 'aaaaaaaa-0000-4000-8000-00000000000c'
const epochStart = toTimestamp(instant(0))
let fixture: TestDatabase
let owner: <Row = Record<string, unknown>>(sql: string, parameters?: readonly unknown[]) => Promise<Row[]>

beforeAll(async () => {
  fixture = await testDatabase()
  owner = (sql, parameters) => asOwner(fixture.ownerUrl, sql, parameters)
  for (const [id, slug] of [
    [acme, 'acme'],
    [globex, 'globex'],
  ]) {
    await owner('INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $2, $3)', [id, slug, epochStart])
  }
  await owner("INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'x', '{}', $3)", [
    acme,
    acmeConnection,
    epochStart,
  ])
})
afterAll(() => fixture.close())

describe('the schema keeps tenants apart (security.md §19)', () => {
  it('stores no reference that crosses tenants, not even the owner’s', async () => {
    const crossing = owner("INSERT INTO domains (tenant_id, domain, connection_id, created_at) VALUES ($1, 'x.example', $2, $3)", [
      globex,
      acmeConnection,
      epochStart,
    ])
    await expect(crossing).rejects.toMatchObject({ code: '23503' })
  })

  it('begins every foreign key between tenant tables with a tenant', async () => {
    const keys = await owner<{ name: string; first: string }>(`SELECT c.conname AS name, a.attname AS first FROM pg_constraint AS c
      JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'f'`)
    expect(keys.length).toBeGreaterThan(50)
    expect(keys.filter((key) => !/^(issuer_|resource_)?tenant_id$/.test(key.first))).toEqual([])
  })

  it('lets no temporary table stand in for one of ours inside a function', async () => {
    const open = await owner<{ name: string }>(`SELECT p.oid::regprocedure::text AS name FROM pg_proc p
      JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'public'
      WHERE (p.prosecdef OR p.proconfig IS NOT NULL) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%, pg_temp')`)
    expect(open).toEqual([])
  })

  it('begins every primary key with tenant_id and forces row-level security', async () => {
    const tables = await owner<{
      name: string
      first: string
      forced: boolean
    }>(`SELECT t.relname AS name, a.attname AS first, t.relforcerowsecurity AS forced
      FROM pg_class AS t JOIN pg_constraint AS c ON c.conrelid = t.oid AND c.contype = 'p' JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
      WHERE t.relnamespace = 'public'::regnamespace AND t.relname NOT IN ('installation', 'master_keys', 'shared_limits', 'tenants', '_prisma_migrations')`)
    expect(tables.length).toBeGreaterThan(25)
    expect(tables.filter((table) => table.first !== 'tenant_id' || !table.forced)).toEqual([])
  })

  it('hides other tenants’ rows and refuses to write them', async () => {
    const seen = await inTenant(fixture.database, globex, (db) => db.query('SELECT id FROM connections'))
    expect(seen.rows).toEqual([])
    const updated = await inTenant(fixture.database, globex, (db) => db.query("UPDATE connections SET name = 'stolen'"))
    expect(updated.rowCount).toBe(0)
    const planted = inTenant(fixture.database, globex, (db) =>
      db.query("INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', 'x', '{}', $3)", [
        acme,
        globex,
        epochStart,
      ]),
    )
    await expect(planted).rejects.toMatchObject({ code: '42501' })
  })

  it('shows nothing when no tenant is set', async () => {
    const { rows } = await fixture.database.tenantPool.query('SELECT id FROM tenants')
    expect(rows).toEqual([])
  })

  it('gives the hot role no administration', async () => {
    await expect(fixture.database.hotPool.query("UPDATE connections SET name = 'x'")).rejects.toMatchObject({ code: '42501' })
    await expect(fixture.database.hotPool.query('SELECT * FROM admin_keys')).rejects.toMatchObject({ code: '42501' })
  })

  it('runs as a role that cannot leave its roles', async () => {
    const { rows } = await fixture.database.hotPool.query<{ rolsuper: boolean; rolbypassrls: boolean }>(
      'SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname IN (current_user, session_user)',
    )
    expect(rows).toEqual([
      { rolsuper: false, rolbypassrls: false },
      { rolsuper: false, rolbypassrls: false },
    ])
  })
})

describe('what was written is never changed', () => {
  it('keeps the audit trail append-only, for the owner too', async () => {
    await owner("INSERT INTO audit_events (tenant_id, at, kind, scopes, detail) VALUES ($1, $2, 'x', '{}', '{}')", [acme, epochStart])
    await expect(owner("UPDATE audit_events SET kind = 'y'")).rejects.toMatchObject({ code: '23000' })
    await expect(owner('DELETE FROM audit_events')).rejects.toMatchObject({ code: '23000' })
    await expect(inTenant(fixture.database, acme, (db) => db.query('DELETE FROM audit_events'))).rejects.toMatchObject({ code: '42501' })
  })

  it('keeps an installation the kind that it was made (security.md §13)', async () => {
    const made = await ensureInstallation(fixture.database, { kind: 'demo', installationId: acme, now: instant(0) })
    const again = await ensureInstallation(fixture.database, { kind: 'lab', installationId: globex, now: instant(0) })
    expect([made.kind, again.kind, again.installationId]).toEqual(['demo', 'demo', acme])
    await expect(owner("UPDATE installation SET kind = 'lab'")).rejects.toMatchObject({ code: '23000' })
    await expect(moveLabClock(fixture.database, 5000)).rejects.toMatchObject({ code: '23514' })
  })
})

test('a change of configuration raises the version and tells whoever listens', async () => {
  const heard: string[] = []
  const listening = await listen(fixture.database, { channels: ['drawbridge_changes'], onChange: (change) => heard.push(change.payload) })
  const version = async () => {
    const { rows } = await acrossTenants(fixture.database, (db) =>
      db.query<{ v: number }>('SELECT configuration_version AS v FROM tenants WHERE id = $1', [acme]),
    )
    return rows[0]?.v ?? 0
  }
  const before = await version()
  await inTenant(fixture.database, acme, (db) => db.query("UPDATE connections SET name = 'renamed'"))
  expect(await version()).toBe(before + 1)
  for (let i = 0; i < 50 && heard.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 20))
  await listening.close()
  expect(heard).toEqual([acme])
})

type PlanNode = { 'Node Type': string; 'Relation Name'?: string; Plans?: PlanNode[]; [key: string]: unknown }

/** Every scan of a tenant table in the plan, with the conditions that hold it. */
function scans(node: PlanNode): { table: string; conditions: string }[] {
  const own =
    node['Relation Name'] !== undefined && node['Node Type'] !== 'ModifyTable'
      ? [
          {
            table: node['Relation Name'],
            conditions: ['Index Cond', 'Recheck Cond', 'Filter', 'Hash Cond', 'TID Cond']
              .map((key) => JSON.stringify(node[key] ?? ''))
              .join(' '),
          },
        ]
      : []
  return [...own, ...(node.Plans ?? []).flatMap(scans)]
}

async function unheldScans(statement: HotStatement): Promise<string[]> {
  const rows = await owner<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(`EXPLAIN (GENERIC_PLAN, VERBOSE, FORMAT JSON) ${statement.text}`)
  const plan = rows[0]?.['QUERY PLAN'][0].Plan
  return (plan ? scans(plan) : [])
    .filter((scan) => !(scan.table in (statement.readsElsewhere ?? {})))
    .filter((scan) => !(scan.table === 'tenants' ? /\bid = / : /tenant_id = /).test(scan.conditions))
    .map((scan) => `${scan.table}: ${scan.conditions}`)
}

describe('every registered hot statement', () => {
  it('holds each scan of a tenant table to its tenant', async () => {
    const here = fileURLToPath(new URL('.', import.meta.url))
    for (const file of readdirSync(here).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')))
      await import(`./${file.slice(0, -3)}.js`)
    const unheld: Record<string, string[]> = {}
    for (const statement of hotStatements()) {
      const found = await unheldScans(statement)
      if (found.length > 0) unheld[statement.name] = found
    }
    expect(unheld).toEqual({})
  })

  it('would be caught if it forgot the tenant', async () => {
    expect(await unheldScans({ name: 'forgetful', text: 'SELECT * FROM grants WHERE id = $1', tenantParameter: 1 })).toHaveLength(1)
  })
})
