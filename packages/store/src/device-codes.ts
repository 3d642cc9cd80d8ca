/**
 * Device codes: asked for by a device, found by the user code that a person types, decided by her flow, and polled for.
 *
 * A yes binds the authorization code of the opened grant (`store/grants`, in the statement that opens it), and a no is written by the statement that
 * ends her request (`store/authorization-requests`). The poll that finds a code redeems it in the same statement.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { CodeRefusal } from '@drawbridge/core/oauth/authorization-code'
import type { Caller } from '@drawbridge/core/oauth/caller'
import {
  type DeviceCodeRefusal,
  deviceIntervalSeconds,
  mostIntervalSeconds,
  mostOpenDeviceCodes,
  pollToleranceSeconds,
  slowDownSeconds,
} from '@drawbridge/core/oauth/device-code'
import type { PendingDeviceRequest } from '@drawbridge/core/oauth/pending-request'
import { userCodeGuesses } from '@drawbridge/core/oauth/user-code'
import type { ClientId, CredentialHash, DeviceCodeId, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import {
  type CodeRedemption,
  type RedeemCode,
  type RedemptionRow,
  redemptionParameters,
  redemptionSql,
  toRedemption,
} from './authorization-codes.js'
import type { DecidedOn } from './authorization-requests.js'
import { callerCte } from './caller.js'
import type { Asked } from './grants.js'
import { readsMinters } from './redecision.js'
import { type Db, type HotDb, hotStatement, judged, toTimestamp } from './transaction.js'

/** Open ones are counted as this statement sees them: as many more as are asked for in the same moment may pass. */
const insertStatement = hotStatement({
  name: 'insert_device_code',
  tenantParameter: 1,
  text: `WITH ${callerCte({ issuer: '$4', client: '$5', version: '$6' })},
  open AS (
    SELECT count(*) >= $13::int AS is_full FROM (
      SELECT 1 FROM device_codes d WHERE d.tenant_id = $1 AND d.issuer_id = $4 AND d.client_id = $5 AND ${judged('d.expires_at > $2')} AND d.decided_at IS NULL LIMIT $13) counted),
  ground AS (
    SELECT t.epoch AS tenant_epoch, cl.epoch AS client_epoch FROM tenants t, clients cl
    WHERE t.id = $1 AND t.suspended_at IS NULL AND t.device_grant
      AND cl.tenant_id = $1 AND cl.issuer_id = $4 AND cl.client_id = $5 AND cl.version = $6 AND cl.blocked_at IS NULL),
  made AS (
    INSERT INTO device_codes (tenant_id, id, issuer_id, client_id, device_code_hash, user_code_hash, request, asked_address, asked_country,
      tenant_epoch, client_epoch, interval_seconds, created_at, expires_at)
    SELECT $1, $3, $4, $5, $7, $8, $9, $10, $11, ground.tenant_epoch, ground.client_epoch, ${deviceIntervalSeconds}, $2, $12
    FROM ground, open WHERE NOT open.is_full
    ON CONFLICT (user_code_hash) DO NOTHING RETURNING id)
  SELECT caller.is_current, open.is_full, EXISTS (SELECT 1 FROM ground) AS is_offered, EXISTS (SELECT 1 FROM made) AS is_made FROM caller, open`,
})

export type DeviceCodeToInsert = {
  readonly id: DeviceCodeId
  readonly caller: Caller
  readonly deviceCodeHash: CredentialHash
  readonly userCodeHash: CredentialHash
  readonly request: PendingDeviceRequest
  readonly address: string
  readonly country: string | undefined
  readonly now: Instant
  readonly expiresAt: Instant
}

/** `user_code_taken`: somebody else was given this one; draw again. */
export type InsertedDeviceCode = 'inserted' | 'user_code_taken' | 'client_changed' | 'device_grant_off' | 'open_device_codes_full'

/** Keeps what a device asked for, under the epochs of this moment. Whatever else it answers, nothing was written. */
export async function insertDeviceCode(hot: HotDb, tenant: TenantId, code: DeviceCodeToInsert): Promise<InsertedDeviceCode> {
  const { caller } = code
  const { rows } = await hot.query<{ is_current: boolean; is_full: boolean; is_offered: boolean; is_made: boolean }>(insertStatement, [
    ...[tenant, toTimestamp(code.now), code.id, caller.issuerId, caller.clientId, caller.clientVersion],
    ...[code.deviceCodeHash, code.userCodeHash, JSON.stringify(code.request), code.address, code.country ?? null],
    ...[toTimestamp(code.expiresAt), mostOpenDeviceCodes],
  ])
  const row = rows[0]
  if (!row?.is_current) return 'client_changed'
  if (row.is_made) return 'inserted'
  if (!row.is_offered) return 'device_grant_off'
  return row.is_full ? 'open_device_codes_full' : 'user_code_taken'
}

