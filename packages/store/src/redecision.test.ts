/** What is left of a grant that is decided again, and which limits are named for it. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { longestAccessTokenSeconds } from '@drawbridge/core/revocation/revocation-plan'
import { aChallenge, aGrant, aRedirectUri, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

describe('a token that outlives what a refresh left of its grant is found by whatever ends grants one by one, until it is over itself:', () => {
  const decide = redecisionSql(3)
  type Step = { readonly afterSeconds: number; readonly accessSeconds: number; readonly endsAfterSeconds: number }
  const longest = longestAccessTokenSeconds
  test.each<[string, readonly Step[], string | undefined, number]>([
    ['the end is brought forward', [{ afterSeconds: 0, accessSeconds: 900, endsAfterSeconds: 100 }], undefined, longest],
    ['to a moment that is over', [{ afterSeconds: 0, accessSeconds: 900, endsAfterSeconds: -9000 }], undefined, longest],
    [
      'the grant had less left',
      [{ afterSeconds: 0, accessSeconds: 900, endsAfterSeconds: 100 }],
      'expires_at - make_interval(secs => 35_500)',
      500,
    ],
    [
      'after its life had been made shorter',
      [
        { afterSeconds: 0, accessSeconds: 300, endsAfterSeconds: 36_000 },
        { afterSeconds: 60, accessSeconds: 300, endsAfterSeconds: 600 },
      ],
      undefined,
      longest + 60,
    ],
    [
      'nothing is brought forward',
      [{ afterSeconds: 0, accessSeconds: 900, endsAfterSeconds: 90_000 }],
      'expires_at - make_interval(secs => 35_900)',
      100,
    ],
  ])('%s', async (says, steps, sooner, livesUntil) => {
    const tenant = await aTenant(fixture, { slug: says.replaceAll(/\W+/g, '-') })
    const sql = <T>(text: string, ...more: readonly unknown[]) => asOwner<T>(fixture.ownerUrl, text, [tenant.tenantId, ...more])
    const { grantId } = await aGrant(fixture, tenant, { now })
    await sql('UPDATE grants SET access_token_ttl_seconds = 900, expires_at = $2 WHERE tenant_id = $1', new Date(addSeconds(now, 36_000)))
    if (sooner !== undefined) await sql(`UPDATE grants SET expires_at = ${sooner} WHERE tenant_id = $1`)
    for (const { afterSeconds, accessSeconds, endsAfterSeconds } of steps)
      await inTenant(fixture.database, tenant.tenantId, (db) =>
        db.query(`WITH ${decide.writtenCte('$12::uuid')} SELECT 1`, [
          ...[tenant.tenantId, toTimestamp(addSeconds(now, afterSeconds))],
          ...redecisionParameters({
            ...{ policyVersion: 3, claimsVersion: 1, directoryVersion: 0, scopes: ['read', 'write'], accessTokenTtlSeconds: accessSeconds },
            ...{ refreshTtlSeconds: undefined, refreshEndsAt: undefined, expiresAt: addSeconds(now, endsAfterSeconds) },
            ceilings: { accessToken: { seconds: accessSeconds, by: 'tenant', detail: 'newer' }, refreshToken: null },
          }),
          grantId,
        ]),
      )
    const end = (at: Instant) =>
      inTenant(fixture.database, tenant.tenantId, (db) =>
        endGrants(db, tenant.tenantId, {
          which: { sql: 'id = $6::uuid', parameters: [grantId] },
          ...{ source: 'logout', reason: 'test', now: at, requestId: 'test' },
        }),
      )
    expect(await end(addSeconds(now, livesUntil))).toBe(0)
    expect(await end(addSeconds(now, livesUntil - 1))).toBe(1)
  })
})
