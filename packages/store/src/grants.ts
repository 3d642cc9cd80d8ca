/** Grants: opened with their code in one statement, judged with everything they hang on, revoked with a barrier that every guard hears of. */
import type { Instant } from '@drawbridge/core/instant'
import type { AuthorizationCode } from '@drawbridge/core/oauth/authorization-code'
import type { Caller } from '@drawbridge/core/oauth/caller'
import type { Grant, GrantRefusal } from '@drawbridge/core/oauth/grant'
import type { IdentityScope } from '@drawbridge/core/oauth/scope'
import type { DeprovisioningSource } from '@drawbridge/core/revocation/deprovisioning-event'
import type { Epochs } from '@drawbridge/core/revocation/epochs'
import { longestAccessTokenSeconds } from '@drawbridge/core/revocation/revocation-plan'
import {
  type ConsentId,
  type CredentialHash,
  type DeviceCodeId,
  type GrantId,
  type IssuerId,
  type TenantId,
  vendorTenantId,
} from '@drawbridge/core/tenant/ids'
import { type DecidedOn, type DecidedWrite, type GroundRow, groundColumns, toDecidedWrite } from './authorization-requests.js'
import { callerCte } from './caller.js'
import { directorySays } from './directory.js'
import { type HotDb, hotStatement, judged, toTimestamp } from './transaction.js'

/** What the opening statement keeps of a yes. */
export type ConsentToKeep = { readonly id: ConsentId; readonly judgedHash: Buffer; readonly expiresAt: Instant }

/** Where a hot statement was asked from: goes to the audit trail. */
export type Asked = { readonly requestId: string; readonly address: string | undefined }

/**
 * Condition over a grant `g` with what it hangs on: it was decided under a policy, or on words of the directory, below the barrier of its tenant,
 * person or connection, so it is to be settled first (`settle-grants`). One that was deferred has no token that could be believed, and is decided
 * when it is refreshed.
 */
export const isUnsettled = `(g.policy_version < t.policy_barrier OR g.claims_version >= 0
    AND (g.claims_version < COALESCE(s.claims_barrier, 0) OR g.directory_version < COALESCE(cn.directory_barrier, 0)))`

/** No token of a grant that ended before then lives, whenever its end was brought forward: a refresh brings it no further than to the moment of the refresh. */
export const longestOutlived = (now: string): string => `(${now}::timestamptz - interval '${longestAccessTokenSeconds} seconds')`

/**
 * Condition over the grant `g`: somebody may hold a token of it that a resource server still takes. Its end says less, because a refresh may bring it
 * forward and leaves what was issued before to its own time. What ends grants one by one asks this. An index knows the end alone, and of those that
 * ended long ago there may be thousands for one that lives.
 */
export const mayBeHeld = (g: string, now: string): string =>
  `${g}.expires_at > ${longestOutlived(now)} AND GREATEST(${g}.expires_at, ${g}.outlived_until) > ${now}`

/**
 * Condition over a grant `g`, its tenant `t`, person `s` and the connection that is named: one of the grants that it was opened from by an exchange
 * is dead, has lost something since, or is to be settled first. They are of the same tenant, person and connection, whose epochs it carries itself;
 * what is their own is the grant and its client. `$2` is now. Of a grant that comes from no exchange nothing is read.
 */
export const hasDeadAncestor = (connection: string): string => `(g.ancestors <> '{}' AND EXISTS (
    SELECT 1 FROM unnest(g.ancestors, g.ancestor_epochs) AS a (id, epoch)
    LEFT JOIN LATERAL (SELECT grants.* FROM grants WHERE grants.tenant_id = $1 AND grants.id = a.id OFFSET 0) p ON true
    LEFT JOIN clients pc ON pc.tenant_id = $1 AND pc.issuer_id = p.issuer_id AND pc.client_id = p.client_id
    WHERE p.id IS NULL OR p.revoked_at IS NOT NULL OR p.expires_at <= $2 OR p.epoch > a.epoch
      OR pc.client_id IS NULL OR pc.blocked_at IS NOT NULL OR p.client_epoch < pc.epoch OR p.policy_version < t.policy_barrier
      OR p.claims_version < COALESCE(s.claims_barrier, 0) OR p.directory_version < COALESCE(${connection}.directory_barrier, 0)))`