/** What a person is told of a device, and what her request is begun with. */
export type WaitingDevice = {
  readonly id: DeviceCodeId
  readonly clientId: ClientId
  /** As `core/oauth/pending-request` parses it. */
  readonly request: unknown
  readonly askedAddress: string | undefined
  readonly askedCountry: string | undefined
  readonly clientEpoch: number
  readonly createdAt: Instant
  readonly expiresAt: Instant
  /** The versions of what a decision on it would have to stand on now. */
  readonly present: DecidedOn
}

type WaitingRow = {
  readonly id: DeviceCodeId
  readonly client_id: ClientId
  readonly request: unknown
  readonly asked_address: string | null
  readonly asked_country: string | null
  readonly client_epoch: number
  readonly created_at: Instant
  readonly expires_at: Instant
  readonly configuration_version: number
  readonly client_version: number
}

const toWaiting = (row: WaitingRow): WaitingDevice => ({
  id: row.id,
  clientId: row.client_id,
  request: row.request,
  askedAddress: row.asked_address ?? undefined,
  askedCountry: row.asked_country ?? undefined,
  clientEpoch: row.client_epoch,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  present: { configurationVersion: row.configuration_version, clientVersion: row.client_version },
})

/** Devices at issuer `$4` that still wait for an answer, above every barrier, of a tenant that lets devices ask. */
const waiting = (
  which: string,
): string => `SELECT d.id, d.client_id, d.request, d.asked_address, d.asked_country, d.client_epoch, d.created_at, d.expires_at,
    t.configuration_version, cl.version AS client_version
  FROM device_codes d
  JOIN tenants t ON t.id = $1 AND t.device_grant AND t.suspended_at IS NULL AND t.epoch = d.tenant_epoch
  JOIN clients cl ON cl.tenant_id = $1 AND cl.issuer_id = d.issuer_id AND cl.client_id = d.client_id AND cl.blocked_at IS NULL AND cl.epoch = d.client_epoch
  WHERE d.tenant_id = $1 AND ${which} AND d.issuer_id = $4 AND d.decided_at IS NULL AND ${judged('d.expires_at > $2')}`

const findStatement = hotStatement({ name: 'find_device_code', tenantParameter: 1, text: waiting('d.id = $3') })

export async function findWaitingDevice(
  hot: HotDb,
  tenant: TenantId,
  at: { readonly id: DeviceCodeId; readonly issuerId: IssuerId; readonly now: Instant },
): Promise<WaitingDevice | undefined> {
  const { rows } = await hot.query<WaitingRow>(findStatement, [tenant, toTimestamp(at.now), at.id, at.issuerId])
  return rows[0] && toWaiting(rows[0])
}

const everybody = '*'

/**
 * `guessed` counts before anybody learns anything: its two rows are locked, the tenant's first, so of guesses that arrive together each sees how many
 * went before it. One that is right adds nothing, and is not told while its address or tenant is locked.
 */
const guessStatement = hotStatement({
  name: 'find_device_code_by_user_code',
  tenantParameter: 1,
  text: `WITH found AS MATERIALIZED (${waiting('d.user_code_hash = ANY ($3)')}),
  miss AS (SELECT CASE WHEN EXISTS (SELECT 1 FROM found) THEN 0 ELSE 1 END AS n),
  guessed AS (
    INSERT INTO user_code_guesses AS g (tenant_id, guesser, wrong, expires_at)
    SELECT $1, who.guesser, miss.n, $6 FROM miss, (VALUES (1, '${everybody}'), (2, $5::text)) who(nth, guesser) ORDER BY who.nth
    ON CONFLICT (tenant_id, guesser) DO UPDATE SET
      wrong = CASE WHEN g.expires_at <= $2 THEN EXCLUDED.wrong ELSE g.wrong + EXCLUDED.wrong END,
      expires_at = CASE WHEN g.expires_at <= $2 OR EXCLUDED.wrong = 1 AND g.wrong + 1 = CASE g.guesser WHEN '${everybody}' THEN $7::int ELSE $8::int END
        THEN EXCLUDED.expires_at ELSE g.expires_at END
    RETURNING guesser, wrong, expires_at, CASE guesser WHEN '${everybody}' THEN $7::int ELSE $8::int END AS most),
  judged AS (SELECT guesser, expires_at, wrong - miss.n >= most AS was_locked, miss.n = 1 AND wrong = most AS is_locked_now FROM guessed, miss),
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, scopes, detail, request_id, address)
    SELECT $1, $2, 'device_guesses_locked', $4, '{}', jsonb_build_object('of', CASE guesser WHEN '${everybody}' THEN 'tenant' ELSE 'address' END), $9, $10
    FROM judged WHERE is_locked_now)
  SELECT (SELECT max(expires_at) FROM judged WHERE was_locked) AS locked_until, (SELECT count(*)::int FROM found) AS found_count, found.*
  FROM miss LEFT JOIN found ON true LIMIT 1`,
})

