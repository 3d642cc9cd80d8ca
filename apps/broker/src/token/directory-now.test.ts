/**
 * A directory takes somebody out of a group, where no worker runs: from the commit of that change on nothing is said or issued of what only the
 * group gave her, whoever is first to meet the grant, and whatever was under way.
 */
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import { instant } from '@drawbridge/core/instant'
import type { ScimGroupId, ScimUserId } from '@drawbridge/core/tenant/ids'
import { mostNamedPeople, raiseClaims, type Touched } from '@drawbridge/store/directory'
import { publishPolicy } from '@drawbridge/store/policies'
import { demandPolicySweep } from '@drawbridge/store/policy-sweeps'
import { holdDirectory } from '@drawbridge/store/scim-caller'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant, hashOf } from '@drawbridge/testkit/a-grant'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import { aScimGroup } from '@drawbridge/testkit/a-scim-group'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenClient, type TokenAnswer, type TokenClient } from '@drawbridge/testkit/a-token-client'
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
let ada: ScimUserId
let writers: ScimGroupId

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
    ...{ connectionId: acme.connectionId, stableId: 'ada', subjectId: acme.subjectId, claims: new Map() },
    groups: { state: 'known', value: ['writers', 'of the login alone'] },
    ...{ authentication: { acr: 'mfa', amr: ['otp'], authenticatedAt: now }, sessionExpiresAt: undefined },
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
  })
  await owner('UPDATE subjects SET claims = $2 WHERE id = $1', [acme.subjectId, JSON.stringify(identity)])
  ada = await aScimUser(fixture, acme, 'ada')
  await owner('UPDATE subjects SET scim_user_id = $2 WHERE id = $1', [acme.subjectId, ada])
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  await owner('DELETE FROM scim_groups')
  await publish('now')
  writers = await aScimGroup(fixture, acme, 'writers', { users: [ada] })
})

const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, sql, parameters)

const publish = (claimChanges: 'now' | 'at_next_refresh') =>
  inTenant(fixture.database, acme.tenantId, (db) =>
    publishPolicy(db, acme.tenantId, {
      document: `version: 1
claimChanges: ${claimChanges}
rules: [{ name: all, effect: grant, scopes: [read], everyone: true }]
bundles: [{ name: writers, groups: [writers, of the login alone], scopes: [write] }]`,
      author: 'test',
      now,
    }),
  )

/** As SCIM does it: the rows and what they mean for grants, in one transaction under the directory's lock. */
const takeOut = (touched: Touched = [ada]) =>
  inTenant(fixture.database, acme.tenantId, async (db) => {
    const { tenantId: tenant, connectionId } = acme
    await holdDirectory(db, { tenant, connectionId })
    await db.query('DELETE FROM scim_group_members WHERE tenant_id = $1 AND group_id = $2', [tenant, writers])
    await raiseClaims(db, { tenant, connectionId, now }, touched)
  })

/** Decided on what the directory says at this moment. */
const granted = async (scopes: readonly string[]) => {
  const [versions] = await owner<{ claimsVersion: number; directoryVersion: number }>(
    `SELECT s.claims_version AS "claimsVersion", c.directory_version AS "directoryVersion"
     FROM subjects s JOIN connections c ON c.id = s.connection_id WHERE s.id = $1`,
    [acme.subjectId],
  )
  return aGrant(fixture, acme, { now, scopes, ...(versions && { versions }) })
}
async function login(scopes: readonly string[] = ['read', 'write']) {
  const { code, grantId } = await granted(scopes)
  const tokens = await client.redeem(code)
  expect(tokens).toMatchObject({ scope: scopes.join(' ') })
  return { grantId, access: tokens.access_token, refresh: tokens.refresh_token }
}
const stored = async (grantId: string) => (await owner('SELECT scopes, epoch FROM grants WHERE id = $1', [grantId]))[0]
const entries = () => owner<{ payload: unknown }>("SELECT payload FROM outbox WHERE kind = 'settle-directory' ORDER BY id DESC LIMIT 1")

it.each([
  ['her', [] as string[]],
  ['a whole connection, because it names too many', Array.from({ length: mostNamedPeople }, () => crypto.randomUUID())],
])('a change that touches %s: what is lost is inactive from the commit on, what is kept goes on', async (_whom, others) => {
  const loses = await login()
  const keeps = await login(['read'])
  await takeOut([ada, ...others])
  expect(await client.introspect(loses.access)).toEqual({ active: false })
  expect(await client.introspect(keeps.access)).toMatchObject({ active: true, scope: 'read' })
  expect([await stored(loses.grantId), await stored(keeps.grantId)]).toEqual([
    { scopes: ['read'], epoch: 2 },
    { scopes: ['read'], epoch: 1 },
  ])
  const refreshed = await client.refresh(loses.refresh)
  expect(refreshed.scope).toBe('read')
  expect(await client.introspect(refreshed.access_token)).toMatchObject({ active: true, scope: 'read' })
})

