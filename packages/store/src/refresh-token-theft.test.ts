/** Two parties rotate one refresh token at the same instant, and one of them binds its successor to a key. */
import { randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { KeyThumbprint, ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import { aGrant, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Redecision } from './redecision.js'
import { rotateRefreshToken } from './refresh-tokens.js'
import { onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
const later = addSeconds(now, 3600)
const token = 'dbr_presented'
const redecision: Redecision = {
  policyVersion: 3,
  claimsVersion: 1,
  directoryVersion: 0,
  scopes: ['read'],
  accessTokenTtlSeconds: 300,
  refreshTtlSeconds: 900,
  refreshEndsAt: later,
  ceilings: {
    accessToken: { seconds: 300, by: 'client_rule', detail: 'client rule short' },
    refreshToken: { seconds: 900, by: 'tenant', detail: 'limit of the tenant' },
  },
  expiresAt: later,
}
let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
})
afterAll(() => fixture.close())
const owner = (sql: string, parameters: readonly unknown[] = []) => asOwner<Record<string, unknown>>(fixture.ownerUrl, sql, parameters)

test('the second is theft and kills the family, although both bring a redecision, which writes the same row', async () => {
  const acme = await aTenant(fixture, { slug: 'acme' })
  const { grantId } = await aGrant(fixture, acme, { now })
  await owner('UPDATE tenants SET policy_version = 3 WHERE id = $1', [acme.tenantId])
  await owner(
    'INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [...[acme.tenantId, hashOf(token), grantId, acme.issuerId, acme.clientId, new Date(now), new Date(later)]],
  )
  const { clientVersion } = await presentVersions(fixture, acme)
  const rotate = (thumbprint: string) =>
    rotateRefreshToken(onHotPath(fixture.database), {
      tenantId: acme.tenantId,
      tokenHash: hashOf(token),
      presented: {
        ...{ issuerId: acme.issuerId, clientId: acme.clientId, clientVersion, scopes: undefined, resource: undefined },
        provenKey: { thumbprint: thumbprint as KeyThumbprint, jti: 'jti', rememberUntil: later } as ProvenKey,
      },
      bindsRefreshTokens: true,
      successor: { hash: hashOf('dbr_successor'), keyVersion: 1 },
      redecision,
      proofNotNeededBy: undefined,
      eventId: randomUUID(),
      now,
      asked: { requestId: 'test', address: undefined },
    })
  const rotations = await whileTokenIsLocked(() => [rotate('one'), rotate('another')])
  const told = rotations.map((rotation) => (rotation.kind === 'refused' ? rotation.reason : rotation.kind))
  expect(told.toSorted()).toEqual(['refresh_token_stolen', 'rotated'])
  expect(await owner('SELECT revoked_reason, scopes, policy_version FROM grants WHERE id = $1', [grantId])).toEqual([
    { revoked_reason: 'refresh_token_stolen', scopes: ['read'], policy_version: 3 },
  ])
  const audited = `SELECT kind, detail -> 'grantRevoked' AS killed FROM audit_events WHERE grant_id = $1 AND kind LIKE 'token_refresh%' ORDER BY id`
  expect(await owner(audited, [grantId])).toEqual([
    { kind: 'token_refreshed', killed: false },
    { kind: 'token_refresh_refused', killed: true },
  ])
})

/** Begins two rotations in a lock of the token's row, so that both judge it as it was before either, and answers what they came to. */
async function whileTokenIsLocked<T>(begin: () => readonly Promise<T>[]): Promise<readonly T[]> {
  const holder = new pg.Client({ connectionString: fixture.ownerUrl })
  await holder.connect()
  try {
    await holder.query('BEGIN')
    await holder.query('SELECT 1 FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE', [hashOf(token)])
    const begun = begin()
    const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
    for (let looks = 0; looks < 500 && (await owner(waiting))[0]?.['n'] !== 2; looks += 1) await new Promise((done) => setTimeout(done, 10))
    expect(await owner(waiting)).toEqual([{ n: 2 }])
    await holder.query('COMMIT')
    return await Promise.all(begun)
  } finally {
    await holder.end()
  }
}
