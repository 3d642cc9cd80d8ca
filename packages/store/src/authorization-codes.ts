/** Authorization codes: redeemed by one statement, at most once. */
import type { Instant } from '@drawbridge/core/instant'
import type { CodePresented, CodeRefusal } from '@drawbridge/core/oauth/authorization-code'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import { type Asked, type GrantStateRow, grantStateColumns, grantStateJoins, notified, revokeGrantCtes } from './grants.js'
import { type HotDb, hotStatement, toTimestamp } from './transaction.js'

/**
 * `verdict` holds the conditions of `core/oauth/authorization-code.findCodeRefusal` in the same order. Twins that arrive together all
 * pass it on their snapshots; the row lock of `consumed` lets one through and `outcome` calls the others replays.
 */
const redeemStatement = hotStatement({
  name: 'redeem_code',
  tenantParameter: 1,
  text: `WITH code AS (SELECT * FROM authorization_codes WHERE tenant_id = $1 AND code_hash = $3),
  state AS (
    SELECT ${grantStateColumns} FROM code JOIN grants g ON g.tenant_id = $1 AND g.id = code.grant_id ${grantStateJoins}),
  verdict AS (
    SELECT CASE
      WHEN code.issuer_id <> $4 THEN 'code_of_other_issuer'
      WHEN code.redeemed_at IS NOT NULL THEN 'code_replayed'
      WHEN code.expires_at <= $2 THEN 'code_expired'
      WHEN code.client_id <> $5 THEN 'code_of_other_client'
      WHEN code.redirect_uri <> $6 THEN 'redirect_uri_mismatch'
      WHEN code.code_challenge <> $7 THEN 'pkce_mismatch'
      WHEN state.audience <> $12::text THEN 'resource_not_of_grant'
      ELSE state.grant_refusal
    END AS refusal FROM code, state),
  consumed AS (
    UPDATE authorization_codes SET redeemed_at = $2
    WHERE tenant_id = $1 AND code_hash = $3 AND redeemed_at IS NULL AND EXISTS (SELECT 1 FROM verdict WHERE refusal IS NULL) RETURNING grant_id),
  outcome AS (
    SELECT CASE WHEN refusal IS NULL AND NOT EXISTS (SELECT 1 FROM consumed) THEN 'code_replayed' ELSE refusal END AS refusal FROM verdict),
  issued AS (
    INSERT INTO refresh_tokens (tenant_id, token_hash, grant_id, issuer_id, client_id, created_at, expires_at)
    SELECT $1, $8, state.grant_id, $4, $5, $2, LEAST($2 + make_interval(secs => state.refresh_ttl_seconds), state.grant_expires_at)
    FROM state, consumed WHERE state.refresh_ttl_seconds IS NOT NULL AND state.client_refreshes RETURNING token_hash),
  ${revokeGrantCtes(`SELECT state.grant_id FROM state, outcome WHERE outcome.refusal = 'code_replayed'`, { reason: `'code_replayed'`, source: `'code_replay'`, eventId: '$9::uuid' })},
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address)
    SELECT $1, $2, CASE WHEN outcome.refusal IS NULL THEN 'code_redeemed' ELSE 'code_refused' END, state.issuer_id, state.subject_id, state.client_id,
      state.connection_id, state.grant_id, state.scopes, outcome.refusal,
      jsonb_build_object('grantRevoked', EXISTS (SELECT 1 FROM killed)), $10, $11
    FROM outcome, state)
  SELECT outcome.refusal, code.nonce, EXISTS (SELECT 1 FROM issued) AS refreshes, state.*, ${notified} FROM outcome, state, code`,
})

export type RedeemCode = {
  readonly tenantId: TenantId
  readonly codeHash: CredentialHash
  readonly presented: CodePresented
  /** Of the first refresh token of the family; stored only if the grant has one. */
  readonly refreshTokenHash: CredentialHash
  readonly eventId: string
  readonly now: Instant
  readonly asked: Asked
}

export type RedeemedCode = { readonly grant: GrantStateRow; readonly nonce: string | undefined; readonly refreshes: boolean }

/** Redeems a code: at most one caller wins, and a second use revokes the grant and lets every guard know. */
export async function redeemCode(hot: HotDb, redeem: RedeemCode): Promise<Result<RedeemedCode, CodeRefusal>> {
  const { presented, asked } = redeem
  const { rows } = await hot.query<GrantStateRow & { refusal: CodeRefusal | null; nonce: string | null; refreshes: boolean }>(
    redeemStatement,
    [
      ...[redeem.tenantId, toTimestamp(redeem.now), redeem.codeHash, presented.issuerId, presented.clientId, presented.redirectUri],
      ...[presented.codeChallenge, redeem.refreshTokenHash, redeem.eventId, asked.requestId, asked.address, presented.resource],
    ],
  )
  const row = rows[0]
  if (!row) return err('code_unknown')
  if (row.refusal !== null) return err(row.refusal)
  return ok({ grant: row, nonce: row.nonce ?? undefined, refreshes: row.refreshes })
}