/**
 * The barrier of a grant `g`: what an access token of it is compared with. `grant_refusal` holds the conditions of
 * `core/oauth/grant.findGrantRefusal` in the same order. Follow it with `FROM`, which must name `g`; `$2` is now.
 */
export const grantBarrierColumns = `
  g.id AS grant_id, g.scopes, g.epoch AS grant_epoch, t.configuration_version, ${isUnsettled} AS unsettled,
  t.epoch AS tenant_now, COALESCE(cl.epoch, 0) AS client_now, COALESCE(cn.epoch, 0) AS connection_now, COALESCE(s.epoch, 0) AS subject_now,
  CASE
    WHEN t.suspended_at IS NOT NULL THEN 'tenant_suspended'
    WHEN g.revoked_at IS NOT NULL THEN 'grant_revoked'
    WHEN g.expires_at <= $2 THEN 'grant_expired'
    WHEN cl.client_id IS NULL THEN 'grant_client_unknown'
    WHEN cl.blocked_at IS NOT NULL THEN 'grant_client_blocked'
    WHEN cn.disabled_at IS NOT NULL THEN 'grant_connection_disabled'
    WHEN g.subject_id IS NOT NULL AND s.id IS NULL THEN 'grant_subject_unknown'
    WHEN s.deactivated_at IS NOT NULL OR s.deactivates_at <= $2 THEN 'grant_subject_deactivated'
    WHEN g.tenant_epoch < t.epoch OR g.client_epoch < cl.epoch OR g.connection_epoch < COALESCE(cn.epoch, 0) OR g.subject_epoch < COALESCE(s.epoch, 0)
      THEN 'grant_below_barrier'
    WHEN ${hasDeadAncestor('cn')} THEN 'grant_ancestor_dead'
  END AS grant_refusal`

/** What a grant `g` keeps of the login behind it: beside its scopes, what it is decided on again. */
export const grantEvidenceColumns =
  'g.connection_id, g.acr, g.amr, g.authenticated_at, g.own_methods, g.own_proved_at, g.created_at AS grant_created_at'

export type GrantEvidenceRow = {
  readonly scopes: readonly string[]
  readonly connection_id: string | null
  readonly acr: string | null
  readonly amr: readonly string[]
  readonly authenticated_at: Instant | null
  readonly own_methods: readonly string[]
  readonly own_proved_at: Instant | null
  readonly grant_created_at: Instant
}

/**
 * The row of a grant `g` with the present state of all that it hangs on: what issuing needs. Every column is set up anew in every part
 * of a statement that looks at it, so what nobody reads is not in here.
 */
export const grantStateColumns = `${grantBarrierColumns},
  g.issuer_id, g.client_id, g.subject_id, g.session_id, g.audience, g.identity_scopes, g.asked_acr,
  g.policy_version, g.claims_version, g.directory_version, ${grantEvidenceColumns},
  t.policy_version AS policy_now, COALESCE(s.claims_version, 0) AS claims_now, COALESCE(cn.directory_version, 0) AS directory_now,
  GREATEST(t.barrier_at, cl.barrier_at, cn.barrier_at, s.barrier_at, g.barrier_at) AS barrier_at,
  COALESCE('refresh_token' = ANY(cl.grant_types), false) AS client_refreshes`

/** What a grant `g` hangs on. */
export const grantStateJoins = `
  JOIN tenants t ON t.id = g.tenant_id AND t.id = $1
  LEFT JOIN clients cl ON cl.tenant_id = $1 AND cl.issuer_id = g.issuer_id AND cl.client_id = g.client_id
  LEFT JOIN connections cn ON cn.tenant_id = $1 AND cn.id = g.connection_id
  LEFT JOIN subjects s ON s.tenant_id = $1 AND s.id = g.subject_id`

/**
 * The barrier of one grant as further CTEs: `killed` revokes the grant that `grantId` selects, `told` and `queued` make every guard
 * hear of it. Select `notified` at the end, or nobody is woken.
 */
