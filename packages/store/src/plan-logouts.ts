/**
 * Which clients must be told that somebody is logged out, written as deliveries in the sweep's own transaction.
 *
 * A client is told of whoever ever came to it by a grant that is still remembered (`sweeps.ts`), living or over: its own session may outlast our grant, and
 * a grant may have ended without a word, handed back by the client itself or left empty by policy. So it may hear twice of what it had heard before.
 * Logouts only take away: none waits for another, and what a client cannot do with one of them holds up no other.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { KillOfMany } from '@drawbridge/core/revocation/follow-kill'
import type { DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import { deliveriesChannel } from './deliveries.js'
import { signs } from './issuers.js'
import { keptStatement } from './kept-statements.js'
import { holdsVeryMuch } from './mark-killed.js'
import type { RevocationTarget } from './revocations.js'
import { type AcrossDb, toTimestamp } from './transaction.js'

type Planned = {
  readonly tenant: TenantId
  readonly eventId: DeprovisioningEventId
  /** The outbox entry: entries of one person are numbered in the order in which her changes were committed. */
  readonly sequence: number
  readonly now: Instant
}

export type EndedAccess = Planned & { readonly target: RevocationTarget; readonly targetId: string; readonly epoch: number }
export type EndedOfMany = EndedAccess & { readonly target: KillOfMany }
export type EndedSessions = Planned & { readonly sessions: readonly string[] }

/** A condition on `g`: `$5` the target's id, `$6` its epoch. Ours, never input. */
const ofTarget: Readonly<Record<RevocationTarget, string>> = {
  subject: `g.subject_id = $5::uuid AND g.subject_epoch < $6`,
  grant: `g.id = $5::uuid AND $6::int IS NOT NULL`,
  client: `g.client_id = $5 AND g.client_epoch < $6`,
  connection: `g.connection_id = $5::uuid AND g.connection_epoch < $6`,
  tenant: `g.tenant_id = $5::uuid AND g.tenant_epoch < $6`,
}

/** Of everything that somebody lost, she is logged out as such; of her sessions, where the client wants to know which. */
const ofPeople = 'CASE WHEN c.backchannel_logout_session_required THEN g.session_id END'

const toldClient = keptStatement('SELECT 1 FROM clients WHERE tenant_id = $1 AND backchannel_logout_uri IS NOT NULL LIMIT 1')

/** Whether any client of the tenant wants to hear of logouts. */
export async function isAnyClientTold(db: AcrossDb, tenant: TenantId): Promise<boolean> {
  const { rowCount } = await db.query(toldClient, [tenant])
  return rowCount > 0
}

/**
 * Everybody who lost something by this event is logged out at every client that knows her; of one grant, the session at that client. Answers how many
 * messages there are. A second call for the same event writes nothing. Only where some client is told.
 */
export function planLogouts(db: AcrossDb, ended: EndedAccess): Promise<number> {
  const session = ended.target === 'grant' ? 'g.session_id' : ofPeople
  return plan(db, ended, { where: ofTarget[ended.target], session, parameters: [ended.targetId, ended.epoch] })
}

const anybody =
  'SELECT id FROM subjects WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id > $2) AND $4::text IS NOT NULL ORDER BY id LIMIT $3'
/** Most clients have few people, and most hear of no logouts. Of one that has very many they are looked for among everybody. */
const peopleOfClient = `SELECT DISTINCT g.subject_id AS id
    FROM clients c JOIN grants g ON g.tenant_id = c.tenant_id AND g.issuer_id = c.issuer_id AND g.client_id = c.client_id
   WHERE c.tenant_id = $1 AND c.client_id = $4 AND g.subject_id IS NOT NULL AND ($2::uuid IS NULL OR g.subject_id > $2)
   ORDER BY 1 LIMIT $3`
const toldOfClient = 'SELECT 1 FROM clients WHERE tenant_id = $1 AND client_id = $2 AND backchannel_logout_uri IS NOT NULL LIMIT 1'

async function nextPeople(db: AcrossDb, { tenant, target, targetId }: EndedOfMany): Promise<string | undefined> {
  if (target !== 'client') return anybody
  if ((await db.query(toldOfClient, [tenant, targetId])).rowCount === 0) return undefined
  return (await holdsVeryMuch(db, tenant, targetId)) ? anybody : peopleOfClient
}

/**
 * The same, for the next people by id, at most `limit`, of all who may have lost something by one kill. Answers the last of them; undefined: there was nobody
 * left.
 */
