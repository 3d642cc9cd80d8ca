/**
 * Token exchange: a grant is opened from another one, for another client and resource, by one statement.
 *
 * The first run carries no decision: it judges the token and tells what policy needs to decide. The second opens the grant only if configuration,
 * claims, directory, factors and the grant that it comes from are what was decided on; else the caller decides again.
 *
 * Whoever kills the old grant meanwhile kills the new one: it carries the epoch that the old one had when this statement saw it, and is compared with
 * what it has by whoever looks (`grants.hasDeadAncestor`). Whoever takes a permission away waits for what is being opened by it.
 *
 * Whether the token is worth anything, only the row says: a run that has not been counted tells what to count and has the trail told of nothing, so that
 * whoever has a dead token of hers neither uses up what may be asked for her nor writes the trail, which is kept for ever, as often as he likes.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Ancestor } from '@drawbridge/core/oauth/actor'
import type { Caller } from '@drawbridge/core/oauth/caller'
import type { ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import { exchangeLimits } from '@drawbridge/core/oauth/exchange-permission'
import type { ExchangeDenial } from '@drawbridge/core/oauth/token-exchange'
import type { WonCeilings } from '@drawbridge/core/policy/decision'
import type { Epochs } from '@drawbridge/core/revocation/epochs'
import type { GrantId, ResourceId, ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import { callerCte } from './caller.js'
import { type Asked, type GrantStateRow, grantStateColumns, grantStateJoins } from './grants.js'
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

const proof = believedCte({ first: 30, issuer: '$4', when: 'SELECT 1 FROM held WHERE holds' })

const exchangeStatement = hotStatement({
  name: 'exchange_token',
  tenantParameter: 1,
  readsElsewhere: { resource_issuers: 'the resource may be one of the vendor’s that this issuer may mint for' },
  text: `WITH ${callerCte({ issuer: '$4', client: '$5', version: '$6', opens: true })},
  parent AS (
    SELECT ${grantStateColumns}, g.ancestors, g.ancestor_epochs, g.expires_at,
      CASE WHEN g.ancestors = '{}' THEN g.created_at ELSE (SELECT first.created_at FROM grants first
        WHERE first.tenant_id = $1 AND first.id = g.ancestors[cardinality(g.ancestors)]) END AS given_at, s.factors_reset_at, s.deactivates_at
    FROM caller JOIN grants g ON g.tenant_id = $1 AND g.id = $3 AND g.issuer_id = $4 ${grantStateJoins} WHERE caller.is_current),
  actor AS (SELECT epoch, barrier_at FROM clients WHERE tenant_id = $1 AND issuer_id = $4 AND client_id = $5),
  verdict AS (
    SELECT CASE
      WHEN parent.audience <> $7 OR parent.client_id <> $8 THEN 'subject_token_unknown'
      WHEN parent.subject_id IS NULL OR parent.subject_id::text <> $9 THEN 'subject_token_of_no_person'
      WHEN parent.grant_refusal IS NOT NULL THEN 'subject_token_dead'
      WHEN ${isBelowParent(10)} THEN 'subject_token_dead'
      WHEN cardinality(parent.ancestors) >= ${exchangeLimits.actors} THEN 'exchange_chain_too_long'
      WHEN ${isDecidedOnOther(19)} OR NOT $25::text[] <@ parent.scopes THEN 'decide_again'
      WHEN NOT EXISTS (SELECT 1 FROM resource_issuers minter WHERE minter.tenant_id = $16 AND minter.resource_id = $17
        AND minter.issuer_tenant_id = $1 AND minter.issuer_id = $4) THEN 'exchange_not_allowed'
      ELSE COALESCE($24::text, 'open')
    END AS verdict FROM parent),
  held AS MATERIALIZED (SELECT hold_exchange_permissions($1, $19::int) AS holds FROM verdict WHERE verdict = 'open'),
  ${proof.cte},
  outcome AS (
    SELECT CASE WHEN verdict = 'open' AND NOT (SELECT holds FROM held) THEN 'decide_again'
      WHEN verdict = 'open' AND NOT ${proof.holds} THEN 'dpop_proof_replayed' ELSE verdict END AS verdict FROM verdict),
  opened AS (
    INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, subject_id, connection_id, session_id, scopes,
      tenant_epoch, client_epoch, connection_epoch, subject_epoch, policy_version, claims_version, directory_version, acr, asked_acr, amr, authenticated_at,
      own_methods, own_proved_at, access_token_ttl_seconds, expires_at, ceilings, created_at, ancestors, ancestor_epochs)
    SELECT $1, $15, $4, $5, $16, $17, $18, parent.subject_id, parent.connection_id, parent.session_id, $25, parent.tenant_now, actor.epoch,
      parent.connection_now, parent.subject_now, parent.policy_now, parent.claims_now, parent.directory_now, parent.acr, parent.asked_acr, parent.amr,
      parent.authenticated_at, parent.own_methods, parent.own_proved_at, $26, LEAST($27::timestamptz, parent.expires_at), $28, $2,
      parent.grant_id || parent.ancestors, parent.grant_epoch || parent.ancestor_epochs
    FROM parent, actor, outcome WHERE outcome.verdict = 'open'
    RETURNING id, scopes, epoch, audience, expires_at),
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address)
    SELECT $1, $2, CASE WHEN verdict = 'open' THEN 'token_exchanged' ELSE 'token_exchange_refused' END, $4, parent.subject_id, $5, parent.connection_id,
      (SELECT id FROM opened), $25, NULLIF(verdict, 'open'),
      $29::jsonb || jsonb_build_object('from', parent.grant_id, 'issuedTo', parent.client_id) || jsonb_strip_nulls(jsonb_build_object('why', parent.grant_refusal)),
      $32, $33 FROM outcome, parent WHERE outcome.verdict <> 'decide_again' AND $34::boolean RETURNING 1)
  SELECT caller.is_current, outcome.verdict, EXISTS (SELECT 1 FROM audited) AS is_told, parent.*, actor.barrier_at AS actor_barrier_at, actor.epoch AS actor_epoch, opened.id AS opened_id, opened.scopes AS opened_scopes,
    opened.epoch AS opened_epoch, opened.audience AS opened_audience, opened.expires_at AS opened_expires_at,
    ${personOfParent()},
    CASE WHEN opened.id IS NOT NULL THEN (SELECT jsonb_agg(jsonb_build_object('grantId', old.id, 'clientId', old.client_id, 'grantEpoch', a.epoch,
        'clientEpoch', old.client_epoch) ORDER BY a.n)
      FROM unnest(parent.grant_id || parent.ancestors, parent.grant_epoch || parent.ancestor_epochs) WITH ORDINALITY AS a (id, epoch, n)
      JOIN LATERAL (SELECT grants.* FROM grants WHERE grants.tenant_id = $1 AND grants.id = a.id OFFSET 0) old ON true) END AS lineage
  FROM caller LEFT JOIN (parent CROSS JOIN outcome CROSS JOIN actor LEFT JOIN opened ON true) ON true`,
})

export type ExchangeDecided = DecidedOnParent & {
  readonly resource: { readonly tenantId: TenantId; readonly id: ResourceId; readonly identifier: ResourceIdentifier }
  readonly verdict:
    | {
        readonly kind: 'allow'
        readonly grantId: GrantId
        readonly accessTokenSeconds: number
        readonly expiresAt: Instant
        readonly ceilings: WonCeilings
      }
    | { readonly kind: 'refuse'; readonly reason: ExchangeDenial }
}

export type ExchangeToken = {
  readonly tenantId: TenantId
  readonly caller: Caller
  /** `undefined`: no proof of a key was sent. */
  readonly provenKey: ProvenKey | undefined
  /** What the subject token says, whose signature has held. */
  readonly subject: {
    readonly grantId: string
    readonly audience: string
    readonly clientId: string
    readonly sub: string
    readonly epochs: Epochs
  }
  readonly decided: ExchangeDecided | undefined
  /** It has been counted that this is asked: the trail may have a line of it. Once it is `decided`, it has. */
  readonly isCounted: boolean
  readonly now: Instant
  readonly asked: Asked
}