export const revokeGrantCtes = (grantId: string, parts: { reason: string; source: DeprovisioningSource; eventId: string }): string => `
  killed AS (
    UPDATE grants SET revoked_at = $2, revoked_reason = ${parts.reason}, epoch = epoch + 1
    WHERE tenant_id = $1 AND id = (${grantId}) AND revoked_at IS NULL
    RETURNING id, epoch, subject_id, client_id, connection_id, issuer_id),
  told AS (
    INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at)
    SELECT $1, ${parts.eventId}, '${parts.source}', 'grant', killed.id::text, ${parts.reason}, $2, $2 FROM killed),
  queued AS (
    INSERT INTO outbox (tenant_id, kind, payload, created_at)
    SELECT $1, 'revoke', jsonb_build_object('eventId', ${parts.eventId}, 'target', 'grant', 'targetId', killed.id, 'epoch', killed.epoch), $2 FROM killed)`

export const notified = `(SELECT pg_notify('drawbridge_outbox', $1::uuid::text) FROM killed)::text AS notified`

export type GrantBarrierRow = {
  readonly grant_id: string
  readonly scopes: readonly string[]
  readonly grant_epoch: number
  readonly tenant_now: number
  readonly client_now: number
  readonly connection_now: number
  readonly subject_now: number
  readonly configuration_version: number
  /** It is to be settled before anything is said or issued of it: `isUnsettled`. */
  readonly unsettled: boolean
  readonly grant_refusal: GrantRefusal | null
}

export type GrantStateRow = GrantBarrierRow &
  GrantEvidenceRow & {
    readonly issuer_id: string
    readonly client_id: string
    readonly subject_id: string | null
    readonly session_id: string | null
    readonly audience: string
    readonly identity_scopes: readonly IdentityScope[]
    readonly asked_acr: string | null
    readonly barrier_at: Instant | null
  }

/** The epochs as the statement saw them: what a token made from it carries. */
export const epochsOf = (row: Omit<GrantBarrierRow, 'grant_id'>): Epochs => ({
  tenant: row.tenant_now,
  client: row.client_now,
  connection: row.connection_now,
  subject: row.subject_now,
  grant: row.grant_epoch,
})

/**
 * Opened only on the `ground` that it was decided on: configuration with its policy, client, claims, every epoch, and a browser
 * session that has not ended meanwhile: `living` waits for whoever is ending it, and whoever ends it then waits for the grant and finds it.
 */
