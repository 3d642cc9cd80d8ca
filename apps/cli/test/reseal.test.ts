/** The master key rotates on real PostgreSQL: everything that lasts is sealed anew, and the old key is kept while anything needs it. */
import { randomBytes, randomUUID } from 'node:crypto'
import { reportOf, reseal } from '@drawbridge/cli/reseal'
import { instant } from '@drawbridge/core/instant'
import { systemRandom } from '@drawbridge/crypto/random'
import { createSealer } from '@drawbridge/crypto/seal'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import { ensureInstallation } from '@drawbridge/store/installation'
import {
  expiringSealedColumns,
  lastingSealedColumns,
  listSealedBeforeVersionAcrossTenants,
  replaceSealed,
} from '@drawbridge/store/sealed-values'
import { inTenant } from '@drawbridge/store/transaction'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

/** More than one batch of rows is written and sealed anew here, each in a statement of its own. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const now = instant(1_800_000_000_000)
const random = systemRandom()
const [first, second] = [1, 2].map((version) => ({ version, key: Buffer.alloc(32, version) })) as [
  { version: number; key: Buffer },
  { version: number; key: Buffer },
]
const installation = { installationId: random.uuid(), kind: 'production' as const, labClockOffsetMs: 0 }
const before = createSealer([first])
const during = createSealer([first, second])
const after = createSealer([second])
let fixture: TestDatabase
let tenants: readonly ATenant[]
beforeAll(async () => {
  fixture = await testDatabase()
  await ensureInstallation(fixture.database, { ...installation, now })
  tenants = [await aTenant(fixture, { slug: 'acme' }), await aTenant(fixture, { slug: 'globex' })]
})
afterAll(() => fixture.close())

const owner = (sql: string, parameters: readonly unknown[] = []) => asOwner<Record<string, unknown>>(fixture.ownerUrl, sql, parameters)
const at = (tenant: string, table: string, column: string, row: string) => ({
  installation: installation.installationId,
  tenant,
  table,
  column,
  row,
})
const run = (sealer = during, time = now) => reseal({ database: fixture.database, sealer, installation, clock: { now: () => time } })

async function sealedKey(tenant: ATenant): Promise<string> {
  const key = generateSigningKey(random, 'tokens')
  await owner(
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at)
     VALUES ($1, $2, $3, 'tokens', 'ES256', 'retired', $4, $5, $6)`,
    [
      tenant.tenantId,
      key.id,
      tenant.issuerId,
      JSON.stringify(key.publicJwk),
      before.seal(key.privateKey, at(tenant.tenantId, 'signing_keys', 'sealed_private_key', key.id)),
      new Date(now),
    ],
  )
  return key.id
}

test('every sealed column of the database is either sealed anew or known to expire', async () => {
  const found = await owner(
    "SELECT table_name AS table, column_name AS column FROM information_schema.columns WHERE table_schema = 'public' AND data_type = 'bytea' AND column_name LIKE '%sealed%'",
  )
  const named = [...lastingSealedColumns, ...expiringSealedColumns].map(({ table, column }) => `${table}.${column}`)
  expect(found.map((row) => `${row['table']}.${row['column']}`).sort()).toEqual([...named].sort())
})

const untouched = Object.fromEntries(lastingSealedColumns.map(({ table, column }) => [`${table}.${column}`, 0]))

test('all rows of all tenants, more than one batch of them, open under the new key alone afterwards', async () => {
  for (const tenant of tenants) {
    const secret = before.seal(Buffer.from('s3cret'), at(tenant.tenantId, 'connections', 'sealed_secret', tenant.connectionId))
    await owner('UPDATE connections SET sealed_secret = $2 WHERE id = $1', [tenant.connectionId, secret])
    for (let n = 0; n < 60; n += 1) await sealedKey(tenant)
  }
  const [traced] = tenants as [ATenant]
  const trace = randomUUID()
  await owner(
    `INSERT INTO login_traces (tenant_id, id, code, connection_id, at, outcome, reason, proven, sealed, expires_at)
     VALUES ($1, $2, 'TRACE', $3, now(), 'refused', 'saml_unsigned', false, $4, now())`,
    [traced.tenantId, trace, traced.connectionId, before.seal(Buffer.from('{}'), at(traced.tenantId, 'login_traces', 'sealed', trace))],
  )
  const app = randomUUID()
  await owner(
    `INSERT INTO factors (tenant_id, id, subject_id, kind, name, enrolled_by, enrolled_in, sealed_secret, last_step, created_at)
     VALUES ($1, $2, $3, 'totp', 'App', 'code', $2, $4, 0, now())`,
    [traced.tenantId, app, traced.subjectId, before.seal(Buffer.from('KEY'), at(traced.tenantId, 'factors', 'sealed_secret', app))],
  )
  const stream = before.seal(Buffer.from('{}'), at(traced.tenantId, 'signal_streams', 'sealed_credential', traced.connectionId))
  await owner("INSERT INTO signal_streams (tenant_id, id, delivery, sealed_credential, created_at) VALUES ($1, $2, 'push', $3, now())", [
    ...[traced.tenantId, traced.connectionId, stream],
  ])
  const hook = randomUUID()
  const hookSecret = (column: string) => before.seal(Buffer.from('whsec'), at(traced.tenantId, 'webhook_endpoints', column, hook))
  await owner(
    `INSERT INTO webhook_endpoints (tenant_id, id, name, url, events, sealed_secret, sealed_former_secret, former_until, created_at)
     VALUES ($1, $2, 'SIEM', 'https://siem.example', '{}', $3, $4, '2099-01-01', now())`,
    [traced.tenantId, hook, hookSecret('sealed_secret'), hookSecret('sealed_former_secret')],
  )
  const done = await run()
  expect(done).toEqual({
    resealed: {
      ...untouched,
      'signing_keys.sealed_private_key': 120,
      'connections.sealed_secret': 2,
      'login_traces.sealed': 1,
      'factors.sealed_secret': 1,
      'signal_streams.sealed_credential': 1,
      'webhook_endpoints.sealed_secret': 1,
      'webhook_endpoints.sealed_former_secret': 1,
    },
    overtaken: 0,
    unopened: [],
    uses: [],
  })
  expect(reportOf(done, 2).at(-1)).toContain('Remove older keys once')
  for (const { table, column } of lastingSealedColumns)
    for (const row of await owner(`SELECT tenant_id, id, ${column} AS sealed FROM ${table} WHERE ${column} IS NOT NULL`))
      expect(after.open(row['sealed'] as Buffer, at(String(row['tenant_id']), table, column, String(row['id']))).ok).toBe(true)
  expect((await run()).resealed).toEqual(untouched)
})

test('what a broker replaces meanwhile stays as the broker wrote it', async () => {
  const [acme] = tenants as [ATenant]
  const column = lastingSealedColumns[1]
  const context = at(acme.tenantId, 'connections', 'sealed_secret', acme.connectionId)
  await owner('UPDATE connections SET sealed_secret = $2 WHERE id = $1', [acme.connectionId, before.seal(Buffer.from('old'), context)])
  const [row] = await listSealedBeforeVersionAcrossTenants(fixture.database, column, { version: 2, after: undefined, limit: 10 })
  if (!row) throw new Error('nothing found')
  const newer = during.seal(Buffer.from('new'), context)
  await owner('UPDATE connections SET sealed_secret = $2 WHERE id = $1', [acme.connectionId, newer])
  expect(
    await inTenant(fixture.database, acme.tenantId, (db) =>
      replaceSealed(db, column, { ...row, resealed: during.seal(Buffer.from('old'), context) }),
    ),
  ).toBe(false)
  expect(await owner('SELECT sealed_secret FROM connections WHERE id = $1', [acme.connectionId])).toEqual([{ sealed_secret: newer }])
})

test('a value that no key opens is named, left alone, and keeps the old key', async () => {
  const [acme] = tenants as [ATenant]
  const id = await sealedKey(acme)
  const done = await run(createSealer([{ version: 1, key: Buffer.alloc(32, 9) }, second]))
  expect(done.unopened).toEqual([`signing_keys.sealed_private_key of tenant ${acme.tenantId}, row ${id}`])
  expect(done.uses).toEqual([{ what: 'signing_keys', count: 1, until: undefined }])
  expect(reportOf(done, 2).at(-1)).toContain('Keep every master key older')
  expect((await run()).uses).toEqual([])
})

test('the old key is kept while a repeated refresh would derive with it, and while a parked message waits', async () => {
  const [acme] = tenants as [ATenant]
  const { grantId } = await aGrant(fixture, acme, { now })
  await owner(
    `INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at, rotated_at, successor_hash, successor_key_version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $8, 1)`,
    [acme.tenantId, randomBytes(32), grantId, acme.issuerId, acme.clientId, new Date(now), new Date(now + 3_600_000), randomBytes(32)],
  )
  const handle = randomBytes(32)
  await owner('INSERT INTO parked_messages (tenant_id, handle_hash, connection_id, sealed, expires_at) VALUES ($1, $2, $3, $4, $5)', [
    acme.tenantId,
    handle,
    acme.connectionId,
    before.seal(Buffer.from('a message'), at(acme.tenantId, 'parked_messages', 'sealed', handle.toString('hex'))),
    new Date(now + 120_000),
  ])
  expect((await run()).uses).toEqual([
    { what: 'parked_messages', count: 1, until: now + 120_000 },
    { what: 'refresh_tokens', count: 1, until: now + 30_000 },
  ])
  expect((await run(during, instant(now + 30_000))).uses.map(({ what }) => what)).toEqual(['parked_messages'])
  expect((await run(during, instant(now + 120_000))).uses).toEqual([])
})
