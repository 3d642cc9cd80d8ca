/**
 * The hot statements and the pure rules of core agree.
 *
 * Both judge by the first condition that holds, so agreeing on every pair of conditions fixes the whole order; random larger sets are
 * tried besides.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { type Instant, instant } from '@drawbridge/core/instant'
import { judgeCode } from '@drawbridge/core/oauth/authorization-code'
import type { KeyThumbprint, ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import type { GrantState } from '@drawbridge/core/oauth/grant'
import { judgeRefresh } from '@drawbridge/core/oauth/refresh-token'
import type { ClientId, CredentialHash, GrantId, IssuerId, Scope } from '@drawbridge/core/tenant/ids'
import { aChallenge, aGrant, aRedirectUri, hashOf } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { redeemCode } from './authorization-codes.js'
import type { Redecision } from './redecision.js'
import { rotateRefreshToken } from './refresh-tokens.js'
import { hashOfId } from './replays.js'
import { onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
const later = instant(now + 3_600_000)
const asked = { requestId: 'test', address: undefined }
const token = 'dbr_presented'
const elsewhere = randomUUID() as IssuerId
/** Some four hundred arrangements each, on a machine that may be busy. */
const patienceMs = 240_000
let fixture: TestDatabase
let acme: ATenant
let grantId: GrantId
let code: string

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  const opened = await aGrant(fixture, acme, { now })
  grantId = opened.grantId
  code = opened.code
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $6)`,
    [acme.tenantId, hashOf(token), grantId, acme.issuerId, acme.clientId, new Date(now)],
  )
  // The other issuer and the other client are real: a client that does not exist could not have been authenticated.
  await asOwner(
    fixture.ownerUrl,
    `WITH i AS (INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, 'https://elsewhere.example', 'tenant', $3) RETURNING id)
     INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
     SELECT c.tenant_id, at.issuer_id, at.client_id, c.kind, c.name, c.redirect_uris, c.grant_types, c.token_endpoint_auth_method, c.scope_ceiling, c.created_at
     FROM clients c, (SELECT c.issuer_id, 'other' AS client_id FROM clients c UNION ALL SELECT i.id, 'other' FROM i UNION ALL SELECT i.id, $4 FROM i) at
     WHERE c.client_id = $4`,
    [acme.tenantId, elsewhere, new Date(now), acme.clientId],
  )
})
afterAll(() => fixture.close())

/** One state of the world, told both to the database and to the rule. */
const calm = {
  suspended: false,
  revoked: false,
  grantExpired: false,
  blocked: false,
  disabled: false,
  deactivated: false,
  ended: false,
  tenantEpoch: 1,
  clientEpoch: 1,
  connectionEpoch: 1,
  subjectEpoch: 1,
  ancestorDead: false,
  clientChanged: false,
  otherIssuer: false,
  otherClient: false,
  resource: undefined as string | undefined,
  ceiling: [] as readonly string[],
  minting: true,
  rulesChanged: false,
  // refresh token
  rotatedAt: undefined as Instant | undefined,
  successorUsed: false,
  successorBoundTo: undefined as 'its-key' | undefined,
  graceReplays: 0,
  tokenExpired: false,
  refreshOver: false,
  offered: true,
  widened: false,
  asked: undefined as readonly string[] | undefined,
  policyVersion: 0,
  claimsVersion: 1,
  /** What policy has just decided under version 0 and claims of version 1: nothing is left, or no refresh token. */
  redecided: undefined as 'to-nothing' | 'without-refresh' | undefined,
  // proof of a key
  boundTo: undefined as 'its-key' | undefined,
  proved: undefined as 'its-key' | 'other-key' | undefined,
  proofUsed: false,
  // code
  redeemed: false,
  codeExpired: false,
  otherRedirect: false,
  noRedirect: false,
  otherVerifier: false,
}
type World = typeof calm

const shared: readonly Partial<World>[] = [
  { clientChanged: true },
  { suspended: true },
  { revoked: true },
  { grantExpired: true },
  { blocked: true },
  { disabled: true },
  { deactivated: true },
  { ended: true },
  { tenantEpoch: 2 },
  { clientEpoch: 2 },
  { connectionEpoch: 2 },
  { subjectEpoch: 2 },
  { ancestorDead: true },
  { otherIssuer: true },
  { otherClient: true },
  { resource: 'https://other.example' },
  { ceiling: ['read'] },
  { ceiling: ['admin'] },
  { minting: false },
  { rulesChanged: true },
  { policyVersion: 1 },
  { claimsVersion: 2 },
  { redecided: 'to-nothing' },
  { redecided: 'to-nothing', policyVersion: 1 },
  { boundTo: 'its-key' },
  { boundTo: 'its-key', proved: 'its-key' },
  { boundTo: 'its-key', proved: 'other-key' },
  { proved: 'its-key' },
  { proved: 'its-key', proofUsed: true },
]
const ofRefresh: readonly Partial<World>[] = [
  ...shared,
  { rotatedAt: now },
  { rotatedAt: instant(now - 29_999) },
  { rotatedAt: instant(now - 30_000) },
  { rotatedAt: now, successorUsed: true },
  { rotatedAt: now, successorBoundTo: 'its-key' },
  { rotatedAt: now, successorBoundTo: 'its-key', proved: 'its-key' },
  { rotatedAt: now, successorBoundTo: 'its-key', proved: 'other-key' },
  { rotatedAt: now, graceReplays: 20 },
  { rotatedAt: now, graceReplays: 59 },
  { rotatedAt: now, graceReplays: 60 },
  { tokenExpired: true },
  { refreshOver: true },
  { offered: false },
  { redecided: 'without-refresh' },
  { redecided: 'without-refresh', claimsVersion: 2 },
  { widened: true },
  { asked: ['write'] },
]
const ofCode: readonly Partial<World>[] = [
  ...shared,
  { redeemed: true },
  { codeExpired: true },
  { otherRedirect: true },
  { noRedirect: true },
  { otherVerifier: true },
]

const pairs = (conditions: readonly Partial<World>[]): readonly World[] =>
  conditions.flatMap((one, at) => conditions.slice(at).map((other) => ({ ...calm, ...one, ...other })))
const random = (conditions: readonly Partial<World>[]): readonly World[] =>
  fc
    .sample(fc.subarray([...conditions], { minLength: 3 }), { numRuns: 100, seed: 1 })
    .map((some) => Object.assign({}, calm, ...some) as World)

const at = (when: boolean) => (when ? new Date(now) : null)

/** Answers the versions that all clients have now. */
async function arrange(world: World): Promise<readonly ClientVersion[]> {
  return asOwner<ClientVersion>(
    fixture.ownerUrl,
    `WITH unused AS (DELETE FROM replays WHERE tenant_id = $1 AND NOT $25),
      used AS (INSERT INTO replays (tenant_id, connection_id, kind, id_hash, expires_at) SELECT $1, $26, 'dpop_proof', $27, $15 WHERE $25
        ON CONFLICT DO NOTHING),
      t AS (UPDATE tenants SET suspended_at = $4, epoch = $5, policy_version = $6 WHERE id = $1),
      cl AS (UPDATE clients SET blocked_at = $7, epoch = $8, scope_ceiling = $31 WHERE tenant_id = $1 RETURNING issuer_id, client_id, version),
      unminted AS (DELETE FROM resource_issuers WHERE tenant_id = $1 AND NOT $32),
      minted AS (INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) SELECT $1, $33, $1, $34 WHERE $32 ON CONFLICT DO NOTHING),
      cn AS (UPDATE connections SET disabled_at = $9, epoch = $10 WHERE tenant_id = $1),
      s AS (UPDATE subjects SET deactivated_at = $11, deactivates_at = $23, epoch = $12, claims_version = $13 WHERE tenant_id = $1),
      g AS (UPDATE grants SET revoked_at = $14, expires_at = $15, refresh_ttl_seconds = $16, refresh_ends_at = $24, epoch = 1,
        ancestors = CASE WHEN $30 THEN ARRAY[gen_random_uuid()] ELSE '{}' END, ancestor_epochs = CASE WHEN $30 THEN '{1}'::int[] ELSE '{}' END WHERE tenant_id = $1 AND id = $2),
      gone AS (DELETE FROM refresh_tokens WHERE tenant_id = $1 AND token_hash NOT IN ($3, '\\x00')),
      r AS (UPDATE refresh_tokens SET rotated_at = $17, successor_hash = CASE WHEN $17::timestamptz IS NOT NULL THEN '\\x00'::bytea END,
        successor_key_version = CASE WHEN $17::timestamptz IS NOT NULL THEN 1 END, grace_replays = $19, expires_at = $20, dpop_jkt = $28
        WHERE tenant_id = $1 AND token_hash = $3),
      heir AS (INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at, rotated_at, dpop_jkt)
        SELECT tenant_id, '\\x00', grant_id, issuer_id, client_id, created_at, $15, $18, $29 FROM refresh_tokens WHERE tenant_id = $1 AND token_hash = $3
        ON CONFLICT (tenant_id, token_hash) DO UPDATE SET rotated_at = EXCLUDED.rotated_at, dpop_jkt = EXCLUDED.dpop_jkt),
      c AS (UPDATE authorization_codes SET redeemed_at = $21, expires_at = $22, dpop_jkt = $28 WHERE tenant_id = $1)
    SELECT issuer_id AS "issuerId", client_id AS "clientId", version::int AS "clientVersion" FROM cl`,
    [
      ...[
        acme.tenantId,
        grantId,
        hashOf(token),
        at(world.suspended),
        world.tenantEpoch,
        world.policyVersion,
        at(world.blocked),
        world.clientEpoch,
      ],
      ...[at(world.disabled), world.connectionEpoch, at(world.deactivated), world.subjectEpoch, world.claimsVersion, at(world.revoked)],
      ...[
        new Date(world.grantExpired ? now : later),
        world.offered ? 900 : null,
        world.rotatedAt === undefined ? null : new Date(world.rotatedAt),
      ],
      ...[at(world.successorUsed), world.graceReplays, new Date(world.tokenExpired ? now : later)],
      ...[at(world.redeemed), new Date(world.codeExpired ? now : later)],
      ...[new Date(world.ended ? now : later), new Date(world.refreshOver ? now : later)],
      ...[world.proofUsed, world.otherIssuer ? elsewhere : acme.issuerId, hashOfId(JSON.stringify([world.proved, 'jti'])), world.boundTo],
      world.successorBoundTo,
      ...[world.ancestorDead, world.ceiling, world.minting, acme.resourceId, acme.issuerId],
    ],
  )
}

const grantOf = (world: World): GrantState => ({
  made: { tenant: 1, client: 1, connection: 1, subject: 1, grant: 1 },
  current: {
    tenant: world.tenantEpoch,
    client: world.clientEpoch,
    connection: world.connectionEpoch,
    subject: world.subjectEpoch,
    grant: 1,
  },
  tenantSuspended: world.suspended,
  revoked: world.revoked,
  expiresAt: world.grantExpired ? now : later,
  client: world.blocked ? 'blocked' : 'live',
  connection: world.disabled ? 'disabled' : 'live',
  subject: world.deactivated || world.ended ? 'deactivated' : 'live',
  ancestorDead: world.ancestorDead,
})
type ClientVersion = { readonly issuerId: string; readonly clientId: string; readonly clientVersion: number }

/** What is left, of the grant that is always the same. */
const scopesLeft = ({ redecided }: World) => (redecided === 'to-nothing' ? [] : ['read', 'write'])
const redecisionOf = (world: World): Redecision | undefined =>
  world.redecided && {
    ...{ policyVersion: 0, claimsVersion: 1, directoryVersion: 0, scopes: scopesLeft(world) as Scope[], accessTokenTtlSeconds: 900 },
    ...{ refreshTtlSeconds: world.redecided === 'without-refresh' ? undefined : 900, refreshEndsAt: undefined, expiresAt: later },
    ceilings: { accessToken: { seconds: 900, by: 'tenant', detail: 'test' }, refreshToken: null },
  }

const provenKeyOf = ({ proved }: World): ProvenKey | undefined =>
  proved && ({ thumbprint: proved as unknown as KeyThumbprint, jti: 'jti', rememberUntil: later } as ProvenKey)
/** What holds of the key, in the words of both rules. */
const keyOf = ({ boundTo, proofUsed, proved }: World) => ({
  dpopKey: boundTo as KeyThumbprint | undefined,
  proofUsed: proofUsed && proved !== undefined,
})

function presenting(world: World, versions: readonly ClientVersion[]) {
  const issuerId = world.otherIssuer ? elsewhere : acme.issuerId
  const clientId = world.otherClient ? ('other' as ClientId) : acme.clientId
  const caller = versions.find((one) => one.issuerId === issuerId && one.clientId === clientId)
  if (!caller) throw new Error('no such client was arranged')
  const clientVersion = world.clientChanged ? caller.clientVersion - 1 : caller.clientVersion
  return { caller, presented: { issuerId, clientId, clientVersion, resource: world.resource, provenKey: provenKeyOf(world) } }
}

test(
  'a refresh token is judged alike by the statement and by the rule',
  async () => {
    for (const world of [...pairs(ofRefresh), ...random(ofRefresh)]) {
      const { caller, presented: by } = presenting(world, await arrange(world))
      const presented = { ...by, scopes: (world.widened ? ['read', 'admin'] : world.asked) as Scope[] | undefined }
      const rotation = await rotateRefreshToken(onHotPath(fixture.database), {
        tenantId: acme.tenantId,
        tokenHash: hashOf(token),
        presented,
        bindsRefreshTokens: false,
        successor: { hash: randomBytes(32) as unknown as CredentialHash, keyVersion: 1 },
        redecision: redecisionOf(world),
        proofNotNeededBy: world.rulesChanged ? 0 : undefined,
        eventId: randomUUID(),
        now,
        asked,
      })
      const state = {
        issuerId: acme.issuerId,
        clientId: acme.clientId,
        expiresAt: world.tokenExpired || world.refreshOver ? now : later,
        rotatedAt: world.rotatedAt,
        successorUsed: world.successorUsed,
        successorKey: world.successorBoundTo as KeyThumbprint | undefined,
        graceReplays: world.graceReplays,
        familyGraceReplays: world.rotatedAt === undefined ? 0 : world.graceReplays, // no other token of the family was replayed
        refreshOffered: world.offered && world.redecided !== 'without-refresh',
        scopes: scopesLeft(world),
        audience: acme.resource,
        ...{ scopeCeiling: world.ceiling, mintable: world.minting, proofRulesChanged: world.rulesChanged },
        isDecidedAgain: world.redecided !== undefined,
        decisionIsCurrent: world.policyVersion === 0 && world.claimsVersion === 1,
        ...keyOf(world),
        grant: grantOf(world),
        caller,
      }
      const verdict = judgeRefresh(state, presented, now)
      const told = rotation.kind === 'refused' ? rotation.reason : rotation.kind
      expect({ world, told }).toEqual({ world, told: verdict === 'rotate' || verdict === 'grace' ? 'rotated' : verdict })
    }
  },
  patienceMs,
)

test(
  'a code is judged alike by the statement and by the rule',
  async () => {
    for (const world of [...pairs(ofCode), ...random(ofCode)]) {
      const { caller, presented: by } = presenting(world, await arrange(world))
      const presented = {
        ...by,
        redirectUri: world.noRedirect ? undefined : world.otherRedirect ? 'https://other.example/callback' : aRedirectUri,
        codeChallenge: world.otherVerifier ? 'other' : aChallenge,
      }
      const redeemed = await redeemCode(onHotPath(fixture.database), {
        tenantId: acme.tenantId,
        codeHash: hashOf(code),
        presented,
        bindsRefreshTokens: false,
        refreshTokenHash: randomBytes(32) as unknown as CredentialHash,
        redecision: redecisionOf(world),
        proofNotNeededBy: world.rulesChanged ? 0 : undefined,
        eventId: randomUUID(),
        now,
        asked,
      })
      const state = {
        issuerId: acme.issuerId,
        clientId: acme.clientId,
        redirectUri: aRedirectUri,
        codeChallenge: aChallenge,
        expiresAt: world.codeExpired ? now : later,
        redeemed: world.redeemed,
        scopes: scopesLeft(world),
        audience: acme.resource,
        ...{ scopeCeiling: world.ceiling, mintable: world.minting, proofRulesChanged: world.rulesChanged },
        isDecidedAgain: world.redecided !== undefined,
        decisionIsCurrent: world.policyVersion === 0 && world.claimsVersion === 1,
        ...keyOf(world),
        grant: grantOf(world),
        caller,
      }
      const verdict = judgeCode(state, presented, now)
      const told = redeemed.kind === 'refused' ? redeemed.reason : redeemed.kind
      expect({ world, told }).toEqual({ world, told: verdict === 'redeem' ? 'redeemed' : verdict })
    }
  },
  patienceMs,
)
