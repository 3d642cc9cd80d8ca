/** Rows go some named time after they expire and not before, in batches, and the trail stays. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { redeemCode } from '@drawbridge/store/authorization-codes'
import { briefEventKeepSeconds, eventKeepSeconds, receiversKeepSeconds } from '@drawbridge/store/event-retention'
import { goneGroupKeepSeconds, sweepGroupsAcrossTenants } from '@drawbridge/store/scim-group-members'
import { deleteExpiredAcrossTenants, type SweptTable, sweptTableNames, sweptTables } from '@drawbridge/store/sweeps'
import { acrossTenants, onHotPath } from '@drawbridge/store/transaction'
import { aConsent } from '@drawbridge/testkit/a-consent'
import { aChallenge, aGrant, aRedirectUri, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { aScimGroup } from '@drawbridge/testkit/a-scim-group'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { countOf, jobDeps } from '../../test/a-company.js'
import { sweepBatch, sweepExpired } from './sweep-expired.job.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let acme: ATenant
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
})
afterAll(() => fixture.close())

const write = (sql: string, ...parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
const sweepAt = (at: Instant) => sweepExpired({ ...jobDeps(fixture), clock: { now: () => at } })
const redeemAt = async (code: string, at: Instant) =>
  redeemCode(onHotPath(fixture.database), {
    tenantId: acme.tenantId,
    codeHash: hashOf(code),
    presented: {
      ...acme,
      ...(await presentVersions(fixture, acme)),
      redirectUri: aRedirectUri,
      codeChallenge: aChallenge,
      resource: undefined,
      provenKey: undefined,
    },
    bindsRefreshTokens: false,
    refreshTokenHash: hashOf(randomUUID()),
    redecision: undefined,
    proofNotNeededBy: undefined,
    eventId: randomUUID(),
    now: at,
    asked: { requestId: 'test', address: '127.0.0.1' },
  })

/** One row of each kind that no builder makes, all of which end at `expiresAt`. */
const overOf = (table: SweptTable): string => {
  const swept: { readonly keepSeconds: number; readonly over?: string } = sweptTables[table]
  return swept.over ?? 'expires_at'
}

