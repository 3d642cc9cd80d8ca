/** Refresh tokens: rotated by one statement, which twins that arrive together all pass with the same successor. */
import type { Instant } from '@drawbridge/core/instant'
import {
  graceReplaysOfTheft,
  graceReplaysPerRotation,
  graceSeconds,
  graceTheftWindowSeconds,
  type RefreshPresented,
  type RefreshRefusal,
  refusalToldEverySeconds,
} from '@drawbridge/core/oauth/refresh-token'
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
/** Verdicts with a successor. */
const gives = `'rotate', 'grace'`
/** A successor was given before, and now none: it was used, or a twin found the last replay taken. It is told, ends nothing and counts for nothing. */
const replayed = 'refresh_token_replayed'
/** A token is bound to a key that was not proved now. */
const isOfOtherKey = (boundKey: string): string => `${boundKey} <> COALESCE($13::text, '')`

/**
 * `caller`, `token`, `state` and `verdict`: the conditions of `core/oauth/refresh-token.judgeRefresh`, in the same order. `$13` is the key that was proved.
 *
 * Used is a successor whose own row has rotated: nothing is written for it, and its row is looked for, by key, only when a replay comes. A
 * replay reads that row on its snapshot, without a lock. A successor that is being used at that moment therefore counts as unused, and the
 * replay gets it again: the answer it would have had an instant earlier, and the two did overlap, so that order is as true as the other.
 * The same holds for a twin that waited for the rotation. Whoever begins after that use was answered sees it, and is refused.
 *
 * `$15`: the version of the configuration by which no proof of a key was needed, or null where one was sent.
 */
const judging = (redecision: RedecisionSql): string => `${callerCte({ issuer: '$4', client: '$5', version: '$12' })},
  token AS (
    SELECT tokens.grant_id, tokens.issuer_id, tokens.client_id, tokens.expires_at, tokens.rotated_at, tokens.grace_replays, tokens.dpop_jkt,
      CASE WHEN tokens.rotated_at IS NOT NULL THEN (SELECT heir.rotated_at FROM refresh_tokens heir
      WHERE heir.tenant_id = $1 AND heir.token_hash = tokens.successor_hash) END AS successor_rotated_at,
      CASE WHEN tokens.rotated_at IS NOT NULL THEN (SELECT heir.dpop_jkt FROM refresh_tokens heir
      WHERE heir.tenant_id = $1 AND heir.token_hash = tokens.successor_hash) END AS successor_jkt
    FROM refresh_tokens tokens, caller WHERE tokens.tenant_id = $1 AND tokens.token_hash = $3 AND caller.is_current),
  state AS (
    SELECT ${grantStateColumns}, ${redecision.columns}
    FROM token JOIN grants g ON g.tenant_id = $1 AND g.id = token.grant_id ${grantStateJoins}),
  verdict AS (
    SELECT CASE
      WHEN token.issuer_id <> $4 THEN 'refresh_token_of_other_issuer'
      WHEN token.client_id <> $5 THEN 'refresh_token_of_other_client'
      WHEN ${isOfOtherKey('token.dpop_jkt')} THEN 'refresh_token_of_other_key'
      WHEN token.rotated_at <= $2 - interval '${graceSeconds} seconds' THEN 'refresh_token_stolen'
      WHEN ${isOfOtherKey('token.successor_jkt')} THEN 'refresh_token_stolen'
      WHEN token.rotated_at IS NOT NULL AND token.successor_rotated_at IS NULL AND ${graceReplaysOfTheft} <= (SELECT COALESCE(sum(kin.grace_replays), 0)
        FROM refresh_tokens kin WHERE kin.tenant_id = $1 AND kin.grant_id = token.grant_id
          AND kin.rotated_at > $2 - interval '${graceTheftWindowSeconds} seconds') THEN 'refresh_token_stolen'
      WHEN state.grant_refusal IS NOT NULL THEN state.grant_refusal
      WHEN token.rotated_at IS NOT NULL AND token.successor_rotated_at IS NOT NULL THEN '${replayed}'
      WHEN token.rotated_at IS NOT NULL AND token.grace_replays >= ${graceReplaysPerRotation} THEN 'refresh_grace_exhausted'
      WHEN ${redecision.isOvertaken} THEN 'decide_again'
      WHEN LEAST(token.expires_at, state.refresh_ends_at) <= $2 THEN 'refresh_token_expired'
      WHEN state.refresh_seconds IS NULL OR NOT state.client_refreshes THEN 'refresh_token_not_offered'
      WHEN state.audience <> $7::text THEN 'resource_not_of_grant'
      WHEN ${redecision.isNothingLeft} THEN 'grant_policy_denies'
      WHEN NOT ($6::text[] <@ state.allowed) OR ${redecision.leavesNothing('COALESCE($6::text[], state.allowed)')} THEN 'scope_widened'
      WHEN ${redecision.isOutdated} THEN 'decide_again'
      WHEN state.configuration_version <> $15::bigint THEN 'proof_rules_changed'
      WHEN token.rotated_at IS NULL THEN 'rotate'
      ELSE 'grace'
    END AS verdict FROM token, state)`

