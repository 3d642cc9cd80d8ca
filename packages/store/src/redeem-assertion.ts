/**
 * The statement that redeems an assertion: at most one caller wins a `jti`, and a grant is opened only for somebody whom a login would let in.
 *
 * Whether she may come in is judged by the very words that judge a login (`complete-login-statement`): her connection is the trust itself, or the
 * login connection whose people the trust speaks of (`peopleConnectionId`). The `ground` comes first and consumes nothing: where the configuration,
 * her directory or her factors are not what was decided on, the caller decides again and brings the same assertion. From the `trip` on the
 * assertion is used up, whatever comes of it.
 *
 * `refusal`: policy said no. Then nobody new is made a subject and no invitation is used, but what the assertion says of somebody who is known
 * counts as of any login: who says less than before may have lost something (docs/adr/0057). Only a trust with people of its own makes newcomers, links
 * them and says anything of their claims; those of a login connection are found there, and are what its logins say (docs/adr/0039): policy decides on that.
 *
 * The grant hangs on the trust and carries its epoch. What ends a login connection ends the trusts that speak of its people in the same
 * transaction (`deprovisioning`), so that a grant which is opened meanwhile is born below the barrier.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Caller } from '@drawbridge/core/oauth/caller'
import type { ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import type { TokenErrorReason } from '@drawbridge/core/oauth/token-error'
import type { WonCeilings } from '@drawbridge/core/policy/decision'
import { settleDirectoryEntry } from '@drawbridge/core/revocation/settled-grants'
import type { ConnectionId, GrantId, ResourceId, ResourceIdentifier, Scope, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { callerCte } from './caller.js'
import { judgementParameters, type LoginToJudge, type Outcome } from './complete-login.js'
import { areClaimsRaised, claimsRaisedWhere, judgementOf, presentLinkKey, readsDomainsElsewhere, said } from './complete-login-statement.js'
import { directorySays } from './directory.js'
import type { Asked, GrantStateRow } from './grants.js'
import { believedCte, proofParameters } from './replays.js'
import { type HotDb, hotStatement, toTimestamp } from './transaction.js'

const proof = believedCte({ first: 46, issuer: '$2', when: 'SELECT 1 FROM held WHERE in_directory AND in_signals AND is_as_presumed' })
const isHeld = `EXISTS (SELECT 1 FROM held WHERE in_directory AND in_signals AND is_as_presumed) AND ${proof.holds}`

const redeemStatement = hotStatement({
  name: 'redeem_assertion',
  tenantParameter: 1,
  readsElsewhere: {
    ...readsDomainsElsewhere,
    signing_keys: 'an assertion that a key of any issuer of this installation signed is refused; nothing of that tenant is told',
    resource_issuers: 'the resource may be one of the vendor’s that this issuer may mint for',
  },
  text: `WITH ${callerCte({ issuer: '$2', client: '$4', version: '$23', opens: true })},
  hers AS (
    SELECT id, claims, claims_version, factors_reset_at, deactivates_at FROM subjects WHERE tenant_id = $1 AND connection_id = $3 AND stable_id = $10),
  ground AS (
    SELECT t.epoch AS tenant_epoch, cl.epoch AS client_epoch, trust.epoch AS trust_epoch, trust.directory_version AS trust_directory_version,
      people.directory_version, decides.directory AS directory_decides,
      GREATEST(t.barrier_at, cl.barrier_at, trust.barrier_at, people.barrier_at) AS barrier_at,
      CASE
        WHEN t.suspended_at IS NOT NULL THEN 'tenant_suspended'
        WHEN t.configuration_version <> $24 THEN 'decide_again'
        WHEN trust.id IS NULL OR people.id IS NULL OR trust.disabled_at IS NOT NULL OR people.disabled_at IS NOT NULL THEN 'assertion_issuer_unknown'
        WHEN EXISTS (SELECT 1 FROM signing_keys WHERE id = ANY ($28::text[])) THEN 'assertion_of_this_installation'
        WHEN NOT EXISTS (SELECT 1 FROM resource_issuers minter WHERE minter.tenant_id = $29 AND minter.resource_id = $30
          AND minter.issuer_tenant_id = $1 AND minter.issuer_id = $2) THEN 'resource_not_of_grant'
        WHEN NOT $27 AND NOT EXISTS (SELECT 1 FROM hers) THEN 'person_unknown'
        WHEN (SELECT factors_reset_at FROM hers) IS DISTINCT FROM $26 THEN 'decide_again'
        WHEN decides.directory AND $25::int IS DISTINCT FROM people.directory_version THEN 'decide_again'
        WHEN (decides.directory OR NOT $27) AND $45::int IS DISTINCT FROM COALESCE((SELECT claims_version FROM hers), 0) THEN 'decide_again'
      END AS verdict
    FROM caller JOIN tenants t ON t.id = $1
      JOIN clients cl ON cl.tenant_id = $1 AND cl.issuer_id = $2 AND cl.client_id = $4
      LEFT JOIN connections trust ON trust.tenant_id = $1 AND trust.id = $22 AND trust.kind = 'assertion'
      LEFT JOIN connections people ON people.tenant_id = $1 AND people.id = $3
      CROSS JOIN LATERAL (SELECT directory_decides_groups(people.configuration, people.groups_since) OR directory_decides_claims(people.configuration)
        AS directory) decides
    WHERE caller.is_current),
  trip AS (SELECT ground.*, NULL::timestamptz AS demanded_at FROM ground WHERE verdict IS NULL),
  ${judgementOf({ moreBarriers: ', (SELECT barrier_at FROM connections WHERE tenant_id = $1 AND id = $22)', beganNth: 'NULL::bigint' })}, held AS MATERIALIZED (
    SELECT hold_directory($1, $3, scim_user_id, $11, $12, $10, $17) AS in_directory,
      hold_signals($1, $3, $10, $12, scim_user_id, $17, told.at, told.nth) AS in_signals,
      NOT directory_decides OR scim_user_id IS NOT DISTINCT FROM $44::uuid AS is_as_presumed, directory_end($1, scim_user_id) AS ends_at
    FROM verdict, told WHERE outcome = 'believed'
  ), ${proof.cte}, taken AS (
    UPDATE invitations i SET used_at = $6 FROM verdict WHERE i.tenant_id = $1 AND i.id = (SELECT id FROM invitation) AND i.used_at IS NULL
      AND i.revoked_at IS NULL AND ${isHeld} AND verdict.asks_invitation AND $41::text IS NULL RETURNING i.id
  ), changes AS (
    SELECT COALESCE(claim_changes, 'now') = 'now' AS is_now FROM tenants WHERE id = $1
  ), person AS (
    INSERT INTO subjects (tenant_id, id, connection_id, stable_id, scim_user_id, claims, email_key, link_value, link_key, claims_at, created_at, last_login_at, deactivates_at)
    SELECT $1, $19, $3, $10, scim_user_id, $20, $17, $12, ${presentLinkKey}, $6, $6, $6, (SELECT ends_at FROM held) FROM verdict
    WHERE ${isHeld} AND (NOT asks_invitation OR EXISTS (SELECT 1 FROM taken)) AND ($41::text IS NULL OR EXISTS (SELECT 1 FROM known))
    ON CONFLICT (tenant_id, connection_id, stable_id) DO UPDATE SET
      claims = CASE WHEN $27 THEN EXCLUDED.claims ELSE subjects.claims END,
      email_key = CASE WHEN $27 THEN EXCLUDED.email_key ELSE subjects.email_key END,
      link_value = CASE WHEN $27 THEN COALESCE(EXCLUDED.link_value, subjects.link_value) ELSE subjects.link_value END,
      link_key = CASE WHEN $27 AND EXCLUDED.link_value IS NOT NULL THEN EXCLUDED.link_key ELSE subjects.link_key END,
      claims_at = CASE WHEN $27 THEN EXCLUDED.claims_at ELSE subjects.claims_at END, last_login_at = EXCLUDED.last_login_at,
      ${claimsRaisedWhere(`$27 AND ${said('subjects.claims')} <> ${said('EXCLUDED.claims')}`)},
      scim_user_id = COALESCE(subjects.scim_user_id, CASE WHEN $27 THEN EXCLUDED.scim_user_id END), deactivates_at = COALESCE(EXCLUDED.deactivates_at, subjects.deactivates_at)
    WHERE subjects.epoch = COALESCE((SELECT epoch FROM known), 1) AND subjects.deactivated_at IS NULL
      AND (subjects.deactivates_at <= $6) IS NOT TRUE
      AND ($27 AND NOT (SELECT directory_decides FROM verdict) OR subjects.claims_version = (SELECT claims_version FROM hers))
    RETURNING id, epoch, claims_version, claims_barrier, deactivates_at, barrier_at
  ), queued AS (
    INSERT INTO outbox (tenant_id, kind, payload, created_at)
    SELECT $1, '${settleDirectoryEntry}', jsonb_build_object('connection', $3::uuid, 'subjects', jsonb_build_array(person.id)), $6
    FROM person WHERE ${areClaimsRaised} RETURNING id
  ), opened AS (
    INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, subject_id, connection_id, scopes,
      tenant_epoch, client_epoch, connection_epoch, subject_epoch, policy_version, claims_version, directory_version, acr, amr, authenticated_at,
      access_token_ttl_seconds, expires_at, ceilings, created_at)
    SELECT $1, $21, $2, $4, $29, $30, $31, person.id, $22, $32, verdict.tenant_epoch, verdict.client_epoch, verdict.trust_epoch, person.epoch, $33,
      person.claims_version, verdict.trust_directory_version, $34, $35, $36, $37, LEAST($38::timestamptz, person.deactivates_at), $39, $6
    FROM verdict, person WHERE $41::text IS NULL
    RETURNING id, epoch, scopes, audience, expires_at, subject_epoch, acr, amr, authenticated_at
  ), final AS (
    SELECT verdict AS outcome FROM ground WHERE verdict IS NOT NULL
    UNION ALL
    SELECT CASE WHEN outcome <> 'believed' THEN outcome WHEN $41::text IS NOT NULL THEN $41
      WHEN EXISTS (SELECT 1 FROM opened) THEN 'believed'
      WHEN EXISTS (SELECT 1 FROM held WHERE in_directory AND in_signals AND is_as_presumed) AND NOT ${proof.holds} THEN 'dpop_proof_replayed'
      WHEN asks_invitation AND NOT EXISTS (SELECT 1 FROM taken) THEN 'not_invited'
      WHEN EXISTS (SELECT 1 FROM held WHERE in_directory AND in_signals AND NOT is_as_presumed) THEN 'decision_unsettled'
      ELSE 'evidence_below_barrier' END FROM verdict
  ), audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address)
    SELECT $1, $6, CASE WHEN outcome = 'believed' THEN 'assertion_redeemed' ELSE 'assertion_refused' END, $2,
      COALESCE((SELECT id FROM person), (SELECT id FROM hers)), $4, $22, (SELECT id FROM opened), $32, NULLIF(outcome, 'believed'),
      $40::jsonb || jsonb_strip_nulls(jsonb_build_object('invitation', (SELECT id FROM taken))), $42, $43
    FROM final WHERE outcome <> 'decide_again'
  )
  SELECT caller.is_current, final.outcome, t.configuration_version, opened.id AS grant_id, opened.scopes, opened.epoch AS grant_epoch,
    ground.tenant_epoch AS tenant_now, ground.client_epoch AS client_now, ground.trust_epoch AS connection_now, opened.subject_epoch AS subject_now,
    $4 AS client_id, person.id AS subject_id, $22::uuid AS connection_id, NULL::uuid AS session_id, opened.audience,
    '{}'::text[] AS identity_scopes, NULL::text AS asked_acr, GREATEST(ground.barrier_at, person.barrier_at) AS barrier_at,
    opened.acr, opened.amr, opened.authenticated_at, '{}'::text[] AS own_methods, NULL::timestamptz AS own_proved_at, opened.expires_at,
    CASE WHEN final.outcome = 'decide_again' AND ground.directory_decides
      THEN ${directorySays({ connection: '$3::uuid', user: 'directory.scim_user_id' })} END AS directory_says,
    CASE WHEN final.outcome = 'decide_again' AND NOT $27 THEN (SELECT claims FROM hers) END AS her_claims,
    ground.directory_decides, ground.directory_version, directory.scim_user_id, COALESCE((SELECT claims_version FROM hers), 0) AS claims_version,
    (SELECT factors_reset_at FROM hers) AS factors_reset_at,
    (SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM queued) AS woken
  FROM tenants t CROSS JOIN caller CROSS JOIN directory LEFT JOIN ground ON true LEFT JOIN final ON true LEFT JOIN opened ON true LEFT JOIN person ON true
  WHERE t.id = $1`,
})

/** What is known of her beside the assertion, where anything of it was asked for: what the decision was made on. */
export type PresumedPerson = {
  /** What her directory says; `undefined`: it was not asked, because it decides nothing. */
  readonly directory: { readonly says: unknown; readonly version: number; readonly scimUserId: string | undefined } | undefined
  /** What her logins say of her, where she is of a login connection; `undefined`: the assertion itself says it. */
  readonly claims: unknown
  readonly claimsVersion: number
  readonly factorsResetAt: Instant | undefined
}

