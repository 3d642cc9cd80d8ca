/**
 * A policy that takes effect at once, where no worker runs: from the commit of the publish on nothing is said or issued of a grant that it does
 * not allow, whoever is first to meet it, and whatever was under way.
 */
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import { addSeconds, instant } from '@drawbridge/core/instant'
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { publishPolicy } from '@drawbridge/store/policies'
import { demandPolicySweep, demandPolicySweepsEverywhere, findPolicySweep } from '@drawbridge/store/policy-sweeps'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant, hashOf } from '@drawbridge/testkit/a-grant'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenClient, type TokenClient } from '@drawbridge/testkit/a-token-client'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

const now = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
let race: ARace
let broker: TestBroker
let client: TokenClient

beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
  acme = await aTenant(fixture, { slug: 'acme' })
  race = aRace(fixture.database)
  broker = await aBroker(race.database, { clock: { now: () => now } })
  client = aTokenClient(broker, acme)
  await aTokenKey(fixture, broker, acme)
  for (const name of ['read', 'write'])
    await owner('INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier) VALUES ($1, $2, $3, $3, $3)', [
      ...[acme.tenantId, acme.resourceId, name],
    ])
  const identity = identityToJson({
    ...{ connectionId: acme.connectionId, stableId: 'ada', subjectId: acme.subjectId, claims: new Map(), groups: { state: 'absent' } },
    ...{ authentication: { acr: 'mfa', amr: ['otp'], authenticatedAt: now }, sessionExpiresAt: undefined },
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
  })
  await owner('UPDATE subjects SET claims = $2 WHERE id = $1', [acme.subjectId, JSON.stringify(identity)])
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
     VALUES ($1, $2, 'robot', 'preregistered', 'Robot', '{}', '{client_credentials}', 'client_secret_post', $3, '{read,write}', $4)`,
    [acme.tenantId, acme.issuerId, hashOf('secret'), new Date(now)],
  )
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => publish(readsAndWrites, 'later'))

const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, sql, parameters)
const granting = (scopes: string) => `version: 1\nrules: [{ name: all, effect: grant, scopes: [${scopes}], everyone: true }]`
const readsAndWrites = granting('read, write')
const onlyReads = granting('read')

const publish = (document: string, effect: 'now' | 'later', tenant: TenantId = acme.tenantId) =>
  inTenant(fixture.database, tenant, async (db) => {
    const version = await publishPolicy(db, tenant, { document, author: 'test', now })
    if (effect === 'now' && tenant !== vendorTenantId) await demandPolicySweep(db, tenant, version, now)
    if (effect === 'now' && tenant === vendorTenantId) await demandPolicySweepsEverywhere(db, now)
    return version
  })

async function login(scopes: readonly string[] = ['read', 'write']) {
  const { code, grantId } = await aGrant(fixture, acme, { now, scopes })
  const tokens = await client.redeem(code)
  expect(tokens.scope).toBe(scopes.join(' '))
  return { grantId, access: tokens.access_token, refresh: tokens.refresh_token }
}
const stored = async (grantId: string) =>
  (await owner('SELECT scopes, epoch, policy_version, revoked_at IS NOT NULL AS revoked FROM grants WHERE id = $1', [grantId]))[0]
const toldOf = async (grantId: string) => {
  const told = await owner<{ n: number }>(
    "SELECT count(*)::int AS n FROM outbox, jsonb_array_elements(payload -> 'grants') g WHERE kind = 'tell-settled-grants' AND g ->> 'grantId' = $1",
    [grantId],
  )
  return told[0]?.n
}

it('introspection decides first: what is lost is inactive from the commit on, what is kept goes on', async () => {
  const loses = await login()
  const keeps = await login(['read'])
  const ends = await login(['write'])
  const version = await publish(onlyReads, 'now')
  expect(await client.introspect(loses.access)).toEqual({ active: false })
  expect(await client.introspect(ends.access)).toEqual({ active: false })
  expect(await client.introspect(keeps.access)).toMatchObject({ active: true, scope: 'read' })
  expect(await stored(loses.grantId)).toEqual({ scopes: ['read'], epoch: 2, policy_version: version, revoked: false })
  expect(await stored(ends.grantId)).toMatchObject({ epoch: 2, revoked: true })
  expect(await stored(keeps.grantId)).toEqual({ scopes: ['read'], epoch: 1, policy_version: version, revoked: false })
  expect([await toldOf(loses.grantId), await toldOf(ends.grantId), await toldOf(keeps.grantId)]).toEqual([1, 1, 0])
  const refreshed = await client.refresh(loses.refresh)
  expect(await client.introspect(refreshed.access_token)).toMatchObject({ active: true, scope: 'read' })
  expect((await client.refresh(ends.refresh)).error).toBe('invalid_grant')
  const sweep = await inTenant(fixture.database, acme.tenantId, (db) => findPolicySweep(db, acme.tenantId, version))
  expect(sweep).toMatchObject({ lookedAt: 3, shrunk: 1, ended: 1, settledAt: null })
})

it('without that word introspection answers by what the grant holds until it is refreshed', async () => {
  const one = await login()
  await publish(onlyReads, 'later')
  expect(await client.introspect(one.access)).toMatchObject({ active: true, scope: 'read write' })
  expect((await client.refresh(one.refresh)).scope).toBe('read')
  expect(await client.introspect(one.access)).toMatchObject({ active: true, scope: 'read' })
})

it('a refresh and a redemption decide first, too, and what they lose ends older tokens and is told', async () => {
  const one = await login()
  const waiting = await aGrant(fixture, acme, { now, scopes: ['read', 'write'] })
  const hopeless = await aGrant(fixture, acme, { now, scopes: ['write'] })
  await publish(onlyReads, 'now')
  const refreshed = await client.refresh(one.refresh)
  expect(refreshed.scope).toBe('read')
  expect(await client.introspect(one.access)).toEqual({ active: false })
  expect(await client.introspect(refreshed.access_token)).toMatchObject({ active: true, scope: 'read' })
  expect((await client.redeem(waiting.code)).scope).toBe('read')
  expect((await client.redeem(hopeless.code)).error).toBe('invalid_grant')
  expect([await toldOf(one.grantId), await toldOf(waiting.grantId), await toldOf(hopeless.grantId)]).toEqual([1, 1, 1])
})

it('a client that acts for itself is held to it in the same way', async () => {
  const own = await client.post('token', {
    grant_type: 'client_credentials',
    resource: acme.resource,
    client_id: 'robot',
    client_secret: 'secret',
  })
  expect(own.scope).toBe('read write')
  await publish('version: 1\nrules: [{ name: nobody, effect: deny, scopes: [write], everyone: true }]', 'now')
  expect(await client.introspect(own.access_token)).toEqual({ active: false })
})

it('a publish between the decision to refresh and its statement: the refresh is narrower, and not refused', async () => {
  const one = await login()
  race.before('rotate_refresh_token', () => publish(onlyReads, 'now'))
  const refreshed = await client.refresh(one.refresh)
  expect(refreshed.scope).toBe('read')
  expect(await client.introspect(refreshed.access_token)).toMatchObject({ active: true, scope: 'read' })
  expect(await client.introspect(one.access)).toEqual({ active: false })
  expect((await stored(one.grantId))?.['epoch']).toBe(2)
})

it('a refresh whose statement began before the publish and ends after the settling: its wide token is born dead, its refresh token lives', async () => {
  const one = await login()
  const late = await whileHeld('SELECT 1 FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE', hashOf(one.refresh), {
    work: () => client.refresh(one.refresh),
    meanwhile: async () => {
      await publish(onlyReads, 'now')
      expect(await client.introspect(one.access)).toEqual({ active: false })
    },
  })
  expect(late.scope).toBe('read write')
  expect(await client.introspect(late.access_token)).toEqual({ active: false })
  const next = await client.refresh(late.refresh_token)
  expect(next.scope).toBe('read')
  expect(await client.introspect(next.access_token)).toMatchObject({ active: true, scope: 'read' })
  expect(await stored(one.grantId)).toMatchObject({ scopes: ['read'], epoch: 2 })
})

it('many who meet a grant at once settle it once', async () => {
  const one = await login()
  await publish(onlyReads, 'now')
  const answers = await Promise.all([
    ...Array.from({ length: 5 }, () => client.introspect(one.access)),
    client.refresh(one.refresh),
    client.refresh(one.refresh),
  ])
  expect(answers.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => ({ active: false })))
  expect(answers.slice(5).map(({ scope }) => scope)).toEqual(['read', 'read'])
  expect(await stored(one.grantId)).toMatchObject({ scopes: ['read'], epoch: 2 })
  expect(await toldOf(one.grantId)).toBe(1)
})

it('what is published anew after the settling is not told of before it is settled, too', async () => {
  const one = await login()
  race.before('introspect_grant', () => publish(readsAndWrites, 'now'), 2)
  expect(await client.introspect(one.access)).toEqual({ active: false })
  expect(await client.introspect(one.access)).toMatchObject({ active: true, scope: 'read write' })
})

it.each([
  ['fails', "RAISE EXCEPTION 'no grant is settled today'"],
  ['comes to nothing', 'RETURN NULL'],
])('where the settling %s nothing is called active, and nothing is issued', async (_says, what) => {
  const one = await login()
  await publish(readsAndWrites, 'now')
  await owner(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${what}; END $$`)
  await owner('CREATE TRIGGER failing BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION fail()')
  expect((await client.introspect(one.access)).active).not.toBe(true)
  expect((await client.refresh(one.refresh)).access_token).toBeUndefined()
  await owner('DROP FUNCTION fail() CASCADE')
  expect(await client.introspect(one.access)).toMatchObject({ active: true, scope: 'read write' })
  expect((await client.refresh(one.refresh)).scope).toBe('read write')
})

