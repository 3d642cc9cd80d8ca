/** Browser sessions: each belongs to one issuer of one tenant, and the cookie is only a handle to it. */
import type { Instant } from '@drawbridge/core/instant'
import type { BrowserSessionId, ConnectionId, CredentialHash, IssuerId, ScimUserId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { directorySays } from './directory.js'
import { type HotDb, hotStatement, judged, toTimestamp } from './transaction.js'

export type LiveBrowserSession = {
  readonly id: BrowserSessionId
  readonly subjectId: SubjectId
  readonly connectionId: ConnectionId
  readonly epochs: { readonly tenant: number; readonly connection: number; readonly subject: number }
  readonly acr: string | undefined
  readonly amr: readonly string[]
  readonly authenticatedAt: Instant | undefined
  readonly createdAt: Instant
  readonly expiresAt: Instant
  /** When an admin last took the factors of the subject away. */
  readonly factorsResetAt: Instant | undefined
  /** When the directory ends the subject's access. `undefined`: it names no end. */
  readonly deactivatesAt: Instant | undefined
  /** Of the subject: the normalised identity of the last login, and its version. */
  readonly claims: unknown
  readonly claimsVersion: number
  /** What the directory of the connection says of her beside them, and its version; null where it decides nothing. */
  readonly directorySays: unknown
  readonly directoryVersion: number
  readonly policyVersion: number
  readonly configurationVersion: number
}

type Row = {
  id: BrowserSessionId
  subject_id: SubjectId
  connection_id: ConnectionId
  tenant_epoch: number
  connection_epoch: number
  subject_epoch: number
  acr: string | null
  amr: string[]
  authenticated_at: Instant | null
  created_at: Instant
  expires_at: Instant
  factors_reset_at: Instant | null
  deactivates_at: Instant | null
  claims: unknown
  claims_version: number
  directory_says: unknown
  directory_version: number
  scim_user_id: ScimUserId | null
  policy_version: number
  configuration_version: number
}

/** Live: not ended, not expired, at its own issuer, every epoch current, tenant, connection, subject and SCIM user in good standing. */
const findStatement = hotStatement({
  name: 'find_live_browser_session',
  tenantParameter: 1,
  text: `SELECT s.id, s.subject_id, s.connection_id, s.tenant_epoch, s.connection_epoch, s.subject_epoch, s.acr, s.amr, s.authenticated_at,
      s.created_at, s.expires_at, p.factors_reset_at, p.deactivates_at, p.claims, p.claims_version, c.directory_version,
      ${directorySays({ connection: 'p.connection_id', user: 'p.scim_user_id' })} AS directory_says, t.policy_version, t.configuration_version
    FROM browser_sessions AS s
    JOIN tenants AS t ON t.id = s.tenant_id AND t.epoch = s.tenant_epoch AND t.suspended_at IS NULL
    JOIN connections AS c ON c.tenant_id = s.tenant_id AND c.id = s.connection_id AND c.epoch = s.connection_epoch AND c.disabled_at IS NULL
    JOIN subjects AS p ON p.tenant_id = s.tenant_id AND p.id = s.subject_id AND p.epoch = s.subject_epoch AND p.deactivated_at IS NULL
      AND (p.deactivates_at <= $4) IS NOT TRUE
    LEFT JOIN scim_users AS u ON u.tenant_id = s.tenant_id AND u.id = p.scim_user_id
    WHERE s.tenant_id = $1 AND s.handle_hash = $2 AND s.issuer_id = $3 AND s.ended_at IS NULL AND ${judged('s.expires_at > $4')}
      AND (u.id IS NULL OR (u.active AND u.deleted_at IS NULL))`,
})

export async function findLiveBrowserSession(
  hot: HotDb,
  tenant: TenantId,
  wanted: { readonly handleHash: CredentialHash; readonly issuerId: IssuerId; readonly now: Instant },
): Promise<LiveBrowserSession | undefined> {
  const { rows } = await hot.query<Row>(findStatement, [tenant, wanted.handleHash, wanted.issuerId, toTimestamp(wanted.now)])
  const row = rows[0]
  return (
    row && {
      id: row.id,
      subjectId: row.subject_id,
      connectionId: row.connection_id,
      epochs: { tenant: row.tenant_epoch, connection: row.connection_epoch, subject: row.subject_epoch },
      acr: row.acr ?? undefined,
      amr: row.amr,
      authenticatedAt: row.authenticated_at ?? undefined,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      factorsResetAt: row.factors_reset_at ?? undefined,
      deactivatesAt: row.deactivates_at ?? undefined,
      claims: row.claims,
      claimsVersion: row.claims_version,
      directorySays: row.directory_says,
      directoryVersion: row.directory_version,
      policyVersion: row.policy_version,
      configurationVersion: row.configuration_version,
    }
  )
}
