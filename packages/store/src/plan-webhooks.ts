/** Which endpoints hear of what, written as deliveries in the transaction of the sweep: those of the tenant, and those of the vendor for all tenants. */
import type { Instant } from '@drawbridge/core/instant'
import type { DeprovisioningSource, DeprovisioningTarget } from '@drawbridge/core/revocation/deprovisioning-event'
import type { ToldEnd, WebhookMessage } from '@drawbridge/core/revocation/webhook'
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { deliveriesChannel } from './deliveries.js'
import { isLetIn } from './deprovisioning.js'
import { keptStatement } from './kept-statements.js'
import { type AcrossDb, asUuid, toTimestamp } from './transaction.js'
import { isOutSinceRestore } from './unnamed-people.js'

const listening = 'w.tenant_id = ANY (ARRAY[$1::uuid, $2::uuid]) AND w.disabled_at IS NULL'

const anyListener = keptStatement(`SELECT 1 FROM webhook_endpoints w WHERE ${listening} LIMIT 1`)

/** Whether anybody hears anything of this tenant: asked first, because mostly nobody does. */
export async function isAnybodyListening(db: AcrossDb, tenant: TenantId): Promise<boolean> {
  const { rowCount } = await db.query(anyListener, [tenant, vendorTenantId])
  return rowCount > 0
}

export type News = {
  readonly tenant: TenantId
  readonly eventId: string
  readonly orderKey: string
  readonly sequence: number
  readonly now: Instant
  readonly messages: readonly WebhookMessage[]
}

/** Each message to each endpoint that has chosen its kind. Twice is once. Answers how many deliveries there are. */
export async function planWebhooks(db: AcrossDb, { tenant, eventId, orderKey, sequence, now, messages }: News): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `WITH written AS (
       INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, due_at, created_at, begun_at)
       SELECT w.tenant_id, gen_random_uuid(), w.id, $3, $4, $5, m.message ->> 'type', m.message, $6, $6, $6
         FROM webhook_endpoints w, jsonb_array_elements($7::jsonb) WITH ORDINALITY AS m (message, ordinal)
        WHERE ${listening} AND m.message ->> 'type' = ANY (w.events) ORDER BY w.tenant_id, w.id, m.ordinal
       ON CONFLICT (tenant_id, event_id, destination_id, order_key, part) DO NOTHING RETURNING id)
     SELECT count(*)::int AS count, (SELECT pg_notify('${deliveriesChannel}', '') FROM written LIMIT 1)::text AS notified FROM written`,
    [tenant, vendorTenantId, orderKey, sequence, eventId, toTimestamp(now), JSON.stringify(messages)],
  )
  return rows[0]?.count ?? 0
}

/**
 * Holds the news of one person until the transaction ends: what is written of her is written one after the other, so that nobody hears that she is back
 * behind hearing that she is gone again.
 */
export async function holdNewsOf(db: AcrossDb, tenant: TenantId, subjectId: string): Promise<void> {
  await db.query("SELECT pg_advisory_xact_lock(hashtextextended('news ' || $1::text || $2::text, 0))", [tenant, subjectId])
}

const iso = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

type EndRow = {
  tenant: string
  source: DeprovisioningSource
  target: DeprovisioningTarget
  targetId: string
  toldAt: string | null
  barrierAt: string
  grantSubject: string | null
  grantClient: string | null
}

/** What an event says to those who are told of it. Undefined: no such event, which only a mistake of ours can bring. */
export async function findToldEnd(
  db: AcrossDb,
  tenant: TenantId,
  event: { readonly id: string; readonly sequence: number; readonly isDeactivated: boolean },
): Promise<ToldEnd | undefined> {
  const { rows } = await db.query<EndRow>(
    `SELECT t.slug AS tenant, e.source, e.target, e.target_id AS "targetId", ${iso('e.told_at')} AS "toldAt", ${iso('e.barrier_at')} AS "barrierAt",
       g.subject_id AS "grantSubject", g.client_id AS "grantClient"
     FROM deprovisioning_events e JOIN tenants t ON t.id = e.tenant_id
     LEFT JOIN grants g ON e.target = 'grant' AND g.tenant_id = e.tenant_id AND g.id = ${asUuid('e.target_id')}
     WHERE e.tenant_id = $1 AND e.id = $2`,
    [tenant, event.id],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  const { grantSubject, grantClient, toldAt, ...told } = row
  return {
    ...told,
    eventId: event.id,
    subject: row.target === 'subject' ? row.targetId : (grantSubject ?? undefined),
    clientId: row.target === 'client' ? row.targetId : (grantClient ?? undefined),
    toldAt: toldAt ?? undefined,
    sequence: event.sequence,
    isDeactivated: event.isDeactivated,
  }
}

/** The tenant's slug, if the person may come in now and nothing of an earlier end of hers is still to be told. */
export async function findReinstated(
  db: AcrossDb,
  tenant: TenantId,
  person: { readonly id: string; readonly entry: number; readonly now: Instant },
): Promise<{ readonly tenant: string; readonly isBack: boolean; readonly isEarlierUntold: boolean } | undefined> {
  const { rows } = await db.query<{ tenant: string; isBack: boolean; isEarlierUntold: boolean }>(
    `SELECT t.slug AS tenant, ${isLetIn('s', '$4')} AND NOT ${isOutSinceRestore('s')} AS "isBack",
       EXISTS (SELECT 1 FROM outbox o WHERE o.tenant_id = $1 AND o.id < $3 AND o.done_at IS NULL AND o.kind = 'revoke'
         AND o.payload ->> 'targetId' = $2::text) AS "isEarlierUntold"
     FROM subjects s JOIN tenants t ON t.id = s.tenant_id WHERE s.tenant_id = $1 AND s.id = $2::uuid`,
    [tenant, person.id, person.entry, toTimestamp(person.now)],
  )
  return rows[0]
}

/** What the worker calls, and with what it signs. */
export type ToldEndpoint = {
  readonly url: string
  readonly sealedSecret: Buffer
  readonly sealedFormerSecret: Buffer | null
}

/** Undefined: it is gone, or disabled. The former secret signs until its time is over. */
export async function findToldEndpoint(db: AcrossDb, tenant: TenantId, id: string, now: Instant): Promise<ToldEndpoint | undefined> {
  const { rows } = await db.query<ToldEndpoint>(
    `SELECT url, sealed_secret AS "sealedSecret", CASE WHEN former_until > $3 THEN sealed_former_secret END AS "sealedFormerSecret"
       FROM webhook_endpoints WHERE tenant_id = $1 AND id = $2 AND disabled_at IS NULL`,
    [tenant, id, toTimestamp(now)],
  )
  return rows[0]
}

/** Secrets whose time is over rest nowhere. */
export async function eraseFormerSecretsAcrossTenants(db: AcrossDb, now: Instant): Promise<number> {
  const { rowCount } = await db.query(
    'UPDATE webhook_endpoints SET sealed_former_secret = NULL, former_until = NULL WHERE former_until <= $1',
    [toTimestamp(now)],
  )
  return rowCount
}
