/** Authorization codes: redeemed by one statement, at most once. */
import type { Instant } from '@drawbridge/core/instant'
import type { CodePresented, CodeRefusal } from '@drawbridge/core/oauth/authorization-code'
import { refusalToldEverySeconds } from '@drawbridge/core/oauth/refresh-token'
import type { CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import { callerCte } from './caller.js'
import { type Asked, grantStateColumns, grantStateJoins, notified, revokeGrantCtes } from './grants.js'
import {
  claimsToDecideAgain,
  type DecidedRow,
  type Redecision,
  type RedecisionSql,
  readsMinters,
  redecisionParameters,
  redecisionSql,
} from './redecision.js'
import { believedCte, proofParameters } from './replays.js'
import { type HotDb, hotStatement, toTimestamp } from './transaction.js'

/** What changes nothing and tells nothing: the caller looks again and comes back. */
const again = `'decide_again', 'proof_rules_changed'`

/** How a statement comes to the code that it redeems. */
type WayToCode = {
  /** Further CTEs, ending with `code`: the row of `authorization_codes`, if there is one to be judged. */
  readonly code: string
  /** The key of that row, for the update. */
  readonly codeHash: string
  /** Further columns of the answer, and the CTE that has always one row. */
  readonly answer: string
}

/**
 * `caller`, `code`, `state` and `verdict`: the conditions of `core/oauth/authorization-code.judgeCode`, in the same order. `$13` is the key that was proved, and
 * `$15` the version of the configuration by which no proof of one was needed, or null where one was sent.
 */
const judging = (way: WayToCode, redecision: RedecisionSql): string => `${callerCte({ issuer: '$4', client: '$5', version: '$12' })},
  ${way.code},
  state AS (
    SELECT ${grantStateColumns}, ${redecision.columns}
    FROM code JOIN grants g ON g.tenant_id = $1 AND g.id = code.grant_id ${grantStateJoins}),
  verdict AS (
    SELECT CASE
      WHEN code.issuer_id <> $4 THEN 'code_of_other_issuer'
      WHEN code.redeemed_at IS NOT NULL THEN 'code_replayed'
      WHEN code.expires_at <= $2 THEN 'code_expired'
      WHEN code.client_id <> $5 THEN 'code_of_other_client'
      WHEN code.redirect_uri <> $6::text THEN 'redirect_uri_mismatch'
      WHEN code.code_challenge <> $7 THEN 'pkce_mismatch'
      WHEN code.dpop_jkt <> COALESCE($13::text, '') THEN 'code_of_other_key'
      WHEN state.audience <> $11::text THEN 'resource_not_of_grant'
      WHEN state.grant_refusal IS NOT NULL THEN state.grant_refusal
      WHEN ${redecision.isOvertaken} THEN 'decide_again'
      WHEN ${redecision.isNothingLeft} THEN 'grant_policy_denies'
      WHEN ${redecision.isOutdated} THEN 'decide_again'
      WHEN state.configuration_version <> $15::bigint THEN 'proof_rules_changed'
      ELSE 'redeem'
    END AS verdict FROM code, state)`

/**
 * Twins that arrive together all pass on their snapshots; the row lock of `consumed` lets one through and `outcome` calls the others replays. `$14` is the key
 * that was proved where refresh tokens are bound to it. `isBelieved`: a condition, that the proof of that key is believed here.
 */
const consuming = (way: WayToCode, isBelieved: string): string => `
  consumed AS (
    UPDATE authorization_codes SET redeemed_at = $2
    WHERE tenant_id = $1 AND code_hash = ${way.codeHash} AND redeemed_at IS NULL AND EXISTS (SELECT 1 FROM verdict WHERE verdict = 'redeem')
      AND ${isBelieved} RETURNING grant_id),
  outcome AS (
    SELECT CASE WHEN verdict = 'redeem' AND NOT ${isBelieved} THEN 'dpop_proof_replayed'
      WHEN verdict = 'redeem' AND NOT EXISTS (SELECT 1 FROM consumed) THEN 'code_replayed' ELSE verdict END AS verdict FROM verdict),
  issued AS (
    INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at, dpop_jkt)
    SELECT $1, $8, state.grant_id, $4, $5, $2, LEAST($2 + make_interval(secs => state.refresh_seconds), state.refresh_ends_at, state.ends_at), $14::text
    FROM state, consumed WHERE state.refresh_seconds IS NOT NULL AND state.client_refreshes AND (state.refresh_ends_at <= $2) IS NOT TRUE RETURNING token_hash)`

const answering = (way: WayToCode): string =>
  `${way.answer}, outcome.verdict, code.nonce, EXISTS (SELECT 1 FROM issued) AS refreshes, state.*`

const redecision = redecisionSql(19)
const proof = believedCte({ first: 17, issuer: '$4', when: `SELECT 1 FROM verdict WHERE verdict = 'redeem'` })

/**
 * Every redemption, with all that may come of it. `$16` is the id of the event if a replay kills the grant, `$17` and `$18` are the proof of a key, `$19` to
 * `$27` a fresh decision of policy, or null.
 *
 * `noted` is for the trail, as where refresh tokens rotate: whoever has a code that is worth nothing could write it as often as he likes. Whatever kills is told.
 * It comes before `killed`: a twin that waited for the winner holds the code's row by then, and would wait for the grant of one that holds that and wants the row.
 */
export const redemptionSql = (way: WayToCode): string => `WITH ${judging(way, redecision)},
  ${proof.cte}, ${consuming(way, proof.holds)},
  ${redecision.writtenCte('SELECT grant_id FROM consumed', true)},
  noted AS (
    UPDATE authorization_codes SET refused_at = $2
    WHERE tenant_id = $1 AND code_hash = ${way.codeHash} AND EXISTS (SELECT 1 FROM outcome WHERE verdict NOT IN ('redeem', ${again}))
      AND (refused_at IS NULL OR refused_at <= $2 - interval '${refusalToldEverySeconds} seconds')
    RETURNING 1),
  ${revokeGrantCtes(`SELECT state.grant_id FROM state, outcome WHERE outcome.verdict = 'code_replayed' AND (SELECT count(*) FROM noted) IS NOT NULL`, { reason: `'code_replayed'`, source: 'code_replay', eventId: '$16::uuid' })},
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address)
    SELECT $1, $2, CASE WHEN verdict = 'redeem' THEN 'code_redeemed' ELSE 'code_refused' END, state.issuer_id, state.subject_id, state.client_id,
      state.connection_id, state.grant_id, CASE WHEN verdict = 'grant_policy_denies' THEN state.scopes ELSE state.allowed END,
      CASE WHEN verdict <> 'redeem' THEN verdict END,
      jsonb_build_object('grantRevoked', EXISTS (SELECT 1 FROM killed)) || ${redecision.told}, $9, $10
    FROM outcome, state WHERE verdict = 'redeem' OR (verdict NOT IN (${again}) AND (EXISTS (SELECT 1 FROM noted) OR EXISTS (SELECT 1 FROM killed))))
  SELECT ${answering(way)},
    ${claimsToDecideAgain('outcome.verdict')}, ${notified}
  FROM caller LEFT JOIN (outcome CROSS JOIN state CROSS JOIN code) ON true`

const byCode: WayToCode = {
  code: 'code AS (SELECT codes.* FROM authorization_codes codes, caller WHERE codes.tenant_id = $1 AND codes.code_hash = $3 AND caller.is_current)',
  codeHash: '$3',
  answer: 'caller.is_current',
}

/** The redemption that most are: as the usual refresh (`refresh-tokens`), one that gives a token or says what the verdict is and does no more. docs/adr/0128 */
const usual = hotStatement({
  name: 'redeem_code',
  tenantParameter: 1,
  readsElsewhere: readsMinters,
  text: `WITH ${judging(byCode, redecisionSql())}, ${consuming(byCode, 'true')},
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, detail, request_id, address)
    SELECT $1, $2, 'code_redeemed', state.issuer_id, state.subject_id, state.client_id, state.connection_id, state.grant_id, state.allowed,
      jsonb_build_object('grantRevoked', false), $9, $10
    FROM state, consumed)
  SELECT ${answering(byCode)} FROM caller LEFT JOIN (outcome CROSS JOIN state CROSS JOIN code) ON true`,
})
const whole = hotStatement({
  name: 'redeem_or_refuse_code',
  tenantParameter: 1,
  readsElsewhere: readsMinters,
  text: redemptionSql(byCode),
})

export type RedeemCode = {
  readonly tenantId: TenantId
  readonly codeHash: CredentialHash
  readonly presented: CodePresented
  /** The refresh tokens are bound to the key that was proved. */
  readonly bindsRefreshTokens: boolean
  /** Of the first refresh token of the family; stored only if the grant has one. */
  readonly refreshTokenHash: CredentialHash
  readonly redecision: Redecision | undefined
  /** The version of the configuration by which no proof of a key was needed. `undefined`: one was sent. */
  readonly proofNotNeededBy: number | undefined
  readonly eventId: string
  readonly now: Instant
  readonly asked: Asked
}

export type CodeRedemption =
  | { readonly kind: 'redeemed'; readonly grant: DecidedRow; readonly nonce: string | undefined; readonly refreshes: boolean }
  | { readonly kind: 'decide_again'; readonly grant: DecidedRow; readonly configurationVersion: number }
  | { readonly kind: 'proof_rules_changed'; readonly configurationVersion: number }
  | { readonly kind: 'client_changed' }
  | { readonly kind: 'refused'; readonly reason: CodeRefusal }

/** Of the usual statement, `$1` to `$15`. */
const usualParameters = (redeem: Omit<RedeemCode, 'codeHash'>, found: CredentialHash): readonly unknown[] => {
  const { presented, asked } = redeem
  const { provenKey } = presented
  return [
    ...[redeem.tenantId, toTimestamp(redeem.now), found, presented.issuerId, presented.clientId, presented.redirectUri],
    ...[presented.codeChallenge, redeem.refreshTokenHash, asked.requestId, asked.address, presented.resource, presented.clientVersion],
    ...[provenKey?.thumbprint, redeem.bindsRefreshTokens ? provenKey?.thumbprint : null, redeem.proofNotNeededBy ?? null],
  ]
}

/** Of the whole one, `$1` to `$27`. */
export const redemptionParameters = (redeem: Omit<RedeemCode, 'codeHash'>, found: CredentialHash): readonly unknown[] => [
  ...[...usualParameters(redeem, found), redeem.eventId],
  ...[...proofParameters(redeem.presented.provenKey), ...redecisionParameters(redeem.redecision)],
]

export type RedemptionRow = DecidedRow & {
  readonly is_current: boolean
  readonly verdict: string | null
  readonly nonce: string | null
  readonly refreshes: boolean
}

/** What the statement says of a code that there is. */
export function toRedemption(row: RedemptionRow): Exclude<CodeRedemption, { kind: 'client_changed' }> {
  if (row.verdict === 'decide_again' || row.verdict === 'proof_rules_changed')
    return { kind: row.verdict, grant: row, configurationVersion: row.configuration_version }
  if (row.verdict !== 'redeem') return { kind: 'refused', reason: row.verdict as CodeRefusal }
  return { kind: 'redeemed', grant: row, nonce: row.nonce ?? undefined, refreshes: row.refreshes }
}

/**
 * Redeems a code: at most one caller wins, and a second use revokes the grant and lets every guard know. `client_changed`, `decide_again` and
 * `proof_rules_changed` have changed nothing: authenticate, decide or look whether a proof is needed, then call again.
 */
export async function redeemCode(hot: HotDb, redeem: RedeemCode): Promise<CodeRedemption> {
  const row = await consume(hot, redeem)
  if (!row?.is_current) return { kind: 'client_changed' }
  return row.verdict === null ? { kind: 'refused', reason: 'code_unknown' } : toRedemption(row)
}

async function consume(hot: HotDb, redeem: RedeemCode): Promise<RedemptionRow | undefined> {
  if (redeem.redecision === undefined && redeem.presented.provenKey === undefined) {
    const [row] = (await hot.query<RedemptionRow>(usual, usualParameters(redeem, redeem.codeHash))).rows
    if (row === undefined || isSettled(row)) return row
  }
  return (await hot.query<RedemptionRow>(whole, redemptionParameters(redeem, redeem.codeHash))).rows[0]
}

/** Nothing is left to do of it: no refusal that is told, no replay, and nothing to be read for a decision. */
const isSettled = ({ is_current, verdict }: RedemptionRow): boolean =>
  !is_current || verdict === null || verdict === 'redeem' || verdict === 'proof_rules_changed'
