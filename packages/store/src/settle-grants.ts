/**
 * Decides live grants again that were decided under a policy below the tenant's barrier, or on words of the directory below the barrier of their
 * person or connection, and writes what is left of them.
 *
 * Whoever meets such a grant comes through here first: the worker's sweep, a refresh, a redemption, an introspection. The row is locked while
 * it is decided, so each is settled once, by whoever is first; the others then find it above the barrier. It only ever loses. Whatever was
 * issued before of a grant that lost something dies by the grant's epoch, in the same statement, and guards are told.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { machineAccessFromJson } from '@drawbridge/core/oauth/machine-access'
import type { GrantEvidence, Redecided, Settlement } from '@drawbridge/core/oauth/redecide-grant'
import { type SettlingCause, tellSettledEntry } from '@drawbridge/core/revocation/settled-grants'
import type { ClientId, Scope, TenantId } from '@drawbridge/core/tenant/ids'
import { directorySays } from './directory.js'
import { type GrantEvidenceRow, grantEvidenceColumns, isUnsettled, mayBeHeld } from './grants.js'
import { evidenceOf, lesserCeilings } from './redecision.js'
import { type Db, toTimestamp } from './transaction.js'

/** Grants of one transaction: few enough that whoever waits for one of them hardly notices. */
export const settledAtOnce = 100

/** `after`: the next ones by id, passing over those that somebody else holds. `grantId`: this one, waiting for it. */
export type WhichGrants =
  | { readonly after: string | undefined; readonly waits: boolean; readonly of?: GrantsOfDirectory }
  | { readonly grantId: string }
/** Those of one connection, or of some of its people. Absent: those that a policy left unsettled. */
export type GrantsOfDirectory = { readonly connection: string; readonly subjects: readonly string[] | undefined }

export type GrantToSettle = {
  readonly audience: string
  readonly client: Pick<Client, 'id' | 'kind' | 'redirectUris' | 'authMethod' | 'scopeCeiling' | 'accessTokenTtlSeconds' | 'machineAccess'>
  readonly evidence: GrantEvidence
}

export type Settling = {
  readonly which: WhichGrants
  /** What `decide` knows: if the tenant is configured otherwise by now, nothing is decided. */
  readonly configurationVersion: number
  readonly decide: (grant: GrantToSettle) => Settlement
  /** Asked after each decision: the rest is let go, for somebody else or for later. Absent: all of them are decided. */
  readonly isEnough?: () => boolean
  readonly now: Instant
  readonly requestId: string | undefined
}

export type SettledGrants =
  | { readonly kind: 'configuration_changed'; readonly configurationVersion: number }
  /** `last`: the id of the last one; absent: there was none. */
  | { readonly kind: 'settled'; readonly lookedAt: number; readonly last: string | undefined }

type Row = GrantEvidenceRow & {
  readonly id: string
  readonly audience: string
  readonly subject_id: string | null
  readonly subject_claims: unknown
  readonly session_started_at: Instant | null
  readonly deactivates_at: Instant | null
  readonly factors_reset_at: Instant | null
  readonly claims_now: number
  readonly policy_now: number
  readonly policy_barrier: number
  readonly directory_says: unknown
  readonly directory_now: number
  readonly is_of_policy: boolean
  /** When the word of the directory was accepted that left it unsettled. */
  readonly told_at: Instant | null
  readonly configuration_version: number
  readonly client_id: ClientId
  readonly kind: Client['kind']
  readonly redirect_uris: readonly string[]
  readonly auth_method: Client['authMethod']
  readonly scope_ceiling: readonly Scope[]
  readonly client_seconds: number | null
  readonly machine_access: unknown
}

async function lockUnsettled(db: Db, tenant: TenantId, which: WhichGrants, now: Instant): Promise<readonly Row[]> {
  const isOne = 'grantId' in which
  const of = isOne ? undefined : which.of
  const { rows } = await db.query<Row>(
    `SELECT g.id, g.scopes, ${grantEvidenceColumns}, g.audience, g.subject_id, s.claims AS subject_claims, b.created_at AS session_started_at,
       s.deactivates_at, s.factors_reset_at, COALESCE(s.claims_version, 0) AS claims_now,
       CASE WHEN s.id IS NOT NULL THEN ${directorySays({ connection: 's.connection_id', user: 's.scim_user_id' })} END AS directory_says,
       COALESCE(cn.directory_version, 0) AS directory_now, g.policy_version < t.policy_barrier AS is_of_policy,
       GREATEST(s.claims_barrier_at, cn.directory_barrier_at) AS told_at, t.policy_version AS policy_now, t.policy_barrier, t.configuration_version,
       cl.client_id, cl.kind, cl.redirect_uris,
       cl.token_endpoint_auth_method AS auth_method, cl.scope_ceiling, cl.access_token_ttl_seconds AS client_seconds, cl.machine_access
     FROM grants g JOIN tenants t ON t.id = $1 JOIN clients cl ON cl.tenant_id = $1 AND cl.issuer_id = g.issuer_id AND cl.client_id = g.client_id
     LEFT JOIN subjects s ON s.tenant_id = $1 AND s.id = g.subject_id LEFT JOIN connections cn ON cn.tenant_id = $1 AND cn.id = g.connection_id LEFT JOIN browser_sessions b ON b.tenant_id = $1 AND b.id = g.session_id
     WHERE g.tenant_id = $1 AND ($3::uuid IS NULL OR g.id ${isOne ? '=' : '>'} $3) AND g.revoked_at IS NULL AND ${mayBeHeld('g', '$2')}
       AND ($5::uuid IS NULL OR $6::uuid[] IS NOT NULL OR g.connection_id = $5) AND ($6::uuid[] IS NULL OR g.subject_id = ANY ($6)) AND ${isUnsettled}
     ORDER BY g.id LIMIT $4 FOR UPDATE OF g ${isOne || which.waits ? '' : 'SKIP LOCKED'}`,
    [
      ...[tenant, toTimestamp(now), (isOne ? which.grantId : which.after) ?? null, isOne || which.waits ? 1 : settledAtOnce],
      ...[of?.connection ?? null, of?.subjects ?? null],
    ],
  )
  return rows
}

