/** Grants that a client holds in its own name: opened and audited by one statement, for one access token each. */
import type { Instant } from '@drawbridge/core/instant'
import type { Caller } from '@drawbridge/core/oauth/caller'
import type { ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import type { Ceiling, WonCeilings } from '@drawbridge/core/policy/decision'
import type { GrantId, ResourceId, ResourceIdentifier, Scope, TenantId } from '@drawbridge/core/tenant/ids'
import type { Asked, GrantStateRow } from './grants.js'
import { believedCte, proofParameters } from './replays.js'
import { type HotDb, hotStatement, toTimestamp } from './transaction.js'

/**
 * Of a client that has it of its tenant: whoever takes that away waits for what is being opened by it, and whoever was about to open it is told. Before `state`,
 * which holds the client: whoever changes what one may have takes these two in this order, too.
 */
const held = 'held AS MATERIALIZED (SELECT hold_machine_access($1, $4, $5, $13) AS holds),'

/**
 * `state` is empty unless the client is still the version that was authenticated and decided on: neither blocked nor below a new barrier
 * since then. That version and the configuration's are all that the decision depends on. It is held for the reason for which `caller` holds it.
 */
function openText(isAtFront: boolean): string {
  const proof = believedCte({ first: 18, issuer: '$4', when: 'SELECT 1 FROM state WHERE verdict IS NULL' })
  return `WITH ${isAtFront ? held : ''}
  state AS (
    SELECT t.epoch AS tenant_now, cl.epoch AS client_now, t.configuration_version, GREATEST(t.barrier_at, cl.barrier_at) AS barrier_at,
      CASE
        WHEN t.suspended_at IS NOT NULL THEN 'tenant_suspended'
        WHEN t.configuration_version <> $14 THEN 'decide_again'
      END AS verdict
    FROM tenants t JOIN clients cl ON cl.tenant_id = $1 AND cl.issuer_id = $4 AND cl.client_id = $5 AND cl.version = $13 ${isAtFront ? 'JOIN held ON held.holds' : ''} WHERE t.id = $1
    FOR KEY SHARE OF cl),
  ${proof.cte},
  outcome AS (SELECT CASE WHEN verdict IS NULL AND NOT ${proof.holds} THEN 'dpop_proof_replayed' ELSE verdict END AS verdict FROM state),
  opened AS (
    INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch,
      policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at)
    SELECT $1, $3, $4, $5, $6, $7, $8, $9, state.tenant_now, state.client_now, $15, '{}', $10, $11, $12, $2 FROM state, outcome WHERE outcome.verdict IS NULL
    RETURNING id, audience, scopes, epoch, client_id, expires_at, access_token_ttl_seconds),
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, client_id, grant_id, scopes, reason, detail, request_id, address)
    SELECT $1, $2, CASE WHEN verdict IS NULL THEN 'client_token_issued' ELSE 'client_token_refused' END, $4, $5,
      CASE WHEN verdict IS NULL THEN $3::uuid END, $9, verdict, CASE WHEN verdict IS NULL THEN jsonb_build_object('ceilings', $12::jsonb) ELSE '{}' END, $16, $17 FROM outcome WHERE verdict IS NULL OR verdict <> 'decide_again')
  SELECT state.tenant_now, state.client_now, state.configuration_version, state.barrier_at, outcome.verdict, opened.id AS grant_id, opened.client_id, opened.audience, opened.scopes, opened.epoch AS grant_epoch,
    opened.expires_at AS grant_expires_at, opened.access_token_ttl_seconds, 0 AS connection_now, 0 AS subject_now, '{}'::text[] AS amr,
    '{}'::text[] AS own_methods, '{}'::text[] AS identity_scopes, NULL::text AS asked_acr, NULL::timestamptz AS own_proved_at
  FROM state CROSS JOIN outcome LEFT JOIN opened ON true`
}

const openStatement = hotStatement({ name: 'open_client_grant', tenantParameter: 1, text: openText(false) })
const openAtFrontStatement = hotStatement({ name: 'open_client_grant_at_front', tenantParameter: 1, text: openText(true) })

export type OpenClientGrant = {
  readonly tenantId: TenantId
  readonly grantId: GrantId
  readonly caller: Caller
  /** It acts at the front issuer, by what the tenant gave it. */
  readonly isAtFront: boolean
  readonly resource: { readonly tenantId: TenantId; readonly id: ResourceId; readonly identifier: ResourceIdentifier }
  readonly scopes: readonly Scope[]
  readonly accessTokenTtl: Ceiling
  readonly expiresAt: Instant
  /** `undefined`: no proof of a key was sent. */
  readonly provenKey: ProvenKey | undefined
  readonly decidedUnder: { readonly configurationVersion: number; readonly policyVersion: number }
  readonly now: Instant
  readonly asked: Asked
}

type ClientGrantRow = GrantStateRow & { readonly access_token_ttl_seconds: number; readonly grant_expires_at: Instant }

export type OpenedClientGrant =
  | { readonly kind: 'opened'; readonly grant: ClientGrantRow }
  | { readonly kind: 'decide_again'; readonly configurationVersion: number }
  | { readonly kind: 'client_changed' }
  | { readonly kind: 'refused'; readonly reason: 'tenant_suspended' | 'dpop_proof_replayed' }

/** Opens a grant of a client for itself, only if what it was decided under still holds; else nothing is written. */
export async function openClientGrant(hot: HotDb, open: OpenClientGrant): Promise<OpenedClientGrant> {
  const { caller, resource, decidedUnder, asked } = open
  const ceilings: WonCeilings = { accessToken: open.accessTokenTtl, refreshToken: null }
  const { rows } = await hot.query<ClientGrantRow & { verdict: 'tenant_suspended' | 'dpop_proof_replayed' | 'decide_again' | null }>(
    open.isAtFront ? openAtFrontStatement : openStatement,
    [
      ...[open.tenantId, toTimestamp(open.now), open.grantId, caller.issuerId, caller.clientId],
      ...[resource.tenantId, resource.id, resource.identifier],
      ...[open.scopes, open.accessTokenTtl.seconds, toTimestamp(open.expiresAt), JSON.stringify(ceilings)],
      ...[caller.clientVersion, decidedUnder.configurationVersion, decidedUnder.policyVersion, asked.requestId, asked.address],
      ...proofParameters(open.provenKey),
    ],
  )
  const row = rows[0]
  if (!row) return { kind: 'client_changed' }
  if (row.verdict === null) return { kind: 'opened', grant: row }
  if (row.verdict === 'decide_again') return { kind: 'decide_again', configurationVersion: row.configuration_version }
  return { kind: 'refused', reason: row.verdict }
}
