/** A policy that takes effect at once, on a real PostgreSQL: every live grant is decided again, only ever loses, and guards are told. */
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { settleGrantsEntry, tellSettledEntry, tokenClaimsChange } from '@drawbridge/core/revocation/settled-grants'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { verifyJwt } from '@drawbridge/crypto/jwt'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { listLateTenants } from '@drawbridge/store/notice-polls'
import { openStreamsAcrossTenants } from '@drawbridge/store/notice-streams'
import { publishPolicy } from '@drawbridge/store/policies'
import { demandPolicySweep, findPolicySweep } from '@drawbridge/store/policy-sweeps'
import { settledAtOnce } from '@drawbridge/store/settle-grants'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aCompany, countOf, jobDeps, random } from '../../test/a-company.js'
import { findJob } from '../jobs.js'
import { settleTenantGrants, stepsPerPiece, stretchMilliseconds } from './settle-grants.job.js'

type Company = Awaited<ReturnType<typeof aCompany>>
const now = instant(Date.UTC(2026, 10, 29))
let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const deps = () => ({ ...jobDeps(fixture), clock: { now: () => now } })
const owner = <Row>(sql: string, parameters: readonly unknown[]) => asOwner<Row>(fixture.ownerUrl, sql, parameters)
const granting = (scopes: string, more = '') =>
  `version: 1\nrules: [{ name: all, effect: grant, scopes: [${scopes}], everyone: true }]\n${more}`
const all = granting('"read", "write"')
const reading = granting('"read"')

async function aTenantWithClient(slug: string): Promise<Company> {
  const company = await aCompany(fixture, slug)
  const { tenant, issuerId, connection, subject } = company
  const client = `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
    VALUES ($1, $2, $3, 'preregistered', 'Agent', '{http://127.0.0.1/callback}', '{authorization_code,refresh_token,client_credentials}', $4, '{read,write}', $5)`
  await owner(client, [tenant, issuerId, 'agent', 'none', new Date(now)])
  await owner(client, [tenant, issuerId, 'robot', 'client_secret_basic', new Date(now)])
  for (const { id } of company.resources)
    for (const name of ['read', 'write'])
      await owner(
        `INSERT INTO resource_scopes (tenant_id, resource_id, name, tier, description, is_default) VALUES ($1, $2, $3, $3, '', false)`,
        [tenant, id, name],
      )
  const identity = identityToJson({
    ...{ connectionId: connection as never, stableId: 'ada', subjectId: subject as never, claims: new Map() },
    groups: { state: 'absent' },
    authentication: { acr: undefined, amr: [], authenticatedAt: now },
    sessionExpiresAt: undefined,
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
  })
  await owner('UPDATE subjects SET claims = $2 WHERE id = $1', [subject, JSON.stringify(identity)])
  return company
}

type Given = { scopes?: readonly string[]; policyVersion: number; own?: boolean; seconds?: number }

async function aGrant(company: Company, { scopes = ['read', 'write'], policyVersion, own = false, seconds = 900 }: Given): Promise<string> {
  const id = random.uuid()
  const [resource] = company.resources
  await owner(
    `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, subject_id, connection_id, scopes, tenant_epoch,
       client_epoch, connection_epoch, subject_epoch, policy_version, claims_version, amr, authenticated_at, access_token_ttl_seconds, refresh_ttl_seconds,
       expires_at, ceilings, created_at)
     SELECT $1, $2, $3, $4, $1, $5, $6, $7, $8, $9, 1, 1, $10, $10, $11, $10, '{}', $12::timestamptz, $13, CASE WHEN $10 = 1 THEN 14400 END,
       $12::timestamptz + interval '8 hours', '[]', $12`,
    [
      ...[company.tenant, id, company.issuerId, own ? 'robot' : 'agent', resource?.id, resource?.identifier],
      ...[own ? null : company.subject, own ? null : company.connection, scopes, own ? 0 : 1, policyVersion, new Date(now), seconds],
    ],
  )
  return id
}

const publish = (company: Company, document: string, effect: 'now' | 'later') =>
  inTenant(fixture.database, company.tenant, async (db) => {
    const version = await publishPolicy(db, company.tenant, { document, author: 'test', now })
    if (effect === 'now') await demandPolicySweep(db, company.tenant, version, now)
    return version
  })
const sweepOf = (company: Company, version: number) =>
  inTenant(fixture.database, company.tenant, (db) => findPolicySweep(db, company.tenant, version))

