/** After a restore: what was issued is dead, above all that a guard may have been told, and nobody comes in whom the directory may have lost. */
import { randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type {
  AuthorizationRequestId,
  BrowserSessionId,
  ConnectionId,
  DeprovisioningEventId,
  IssuerId,
  LoginRequestId,
  ScimUserId,
  SubjectId,
} from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { systemRandom } from '@drawbridge/crypto/random'
import { generateSigningKey, type JwtPurpose, type KeyPurpose } from '@drawbridge/crypto/signing-keys'
import { presentVersions } from '@drawbridge/testkit/a-grant'
import { anotherConnection } from '@drawbridge/testkit/a-login'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { insertAuditEvent } from './audit-events.js'
import { completeLogin } from './complete-login.js'
import { insertLoginRequest } from './login-requests.js'
import { markDirectoryResynced, recoverTenant, recoveryEpochJump } from './recovery.js'
import { deleteScimUser, insertScimUser, updateScimUser } from './scim-users.js'
import { insertSigningKey, listSigningKeys, type SigningKeyDraft } from './signing-keys.js'
import { type Db, inTenant, onHotPath } from './transaction.js'
import { findUnnamed, letInUnnamed, markNamed } from './unnamed-people.js'

const restoredAt = instant(1_800_000_000_000)
let fixture: TestDatabase
let slugs = 0
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

/** Sealed by nobody: what is asked here is which keys there are. */
const aKey = (issuerId: IssuerId, purpose: KeyPurpose, state: 'next' | 'active'): SigningKeyDraft => {
  const { privateKey, ...key } = generateSigningKey(systemRandom(), purpose as JwtPurpose)
  return { ...key, issuerId, state, now: restoredAt, sealedPrivateKey: privateKey }
}
const replacement = { now: restoredAt, newEventId: randomUUID, makeKey: aKey }

const freshTenant = () => aTenant(fixture, { slug: `restored-${(slugs += 1)}` })
const recover = ({ tenantId: tenant }: ATenant) =>
  inTenant(fixture.database, tenant, (db) => recoverTenant(db, { tenant, eventId: randomUUID() as DeprovisioningEventId, ...replacement }))
const callerAt = ({ tenantId: tenant, connectionId }: ATenant, seconds: number) => ({
  ...{ tenant, connectionId, now: addSeconds(restoredAt, seconds), requestId: undefined, newId: randomUUID },
})
const known = (name: string, over: object = {}) => ({ userName: name, externalId: name, active: true, attributes: {}, ...over })

/** A login that begins `seconds` after the restore, or before it, and comes home two minutes after it. */
async function leave(tenant: ATenant, stableId: string, seconds = 60): Promise<() => Promise<string>> {
  const { tenantId, connectionId, issuerId, clientId } = tenant
  const [id, browserHash] = [randomUUID() as LoginRequestId, hashCredential(randomUUID())]
  const [now, expiresAt] = [addSeconds(restoredAt, seconds), addSeconds(restoredAt, 600)]
  const hot = onHotPath(fixture.database)
  const ongoing = {
    ...{ id: randomUUID() as AuthorizationRequestId, issuerId, clientId, request: {}, step: 'login' as const, connectionId },
    ...{ subjectId: undefined, sessionId: undefined, noticedAt: undefined, stepUps: 0, decision: undefined },
    ...{ clientEpoch: 1, createdAt: now, expiresAt, saved: false },
  }
  const request = { ongoing, browserHash, decidedOn: await presentVersions(fixture, tenant) }
  const trip = { id, connectionId, upstreamId: id, sealedState: Buffer.alloc(1), expiresAt, freshDemanded: true, now }
  expect(await insertLoginRequest(hot, tenantId, request, trip)).toEqual({ kind: 'written' })
  return async () => {
    const at = addSeconds(restoredAt, 120)
    const done = await completeLogin(hot, tenantId, {
      ...{ id, issuerId, connectionId, browserHash, issuedAt: at, now: at, scimLink: undefined },
      ...{ replays: [{ kind: 'oidc_id_token' as const, id }], replayableUntil: expiresAt, addresses: { claimed: [], own: undefined } },
      subject: { id: randomUUID() as SubjectId, stableId, claims: {} },
      session: {
        ...{ id: randomUUID() as BrowserSessionId, handleHash: hashCredential(randomUUID()), acr: undefined, amr: [] },
        ...{ authenticatedAt: at, idpSession: {}, idpSessionNames: undefined, sealedLogoutHint: undefined, expiresAt },
      },
      ...{ previousHandleHash: undefined, requestId: 'request', address: '127.0.0.1' },
    })
    return done.kind === 'refused' ? done.reason : done.kind
  }
}
const signIn = async (tenant: ATenant, stableId: string) => (await leave(tenant, stableId))()
const epochOf = async ({ tenantId }: ATenant) =>
  Number((await asOwner<{ epoch: number }>(fixture.ownerUrl, 'SELECT epoch FROM tenants WHERE id = $1', [tenantId]))[0]?.epoch)

it('raises the epoch beyond whatever may have been raised in what was lost, and again at every recovery', async () => {
  const tenant = await freshTenant()
  const before = await epochOf(tenant)
  await recover(tenant)
  expect(await epochOf(tenant)).toBeGreaterThan(before + recoveryEpochJump)
  await recover(tenant)
  expect(await epochOf(tenant)).toBeGreaterThan(before + 2 * recoveryEpochJump)
})

it('tells the guards of it, and leaves a receipt', async () => {
  const tenant = await freshTenant()
  await recover(tenant)
  const told = await asOwner(
    fixture.ownerUrl,
    `SELECT e.source, e.target, (o.payload ->> 'epoch')::int AS epoch FROM deprovisioning_events e
       JOIN outbox o ON o.tenant_id = e.tenant_id AND o.payload ->> 'eventId' = e.id::text WHERE e.tenant_id = $1`,
    [tenant.tenantId],
  )
  expect(told).toEqual([{ source: 'recovery', target: 'tenant', epoch: await epochOf(tenant) }])
})

it('no key that may have been condemned in what was lost signs, waits or is published any more, whatever it was for; those for SAML stay', async () => {
  const tenant = await freshTenant()
  const { tenantId, issuerId } = tenant
  const keys = () => inTenant(fixture.database, tenantId, (db) => listSigningKeys(db, tenantId))
  const purposes = ['tokens', 'notices', 'id_jag'] as const
  await inTenant(fixture.database, tenantId, async (db) => {
    for (const purpose of purposes)
      for (const state of ['active', 'next'] as const) await insertSigningKey(db, tenantId, aKey(issuerId, purpose, state))
    const saml = { ...aKey(issuerId, 'saml', 'active'), algorithm: 'RS256' as const, certificate: 'of an IdP' }
    await insertSigningKey(db, tenantId, saml)
  })
  const retired = `WITH old AS (UPDATE signing_keys SET state = 'retired', retired_at = now() WHERE tenant_id = $1 AND purpose = 'tokens' AND state = 'active' RETURNING id) SELECT id FROM old`
  expect(await asOwner(fixture.ownerUrl, retired, [tenantId])).toHaveLength(1)
  const before = await keys()
  expect(await recover(tenant)).toMatchObject({ keys: 6, hasSamlKeys: true })
  const after = await keys()
  const old = new Map(before.map(({ id, purpose }) => [id, purpose]))
  expect(
    after
      .filter(({ id }) => old.has(id))
      .map(({ purpose, state }) => `${purpose} ${state}`)
      .toSorted(),
  ).toEqual([...purposes.flatMap((purpose) => [`${purpose} compromised`, `${purpose} compromised`]), 'saml active'].toSorted())
  expect(
    after
      .filter(({ id }) => !old.has(id))
      .map(({ purpose, state }) => `${purpose} ${state}`)
      .toSorted(),
  ).toEqual(purposes.flatMap((purpose) => [`${purpose} active`, `${purpose} next`]).toSorted())
  const told = await asOwner<{ kid: string }>(
    fixture.ownerUrl,
    "SELECT payload ->> 'kid' AS kid FROM outbox WHERE tenant_id = $1 AND kind = 'tell-condemned-key'",
    [tenantId],
  )
  const copied = [...old].filter(([, purpose]) => purpose === 'tokens' || purpose === 'notices').map(([id]) => id)
  expect(told.map(({ kid }) => kid).toSorted()).toEqual(copied.toSorted())
  expect(await recover(tenant)).toMatchObject({ keys: 6 })
})

it('says when the last request was that the copy knows of, also where it is done again', async () => {
  const tenant = await freshTenant()
  expect((await recover(tenant)).lastKnownAt).toBeUndefined()
  const asked = (seconds: number, requestId: string | undefined) =>
    inTenant(fixture.database, tenant.tenantId, (db) =>
      insertAuditEvent(db, tenant.tenantId, { at: addSeconds(restoredAt, seconds), kind: 'connection.resynced', requestId }),
    )
  await asked(-20, 'the last one')
  await asked(-10, undefined)
  for (const _time of [1, 2]) expect((await recover(tenant)).lastKnownAt).toBe(addSeconds(restoredAt, -20))
})

it('a login that was under way is over, and one that begins afterwards goes through', async () => {
  const tenant = await freshTenant()
  const comeHome = await leave(tenant, 'ada', -60)
  await recover(tenant)
  expect(await comeHome()).not.toBe('believed')
  expect(await signIn(tenant, 'ada')).toBe('believed')
})

it('whoever is in the copy was not created since, by whichever clock', async () => {
  const tenant = await freshTenant()
  const { tenantId, connectionId } = tenant
  const ahead = await inTenant(fixture.database, tenantId, (db) => insertScimUser(db, callerAt(tenant, 20), known('ada')))
  await recover(tenant)
  // She is named, but what else the directory says of her, such as her groups, may be what was lost.
  await inTenant(fixture.database, tenantId, (db) => markNamed(db, callerAt(tenant, 30), (ahead.ok && ahead.value.id) as ScimUserId))
  expect(await signIn(tenant, 'ada')).toBe('directory_resync_pending')
  await inTenant(fixture.database, tenantId, (db) => insertScimUser(db, callerAt(tenant, 40), known('cem')))
  expect(await signIn(tenant, 'cem')).toBe('believed')
  await inTenant(fixture.database, tenantId, (db) => markDirectoryResynced(db, tenantId, connectionId))
  expect(await signIn(tenant, 'ada')).toBe('believed')
})

it('through a connection with a directory nobody comes in whom it has not created since, until its admin says that it has told all; then nobody whom it has not named', async () => {
  const tenant = await freshTenant()
  const { tenantId, connectionId } = tenant
  const ids = await inTenant(fixture.database, tenantId, async (db) => {
    const made = []
    for (const name of ['ada', 'ben']) made.push(await insertScimUser(db, callerAt(tenant, -600), known(name)))
    return made.map((one) => (one.ok ? one.value.id : undefined))
  })
  expect((await recover(tenant)).connections).toEqual([connectionId])
  expect(await signIn(tenant, 'ada')).toBe('directory_resync_pending')
  expect(await signIn(tenant, 'a stranger to the directory')).toBe('directory_resync_pending')
  await inTenant(fixture.database, tenantId, (db) =>
    updateScimUser(db, callerAt(tenant, 30), ids[0] as NonNullable<(typeof ids)[0]>, () => ({
      ok: true,
      value: known('ada', { attributes: { title: 'x' } }),
    })),
  )
  // A new title says nothing of whether she may come in: the directory said that in what was lost, and does not say it again.
  expect(await signIn(tenant, 'ada')).toBe('directory_resync_pending')
  await inTenant(fixture.database, tenantId, (db) => insertScimUser(db, callerAt(tenant, 30), known('cem')))
  expect(await signIn(tenant, 'cem')).toBe('believed')
  expect(await signIn(tenant, 'ben')).toBe('directory_resync_pending')
  expect(await inTenant(fixture.database, tenantId, (db) => markDirectoryResynced(db, tenantId, randomUUID() as ConnectionId))).toBe(false)
  expect(await inTenant(fixture.database, tenantId, (db) => markDirectoryResynced(db, tenantId, connectionId))).toBe(true)
  // Whose deletion was answered for in what was lost is never spoken of again, and neither is who only changed her title.
  const unnamed = () => inTenant(fixture.database, tenantId, (db) => findUnnamed(db, tenantId, connectionId))
  const [ada, ben] = ids
  const shown = (name: string, id: ScimUserId | undefined) => ({ id, userName: name, externalId: name })
  expect(await unnamed()).toMatchObject({ count: 2, first: expect.arrayContaining([shown('ada', ada), shown('ben', ben)]) })
  for (const name of ['ada', 'ben']) expect(await signIn(tenant, name)).toBe('directory_resync_pending')
  expect(await signIn(tenant, 'a stranger to the directory')).toBe('believed')
  await inTenant(fixture.database, tenantId, (db) => markNamed(db, callerAt(tenant, 60), ada as ScimUserId))
  expect(await signIn(tenant, 'ada')).toBe('believed')
  expect(await signIn(tenant, 'ben')).toBe('directory_resync_pending')
  expect(await unnamed()).toEqual({ count: 1, first: [shown('ben', ben)] })
})

it('whom the directory has not named comes in by the word of an admin, and no other connection’s people with her', async () => {
  const tenant = await freshTenant()
  const { tenantId, connectionId } = tenant
  const other = await freshTenant()
  for (const each of [tenant, other]) {
    await inTenant(fixture.database, each.tenantId, (db) => insertScimUser(db, callerAt(each, -600), known('ben')))
    await recover(each)
    await inTenant(fixture.database, each.tenantId, (db) => markDirectoryResynced(db, each.tenantId, each.connectionId))
  }
  await inTenant(fixture.database, tenantId, (db) => letInUnnamed(db, tenantId, connectionId))
  expect(await signIn(tenant, 'ben')).toBe('believed')
  expect(await signIn(other, 'ben')).toBe('directory_resync_pending')
})

it('writes no row of a person, however many a directory has, nor does the word that lets them in', async () => {
  const tenant = await freshTenant()
  const { tenantId, connectionId } = tenant
  await inTenant(fixture.database, tenantId, async (db) => {
    for (const name of ['ada', 'ben', 'cem']) await insertScimUser(db, callerAt(tenant, -600), known(name))
  })
  const rows = () => asOwner(fixture.ownerUrl, 'SELECT xmin::text, ctid::text FROM scim_users WHERE tenant_id = $1 ORDER BY id', [tenantId])
  const unnamed = async () => (await inTenant(fixture.database, tenantId, (db) => findUnnamed(db, tenantId, connectionId))).count
  const before = await rows()
  await recover(tenant)
  expect(await unnamed()).toBe(3)
  await inTenant(fixture.database, tenantId, (db) => letInUnnamed(db, tenantId, connectionId))
  expect(await unnamed()).toBe(0)
  expect(await rows()).toEqual(before)
})

it('after another restore whoever was named, let in or created since the first one is to be named again', async () => {
  const tenant = await freshTenant()
  const { tenantId, connectionId } = tenant
  const run = <T>(act: (db: Db) => Promise<T>) => inTenant(fixture.database, tenantId, act)
  const create = async (name: string, seconds: number) => {
    const created = await run((db) => insertScimUser(db, callerAt(tenant, seconds), known(name)))
    return (created as { readonly value: { readonly id: ScimUserId } }).value.id
  }
  const unnamed = async () => (await run((db) => findUnnamed(db, tenantId, connectionId))).first.map(({ userName }) => userName).toSorted()
  const ada = await create('ada', -600)
  await create('ben', -600)
  await recover(tenant)
  // By a clock that is behind that of the recovery: no time is compared.
  await create('cem', -30)
  await run((db) => markNamed(db, callerAt(tenant, 60), ada))
  expect(await unnamed()).toEqual(['ben'])
  await run((db) => letInUnnamed(db, tenantId, connectionId))
  expect(await unnamed()).toEqual([])
  await recover(tenant)
  expect(await unnamed()).toEqual(['ada', 'ben', 'cem'])
  await run((db) => markNamed(db, callerAt(tenant, 90), ada))
  await run((db) => markDirectoryResynced(db, tenantId, connectionId))
  expect(await unnamed()).toEqual(['ben', 'cem'])
  expect([await signIn(tenant, 'ada'), await signIn(tenant, 'cem')]).toEqual(['believed', 'directory_resync_pending'])
})

it('whom the directory switches off meanwhile stays out, and is told the true reason', async () => {
  const tenant = await freshTenant()
  await inTenant(fixture.database, tenant.tenantId, (db) => insertScimUser(db, callerAt(tenant, -600), known('ada', { active: false })))
  await recover(tenant)
  expect(await signIn(tenant, 'ada')).toBe('subject_deactivated')
})

it.each([
  { by: 'its own connection', elsewhere: false },
  { by: 'another connection', elsewhere: true },
])('whom a directory has not named, and only names find, stays out by $by until it names her, or has left', async ({ elsewhere }) => {
  const tenant = await freshTenant()
  const { tenantId, connectionId } = tenant
  const run = <T>(act: (db: Db) => Promise<T>) => inTenant(fixture.database, tenantId, act)
  const at = elsewhere ? { ...tenant, connectionId: await anotherConnection(fixture, tenant, 'another') } : tenant
  const create = async (name: string, seconds: number) => {
    const created = await run((db) => insertScimUser(db, callerAt(tenant, seconds), known(name, { externalId: `hr-${name}` })))
    return (created as { readonly value: { readonly id: ScimUserId } }).value.id
  }
  const [ada, ben] = [await create('ada', -600), await create('ben', -600)]
  await create('cem', -600)
  await recover(tenant)
  if (elsewhere) expect(await signIn(at, 'ben')).toBe('directory_resync_pending')
  await run((db) => markDirectoryResynced(db, tenantId, connectionId))
  for (const name of ['ada', 'BEN', 'hr-ben']) expect(await signIn(at, name)).toBe('directory_resync_pending')
  expect(await signIn(at, 'a stranger to the directory')).toBe('believed')
  await create('dora', 30)
  await run((db) => markNamed(db, callerAt(tenant, 60), ada))
  for (const name of ['ada', 'dora']) expect(await signIn(at, name)).toBe('believed')
  await run((db) => deleteScimUser(db, callerAt(tenant, 60), ben))
  expect(await signIn(at, 'ben')).toBe('subject_deactivated')
  await run((db) => letInUnnamed(db, tenantId, connectionId))
  expect(await signIn(at, 'cem')).toBe('believed')
})

it('a namesake whom the directory of her connection has named lets her in, whoever else of her name it has not, but none of another connection by her very key', async () => {
  const tenant = await freshTenant()
  const { tenantId, connectionId } = tenant
  const run = <T>(act: (db: Db) => Promise<T>) => inTenant(fixture.database, tenantId, act)
  const other = { ...tenant, connectionId: await anotherConnection(fixture, tenant, 'another') }
  const create = (where: ATenant, seconds: number, userName: string, externalId: string) =>
    run((db) => insertScimUser(db, callerAt(where, seconds), known(userName, { externalId })))
  await create(tenant, -600, 'ada', 'hr-1')
  await create(tenant, -600, 'someone', 'ben')
  await recover(tenant)
  await run((db) => markDirectoryResynced(db, tenantId, connectionId))
  for (const name of ['ada', 'ben']) expect(await signIn(other, name)).toBe('directory_resync_pending')
  for (const name of ['ada', 'ben']) await create(other, 30, name, `their-${name}`)
  expect(await signIn(other, 'ada')).toBe('believed')
  expect(await signIn(other, 'ben')).toBe('directory_resync_pending')
})