export type RedeemAssertion = {
  readonly caller: Caller
  /** `undefined`: no proof of a key was sent. */
  readonly provenKey: ProvenKey | undefined
  readonly trustId: ConnectionId
  /** As of a login that has come home, at the connection whose people are meant: the trust itself, or a login connection. */
  readonly evidence: Omit<LoginToJudge, 'id' | 'browserHash'>
  readonly authenticatedAt: Instant | undefined
  /** RFC 7638 thumbprints of the keys that may have signed it: none of ours. */
  readonly signedBy: readonly string[]
  readonly subject: { readonly id: SubjectId; readonly claims: unknown }
  readonly resource: { readonly tenantId: TenantId; readonly id: ResourceId; readonly identifier: ResourceIdentifier }
  readonly authentication: { readonly acr: string | undefined; readonly amr: readonly string[] }
  readonly decision:
    | {
        readonly kind: 'allow'
        readonly grantId: GrantId
        readonly scopes: readonly Scope[]
        readonly accessTokenSeconds: number
        readonly expiresAt: Instant
        readonly ceilings: WonCeilings
      }
    | { readonly kind: 'refuse'; readonly reason: PolicyRefusal; readonly scopes: readonly Scope[] }
  readonly decidedOn: { readonly configurationVersion: number; readonly policyVersion: number; readonly person: PresumedPerson | undefined }
  /** For the audit trail: the explanation of the decision. Holds no claim values. */
  readonly detail: Readonly<Record<string, unknown>>
  readonly asked: Asked
}

