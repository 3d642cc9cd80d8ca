/** What is left of a grant that is decided again, and which limits are named for it. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aChallenge, aGrant, aRedirectUri, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { redeemCode } from './authorization-codes.js'
import { endGrants } from './end-grants.js'
import { redecisionParameters, redecisionSql } from './redecision.js'
import { inTenant, onHotPath, toTimestamp } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase

beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

type Told = { readonly by: string } | null
type Row = {
  readonly ceilings: { readonly accessToken: Told; readonly refreshToken: Told }
  readonly told: Row['ceilings']
  readonly token_ends: Date | null
}

test.each([
  ['both of the newer decision', 300, 3600, ['client_rule', 'tenant']],
  ['both of the grant', 901, 14_401, ['tier', 'tier']],
  ['of the newer decision where they are the same', 900, 14_400, ['client_rule', 'tenant']],
  ['one of each', 300, 14_401, ['client_rule', 'tier']],
  ['none for a refresh token that is no more', 901, undefined, ['tier', undefined]],
] as const)('of two decisions the lesser ceiling is named: %s', async (says, access, refreshSeconds, winners) => {
  const tenant = await aTenant(fixture, { slug: says.replaceAll(/\W+/g, '-') })
  const { code, grantId } = await aGrant(fixture, tenant, { now })
  await asOwner(fixture.ownerUrl, 'UPDATE tenants SET policy_version = 3 WHERE id = $1', [tenant.tenantId])
  await redeemCode(onHotPath(fixture.database), {
    tenantId: tenant.tenantId,
    codeHash: hashOf(code),
    presented: {
      ...{ ...tenant, ...(await presentVersions(fixture, tenant)) },
      ...{ redirectUri: aRedirectUri, codeChallenge: aChallenge, resource: undefined, provenKey: undefined },
    },
    bindsRefreshTokens: false,
    refreshTokenHash: hashOf(randomUUID()),
    proofNotNeededBy: undefined,
    redecision: {
      ...{
        policyVersion: 3,
        claimsVersion: 1,
        directoryVersion: 0,
        scopes: ['read', 'write'],
        accessTokenTtlSeconds: access,
        refreshTtlSeconds: refreshSeconds,
      },
      ...{ refreshEndsAt: refreshSeconds && addSeconds(now, 50), expiresAt: addSeconds(now, 99_999) },
      ceilings: {
        accessToken: { seconds: access, by: 'client_rule', detail: 'newer' },
        refreshToken: refreshSeconds === undefined ? null : { seconds: refreshSeconds, by: 'tenant', detail: 'newer' },
      },
    },
    ...{ eventId: randomUUID(), now, asked: { requestId: 'test', address: undefined } },
  })
  const [row] = await asOwner<Row>(
    fixture.ownerUrl,
    `SELECT g.ceilings, e.detail -> 'ceilings' AS told, (SELECT expires_at FROM refresh_tokens r WHERE r.grant_id = g.id) AS token_ends
     FROM grants g JOIN audit_events e ON e.grant_id = g.id AND e.kind = 'code_redeemed' WHERE g.id = $1`,
    [grantId],
  )
  expect([row?.ceilings.accessToken?.by, row?.ceilings.refreshToken?.by]).toEqual(winners)
  expect(row?.told).toEqual(row?.ceilings)
  expect(row?.token_ends).toEqual(refreshSeconds === undefined ? null : new Date(addSeconds(now, 50)))
})

test('an access token that outlives an end that was brought forward is found by whatever ends grants one by one, until it is over itself', async () => {
  const tenant = await aTenant(fixture, { slug: 'brought-forward' })
  const sql = <T>(text: string, ...more: readonly unknown[]) => asOwner<T>(fixture.ownerUrl, text, [tenant.tenantId, ...more])
  const open = async () => (await aGrant(fixture, tenant, { now })).grantId
  const [held, kept] = [await open(), await open()]
  await sql('UPDATE grants SET access_token_ttl_seconds = 900, expires_at = $2 WHERE tenant_id = $1', new Date(addSeconds(now, 36_000)))
  const decide = redecisionSql(3)
  const bringForward = (grantId: string, end: Instant) =>
    inTenant(fixture.database, tenant.tenantId, (db) =>
      db.query(`WITH ${decide.writtenCte('$12::uuid')} SELECT 1`, [
        ...[tenant.tenantId, toTimestamp(now)],
        ...redecisionParameters({
          ...{ policyVersion: 3, claimsVersion: 1, directoryVersion: 0, scopes: ['read', 'write'], accessTokenTtlSeconds: 900 },
          ...{ refreshTtlSeconds: undefined, refreshEndsAt: undefined, expiresAt: end },
          ceilings: { accessToken: { seconds: 900, by: 'tenant', detail: 'newer' }, refreshToken: null },
        }),
        grantId,
      ]),
    )
  const outlived = async (grantId: string) =>
    (await sql<{ until: Date | null }>('SELECT outlived_until AS until FROM grants WHERE tenant_id = $1 AND id = $2', grantId))[0]?.until
  const endAll = (at: Instant) =>
    inTenant(fixture.database, tenant.tenantId, (db) =>
      endGrants(db, tenant.tenantId, {
        which: { sql: 'id = ANY ($6::uuid[])', parameters: [[held, kept]] },
        ...{ source: 'logout', reason: 'test', now: at, requestId: 'test' },
      }),
    )
  // An end that was not brought forward leaves nothing behind.
  await bringForward(kept, addSeconds(now, 90_000))
  await bringForward(held, addSeconds(now, 100))
  expect([await outlived(kept), await outlived(held)]).toEqual([null, new Date(addSeconds(now, 900))])
  await sql('UPDATE grants SET expires_at = $2 WHERE tenant_id = $1 AND id = $3', new Date(now), kept)
  expect(await endAll(addSeconds(now, 900))).toBe(0)
  expect(await endAll(addSeconds(now, 899))).toBe(1)
})