const openStatement = hotStatement({
  name: 'open_grant_with_code',
  tenantParameter: 1,
  text: `WITH living AS MATERIALIZED (
    SELECT b.id FROM browser_sessions b WHERE b.tenant_id = $1 AND b.id = $11 AND b.ended_at IS NULL AND ${judged('b.expires_at > $2')} FOR SHARE),
  agreed AS MATERIALIZED (SELECT c.id FROM consents c WHERE c.tenant_id = $1 AND c.id = $44 FOR SHARE),
  ground AS (
    SELECT t.id FROM tenants t
    JOIN clients cl ON cl.tenant_id = $1 AND cl.issuer_id = $4 AND cl.client_id = $5 AND cl.version = $36 AND cl.epoch = $14 AND cl.blocked_at IS NULL
    LEFT JOIN connections cn ON cn.tenant_id = $1 AND cn.id = $10
    LEFT JOIN subjects s ON s.tenant_id = $1 AND s.id = $9
    WHERE t.id = $1 AND t.configuration_version = $35 AND t.epoch = $13 AND t.suspended_at IS NULL AND cn.disabled_at IS NULL AND s.deactivated_at IS NULL
      AND (s.deactivates_at <= $2) IS NOT TRUE AND COALESCE(cn.epoch, 0) = $15 AND COALESCE(s.epoch, 0) = $16 AND COALESCE(s.claims_version, 0) = $18
      AND COALESCE(cn.directory_version, 0) = $40
      AND ($11::uuid IS NULL OR EXISTS (SELECT 1 FROM living))
      AND ($44::uuid IS NULL OR EXISTS (SELECT 1 FROM agreed))
      AND EXISTS (SELECT 1 FROM resource_issuers ri
        WHERE ri.tenant_id = $6 AND ri.resource_id = $7 AND ri.issuer_tenant_id = $1 AND ri.issuer_id = $4)),
  answered AS (
    UPDATE authorization_requests SET answered_at = $2, step = 'answered'
    WHERE tenant_id = $1 AND id = $32 AND answered_at IS NULL AND ${judged('expires_at > $2')} AND EXISTS (SELECT 1 FROM ground) RETURNING id),
  bound AS (
    UPDATE device_codes d SET code_hash = $26, decided_at = $2
    WHERE d.tenant_id = $1 AND d.id = $48 AND d.issuer_id = $4 AND d.client_id = $5 AND d.decided_at IS NULL AND ${judged('d.expires_at > $2')}
      AND d.tenant_epoch = $13 AND d.client_epoch = $14 AND EXISTS (SELECT 1 FROM answered) RETURNING d.asked_address, d.asked_country, d.created_at),
  opened AS (
    INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, subject_id, connection_id, session_id, scopes,
      tenant_epoch, client_epoch, connection_epoch, subject_epoch, policy_version, claims_version, acr, amr, authenticated_at,
      access_token_ttl_seconds, refresh_ttl_seconds, expires_at, ceilings, own_methods, own_proved_at, refresh_ends_at, created_at, directory_version,
      identity_scopes, asked_acr)
    SELECT $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $37, $38, $39, $2, $40, $41, $42
    FROM ground WHERE ($32::uuid IS NULL OR EXISTS (SELECT 1 FROM answered)) AND ($48::uuid IS NULL OR EXISTS (SELECT 1 FROM bound)) RETURNING id),
  coded AS (
    INSERT INTO authorization_codes (tenant_id, code_hash, grant_id, issuer_id, client_id, redirect_uri, code_challenge, nonce, created_at, expires_at, dpop_jkt)
    SELECT $1, $26, opened.id, $4, $5, $27, $28, $29, $2, $30, $43 FROM opened),
  kept AS (
    INSERT INTO consents (tenant_id, id, issuer_id, subject_id, connection_id, client_id, resource_tenant_id, resource_id, redirect_uri, scopes, identity_scopes,
      judged_hash, tenant_epoch, client_epoch, connection_epoch, subject_epoch, agreed_at, expires_at)
    SELECT $1, $45::uuid, $4, $9, $10, $5, $6, $7, $27, $12, $41, $46::bytea, $13, $14, $15, $16, $2, $47::timestamptz FROM opened WHERE $45::uuid IS NOT NULL
    ON CONFLICT (tenant_id, subject_id, client_id, issuer_id, resource_tenant_id, resource_id, redirect_uri) DO UPDATE SET
      (id, connection_id, scopes, identity_scopes, judged_hash, tenant_epoch, client_epoch, connection_epoch, subject_epoch, agreed_at, expires_at) =
      (excluded.id, excluded.connection_id, excluded.scopes, excluded.identity_scopes, excluded.judged_hash, excluded.tenant_epoch, excluded.client_epoch,
       excluded.connection_epoch, excluded.subject_epoch, excluded.agreed_at, excluded.expires_at)),
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, detail, request_id, address)
    SELECT $1, $2, 'grant_opened', $4, $9, $5, $10, opened.id, $12, $31::jsonb || COALESCE((SELECT jsonb_build_object('device',
      jsonb_build_object('askedAt', created_at, 'address', asked_address, 'country', asked_country)) FROM bound), '{}'), $33, $34 FROM opened)
  ${groundColumns('opened')}`,
})

export type OpenGrantWithCode = {
  readonly grant: Grant
  readonly code: AuthorizationCode
  readonly decidedOn: DecidedOn
  /** The earlier yes that stands for one of now: nothing is opened if it was withdrawn meanwhile. */
  readonly reliesOn?: ConsentId | undefined
  /** What the person has just said yes to, where that is remembered. */
  readonly keepsConsent?: ConsentToKeep | undefined
  /** Answered by the same statement, so that one request yields one grant. `undefined`: answered at once, so it never had a row. */
  readonly authorizationRequestId: string | undefined
  /** The device that waits for this answer: the code is bound to its device code, once, or nothing is opened. */
  readonly deviceCodeId?: DeviceCodeId | undefined
  /** For the audit trail: the explanation of the decision, and which limits won. Holds no claim values. */
  readonly detail: Readonly<Record<string, unknown>>
  readonly asked: Asked
}

