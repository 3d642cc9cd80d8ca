/** Endpoints that hear what happened to access: as an admin makes, pauses and changes them. Secrets arrive here sealed. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { type WebhookEvent, type WebhookMessage, webhookLimits } from '@drawbridge/core/revocation/webhook'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { type MomentPosition, momentParameters, type Page } from './admin-page.js'
import { deliveriesChannel } from './deliveries.js'
import { type Db, toTimestamp } from './transaction.js'

export type WebhookEndpoint = {
  readonly id: string
  readonly name: string
  readonly url: string
  readonly events: readonly WebhookEvent[]
  readonly createdAt: Instant
  readonly pausedAt: Instant | null
  readonly disabledAt: Instant | null
  /** Until then the former secret signs, too. */
  readonly formerUntil: Instant | null
  /** Since when every call of it has failed. */
  readonly failingSince: Instant | null
}

const columns = `w.id, w.name, w.url, w.events, w.created_at AS "createdAt", w.paused_at AS "pausedAt", w.disabled_at AS "disabledAt",
  w.former_until AS "formerUntil", t.failing_since AS "failingSince"`
const from = 'webhook_endpoints w JOIN delivery_destinations t ON t.tenant_id = w.tenant_id AND t.id = w.id'

/** Oldest first. */
export async function listWebhooks(db: Db, tenant: TenantId, page: Page<MomentPosition>): Promise<readonly WebhookEndpoint[]> {
  const { rows } = await db.query<WebhookEndpoint>(
    `SELECT ${columns} FROM ${from} WHERE w.tenant_id = $1 AND ($2::timestamptz IS NULL OR (w.created_at, w.id) > ($2, $3::uuid))
     ORDER BY w.created_at, w.id LIMIT $4`,
    [tenant, ...momentParameters(page)],
  )
  return rows
}

export async function findWebhook(db: Db, tenant: TenantId, id: string): Promise<WebhookEndpoint | undefined> {
  const { rows } = await db.query<WebhookEndpoint>(`SELECT ${columns} FROM ${from} WHERE w.tenant_id = $1 AND w.id = $2`, [tenant, id])
  return rows[0]
}

export type NewWebhook = {
  readonly id: string
  readonly name: string
  readonly url: string
  readonly events: readonly WebhookEvent[]
  readonly sealedSecret: Buffer
  readonly now: Instant
}

/** False: the tenant has as many as it may. Callers at the same time wait for each other. */
export async function insertWebhook(db: Db, tenant: TenantId, made: NewWebhook): Promise<boolean> {
  await db.query("SELECT pg_advisory_xact_lock(hashtextextended('webhooks ' || $1::text, 0))", [tenant])
  const { rows } = await db.query<{ count: number }>('SELECT count(*)::int AS count FROM webhook_endpoints WHERE tenant_id = $1', [tenant])
  if ((rows[0]?.count ?? 0) >= webhookLimits.endpoints) return false
  await db.query(
    `INSERT INTO webhook_endpoints (tenant_id, id, name, url, events, sealed_secret, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [tenant, made.id, made.name, made.url, made.events, made.sealedSecret, toTimestamp(made.now)],
  )
  await db.query("INSERT INTO delivery_destinations (tenant_id, id, kind, endpoint_id, origin) VALUES ($1, $2, 'webhook', $2, $3)", [
    ...[tenant, made.id, new URL(made.url).origin],
  ])
  return true
}

export type WebhookChange = {
  readonly name?: string | undefined
  readonly url?: string | undefined
  readonly events?: readonly WebhookEvent[] | undefined
}

/** What is left out stays. Answers whether there was one. */
export async function updateWebhook(db: Db, tenant: TenantId, id: string, change: WebhookChange): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE webhook_endpoints SET name = coalesce($3, name), url = coalesce($4, url), events = coalesce($5::text[], events)
     WHERE tenant_id = $1 AND id = $2`,
    [tenant, id, change.name ?? null, change.url ?? null, change.events ?? null],
  )
  // Another address has not failed yet.
  if (rowCount === 1 && change.url !== undefined)
    await db.query(
      'UPDATE delivery_destinations SET paused_until = NULL, failures = 0, failing_since = NULL WHERE tenant_id = $1 AND id = $2',
      [tenant, id],
    )
  return rowCount === 1
}