export type Guess = {
  /** Under each key of the installation. */
  readonly hashes: readonly CredentialHash[]
  readonly issuerId: IssuerId
  /** The address, as limits count it. */
  readonly guesser: string
  readonly now: Instant
  readonly lockedUntil: Instant
  /** So many wrong ones lock everybody. */
  readonly mostWrongTogether: number
  readonly asked: Asked
}

export type Guessed =
  | { readonly kind: 'found'; readonly device: WaitingDevice }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'locked'; readonly until: Instant }

/** Finds the device that shows a code, and counts one that none shows, exactly, across processes. */
export async function guessUserCode(hot: HotDb, tenant: TenantId, guess: Guess): Promise<Guessed> {
  type Row = WaitingRow & { readonly locked_until: Instant | null; readonly found_count: number }
  const { rows } = await hot.query<Row>(guessStatement, [
    ...[tenant, toTimestamp(guess.now), guess.hashes, guess.issuerId, guess.guesser, toTimestamp(guess.lockedUntil)],
    ...[guess.mostWrongTogether, userCodeGuesses.mostWrongOfAddress, guess.asked.requestId, guess.asked.address],
  ])
  const row = rows[0]
  if (row?.locked_until) return { kind: 'locked', until: row.locked_until }
  return row?.found_count === 1 ? { kind: 'found', device: toWaiting(row) } : { kind: 'unknown' }
}

const declineStatement = hotStatement({
  name: 'decline_device_code',
  tenantParameter: 1,
  text: `WITH declined AS (
    UPDATE device_codes d SET decided_at = $2
    WHERE d.tenant_id = $1 AND d.id = $3 AND d.issuer_id = $4 AND d.decided_at IS NULL AND ${judged('d.expires_at > $2')} RETURNING d.client_id, d.asked_address),
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, client_id, scopes, detail, request_id, address)
    SELECT $1, $2, 'device_declined', $4, client_id, '{}', jsonb_build_object('askedFrom', asked_address), $5, $6 FROM declined)
  SELECT EXISTS (SELECT 1 FROM declined) AS is_declined`,
})

/** A no on the page of the code, before any sign-in. Of any number of answers to one device exactly one counts. */
export async function declineDevice(
  hot: HotDb,
  tenant: TenantId,
  no: { readonly id: DeviceCodeId; readonly issuerId: IssuerId; readonly now: Instant; readonly asked: Asked },
): Promise<boolean> {
  const { rows } = await hot.query<{ is_declined: boolean }>(declineStatement, [
    ...[tenant, toTimestamp(no.now), no.id, no.issuerId, no.asked.requestId, no.asked.address],
  ])
  return rows[0]?.is_declined ?? false
}

/** The no of policy, with its line in the trail in the same transaction. */
export async function markDeviceDenied(db: Db, tenant: TenantId, id: DeviceCodeId, now: Instant): Promise<void> {
  await db.query('UPDATE device_codes SET decided_at = $3 WHERE tenant_id = $1 AND id = $2 AND decided_at IS NULL', [
    ...[tenant, id, toTimestamp(now)],
  ])
}

export const isEarly = `(d.polled_at IS NOT NULL AND $2::timestamptz < d.polled_at + make_interval(secs => d.interval_seconds - ${pollToleranceSeconds}))`

