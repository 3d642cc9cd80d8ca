/** What the database says for a directory: whose groups they are, how far up nesting goes, and when nobody knows. */
import { nestedGroupDepth } from '@drawbridge/core/identity/directory-claims'
import { instant } from '@drawbridge/core/instant'
import { policyLimits } from '@drawbridge/core/policy/error'
import { aScimGroup } from '@drawbridge/testkit/a-scim-group'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { directorySays, noteFirstGroup, raiseClaimsOfUser, raiseIfSourcesChanged } from './directory.js'
import { inTenant } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let tenants = 0
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, sql, parameters)
async function aDirectory(configuration: object = {}) {
  tenants += 1
  const tenant = await aTenant(fixture, { slug: `company-${tenants}` })
  await owner('UPDATE connections SET configuration = $2 WHERE id = $1', [tenant.connectionId, JSON.stringify(configuration)])
  return { ...tenant, user: await aScimUser(fixture, tenant, 'ada', { externalId: 'hr-1' }) }
}
const saidOf = async ({ tenantId, connectionId }: ATenant, user: string | null) => {
  const text = `SELECT ${directorySays({ connection: '$2::uuid', user: '$3::uuid' })} AS said`
  const { rows } = await inTenant(fixture.database, tenantId, (db) => db.query<{ said: unknown }>(text, [tenantId, connectionId, user]))
  return rows[0]?.said
}
const versionsOf = async ({ connectionId }: ATenant) =>
  (await owner('SELECT directory_version, directory_barrier FROM connections WHERE id = $1', [connectionId]))[0]

it('decides nothing before its first group, and everything from then on: who is in none is in none, whom it does not know nobody knows', async () => {
  const acme = await aDirectory()
  expect(await saidOf(acme, acme.user)).toBeNull()
  const grace = await aScimUser(fixture, acme, 'grace')
  await aScimGroup(fixture, acme, 'Staff', { externalId: 'g-1', users: [acme.user] })
  expect(await saidOf(acme, acme.user)).toEqual({ groups: [['Staff', 'g-1']], user: null })
  expect(await saidOf(acme, grace)).toEqual({ groups: [], user: null })
  expect(await saidOf(acme, null)).toEqual({ groups: 'unknown', user: null })
  await owner('UPDATE scim_users SET deleted_at = now() WHERE id = $1', [acme.user])
  expect(await saidOf(acme, acme.user)).toEqual({ groups: 'unknown', user: null })
})

it.each([
  ['login', true, null],
  ['directory', true, { groups: [['Staff', null]], user: null }],
  ['directory', false, { groups: 'unknown', user: null }],
])('an explicit %s holds, whether the directory has sent groups (%s) or not', async (groups, hasSent, said) => {
  const acme = await aDirectory({ directory: { groups } })
  if (hasSent) await aScimGroup(fixture, acme, 'Staff', { users: [acme.user] })
  expect(await saidOf(acme, acme.user)).toEqual(said)
})

it('says what its user is where a claim is mapped from it', async () => {
  const acme = await aDirectory({ mapping: { claims: { department: { directory: 'title' } } } })
  await owner(`UPDATE scim_users SET resource = '{"title": "Analyst"}' WHERE id = $1`, [acme.user])
  expect(await saidOf(acme, acme.user)).toEqual({ groups: 'login', user: { title: 'Analyst', userName: 'ada', externalId: 'hr-1' } })
  expect(await saidOf(acme, null)).toEqual({ groups: 'login', user: null })
})

it('a group that holds her group holds her, to the limit and in circles; beyond the limit her groups are unknown', async () => {
  const acme = await aDirectory()
  const first = await aScimGroup(fixture, acme, 'level 1', { users: [acme.user] })
  let inner = first
  for (let level = 2; level <= nestedGroupDepth; level += 1) inner = await aScimGroup(fixture, acme, `level ${level}`, { groups: [inner] })
  await owner(
    'INSERT INTO scim_group_members (tenant_id, group_id, member_id, nested_id, generation) VALUES ($1, $2, $3, $3, 1), ($1, $2, $2, $2, 1)',
    [...[acme.tenantId, first, inner]],
  )
  const groups = Array.from({ length: nestedGroupDepth }, (_, level) => [`level ${level + 1}`, null])
  expect(await saidOf(acme, acme.user)).toEqual({ groups, user: null })
  await aScimGroup(fixture, acme, 'one too high', { groups: [inner] })
  expect(await saidOf(acme, acme.user)).toEqual({ groups: 'unknown', user: null })
})

/** What it says, and how many rows of members it looked at for that. */
async function lookedAt({ tenantId, connectionId }: ATenant, user: string) {
  const text = `SELECT ${directorySays({ connection: '$2::uuid', user: '$3::uuid' })} AS said`
  const looks = `SELECT (idx_tup_fetch + seq_tup_read)::int AS rows FROM pg_stat_xact_user_tables WHERE relname = 'scim_group_members'`
  return inTenant(fixture.database, tenantId, async (db) => {
    // What the connection read before is told with a delay.
    const taken = async () => (await db.query<{ rows: number }>(looks)).rows[0]?.rows ?? 0
    const before = await taken()
    const { rows } = await db.query<{ said: { readonly groups: unknown } }>(text, [tenantId, connectionId, user])
    return { groups: rows[0]?.said.groups, rows: (await taken()) - before }
  })
}
/** Each holds each. */
async function aMesh(acme: ATenant & { readonly user: string }, size: number) {
  const first = await aScimGroup(fixture, acme, 'group 00001', { users: [acme.user] })
  await owner(
    `INSERT INTO scim_groups (tenant_id, id, connection_id, display_name, display_name_key, resource, created_at, updated_at)
     SELECT $1, gen_random_uuid(), $2, name, name, '{}', now(), now() FROM (SELECT 'group ' || lpad(n::text, 5, '0') AS name FROM generate_series(2, $3::int) n) named`,
    [acme.tenantId, acme.connectionId, size],
  )
  await owner(
    `INSERT INTO scim_group_members (tenant_id, group_id, member_id, nested_id, generation)
     SELECT $1, a.id, b.id, b.id, 1 FROM scim_groups a, scim_groups b WHERE a.connection_id = $2 AND b.connection_id = $2 AND a.id <> b.id`,
    [acme.tenantId, acme.connectionId],
  )
  await owner('ANALYZE scim_groups, scim_group_members')
  return first
}

