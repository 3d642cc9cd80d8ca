/** Very many grants that end in one transaction: dead with its commit, and each told by a piece of the work that follows. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { endedTogether, type TellEndedPayload, tellEndedEntry } from '@drawbridge/core/revocation/ended-grants'
import type { IssuerId, ResourceId } from '@drawbridge/core/tenant/ids'
import { endGrants } from '@drawbridge/store/end-grants'
import { endGrantsOfMinter } from '@drawbridge/store/minters'
import { listLateTenants } from '@drawbridge/store/notice-polls'
import { listBarriers } from '@drawbridge/store/notice-streams'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { countOf, jobDeps } from '../../test/a-company.js'
import { aToldCompany } from '../../test/a-told-client.js'
import type { JobDeps } from '../deps.js'
import { findJob } from '../jobs.js'

type Company = Awaited<ReturnType<typeof aToldCompany>>
const now: Instant = instant(Date.now())
let fixture: TestDatabase
let deps: JobDeps
beforeAll(async () => {
  fixture = await testDatabase()
  deps = jobDeps(fixture)
})
afterAll(() => fixture?.close())

const owner = <Row extends object>(sql: string, ...parameters: readonly unknown[]) => asOwner<Row>(fixture.ownerUrl, sql, parameters)
async function aCompanyWith(slug: string, grants: number): Promise<Company> {
  const company = await aToldCompany(fixture, slug)
  await company.aClient('agent', null)
  const one = await company.aGrant('agent', await company.aPerson('ada'))
  await owner(
    `INSERT INTO grants SELECT made.* FROM grants AS g, generate_series(2, $2::int) AS n,
       jsonb_populate_record(NULL::grants, to_jsonb(g) || jsonb_build_object('id', md5(g.id::text || n)::uuid)) AS made WHERE g.id = $1`,
    ...[one, grants],
  )
  return company
}
const endAll = ({ tenant, issuerId, resources }: Company) =>
  inTenant(fixture.database, tenant, (db) =>
    endGrantsOfMinter(db, tenant, {
      ...{ resourceTenantId: tenant, resourceId: resources[0]?.id as ResourceId, issuerId: issuerId as IssuerId, now, requestId: 'r' },
    }),
  )
const living = ({ tenant }: Company) =>
  countOf(fixture, "grants WHERE tenant_id = $1 AND client_id = 'agent' AND revoked_at IS NULL", [tenant])
const toldOf = ({ tenant }: Company) =>
  Promise.all([
    countOf(fixture, "deprovisioning_events WHERE tenant_id = $1 AND target = 'grant' AND barrier_at = $2", [tenant, new Date(now)]),
    countOf(fixture, "audit_events WHERE tenant_id = $1 AND kind = 'grant.deprovisioned' AND request_id = 'r'", [tenant]),
    countOf(fixture, "outbox WHERE tenant_id = $1 AND kind = 'revoke' AND done_at IS NULL", [tenant]),
  ])
type Entry = { readonly id: number; readonly payload: TellEndedPayload }
const undone = ({ tenant }: Company) =>
  owner<Entry>(
    'SELECT id::int, payload FROM outbox WHERE tenant_id = $1 AND kind = $2 AND done_at IS NULL ORDER BY id',
    tenant,
    tellEndedEntry,
  )
const run = ({ tenant }: Company, { id, payload }: Entry) => findJob(tellEndedEntry)?.run(deps, { tenant, entry: id, payload })

it('as many as can be told in the transaction are, as ever', async () => {
  const company = await aCompanyWith('some', 3)
  expect(await endAll(company)).toBe(3)
  expect([await living(company), await toldOf(company), await undone(company)]).toEqual([0, [3, 3, 3], []])
})

it('of more all are dead with the commit, in every snapshot and late news until they are told, each once, by pieces of which any may run twice', async () => {
  const count = endedTogether + 2
  const company = await aCompanyWith('many', count)
  expect(await endAll(company)).toBe(count)
  expect([await living(company), await toldOf(company)]).toEqual([0, [0, 0, 0]])
  const pieces = await undone(company)
  expect(pieces.map(({ payload }) => payload.grants.length).toSorted((one, other) => one - other)).toEqual([2, endedTogether])
  const issuer = { tenantId: company.tenant, id: company.issuerId as IssuerId }
  const snapshot = () => acrossTenants(fixture.database, (db) => listBarriers(db, issuer, now))
  const late = () => acrossTenants(fixture.database, (db) => listLateTenants(db, issuer, addSeconds(now, 1)))
  const untold = pieces.flatMap(({ payload }) => payload.grants.map(({ grantId }) => grantId))
  const [whole] = [await snapshot()]
  expect(untold.every((id) => whole.includes(id))).toBe(true)
  expect(await late()).toEqual(['many'])

  const [first, second] = pieces
  if (!first || !second) throw new Error('there are two')
  const ofFirst = first.payload.grants.length
  await Promise.all([run(company, first), run(company, first)])
  expect(await toldOf(company)).toEqual([ofFirst, ofFirst, ofFirst])
  await run(company, second)
  await run(company, first)
  expect([await toldOf(company), await undone(company)]).toEqual([[count, count, count], []])
  const [revoke] = await owner<{ payload: object }>(
    "SELECT payload FROM outbox WHERE tenant_id = $1 AND kind = 'revoke' LIMIT 1",
    company.tenant,
  )
  expect(revoke?.payload).toMatchObject({ target: 'grant', epoch: 2, targetId: expect.any(String), eventId: expect.any(String) })
  expect(await snapshot()).toBe(whole)
  expect(await late()).toEqual(['many'])
})

it('of more than one statement kills none is left alive, and none is told twice', async () => {
  const company = await aCompanyWith('very-many', 8)
  const { tenant } = company
  const all = { which: { sql: "client_id = 'agent'", parameters: [] }, source: 'admin', reason: 'x', now, requestId: 'r' } as const
  const ended = await inTenant(fixture.database, tenant, (db) => endGrants(db, tenant, all, { killed: 3, told: 2 }))
  expect([ended, await living(company)]).toEqual([8, 0])
  for (const piece of await undone(company)) await run(company, piece)
  expect([await toldOf(company), await undone(company)]).toEqual([[8, 8, 8], []])
  const distinct = await owner("SELECT DISTINCT target_id FROM deprovisioning_events WHERE tenant_id = $1 AND target = 'grant'", tenant)
  expect(distinct).toHaveLength(8)
})

it('a piece that fails leaves nothing told, and can be run again', async () => {
  const company = await aCompanyWith('failing', endedTogether + 1)
  await endAll(company)
  const [piece] = await undone(company)
  if (!piece) throw new Error('there is one')
  await owner(
    "ALTER TABLE outbox ADD CONSTRAINT no_revoke CHECK (kind <> 'revoke' OR done_at IS NOT NULL OR created_at < '2020-01-01') NOT VALID",
  )
  await expect(run(company, piece)).rejects.toThrow('no_revoke')
  await owner('ALTER TABLE outbox DROP CONSTRAINT no_revoke')
  expect(await toldOf(company)).toEqual([0, 0, 0])
  await run(company, piece)
  expect((await toldOf(company))[0]).toBe(piece.payload.grants.length)
})
