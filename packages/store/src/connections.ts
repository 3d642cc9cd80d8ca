/** A tenant's configured IdPs; whose assertions it accepts beside them is in `assertion-trusts`. The configuration is JSON that `upstream` parses when it reads it; the secret in it is sealed apart. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import type { Database } from './database.js'
import { acrossTenants, type Db, toTimestamp } from './transaction.js'

export type ConnectionKind = 'saml' | 'oidc'

export type StoredConnection = {
  readonly id: ConnectionId
  readonly kind: ConnectionKind
  readonly name: string
  readonly configuration: unknown
  readonly sealedSecret: Buffer | undefined
  readonly epoch: number
  readonly barrierAt: Instant | undefined
  readonly disabledAt: Instant | undefined
  /** Until when signatures with SHA-1 of a SAML IdP are believed. */
  readonly sha1Until: Instant | undefined
  /** Since when nobody comes in but whom the directory has created since: after a restore. */
  readonly resyncDemandedAt: Instant | undefined
  readonly createdAt: Instant
}

type Row = {
  id: ConnectionId
  kind: ConnectionKind
  name: string
  configuration: unknown
  sealed_secret: Buffer | null
  epoch: number
  barrier_at: Instant | null
  disabled_at: Instant | null
  sha1_until: Instant | null
  resync_demanded_at: Instant | null
  created_at: Instant
}

/** A browser can be sent to it. */
const isLogin = `kind <> 'assertion'`
const columns = 'id, kind, name, configuration, sealed_secret, epoch, barrier_at, disabled_at, sha1_until, resync_demanded_at, created_at'

const toConnection = (row: Row): StoredConnection => ({
  id: row.id,
  kind: row.kind,
  name: row.name,
  configuration: row.configuration,
  sealedSecret: row.sealed_secret ?? undefined,
  epoch: row.epoch,
  barrierAt: row.barrier_at ?? undefined,
  disabledAt: row.disabled_at ?? undefined,
  sha1Until: row.sha1_until ?? undefined,
  resyncDemandedAt: row.resync_demanded_at ?? undefined,
  createdAt: row.created_at,
})

export type ConnectionDraft = {
  readonly id: ConnectionId
  readonly kind: ConnectionKind
  readonly name: string
  readonly configuration: unknown
  readonly sealedSecret?: Buffer | undefined
  readonly now: Instant
}

export async function insertConnection(db: Db, tenant: TenantId, draft: ConnectionDraft): Promise<void> {
  await db.query(
    'INSERT INTO connections (tenant_id, id, kind, name, configuration, sealed_secret, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [tenant, draft.id, draft.kind, draft.name, JSON.stringify(draft.configuration), draft.sealedSecret ?? null, toTimestamp(draft.now)],
  )
}

/**
 * Answers whether there was such a connection. The kind is fixed: another kind is another connection with other subjects. Without
 * `sealedSecret` the one that is kept stays; `null` removes it.
 */
export async function updateConnection(
  db: Db,
  tenant: TenantId,
  id: ConnectionId,
  change: { readonly name: string; readonly configuration: unknown; readonly sealedSecret?: Buffer | null | undefined },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE connections SET name = $3, configuration = $4, sealed_secret = CASE WHEN $6 THEN NULL ELSE COALESCE($5, sealed_secret) END
     WHERE tenant_id = $1 AND id = $2 AND ${isLogin}`,
    [tenant, id, change.name, JSON.stringify(change.configuration), change.sealedSecret ?? null, change.sealedSecret === null],
  )
  return rowCount === 1
}

export async function markConnectionDisabled(db: Db, tenant: TenantId, id: ConnectionId, at: Instant | undefined): Promise<boolean> {
  const { rowCount } = await db.query(`UPDATE connections SET disabled_at = $3 WHERE tenant_id = $1 AND id = $2 AND ${isLogin}`, [
    tenant,
    id,
    at === undefined ? null : toTimestamp(at),
  ])
  return rowCount === 1
}

/** Until when, or not at all. Answers whether there is such a SAML connection. */
export async function allowSha1(db: Db, tenant: TenantId, id: ConnectionId, until: Instant | undefined): Promise<boolean> {
  const { rowCount } = await db.query(`UPDATE connections SET sha1_until = $3 WHERE tenant_id = $1 AND id = $2 AND kind = 'saml'`, [
    tenant,
    id,
    until === undefined ? null : toTimestamp(until),
  ])
  return rowCount === 1
}

/** After a barrier that says nothing of how old a sign-in may be: the epoch has ended what was made, and the time of the last barrier before counts. */
export async function putBackBarrierTime(
  db: Db,
  tenant: TenantId,
  { id, barrierAt }: Pick<StoredConnection, 'id' | 'barrierAt'>,
): Promise<void> {
  await db.query('UPDATE connections SET barrier_at = $3 WHERE tenant_id = $1 AND id = $2', [
    tenant,
    id,
    barrierAt === undefined ? null : toTimestamp(barrierAt),
  ])
}

export async function findConnection(db: Db, tenant: TenantId, id: ConnectionId): Promise<StoredConnection | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM connections WHERE tenant_id = $1 AND id = $2 AND ${isLogin}`, [tenant, id])
  return rows[0] && toConnection(rows[0])
}