type PolicyRefusal = Extract<
  TokenErrorReason,
  'assertion_authentication_insufficient' | 'assertion_policy_denies' | 'assertion_consent_needed'
>
type GroundRefusal =
  | 'dpop_proof_replayed'
  | 'tenant_suspended'
  | 'assertion_issuer_unknown'
  | 'assertion_of_this_installation'
  | 'resource_not_of_grant'

/** `why`: what the audit trail tells apart, and the client need not. */
export type AssertionRedemption =
  | { readonly kind: 'redeemed'; readonly grant: GrantStateRow; readonly expiresAt: Instant }
  | { readonly kind: 'decide_again'; readonly configurationVersion: number; readonly person: PresumedPerson }
  | { readonly kind: 'client_changed' }
  | { readonly kind: 'refused'; readonly reason: TokenErrorReason; readonly why: string }

type LoginOutcome = Exclude<Outcome, 'believed'>
type Row = GrantStateRow & {
  readonly is_current: boolean
  readonly outcome:
    | 'believed'
    | 'decide_again'
    | 'decision_unsettled'
    | 'person_unknown'
    | GroundRefusal
    | PolicyRefusal
    | LoginOutcome
    | null
  readonly expires_at: Instant
  readonly directory_says: unknown
  readonly her_claims: unknown
  readonly directory_decides: boolean
  readonly directory_version: number
  readonly scim_user_id: string | null
  readonly claims_version: number
  readonly factors_reset_at: Instant | null
}