async function leaveFlow(expiresAt: Instant): Promise<void> {
  const { tenantId, issuerId, connectionId, subjectId, clientId } = acme
  const [request, session, ends] = [randomUUID(), randomUUID(), new Date(expiresAt)]
  await write(
    `INSERT INTO browser_sessions (tenant_id, id, issuer_id, handle_hash, subject_id, connection_id, tenant_epoch, connection_epoch, subject_epoch, amr,
       idp_session, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, 1, 1, 1, '{}', '{}', $7, $7)`,
    ...[tenantId, session, issuerId, randomBytes(32), subjectId, connectionId, ends],
  )
  await write(
    `INSERT INTO authorization_requests (tenant_id, id, issuer_id, client_id, browser_hash, request, step, session_id, tenant_epoch, client_epoch,
       created_at, expires_at) VALUES ($1, $2, $3, $4, $5, '{}', 'login', $6, 1, 1, $7, $7)`,
    ...[tenantId, request, issuerId, clientId, randomBytes(32), session, ends],
  )
  await write(
    `INSERT INTO login_requests (tenant_id, id, authorization_request_id, connection_id, purpose, browser_hash, upstream_id, sealed_state, tenant_epoch,
       connection_epoch, created_at, expires_at) VALUES ($1, $2, $3, $4, 'login', $5, $6, $5, 1, 1, $7, $7)`,
    ...[tenantId, randomUUID(), request, connectionId, randomBytes(32), randomUUID(), ends],
  )
  await write(
    'INSERT INTO parked_messages (tenant_id, handle_hash, connection_id, sealed, expires_at) VALUES ($1, $2, $3, $2, $4)',
    ...[tenantId, randomBytes(32), connectionId, ends],
  )
  await write(
    `INSERT INTO pushed_requests (tenant_id, request_hash, issuer_id, client_id, parameters, tenant_epoch, client_epoch, created_at, expires_at)
     VALUES ($1, $2, $3, $4, '{}', 1, 1, $5, $5)`,
    ...[tenantId, randomBytes(32), issuerId, clientId, ends],
  )
  await write(
    `INSERT INTO announcements (tenant_id, id, recipient_name, recipient_email, acts, act_count, is_open, state, attempts, opened_at, try_at, ended_at,
       expires_at) VALUES ($1, $2, 'Ada', 'ada@acme.example', '[]', 1, false, 'sent', 1, $3, $3, $3, $3)`,
    ...[tenantId, randomUUID(), ends],
  )
  const destination = randomUUID()
  await write(
    `INSERT INTO delivery_destinations (tenant_id, id, kind, issuer_id, client_id, origin) VALUES ($1, $2, 'backchannel_logout', $3, $4, '')
     ON CONFLICT (tenant_id, issuer_id, client_id) DO NOTHING`,
    ...[tenantId, destination, issuerId, clientId],
  )
  await write(
    `INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, due_at, created_at, begun_at, delivered_at, expires_at)
     SELECT $1, $2, id, 'x', 1, $2, '', '{}', $3, $3, $3, $3, $3 FROM delivery_destinations WHERE tenant_id = $1`,
    ...[tenantId, destination, ends],
  )
  await write(
    'INSERT INTO idp_session_ends (tenant_id, connection_id, name, ended_at, expires_at) VALUES ($1, $2, $3, $4, $4)',
    ...[tenantId, connectionId, randomBytes(32), ends],
  )
  await write(
    `INSERT INTO unmatched_signals (tenant_id, id, connection_id, name, stable_id, reason, deactivates, said_at, expires_at)
     VALUES ($1, $2, $3, $4, 'eve', 'session-revoked', false, $5, $5)`,
    ...[tenantId, randomUUID(), connectionId, randomBytes(32), ends],
  )
  await write(
    "INSERT INTO replays (tenant_id, connection_id, kind, id_hash, expires_at) VALUES ($1, $2, 'saml_assertion', $3, $4)",
    ...[tenantId, connectionId, randomBytes(32), ends],
  )
  await write(
    `INSERT INTO login_traces (tenant_id, id, code, connection_id, at, outcome, reason, proven, sealed, expires_at)
     VALUES ($1, $2, $3, $4, $5, 'refused', 'saml_unsigned', false, $6, $5)`,
    ...[tenantId, randomUUID(), randomUUID(), connectionId, ends, randomBytes(32)],
  )
  await write(
    `INSERT INTO recorded_logins (tenant_id, id, at, connection_id, subject_id, client_id, outcome, policy_version, sealed, expires_at)
     VALUES ($1, $2, $5, $3, $4, 'agent', 'allow', 1, $6, $5)`,
    ...[tenantId, randomUUID(), connectionId, subjectId, ends, randomBytes(32)],
  )
  await write(
    "INSERT INTO test_logins (tenant_id, id, connection_id, token_hash, asked, created_at, expires_at) VALUES ($1, $2, $3, $4, '{}', $5, $5)",
    ...[tenantId, randomUUID(), connectionId, randomBytes(32), ends],
  )
  await write(
    "INSERT INTO login_failures (tenant_id, connection_id, hour, proven, failures, reasons, expires_at) VALUES ($1, $2, $3, false, 1, '{}', $3)",
    ...[tenantId, connectionId, ends],
  )
  await write(
    `INSERT INTO policy_drafts (tenant_id, id, base_version, document, cases, author, note, revision, created_at, changed_at, expires_at)
     VALUES ($1, $2, 0, 'version: 1', '', 'x', '', 1, $3, $3, $3)`,
    ...[tenantId, randomUUID(), ends],
  )
  await write(
    'INSERT INTO factor_codes (tenant_id, id, subject_id, code_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $5)',
    ...[tenantId, randomUUID(), subjectId, randomBytes(32), ends],
  )
  await write(
    'INSERT INTO factor_rounds (tenant_id, authorization_request_id, session_id, expires_at) VALUES ($1, $2, $3, $4)',
    ...[tenantId, request, session, ends],
  )
  await write(
    `INSERT INTO factor_visits (tenant_id, id, issuer_id, browser_hash, session_id, subject_id, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
    ...[tenantId, randomUUID(), issuerId, randomBytes(32), session, subjectId, ends],
  )
  const link = randomUUID()
  await write(
    `INSERT INTO setup_links (tenant_id, id, token_hash, note, created_at, expires_at) VALUES ($1, $2, $3, 'IT', $4, $4)`,
    ...[tenantId, link, randomBytes(32), ends],
  )
  await write(
    `INSERT INTO connection_drafts (tenant_id, id, setup_link_id, state, revision, created_at, changed_at, expires_at) VALUES ($1, $2, $3, 'empty', 0, $4, $4, $4)`,
    ...[tenantId, randomUUID(), link, ends],
  )
  await write('INSERT INTO user_code_guesses (tenant_id, guesser, wrong, expires_at) VALUES ($1, $2, 1, $3)', tenantId, randomUUID(), ends)
  await write(
    `INSERT INTO device_codes (tenant_id, id, issuer_id, client_id, device_code_hash, user_code_hash, request, tenant_epoch, client_epoch, interval_seconds,
       created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, '{}', 1, 1, 5, $7, $7)`,
    ...[tenantId, randomUUID(), issuerId, clientId, randomBytes(32), randomBytes(32), ends],
  )
  await aConsent(fixture, acme, { agreedAt: ends, expiresAt: ends })
  await write(
    'INSERT INTO shared_limits (key_hash, level, per_second, at, expires_at) VALUES ($1, 1, 1, $2, $2)',
    ...[randomBytes(32), ends],
  )
  await write(
    'INSERT INTO policy_sweeps (tenant_id, version, demanded_at, progressed_at, settled_at) VALUES ($1, $2, $3, $3, $3)',
    ...[tenantId, randomInt(1_000_000), ends],
  )
  await write(
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, closed_at, issuer_tenant_id, issuer_id)
     VALUES ($1, $2, $3, 'pod-1', $4, $4, $4, $1, $5)`,
    ...[tenantId, randomUUID(), acme.resourceId, ends, issuerId],
  )
}