/**
 * Opens a grant with its code, in one statement: at most one caller wins an authorization request, and nobody wins it if what the
 * grant was decided on has moved.
 */
export async function openGrantWithCode(hot: HotDb, opening: OpenGrantWithCode): Promise<DecidedWrite> {
  const { grant, code, asked } = opening
  const { rows } = await hot.query<GroundRow>(openStatement, [
    ...[grant.tenantId, toTimestamp(grant.createdAt), grant.id, grant.issuerId, grant.clientId, grant.resourceTenantId, grant.resourceId],
    ...[grant.audience, grant.subjectId, grant.connectionId, grant.sessionId, grant.scopes],
    ...[grant.epochs.tenant, grant.epochs.client, grant.epochs.connection, grant.epochs.subject, grant.policyVersion, grant.claimsVersion],
    ...[grant.acr, grant.amr, grant.authenticatedAt === undefined ? null : toTimestamp(grant.authenticatedAt)],
    ...[grant.accessTokenTtlSeconds, grant.refreshTtlSeconds, toTimestamp(grant.expiresAt), JSON.stringify(grant.ceilings)],
    ...[code.codeHash, code.redirectUri, code.codeChallenge, code.nonce, toTimestamp(code.expiresAt), JSON.stringify(opening.detail)],
    ...[opening.authorizationRequestId, asked.requestId, asked.address],
    ...[opening.decidedOn.configurationVersion, opening.decidedOn.clientVersion],
    ...[grant.ownFactor?.methods ?? [], grant.ownFactor === undefined ? null : toTimestamp(grant.ownFactor.provedAt)],
    grant.refreshEndsAt === undefined ? null : toTimestamp(grant.refreshEndsAt),
    ...[grant.directoryVersion, grant.identityScopes, grant.askedAcr ?? null, code.dpopKey ?? null, opening.reliesOn ?? null],
    ...[opening.keepsConsent?.id ?? null, opening.keepsConsent?.judgedHash ?? null],
    ...[opening.keepsConsent === undefined ? null : toTimestamp(opening.keepsConsent.expiresAt), opening.deviceCodeId ?? null],
  ])
  return toDecidedWrite(rows[0])
}

/** `given` finds by key alone and compares afterwards (`OFFSET 0`): with the client beside the key, its index was as good as the key to the planner. */
const revokeStatement = hotStatement({
  name: 'revoke_grant_of_token',
  tenantParameter: 1,
  text: `WITH ${callerCte({ issuer: '$3', client: '$4', version: '$10' })},
  given AS (
    SELECT found.id FROM caller, (SELECT id, issuer_id, client_id FROM grants
      WHERE tenant_id = $1 AND id = COALESCE($6::uuid, (SELECT grant_id FROM refresh_tokens WHERE tenant_id = $1 AND token_hash = $5)) OFFSET 0) found
    WHERE caller.is_current AND found.issuer_id = $3 AND found.client_id = $4),
  ${revokeGrantCtes('SELECT id FROM given', { reason: `'revoked_by_client'`, source: 'revocation_endpoint', eventId: '$7::uuid' })},
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, grant_id, scopes, reason, detail, request_id, address)
    SELECT $1, $2, 'grant_revoked', killed.issuer_id, killed.subject_id, killed.client_id, killed.connection_id, killed.id, '{}', 'revoked_by_client', '{}', $8, $9
    FROM killed)
  SELECT caller.is_current, EXISTS (SELECT 1 FROM killed) AS revoked, ${notified} FROM caller`,
})

export type RevokeGrantOfToken = {
  readonly tenantId: TenantId
  readonly caller: Caller
  readonly token: { readonly refreshTokenHash: CredentialHash } | { readonly grantId: GrantId }
  readonly eventId: string
  readonly now: Instant
  readonly asked: Asked
}