type Entry = { id: string; kind: string; payload: { version?: number; after?: string; isLastLook?: boolean } }
const undone = (company: Company, kind: string) =>
  owner<Entry>('SELECT id, kind, payload FROM outbox WHERE tenant_id = $1 AND kind = $2 AND done_at IS NULL ORDER BY id', [
    company.tenant,
    kind,
  ])
/** Pieces are as long as their steps: on a machine that is busy, too. */
const noTime = () => 0
async function runUndone(company: Company, kind: string, elapsed = noTime): Promise<readonly Entry[]> {
  const entries = await undone(company, kind)
  for (const { id, payload } of entries) {
    const job = { tenant: company.tenant, entry: Number(id) }
    if (kind === settleGrantsEntry) await settleTenantGrants(deps(), { ...job, ...payload, version: payload.version ?? 0 }, elapsed)
    else await findJob(kind)?.run(deps(), { ...job, payload })
  }
  return entries
}
async function sweepAll(company: Company): Promise<number> {
  for (let pieces = 0; ; pieces += 1) if ((await runUndone(company, settleGrantsEntry)).length === 0) return pieces
}
type Stored = {
  scopes: string[]
  epoch: number
  policy_version: number
  claims_version: number
  revoked: boolean
  access_token_ttl_seconds: number
  expires_at: Date
  ceilings: unknown
}
const stored = async (id: string): Promise<Stored> => {
  const [row] = await owner<Stored>('SELECT *, revoked_at IS NOT NULL AS revoked FROM grants WHERE id = $1', [id])
  if (row === undefined) throw new Error('there is such a grant')
  return row
}

describe('each grant', () => {
  const cases: readonly (readonly [says: string, document: string, given: Partial<Given>, left: Partial<Stored>])[] = [
    ['keeps all, and its tokens live', all, {}, { scopes: ['read', 'write'], epoch: 1, revoked: false }],
    ['loses a scope, and its tokens die', reading, {}, { scopes: ['read'], epoch: 2, revoked: false }],
    ['is not widened', all, { scopes: ['read'] }, { scopes: ['read'], epoch: 1, revoked: false }],
    ['ends when nothing is left', reading, { scopes: ['write'] }, { epoch: 2, revoked: true }],
    [
      'lives shorter, and its tokens die',
      granting('"read", "write"', 'limits: { write: { accessTokenSeconds: 300 } }\n'),
      {},
      {
        ...{ epoch: 2, access_token_ttl_seconds: 300 },
        ceilings: {
          accessToken: { seconds: 300, by: 'tenant', detail: "the tenant's limit for tier write" },
          refreshToken: expect.objectContaining({ by: 'tier' }),
        },
      },
    ],
    [
      'loses no life that no token has',
      granting('"read", "write"', 'session: { absoluteSeconds: 7200 }\n'),
      {},
      { epoch: 1, revoked: false },
    ],
    ['of a client alone keeps what it may have', all, { own: true }, { scopes: ['read', 'write'], epoch: 1, revoked: false }],
    [
      'of a client alone loses what is denied to everybody',
      'version: 1\nrules: [{ name: no, effect: deny, scopes: ["write"], everyone: true }]\n',
      { own: true },
      { scopes: ['read'], epoch: 2 },
    ],
  ]
  it.each(cases)('%s', async (says, document, given, left) => {
    const company = await aTenantWithClient(says.replaceAll(/\W+/g, '-').toLowerCase())
    const version = await publish(company, all, 'later')
    const grant = await aGrant(company, { policyVersion: version, ...given })
    const present = await publish(company, document, 'now')
    await sweepAll(company)
    expect(await stored(grant)).toMatchObject({ policy_version: present, ...left })
  })

  it('is deferred where the policy reads the request: its tokens die, and the next refresh decides', async () => {
    const company = await aTenantWithClient('from-the-office')
    const grant = await aGrant(company, { policyVersion: await publish(company, all, 'later') })
    const office = `version: 1\nrules: [{ name: office, effect: grant, scopes: ["read", "write"], when: "request.address == '192.0.2.1'" }]\n`
    const version = await publish(company, office, 'now')
    await sweepAll(company)
    expect(await stored(grant)).toMatchObject({
      scopes: ['read', 'write'],
      epoch: 2,
      revoked: false,
      policy_version: version,
      claims_version: -1,
    })
    expect(await sweepOf(company, version)).toMatchObject({ lookedAt: 1, deferred: 1, shrunk: 0, ended: 0 })
  })
})