/**
 * `turned` is one update for the rotation and for replays inside the grace: a twin that waited for the row's lock is judged again on the row as the winner
 * left it, and counts as a replay. It cannot see the successor's row on its snapshot, only run into it: so it inserts the successor again, and `issued`
 * answers the key that the winner bound it to. `$14` is the key that was proved where refresh tokens are bound to it: a successor is bound to what its
 * predecessor was, or from now on. `isBelieved`: a condition, that the proof of that key is believed here.
 */
const turning = (isBelieved: string): string => `
  turned AS (
    UPDATE refresh_tokens SET rotated_at = COALESCE(rotated_at, $2), successor_hash = COALESCE(successor_hash, $8),
      successor_key_version = COALESCE(successor_key_version, $9), grace_replays = grace_replays + CASE WHEN rotated_at IS NULL THEN 0 ELSE 1 END
    WHERE tenant_id = $1 AND token_hash = $3 AND EXISTS (SELECT 1 FROM verdict WHERE verdict IN (${gives})) AND ${isBelieved}
      AND (rotated_at IS NULL
        OR (rotated_at > $2 - interval '${graceSeconds} seconds' AND grace_replays < ${graceReplaysPerRotation}))
    RETURNING grant_id, successor_hash, successor_key_version, grace_replays),
  issued AS (
    INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at, dpop_jkt)
    SELECT $1, turned.successor_hash, state.grant_id, $4, $5, $2, LEAST($2 + make_interval(secs => state.refresh_seconds), state.refresh_ends_at, state.ends_at),
      COALESCE(token.dpop_jkt, $14::text)
    FROM state, token, turned, verdict WHERE verdict = 'rotate'
    ON CONFLICT (tenant_id, token_hash) DO UPDATE SET dpop_jkt = refresh_tokens.dpop_jkt RETURNING dpop_jkt),
  outcome AS (
    SELECT CASE WHEN verdict IN (${gives}) AND NOT ${isBelieved} THEN 'dpop_proof_replayed'
      WHEN verdict IN (${gives}) AND NOT EXISTS (SELECT 1 FROM turned) THEN '${replayed}'
      WHEN EXISTS (SELECT 1 FROM issued WHERE ${isOfOtherKey('issued.dpop_jkt')}) THEN 'refresh_token_stolen'
      WHEN verdict = 'rotate' AND EXISTS (SELECT 1 FROM turned WHERE grace_replays > 0) THEN 'grace' ELSE verdict END AS verdict FROM verdict)`

/** Of the trail. */
const kindOf = `CASE WHEN verdict = 'rotate' THEN 'token_refreshed' WHEN verdict = 'grace' THEN 'token_refresh_repeated' ELSE 'token_refresh_refused' END`
const reasonOf = `CASE WHEN verdict NOT IN (${gives}) THEN verdict END`

