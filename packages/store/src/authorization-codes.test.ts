import { randomBytes, randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { aChallenge, aGrant, aRedirectUri, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RedeemCode, redeemCode } from './authorization-codes.js'
import type { Redecision } from './redecision.js'
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

const redeem = async (code: string, changed: Partial<RedeemCode['presented']> = {}, at = now, tenant = acme) =>
  redeemCode(onHotPath(fixture.database), {
    tenantId: tenant.tenantId,
    codeHash: hashOf(code),
    presented: {
      issuerId: tenant.issuerId,
      clientId: tenant.clientId,
      ...(await presentVersions(fixture, tenant)),
      redirectUri: aRedirectUri,
      codeChallenge: aChallenge,
      resource: undefined,
      provenKey: undefined,
      ...changed,
    },
    bindsRefreshTokens: false,
    refreshTokenHash: randomBytes(32) as unknown as CredentialHash,
    redecision: undefined,
    proofNotNeededBy: undefined,
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
  expect(redeemed).toMatchObject({ kind: 'redeemed', refreshes: true, grant: { grant_id: grantId, tenant_now: 1, subject_now: 1 } })
  expect(await count('refresh_tokens WHERE grant_id = $1', grantId)).toBe(1)
  expect(await count("audit_events WHERE grant_id = $1 AND kind IN ('grant_opened', 'code_redeemed')", grantId)).toBe(2)
})

test('a grant decided under an epoch that has passed is not opened', async () => {
  expect((await aGrant(fixture, acme, { now, epochs: { subject: 0 } })).opened).toBe(false)
})

test('of 20 that redeem one code together exactly one wins, and the twins revoke the grant so that guards hear of it', async () => {
  const { code, grantId } = await aGrant(fixture, acme, { now })
  const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(code)))
  expect(answers.filter((answer) => answer.kind === 'redeemed')).toHaveLength(1)
  expect(new Set(answers.flatMap((answer) => (answer.kind === 'refused' ? [answer.reason] : [])))).toEqual(new Set(['code_replayed']))
  expect(await count('refresh_tokens WHERE grant_id = $1', grantId)).toBe(1)
  expect(await count("grants WHERE id = $1 AND revoked_reason = 'code_replayed' AND epoch = 2", grantId)).toBe(1)
  expect(await count("deprovisioning_events WHERE target_id = $1::text AND source = 'code_replay'", grantId)).toBe(1)
  expect(await count("outbox WHERE payload->>'targetId' = $1::text", grantId)).toBe(1)
})

test('a grant without refresh tokens gives none', async () => {
  const { code, grantId } = await aGrant(fixture, acme, { now, refreshSeconds: undefined })
  expect(await redeem(code)).toMatchObject({ kind: 'redeemed', refreshes: false })
  expect(await count('refresh_tokens WHERE grant_id = $1', grantId)).toBe(0)
})

