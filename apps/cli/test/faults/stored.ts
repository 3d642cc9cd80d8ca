/** What the database says when the weather has cleared: nothing that was begun is undone, nothing is lost, nothing is twice. */
import { asOwner } from '@drawbridge/testkit/database'
import type { ShakenFleet } from './a-shaken-fleet.js'
import { sleep } from './ask.js'
import { now } from './stop-watch.js'

export const settleMs = 120_000
/** By which a process's clock may be behind. */
const mostSkewMs = 20_000

const rowsOf = <Row>(fleet: ShakenFleet, sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fleet.postgres.ownerUrl, sql, parameters)

/** As long as it goes on: what piled up in a long run takes a while, and only what stands still is lost. */
export async function waitUntilDone(
  fleet: ShakenFleet,
  table: 'outbox' | 'deliveries',
  undone: string,
  patienceMs = settleMs,
): Promise<readonly string[]> {
  const look = () => rowsOf<{ id: string; attempts: number }>(fleet, `SELECT id, attempts FROM ${table} WHERE ${undone}`)
  let left = await look()
  let fewest = left.length
  let movedAt = now()
  while (left.length > 0 && now() - movedAt < patienceMs) {
    await sleep(100)
    left = await look()
    if (left.length >= fewest) continue
    fewest = left.length
    movedAt = now()
  }
  return left.map(
    ({ id, attempts }) =>
      `${id} of ${table} was not done: nothing of it moved for ${patienceMs} ms in good weather, after ${attempts} tries`,
  )
}

export const untoldNews = 'expires_at IS NULL'
/** What is not kept back because its receiver did not take what it was told last. */
export const untoldNow = `${untoldNews} AND due_at <= now() AND NOT EXISTS (
  SELECT 1 FROM delivery_destinations t WHERE t.tenant_id = deliveries.tenant_id AND t.id = destination_id AND t.paused_until > now())`

/** What waits to be told to a company's system or a client of it, or was given up. `line`: in which each waits for the one before it. `isTried`: once in vain at least. */
export type Waiting = { readonly id: string; readonly line: string; readonly isTried: boolean }

/** In the order in which it is to be told. */
export const waitingFor = (fleet: ShakenFleet, slug: string): Promise<readonly Waiting[]> =>
  rowsOf<Waiting>(
    fleet,
    `SELECT d.id, d.destination_id || ' ' || d.order_key AS line, d.reason IS NOT NULL AS "isTried" FROM deliveries d JOIN tenants t ON t.id = d.tenant_id
      WHERE t.slug = $1 AND d.delivered_at IS NULL ORDER BY d.sequence, d.ordinal`,
    [slug],
  )

type Delivery = { readonly id: string; readonly part: string; readonly eventId: string; readonly isTaken: boolean }

/** What the database says was told, and was not; and ends of which there is not even the attempt to tell. */
export async function untold(fleet: ShakenFleet, began: Date): Promise<readonly string[]> {
  const deliveries = await rowsOf<Delivery>(
    fleet,
    'SELECT id, part, event_id AS "eventId", delivered_at IS NOT NULL AS "isTaken" FROM deliveries',
  )
  const events = await rowsOf<{ id: string; isDead: boolean }>(
    fleet,
    `SELECT id, dead_at IS NOT NULL AS "isDead" FROM deprovisioning_events WHERE matched AND received_at >= $1`,
    [new Date(began.getTime() - mostSkewMs)],
  )
  const taken = new Set(fleet.outside.told.map(({ id }) => id))
  const written = new Set(deliveries.map(({ part, eventId }) => `${part} of ${eventId}`))
  const owed = events.flatMap(({ id, isDead }) => [`access.ended of ${id}`, ...(isDead ? [`access.dead_everywhere of ${id}`] : [])])
  return [
    ...deliveries
      .filter(({ id, isTaken }) => isTaken && !taken.has(id))
      .map(({ id }) => `the delivery ${id} is called delivered, and nobody had it`),
    ...[...taken].filter((id) => !deliveries.some((one) => one.id === id)).map((id) => `${id} was told, and no delivery has this id`),
    ...owed.filter((what) => !written.has(what)).map((what) => `${what} was never to be told`),
  ]
}

