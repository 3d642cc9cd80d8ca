/**
 * The streams of guard instances: opened with a snapshot and the position at which the stream goes on, so that nothing lies between.
 * Each belongs to the issuer at which it was opened, and holds nothing of any other.
 *
 * The job that revokes locks the resource's row before it writes. Opening takes the same lock in share mode first and reads the
 * revocations after it: whatever committed earlier is in the snapshot, whatever commits later gets a higher position.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { tellEndedEntry } from '@drawbridge/core/revocation/ended-grants'
import { tellSettledEntry } from '@drawbridge/core/revocation/settled-grants'
import type { CredentialHash, IssuerId, ResourceId, ResourceIdentifier, TenantId } from '@drawbridge/core/tenant/ids'
import { spokenFor } from './issuers.js'
import { given, keptStatement } from './kept-statements.js'
import type { DeprovisioningOfTenant } from './notice-receipts.js'
import { hasLivingGrant, type RevocationTarget } from './revocations.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

/**
 * A guard polls at least every 25 s; one that is silent for this long has stopped, and must take a new snapshot. Longer than any guard believes what it knows
 * after its last poll began: a poll, the longest `deafAfterSeconds`, and what its clock may be set back without a word. A test holds the numbers together.
 */
export const streamLapseSeconds = 155

/** Living streams of guards, of one resource server at one issuer. Each has a receipt of every event, written under a lock that other tenants may wait for. */
export const mostGuardStreams = 1000

/** Barriers that a snapshot tells one by one. A guard has room for a quarter more (`defaultMaxBarriers`), and each is some forty octets. */
export const mostToldBarriers = 100_000
/** Processes that issue have clocks of their own: the floor reaches so far beyond the barrier for which it stands. */
export const floorMarginSeconds = 60

export type ProvenResource = { readonly tenantId: TenantId; readonly resourceId: ResourceId; readonly identifier: ResourceIdentifier }
/**
 * Every living barrier of an issuer: of which tenant, of what kind, below which epoch, and whose ids. An issuer that speaks for one tenant names that one. At the
 * front the ids of clients do not say by themselves whose they are.
 *
 * `floor`: the oldest of a tenant that are too many to be told, as a time in seconds. What was issued for it until then is not to be believed, whatever it says.
 */
export type Barriers = Readonly<
  Record<string, Partial<Readonly<Record<RevocationTarget | 'floor', Readonly<Record<string, readonly string[]>>>>>>
>
/**
 * `position`: of all that were opened together. `barriers`: `Barriers` as JSON. The database writes it and nobody here reads it: it may be megabytes.
 * `condemnedKeys`: ids of the issuer's keys that nobody may believe any more, whatever a cache still holds.
 */
export type Snapshot = { readonly position: number; readonly barriers: string; readonly condemnedKeys: readonly string[] }
/** `opened`: so many of those that were asked for, the first ones. */
export type OpenedStreams = Snapshot & { readonly opened: number }
export type StreamIssuer = { readonly tenantId: TenantId; readonly id: IssuerId }
/** Whose streams: the instances of one resource server that listen to one issuer. */
export type StreamsOf = { readonly resource: ProvenResource; readonly issuer: StreamIssuer }
export type NewStream = { readonly id: string; readonly instance: string }

const provenResource = keptStatement(`SELECT r.tenant_id AS "tenantId", r.id AS "resourceId", r.identifier, c.secret_hash AS "secretHash"
     FROM resource_credentials c JOIN resources r ON r.tenant_id = c.tenant_id AND r.id = c.resource_id
    WHERE c.id = $2 AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > $3)
      AND (EXISTS (SELECT 1 FROM resource_issuers i
                    WHERE i.tenant_id = r.tenant_id AND i.resource_id = r.id AND i.issuer_tenant_id = $1 AND i.issuer_id = $4)
        OR ${hasLivingGrant('$4', '$3')}
        OR EXISTS (SELECT 1 FROM issuers front JOIN issuers member ON member.kind = 'front_member'
                    WHERE front.tenant_id = $1 AND front.id = $4 AND front.kind = 'front' AND ${hasLivingGrant('member.id', '$3')}))`)

/**
 * The resource of a credential, as seen from one issuer: a resource that all tenants share belongs to the vendor, so the look-up
 * crosses tenants and asks instead whether this issuer may mint for it, or could until lately: who is told that its tokens are dead
 * must not be turned away for the reason that killed them.
 */
