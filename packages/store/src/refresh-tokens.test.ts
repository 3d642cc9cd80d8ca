import { randomBytes, randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { formatRefreshToken, type TokenFamilyId } from '@drawbridge/core/oauth/refresh-token'
import { isBelowBarrier } from '@drawbridge/core/revocation/epochs'
import { Secret } from '@drawbridge/core/secret'
import type { Scope } from '@drawbridge/core/tenant/ids'
import { deriveSuccessor } from '@drawbridge/crypto/refresh-family'
import { createSealer } from '@drawbridge/crypto/seal'
import { aChallenge, aGrant, aRedirectUri, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { redeemCode } from './authorization-codes.js'
import { epochsOf, introspectGrant, revokeGrantOfToken } from './grants.js'
import type { Redecision } from './redecision.js'
import { rotateRefreshToken } from './refresh-tokens.js'
import { findOlderKeyUsesAcrossTenants } from './sealed-values.js'
import { onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
const asked = { requestId: 'test', address: '127.0.0.1' }
const masterKey = Buffer.alloc(32, 7)
let fixture: TestDatabase
let acme: ATenant
let globex: ATenant

beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
})
afterAll(() => fixture.close())

const owner = (sql: string, parameters: readonly unknown[] = []) => asOwner<Record<string, unknown>>(fixture.ownerUrl, sql, parameters)

async function aFamily(given: { tenant?: ATenant; scopes?: readonly string[]; sessionSeconds?: number } = {}) {
  const { tenant = acme, ...rest } = given
  const { code, grantId } = await aGrant(fixture, tenant, { now, ...rest })
  const first = formatRefreshToken(randomUUID() as TokenFamilyId, randomBytes(32))
  const redeemed = await redeemCode(onHotPath(fixture.database), {
    tenantId: tenant.tenantId,
    codeHash: hashOf(code),
    presented: {
      ...tenant,
      ...(await presentVersions(fixture, tenant)),
      redirectUri: aRedirectUri,
      codeChallenge: aChallenge,
      resource: undefined,
      provenKey: undefined,
    },
    bindsRefreshTokens: false,
    refreshTokenHash: hashOf(first),
    redecision: undefined,
    proofNotNeededBy: undefined,
    eventId: randomUUID(),
    now,
    asked,
  })
  expect(redeemed.kind).toBe('redeemed')
  return { grantId, first }
}

type Refreshing = {
  readonly at?: Instant
  readonly scopes?: readonly string[]
  readonly redecision?: Redecision
  readonly tenant?: ATenant
  /** As which the client was authenticated; else as which it is now. */
  readonly clientVersion?: number
}

/** One refresh as one process would do it: each call makes its own sealer. Answers the successor. */
async function refresh(token: string, given: Refreshing = {}) {
  const { at = addSeconds(now, 60), tenant = acme, redecision } = given
  const familyId = Buffer.from(token.slice(4), 'base64url').toString('hex', 0, 16) as TokenFamilyId
  const sealer = createSealer([{ version: 1, key: masterKey }])
  const next = deriveSuccessor(sealer, { familyId, keyVersion: 1 }, new Secret(token)).reveal()
  const rotation = await rotateRefreshToken(onHotPath(fixture.database), {
    tenantId: tenant.tenantId,
    tokenHash: hashOf(token),
    presented: {
      issuerId: tenant.issuerId,
      clientId: tenant.clientId,
      clientVersion: given.clientVersion ?? (await presentVersions(fixture, tenant)).clientVersion,
      scopes: given.scopes as readonly Scope[] | undefined,
      resource: undefined,
      provenKey: undefined,
    },
    bindsRefreshTokens: false,
    successor: { hash: hashOf(next), keyVersion: 1 },
    redecision,
    proofNotNeededBy: undefined,
    eventId: randomUUID(),
    now: at,
    asked,
  })
  return { ...rotation, next }
}

test('20 that refresh together, each in its own process, get the same successor, and it is stored once', async () => {
  const { grantId, first } = await aFamily()
  const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(first)))
  expect(answers.map((answer) => answer.kind)).toEqual(answers.map(() => 'rotated'))
  expect(new Set(answers.map((answer) => answer.next)).size).toBe(1)
  expect(await owner('SELECT count(*)::int AS n FROM refresh_tokens WHERE grant_id = $1', [grantId])).toEqual([{ n: 2 }])
  expect(await owner('SELECT grace_replays FROM refresh_tokens WHERE token_hash = $1', [hashOf(first)])).toEqual([{ grace_replays: 19 }])
  expect((await refresh(answers[0]?.next ?? '')).kind).toBe('rotated')
})