test('each kind of row goes its named time after it expired, and not a second before', async () => {
  const { code } = await aGrant(fixture, acme, { now })
  expect((await redeemAt(code, now)).kind).toBe('redeemed')
  await leaveFlow(now)
  for (const table of sweptTableNames) await write(`UPDATE ${table} SET ${overOf(table)} = $1`, new Date(now))
  const trail = await countOf(fixture, 'audit_events')
  const byTime = [...sweptTableNames].sort((one, other) => sweptTables[one].keepSeconds - sweptTables[other].keepSeconds)
  for (const table of byTime) {
    const { keepSeconds } = sweptTables[table]
    await sweepAt(addSeconds(now, keepSeconds))
    expect([table, await countOf(fixture, table)]).toEqual([table, 1])
    await acrossTenants(fixture.database, (db) => deleteExpiredAcrossTenants(db, table, instant(now + 1), 10))
    expect([table, await countOf(fixture, table)]).toEqual([table, 0])
  }
  expect(await countOf(fixture, 'audit_events')).toBe(trail)
})

test('the job removes all of them in one run, and leaves what still lives', async () => {
  await leaveFlow(now)
  await aGrant(fixture, acme, { now })
  const later = addSeconds(now, 400 * 86_400)
  await leaveFlow(later)
  await aGrant(fixture, acme, { now: later })
  await sweepAt(later)
  const left = async (table: SweptTable) => [table, await countOf(fixture, table)]
  const living = sweptTableNames.filter((table) => table !== 'refresh_tokens')
  expect(await Promise.all(living.map(left))).toEqual(living.map((table) => [table, 1]))
})