export async function findResourceCredentialAcrossTenants(
  db: AcrossDb,
  asked: { readonly issuer: StreamIssuer; readonly credentialId: string; readonly now: Instant },
): Promise<(ProvenResource & { readonly secretHash: CredentialHash }) | undefined> {
  const { rows } = await db.query<ProvenResource & { readonly secretHash: CredentialHash }>(provenResource, [
    asked.issuer.tenantId,
    asked.credentialId,
    toTimestamp(asked.now),
    asked.issuer.id,
  ])
  return rows[0]
}

/**
 * Opens streams, which share one snapshot and begin at one position. The snapshot holds barriers that the worker has not swept yet as well.
 *
 * It closes no earlier stream of the same instance: that a new process bears the name does not prove that the old one has ended, and while that one lives it
 * may believe what it was not told. An instance that ends says so itself (`closeStreams`), or lapses.
 *
 * No more are opened than there may be, and then nothing is read; those that are opened elsewhere at the same moment may be a few more.
 */
export async function openStreamsAcrossTenants(
  db: AcrossDb,
  { resource, issuer }: StreamsOf,
  { asked, now }: { readonly asked: readonly NewStream[]; readonly now: Instant },
): Promise<OpenedStreams | undefined> {
  const { tenantId, resourceId } = resource
  const locked = await db.query<{ position: number }>(
    'SELECT notice_position AS position FROM resources WHERE tenant_id = $1 AND id = $2 FOR SHARE',
    [tenantId, resourceId],
  )
  const streams = asked.slice(0, mostGuardStreams - (await countLiving(db, { resource, issuer })))
  if (streams.length === 0) return undefined
  const position = locked.rows[0]?.position ?? 0
  const barriers = await listBarriers(db, issuer, now)
  const condemnedKeys = await listCondemnedKeys(db, issuer)
  await db.query(
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, acknowledged, opened_at, heard_at, issuer_tenant_id, issuer_id)
     SELECT $1, opened.id, $2, opened.instance, $3, $4, $4, $5, $6 FROM unnest($7::uuid[], $8::text[]) AS opened (id, instance)`,
    [
      ...[tenantId, resourceId, position, toTimestamp(now), issuer.tenantId, issuer.id],
      ...[streams.map(({ id }) => id), streams.map(({ instance }) => instance)],
    ],
  )
  return { opened: streams.length, position, barriers, condemnedKeys }
}

/** Up to as many as there may be. */
async function countLiving(db: AcrossDb, { resource, issuer }: StreamsOf): Promise<number> {
  const { rowCount } = await db.query(
    `SELECT 1 FROM notice_streams WHERE tenant_id = $1 AND resource_id = $2 AND issuer_tenant_id = $3 AND issuer_id = $4 AND closed_at IS NULL LIMIT $5`,
    [resource.tenantId, resource.resourceId, issuer.tenantId, issuer.id, mostGuardStreams],
  )
  return rowCount
}

/**
 * In one order, so that the same barriers are the same text. Where they are more than `most`, each tenant keeps its newest, those with few all of them, and the rest of a
 * tenant is its floor: what one company revokes without end, it pays for itself, and nothing that is dead passes for alive. A guard that knows nothing of floors finds such a
 * snapshot malformed, and serves nobody.
 */
export async function listBarriers(db: AcrossDb, issuer: StreamIssuer, now: Instant, most = mostToldBarriers): Promise<string> {
  const { rows } = await db.query<{ barriers: string }>(
    `WITH living AS MATERIALIZED (
       SELECT t.slug AS tenant, v.target, v.target_id, max(v.epoch) AS epoch, max(v.at) AS at
         FROM (${spokenFor('$1', '$2')}) spoken JOIN tenants t ON t.id = spoken.tenant_id
         CROSS JOIN LATERAL (
               SELECT target, target_id, epoch, at FROM revocations WHERE tenant_id = spoken.tenant_id AND issuer_id = spoken.id AND expires_at > $3
               UNION ALL SELECT payload ->> 'target', payload ->> 'targetId', (payload ->> 'epoch')::int, created_at
                 FROM outbox WHERE tenant_id = spoken.tenant_id AND done_at IS NULL AND kind = 'revoke'
               UNION ALL SELECT 'grant', changed ->> 'grantId', (changed ->> 'epoch')::int, created_at
                 FROM outbox, jsonb_array_elements(payload -> 'grants') AS changed
                WHERE tenant_id = spoken.tenant_id AND done_at IS NULL AND kind IN ('${tellSettledEntry}', '${tellEndedEntry}')) v
        GROUP BY t.slug, v.target, v.target_id),
     ranked AS (
       SELECT *, row_number() OVER (PARTITION BY tenant ORDER BY at DESC, target, target_id) AS nth FROM living WHERE (SELECT count(*) FROM living) > $4),
     placed AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY nth, tenant) AS place FROM ranked),
     told AS (
       SELECT tenant, target, target_id, epoch FROM living WHERE (SELECT count(*) FROM living) <= $4
       UNION ALL SELECT tenant, target, target_id, epoch FROM placed WHERE place <= $4),
     of_epoch AS (SELECT tenant, target, epoch, json_agg(target_id ORDER BY target_id COLLATE "C") AS ids FROM told GROUP BY tenant, target, epoch),
     of_target AS (
       SELECT tenant, target, json_object_agg(epoch, ids ORDER BY epoch) AS epochs FROM of_epoch GROUP BY tenant, target
       UNION ALL SELECT tenant, 'floor', json_build_object(ceil(extract(epoch FROM max(at)))::bigint + ${floorMarginSeconds}, json_build_array('*'))
         FROM placed WHERE place > $4 GROUP BY tenant),
     of_tenant AS (SELECT tenant, json_object_agg(target, epochs ORDER BY target) AS targets FROM of_target GROUP BY tenant)
     SELECT coalesce(json_object_agg(tenant, targets ORDER BY tenant), '{}')::text AS barriers FROM of_tenant`,
    [issuer.tenantId, issuer.id, toTimestamp(now), most],
  )
  return rows[0]?.barriers ?? '{}'
}

/** All that there ever were: a thief of a key may sign with it at any time. */
async function listCondemnedKeys(db: AcrossDb, issuer: StreamIssuer): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT id FROM signing_keys WHERE tenant_id = $1 AND issuer_id = $2 AND state = 'compromised' AND purpose IN ('tokens', 'notices') ORDER BY id`,
    [issuer.tenantId, issuer.id],
  )
  return rows.map(({ id }) => id)
}