export async function planLogoutsOfSome(
  db: AcrossDb,
  ended: EndedOfMany,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<string | undefined> {
  const which = await nextPeople(db, ended)
  if (which === undefined) return undefined
  const { rows } = await db.query<{ id: string }>(which, [ended.tenant, after ?? null, limit, ended.targetId])
  const people = rows.map(({ id }) => id)
  if (people.length === 0) return undefined
  const where = `g.subject_id = ANY ($7::uuid[]) AND ${ofTarget[ended.target]}`
  await plan(db, ended, { where, session: ofPeople, parameters: [ended.targetId, ended.epoch, people] })
  return people.at(-1)
}

/** Whoever had these sessions is logged out of them at every client that she went to from them, also where what was granted there lives on. */
export async function planSessionLogouts(db: AcrossDb, ended: EndedSessions): Promise<number> {
  if (!(await isAnyClientTold(db, ended.tenant))) return 0
  return plan(db, ended, { where: 'g.session_id = ANY ($5::uuid[])', session: 'g.session_id', parameters: [ended.sessions] })
}

async function plan(
  db: AcrossDb,
  { tenant, eventId, sequence, now }: Planned,
  { where, session, parameters }: { readonly where: string; readonly session: string; readonly parameters: readonly unknown[] },
): Promise<number> {
  const told = `
    SELECT DISTINCT c.issuer_id, c.client_id, c.backchannel_logout_uri AS uri, g.subject_id, ${session} AS session_id
      FROM clients c JOIN grants g ON g.tenant_id = c.tenant_id AND g.issuer_id = c.issuer_id AND g.client_id = c.client_id
     WHERE c.tenant_id = $1 AND c.backchannel_logout_uri IS NOT NULL AND g.subject_id IS NOT NULL AND ${where}`
  const all = [tenant, eventId, sequence, toTimestamp(now), ...parameters]
  // Two statements: the second sees the destinations that another sweep has made meanwhile.
  await db.query(
    `WITH told AS (${told})
     INSERT INTO delivery_destinations (tenant_id, id, kind, issuer_id, client_id, origin)
     SELECT DISTINCT ON (issuer_id, client_id) $1::uuid, gen_random_uuid(), 'backchannel_logout', issuer_id, client_id, substring(uri FROM '^[a-z]+://[^/?#]+')
       FROM told WHERE $3::bigint IS NOT NULL AND $4::timestamptz IS NOT NULL AND $2::uuid IS NOT NULL ORDER BY issuer_id, client_id
     ON CONFLICT (tenant_id, issuer_id, client_id) DO NOTHING`,
    all,
  )
  const { rows } = await db.query<{ count: number }>(
    `WITH told AS (${told}),
     written AS (
       INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, due_at, created_at, begun_at)
       SELECT $1, gen_random_uuid(), t.id, concat_ws(' ', told.subject_id, $2::uuid, told.session_id), $3, $2, coalesce(told.session_id::text, ''),
         jsonb_strip_nulls(jsonb_build_object('sub', told.subject_id, 'sid', told.session_id)), $4, $4, $4
         FROM told JOIN delivery_destinations t ON t.tenant_id = $1 AND t.issuer_id = told.issuer_id AND t.client_id = told.client_id
        ORDER BY told.subject_id, t.id
       ON CONFLICT (tenant_id, event_id, destination_id, order_key, part) DO NOTHING RETURNING id)
     SELECT count(*)::int AS count, (SELECT pg_notify('${deliveriesChannel}', '') FROM written LIMIT 1)::text AS notified FROM written`,
    all,
  )
  return rows[0]?.count ?? 0
}

/** What a logout token is made of, beside what its delivery says. Undefined: the client hears of no logouts any more. */
export type ToldClient = {
  readonly uri: string
  readonly clientId: string
  /** `id`: at which the client is; `signer`: whose keys it believes. */
  readonly issuer: { readonly id: string; readonly url: string; readonly signer: { readonly tenant: string; readonly id: string } }
  readonly sectorIdentifier: string | undefined
}

type ToldRow = {
  readonly uri: string
  readonly clientId: string
  readonly issuerId: string
  readonly url: string
  readonly signer: ToldClient['issuer']['signer']
  readonly sector: string | null
}

export async function findToldClient(db: AcrossDb, tenant: TenantId, destination: string): Promise<ToldClient | undefined> {
  const { rows } = await db.query<ToldRow>(
    `SELECT c.backchannel_logout_uri AS uri, c.client_id AS "clientId", i.id AS "issuerId", i.url, c.sector_identifier AS sector,
       json_build_object('tenant', signer.tenant_id, 'id', signer.id) AS signer
       FROM delivery_destinations t
       JOIN clients c ON c.tenant_id = t.tenant_id AND c.issuer_id = t.issuer_id AND c.client_id = t.client_id
       JOIN issuers i ON i.tenant_id = t.tenant_id AND i.id = t.issuer_id
       JOIN issuers signer ON ${signs('signer', 'i')}
      WHERE t.tenant_id = $1 AND t.id = $2 AND c.backchannel_logout_uri IS NOT NULL`,
    [tenant, destination],
  )
  const row = rows[0]
  if (!row) return undefined
  const { uri, clientId, issuerId: id, url, signer, sector } = row
  return { uri, clientId, issuer: { id, url, signer }, sectorIdentifier: sector ?? undefined }
}