const toSettle = (row: Row): GrantToSettle => ({
  audience: row.audience,
  client: {
    id: row.client_id,
    kind: row.kind,
    redirectUris: row.redirect_uris,
    authMethod: row.auth_method,
    scopeCeiling: row.scope_ceiling,
    accessTokenTtlSeconds: row.client_seconds ?? undefined,
    machineAccess: machineAccessFromJson(row.machine_access),
  },
  evidence: evidenceOf({ ...row, subject_claims: row.subject_id === null ? undefined : row.subject_claims }),
})

/** A version of claims that no subject ever has: whoever refreshes must decide again. */
const noClaims = -1

const written = (row: Row, settlement: Settlement) => {
  const left: Partial<Redecided> = settlement.kind === 'decided' ? settlement.left : {}
  return {
    id: row.id,
    outcome: settlement.kind,
    policy_version: row.policy_now,
    claims_version: settlement.kind === 'deferred' ? noClaims : row.claims_now,
    directory_version: row.directory_now,
    cause: (row.is_of_policy ? 'policy' : 'directory') satisfies SettlingCause,
    told_at: row.is_of_policy || row.told_at === null ? null : toTimestamp(row.told_at),
    scopes: left.scopes ?? [],
    access_seconds: left.accessTokenTtlSeconds ?? null,
    refresh_seconds: left.refreshTtlSeconds ?? null,
    ends_at: left.expiresAt === undefined ? null : toTimestamp(left.expiresAt),
    refresh_ends_at: left.refreshEndsAt === undefined ? null : toTimestamp(left.refreshEndsAt),
    ceilings: left.ceilings ?? null,
  }
}

/** Settles a handful of grants, or one. Call it in a transaction of its own: it may have nothing else locked. */
export async function settleGrants(db: Db, tenant: TenantId, settling: Settling): Promise<SettledGrants> {
  const { which, configurationVersion, decide, isEnough, now, requestId } = settling
  const rows = await lockUnsettled(db, tenant, which, now)
  const [first] = rows
  if (first === undefined) return { kind: 'settled', lookedAt: 0, last: undefined }
  if (first.configuration_version > configurationVersion)
    return { kind: 'configuration_changed', configurationVersion: first.configuration_version }
  const settled: ReturnType<typeof written>[] = []
  for (const row of rows) {
    settled.push(written(row, decide(toSettle(row))))
    if (isEnough?.()) break
  }
  await db.query(writeStatement, [
    tenant,
    toTimestamp(now),
    JSON.stringify(settled),
    first.policy_barrier,
    first.policy_now,
    requestId ?? null,
  ])
  return { kind: 'settled', lookedAt: settled.length, last: settled.at(-1)?.id }
}

const because = `CASE v.cause WHEN 'policy' THEN format('version %s of the policy', $5::int) ELSE 'what the directory says now' END`

/**
 * `$3` the decisions, `$4` the barrier, `$5` the version they were made under. Life has shrunk when an access token that is out could outlive
 * what is left. A second is allowed for, because lives are counted in whole ones. Whoever compares times is told the barrier's, so the grant keeps it: its
 * next token is of a later second.
 */