/** What the database says of the same: nothing lost, nothing twice. */
export async function contradictionsOf(fleet: ShakenFleet, began: Date): Promise<readonly string[]> {
  const instances = fleet.receivers.map((receiver) => receiver.instance())
  const checks: readonly (readonly [string, string, readonly unknown[]])[] = [
    ['dead letters', 'SELECT id, kind, dead_reason FROM outbox WHERE dead_at IS NOT NULL', []],
    ['deliveries that were given up', 'SELECT id, part, reason FROM deliveries WHERE dead_at IS NOT NULL', []],
    ['events that were not swept', 'SELECT id, target, source FROM deprovisioning_events WHERE swept_at IS NULL AND matched', []],
    ['news that was told twice', 'SELECT resource_id, issuer_id, event_id, count(*) FROM notices GROUP BY 1, 2, 3 HAVING count(*) > 1', []],
    [
      'positions with a gap',
      // In a long run from the first that nobody can have swept: each is kept for as long as its issuer owes it, and a company's own issuer owes some for longer.
      `SELECT n.resource_id, count(*), max(n.position) FROM notices n JOIN (
         SELECT tenant_id, resource_id, CASE WHEN $1::timestamptz > now() - interval '25 minutes' THEN 1
             ELSE coalesce(min(position) FILTER (WHERE created_at > now() - interval '20 minutes'), max(position) + 1) END AS first
           FROM notices GROUP BY 1, 2) kept USING (tenant_id, resource_id)
        WHERE n.position >= kept.first GROUP BY n.resource_id, kept.first HAVING count(*) <> max(n.position) - kept.first + 1`,
      [began],
    ],
    [
      'people whose epoch is not the number of their events',
      `SELECT s.id, s.epoch, count(e.id) FROM subjects s LEFT JOIN deprovisioning_events e ON e.tenant_id = s.tenant_id AND e.target = 'subject' AND e.target_id = s.id::text
        GROUP BY s.tenant_id, s.id, s.epoch HAVING s.epoch <> count(e.id) + 1`,
      [],
    ],
    [
      'receipts that a living receiver owes',
      // Of its present stream: whoever came back by a new one has everything in its snapshot, and the old one lapses by itself.
      `SELECT r.event_id, r.instance, r.notified_at FROM notice_receipts r JOIN notice_streams s ON s.id = r.stream_id
        WHERE r.instance = ANY ($1) AND r.acknowledged_at IS NULL AND r.lapsed_at IS NULL AND r.due_at >= $2
          AND NOT EXISTS (SELECT 1 FROM notice_streams later WHERE later.instance = s.instance AND later.opened_at > s.opened_at)`,
      [instances, began],
    ],
  ]
  const found: string[] = []
  for (const [what, sql, parameters] of checks) {
    const rows = await rowsOf(fleet, sql, parameters)
    if (rows.length > 0) found.push(`${what}: ${rows.length}, of them ${JSON.stringify(rows[0])}`)
  }
  return found
}

/** By company. */
export type SignalsDone = ReadonlyMap<string, number>

export async function signalsDone(fleet: ShakenFleet): Promise<SignalsDone> {
  const rows = await rowsOf<{ slug: string; done: number }>(
    fleet,
    `SELECT t.slug, count(*)::int AS done FROM deprovisioning_events e JOIN tenants t ON t.id = e.tenant_id
      WHERE e.source = 'signal' AND e.matched GROUP BY t.slug`,
  )
  return new Map(rows.map(({ slug, done }) => [slug, done]))
}

/** What the trail and the ends say of each grant that is named in what was found: the last of it, so that a failure explains itself. */
export async function trailOf(fleet: ShakenFleet, found: readonly string[]): Promise<readonly string[]> {
  const grants = [...new Set(found.flatMap((what) => [...what.matchAll(/grant ([0-9a-f-]{36})/g)].map(([, id]) => id)))].slice(0, 5)
  const lines = await rowsOf<{ line: string }>(
    fleet,
    `SELECT line FROM unnest($1::uuid[]) AS named (id) JOIN grants g ON g.id = named.id CROSS JOIN LATERAL (
       (SELECT e.at, concat_ws(' ', 'trail of', g.id, e.at, e.kind, e.reason, e.detail, e.request_id) AS line FROM audit_events e
         WHERE e.grant_id = g.id ORDER BY e.at DESC LIMIT 15)
       UNION ALL
       (SELECT d.received_at, concat_ws(' ', 'end beside', g.id, d.received_at, d.source, d.target, d.target_id, d.reason) FROM deprovisioning_events d
         WHERE d.tenant_id = g.tenant_id AND d.target_id IN (g.id::text, g.subject_id::text, g.client_id, g.connection_id::text) ORDER BY d.received_at DESC LIMIT 15)) t
     ORDER BY g.id, t.at`,
    [grants],
  )
  return lines.map(({ line }) => line)
}