/** The same, and nobody else changes it before this transaction ends: for a change that is decided upon what is there. */
export async function lockConnection(db: Db, tenant: TenantId, id: ConnectionId): Promise<StoredConnection | undefined> {
  const { rows } = await db.query<Row>(`SELECT ${columns} FROM connections WHERE tenant_id = $1 AND id = $2 AND ${isLogin} FOR UPDATE`, [
    tenant,
    id,
  ])
  return rows[0] && toConnection(rows[0])
}

/** Oldest first. */
export async function listConnections(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly StoredConnection[]> {
  const { rows } = await db.query<Row>(
    `SELECT ${columns} FROM connections WHERE tenant_id = $1 AND ${isLogin} AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
     ORDER BY created_at, id LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows.map(toConnection)
}

/** All of them: what names one is held against these. */
export async function listConnectionIds(db: Db, tenant: TenantId): Promise<readonly ConnectionId[]> {
  const { rows } = await db.query<Pick<Row, 'id'>>(`SELECT id FROM connections WHERE tenant_id = $1 AND ${isLogin}`, [tenant])
  return rows.map(({ id }) => id)
}

/**
 * Removes a connection that nothing refers to; answers whether there was one. The schema refuses one that people signed in through, or
 * that a domain or a SCIM token names: their history keeps it, and a kill ends it.
 */
export async function deleteConnection(db: Db, tenant: TenantId, id: ConnectionId): Promise<boolean> {
  const { rowCount } = await db.query(`DELETE FROM connections WHERE tenant_id = $1 AND id = $2 AND ${isLogin}`, [tenant, id])
  return rowCount === 1
}

/** So many are named: whoever has more has one cause. */
export const mostDoubtfulUpstreams = 100

/**
 * Where enabled connections of all tenants send a person, without those whose address is plainly a public name behind https: the few that may
 * be this machine, for a start that tells of them; at most `mostDoubtfulUpstreams`. Whether one is, the caller says; whatever is written
 * oddly is among them. Trusts are not: what they call an issuer is a name.
 */
export async function listDoubtfulUpstreamsAcrossTenants(
  database: Database,
): Promise<readonly { readonly id: ConnectionId; readonly tenantId: TenantId; readonly name: string; readonly url: string }[]> {
  const text = `SELECT id, tenant_id AS "tenantId", name, url
    FROM connections, LATERAL (SELECT coalesce(configuration ->> 'ssoUrl', configuration ->> 'issuer', '') AS url) AS upstream
    WHERE disabled_at IS NULL AND ${isLogin}
      AND (url !~* '^https://([a-z0-9-]+[.])+[a-z][a-z0-9-]*(:[0-9]+)?([/?#]|$)' OR url ~* '^https://[^/?#]*[.]localhost(:[0-9]+)?([/?#]|$)')
    LIMIT ${mostDoubtfulUpstreams}`
  return (await acrossTenants(database, (db) => db.query<{ id: ConnectionId; tenantId: TenantId; name: string; url: string }>(text))).rows
}