/** What the client is told of whom no login would let in. */
const reasonOf: Readonly<Partial<Record<LoginOutcome, TokenErrorReason>>> = {
  login_replayed: 'assertion_replayed',
  evidence_below_barrier: 'assertion_below_barrier',
  fresh_login_required: 'assertion_authentication_insufficient',
  login_not_fresh: 'assertion_authentication_insufficient',
}

const uniqueLink = 'subjects_tenant_id_scim_user_id_key'

/** Of any number of callers with the same assertion at most one gets a grant, where its trust wants each redeemed once. */
export async function redeemAssertion(hot: HotDb, tenant: TenantId, redeem: RedeemAssertion): Promise<AssertionRedemption> {
  const row = await redeemOnce(hot, parametersOf(tenant, redeem))
  if (!row?.is_current || row.outcome === null) return { kind: 'client_changed' }
  const { outcome } = row
  if (outcome === 'believed') return { kind: 'redeemed', grant: row, expiresAt: row.expires_at }
  if (outcome === 'decide_again') return { kind: 'decide_again', configurationVersion: row.configuration_version, person: toPerson(row) }
  return { kind: 'refused', reason: toReason(outcome), why: outcome }
}

function toReason(outcome: Exclude<Row['outcome'], 'believed' | 'decide_again' | null>): TokenErrorReason {
  switch (outcome) {
    case 'decision_unsettled':
    case 'dpop_proof_replayed':
    case 'tenant_suspended':
    case 'assertion_issuer_unknown':
    case 'assertion_of_this_installation':
    case 'resource_not_of_grant':
    case 'assertion_authentication_insufficient':
    case 'assertion_policy_denies':
    case 'assertion_consent_needed':
      return outcome
    case 'person_unknown':
      return 'assertion_subject_refused'
    default:
      return reasonOf[outcome] ?? 'assertion_subject_refused'
  }
}