/** Revokes the grant behind a token of this client, at most once; another client's token changes nothing. */
export async function revokeGrantOfToken(
  hot: HotDb,
  given: RevokeGrantOfToken,
): Promise<'revoked' | 'nothing_to_revoke' | 'client_changed'> {
  const { caller, token, asked } = given
  const hash = 'refreshTokenHash' in token ? token.refreshTokenHash : null
  const grantId = 'grantId' in token ? token.grantId : null
  const { rows } = await hot.query<{ is_current: boolean; revoked: boolean }>(revokeStatement, [
    ...[given.tenantId, toTimestamp(given.now), caller.issuerId, caller.clientId, hash, grantId, given.eventId],
    ...[asked.requestId, asked.address, caller.clientVersion],
  ])
  if (!rows[0]?.is_current) return 'client_changed'
  return rows[0].revoked ? 'revoked' : 'nothing_to_revoke'
}

/** The credential is of the tenant's own resource, which has nothing to ask at the front, or of one of the vendor's that this issuer may mint for. */
const introspectStatement = hotStatement({
  name: 'introspect_grant',
  tenantParameter: 1,
  text: `SELECT resource.identifier AS resource, resource.told_of_people, ${grantBarrierColumns},
      CASE WHEN resource.told_of_people IS NOT NULL THEN s.claims END AS subject_claims,
      CASE WHEN resource.told_of_people IS NOT NULL AND s.id IS NOT NULL
        THEN ${directorySays({ connection: 's.connection_id', user: 's.scim_user_id' })} END AS directory_says
    FROM resource_credentials credential
    JOIN resources resource ON resource.tenant_id = credential.tenant_id AND resource.id = credential.resource_id
    LEFT JOIN (grants g ${grantStateJoins}) ON g.tenant_id = $1 AND g.id = $5 AND g.issuer_id = $6 AND g.audience = resource.identifier
    WHERE credential.tenant_id IN ($1, $7) AND (credential.tenant_id = $1 AND $8 OR EXISTS (SELECT 1 FROM resource_issuers minter
        WHERE minter.tenant_id = $7 AND minter.resource_id = credential.resource_id AND minter.issuer_tenant_id = $1 AND minter.issuer_id = $6))
      AND credential.id = $3 AND credential.secret_hash = $4 AND credential.revoked_at IS NULL
      AND (credential.expires_at IS NULL OR credential.expires_at > $2)`,
})

/** As stored, of one person: what her IdP said at her last login, and what her directory says now. */
export type KnownOfPerson = { readonly claims: unknown; readonly directorySays: unknown }

export type Introspected = {
  /** The resource whose credential asked. */
  readonly resource: string
  /** `undefined`: no living grant of that resource. */
  readonly grant:
    | {
        readonly epochs: Epochs
        readonly scopes: readonly string[]
        readonly configurationVersion: number
        readonly unsettled: boolean
        /** The person behind it, where there is one and the resource asks to be told of people; `asked`: of what, as stored. */
        readonly person: (KnownOfPerson & { readonly asked: unknown }) | undefined
      }
    | undefined
}

type IntrospectedRow = Omit<GrantBarrierRow, 'grant_id'> & {
  readonly resource: string
  readonly told_of_people: unknown
  readonly grant_id: string | null
  readonly subject_claims: unknown
  readonly directory_says: unknown
}

/** Finds the barrier of a grant for the resource server that proves itself; `undefined` if it does not. Reads only. */
export async function introspectGrant(
  hot: HotDb,
  asked: {
    tenantId: TenantId
    issuerId: IssuerId
    credentialId: string
    secretHash: CredentialHash
    grantId: string | undefined
    /** At the front issuer: false. */
    isTenantsOwn: boolean
    now: Instant
  },
): Promise<Introspected | undefined> {
  const { rows } = await hot.query<IntrospectedRow>(introspectStatement, [
    ...[asked.tenantId, toTimestamp(asked.now), asked.credentialId, asked.secretHash, asked.grantId, asked.issuerId, vendorTenantId],
    asked.isTenantsOwn,
  ])
  const row = rows[0]
  if (!row) return undefined
  if (row.grant_id === null || row.grant_refusal !== null) return { resource: row.resource, grant: undefined }
  return {
    resource: row.resource,
    grant: {
      ...{ epochs: epochsOf(row), scopes: row.scopes, configurationVersion: row.configuration_version, unsettled: row.unsettled },
      person:
        row.subject_claims === null
          ? undefined
          : { asked: row.told_of_people, claims: row.subject_claims, directorySays: row.directory_says },
    },
  }
}