/** Its deliveries go with it, also those that wait. */
export async function deleteWebhook(db: Db, tenant: TenantId, id: string): Promise<boolean> {
  return (await db.query('DELETE FROM webhook_endpoints WHERE tenant_id = $1 AND id = $2', [tenant, id])).rowCount === 1
}

/** Its sealed secret, held until the transaction ends: of two that replace it one waits for the other. */
export async function lockWebhookSecret(db: Db, tenant: TenantId, id: string): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ sealed: Buffer }>(
    'SELECT sealed_secret AS sealed FROM webhook_endpoints WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
    [tenant, id],
  )
  return rows[0]?.sealed
}

/** The new secret signs from now on, and the one before it beside it for a named time. What was former until now is gone. */
export async function replaceWebhookSecret(
  db: Db,
  tenant: TenantId,
  id: string,
  secrets: { readonly sealed: Buffer; readonly sealedFormer: Buffer; readonly now: Instant },
): Promise<void> {
  await db.query(
    'UPDATE webhook_endpoints SET sealed_secret = $3, sealed_former_secret = $4, former_until = $5 WHERE tenant_id = $1 AND id = $2',
    [tenant, id, secrets.sealed, secrets.sealedFormer, toTimestamp(addSeconds(secrets.now, webhookLimits.formerSecretSeconds))],
  )
}

/** News waits. Answers whether there is such an endpoint. */
export async function pauseWebhook(db: Db, tenant: TenantId, id: string, now: Instant): Promise<boolean> {
  const { rowCount } = await db.query('UPDATE webhook_endpoints SET paused_at = coalesce(paused_at, $3) WHERE tenant_id = $1 AND id = $2', [
    tenant,
    id,
    toTimestamp(now),
  ])
  await db.query('UPDATE delivery_destinations SET held_at = coalesce(held_at, $3) WHERE tenant_id = $1 AND id = $2', [
    ...[tenant, id, toTimestamp(now)],
  ])
  return rowCount === 1
}

/** News goes on at once, also of an endpoint that had been disabled: what it missed then was not kept. */
export async function resumeWebhook(db: Db, tenant: TenantId, id: string): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE webhook_endpoints SET paused_at = NULL, disabled_at = NULL WHERE tenant_id = $1 AND id = $2',
    [tenant, id],
  )
  await db.query(
    `WITH opened AS (
       UPDATE delivery_destinations SET held_at = NULL, paused_until = NULL, failures = 0, failing_since = NULL WHERE tenant_id = $1 AND id = $2 RETURNING id)
     SELECT pg_notify('${deliveriesChannel}', '') FROM opened`,
    [tenant, id],
  )
  return rowCount === 1
}

/**
 * There is no more news for it until an admin says so. Answers its name; undefined: it was removed, or disabled already, or is told at another
 * address than `url` by now.
 */
export async function disableWebhook(
  db: Db,
  tenant: TenantId,
  { id, url, now }: { readonly id: string; readonly url: string | undefined; readonly now: Instant },
): Promise<string | undefined> {
  const { rows } = await db.query<{ name: string }>(
    `UPDATE webhook_endpoints SET disabled_at = $3
     WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NULL AND ($4::text IS NULL OR url = $4) RETURNING name`,
    [tenant, id, toTimestamp(now), url ?? null],
  )
  return rows[0]?.name
}

/** One message to one endpoint, whatever it has chosen. */
export async function insertWebhookTest(
  db: Db,
  tenant: TenantId,
  test: { readonly endpoint: string; readonly id: string; readonly message: WebhookMessage; readonly now: Instant },
): Promise<void> {
  await db.query(
    `WITH written AS (
       INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, due_at, created_at, begun_at)
       VALUES ($1, $2, $3, $7, 0, $2, $4, $5, $6, $6, $6) RETURNING id)
     SELECT pg_notify('${deliveriesChannel}', '') FROM written`,
    [tenant, test.id, test.endpoint, test.message.type, JSON.stringify(test.message), toTimestamp(test.now), test.id],
  )
}