it('the vendor says it for every tenant, and nobody else can', async () => {
  const one = await login()
  await publish('version: 1\nrules: [{ name: wall, effect: deny, scopes: [write], everyone: true }]', 'now', vendorTenantId)
  expect(await client.introspect(one.access)).toEqual({ active: false })
  expect((await client.refresh(one.refresh)).scope).toBe('read')
  const entries = await owner("SELECT tenant_id FROM outbox WHERE kind = 'settle-grants' AND tenant_id = $1", [vendorTenantId])
  expect(entries).toEqual([])
  const asTenant = inTenant(fixture.database, acme.tenantId, (db) => demandPolicySweepsEverywhere(db, addSeconds(now, 1)))
  await expect(asTenant).rejects.toMatchObject({ code: '42501' })
})

type Held<T> = { readonly work: () => Promise<T>; readonly meanwhile: () => Promise<void> }

/** Runs `work` into a lock, `meanwhile` while it waits there, and answers what it came to when the lock is gone. */
async function whileHeld<T>(lock: string, key: unknown, { work, meanwhile }: Held<T>): Promise<T> {
  const holder = new pg.Client({ connectionString: fixture.ownerUrl })
  await holder.connect()
  try {
    await holder.query('BEGIN')
    await holder.query(lock, [key])
    const working = work()
    const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
    for (let looks = 0; looks < 500 && (await owner(waiting))[0]?.['n'] === 0; looks += 1) await new Promise((done) => setTimeout(done, 10))
    await meanwhile()
    await holder.query('COMMIT')
    return await working
  } finally {
    await holder.end()
  }
}