test('the 21st replay of one rotation is refused and kills nothing', async () => {
  const { grantId, first } = await aFamily()
  for (let replay = 0; replay <= 20; replay += 1) expect((await refresh(first)).kind).toBe('rotated')
  expect(await refresh(first)).toMatchObject({ kind: 'refused', reason: 'refresh_grace_exhausted' })
  expect(await owner('SELECT revoked_at FROM grants WHERE id = $1', [grantId])).toEqual([{ revoked_at: null }])
})

const theftOf = (grantId: string) =>
  owner("SELECT address, detail->'grantRevoked' AS killed FROM audit_events WHERE grant_id = $1 AND reason = 'refresh_token_stolen'", [
    grantId,
  ])

test('replays within the grace at the rate of theft kill the family, the refused ones counted, and are audited with the address', async () => {
  const { grantId, first } = await aFamily()
  for (let request = 0; request <= 60; request += 1) {
    const answer = await refresh(first)
    expect(answer).toMatchObject(request <= 20 ? { kind: 'rotated' } : { kind: 'refused', reason: 'refresh_grace_exhausted' })
  }
  expect(await theftOf(grantId)).toEqual([])
  expect(await refresh(first)).toMatchObject({ kind: 'refused', reason: 'refresh_token_stolen' })
  expect(await theftOf(grantId)).toEqual([{ address: '127.0.0.1', killed: true }])
  expect(await owner('SELECT revoked_reason FROM grants WHERE id = $1', [grantId])).toEqual([{ revoked_reason: 'refresh_token_stolen' }])
  expect(await owner('SELECT source FROM deprovisioning_events WHERE target_id = $1', [grantId])).toEqual([{ source: 'token_theft' }])
  expect((await refresh((await refresh(first)).next)).kind).toBe('refused')
})

test('the rate is that of the family over its rotations, and what lies before the window does not count', async () => {
  const replays = async (token: string, at: Instant): Promise<string> => {
    const { next } = await refresh(token, { at })
    for (let replay = 0; replay < 20; replay += 1) expect((await refresh(token, { at })).kind).toBe('rotated')
    return next
  }
  const chain = async (first: string, seconds: readonly number[]) => {
    let token = first
    for (const second of seconds) token = await replays(token, addSeconds(now, second))
    const last = addSeconds(now, (seconds.at(-1) ?? 0) + 1)
    await refresh(token, { at: last })
    return refresh(token, { at: last })
  }
  const fast = await aFamily()
  expect(await chain(fast.first, [10, 20, 30])).toMatchObject({ kind: 'refused', reason: 'refresh_token_stolen' })
  const slow = await aFamily()
  expect(await chain(slow.first, [10, 200, 311])).toMatchObject({ kind: 'rotated' })
  expect(await theftOf(slow.grantId)).toEqual([])
})

test('after the first use of the successor a replay inside the window is refused without killing the family', async () => {
  const { first } = await aFamily()
  const { next } = await refresh(first)
  const third = await refresh(next)
  expect(await refresh(first)).toMatchObject({ kind: 'refused', reason: 'refresh_token_replayed' })
  expect((await refresh(third.next)).kind).toBe('rotated')
})

test('a replay is answered while the first use of the successor is under way, and refused once that is done', async () => {
  const { first } = await aFamily()
  const { next } = await refresh(first)
  const using = new pg.Client({ connectionString: fixture.ownerUrl })
  await using.connect()
  try {
    await using.query('BEGIN')
    await using.query('UPDATE refresh_tokens SET rotated_at = $2 WHERE token_hash = $1', [hashOf(next), new Date(addSeconds(now, 60))])
    expect(await refresh(first)).toMatchObject({ kind: 'rotated', next })
    await using.query('COMMIT')
  } finally {
    await using.end()
  }
  expect(await refresh(first)).toMatchObject({ kind: 'refused', reason: 'refresh_token_replayed' })
})

