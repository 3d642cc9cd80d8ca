/** Whoever holds a refresh token that is worth nothing any more writes the trail, which is kept for ever, once an hour and no more. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { refusalToldEverySeconds } from '@drawbridge/core/oauth/refresh-token'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { aGrant, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rotateRefreshToken } from './refresh-tokens.js'
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

/** `rotated`: how many seconds ago. */
async function aToken({ rotated, living = 86_400 }: { readonly rotated?: number; readonly living?: number } = {}) {
  const { grantId } = await aGrant(fixture, acme, { now })
  const token = `dbr_${randomUUID()}`
  await owner(
    `INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at, rotated_at, successor_hash, successor_key_version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    ...[acme.tenantId, hashOf(token), grantId, acme.issuerId, acme.clientId, new Date(now), new Date(addSeconds(now, living))],
    ...(rotated === undefined ? [null, null, null] : [new Date(addSeconds(now, -rotated)), hashOf(`${token}2`), 1]),
  )
  return { token, grantId }
}
async function present(token: string, at: Instant, clientId: ClientId = acme.clientId) {
  const { clientVersion } = await presentVersions(fixture, { ...acme, clientId })
  const rotation = await rotateRefreshToken(onHotPath(fixture.database), {
    tenantId: acme.tenantId,
    tokenHash: hashOf(token),
    presented: { issuerId: acme.issuerId, clientId, clientVersion, scopes: undefined, resource: undefined, provenKey: undefined },
    bindsRefreshTokens: false,
    successor: { hash: hashOf(`${token}2`), keyVersion: 1 },
    redecision: undefined,
    proofNotNeededBy: undefined,
    eventId: randomUUID(),
    now: at,
    asked: { requestId: 'test', address: undefined },
  })
  return rotation.kind === 'refused' ? rotation.reason : rotation.kind
}
const trailOf = (grantId: string) =>
  owner(
    `SELECT reason, detail -> 'grantRevoked' AS killed FROM audit_events WHERE grant_id = $1 AND kind = 'token_refresh_refused' ORDER BY id`,
    grantId,
  )
const revoke = (grantId: string) =>
  owner(`UPDATE grants SET revoked_at = $2, revoked_reason = 'test' WHERE id = $1`, grantId, new Date(now))

test('of a grant that is dead, the refusal is told once an hour, however often and however many at once', async () => {
  const { token, grantId } = await aToken()
  await revoke(grantId)
  const told = await Promise.all(Array.from({ length: 6 }, () => present(token, now)))
  expect(new Set(told)).toEqual(new Set(['grant_revoked']))
  expect(await trailOf(grantId)).toHaveLength(1)
  await present(token, addSeconds(now, refusalToldEverySeconds - 1))
  expect(await trailOf(grantId)).toHaveLength(1)
  await present(token, addSeconds(now, refusalToldEverySeconds))
  expect(await trailOf(grantId)).toHaveLength(2)
})

test('one that has expired, and one that another client brings, are told as often', async () => {
  const expired = await aToken({ living: 1 })
  for (const at of [10, 11, 12]) expect(await present(expired.token, addSeconds(now, at))).toBe('refresh_token_expired')
  expect(await trailOf(expired.grantId)).toHaveLength(1)
  const clientId = 'another' as ClientId
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
     VALUES ($1, $2, $3, 'preregistered', 'Another', '{}', '{refresh_token}', 'none', '{}', $4)`,
    ...[acme.tenantId, acme.issuerId, clientId, new Date(now)],
  )
  const foreign = await aToken()
  for (const at of [10, 11, 12]) expect(await present(foreign.token, addSeconds(now, at), clientId)).toBe('refresh_token_of_other_client')
  expect(await trailOf(foreign.grantId)).toHaveLength(1)
})

test('theft is told whenever it ends a grant, also just after a refusal was; what comes after that is told once an hour', async () => {
  const { token, grantId } = await aToken({ rotated: 3600 })
  await owner('UPDATE subjects SET deactivated_at = $1 WHERE tenant_id = $2', new Date(now), acme.tenantId)
  await owner('UPDATE refresh_tokens SET refused_at = $1 WHERE token_hash = $2', new Date(now), hashOf(token))
  for (const at of [1, 2, 3]) expect(await present(token, addSeconds(now, at))).toBe('refresh_token_stolen')
  expect(await trailOf(grantId)).toEqual([{ reason: 'refresh_token_stolen', killed: true }])
  await present(token, addSeconds(now, refusalToldEverySeconds))
  expect(await trailOf(grantId)).toHaveLength(2)
})
