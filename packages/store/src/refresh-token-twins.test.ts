/** Many requests with one refresh token on one snapshot: each has judged the token before the first of them has turned it, and waits for its row. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { KeyThumbprint, ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import { graceReplaysPerRotation } from '@drawbridge/core/oauth/refresh-token'
import { aGrant, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createDatabase, type Database } from './database.js'
import { rotateRefreshToken } from './refresh-tokens.js'
import { onHotPath } from './transaction.js'

/** Dozens of connections are opened, and each waits for the one before. */
vi.setConfig({ testTimeout: 60_000 })

const now = instant(1_800_000_000_000)
const later = addSeconds(now, 3600)
let fixture: TestDatabase
/** As many connections as several processes have together. */
let wide: Database
let acme: ATenant
let clientVersion: number
beforeAll(async () => {
  fixture = await testDatabase({ waitsForLocks: true })
  wide = createDatabase({ url: fixture.url, connectionBudget: 120, lockTimeoutMs: 0 })
  acme = await aTenant(fixture, { slug: 'acme' })
  clientVersion = (await presentVersions(fixture, acme)).clientVersion
})
afterAll(async () => {
  await wide.close()
  await fixture.close()
})

const owner = (sql: string, parameters: readonly unknown[] = []) => asOwner<Record<string, unknown>>(fixture.ownerUrl, sql, parameters)

async function aToken() {
  const token = `dbr_${randomUUID()}`
  const { grantId } = await aGrant(fixture, acme, { now })
  await owner(
    'INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [acme.tenantId, hashOf(token), grantId, acme.issuerId, acme.clientId, new Date(now), new Date(later)],
  )
  return { token, grantId }
}

/** Answers why it was refused, or that it was not. */
async function rotate(token: string, { at = now, key }: { readonly at?: Instant; readonly key?: string } = {}): Promise<string> {
  const provenKey =
    key === undefined ? undefined : ({ thumbprint: key as KeyThumbprint, jti: randomUUID(), rememberUntil: later } as ProvenKey)
  const rotation = await rotateRefreshToken(onHotPath(wide), {
    tenantId: acme.tenantId,
    tokenHash: hashOf(token),
    presented: { issuerId: acme.issuerId, clientId: acme.clientId, clientVersion, scopes: undefined, resource: undefined, provenKey },
    bindsRefreshTokens: true,
    successor: { hash: hashOf(`${token}+`), keyVersion: 1 },
    redecision: undefined,
    proofNotNeededBy: undefined,
    eventId: randomUUID(),
    now: at,
    asked: { requestId: 'test', address: undefined },
  })
  return rotation.kind === 'refused' ? rotation.reason : rotation.kind
}

const pollMs = 10
const waitingNow = async () => {
  const sql = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
  return (await owner(sql))[0]?.['n']
}

/** Begins each when those before wait for the token's row, and lets them have it when all do. */
async function onOneSnapshot(token: string, twins: readonly (() => Promise<string>)[]): Promise<readonly string[]> {
  const holder = new pg.Client({ connectionString: fixture.ownerUrl })
  await holder.connect()
  try {
    await holder.query('BEGIN')
    await holder.query('SELECT 1 FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE', [hashOf(token)])
    const begun: Promise<string>[] = []
    for (const twin of twins) {
      begun.push(twin())
      while ((await waitingNow()) !== begun.length) await new Promise((resolve) => setTimeout(resolve, pollMs))
    }
    await holder.query('COMMIT')
    return await Promise.all(begun)
  } finally {
    await holder.end()
  }
}

const many = 40
const tally = (answers: readonly string[]) =>
  Object.fromEntries([...new Set(answers)].map((one) => [one, answers.filter((each) => each === one).length]))
const trailOf = (grantId: string) =>
  owner(
    `SELECT kind, reason, count(*)::int AS n FROM audit_events WHERE grant_id = $1 AND kind LIKE 'token_refresh%' GROUP BY 1, 2 ORDER BY 1`,
    [grantId],
  )
const endOf = async (grantId: string) => (await owner('SELECT revoked_reason AS "by", epoch FROM grants WHERE id = $1', [grantId]))[0]

test(`of ${many} those beyond the limit are refused, told and not counted, and the family outlives it, twice within the time of theft`, async () => {
  const { token, grantId } = await aToken()
  const answered = graceReplaysPerRotation + 1
  for (const [at, presented] of [[now, token] as const, [addSeconds(now, 120), `${token}+`] as const]) {
    const answers = await onOneSnapshot(
      presented,
      Array(many).fill(() => rotate(presented, { at })),
    )
    expect(tally(answers)).toEqual({ rotated: answered, refresh_token_replayed: many - answered })
  }
  expect(await endOf(grantId)).toEqual({ by: null, epoch: 1 })
  const counted = owner('SELECT grace_replays FROM refresh_tokens WHERE grant_id = $1 AND rotated_at IS NOT NULL', [grantId])
  expect(await counted).toEqual([{ grace_replays: graceReplaysPerRotation }, { grace_replays: graceReplaysPerRotation }])
  expect(await trailOf(grantId)).toEqual([
    { kind: 'token_refresh_refused', reason: 'refresh_token_replayed', n: 2 * (many - answered) },
    { kind: 'token_refresh_repeated', reason: null, n: 2 * graceReplaysPerRotation },
    { kind: 'token_refreshed', reason: null, n: 2 },
  ])
  expect(await rotate(`${token}++`, { at: addSeconds(now, 240) })).toBe('rotated')
})

test.each([
  {
    first: 'one that proves a key',
    keys: ['a key', undefined],
    answer: 'refresh_token_stolen',
    end: { by: 'refresh_token_stolen', epoch: 2 },
    ends: 1,
  },
  { first: 'one that proves none', keys: [undefined, 'a key'], answer: 'rotated', end: { by: null, epoch: 1 }, ends: 0 },
])(
  'of two, of whom one proves a key, $first is first: the second is $answer, and the family ends $ends times',
  async ({ keys, answer, end, ends }) => {
    const { token, grantId } = await aToken()
    const twins = keys.map((key) => () => rotate(token, key === undefined ? {} : { key }))
    expect(await onOneSnapshot(token, twins)).toEqual(['rotated', answer])
    expect(await endOf(grantId)).toEqual(end)
    const told = await owner('SELECT source FROM deprovisioning_events WHERE target_id = $1', [grantId])
    expect(told).toEqual(Array(ends).fill({ source: 'token_theft' }))
  },
)