test('a successor needs the key that derived it until it is used', async () => {
  const { first } = await aFamily()
  const at = addSeconds(now, 5000) // nothing else here is in its grace then
  const uses = async () =>
    (await findOlderKeyUsesAcrossTenants(fixture.database, 2, at)).filter(({ what }) => what === 'refresh_tokens').map(({ count }) => count)
  const { next } = await refresh(first, { at })
  expect(await uses()).toEqual([1])
  const { next: third } = await refresh(next, { at })
  expect(await uses()).toEqual([1]) // of the third, no longer of the second
  await owner('UPDATE refresh_tokens SET rotated_at = $2 WHERE token_hash = $1', [hashOf(third), new Date(now)])
  expect(await uses()).toEqual([])
})

test('a replay at the very end of the grace is theft: it kills the family, with event, outbox entry and audit row', async () => {
  const { grantId, first } = await aFamily()
  const { next } = await refresh(first)
  expect((await refresh(first, { at: instant(addSeconds(now, 90) - 1) })).kind).toBe('rotated')
  expect(await refresh(first, { at: addSeconds(now, 90) })).toMatchObject({ kind: 'refused', reason: 'refresh_token_stolen' })
  expect(await refresh(next, { at: addSeconds(now, 90) })).toMatchObject({ kind: 'refused', reason: 'grant_revoked' })
  expect(await owner('SELECT epoch, revoked_reason FROM grants WHERE id = $1', [grantId])).toEqual([
    { epoch: 2, revoked_reason: 'refresh_token_stolen' },
  ])
  expect(await owner("SELECT source FROM deprovisioning_events WHERE target = 'grant' AND target_id = $1", [grantId])).toEqual([
    { source: 'token_theft' },
  ])
  expect(await owner("SELECT kind, payload->'epoch' AS epoch FROM outbox WHERE payload->>'targetId' = $1", [grantId])).toEqual([
    { kind: 'revoke', epoch: 2 },
  ])
  const audited = await owner("SELECT detail FROM audit_events WHERE grant_id = $1 AND reason = 'refresh_token_stolen'", [grantId])
  expect(audited).toEqual([{ detail: { grantRevoked: true, graceReplays: null } }])
})

test('scope may be narrowed for one token and never widened', async () => {
  const { first } = await aFamily({ scopes: ['read', 'write'] })
  expect(await refresh(first, { scopes: ['read', 'admin'] })).toMatchObject({ kind: 'refused', reason: 'scope_widened' })
  const narrowed = await refresh(first, { scopes: ['read'] })
  expect(narrowed.kind).toBe('rotated')
  expect(await refresh(narrowed.next)).toMatchObject({ kind: 'rotated', grant: { allowed: ['read', 'write'] } })
})

test('nothing outlives the grant', async () => {
  const { grantId, first } = await aFamily({ sessionSeconds: 100 })
  await refresh(first)
  const expiries = await owner(
    'SELECT DISTINCT extract(epoch FROM expires_at)::bigint::int AS at FROM refresh_tokens WHERE grant_id = $1',
    [grantId],
  )
  expect(expiries).toEqual([{ at: 1_800_000_100 }])
  expect(await refresh(first, { at: addSeconds(now, 80) })).toMatchObject({ kind: 'rotated' })
  const other = await aFamily({ sessionSeconds: 100 })
  expect(await refresh(other.first, { at: addSeconds(now, 100) })).toMatchObject({ kind: 'refused', reason: 'grant_expired' })
})

