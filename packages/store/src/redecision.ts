/**
 * A decision made again, because policy or claims had changed since the grant was decided. It only takes away: from what the grant's row says
 * at the moment of writing, and never over a decision that was made under newer versions.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { GrantEvidence, Redecided } from '@drawbridge/core/oauth/redecide-grant'
import { longestAccessTokenSeconds } from '@drawbridge/core/revocation/revocation-plan'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { directorySays } from './directory.js'
import type { GrantEvidenceRow, GrantStateRow } from './grants.js'
import { toTimestamp } from './transaction.js'

/** With the versions that it was made under. */
export type Redecision = Redecided & { readonly policyVersion: number; readonly claimsVersion: number; readonly directoryVersion: number }

/** A grant with what is left of it under the redecision, and the versions that a decision must have to count. */
export type DecidedRow = GrantStateRow & {
  readonly allowed: readonly string[]
  readonly refresh_seconds: number | null
  readonly access_seconds: number
  readonly ends_at: Instant
  readonly policy_now: number
  readonly claims_now: number
  readonly directory_now: number
  /** Only with `decide_again`: what policy needs to decide. */
  readonly subject_claims: unknown
  /** Only with `decide_again`: what her directory says, null where it decides nothing. */
  readonly directory_says: unknown
  /** Only with `decide_again`. */
  readonly session_started_at: Instant | null
  /** Only with `decide_again`. */
  readonly deactivates_at: Instant | null
  /** Only with `decide_again`. */
  readonly factors_reset_at: Instant | null
}

/** What is to be known of the person behind a grant, beside its row. */
export type PersonRow = Pick<DecidedRow, 'subject_claims' | 'directory_says' | 'session_started_at' | 'deactivates_at' | 'factors_reset_at'>

/** What the row keeps of what the grant was decided on. */
export const evidenceOf = (row: GrantEvidenceRow & PersonRow): GrantEvidence => ({
  scopes: row.scopes,
  subjectClaims: row.subject_claims,
  connectionId: (row.connection_id ?? undefined) as ConnectionId | undefined,
  directorySays: row.directory_says,
  authentication: {
    acr: row.acr ?? undefined,
    amr: row.amr,
    authenticatedAt: row.authenticated_at ?? undefined,
    ownFactor: row.own_proved_at === null ? undefined : { methods: row.own_methods, provedAt: row.own_proved_at },
  },
  sessionStartedAt: row.session_started_at ?? undefined,
  deactivatesAt: row.deactivates_at ?? undefined,
  factorsResetAt: row.factors_reset_at ?? undefined,
  createdAt: row.grant_created_at,
})

/** One that leaves nothing: whatever asks with it is refused, and the trail is told as of any refusal. It is never written. */
export const nothingLeftOf = (grant: DecidedRow): Redecision => ({
  scopes: [],
  accessTokenTtlSeconds: grant.access_seconds,
  refreshTtlSeconds: grant.refresh_seconds ?? undefined,
  refreshEndsAt: undefined,
  expiresAt: grant.ends_at,
  ceilings: { accessToken: { seconds: grant.access_seconds, by: 'tenant', detail: 'nothing is left' }, refreshToken: null },
  policyVersion: grant.policy_now,
  claimsVersion: grant.claims_now,
  directoryVersion: grant.directory_now,
})

/** The nine parameters of a redecision, all null without one. */
export const redecisionParameters = (redecision: Redecision | undefined): readonly unknown[] => [
  redecision?.policyVersion,
  redecision?.claimsVersion,
  redecision?.scopes,
  redecision?.accessTokenTtlSeconds,
  redecision?.refreshTtlSeconds,
  redecision && toTimestamp(redecision.expiresAt),
  redecision?.refreshEndsAt && toTimestamp(redecision.refreshEndsAt),
  redecision && JSON.stringify(redecision.ceilings),
  redecision?.directoryVersion,
]

/** What two decisions on one grant leave of it: the seconds in the row of the grant `g`, and those of the other. */
type TwoDecisions = { readonly accessSeconds: string; readonly refreshSeconds: string; readonly ceilings: string }