const toPerson = (row: Row): PresumedPerson => ({
  directory: row.directory_decides
    ? { says: row.directory_says, version: row.directory_version, scimUserId: row.scim_user_id ?? undefined }
    : undefined,
  claims: row.her_claims ?? undefined,
  claimsVersion: row.claims_version,
  factorsResetAt: row.factors_reset_at ?? undefined,
})

/** As for a login: of two people whom the directory knows as one, who arrive in the same moment, one is thrown out, and then refused. */
async function redeemOnce(hot: HotDb, parameters: readonly unknown[]): Promise<Row | undefined> {
  try {
    return (await hot.query<Row>(redeemStatement, parameters)).rows[0]
  } catch (error) {
    if ((error as { constraint?: unknown }).constraint !== uniqueLink) throw error
    return (await hot.query<Row>(redeemStatement, parameters)).rows[0]
  }
}

function parametersOf(tenant: TenantId, redeem: RedeemAssertion): readonly unknown[] {
  const { caller, evidence, decision, decidedOn, resource, asked } = redeem
  const judged = judgementParameters(tenant, { ...evidence, id: caller.issuerId as never, browserHash: caller.clientId as never })
  const allowed = decision.kind === 'allow' ? decision : undefined
  const { person } = decidedOn
  return [
    ...judged,
    ...[redeem.subject.id, JSON.stringify(redeem.subject.claims), allowed?.grantId, redeem.trustId, caller.clientVersion],
    ...[decidedOn.configurationVersion, person?.directory?.version, person?.factorsResetAt && toTimestamp(person.factorsResetAt)],
    ...[evidence.connectionId === redeem.trustId, redeem.signedBy, resource.tenantId, resource.id, resource.identifier, decision.scopes],
    ...[decidedOn.policyVersion, redeem.authentication.acr, redeem.authentication.amr],
    redeem.authenticatedAt && toTimestamp(redeem.authenticatedAt),
    ...[allowed?.accessTokenSeconds, allowed && toTimestamp(allowed.expiresAt), allowed && JSON.stringify(allowed.ceilings)],
    ...[JSON.stringify(redeem.detail), decision.kind === 'refuse' ? decision.reason : undefined, asked.requestId, asked.address],
    ...[person?.directory?.scimUserId, person?.claimsVersion, ...proofParameters(redeem.provenKey)],
  ]
}