it('rules that nobody can judge are counted, once for each grant', async () => {
  const company = await aTenantWithClient('nobody-knows')
  const policyVersion = await publish(company, all, 'later')
  await aGrant(company, { policyVersion })
  await aGrant(company, { policyVersion })
  const guests = '{ name: guests, effect: deny, scopes: ["write"], when: "claims.title == \'guest\'" }'
  await publish(company, all.replace(' }]', ` }, ${guests}]`), 'now')
  const metrics = createMetrics({ withProcess: false })
  const [entry] = await undone(company, settleGrantsEntry)
  const job = { tenant: company.tenant, entry: Number(entry?.id), version: entry?.payload.version ?? 0 }
  await settleTenantGrants({ ...deps(), metrics }, job, noTime)
  expect(await metrics.print()).toContain('\ndrawbridge_policy_unclear_rules_total 2\n')
})

it('every loss is one line of the trail, one receipt and one notice to the one resource server, however often the jobs run', async () => {
  const company = await aTenantWithClient('acme')
  const policyVersion = await publish(company, all, 'later')
  const shrinks = await aGrant(company, { policyVersion })
  const ends = await aGrant(company, { policyVersion, scopes: ['write'] })
  await aGrant(company, { policyVersion, scopes: ['read'] })
  const version = await publish(company, reading, 'now')
  const [entry] = await undone(company, settleGrantsEntry)
  const data = { tenant: company.tenant, entry: Number(entry?.id), payload: entry?.payload }
  await Promise.all([findJob(settleGrantsEntry)?.run(deps(), data), findJob(settleGrantsEntry)?.run(deps(), data)])
  await sweepAll(company)
  expect(await sweepOf(company, version)).toMatchObject({ lookedAt: 3, shrunk: 1, deferred: 0, ended: 1, settledAt: now })
  for (const { id, payload } of await undone(company, tellSettledEntry)) {
    const tell = () => findJob(tellSettledEntry)?.run(deps(), { tenant: company.tenant, entry: Number(id), payload })
    await Promise.all([tell(), tell()])
    await tell()
  }
  const trail = await owner<{ kind: string }>("SELECT kind FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'grant.%' ORDER BY kind", [
    company.tenant,
  ])
  expect(trail.map(({ kind }) => kind)).toEqual(['grant.ended_by_policy', 'grant.shrunk'])
  expect(
    await countOf(fixture, "deprovisioning_events WHERE tenant_id = $1 AND source = 'policy' AND swept_at IS NOT NULL", [company.tenant]),
  ).toBe(2)
  expect(await countOf(fixture, 'revocations WHERE tenant_id = $1', [company.tenant])).toBe(2)

  const notices = await owner<{ token: string; identifier: string }>(
    'SELECT n.token, r.identifier FROM notices n JOIN resources r ON r.id = n.resource_id WHERE n.tenant_id = $1 ORDER BY n.position',
    [company.tenant],
  )
  const [resource] = company.resources
  expect(notices.map(({ identifier }) => identifier)).toEqual([resource?.identifier, resource?.identifier])
  const read = notices.map(({ token }) => {
    const expected = { typ: 'secevent+jwt', issuer: company.issuer, audience: resource?.identifier, now, skewSeconds: 0 }
    const verified = verifyJwt(token, [company.noticeKey], expected)
    return verified.ok ? verified.value : verified
  })
  const of = (grant: string) => ({
    txn: expect.any(String),
    sub_id: {
      ...{ format: 'complex', user: { format: 'iss_sub', iss: company.issuer, sub: company.subject } },
      ...{ session: { format: 'opaque', id: grant }, tenant: { format: 'opaque', id: 'acme' } },
    },
    drawbridge: { target: 'grant', targetId: grant, epoch: 2, tenant: 'acme' },
  })
  expect(read).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        ...of(shrinks),
        events: { [tokenClaimsChange]: expect.objectContaining({ initiating_entity: 'policy', claims: { scope: 'read' } }) },
      }),
      expect.objectContaining({ ...of(ends), events: { [sessionRevoked]: expect.objectContaining({ initiating_entity: 'policy' }) } }),
    ]),
  )
})