test('a sweep that has not come to its end stays, however old', async () => {
  await write('DELETE FROM policy_sweeps')
  const sweep = 'INSERT INTO policy_sweeps (tenant_id, version, demanded_at, progressed_at) VALUES ($1, 1, $2, $2)'
  await write(sweep, acme.tenantId, new Date(now))
  await sweepAt(addSeconds(now, 4000 * 86_400))
  expect(await countOf(fixture, 'policy_sweeps')).toBe(1)
  await write('DELETE FROM policy_sweeps')
})

test('a code that comes back is recognised as a replay until its retention ends, and is unknown afterwards', async () => {
  const { code } = await aGrant(fixture, acme, { now })
  await redeemAt(code, now)
  const keep = sweptTables.authorization_codes.keepSeconds
  await sweepAt(addSeconds(now, keep))
  expect(await redeemAt(code, addSeconds(now, keep))).toEqual({ kind: 'refused', reason: 'code_replayed' })
  await sweepAt(addSeconds(now, keep + 3600))
  expect(await redeemAt(code, addSeconds(now, keep + 3600))).toEqual({ kind: 'refused', reason: 'code_unknown' })
})

test('one statement removes no more than its limit, the oldest first', async () => {
  await write('DELETE FROM replays')
  for (const second of [3, 1, 2]) await leaveFlow(addSeconds(now, second))
  const remove = () => acrossTenants(fixture.database, (db) => deleteExpiredAcrossTenants(db, 'replays', addSeconds(now, 10), 2))
  expect(await remove()).toBe(2)
  const [left] = await asOwner<{ expires_at: Date }>(fixture.ownerUrl, 'SELECT expires_at FROM replays')
  expect(new Date(left?.expires_at ?? 0).getTime()).toBe(addSeconds(now, 3))
  expect(await remove()).toBe(1)
})

test('what a session kept for a sign-out goes with its time, and the session stays', async () => {
  const globex = await aTenant(fixture, { slug: 'globex' })
  const later = addSeconds(now, 3600)
  const make = `INSERT INTO browser_sessions (tenant_id, id, issuer_id, handle_hash, subject_id, connection_id, tenant_epoch, connection_epoch,
    subject_epoch, amr, idp_session, sealed_logout_hint, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, 1, 1, 1, '{}', '{}', $4, $7, $8)`
  for (const ends of [later, addSeconds(later, 1)]) {
    const place = [globex.tenantId, randomUUID(), globex.issuerId, randomBytes(32), globex.subjectId, globex.connectionId]
    await write(make, ...place, new Date(now), new Date(ends))
  }
  const kept = () =>
    asOwner<{ kept: boolean }>(
      fixture.ownerUrl,
      'SELECT sealed_logout_hint IS NOT NULL AS kept FROM browser_sessions WHERE tenant_id = $1 ORDER BY expires_at',
      [globex.tenantId],
    )
  await sweepAt(addSeconds(later, -1))
  expect(await kept()).toEqual([{ kept: true }, { kept: true }])
  await sweepAt(later)
  expect(await kept()).toEqual([{ kept: false }, { kept: true }])
})

test('what a stranger parked goes with its time: kept longer, hundreds of kilobytes each, it would fill the disk', async () => {
  await write('DELETE FROM parked_messages')
  const parked = 'INSERT INTO parked_messages (tenant_id, handle_hash, connection_id, sealed, expires_at) VALUES ($1, $2, $3, $2, $4)'
  for (const seconds of [-1, 1]) await write(parked, acme.tenantId, randomBytes(32), acme.connectionId, new Date(addSeconds(now, seconds)))
  await sweepAt(now)
  const left = await asOwner<{ expires_at: Date }>(fixture.ownerUrl, 'SELECT expires_at FROM parked_messages')
  expect(left.map(({ expires_at: at }) => new Date(at).getTime())).toEqual([addSeconds(now, 1)])
})