/** Which limit won, for each token: that of the decision with fewer seconds, and of the latest where they are the same. */
export const lesserCeilings = ({ accessSeconds, refreshSeconds, ceilings }: TwoDecisions): string => `jsonb_build_object(
        'accessToken', CASE WHEN ${accessSeconds} <= g.access_token_ttl_seconds THEN ${ceilings} ELSE g.ceilings END -> 'accessToken',
        'refreshToken', CASE WHEN g.refresh_ttl_seconds IS NULL OR ${refreshSeconds} IS NULL THEN NULL
          WHEN ${refreshSeconds} <= g.refresh_ttl_seconds THEN ${ceilings} ELSE g.ceilings END -> 'refreshToken')`

/** `core/oauth/scope-ceiling.leavesNothing`, as SQL over `state`. */
const leavesNothing = (scopes: string): string =>
  `(${scopes} = '{}' OR state.scope_ceiling <> '{}' AND NOT ${scopes} && state.scope_ceiling)`

/** What `columns` below reads of another tenant. */
export const readsMinters = { resource_issuers: 'the resource may be one of the vendor’s that this issuer may mint for' } as const

export type RedecisionSql = ReturnType<typeof redecisionSql>

/** SQL over a grant `g`, for a statement whose parameters from `$first` on are those of a redecision. Absent: for one that is never given any. */
export function redecisionSql(first?: number) {
  const given = (n: number): string => (first === undefined ? 'NULL' : `$${first + n}`)
  const [policyVersion, claimsVersion, scopes, accessSeconds, refreshSeconds, expiresAt] = [0, 1, 2, 3, 4, 5].map(given)
  const [refreshEndsAt, ceilings, directoryVersion] = [`${given(6)}::timestamptz`, `${given(7)}::jsonb`, given(8)]
  const left = {
    scopes: `CASE WHEN ${policyVersion}::int IS NULL THEN g.scopes ELSE ARRAY(SELECT u.scope FROM unnest(g.scopes) WITH ORDINALITY AS u(scope, n)
      WHERE u.scope = ANY(${scopes}::text[]) ORDER BY u.n) END`,
    accessSeconds: `LEAST(g.access_token_ttl_seconds, ${accessSeconds}::int)`,
    refreshSeconds: `CASE WHEN g.refresh_ttl_seconds IS NOT NULL AND (${policyVersion}::int IS NULL OR ${refreshSeconds}::int IS NOT NULL)
      THEN LEAST(g.refresh_ttl_seconds, ${refreshSeconds}::int) END`,
    expiresAt: `LEAST(g.expires_at, ${expiresAt}::timestamptz)`,
    /** What is written: not before this moment, so that `longestOutlived` holds. */
    writtenEnd: `LEAST(g.expires_at, GREATEST(${expiresAt}::timestamptz, $2::timestamptz))`,
    refreshEndsAt: `LEAST(g.refresh_ends_at, ${refreshEndsAt})`,
    ceilings: lesserCeilings({ accessSeconds: `${accessSeconds}::int`, refreshSeconds: `${refreshSeconds}::int`, ceilings }),
  }
  // What is out was issued a moment ago at most, and under no later end than the grant had. With an end what was exchanged for it counts, too, which may live longer.
  const outlivedUntil = `CASE
    WHEN ${expiresAt}::timestamptz < g.expires_at
      THEN GREATEST(g.outlived_until, LEAST(g.expires_at, $2::timestamptz + interval '${longestAccessTokenSeconds} seconds'))
    WHEN ${accessSeconds}::int < g.access_token_ttl_seconds
      THEN GREATEST(g.outlived_until, LEAST(g.expires_at, $2::timestamptz + make_interval(secs => g.access_token_ttl_seconds)))
    ELSE g.outlived_until END`
  const isOutdated = `state.unsettled OR COALESCE(${policyVersion}::int, state.policy_version) <> state.policy_now
      OR COALESCE(${claimsVersion}::int, state.claims_version) <> state.claims_now
      OR COALESCE(${directoryVersion}::int, state.directory_version) <> state.directory_now`
  return {
    /** What is left of the grant. */
    columns: `${left.scopes} AS allowed, ${left.accessSeconds} AS access_seconds, ${left.refreshSeconds} AS refresh_seconds, ${left.expiresAt} AS ends_at, ${left.refreshEndsAt} AS refresh_ends_at,
  cl.scope_ceiling, EXISTS (SELECT 1 FROM resource_issuers minter WHERE minter.tenant_id = g.resource_tenant_id AND minter.resource_id = g.resource_id
    AND minter.issuer_tenant_id = $1 AND minter.issuer_id = g.issuer_id) AS mintable`,
    /** Condition over `state`: no token could be issued from the grant, as admins have limited its client, or as its issuer may mint no longer. */
    isNothingLeft: `NOT state.mintable OR ${leavesNothing('state.allowed')}`,
    /** Condition over `state`: of these scopes the ceiling of its client leaves none. */
    leavesNothing,
    /** Condition over `state`: neither the grant nor the redecision was decided under the present policy and claims, or the grant is to be settled first. */
    isOutdated,
    /** The same of a redecision, which is judged before anything is refused by what it leaves: what came after it may leave more. */
    isOvertaken: `${policyVersion}::int IS NOT NULL AND (${isOutdated})`,
    /**
     * Writes what is left into the grant that `grantId` selects. The expressions stand here once more, because whoever had to wait for a
     * concurrent redecision is evaluated again on the row as that left it, which `state` knows nothing of. `isFirst`: nothing has been issued from it before.
     */
    writtenCte: (grantId: string, isFirst = false): string => `
  decided AS (
    UPDATE grants g SET policy_version = ${policyVersion}, claims_version = ${claimsVersion}, directory_version = ${directoryVersion}, scopes = ${left.scopes},
      access_token_ttl_seconds = ${left.accessSeconds}, refresh_ttl_seconds = ${left.refreshSeconds}, expires_at = ${left.writtenEnd}, outlived_until = ${isFirst ? 'g.outlived_until' : outlivedUntil},
      refresh_ends_at = ${left.refreshEndsAt}, ceilings = ${left.ceilings}
    WHERE g.tenant_id = $1 AND g.id = (${grantId}) AND ${policyVersion}::int >= g.policy_version AND ${claimsVersion}::int >= g.claims_version
      AND ${directoryVersion}::int >= g.directory_version
    RETURNING g.policy_version, g.ceilings)`,
    /** What the audit trail is told of it, beside the rest: nothing, where nothing was decided again. */
    told: `COALESCE((SELECT jsonb_build_object('policyVersion', policy_version, 'ceilings', ceilings) FROM decided), '{}')`,
  }
}

/** The claims of the grant's subject, what her directory says, when its session began, and what else of her counts, told only to whoever has to decide again. */
export const claimsToDecideAgain = (verdict: string): string =>
  `CASE WHEN ${verdict} = 'decide_again' THEN (SELECT claims FROM subjects WHERE tenant_id = $1 AND id = state.subject_id) END AS subject_claims,
    CASE WHEN ${verdict} = 'decide_again' THEN (SELECT ${directorySays({ connection: 'p.connection_id', user: 'p.scim_user_id' })}
      FROM subjects p WHERE p.tenant_id = $1 AND p.id = state.subject_id) END AS directory_says,
    CASE WHEN ${verdict} = 'decide_again'
      THEN (SELECT created_at FROM browser_sessions WHERE tenant_id = $1 AND id = state.session_id) END AS session_started_at,
    CASE WHEN ${verdict} = 'decide_again' THEN (SELECT deactivates_at FROM subjects WHERE tenant_id = $1 AND id = state.subject_id) END AS deactivates_at,
    CASE WHEN ${verdict} = 'decide_again' THEN (SELECT factors_reset_at FROM subjects WHERE tenant_id = $1 AND id = state.subject_id) END AS factors_reset_at`
