/**
 * With what a tenant's directory speaks SCIM, each bound to the connection whose people it provisions: bearer tokens, kept as hashes, and OAuth
 * clients, whose access tokens are judged like any other.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Epochs } from '@drawbridge/core/revocation/epochs'
import { coversScope, type ScimScope, wholeScimScope } from '@drawbridge/core/scim/scope'
import type { ClientId, ConnectionId, CredentialHash, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { insertAuditEvent } from './audit-events.js'
import { epochsOf, type GrantBarrierRow, grantBarrierColumns, grantStateJoins } from './grants.js'
import { markProvisioningModeIfUndecided } from './tenants.js'
import { type Db, type HotDb, hotStatement, toTimestamp } from './transaction.js'

export type ScimToken = {
  readonly id: string
  readonly connectionId: ConnectionId
  readonly name: string
  /** The OAuth client that proves itself; absent: a secret does. */
  readonly clientId: ClientId | undefined
  readonly scope: ScimScope
  readonly createdAt: Instant
  readonly expiresAt: Instant | undefined
  readonly revokedAt: Instant | undefined
  readonly lastUsedAt: Instant | undefined
}

type Row = {
  id: string
  connection_id: ConnectionId
  name: string
  client_id: ClientId | null
  scope: ScimScope
  created_at: Instant
  expires_at: Instant | null
  revoked_at: Instant | null
  last_used_at: Instant | null
}

const columns = 'id, connection_id, name, client_id, scope, created_at, expires_at, revoked_at, last_used_at'
const toToken = (row: Row): ScimToken => ({
  id: row.id,
  connectionId: row.connection_id,
  name: row.name,
  clientId: row.client_id ?? undefined,
  scope: row.scope,
  createdAt: row.created_at,
  expiresAt: row.expires_at ?? undefined,
  revokedAt: row.revoked_at ?? undefined,
  lastUsedAt: row.last_used_at ?? undefined,
})

type NewScimTokenCommon = {
  readonly id: string
  readonly connectionId: ConnectionId
  readonly name: string
  /** Absent: whatever a token may. */
  readonly scope?: ScimScope | undefined
  /** Absent: never; Entra puts an expired token's job into quarantine. */
  readonly expiresAt?: Instant | undefined
  readonly now: Instant
}
/** Proven by a secret, or by an OAuth client of the tenant. */
export type NewScimToken = NewScimTokenCommon &
  ({ readonly secretHash: CredentialHash } | { readonly client: { readonly issuerId: IssuerId; readonly clientId: ClientId } })

/**
 * A tenant whose directory speaks SCIM lets nobody in whom that directory does not know: the first token that may tell of people chooses so, unless an
 * admin has chosen before, and the trail says it. Revoking the token takes nothing of that back.
 */