/** A grant as it is looked at when another is opened from it, with when the grant was opened that the person gave herself. */
export type ExchangedGrant = ParentGrant & { readonly given_at: Instant }

export type TokenExchanged =
  | { readonly kind: 'opened'; readonly grant: GrantStateRow; readonly expiresAt: Instant; readonly ancestors: readonly Ancestor[] }
  | { readonly kind: 'decide_again'; readonly grant: ExchangedGrant }
  | { readonly kind: 'client_changed' }
  | { readonly kind: 'refused'; readonly reason: ExchangeRefusal; readonly why: string | undefined }
  /** It is refused, and the trail was told nothing: count it, and ask again, so that it is. */
  | { readonly kind: 'refused_untold'; readonly reason: ExchangeRefusal; readonly why: string | undefined; readonly grantId: string }
type ExchangeRefusal =
  | ExchangeDenial
  | 'subject_token_unknown'
  | 'subject_token_dead'
  | 'subject_token_of_no_person'
  | 'exchange_chain_too_long'
  | 'exchange_not_allowed'
  | 'dpop_proof_replayed'

type Row = ExchangedGrant & {
  readonly is_current: boolean
  readonly is_told: boolean
  readonly verdict: ExchangeRefusal | 'decide_again' | 'open' | null
  readonly actor_epoch: number
  readonly actor_barrier_at: Instant | null
  readonly opened_id: string
  readonly opened_scopes: readonly string[]
  readonly opened_epoch: number
  readonly opened_audience: string
  readonly opened_expires_at: Instant
  readonly lineage: readonly Ancestor[]
}