/** A notice that was written in the moment in which a stream closed may owe it a receipt: looked at for this long. */
const closedLatelySeconds = 3600

/** `events`: for which one of them is awaited no longer; each may be dead everywhere by it (`markEventsDead`). */
export type ClosedStreams = { readonly closed: number; readonly events: readonly DeprovisioningOfTenant[] }

/** Streams that have stopped listening are closed: "dead everywhere" waits only for those that live, and their receipts say so. */
export async function closeLapsedStreamsAcrossTenants(db: AcrossDb, now: Instant, lapsedBefore: Instant): Promise<ClosedStreams> {
  const { rows } = await db.query<ClosedStreams>(
    `WITH closed AS (UPDATE notice_streams SET closed_at = $1 WHERE closed_at IS NULL AND heard_at < $2 RETURNING id),
     lapsed AS (
       UPDATE notice_receipts SET lapsed_at = $1 FROM (SELECT id FROM closed UNION SELECT id FROM notice_streams WHERE closed_at > $3) gone
        WHERE notice_receipts.stream_id = gone.id AND acknowledged_at IS NULL AND lapsed_at IS NULL RETURNING tenant_id, event_id
     ) SELECT (SELECT count(*)::int FROM closed) AS closed,
         (SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('tenant', tenant_id, 'id', event_id)), '[]') FROM lapsed) AS events`,
    [toTimestamp(now), toTimestamp(lapsedBefore), toTimestamp(addSeconds(now, -closedLatelySeconds))],
  )
  return rows[0] ?? { closed: 0, events: [] }
}

const countedReceivers = keptStatement(
  `SELECT count(*)::int AS count FROM (SELECT DISTINCT r.tenant_id, r.id FROM ${given('$1::uuid[]', '$2::uuid[]')} AS r (tenant_id, id)) r
     JOIN notice_streams s ON s.tenant_id = r.tenant_id AND s.resource_id = r.id AND s.closed_at IS NULL`,
)

/** Streams of guards that are open at these resource servers: each will owe a receipt of what is told there. At most so many for each as there may be. */
export async function countReceivers(
  db: AcrossDb,
  resources: readonly { readonly tenantId: TenantId; readonly id: ResourceId }[],
): Promise<number> {
  const keys = [resources.map(({ tenantId }) => tenantId), resources.map(({ id }) => id)]
  const { rows } = await db.query<{ count: number }>(countedReceivers, keys)
  return rows[0]?.count ?? 0
}