/** The device that polls, and what it hears whatever comes next. One that has become a tenant's hears nothing here. */
export const deviceCte = `device AS (
    SELECT d.id, d.became_tenant, t.configuration_version, CASE
      WHEN d.issuer_id <> $4 THEN 'device_code_of_other_issuer'
      WHEN d.client_id <> $5 THEN 'device_code_of_other_client'
      WHEN NOT t.device_grant THEN 'device_grant_off'
      WHEN t.suspended_at IS NOT NULL OR cl.client_id IS NULL OR cl.blocked_at IS NOT NULL OR d.tenant_epoch < t.epoch OR d.client_epoch < cl.epoch
        THEN 'device_code_below_barrier'
      WHEN d.decided_at IS NOT NULL AND d.code_hash IS NULL AND d.became_tenant IS NULL THEN 'device_denied'
      WHEN d.decided_at IS NULL AND d.expires_at <= $2 THEN 'device_code_expired'
    END AS refusal
    FROM caller, device_codes d JOIN tenants t ON t.id = $1
    LEFT JOIN clients cl ON cl.tenant_id = $1 AND cl.issuer_id = d.issuer_id AND cl.client_id = d.client_id
    WHERE d.tenant_id = $1 AND d.device_code_hash = $3 AND caller.is_current)`

/** `early`: what makes this poll one that came too soon. */
export const polledCte = (early: string): string => `polled AS (
    UPDATE device_codes d SET polled_at = $2, polled_early = ${early},
      interval_seconds = CASE WHEN ${early} THEN LEAST(d.interval_seconds + ${slowDownSeconds}, ${mostIntervalSeconds}) ELSE d.interval_seconds END
    FROM device WHERE d.tenant_id = $1 AND d.id = device.id AND device.refusal IS NULL AND device.became_tenant IS NULL RETURNING d.polled_early, d.code_hash)`

/**
 * `$28`: this statement has already counted this poll, and is asked again because policy had to decide anew.
 *
 * `device` and `polled` hold the conditions of `core/oauth/device-code.judgeDevicePoll` in the same order. Polls that arrive together wait for
 * each other at the row, and each but the first finds that it came too early; what is bound to the row is redeemed by whichever did not.
 */
const pollStatement = hotStatement({
  name: 'poll_device_code',
  tenantParameter: 1,
  readsElsewhere: readsMinters,
  text: redemptionSql({
    code: `${deviceCte},
  ${polledCte(`(NOT $28::boolean AND ${isEarly})`)},
  code AS (
    SELECT codes.* FROM polled, authorization_codes codes
    WHERE codes.tenant_id = $1 AND codes.code_hash = polled.code_hash AND NOT polled.polled_early)`,
    codeHash: '(SELECT code_hash FROM code)',
    answer: `caller.is_current, EXISTS (SELECT 1 FROM device) AS is_known, (SELECT refusal FROM device) AS device_refusal,
    (SELECT polled_early FROM polled) AS polled_early, (SELECT configuration_version FROM device) AS device_configuration_version`,
  }),
})

export type PollDeviceCode = Omit<RedeemCode, 'codeHash'> & {
  readonly deviceCodeHash: CredentialHash
  /** Called again for the same poll, because the first call answered `decide_again` or `proof_rules_changed`. */
  readonly isCounted: boolean
}

export type DevicePoll =
  | Exclude<CodeRedemption, { kind: 'refused' }>
  | { readonly kind: 'refused'; readonly reason: CodeRefusal | DeviceCodeRefusal }

type PollRow = RedemptionRow & {
  readonly is_known: boolean
  readonly device_refusal: DeviceCodeRefusal | null
  readonly polled_early: boolean | null
  readonly device_configuration_version: number
}

const toPending = (configurationVersion: number, proofNotNeededBy: number | undefined): DevicePoll =>
  proofNotNeededBy === undefined || proofNotNeededBy === configurationVersion
    ? { kind: 'refused', reason: 'device_pending' }
    : { kind: 'proof_rules_changed', configurationVersion }

/**
 * Answers a poll, and redeems what a yes has bound to the device code: at most one poll wins, by the rules of `redeemCode`. A device that would get nothing
 * without a proof of a key is not left to wait for a yes: where nothing is bound yet, too, `proof_rules_changed` has the caller look.
 */
export async function pollDeviceCode(hot: HotDb, poll: PollDeviceCode): Promise<DevicePoll> {
  const { rows } = await hot.query<PollRow>(pollStatement, [...redemptionParameters(poll, poll.deviceCodeHash), poll.isCounted])
  const row = rows[0]
  if (!row?.is_current) return { kind: 'client_changed' }
  if (!row.is_known) return { kind: 'refused', reason: 'device_code_unknown' }
  if (row.device_refusal !== null) return { kind: 'refused', reason: row.device_refusal }
  if (row.polled_early) return { kind: 'refused', reason: 'device_polled_early' }
  if (row.verdict === null) return toPending(row.device_configuration_version, poll.proofNotNeededBy)
  return row.verdict === 'code_expired' ? { kind: 'refused', reason: 'device_code_expired' } : toRedemption(row)
}