it('a guard that starts between the loss and its notice has it in its snapshot', async () => {
  const company = await aTenantWithClient('globex')
  const grant = await aGrant(company, { policyVersion: await publish(company, all, 'later') })
  await publish(company, reading, 'now')
  await sweepAll(company)
  const [resource] = company.resources
  const stream = () =>
    acrossTenants(fixture.database, (db) =>
      openStreamsAcrossTenants(
        db,
        {
          resource: { tenantId: company.tenant, resourceId: resource?.id as never, identifier: resource?.identifier as never },
          issuer: { tenantId: company.tenant, id: company.issuerId as never },
        },
        { asked: [{ id: random.uuid(), instance: 'guard' }], now },
      ),
    )
  const expected = { globex: { grant: { 2: [grant] } } }
  expect(JSON.parse((await stream())?.barriers ?? '')).toEqual(expected)
  await runUndone(company, tellSettledEntry)
  expect(JSON.parse((await stream())?.barriers ?? '')).toEqual(expected)
})

it('what the worker leaves lying makes guards deaf: a sweep that stands still, and a loss that nobody told', async () => {
  const company = await aTenantWithClient('initech')
  await aGrant(company, { policyVersion: await publish(company, all, 'later') })
  const isLateAt = (before: Instant) =>
    acrossTenants(
      fixture.database,
      async (db) => (await listLateTenants(db, { tenantId: company.tenant, id: company.issuerId as never }, before)).length > 0,
    )
  expect(await isLateAt(addSeconds(now, 1))).toBe(false)
  await publish(company, reading, 'now')
  expect([await isLateAt(now), await isLateAt(addSeconds(now, 1))]).toEqual([false, true])
  await sweepAll(company)
  expect(await isLateAt(addSeconds(now, 1))).toBe(true)
  await runUndone(company, tellSettledEntry)
  expect(await isLateAt(addSeconds(now, 1))).toBe(false)
})

it('lets go of what it has not come to when decisions take long, and comes to all of it', async () => {
  const company = await aTenantWithClient('costly')
  const policyVersion = await publish(company, all, 'later')
  const grants = []
  for (let made = 0; made < 2 * stepsPerPiece + 3; made += 1) grants.push(await aGrant(company, { policyVersion }))
  const version = await publish(company, reading, 'now')
  let at = 0
  // Each look at the clock is half of what a transaction may take: two decisions of each.
  const slow = () => (at += stretchMilliseconds / 2)
  await runUndone(company, settleGrantsEntry, slow)
  expect(await sweepOf(company, version)).toMatchObject({ lookedAt: 2 * stepsPerPiece, settledAt: null })
  await sweepAll(company)
  expect(await sweepOf(company, version)).toMatchObject({ lookedAt: grants.length, shrunk: grants.length, settledAt: now })
})

it('goes on where it stood, a piece at a time, and settles in the last look what nobody could see before', async () => {
  const company = await aTenantWithClient('umbrella')
  const policyVersion = await publish(company, all, 'later')
  const one = await aGrant(company, { policyVersion })
  const grants = stepsPerPiece * settledAtOnce + 1
  const columns = `tenant_id, issuer_id, client_id, resource_tenant_id, resource_id, audience, subject_id, connection_id, scopes, tenant_epoch, client_epoch,
    connection_epoch, subject_epoch, policy_version, claims_version, amr, authenticated_at, access_token_ttl_seconds, refresh_ttl_seconds, expires_at, ceilings, created_at`
  const copies = `INSERT INTO grants (id, ${columns}) SELECT gen_random_uuid(), ${columns} FROM grants, generate_series(2, $2) WHERE id = $1`
  await owner(copies, [one, grants])
  const version = await publish(company, reading, 'now')
  const payloads = []
  for (let piece = 0; piece < 2; piece += 1) payloads.push((await runUndone(company, settleGrantsEntry))[0]?.payload)
  expect(payloads).toEqual([{ version }, { version, after: expect.any(String), isLastLook: false }])
  const [next] = await undone(company, settleGrantsEntry)
  expect(next?.payload).toEqual({ version, isLastLook: true })
  expect(await sweepOf(company, version)).toMatchObject({ lookedAt: grants, shrunk: grants, settledAt: now })
  expect(await countOf(fixture, 'outbox WHERE id = $1 AND relayed_at IS NOT NULL', [next?.id])).toBe(1)

  // Opened by a statement that began before the publish, and was seen by nobody until now.
  const late = [await aGrant(company, { policyVersion }), await aGrant(company, { policyVersion })]
  await sweepAll(company)
  for (const grant of late) expect(await stored(grant)).toMatchObject({ scopes: ['read'], epoch: 2, policy_version: version })
  expect(await sweepOf(company, version)).toMatchObject({ lookedAt: grants + 2, shrunk: grants + 2 })
  expect(await undone(company, settleGrantsEntry)).toEqual([])
})
