/** Two losses of one grant may be told in any order: whoever hears both ends with what the grant holds. */
import { instant } from '@drawbridge/core/instant'
import { tellSettledEntry, tokenClaimsChange } from '@drawbridge/core/revocation/settled-grants'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, jobDeps, random } from '../../test/a-company.js'
import { findJob } from '../jobs.js'

let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const barrierAt = instant(Date.UTC(2026, 10, 29, 10))
const toldAt = instant(Date.UTC(2026, 10, 29, 11))
const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, sql, parameters)

/** A grant that lost one scope, and then another or everything, and the two entries that tell it. */
async function aGrantThatLostTwice(slug: string, isEnded: boolean) {
  const company = await aCompany(fixture, slug)
  const [resource] = company.resources
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
     VALUES ($1, $2, 'agent', 'preregistered', 'Agent', '{http://127.0.0.1/callback}', '{authorization_code}', 'none', '{}', $3)`,
    [company.tenant, company.issuerId, new Date(barrierAt)],
  )
  await owner(
    `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch, epoch,
       policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at, revoked_at)
     VALUES ($1, $2, $3, 'agent', $1, $4, 'x', '{read}', 1, 1, 3, 0, '{}', 60, '2099-01-01', '[]', $5, $6)`,
    [company.tenant, company.grant, company.issuerId, resource?.id, new Date(barrierAt), isEnded ? new Date(barrierAt) : null],
  )
  const entryOf = async (epoch: number, scopes: readonly string[]) => {
    const eventId = random.uuid()
    await owner(
      `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
       VALUES ($1, $2, 'policy', 'grant', $3, 'shrunk', $4, $4)`,
      [company.tenant, eventId, company.grant, new Date(barrierAt)],
    )
    const grant = {
      ...{ eventId, grantId: company.grant, epoch, issuerId: company.issuerId, resourceTenantId: company.tenant, resourceId: resource?.id },
      ...{ scopes, isEnded: isEnded && epoch === 3 },
    }
    const payload = { grants: [grant] }
    const [row] = await owner<{ id: string }>(
      'INSERT INTO outbox (tenant_id, kind, payload, created_at) VALUES ($1, $2, $3, $4) RETURNING id',
      [company.tenant, tellSettledEntry, JSON.stringify(payload), new Date(barrierAt)],
    )
    return { tenant: company.tenant, entry: Number(row?.id), payload }
  }
  return { company, first: await entryOf(2, ['read', 'write']), second: await entryOf(3, ['read']) }
}

const deps = () => ({ ...jobDeps(fixture), clock: { now: () => toldAt } })
const saidTo = async (tenant: string) =>
  (await owner<{ token: string }>('SELECT token FROM notices WHERE tenant_id = $1 ORDER BY position', [tenant])).map(({ token }) => {
    const { events, drawbridge } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return { events, epoch: drawbridge.epoch }
  })

it.each([
  ['shrank twice', false, tokenClaimsChange, { claims: { scope: 'read' } }],
  ['shrank and ended', true, sessionRevoked, {}],
] as const)('of a grant that %s both notices say what it holds, in either order, as of the barrier', async (what, isEnded, type, says) => {
  for (const isReversed of [false, true]) {
    const { company, first, second } = await aGrantThatLostTwice(`${what.replaceAll(' ', '-')}-${isReversed}`, isEnded)
    for (const entry of isReversed ? [second, first] : [first, second]) await findJob(tellSettledEntry)?.run(deps(), entry)
    const event = { [type]: expect.objectContaining({ ...says, event_timestamp: barrierAt / 1000 }) }
    expect(await saidTo(company.tenant)).toEqual([
      { events: event, epoch: 3 },
      { events: event, epoch: 3 },
    ])
  }
})

it('a grant that is gone is told as the entry has it', async () => {
  const { company, first } = await aGrantThatLostTwice('gone', false)
  await owner('DELETE FROM grants WHERE tenant_id = $1', [company.tenant])
  await findJob(tellSettledEntry)?.run(deps(), first)
  expect(await saidTo(company.tenant)).toEqual([
    { events: { [tokenClaimsChange]: expect.objectContaining({ claims: { scope: 'read write' } }) }, epoch: 2 },
  ])
})

it('is told also where its tokens may have been exchanged for others, however often, and nowhere else', async () => {
  const { company, second } = await aGrantThatLostTwice('exchanged', true)
  const [from, to] = company.resources
  const allow = (...permissions: readonly object[]) =>
    owner('UPDATE tenants SET token_exchange = $2 WHERE id = $1', [company.tenant, JSON.stringify({ permissions })])
  const permission = { client: 'gateway', from: from?.identifier, to: to?.identifier, scopes: ['read'] }
  const another = async (identifier: string) => {
    const id = random.uuid()
    await owner('INSERT INTO resources (tenant_id, id, identifier, name, created_at) VALUES ($1, $2, $3, $3, $4)', [
      ...[company.tenant, id, identifier, new Date(barrierAt)],
    ])
    return id
  }
  const [archive, elsewhere] = ['https://archive.exchanged.example/mcp', 'https://elsewhere.exchanged.example/mcp']
  await owner('INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $1, $3)', [
    ...[company.tenant, await another(archive), company.issuerId],
  ])
  // It bears a name that is permitted, but no issuer of the company mints for it.
  await another(elsewhere)
  const told = async () => {
    const rows = await owner<{ identifier: string }>(
      'SELECT DISTINCT r.identifier FROM notices n JOIN resources r ON r.id = n.resource_id WHERE n.tenant_id = $1',
      [company.tenant],
    )
    return rows.map(({ identifier }) => identifier).sort()
  }
  const onward = { ...permission, from: to?.identifier, to: archive }
  await allow(onward, permission, { ...permission, from: archive, to: from?.identifier }, { ...permission, to: elsewhere })
  await findJob(tellSettledEntry)?.run(deps(), second)
  expect(await told()).toEqual([archive, from?.identifier, to?.identifier].toSorted())
})

it('is told to its own resource alone, where nobody may exchange its tokens', async () => {
  const { company, second } = await aGrantThatLostTwice('not-exchanged', true)
  const [from, to] = company.resources
  const permission = { client: 'gateway', from: to?.identifier, to: from?.identifier, scopes: ['read'] }
  await owner('UPDATE tenants SET token_exchange = $2 WHERE id = $1', [company.tenant, JSON.stringify({ permissions: [permission] })])
  await findJob(tellSettledEntry)?.run(deps(), second)
  const rows = await owner('SELECT resource_id FROM notices WHERE tenant_id = $1', [company.tenant])
  expect(rows).toEqual([{ resource_id: from?.id }])
})