/** Opens a grant from the one behind a token, or says why not. `client_changed`, `decide_again` and `refused_untold` have changed nothing. */
export async function exchangeToken(hot: HotDb, exchange: ExchangeToken): Promise<TokenExchanged> {
  const { caller, subject, decided, asked } = exchange
  const resource = decided?.resource
  const allowed = decided?.verdict.kind === 'allow' ? decided.verdict : undefined
  const { rows } = await hot.query<Row>(exchangeStatement, [
    ...[exchange.tenantId, toTimestamp(exchange.now), subject.grantId, caller.issuerId, caller.clientId, caller.clientVersion],
    ...[subject.audience, subject.clientId, subject.sub],
    ...[...epochParameters(subject.epochs), allowed?.grantId ?? null],
    ...[resource?.tenantId ?? null, resource?.id ?? null, resource?.identifier ?? null],
    ...groundParameters(decided),
    ...[decided?.verdict.kind === 'refuse' ? decided.verdict.reason : null, decided?.scopes ?? []],
    ...[allowed?.accessTokenSeconds ?? null, allowed === undefined ? null : toTimestamp(allowed.expiresAt)],
    ...[allowed === undefined ? null : JSON.stringify(allowed.ceilings), JSON.stringify(decided?.detail ?? {})],
    ...[...proofParameters(exchange.provenKey), asked.requestId, asked.address, exchange.isCounted],
  ])
  const row = rows[0]
  if (!row?.is_current) return { kind: 'client_changed' }
  if (row.verdict === null) return { kind: 'refused', reason: 'subject_token_unknown', why: undefined }
  if (row.verdict === 'decide_again') return { kind: 'decide_again', grant: row }
  if (row.verdict !== 'open') {
    const refused = { reason: row.verdict, why: row.grant_refusal ?? undefined }
    return row.is_told ? { kind: 'refused', ...refused } : { kind: 'refused_untold', ...refused, grantId: row.grant_id }
  }
  return { kind: 'opened', grant: openedOf(row, caller), expiresAt: row.opened_expires_at, ancestors: row.lineage }
}

/** The new grant: another client and resource, and for the rest what the old one was opened on. */
const openedOf = (row: Row, { clientId }: Caller): GrantStateRow => ({
  ...row,
  grant_id: row.opened_id,
  grant_epoch: row.opened_epoch,
  client_id: clientId,
  client_now: row.actor_epoch,
  audience: row.opened_audience,
  scopes: row.opened_scopes,
  identity_scopes: [],
  barrier_at: laterOf(row.barrier_at, row.actor_barrier_at),
})

const laterOf = (one: Instant | null, other: Instant | null): Instant | null =>
  one === null || (other !== null && other > one) ? other : one
