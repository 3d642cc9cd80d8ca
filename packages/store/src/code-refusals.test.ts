/** Whoever holds a code that is worth nothing any more, or that is another's, writes the trail, which is kept for ever, once an hour and no more. */
import { createHash, randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { refusalToldEverySeconds } from '@drawbridge/core/oauth/refresh-token'
import { aGrant, aRedirectUri, aVerifier, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { redeemCode } from './authorization-codes.js'
import { onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let acme: ATenant
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
})
afterAll(() => fixture.close())
const owner = (sql: string, ...parameters: readonly unknown[]) => asOwner<Record<string, unknown>>(fixture.ownerUrl, sql, parameters)

async function present(code: string, at: Instant, verifier = aVerifier) {
  const { clientVersion } = await presentVersions(fixture, acme)
  const redemption = await redeemCode(onHotPath(fixture.database), {
    tenantId: acme.tenantId,
    codeHash: hashOf(code),
    presented: {
      ...{
        issuerId: acme.issuerId,
        clientId: acme.clientId,
        clientVersion,
        redirectUri: aRedirectUri,
        resource: undefined,
        provenKey: undefined,
      },
      codeChallenge: createHash('sha256').update(verifier).digest('base64url'),
    },
    bindsRefreshTokens: false,
    refreshTokenHash: hashOf(randomUUID()),
    redecision: undefined,
    proofNotNeededBy: undefined,
    eventId: randomUUID(),
    now: at,
    asked: { requestId: 'test', address: undefined },
  })
  return redemption.kind === 'refused' ? redemption.reason : redemption.kind
}
const trailOf = (grantId: string) =>
  owner(
    `SELECT reason, (detail -> 'grantRevoked')::boolean AS killed FROM audit_events WHERE grant_id = $1 AND kind = 'code_refused' ORDER BY id`,
    grantId,
  )

test('of a code that has expired, the refusal is told once an hour, however often and however many at once', async () => {
  const { code, grantId } = await aGrant(fixture, acme, { now })
  const late = addSeconds(now, 3600)
  const told = await Promise.all(Array.from({ length: 6 }, () => present(code, late)))
  expect(new Set(told)).toEqual(new Set(['code_expired']))
  expect(await trailOf(grantId)).toHaveLength(1)
  await present(code, addSeconds(late, refusalToldEverySeconds - 1))
  expect(await trailOf(grantId)).toHaveLength(1)
  await present(code, addSeconds(late, refusalToldEverySeconds))
  expect(await trailOf(grantId)).toHaveLength(2)
})

test('a second use is told whenever it ends the grant, also just after a refusal was; what comes after that is told once an hour', async () => {
  const { code, grantId } = await aGrant(fixture, acme, { now })
  for (const verifier of ['x'.repeat(43), 'y'.repeat(43)]) expect(await present(code, now, verifier)).toBe('pkce_mismatch')
  expect(await trailOf(grantId)).toEqual([{ reason: 'pkce_mismatch', killed: false }])
  expect(await present(code, now)).toBe('redeemed')
  for (const at of [1, 2, 3]) expect(await present(code, addSeconds(now, at))).toBe('code_replayed')
  expect((await trailOf(grantId)).slice(1)).toEqual([{ reason: 'code_replayed', killed: true }])
  await present(code, addSeconds(now, refusalToldEverySeconds))
  expect(await trailOf(grantId)).toHaveLength(3)
})

test('of many that bring it at once one redeems it, the trail has one line of the others, and none of them waits for another that waits for it', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { code, grantId } = await aGrant(fixture, acme, { now })
    const answers = await Promise.all(Array.from({ length: 8 }, () => present(code, now)))
    expect(answers.filter((answer) => answer === 'redeemed')).toHaveLength(1)
    expect(await trailOf(grantId)).toEqual([{ reason: 'code_replayed', killed: true }])
  }
})
