import { randomBytes, randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { ClientId, CredentialHash, IssuerId } from '@drawbridge/core/tenant/ids'
import { aChallenge, aGrant, aRedirectUri, hashOf } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type RedeemCode, redeemCode } from './authorization-codes.js'
import { onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let acme: ATenant
let globex: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
})
afterAll(() => fixture.close())

const redeem = (code: string, changed: Partial<RedeemCode['presented']> = {}, at = now, tenant = acme) =>
  redeemCode(onHotPath(fixture.database), {
    tenantId: tenant.tenantId,
    codeHash: hashOf(code),
    presented: {
      issuerId: acme.issuerId,
      clientId: acme.clientId,
      redirectUri: aRedirectUri,
      codeChallenge: aChallenge,
      resource: undefined,
      ...changed,
    },
    refreshTokenHash: randomBytes(32) as unknown as CredentialHash,
    eventId: randomUUID(),
    now: at,
    asked: { requestId: 'test', address: '127.0.0.1' },
  })

const count = async (sql: string, grantId: string) =>
  (await asOwner<{ n: number }>(fixture.ownerUrl, `SELECT count(*)::int AS n FROM ${sql}`, [grantId]))[0]?.n

test('a code is redeemed with its refresh token and audit row', async () => {
  const { code, grantId, opened } = await aGrant(fixture, acme, { now })
  expect(opened).toBe(true)
  const redeemed = await redeem(code)
  expect(redeemed).toMatchObject({ ok: true, value: { refreshes: true, grant: { grant_id: grantId, tenant_now: 1, subject_now: 1 } } })
  expect(await count('refresh_tokens WHERE grant_id = $1', grantId)).toBe(1)
  expect(await count("audit_events WHERE grant_id = $1 AND kind IN ('grant_opened', 'code_redeemed')", grantId)).toBe(2)
})

test('a grant decided under an epoch that has passed is not opened', async () => {
  expect((await aGrant(fixture, acme, { now, epochs: { subject: 0 } })).opened).toBe(false)
})

test('of 20 that redeem one code together exactly one wins, and the twins revoke the grant so that guards hear of it', async () => {
  const { code, grantId } = await aGrant(fixture, acme, { now })
  const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(code)))
  expect(answers.filter((answer) => answer.ok)).toHaveLength(1)
  expect(new Set(answers.flatMap((answer) => (answer.ok ? [] : [answer.error])))).toEqual(new Set(['code_replayed']))
  expect(await count('refresh_tokens WHERE grant_id = $1', grantId)).toBe(1)
  expect(await count("grants WHERE id = $1 AND revoked_reason = 'code_replayed' AND epoch = 2", grantId)).toBe(1)
  expect(await count("deprovisioning_events WHERE target_id = $1::text AND source = 'code_replay'", grantId)).toBe(1)
  expect(await count("outbox WHERE payload->>'targetId' = $1::text", grantId)).toBe(1)
})

test('a grant without refresh tokens gives none', async () => {
  const { code, grantId } = await aGrant(fixture, acme, { now, refreshSeconds: undefined })
  expect(await redeem(code)).toMatchObject({ ok: true, value: { refreshes: false } })
  expect(await count('refresh_tokens WHERE grant_id = $1', grantId)).toBe(0)
})

test.each([
  { when: 'the client is another', changed: { clientId: 'other' as ClientId }, reason: 'code_of_other_client' },
  { when: 'the issuer is another', changed: { issuerId: randomUUID() as IssuerId }, reason: 'code_of_other_issuer' },
  { when: 'the redirect URI is another', changed: { redirectUri: `${aRedirectUri}/` }, reason: 'redirect_uri_mismatch' },
  { when: 'the verifier is another', changed: { codeChallenge: 'x' }, reason: 'pkce_mismatch' },
  { when: 'the resource is another', changed: { resource: 'https://other.example' }, reason: 'resource_not_of_grant' },
])('a code is refused and stays whole when $when', async ({ changed, reason }) => {
  const { code } = await aGrant(fixture, acme, { now })
  expect(await redeem(code, changed)).toEqual({ ok: false, error: reason })
  expect(await redeem(code)).toMatchObject({ ok: true })
})

test('a code is dead at the very millisecond of its expiry', async () => {
  const { code } = await aGrant(fixture, acme, { now })
  expect(await redeem(code, {}, addSeconds(now, 60))).toEqual({ ok: false, error: 'code_expired' })
})

test('a code of one tenant is unknown in another', async () => {
  const { code } = await aGrant(fixture, acme, { now })
  expect(await redeem(code, {}, now, globex)).toEqual({ ok: false, error: 'code_unknown' })
})