it('the worker is asked for those whom it named, and for the connection where it named too many', async () => {
  await takeOut()
  expect((await entries())[0]?.payload).toEqual({ connection: acme.connectionId, subjects: [acme.subjectId] })
  await takeOut('everybody')
  expect((await entries())[0]?.payload).toEqual({ connection: acme.connectionId })
})

it('at the next refresh, if the policy says so: until then introspection answers by what the grant holds', async () => {
  await publish('at_next_refresh')
  const before = await entries()
  const one = await login()
  await takeOut()
  expect(await client.introspect(one.access)).toMatchObject({ active: true, scope: 'read write' })
  expect(await entries()).toEqual(before)
  expect((await client.refresh(one.refresh)).scope).toBe('read')
  expect(await client.introspect(one.access)).toMatchObject({ active: true, scope: 'read' })
})

it('what was taken away before a policy says now counts at the next refresh still, or at once where that is published for live grants', async () => {
  await publish('at_next_refresh')
  const one = await login()
  await takeOut()
  await publish('now')
  expect(await client.introspect(one.access)).toMatchObject({ active: true, scope: 'read write' })
  const version = await publish('now')
  await inTenant(fixture.database, acme.tenantId, (db) => demandPolicySweep(db, acme.tenantId, version, now))
  expect(await client.introspect(one.access)).toEqual({ active: false })
  expect((await client.refresh(one.refresh)).scope).toBe('read')
})

it('a code that was granted before is worth what is left when it is redeemed', async () => {
  const { code } = await granted(['read', 'write'])
  await takeOut()
  const tokens = await client.redeem(code)
  expect(tokens.scope).toBe('read')
  expect(await client.introspect(tokens.access_token)).toMatchObject({ active: true, scope: 'read' })
})

it('a change between the decision to refresh and its statement: the refresh is narrower, and not refused', async () => {
  const one = await login()
  race.before('rotate_refresh_token', () => takeOut())
  const refreshed = await client.refresh(one.refresh)
  expect(refreshed.scope).toBe('read')
  expect(await client.introspect(one.access)).toEqual({ active: false })
})

it('a refresh whose statement began before the change and ends after it: its wide token is dead wherever it is shown', async () => {
  const one = await login()
  const late = await whileHeld('SELECT 1 FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE', hashOf(one.refresh), {
    work: () => client.refresh(one.refresh),
    meanwhile: () => takeOut(),
  })
  expect(late.scope).toBe('read write')
  expect(await client.introspect(late.access_token)).toEqual({ active: false })
  expect((await client.refresh(late.refresh_token)).scope).toBe('read')
})

it('under many refreshes at once nothing that began after the commit has the lost scope, and nothing older is believed', async () => {
  const grants = await Promise.all(Array.from({ length: 4 }, () => login()))
  const handed: { readonly began: number; readonly tokens: TokenAnswer }[] = []
  let isOver = false
  const refreshing = grants.map(async (grant) => {
    let token = grant.refresh
    while (!isOver) {
      const began = performance.now()
      const tokens = await client.refresh(token)
      handed.push({ began, tokens })
      token = tokens.refresh_token
    }
  })
  await new Promise((done) => setTimeout(done, 300))
  await takeOut()
  const committed = performance.now()
  await new Promise((done) => setTimeout(done, 300))
  isOver = true
  await Promise.all(refreshing)
  expect(handed.filter(({ began }) => began > committed).map(({ tokens }) => tokens.scope)).toContain('read')
  expect(handed.filter(({ began, tokens }) => began > committed && tokens.scope !== 'read')).toEqual([])
  const answers = await Promise.all(
    [...handed.map(({ tokens }) => tokens.access_token), ...grants.map(({ access }) => access)].map(client.introspect),
  )
  expect(answers.filter(({ active, scope }) => active === true && scope !== 'read')).toEqual([])
})

it('what a grant keeps by another group it keeps, and where the directory decides, the login’s own groups give nothing', async () => {
  const one = await login()
  await aScimGroup(fixture, acme, 'of the login alone', { users: [ada] })
  await takeOut()
  expect(await client.introspect(one.access)).toMatchObject({ active: true, scope: 'read write' })
  await owner("DELETE FROM scim_groups WHERE display_name = 'of the login alone'")
  await takeOut()
  expect(await client.introspect(one.access)).toEqual({ active: false })
})

it('a grant that is deferred to its next refresh is settled once, and not at every look', async () => {
  const one = await login()
  await inTenant(fixture.database, acme.tenantId, (db) =>
    publishPolicy(db, acme.tenantId, {
      document: `version: 1
rules: [{ name: office, effect: grant, scopes: [read, write], when: "request.address == '192.0.2.1'" }]`,
      author: 'test',
      now,
    }),
  )
  await takeOut()
  expect(await client.introspect(one.access)).toEqual({ active: false })
  expect(await client.introspect(one.access)).toEqual({ active: false })
  expect(await stored(one.grantId)).toEqual({ scopes: ['read', 'write'], epoch: 2 })
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