it('groups that hold each other are looked at once each', async () => {
  const acme = await aDirectory()
  await aMesh(acme, 60)
  const looked = await lookedAt(acme, acme.user)
  expect(looked.groups).toHaveLength(60)
  expect(looked.rows).toBe(1 + 60 * 59)
})

it('more of them than may be looked at leave her groups unknown, and are not looked at to the end', async () => {
  const acme = await aDirectory()
  await aMesh(acme, 150)
  const looked = await lookedAt(acme, acme.user)
  expect(looked.groups).toBe('unknown')
  expect(looked.rows).toBeLessThanOrEqual(10 * policyLimits.groups + 1)
})

it('so do more groups than policy reads', async () => {
  const acme = await aDirectory()
  await owner(
    `WITH made AS (INSERT INTO scim_groups (tenant_id, id, connection_id, display_name, display_name_key, resource, created_at, updated_at)
       SELECT $1, gen_random_uuid(), $2, 'g' || n, 'g' || n, '{}', now(), now() FROM generate_series(1, $3::int) n RETURNING id)
     INSERT INTO scim_group_members (tenant_id, group_id, member_id, user_id, generation) SELECT $1, id, $4, $4, 1 FROM made`,
    [acme.tenantId, acme.connectionId, policyLimits.groups, acme.user],
  )
  await owner('UPDATE connections SET groups_since = now() WHERE id = $1', [acme.connectionId])
  expect((await lookedAt(acme, acme.user)).groups).toHaveLength(policyLimits.groups)
  await aScimGroup(fixture, acme, 'one more', { users: [acme.user] })
  expect((await lookedAt(acme, acme.user)).groups).toBe('unknown')
})

it('members of an older generation, and groups that were deleted, hold nobody', async () => {
  const acme = await aDirectory()
  const emptied = await aScimGroup(fixture, acme, 'emptied', { users: [acme.user] })
  const deleted = await aScimGroup(fixture, acme, 'deleted', { users: [acme.user] })
  await owner('UPDATE scim_groups SET generation = 2 WHERE id = $1', [emptied])
  await owner('UPDATE scim_groups SET deleted_at = now() WHERE id = $1', [deleted])
  expect(await saidOf(acme, acme.user)).toEqual({ groups: [], user: null })
})

it('its first group, and another configuration of who decides, raise the connection once; what changes nothing raises nothing', async () => {
  const acme = await aDirectory()
  const change = { tenant: acme.tenantId, connectionId: acme.connectionId, now }
  const inIt = (run: (db: Parameters<Parameters<typeof inTenant>[2]>[0]) => Promise<void>) => inTenant(fixture.database, acme.tenantId, run)
  await inIt((db) => noteFirstGroup(db, change))
  await inIt((db) => noteFirstGroup(db, change))
  expect(await versionsOf(acme)).toEqual({ directory_version: 1, directory_barrier: 1 })
  const claims = { title: { directory: 'title' }, name: { from: ['name'] } }
  const other = { directory: {}, mapping: { claims: { name: { from: ['cn'] }, title: { directory: 'title' } } } }
  await inIt((db) => raiseIfSourcesChanged(db, change, { mapping: { claims } }, other))
  expect(await versionsOf(acme)).toEqual({ directory_version: 1, directory_barrier: 1 })
  await inIt((db) => raiseIfSourcesChanged(db, change, other, { ...other, directory: { groups: 'directory' } }))
  expect(await versionsOf(acme)).toEqual({ directory_version: 2, directory_barrier: 2 })
  const version = async () =>
    Number((await owner('SELECT configuration_version AS v FROM tenants WHERE id = $1', [acme.tenantId]))[0]?.['v'])
  const before = await version()
  await owner('UPDATE connections SET directory_version = directory_version + 1, groups_since = NULL WHERE id = $1', [acme.connectionId])
  expect(await version()).toBe(before)
})

it('a changed user raises her person only where a claim comes from the directory', async () => {
  const raised = async (configuration: object) => {
    const acme = await aDirectory(configuration)
    await owner('UPDATE subjects SET scim_user_id = $2 WHERE id = $1', [acme.subjectId, acme.user])
    await inTenant(fixture.database, acme.tenantId, (db) =>
      raiseClaimsOfUser(db, { tenant: acme.tenantId, connectionId: acme.connectionId, now }, acme.user),
    )
    return (await owner('SELECT claims_version, claims_barrier FROM subjects WHERE id = $1', [acme.subjectId]))[0]
  }
  expect(await raised({})).toEqual({ claims_version: 1, claims_barrier: 0 })
  expect(await raised({ mapping: { claims: { title: { directory: 'title' } } } })).toEqual({ claims_version: 2, claims_barrier: 2 })
})