test('what is kept of failed logins and of tests goes with its time, and not some days later', async () => {
  const tables = ['login_traces', 'login_failures', 'recorded_logins', 'test_logins'] as const
  for (const table of tables) await write(`DELETE FROM ${table}`)
  await leaveFlow(addSeconds(now, -1))
  await sweepAt(now)
  for (const table of tables) expect([table, await countOf(fixture, table)]).toEqual([table, 0])
})

test('members of a group that was emptied or deleted go, those that count stay', async () => {
  const users = await Promise.all(['ada', 'bob'].map((name) => aScimUser(fixture, acme, name)))
  const [emptied, deleted, living] = [
    await aScimGroup(fixture, acme, 'emptied', { users }),
    await aScimGroup(fixture, acme, 'deleted', { users }),
    await aScimGroup(fixture, acme, 'living', { users }),
  ]
  await write('UPDATE scim_groups SET generation = 2 WHERE id = ANY ($1)', [emptied, deleted])
  await write('UPDATE scim_groups SET deleted_at = now() WHERE id = $1', deleted)
  await write('UPDATE scim_group_members SET generation = 2 WHERE group_id = $1 AND member_id = $2', emptied, users[0])
  await sweepAt(now)
  const left = await asOwner<{ group_id: string; member_id: string }>(
    fixture.ownerUrl,
    'SELECT group_id, member_id FROM scim_group_members',
  )
  expect(new Set(left.map((row) => `${row.group_id} ${row.member_id}`))).toEqual(
    new Set([`${emptied} ${users[0]}`, `${living} ${users[0]}`, `${living} ${users[1]}`]),
  )
})

test('a group that was deleted goes a week later, once none of its members is left, and makes and takes no room; a living one stays', async () => {
  await write('DELETE FROM scim_groups')
  const users = [await aScimUser(fixture, acme, 'grace')]
  const groupOf = (name: string) => aScimGroup(fixture, acme, name, { users })
  const [old, late, full, living] = [await groupOf('old'), await groupOf('late'), await groupOf('full'), await groupOf('living')]
  const deleted = 'UPDATE scim_groups SET deleted_at = $2, generation = 2, member_count = 0 WHERE id = $1'
  await write(deleted, old, new Date(addSeconds(now, -goneGroupKeepSeconds - 1)))
  await write(deleted, late, new Date(addSeconds(now, -goneGroupKeepSeconds)))
  await write(deleted, full, new Date(addSeconds(now, -2 * goneGroupKeepSeconds)))
  const count = () => asOwner(fixture.ownerUrl, 'SELECT scim_groups FROM connections WHERE id = $1', [acme.connectionId])
  const before = await count()
  const sweepGroups = () =>
    acrossTenants(fixture.database, (db) => sweepGroupsAcrossTenants(db, addSeconds(now, -goneGroupKeepSeconds), 10))
  expect(await sweepGroups()).toBe(0)
  await sweepAt(now)
  const left = async () => (await asOwner<{ id: string }>(fixture.ownerUrl, 'SELECT id FROM scim_groups')).map(({ id }) => id)
  expect(new Set(await left())).toEqual(new Set([late, living]))
  expect(await count()).toEqual(before)
})