/**
 * The refresh that most are: decided under the present versions, without the proof of a key. It gives a successor, or tells that one was given before, or says
 * what the verdict is and does no more: what else there is to do is the next statement's, which judges anew. An executor is set up with all parts of a
 * statement, needed or not, and for this one that is two thirds of what PostgreSQL does. docs/adr/0128
 */
const usual = hotStatement({
  name: 'rotate_refresh_token',
  tenantParameter: 1,
  readsElsewhere: readsMinters,
  text: `WITH ${judging(redecisionSql())}, ${turning('true')},
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address)
    SELECT $1, $2, ${kindOf}, state.issuer_id, state.subject_id, state.client_id, state.connection_id, state.grant_id, COALESCE($6::text[], state.allowed),
      ${reasonOf}, jsonb_build_object('grantRevoked', false, 'graceReplays', (SELECT grace_replays FROM turned)), $10, $11
    FROM outcome, state WHERE verdict IN (${gives}, '${replayed}'))
  SELECT caller.is_current, outcome.verdict, state.*, turned.successor_key_version
  FROM caller LEFT JOIN (outcome CROSS JOIN state LEFT JOIN turned ON outcome.verdict IN (${gives})) ON true`,
})

const redecision = redecisionSql(19)
const proof = believedCte({ first: 17, issuer: '$4', when: `SELECT 1 FROM verdict WHERE verdict IN (${gives})` })

/**
 * Every refresh, with all that may come of it. `counted` counts the replays that are no longer answered, so that the rate of a whole family is known; it is
 * asked for only when a replay comes. `$16` is the id of the event if the family dies as stolen, and no redecision is written then: `killed` changes the same
 * row, and a row is changed once by a statement. `$17` and `$18` are the proof of a key, `$19` to `$27` a fresh decision of policy, or null.
 *
 * `noted` is for the trail, which is kept for ever: whoever has a token that is worth nothing any more, or that is another's, or asks with one for what
 * it does not give, could write it as often as he likes. Whatever kills is told.
 */
const whole = hotStatement({
  name: 'rotate_or_refuse_refresh_token',
  tenantParameter: 1,
  readsElsewhere: readsMinters,
  text: `WITH ${judging(redecision)},
  ${proof.cte}, ${turning(proof.holds)},
  counted AS (
    UPDATE refresh_tokens SET grace_replays = grace_replays + 1
    WHERE tenant_id = $1 AND token_hash = $3 AND EXISTS (SELECT 1 FROM verdict WHERE verdict = 'refresh_grace_exhausted')),
  untold AS (
    SELECT 1 FROM verdict, state WHERE verdict NOT IN (${gives}, ${again}) AND (state.grant_refusal IS NOT NULL
      OR verdict IN ('refresh_token_expired', 'refresh_token_of_other_issuer', 'refresh_token_of_other_client', 'refresh_token_of_other_key',
        'refresh_token_not_offered', 'resource_not_of_grant', 'scope_widened', 'grant_policy_denies'))),
  noted AS (
    UPDATE refresh_tokens SET refused_at = $2 WHERE tenant_id = $1 AND token_hash = $3 AND EXISTS (SELECT 1 FROM untold)
      AND (refused_at IS NULL OR refused_at <= $2 - interval '${refusalToldEverySeconds} seconds')
    RETURNING 1),
  ${redecision.writtenCte(`SELECT turned.grant_id FROM turned, outcome WHERE outcome.verdict IN (${gives})`)},
  ${revokeGrantCtes(`SELECT state.grant_id FROM state, outcome WHERE outcome.verdict = 'refresh_token_stolen'`, { reason: `'refresh_token_stolen'`, source: 'token_theft', eventId: '$16::uuid' })},
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address)
    SELECT $1, $2, ${kindOf}, state.issuer_id, state.subject_id, state.client_id, state.connection_id, state.grant_id,
      CASE WHEN verdict = 'grant_policy_denies' THEN state.scopes ELSE COALESCE($6::text[], state.allowed) END, ${reasonOf},
      jsonb_build_object('grantRevoked', EXISTS (SELECT 1 FROM killed), 'graceReplays', (SELECT grace_replays FROM turned)) || ${redecision.told}, $10, $11
    FROM outcome, state WHERE verdict NOT IN (${again})
      AND (NOT EXISTS (SELECT 1 FROM untold) OR EXISTS (SELECT 1 FROM noted) OR EXISTS (SELECT 1 FROM killed)))
  SELECT caller.is_current, outcome.verdict, state.*, turned.successor_key_version, ${claimsToDecideAgain('outcome.verdict')}, ${notified}
  FROM caller LEFT JOIN (outcome CROSS JOIN state LEFT JOIN turned ON outcome.verdict IN (${gives})) ON true`,
})

