/** Our keys before OpenID providers: a set per connection, private halves sealed. A partial unique index lets one of a connection be active. */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { type Db, toTimestamp } from './transaction.js'

export type ConnectionKeyAlgorithm = 'RS256' | 'PS256' | 'ES256'
export type ConnectionKeyState = 'next' | 'active' | 'retired'

export type ConnectionKeyDraft = {
  readonly id: string
  readonly connectionId: ConnectionId
  readonly algorithm: ConnectionKeyAlgorithm
  readonly publicJwk: Readonly<Record<string, unknown>>
  /** PEM. */
  readonly certificate: string | undefined
  readonly sealedPrivateKey: Buffer
  readonly now: Instant
}
export type StoredConnectionKey = Omit<ConnectionKeyDraft, 'now'> & {
  readonly state: ConnectionKeyState
  readonly createdAt: Instant
  readonly activatedAt: Instant | undefined
  readonly retiredAt: Instant | undefined
}

type Row = {
  id: string
  connection_id: ConnectionId
  algorithm: ConnectionKeyAlgorithm
  state: ConnectionKeyState
  public_jwk: Readonly<Record<string, unknown>>
  certificate: string | null
  sealed_private_key: Buffer
  created_at: Instant
  activated_at: Instant | null
  retired_at: Instant | null
}

const toKey = (row: Row): StoredConnectionKey => ({
  id: row.id,
  connectionId: row.connection_id,
  algorithm: row.algorithm,
  state: row.state,
  publicJwk: row.public_jwk,
  certificate: row.certificate ?? undefined,
  sealedPrivateKey: row.sealed_private_key,
  createdAt: row.created_at,
  activatedAt: row.activated_at ?? undefined,
  retiredAt: row.retired_at ?? undefined,
})

/** Whoever changes the keys of a connection has its row first, so that two changes never see the same active key. False: no such connection. */
async function lockConnection(db: Db, tenant: TenantId, connection: ConnectionId): Promise<boolean> {
  const text = `SELECT 1 FROM connections WHERE tenant_id = $1 AND id = $2 AND kind = 'oidc' FOR UPDATE`
  return (await db.query(text, [tenant, connection])).rowCount === 1
}

/** Oldest first. */
export async function listConnectionKeys(db: Db, tenant: TenantId, connection: ConnectionId): Promise<readonly StoredConnectionKey[]> {
  const { rows } = await db.query<Row>(
    `SELECT id, connection_id, algorithm, state, public_jwk, certificate, sealed_private_key, created_at, activated_at, retired_at
     FROM connection_keys WHERE tenant_id = $1 AND connection_id = $2 ORDER BY created_at, id`,
    [tenant, connection],
  )
  return rows.map(toKey)
}

/** One that signs, one that will, and those that did until a moment ago. */
export const mostConnectionKeys = 4

/** The first key signs at once, because nothing did before; every later one waits until it is activated. */
export async function insertConnectionKey(
  db: Db,
  tenant: TenantId,
  draft: ConnectionKeyDraft,
): Promise<ConnectionKeyState | 'no_connection' | 'enough'> {
  if (!(await lockConnection(db, tenant, draft.connectionId))) return 'no_connection'
  if ((await listConnectionKeys(db, tenant, draft.connectionId)).length >= mostConnectionKeys) return 'enough'
  const { rows } = await db.query<{ state: ConnectionKeyState }>(
    `INSERT INTO connection_keys (tenant_id, id, connection_id, algorithm, state, public_jwk, certificate, sealed_private_key, created_at, activated_at)
     SELECT $1, $2, $3, $4, CASE WHEN first THEN 'active' ELSE 'next' END, $5, $6, $7, $8, CASE WHEN first THEN $8::timestamptz END
     FROM (SELECT NOT EXISTS (SELECT 1 FROM connection_keys WHERE tenant_id = $1 AND connection_id = $3 AND state = 'active') AS first) AS place
     RETURNING state`,
    [
      ...[tenant, draft.id, draft.connectionId, draft.algorithm, JSON.stringify(draft.publicJwk), draft.certificate ?? null],
      ...[draft.sealedPrivateKey, toTimestamp(draft.now)],
    ],
  )
  return rows[0]?.state ?? 'next'
}

type Named = { readonly connectionId: ConnectionId; readonly kid: string; readonly now: Instant }

/** From now on this key signs. The one before is retired and stays published, for what it signed a moment ago. False: nothing changed. */
export async function activateConnectionKey(db: Db, tenant: TenantId, { connectionId, kid, now }: Named): Promise<boolean> {
  if (!(await lockConnection(db, tenant, connectionId))) return false
  const mine = [tenant, connectionId, kid, toTimestamp(now)]
  const waiting = `SELECT 1 FROM connection_keys WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND state <> 'active'`
  await db.query(
    `UPDATE connection_keys SET state = 'retired', retired_at = $4
     WHERE tenant_id = $1 AND connection_id = $2 AND state = 'active' AND EXISTS (${waiting})`,
    mine,
  )
  const { rowCount } = await db.query(
    `UPDATE connection_keys SET state = 'active', activated_at = $4, retired_at = NULL
     WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND state <> 'active'`,
    mine,
  )
  return rowCount === 1
}

/** The active key stays: activate another one first. */
export async function deleteConnectionKey(
  db: Db,
  tenant: TenantId,
  { connectionId, kid }: Omit<Named, 'now'>,
): Promise<'deleted' | 'active' | 'absent'> {
  const parameters = [tenant, connectionId, kid]
  const text = `DELETE FROM connection_keys WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND state <> 'active'`
  if ((await db.query(text, parameters)).rowCount === 1) return 'deleted'
  const left = await db.query('SELECT 1 FROM connection_keys WHERE tenant_id = $1 AND connection_id = $2 AND id = $3', parameters)
  return left.rowCount === 1 ? 'active' : 'absent'
}