const writeStatement = `
  WITH decided AS (
    SELECT * FROM jsonb_to_recordset($3::jsonb) AS d (id uuid, outcome text, policy_version int, claims_version int, directory_version int,
      cause text, told_at timestamptz, scopes text[], access_seconds int, refresh_seconds int, ends_at timestamptz, refresh_ends_at timestamptz,
      ceilings jsonb)),
  judged AS (
    SELECT d.*, g.scopes AS before, g.access_token_ttl_seconds AS access_before, GREATEST(g.outlived_until, LEAST(g.expires_at, $2::timestamptz + make_interval(secs => g.access_token_ttl_seconds))) AS held_until, g.refresh_ttl_seconds AS refresh_before,
      CASE WHEN d.outcome = 'decided'
        THEN ARRAY(SELECT u.scope FROM unnest(g.scopes) WITH ORDINALITY AS u(scope, n) WHERE u.scope = ANY(d.scopes) ORDER BY u.n) ELSE g.scopes END AS held,
      LEAST(g.access_token_ttl_seconds, d.access_seconds) AS access_held, LEAST(g.expires_at, d.ends_at) AS end_held,
      CASE WHEN d.outcome <> 'decided' THEN g.refresh_ttl_seconds
        WHEN d.refresh_seconds IS NOT NULL AND g.refresh_ttl_seconds IS NOT NULL THEN LEAST(g.refresh_ttl_seconds, d.refresh_seconds) END AS refresh_held,
      LEAST(g.refresh_ends_at, d.refresh_ends_at) AS refresh_end_held,
      CASE WHEN d.outcome = 'decided' THEN ${lesserCeilings({ accessSeconds: 'd.access_seconds', refreshSeconds: 'd.refresh_seconds', ceilings: 'd.ceilings' })} ELSE g.ceilings END AS ceilings_held
    FROM decided d JOIN grants g ON g.tenant_id = $1 AND g.id = d.id),
  verdicts AS (
    SELECT judged.*, CASE
      WHEN outcome = 'ended' OR cardinality(held) = 0 THEN 'ended'
      WHEN outcome = 'deferred' THEN 'deferred'
      WHEN cardinality(held) < cardinality(before) OR access_held < access_before
        OR LEAST(end_held, $2::timestamptz + make_interval(secs => access_held)) < held_until - interval '1 second' THEN 'shrunk'
      ELSE 'kept' END AS verdict FROM judged),
  written AS (
    UPDATE grants g SET policy_version = v.policy_version, claims_version = v.claims_version, directory_version = v.directory_version, scopes = v.held,
      access_token_ttl_seconds = v.access_held, refresh_ttl_seconds = v.refresh_held, expires_at = v.end_held, refresh_ends_at = v.refresh_end_held,
      outlived_until = CASE WHEN v.verdict = 'kept' THEN g.outlived_until END, ceilings = v.ceilings_held, epoch = g.epoch + CASE WHEN v.verdict = 'kept' THEN 0 ELSE 1 END,
      barrier_at = CASE WHEN v.verdict = 'kept' THEN g.barrier_at ELSE GREATEST(g.barrier_at, COALESCE(v.told_at, $2::timestamptz)) END,
      revoked_at = CASE WHEN v.verdict = 'ended' THEN $2::timestamptz END,
      revoked_reason = CASE WHEN v.verdict = 'ended' THEN ${because} || ' leaves nothing' END
    FROM verdicts v WHERE g.tenant_id = $1 AND g.id = v.id AND g.revoked_at IS NULL
    RETURNING g.id, g.epoch, g.issuer_id, g.subject_id, g.client_id, g.connection_id, g.resource_tenant_id, g.resource_id, v.held, v.before, v.verdict,
      v.ceilings_held, v.cause, ${because} AS reason, COALESCE(v.told_at, $2::timestamptz) AS told_at, g.barrier_at, gen_random_uuid() AS event_id),
  changed AS (SELECT * FROM written WHERE verdict <> 'kept'),
  told AS (
    INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
    SELECT $1, event_id, CASE cause WHEN 'policy' THEN 'policy' ELSE 'scim' END, 'grant', id::text, format('%s: %s', reason, verdict), told_at, barrier_at FROM changed),
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id)
    SELECT $1, $2, CASE WHEN verdict = 'ended' THEN 'grant.ended_by_policy' ELSE 'grant.shrunk' END, issuer_id, subject_id, client_id, connection_id, id,
      held, verdict, jsonb_build_object('eventId', event_id, 'cause', cause, 'policyVersion', $5::int, 'epoch', epoch, 'ceilings', ceilings_held,
        'lost', ARRAY(SELECT unnest(before) EXCEPT SELECT unnest(held))), $6 FROM changed),
  queued AS (
    INSERT INTO outbox (tenant_id, kind, payload, created_at)
    SELECT $1, '${tellSettledEntry}', jsonb_build_object('grants', jsonb_agg(jsonb_build_object('eventId', event_id, 'grantId', id, 'epoch', epoch,
      'issuerId', issuer_id, 'resourceTenantId', resource_tenant_id, 'resourceId', resource_id, 'scopes', held, 'isEnded', verdict = 'ended', 'cause', cause))), $2
    FROM changed HAVING count(*) > 0 RETURNING id),
  counted AS (
    UPDATE policy_sweeps SET progressed_at = GREATEST(progressed_at, $2), looked_at = policy_sweeps.looked_at + c.looked_at, shrunk = policy_sweeps.shrunk + c.shrunk,
      deferred = policy_sweeps.deferred + c.deferred, ended = policy_sweeps.ended + c.ended
    FROM (SELECT count(*)::int AS looked_at, count(*) FILTER (WHERE verdict = 'shrunk')::int AS shrunk,
      count(*) FILTER (WHERE verdict = 'deferred')::int AS deferred, count(*) FILTER (WHERE verdict = 'ended')::int AS ended FROM written WHERE cause = 'policy') c
    WHERE tenant_id = $1 AND version = $4)
  SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM queued`