export type RotateRefreshToken = {
  readonly tenantId: TenantId
  readonly tokenHash: CredentialHash
  readonly presented: RefreshPresented
  /** The refresh tokens are bound to the key that was proved. */
  readonly bindsRefreshTokens: boolean
  readonly successor: { readonly hash: CredentialHash; readonly keyVersion: number }
  readonly redecision: Redecision | undefined
  /** The version of the configuration by which no proof of a key was needed. `undefined`: one was sent. */
  readonly proofNotNeededBy: number | undefined
  readonly eventId: string
  readonly now: Instant
  readonly asked: Asked
}

export type Rotation =
  | { readonly kind: 'rotated'; readonly grant: DecidedRow; readonly successorKeyVersion: number }
  | { readonly kind: 'decide_again'; readonly grant: DecidedRow; readonly configurationVersion: number }
  | { readonly kind: 'proof_rules_changed'; readonly configurationVersion: number }
  | { readonly kind: 'client_changed' }
  | { readonly kind: 'refused'; readonly reason: RefreshRefusal }

type Row = DecidedRow & { readonly is_current: boolean; readonly verdict: string | null; readonly successor_key_version: number | null }

/**
 * Rotates a refresh token: of twins that arrive together one rotates and the others get the same successor. A replay after the grace,
 * too many within it, or one without the key that the successor was bound to, revokes the grant. `client_changed`, `decide_again` and
 * `proof_rules_changed` have changed nothing: authenticate, decide or look whether a proof is needed, then call again.
 */
export async function rotateRefreshToken(hot: HotDb, rotate: RotateRefreshToken): Promise<Rotation> {
  const row = await turn(hot, rotate)
  if (!row?.is_current) return { kind: 'client_changed' }
  if (row.verdict === null) return { kind: 'refused', reason: 'refresh_token_unknown' }
  if (row.verdict === 'decide_again' || row.verdict === 'proof_rules_changed')
    return { kind: row.verdict, grant: row, configurationVersion: row.configuration_version }
  if (row.successor_key_version === null) return { kind: 'refused', reason: row.verdict as RefreshRefusal }
  return { kind: 'rotated', grant: row, successorKeyVersion: row.successor_key_version }
}

async function turn(hot: HotDb, rotate: RotateRefreshToken): Promise<Row | undefined> {
  const { presented, successor, asked, redecision } = rotate
  const { provenKey } = presented
  const parameters = [
    ...[rotate.tenantId, toTimestamp(rotate.now), rotate.tokenHash, presented.issuerId, presented.clientId, presented.scopes],
    ...[presented.resource, successor.hash, successor.keyVersion, asked.requestId, asked.address, presented.clientVersion],
    ...[provenKey?.thumbprint, rotate.bindsRefreshTokens ? provenKey?.thumbprint : null, rotate.proofNotNeededBy ?? null],
  ]
  if (redecision === undefined && provenKey === undefined) {
    const [row] = (await hot.query<Row>(usual, parameters)).rows
    if (row === undefined || isSettled(row)) return row
  }
  return (await hot.query<Row>(whole, [...parameters, rotate.eventId, ...proofParameters(provenKey), ...redecisionParameters(redecision)]))
    .rows[0]
}

/** Nothing is left to do of it: no refusal that is still to be told or counted, no theft, and nothing to be read for a decision. */
const isSettled = ({ is_current, verdict, successor_key_version }: Row): boolean =>
  !is_current || verdict === null || verdict === 'proof_rules_changed' || verdict === replayed || successor_key_version !== null
