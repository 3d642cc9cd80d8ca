/**
 * The statement by which an ID-JAG is issued: the grant behind the token that was brought is alive, of the client that brings it, and what policy
 * decided was decided on what is so now. It writes the trail and nothing else: what the server makes of the assertion is not ours.
 *
 * The first run carries no decision and tells what policy needs, the second issues, as with `exchange-token`. A refresh token is looked at and not
 * used up; one that would get nothing at a refresh gets nothing here. One that was rotated is a replay as there (`refresh-tokens`): inside the grace
 * it is refused, and afterwards, or without the key that its successor was bound to, it was in two hands and its grant ends. security.md §9
 *
 * Whose token it is, only the row says: a run that has not been counted tells what to count, and has the trail told of nothing but the end of a grant, so
 * that nobody who brings what is refused writes the trail, which is kept for ever, as often as he likes.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Caller } from '@drawbridge/core/oauth/caller'
import type { ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import { graceSeconds } from '@drawbridge/core/oauth/refresh-token'
import type { ExchangeDenial } from '@drawbridge/core/oauth/token-exchange'
import type { Epochs } from '@drawbridge/core/revocation/epochs'
import type { CredentialHash, TenantId } from '@drawbridge/core/tenant/ids'
import { callerCte } from './caller.js'
import { type Asked, grantStateColumns, grantStateJoins, notified, revokeGrantCtes } from './grants.js'
import {
  type DecidedOnParent,
  epochParameters,
  groundParameters,
  isBelowParent,
  isDecidedOnOther,
  type ParentGrant,
  personOfParent,
} from './parent-grant.js'
import { believedCte, proofParameters } from './replays.js'
import { type HotDb, hotStatement, toTimestamp } from './transaction.js'

/** A token is bound to a key that was not proved now. */
const isOfOtherKey = (boundKey: string): string => `${boundKey} <> COALESCE($21::text, '')`
const proof = believedCte({ first: 22, issuer: '$4', when: `SELECT 1 FROM verdict WHERE verdict = 'issue'` })

const issueStatement = hotStatement({
  name: 'issue_id_jag',
  tenantParameter: 1,
  text: `WITH ${callerCte({ issuer: '$4', client: '$5', version: '$6' })},
  token AS (
    SELECT rt.grant_id, rt.expires_at, rt.rotated_at, rt.dpop_jkt,
      CASE WHEN rt.rotated_at IS NOT NULL THEN (SELECT heir.dpop_jkt FROM refresh_tokens heir
      WHERE heir.tenant_id = $1 AND heir.token_hash = rt.successor_hash) END AS successor_jkt
    FROM caller, refresh_tokens rt
    WHERE caller.is_current AND rt.tenant_id = $1 AND rt.token_hash = $7::bytea AND rt.issuer_id = $4),
  parent AS (
    SELECT ${grantStateColumns}, g.expires_at, g.refresh_ends_at, g.refresh_ttl_seconds, s.factors_reset_at, s.deactivates_at
    FROM caller JOIN grants g ON g.tenant_id = $1 AND g.id = COALESCE($3::uuid, (SELECT grant_id FROM token)) AND g.issuer_id = $4 ${grantStateJoins}
    WHERE caller.is_current),
  verdict AS (
    SELECT CASE
      WHEN parent.client_id <> $5 THEN 'subject_token_of_other_client'
      WHEN parent.subject_id IS NULL THEN 'subject_token_of_no_person'
      WHEN ${isOfOtherKey('token.dpop_jkt')} THEN 'subject_token_of_other_key'
      WHEN token.rotated_at <= $2 - interval '${graceSeconds} seconds' OR ${isOfOtherKey('token.successor_jkt')} THEN 'subject_token_stolen'
      WHEN parent.grant_refusal IS NOT NULL THEN 'subject_token_dead'
      WHEN $7::bytea IS NOT NULL AND (token.rotated_at IS NOT NULL OR LEAST(token.expires_at, parent.refresh_ends_at) <= $2
        OR parent.refresh_ttl_seconds IS NULL OR NOT parent.client_refreshes) THEN 'subject_token_dead'
      WHEN ${isBelowParent(8)} THEN 'subject_token_dead'
      WHEN ${isDecidedOnOther(13)} THEN 'decide_again'
      ELSE COALESCE($18::text, 'issue')
    END AS verdict FROM parent LEFT JOIN token ON true),
  ${proof.cte},
  outcome AS (SELECT CASE WHEN verdict = 'issue' AND NOT ${proof.holds} THEN 'dpop_proof_replayed' ELSE verdict END AS verdict FROM verdict),
  ${revokeGrantCtes(`SELECT parent.grant_id FROM parent, outcome WHERE outcome.verdict = 'subject_token_stolen'`, { reason: `'refresh_token_stolen'`, source: 'token_theft', eventId: '$26::uuid' })},
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address)
    SELECT $1, $2, CASE WHEN verdict = 'issue' THEN 'id_jag_issued' ELSE 'id_jag_refused' END, $4, parent.subject_id, $5, parent.connection_id,
      parent.grant_id, $19, NULLIF(verdict, 'issue'), $20::jsonb || jsonb_strip_nulls(jsonb_build_object('why', parent.grant_refusal,
        'grantRevoked', CASE WHEN verdict = 'subject_token_stolen' THEN EXISTS (SELECT 1 FROM killed) END)), $24, $25
    FROM outcome, parent WHERE outcome.verdict <> 'decide_again' AND ($27::boolean OR EXISTS (SELECT 1 FROM killed)) RETURNING 1)
  SELECT caller.is_current, outcome.verdict, EXISTS (SELECT 1 FROM audited) AS is_told, parent.*,
    ${personOfParent(`outcome.verdict IN ('decide_again', 'issue')`)}, ${notified}
  FROM caller LEFT JOIN (parent CROSS JOIN outcome) ON true`,
})