test('when policy has changed nothing moves until it has decided again, and a decision only takes away', async () => {
  const tenant = await aTenant(fixture, { slug: 'initech' })
  const { grantId, first } = await aFamily({ tenant, scopes: ['read', 'write'] })
  await owner('UPDATE tenants SET policy_version = 3 WHERE id = $1', [tenant.tenantId])
  const redecision: Redecision = {
    policyVersion: 3,
    claimsVersion: 1,
    directoryVersion: 0,
    scopes: ['write', 'admin'],
    accessTokenTtlSeconds: 300,
    refreshTtlSeconds: 3600,
    refreshEndsAt: addSeconds(now, 20_000),
    ceilings: {
      accessToken: { seconds: 300, by: 'client_rule', detail: 'client rule short' },
      refreshToken: { seconds: 3600, by: 'tenant', detail: 'limit of the tenant' },
    },
    expiresAt: addSeconds(now, 99_999),
  }
  expect((await refresh(first, { tenant })).kind).toBe('decide_again')
  expect((await refresh(first, { tenant, redecision: { ...redecision, policyVersion: 2 } })).kind).toBe('decide_again')
  const rotated = await refresh(first, { tenant, redecision })
  expect(rotated).toMatchObject({ kind: 'rotated', grant: { allowed: ['write'], access_seconds: 300, ends_at: addSeconds(now, 28_800) } })
  expect(await owner('SELECT scopes, policy_version FROM grants WHERE id = $1', [grantId])).toEqual([
    { scopes: ['write'], policy_version: 3 },
  ])
  expect((await refresh(rotated.next, { tenant })).kind).toBe('rotated')
  const { accessToken, refreshToken } = redecision.ceilings
  const told = await owner(
    "SELECT detail -> 'ceilings' AS ceilings, detail -> 'policyVersion' AS version FROM audit_events WHERE grant_id = $1 AND kind = 'token_refreshed' ORDER BY id",
    [grantId],
  )
  expect(told).toEqual([
    { ceilings: { accessToken, refreshToken }, version: 3 },
    { ceilings: null, version: null },
  ])
  expect(await owner('SELECT ceilings, refresh_ends_at FROM grants WHERE id = $1', [grantId])).toEqual([
    { ceilings: { accessToken, refreshToken }, refresh_ends_at: new Date(addSeconds(now, 20_000)) },
  ])
})

test('a redecision that had to wait for another one takes away from what that one left, and never undoes a newer one', async () => {
  const tenant = await aTenant(fixture, { slug: 'hooli' })
  const { grantId, first } = await aFamily({ tenant, scopes: ['read', 'write'] })
  await owner('UPDATE tenants SET policy_version = 3 WHERE id = $1', [tenant.tenantId])
  const redecision: Redecision = {
    policyVersion: 3,
    claimsVersion: 1,
    directoryVersion: 0,
    scopes: ['read', 'write'],
    accessTokenTtlSeconds: 900,
    refreshTtlSeconds: 3600,
    refreshEndsAt: addSeconds(now, 20_000),
    ceilings: {
      accessToken: { seconds: 900, by: 'client_rule', detail: 'client rule short' },
      refreshToken: { seconds: 3600, by: 'tenant', detail: 'limit of the tenant' },
    },
    expiresAt: addSeconds(now, 28_800),
  }
  const narrowed = async (token: string, change: string) => {
    const waited = await whileGrantIs(change, grantId, () => refresh(token, { tenant, redecision }))
    return {
      waited,
      grant: await owner('SELECT scopes, policy_version, access_token_ttl_seconds AS ttl FROM grants WHERE id = $1', [grantId]),
    }
  }
  const same = await narrowed(first, "scopes = '{read}', policy_version = 3, access_token_ttl_seconds = 300")
  expect(same).toMatchObject({ waited: { kind: 'rotated' }, grant: [{ scopes: ['read'], policy_version: 3, ttl: 300 }] })
  await owner("UPDATE grants SET scopes = '{read,write}', policy_version = 0 WHERE id = $1", [grantId])
  const newer = await narrowed(same.waited.next, "scopes = '{write}', policy_version = 4")
  expect(newer).toMatchObject({ waited: { kind: 'rotated' }, grant: [{ scopes: ['write'], policy_version: 4, ttl: 300 }] })
})

/** Runs `work` into the lock of a concurrent, uncommitted change of the grant, commits that, and answers what `work` came to. */
async function whileGrantIs<T>(change: string, grantId: string, work: () => Promise<T>): Promise<T> {
  const concurrent = new pg.Client({ connectionString: fixture.ownerUrl })
  await concurrent.connect()
  try {
    await concurrent.query('BEGIN')
    await concurrent.query(`UPDATE grants SET ${change} WHERE id = $1`, [grantId])
    const working = work()
    const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
    for (let looks = 0; looks < 500 && (await owner(waiting))[0]?.['n'] === 0; looks += 1) await new Promise((done) => setTimeout(done, 10))
    expect(await owner(waiting)).toEqual([{ n: 1 }])
    await concurrent.query('COMMIT')
    return await working
  } finally {
    await concurrent.end()
  }
}

