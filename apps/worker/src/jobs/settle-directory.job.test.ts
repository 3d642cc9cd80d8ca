/** After a directory changed somebody's groups, on a real PostgreSQL: the grants of those whom it touched are decided again, and guards are told. */
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import { instant } from '@drawbridge/core/instant'
import { settleDirectoryEntry, tellSettledEntry } from '@drawbridge/core/revocation/settled-grants'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { raiseClaims, type Touched } from '@drawbridge/store/directory'
import { listLateTenants } from '@drawbridge/store/notice-polls'
import { publishPolicy } from '@drawbridge/store/policies'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { aScimGroup } from '@drawbridge/testkit/a-scim-group'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, jobDeps, random } from '../../test/a-company.js'
import { findJob } from '../jobs.js'

type Company = Awaited<ReturnType<typeof aCompany>>
const now = instant(Date.UTC(2026, 10, 29))
const told = instant(now - 5000)
let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, sql, parameters)

/** Two people, of whom the group holds the first, each with a grant to read and write. */
async function aDirectory(slug: string) {
  const company = await aCompany(fixture, slug)
  const { tenant, issuerId, connection, subject } = company
  const place = { tenantId: tenant as TenantId, connectionId: connection as ConnectionId } as never
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
     VALUES ($1, $2, 'agent', 'preregistered', 'Agent', '{http://127.0.0.1/callback}', '{authorization_code,refresh_token}', 'none', '{read,write}', $3)`,
    [tenant, issuerId, new Date(now)],
  )
  const [resource] = company.resources
  for (const name of ['read', 'write'])
    await owner(
      `INSERT INTO resource_scopes (tenant_id, resource_id, name, tier, description, is_default) VALUES ($1, $2, $3, $3, '', false)`,
      [...[tenant, resource?.id, name]],
    )
  const user = await aScimUser(fixture, place, 'ada')
  const identity = identityToJson({
    ...{ connectionId: connection as never, stableId: 'ada', subjectId: subject as never, claims: new Map() },
    groups: { state: 'absent' },
    authentication: { acr: undefined, amr: [], authenticatedAt: now },
    sessionExpiresAt: undefined,
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
  })
  await owner('UPDATE subjects SET claims = $2, scim_user_id = $3 WHERE id = $1', [subject, JSON.stringify(identity), user])
  const group = await aScimGroup(fixture, place, 'writers', { users: [user] })
  const document = `version: 1
rules: [{ name: all, effect: grant, scopes: [read], everyone: true }]
bundles: [{ name: writers, groups: [writers], scopes: [write] }]`
  const version = await inTenant(fixture.database, tenant as TenantId, (db) =>
    publishPolicy(db, tenant as TenantId, { document, author: 'test', now }),
  )
  const grant = random.uuid()
  await owner(
    `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, subject_id, connection_id, scopes, tenant_epoch,
       client_epoch, connection_epoch, subject_epoch, policy_version, claims_version, amr, authenticated_at, access_token_ttl_seconds, refresh_ttl_seconds,
       expires_at, ceilings, created_at)
     VALUES ($1, $2, $3, 'agent', $1, $4, $5, $6, $7, '{read,write}', 1, 1, 1, 1, $8, 1, '{}', $9::timestamptz, 900, 14400,
       $9::timestamptz + interval '8 hours', '[]', $9)`,
    [tenant, grant, issuerId, resource?.id, resource?.identifier, subject, connection, version, new Date(now)],
  )
  return { ...company, user, group, grant }
}

const takeOut = ({ tenant, connection, group }: Awaited<ReturnType<typeof aDirectory>>, touched: Touched) =>
  inTenant(fixture.database, tenant as TenantId, async (db) => {
    await db.query('DELETE FROM scim_group_members WHERE tenant_id = $1 AND group_id = $2', [tenant, group])
    await raiseClaims(db, { tenant: tenant as TenantId, connectionId: connection as ConnectionId, now: told }, touched)
  })

type Entry = { id: string; payload: { isLastLook?: boolean } }
const undone = ({ tenant }: Company, kind: string) =>
  owner<Entry>('SELECT id, payload FROM outbox WHERE tenant_id = $1 AND kind = $2 AND done_at IS NULL ORDER BY id', [tenant, kind])
async function runUndone(company: Company, kind: string) {
  const entries = await undone(company, kind)
  const deps = { ...jobDeps(fixture), clock: { now: () => now } }
  for (const { id, payload } of entries) await findJob(kind)?.run(deps, { tenant: company.tenant, entry: Number(id), payload })
  return entries
}

it.each(['the one who was named', 'a whole connection'])(
  'the grants of %s are settled, then looked at once more, and guards are told',
  async (whom) => {
    const acme = await aDirectory(whom.replaceAll(' ', '-'))
    await takeOut(acme, whom === 'a whole connection' ? 'everybody' : [acme.user])
    expect(await runUndone(acme, settleDirectoryEntry)).toHaveLength(1)
    const [left] = await owner('SELECT scopes, epoch, revoked_at FROM grants WHERE id = $1', [acme.grant])
    expect(left).toEqual({ scopes: ['read'], epoch: 2, revoked_at: null })
    const [lastLook] = await runUndone(acme, settleDirectoryEntry)
    expect(lastLook?.payload.isLastLook).toBe(true)
    expect(await undone(acme, settleDirectoryEntry)).toEqual([])
    expect(await runUndone(acme, tellSettledEntry)).toHaveLength(1)
    const [event] = await owner(
      'SELECT source, target, reason, received_at, barrier_at, swept_at FROM deprovisioning_events WHERE target_id = $1',
      [acme.grant],
    )
    // The receipt counts from when the directory was believed, not from when somebody came to this grant.
    expect(event).toEqual({
      ...{ source: 'scim', target: 'grant', reason: 'what the directory says now: shrunk' },
      ...{ received_at: new Date(told), barrier_at: new Date(told), swept_at: new Date(now) },
    })
    const [notice] = await owner<{ token: string }>(
      'SELECT token FROM notices WHERE event_id IN (SELECT id FROM deprovisioning_events WHERE target_id = $1)',
      [acme.grant],
    )
    const payload = JSON.parse(Buffer.from(notice?.token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
    expect(payload).toMatchObject({
      events: {
        'https://schemas.openid.net/secevent/caep/event-type/token-claims-change': {
          initiating_entity: 'admin',
          claims: { scope: 'read' },
        },
      },
      drawbridge: { target: 'grant', targetId: acme.grant, epoch: 2 },
    })
  },
)

it('who loses nothing keeps her tokens, and a second run finds nothing to do', async () => {
  const acme = await aDirectory('nothing-lost')
  await inTenant(fixture.database, acme.tenant as TenantId, (db) =>
    raiseClaims(db, { tenant: acme.tenant as TenantId, connectionId: acme.connection as ConnectionId, now }, [acme.user]),
  )
  const [entry] = await runUndone(acme, settleDirectoryEntry)
  const deps = { ...jobDeps(fixture), clock: { now: () => now } }
  await findJob(settleDirectoryEntry)?.run(deps, { tenant: acme.tenant, entry: Number(entry?.id), payload: entry?.payload })
  expect(await undone(acme, settleDirectoryEntry)).toHaveLength(1)
  const [left] = await owner('SELECT scopes, epoch, claims_version FROM grants WHERE id = $1', [acme.grant])
  expect(left).toEqual({ scopes: ['read', 'write'], epoch: 1, claims_version: 2 })
  expect(await undone(acme, tellSettledEntry)).toEqual([])
})

it('a change that the worker leaves lying makes guards deaf until its people are settled; the last look does not', async () => {
  const acme = await aDirectory('left-lying')
  await takeOut(acme, [acme.user])
  const isLate = () =>
    acrossTenants(
      fixture.database,
      async (db) => (await listLateTenants(db, { tenantId: acme.tenant, id: acme.issuerId as never }, instant(now + 1))).length > 0,
    )
  expect(await isLate()).toBe(true)
  await runUndone(acme, settleDirectoryEntry)
  await runUndone(acme, tellSettledEntry)
  expect(await undone(acme, settleDirectoryEntry)).toHaveLength(1)
  expect(await isLate()).toBe(false)
})

it('what is told of a grant is dated no earlier than what was told of it before, by a clock that is ahead of the one that heard the directory', async () => {
  const acme = await aDirectory('behind')
  await owner('UPDATE grants SET barrier_at = $2 WHERE id = $1', [acme.grant, new Date(now)])
  await takeOut(acme, [acme.user])
  await runUndone(acme, settleDirectoryEntry)
  const [event] = await owner('SELECT received_at, barrier_at FROM deprovisioning_events WHERE target_id = $1', [acme.grant])
  expect(event).toEqual({ received_at: new Date(told), barrier_at: new Date(now) })
})