test('of done entries, notices and revocations more than one batch goes in one run, and what an event needs stays', async () => {
  const backlog = sweepBatch + 10
  const event = randomUUID()
  const { tenantId, issuerId, resourceId } = acme
  await write(
    `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at) VALUES ($1, $2, 'scim', 'subject', 'ada', 'x', $3, $3)`,
    ...[tenantId, event, new Date(now)],
  )
  await write(
    `INSERT INTO outbox (tenant_id, kind, payload, created_at, done_at) SELECT $1, 'revoke', '{}', $2, $2 FROM generate_series(1, $3::int)`,
    ...[tenantId, new Date(now), backlog],
  )
  await write(
    `INSERT INTO notices (tenant_id, resource_id, position, jti, event_id, token, created_at, expires_at, issuer_tenant_id, issuer_id)
     SELECT $1, $2, n, gen_random_uuid(), $3, '', $5, $5, $1, $4 FROM generate_series(1, $6::int) AS n`,
    ...[tenantId, resourceId, event, issuerId, new Date(now), backlog],
  )
  await write(
    `INSERT INTO revocations (tenant_id, event_id, issuer_id, target, target_id, epoch, at, expires_at)
     SELECT $1, $2, $3, 'subject', n, 2, $4, $4 FROM generate_series(1, $5::int) AS n`,
    ...[tenantId, event, issuerId, new Date(now), backlog],
  )
  await sweepAt(addSeconds(now, 2 * 86_400))
  const left = ['outbox WHERE done_at IS NOT NULL', 'notices', 'revocations'].map((which) => countOf(fixture, which))
  expect(await Promise.all(left)).toEqual([0, 0, 0])
  expect(await countOf(fixture, 'deprovisioning_events WHERE id = $1', [event])).toBe(1)
})

test('events of a deprovisioning go at their times: alarms first, then what each receiver did, then the rest', async () => {
  await write('DELETE FROM deprovisioning_events')
  const event = `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, received_at, barrier_at, swept_at)
    VALUES ($1, $2, 'scim', 'subject', 'ada', 'x', $3, $4, $4, $4)`
  const dismissed = randomUUID()
  await write(event, acme.tenantId, dismissed, true, new Date(now))
  await write(event, acme.tenantId, randomUUID(), false, new Date(now))
  await write(
    `INSERT INTO notice_receipts (tenant_id, event_id, stream_id, resource, instance, due_at, notified_at, acknowledged_at) VALUES ($1, $2, $2, 'x', 'pod', $3, $3, $3)`,
    ...[acme.tenantId, dismissed, new Date(now)],
  )
  const leftAt = async (seconds: number) => {
    await sweepAt(addSeconds(now, seconds))
    const left = ['deprovisioning_events WHERE matched', 'deprovisioning_events WHERE NOT matched', 'notice_receipts']
    return Promise.all(left.map((which) => countOf(fixture, which)))
  }
  expect(await leftAt(briefEventKeepSeconds)).toEqual([1, 1, 1])
  expect(await leftAt(briefEventKeepSeconds + 1)).toEqual([1, 0, 1])
  expect(await leftAt(receiversKeepSeconds)).toEqual([1, 0, 1])
  expect(await leftAt(receiversKeepSeconds + 1)).toEqual([1, 0, 0])
  expect(await leftAt(eventKeepSeconds)).toEqual([1, 0, 0])
  expect(await leftAt(eventKeepSeconds + 1)).toEqual([0, 0, 0])
})

test('a worker that is told to keep evidence for longer, or for less, does', async () => {
  await write('DELETE FROM deprovisioning_events')
  const event = `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, received_at, barrier_at, swept_at)
    VALUES ($1, $2, 'scim', 'subject', 'ada', 'x', true, $3, $3, $3)`
  await write(event, acme.tenantId, randomUUID(), new Date(now))
  const day = 86_400
  const keeping = { receiversKeepSeconds: 20 * day, eventKeepSeconds: 500 * day }
  const foldedAt = async (seconds: number) => {
    await sweepExpired({ ...jobDeps(fixture), ...keeping, clock: { now: () => addSeconds(now, seconds) } })
    return Promise.all(
      ['deprovisioning_events', 'deprovisioning_events WHERE receivers_folded_at IS NOT NULL'].map((which) => countOf(fixture, which)),
    )
  }
  expect(await foldedAt(20 * day)).toEqual([1, 0])
  expect(await foldedAt(20 * day + 1)).toEqual([1, 1])
  expect(await foldedAt(500 * day)).toEqual([1, 1])
  expect(await foldedAt(500 * day + 1)).toEqual([0, 0])
})