test('under a client that has changed nothing moves, not even for a stolen token or an unknown one', async () => {
  const tenant = await aTenant(fixture, { slug: 'tyrell' })
  const { grantId, first } = await aFamily({ tenant })
  await refresh(first, { tenant })
  const { clientVersion } = await presentVersions(fixture, tenant)
  await owner('UPDATE clients SET blocked_at = created_at WHERE tenant_id = $1', [tenant.tenantId])
  const before = await owner('SELECT count(*)::int AS n FROM audit_events WHERE tenant_id = $1', [tenant.tenantId])
  for (const at of [addSeconds(now, 61), addSeconds(now, 1000)])
    expect(await refresh(first, { tenant, clientVersion, at })).toMatchObject({ kind: 'client_changed' })
  expect(await refresh(`dbr_${'A'.repeat(64)}`, { tenant, clientVersion })).toMatchObject({ kind: 'client_changed' })
  expect(await owner('SELECT count(*)::int AS n FROM audit_events WHERE tenant_id = $1', [tenant.tenantId])).toEqual(before)
  expect(await owner('SELECT revoked_at FROM grants WHERE id = $1', [grantId])).toEqual([{ revoked_at: null }])
})

test('what was rotated before a barrier is below it afterwards, whenever it was signed', async () => {
  const tenant = await aTenant(fixture, { slug: 'umbrella' })
  const { grantId, first } = await aFamily({ tenant })
  const rotation = await refresh(first, { tenant })
  if (rotation.kind !== 'rotated') throw new Error('not rotated')
  await owner('UPDATE subjects SET epoch = epoch + 1, barrier_at = $2 WHERE id = $1', [tenant.subjectId, new Date(now)])
  const current = { ...epochsOf(rotation.grant), subject: 2 }
  expect(isBelowBarrier(epochsOf(rotation.grant), current)).toBe(true)
  expect(await refresh(rotation.next, { tenant })).toMatchObject({ kind: 'refused', reason: 'grant_below_barrier' })
  const seen = await introspectGrant(onHotPath(fixture.database), {
    isTenantsOwn: true,
    ...tenant,
    secretHash: hashOf(tenant.credentialSecret),
    grantId,
    now,
  })
  expect(seen).toEqual({ resource: tenant.resource, grant: undefined })
})

test('a token of one tenant is unknown in another', async () => {
  const { first } = await aFamily()
  expect(await refresh(first, { tenant: globex })).toMatchObject({ kind: 'refused', reason: 'refresh_token_unknown' })
})

test('a client revokes its own grant, once, and no other client does', async () => {
  const { grantId, first } = await aFamily()
  const { clientVersion } = await presentVersions(fixture, acme)
  const [other] = await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
     SELECT tenant_id, issuer_id, 'other', kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at
     FROM clients WHERE client_id = $1 RETURNING version::int`,
    [acme.clientId],
  )
  const revoke = (clientId: string, version: number) =>
    revokeGrantOfToken(onHotPath(fixture.database), {
      tenantId: acme.tenantId,
      caller: { issuerId: acme.issuerId, clientId: clientId as ATenant['clientId'], clientVersion: version },
      token: { refreshTokenHash: hashOf(first) },
      eventId: randomUUID(),
      now,
      asked,
    })
  expect(await revoke('other', other?.['version'] as number)).toBe('nothing_to_revoke')
  expect(await revoke(acme.clientId, clientVersion - 1)).toBe('client_changed')
  expect(await owner('SELECT revoked_at FROM grants WHERE id = $1', [grantId])).toEqual([{ revoked_at: null }])
  expect(await revoke(acme.clientId, clientVersion)).toBe('revoked')
  expect(await revoke(acme.clientId, clientVersion)).toBe('nothing_to_revoke')
  expect(await refresh(first)).toMatchObject({ kind: 'refused', reason: 'grant_revoked' })
  expect(await owner("SELECT kind FROM outbox WHERE payload->>'targetId' = $1", [grantId])).toEqual([{ kind: 'revoke' }])
})

test('only the credential of the resource learns of its grants', async () => {
  const { grantId } = await aFamily()
  const ask = (tenant: ATenant, secret: string) =>
    introspectGrant(onHotPath(fixture.database), { ...tenant, secretHash: hashOf(secret), grantId, isTenantsOwn: true, now })
  expect((await ask(acme, acme.credentialSecret))?.grant?.scopes).toEqual(['read', 'write'])
  expect(await ask(acme, 'dbx_wrong')).toBeUndefined()
  expect(await ask(globex, globex.credentialSecret)).toEqual({ resource: globex.resource, grant: undefined })
})
