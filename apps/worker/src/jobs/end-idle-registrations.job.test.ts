/** Clients that registered themselves go when nobody uses them and nothing refers to them, and not before. */
import { randomBytes, randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { registrationLimits } from '@drawbridge/core/oauth/client-registration'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { livingTables } from '@drawbridge/store/idle-clients'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { jobDeps } from '../../test/a-company.js'
import { endIdleRegistrations } from './end-idle-registrations.job.js'

const now = instant(1_800_000_000_000)
const { askedClientSeconds, idleClientSeconds, unusedClientSeconds } = registrationLimits
let fixture: TestDatabase
let acme: ATenant
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
})
afterAll(() => fixture.close())

const owner = (sql: string, ...parameters: readonly unknown[]) => asOwner<Record<string, unknown>>(fixture.ownerUrl, sql, parameters)
const ago = (seconds: number): Date => new Date(addSeconds(now, -seconds))
async function aClient(given: {
  created: number
  used?: number
  approved?: boolean
  blocked?: boolean
  kind?: string
  ended?: boolean
  stated?: boolean
  asked?: number
}) {
  const id = `dbd_${randomUUID()}` as ClientId
  const { created, used, approved = false, blocked = false, kind = 'dynamic', ended = false, stated = false, asked } = given
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at,
       last_used_at, pre_approved, blocked_at, unregistered_at, software_statement, asked_at)
     VALUES ($1, $2, $3, $4, 'Tools', '{http://127.0.0.1/callback}', '{authorization_code}', 'none', '{}', $5, $6, $7, $8, $9, $10, $11)`,
    ...[acme.tenantId, acme.issuerId, id, kind, ago(created), used === undefined ? null : ago(used), approved],
    ...[
      blocked ? ago(created) : null,
      ended ? ago(created) : null,
      stated ? '{"issuer":"x"}' : null,
      asked === undefined ? null : ago(asked),
    ],
  )
  return id
}
const run = (at: Instant = now) => endIdleRegistrations({ ...jobDeps(fixture), clock: { now: () => at } })
const isThere = async (id: ClientId) => (await owner('SELECT 1 FROM clients WHERE client_id = $1', id)).length === 1
const trailOf = async (id: ClientId) =>
  (await owner("SELECT reason FROM audit_events WHERE client_id = $1 AND kind = 'client.registration_ended'", id)).map(
    ({ reason }) => reason,
  )

const [unused, idle, asks] = [unusedClientSeconds, idleClientSeconds, askedClientSeconds]
test.each([
  { what: 'never used and a day old', given: { created: unused + 1 }, goes: true, told: ['never_used'] },
  { what: 'never used and not yet a day old', given: { created: unused - 1 }, goes: false, told: [] },
  { what: 'never used, and approved beforehand', given: { created: unused + 1, approved: true }, goes: false, told: [] },
  {
    what: 'never used, and approved by a statement',
    given: { created: unused + 1, approved: true, stated: true },
    goes: true,
    told: ['never_used'],
  },
  { what: 'never used, and blocked by an admin', given: { created: unused + 1, blocked: true }, goes: false, told: [] },
  { what: 'never used, and asked for not yet a month ago', given: { created: 2 * asks, asked: asks - 1 }, goes: false, told: [] },
  { what: 'never used, and asked for a month ago', given: { created: 2 * asks, asked: asks + 1 }, goes: true, told: ['never_used'] },
  { what: 'used ninety days ago', given: { created: 2 * idle, used: idle + 1 }, goes: true, told: ['idle'] },
  { what: 'used since', given: { created: 2 * idle, used: idle - 1 }, goes: false, told: [] },
  { what: 'of an admin', given: { created: 2 * idle, kind: 'preregistered' }, goes: false, told: [] },
  // It can be fetched again, so nothing is lost by its end, and nothing told.
  { what: 'described by itself a day ago', given: { created: unused + 1, kind: 'metadata_document' }, goes: true, told: [] },
  { what: 'described by itself just now', given: { created: unused - 1, kind: 'metadata_document' }, goes: false, told: [] },
  {
    what: 'described by itself, and asked for not yet a month ago',
    given: { created: 2 * asks, asked: asks - 1, kind: 'metadata_document' },
    goes: false,
    told: [],
  },
  {
    what: 'described by itself, that made room',
    given: { created: 10, ended: true, kind: 'metadata_document' },
    goes: true,
    told: [],
  },
  { what: 'ended before, which was told then', given: { created: 10, ended: true }, goes: true, told: [] },
])('a client $what goes=$goes', async ({ given, goes, told }) => {
  const id = await aClient(given)
  await run()
  expect(await isThere(id)).toBe(!goes)
  expect(await trailOf(id)).toEqual(told)
})

test('a client that anything was granted to stays until that is gone, however long ago it was used', async () => {
  const id = await aClient({ created: 2 * idle, used: idle + 1 })
  const { grantId } = await aGrant(fixture, { ...acme, clientId: id }, { now: instant(addSeconds(now, -idle)) })
  await run()
  expect(await isThere(id)).toBe(true)
  await owner('DELETE FROM refresh_tokens WHERE grant_id = $1', grantId)
  await owner('DELETE FROM authorization_codes WHERE grant_id = $1', grantId)
  await owner('DELETE FROM grants WHERE id = $1', grantId)
  await run()
  expect(await isThere(id)).toBe(false)
})

test('a client at which somebody signs in at this moment stays', async () => {
  const id = await aClient({ created: unused + 1 })
  await owner(
    `INSERT INTO authorization_requests (tenant_id, id, issuer_id, client_id, browser_hash, request, step, tenant_epoch, client_epoch, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, '{}', 'login', 1, 1, $6, $6)`,
    ...[acme.tenantId, randomUUID(), acme.issuerId, id, randomBytes(32), ago(0)],
  )
  await run()
  expect(await isThere(id)).toBe(true)
})

test.each([
  { what: 'an approval', sql: 'UPDATE clients SET pre_approved = true WHERE client_id = $1' },
  { what: 'an approval that was lost', sql: `UPDATE clients SET approval_lost = '{"at":1}' WHERE client_id = $1` },
  { what: 'a block', sql: 'UPDATE clients SET blocked_at = now() WHERE client_id = $1' },
  { what: 'a barrier', sql: 'UPDATE clients SET barrier_at = now(), epoch = 2 WHERE client_id = $1' },
  { what: 'a ceiling', sql: `UPDATE clients SET scope_ceiling = '{read}' WHERE client_id = $1` },
  { what: 'a lifetime', sql: 'UPDATE clients SET access_token_ttl_seconds = 60 WHERE client_id = $1' },
  {
    what: 'a logo that an admin let be shown',
    sql: `INSERT INTO client_logos (tenant_id, issuer_id, client_id, logo_uri, media_type, picture, digest, approved_at)
      SELECT tenant_id, issuer_id, client_id, 'https://x.example', 'image/png', '\\x00', 'd', now() FROM clients WHERE client_id = $1`,
  },
])('a client that describes itself stays for $what of an admin', async ({ sql }) => {
  const id = await aClient({ created: 2 * idle, kind: 'metadata_document' })
  await owner(sql, id)
  await run()
  expect(await isThere(id)).toBe(true)
})

test('one document that many tenants know goes where nobody uses it, and stays where somebody does', async () => {
  const globex = await aTenant(fixture, { slug: 'globex' })
  const id = await aClient({ created: 2 * idle, kind: 'metadata_document' })
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
     SELECT $1, $2, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at FROM clients WHERE client_id = $3`,
    ...[globex.tenantId, globex.issuerId, id],
  )
  await aGrant(fixture, { ...globex, clientId: id }, { now: instant(addSeconds(now, -idle)) })
  await run()
  expect(await owner('SELECT tenant_id FROM clients WHERE client_id = $1', id)).toEqual([{ tenant_id: globex.tenantId }])
})

test('many go in one run, and two workers at once take none twice', async () => {
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
     SELECT $1, $2, 'dbd_many_' || n, 'dynamic', 'Junk', '{}', '{}', 'none', '{}', $3 FROM generate_series(1, 1200) n`,
    ...[acme.tenantId, acme.issuerId, ago(unused + 1)],
  )
  await Promise.all([run(), run()])
  await run()
  expect(await owner("SELECT 1 FROM clients WHERE client_id LIKE 'dbd_many_%'")).toEqual([])
  expect(await owner("SELECT count(*)::int AS n FROM audit_events WHERE client_id LIKE 'dbd_many_%'")).toEqual([{ n: 1200 }])
})

test('every table that refers to clients is looked at, or goes with them', async () => {
  const referring = await owner(
    "SELECT conrelid::regclass::text AS name, confdeltype AS goes FROM pg_constraint WHERE contype = 'f' AND confrelid = 'clients'::regclass",
  )
  expect(referring.length).toBeGreaterThan(livingTables.length)
  const stays = referring.filter(({ goes }) => goes !== 'c').map(({ name }) => name)
  expect(livingTables).toEqual(expect.arrayContaining(stays))
})