export async function insertScimToken(db: Db, tenant: TenantId, token: NewScimToken): Promise<void> {
  await db.query(
    `INSERT INTO scim_tokens (tenant_id, id, connection_id, name, secret_hash, issuer_id, client_id, created_at, expires_at, scope)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      tenant,
      token.id,
      token.connectionId,
      token.name,
      ...('client' in token ? [null, token.client.issuerId, token.client.clientId] : [token.secretHash, null, null]),
      toTimestamp(token.now),
      token.expiresAt === undefined ? null : toTimestamp(token.expiresAt),
      token.scope ?? wholeScimScope,
    ],
  )
  if (!coversScope(token.scope ?? wholeScimScope, 'scim:users')) return
  if (!(await markProvisioningModeIfUndecided(db, tenant, 'scim_only'))) return
  const detail = { mode: 'scim_only', token: token.id }
  await insertAuditEvent(db, tenant, { at: token.now, kind: 'tenant.provisioning_changed', reason: 'first_scim_token', detail })
}

/** How exact `last_used_at` is: a sync of thousands of people must not write this row thousands of times. */
const useRecordedEverySeconds = 60

const livingStatement = hotStatement({
  name: 'find_living_scim_token',
  tenantParameter: 1,
  text: `WITH living AS (
       SELECT ${columns} FROM scim_tokens
       WHERE tenant_id = $1 AND secret_hash = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
     ), used AS (
       UPDATE scim_tokens SET last_used_at = $3 FROM living
       WHERE scim_tokens.tenant_id = $1 AND scim_tokens.id = living.id
         AND (living.last_used_at IS NULL OR living.last_used_at < $3::timestamptz - make_interval(secs => ${useRecordedEverySeconds}))
     )
     SELECT ${columns}, (SELECT configuration_version FROM tenants WHERE id = $1) AS configuration_version FROM living`,
})

/**
 * The living token of this tenant with this hash, and what version the tenant's configuration is of now; notes its use. Undefined for a stranger's, a revoked,
 * an expired one alike.
 */
export async function findLivingScimToken(
  hot: HotDb,
  tenant: TenantId,
  hash: CredentialHash,
  now: Instant,
): Promise<(ScimToken & { readonly configurationVersion: number }) | undefined> {
  const { rows } = await hot.query<Row & { configuration_version: number }>(livingStatement, [tenant, hash, toTimestamp(now)])
  return rows[0] && { ...toToken(rows[0]), configurationVersion: rows[0].configuration_version }
}

/** What the grant of a client's access token for SCIM hangs on, and what the client may speak for. */
export type ScimClientState = {
  /** Of the binding, which every access token of the client shares. */
  readonly tokenId: string
  readonly connectionId: ConnectionId
  /** Of the binding: no access token says more. */
  readonly scope: ScimScope
  readonly epochs: Epochs
  readonly scopes: readonly string[]
  readonly configurationVersion: number
}

type ClientRow = GrantBarrierRow & { token_id: string; connection_id: ConnectionId; bound_scope: ScimScope }

/**
 * The binding of the client to whom a grant belongs, with the barrier of that grant, read now; notes the use. Undefined for a grant of a person, for
 * another audience, for a client that an admin bound to nothing, and for whatever is dead or to be decided again.
 */
export async function findScimClient(
  db: Db,
  tenant: TenantId,
  asked: { readonly grantId: string; readonly issuerId: IssuerId; readonly audience: string; readonly now: Instant },
): Promise<ScimClientState | undefined> {
  const { rows } = await db.query<ClientRow>(
    `WITH bound AS (
       SELECT st.id AS token_id, st.connection_id, st.scope AS bound_scope, st.last_used_at, ${grantBarrierColumns}
       FROM grants g ${grantStateJoins}
       JOIN scim_tokens st ON st.tenant_id = $1 AND st.issuer_id = g.issuer_id AND st.client_id = g.client_id
         AND st.revoked_at IS NULL AND (st.expires_at IS NULL OR st.expires_at > $2)
       WHERE g.tenant_id = $1 AND g.id = $3 AND g.issuer_id = $4 AND g.audience = $5 AND g.subject_id IS NULL
     ), used AS (
       UPDATE scim_tokens SET last_used_at = $2 FROM bound
       WHERE scim_tokens.tenant_id = $1 AND scim_tokens.id = bound.token_id AND bound.grant_refusal IS NULL
         AND (bound.last_used_at IS NULL OR bound.last_used_at < $2::timestamptz - make_interval(secs => ${useRecordedEverySeconds}))
     )
     SELECT * FROM bound`,
    [tenant, toTimestamp(asked.now), asked.grantId, asked.issuerId, asked.audience],
  )
  const row = rows[0]
  if (!row || row.grant_refusal !== null || row.unsettled) return undefined
  const { token_id: tokenId, connection_id: connectionId, bound_scope: scope, scopes, configuration_version: configurationVersion } = row
  return { tokenId, connectionId, scope, epochs: epochsOf(row), scopes, configurationVersion }
}

/** Whether the client speaks for a connection already: it may speak for one. */
export async function isScimClient(db: Db, tenant: TenantId, issuerId: IssuerId, clientId: ClientId): Promise<boolean> {
  const { rowCount } = await db.query(
    'SELECT 1 FROM scim_tokens WHERE tenant_id = $1 AND issuer_id = $2 AND client_id = $3 AND revoked_at IS NULL',
    [tenant, issuerId, clientId],
  )
  return rowCount > 0
}

/** Oldest first. */
export async function listScimTokens(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly ScimToken[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM scim_tokens WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
     ORDER BY created_at, id LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows.map(toToken)
}

/** How many tokens of a connection live with one scope: one to be replaced and the one that replaces it, never a third that nobody watches. */
export const mostLivingScimTokens = 2

/** Counts the living tokens of a connection with a scope and holds the connection until the transaction ends, so that of two that count at once one waits. */
export async function countLivingScimTokens(
  db: Db,
  tenant: TenantId,
  { connectionId, scope }: Pick<ScimToken, 'connectionId' | 'scope'>,
  now: Instant,
): Promise<number> {
  await db.query('SELECT 1 FROM connections WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE', [tenant, connectionId])
  const { rows } = await db.query<{ living: number }>(
    `SELECT count(*)::int AS living FROM scim_tokens
     WHERE tenant_id = $1 AND connection_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3) AND scope = $4`,
    [tenant, connectionId, toTimestamp(now), scope],
  )
  return rows[0]?.living ?? 0
}

/** Answers whether a living token was revoked. */
export async function markScimTokenRevoked(db: Db, tenant: TenantId, id: string, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query('UPDATE scim_tokens SET revoked_at = $3 WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL', [
    tenant,
    id,
    toTimestamp(now),
  ])
  return rowCount === 1
}