/** `refusal`: what policy said; `undefined`: it may. */
export type IdJagDecided = DecidedOnParent & { readonly refusal: ExchangeDenial | undefined }

export type IssueIdJag = {
  readonly tenantId: TenantId
  readonly caller: Caller
  /** `undefined`: no proof of a key was sent. */
  readonly provenKey: ProvenKey | undefined
  /** A refresh token by its hash, or what an ID token says whose signature has held. */
  readonly subject: { readonly refreshTokenHash: CredentialHash } | { readonly grantId: string; readonly epochs: Epochs }
  readonly decided: IdJagDecided | undefined
  /** It has been counted that this is asked: the trail may have a line of it. Once it is `decided`, it has. */
  readonly isCounted: boolean
  /** Of the end of the grant, where the token was stolen. */
  readonly eventId: string
  readonly now: Instant
  readonly asked: Asked
}

type IdJagRefusal =
  | ExchangeDenial
  | 'subject_token_unknown'
  | 'subject_token_dead'
  | 'subject_token_stolen'
  | 'subject_token_of_no_person'
  | 'subject_token_of_other_client'
  | 'subject_token_of_other_key'
  | 'dpop_proof_replayed'
export type IdJagIssued =
  | { readonly kind: 'issued'; readonly grant: ParentGrant }
  | { readonly kind: 'decide_again'; readonly grant: ParentGrant }
  | { readonly kind: 'client_changed' }
  | { readonly kind: 'refused'; readonly reason: IdJagRefusal; readonly why: string | undefined }
  /** It is refused, and the trail was told nothing: count it, and ask again, so that it is. */
  | { readonly kind: 'refused_untold'; readonly reason: IdJagRefusal; readonly why: string | undefined; readonly grantId: string }

type Row = ParentGrant & {
  readonly is_current: boolean
  readonly is_told: boolean
  readonly verdict: IdJagRefusal | 'decide_again' | 'issue' | null
}

/** Says whether it may be issued, and writes the trail; a stolen refresh token revokes its grant. `client_changed`, `decide_again` and `refused_untold` have changed nothing. */
export async function issueIdJag(hot: HotDb, issue: IssueIdJag): Promise<IdJagIssued> {
  const { caller, subject, decided, asked, provenKey } = issue
  const ofIdToken = 'grantId' in subject ? subject : undefined
  const { rows } = await hot.query<Row>(issueStatement, [
    ...[issue.tenantId, toTimestamp(issue.now), ofIdToken?.grantId ?? null, caller.issuerId, caller.clientId, caller.clientVersion],
    'refreshTokenHash' in subject ? subject.refreshTokenHash : null,
    ...[...epochParameters(ofIdToken?.epochs), ...groundParameters(decided), decided?.refusal ?? null],
    ...[decided?.scopes ?? [], JSON.stringify(decided?.detail ?? {}), provenKey?.thumbprint ?? null],
    ...[...proofParameters(provenKey), asked.requestId, asked.address, issue.eventId, issue.isCounted],
  ])
  const row = rows[0]
  if (!row?.is_current) return { kind: 'client_changed' }
  if (row.verdict === null) return { kind: 'refused', reason: 'subject_token_unknown', why: undefined }
  if (row.verdict === 'issue') return { kind: 'issued', grant: row }
  if (row.verdict === 'decide_again') return { kind: 'decide_again', grant: row }
  const refused = { reason: row.verdict, why: row.grant_refusal ?? undefined }
  return row.is_told ? { kind: 'refused', ...refused } : { kind: 'refused_untold', ...refused, grantId: row.grant_id }
}