/** Another client at the same issuer, and one of the same name at another issuer: both exist, or they could not have been authenticated. */
async function strangers() {
  const elsewhere = randomUUID()
  await asOwner(
    fixture.ownerUrl,
    "INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, 'https://elsewhere.example', 'tenant', $3)",
    [acme.tenantId, elsewhere, new Date(now)],
  )
  const insert = async (issuerId: string, clientId: string) => {
    const rows = await asOwner<Pick<RedeemCode['presented'], 'issuerId' | 'clientId' | 'clientVersion'>>(
      fixture.ownerUrl,
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
       VALUES ($1, $2, $3, 'preregistered', 'Stranger', '{}', '{authorization_code}', 'none', '{}', $4)
       RETURNING issuer_id AS "issuerId", client_id AS "clientId", version::int AS "clientVersion"`,
      [acme.tenantId, issuerId, clientId, new Date(now)],
    )
    return rows[0]
  }
  return { otherClient: await insert(acme.issuerId, 'other'), otherIssuer: await insert(elsewhere, acme.clientId) }
}

test('a code is refused to another client and at another issuer, and stays whole', async () => {
  const { code } = await aGrant(fixture, acme, { now })
  const { otherClient, otherIssuer } = await strangers()
  expect(await redeem(code, otherClient)).toEqual({ kind: 'refused', reason: 'code_of_other_client' })
  expect(await redeem(code, otherIssuer)).toEqual({ kind: 'refused', reason: 'code_of_other_issuer' })
  expect(await redeem(code)).toMatchObject({ kind: 'redeemed' })
})

test.each([
  { when: 'the redirect URI is another', changed: { redirectUri: `${aRedirectUri}/` }, reason: 'redirect_uri_mismatch' },
  { when: 'the verifier is another', changed: { codeChallenge: 'x' }, reason: 'pkce_mismatch' },
  { when: 'the resource is another', changed: { resource: 'https://other.example' }, reason: 'resource_not_of_grant' },
])('a code is refused and stays whole when $when', async ({ changed, reason }) => {
  const { code } = await aGrant(fixture, acme, { now })
  expect(await redeem(code, changed)).toEqual({ kind: 'refused', reason })
  expect(await redeem(code)).toMatchObject({ kind: 'redeemed' })
})

test('a client of OAuth 2.1 says no redirect URI again, and the verifier is asked all the same', async () => {
  const { code } = await aGrant(fixture, acme, { now })
  expect(await redeem(code, { redirectUri: undefined, codeChallenge: 'x' })).toEqual({ kind: 'refused', reason: 'pkce_mismatch' })
  expect(await redeem(code, { redirectUri: undefined })).toMatchObject({ kind: 'redeemed' })
})

test('a code is dead at the very millisecond of its expiry', async () => {
  const { code } = await aGrant(fixture, acme, { now })
  expect(await redeem(code, {}, addSeconds(now, 60))).toEqual({ kind: 'refused', reason: 'code_expired' })
})

test('a code of one tenant is unknown in another', async () => {
  const { code } = await aGrant(fixture, acme, { now })
  expect(await redeem(code, {}, now, globex)).toEqual({ kind: 'refused', reason: 'code_unknown' })
})

test('under a client that has changed nothing is looked at, and a second use is not yet taken for theft', async () => {
  const { code, grantId } = await aGrant(fixture, acme, { now })
  await redeem(code)
  const stale = await presentVersions(fixture, acme)
  await asOwner(fixture.ownerUrl, 'UPDATE clients SET name = name WHERE tenant_id = $1', [acme.tenantId])
  const events = await count('audit_events WHERE grant_id = $1', grantId)
  expect(await redeem(code, stale)).toEqual({ kind: 'client_changed' })
  expect(await redeem('dbc_unknown', stale)).toEqual({ kind: 'client_changed' })
  expect(await count('audit_events WHERE grant_id = $1', grantId)).toBe(events)
  expect(await count('grants WHERE id = $1 AND revoked_at IS NULL', grantId)).toBe(1)
  expect(await redeem(code)).toEqual({ kind: 'refused', reason: 'code_replayed' })
})

test('a code whose grant was decided under an older policy or older claims waits for a new decision, which only takes away', async () => {
  const tenant = await aTenant(fixture, { slug: 'initech' })
  const { code, grantId } = await aGrant(fixture, tenant, { now })
  await asOwner(fixture.ownerUrl, 'UPDATE tenants SET policy_version = 3 WHERE id = $1', [tenant.tenantId])
  const given = async (redecision: RedeemCode['redecision']) =>
    redeemCode(onHotPath(fixture.database), {
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
      refreshTokenHash: randomBytes(32) as unknown as CredentialHash,
      redecision,
      proofNotNeededBy: undefined,
      eventId: randomUUID(),
      now,
      asked: { requestId: 'test', address: undefined },
    })
  const redecision: Redecision = {
    policyVersion: 3,
    claimsVersion: 1,
    directoryVersion: 0,
    scopes: ['admin', 'read'],
    accessTokenTtlSeconds: 9999,
    refreshTtlSeconds: 60,
    refreshEndsAt: addSeconds(now, 20_000),
    ceilings: {
      accessToken: { seconds: 9999, by: 'client_rule', detail: 'client rule short' },
      refreshToken: { seconds: 60, by: 'tenant', detail: 'limit of the tenant' },
    },
    expiresAt: addSeconds(now, 99_999),
  }
  expect(await given(undefined)).toMatchObject({ kind: 'decide_again', grant: { policy_now: 3, subject_claims: {} } })
  expect(await given({ ...redecision, policyVersion: 2 })).toMatchObject({ kind: 'decide_again' })
  expect(await count('authorization_codes WHERE grant_id = $1 AND redeemed_at IS NOT NULL', grantId)).toBe(0)
  expect(await given(redecision)).toMatchObject({
    kind: 'redeemed',
    grant: { allowed: ['read'], access_seconds: 900, ends_at: addSeconds(now, 28_800) },
  })
  expect(await count("grants WHERE id = $1 AND scopes = '{read}' AND policy_version = 3 AND refresh_ttl_seconds = 60", grantId)).toBe(1)
})
