/**
 * Who is the same person at another connection of her tenant, when her directory has switched her off or deleted her. docs/adr/0131, 0132
 *
 * There a login of hers is refused from now on by the very key (`scim` of `complete-login-statement`), so what she holds there ends, too. She is not deactivated: nobody
 * has said so of her there, and she comes in again as soon as a login of hers would. No address leads to anybody, only what her own connection declared to be her link key, or
 * her stable id where it declared none; and nobody whom the directory of her own connection has.
 */
import type { SubjectLink } from '@drawbridge/core/identity/subject-link'
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, DeprovisioningEventId, ScimUserId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { insertAuditEvent } from './audit-events.js'
import { deprovision } from './deprovisioning.js'
import { keptStatement } from './kept-statements.js'
import { listHolding, namesakeLimits } from './namesakes.js'
import { findByRecordedKeyElsewhere, type KeyedUser } from './recorded-key.js'
import { type Db, judged } from './transaction.js'

/** Whose directory speaks. */
type Speaking = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  /** Where people of another connection recorded their link key (`ScimCaller`). */
  readonly linkAt?: ((connection: ConnectionId) => SubjectLink | undefined) | undefined
  readonly now: Instant
  readonly requestId: string | undefined
  readonly newId: () => string
}

/** `key`: as the connection wrote it, which says under which one a link value was recorded. Null: none is declared. */
type Other = { readonly id: ConnectionId; readonly scim: SubjectLink['scim'] | null; readonly key: string | null }
type Found = { readonly id: SubjectId; readonly at: ConnectionId }

const otherConnections = keptStatement(
  `SELECT id, configuration -> 'scimLinkKey' ->> 'scim' AS scim, configuration ->> 'scimLinkKey' AS key FROM connections WHERE tenant_id = $1 AND id <> $2`,
)

// One connection, or one person, after the other: of a tenant of which the planner has not learned yet, it would rather read all.
const byLinkValue = `SELECT s.id, other.id AS at FROM unnest($1::uuid[], $2::text[]) AS other (id, key)
     CROSS JOIN LATERAL people_of_link_value(other.id, other.key, $3, $4) AS s (id)`
const byStableId = `SELECT s.id, other.id AS at FROM unnest($2::uuid[]) AS other (id) CROSS JOIN LATERAL (
     SELECT id FROM subjects WHERE tenant_id = $1 AND connection_id = other.id AND stable_id = $3 AND ${judged('scim_user_id IS NULL')} OFFSET 0) s`

/** One more than are ended says that there are too many. */
const most = namesakeLimits.endedSingly + 1

async function findByStableId(
  db: Db,
  { tenant }: Speaking,
  others: readonly Other[],
  value: string | undefined,
): Promise<readonly Found[]> {
  const asked = others.filter((other) => other.scim === null)
  if (asked.length === 0 || value === undefined || value === '') return []
  return (await db.query<Found>(byStableId, [tenant, asked.map(({ id }) => id), value])).rows
}

/**
 * By the value that a login kept of the present key; and by what her last login recorded, for whoever signed in while no key, or another one, was declared.
 */
async function findByKey(
  db: Db,
  caller: Speaking,
  others: readonly Other[],
  scim: SubjectLink['scim'],
  user: KeyedUser,
): Promise<readonly Found[]> {
  const asked = others.filter((other) => other.scim === scim)
  const value = scim === 'userName' ? user.userName.toLowerCase() : user.externalId
  if (asked.length === 0 || value === undefined || value === '') return []
  const kept = await db.query<Found>(byLinkValue, [asked.map(({ id }) => id), asked.map(({ key }) => key), value, most])
  const links = asked.flatMap(({ id }) => {
    const link = caller.linkAt?.(id)
    return link?.scim === scim ? [{ connectionId: id, link }] : []
  })
  return [...kept.rows, ...(await findByRecordedKeyElsewhere(db, caller.tenant, links, user))]
}

/** Where the directory of their own connection has her by her key, that one answers for whoever bears it. */
const answeredFor = `SELECT other.id FROM unnest($2::uuid[]) AS other (id) CROSS JOIN LATERAL (
     SELECT 1 FROM scim_users u JOIN connections c ON c.tenant_id = $1 AND c.id = other.id
     WHERE u.tenant_id = $1 AND u.connection_id = other.id AND u.deleted_at IS NULL AND (u.user_name_key = $3 OR u.external_id = $4)
       AND CASE WHEN c.configuration -> 'scimLinkKey' ->> 'scim' = 'userName' THEN u.user_name_key = $3 ELSE u.external_id = $4 END
     LIMIT 1) u`

/** In the order given, and held until the end. Who is linked meanwhile, her own directory answers for, too. */
const heldElsewhere = `SELECT s.id FROM unnest($2::uuid[]) AS given (id) CROSS JOIN LATERAL (
     SELECT one.id FROM subjects one WHERE one.tenant_id = $1 AND one.id = given.id AND ${judged('one.scim_user_id IS NULL')} FOR UPDATE OF one) s`

export type LeftElsewhere = {
  readonly reason: string
  /** False: it was said before. Then whoever surely holds nothing is passed over. */
  readonly isNews: boolean
}

/**
 * Ends, in the caller's transaction and each with her own event, what those hold. Where they are more of one connection than one person can be, the key says nothing there: none of
 * them is ended, and the trail has the alarm. True: it is news, and the caller has the contacts told of it, last of all (`announceNamesakes`).
 */
export async function endElsewhere(
  db: Db,
  caller: Speaking,
  user: KeyedUser & { readonly id: ScimUserId },
  { reason, isNews }: LeftElsewhere,
): Promise<boolean> {
  const { tenant, connectionId, now, requestId, newId } = caller
  const { rows: others } = await db.query<Other>(otherConnections, [tenant, connectionId])
  if (others.length === 0) return false
  const bearers = bearersOf([
    ...(await findByKey(db, caller, others, 'userName', user)),
    ...(await findByKey(db, caller, others, 'externalId', user)),
    ...(await findByStableId(db, caller, others, user.externalId)),
  ])
  if (bearers.size === 0) return false
  const { rows: answered } = await db.query<{ id: ConnectionId }>(answeredFor, [
    ...[tenant, [...bearers.keys()], user.userName.toLowerCase(), user.externalId ?? null],
  ])
  for (const { id } of answered) bearers.delete(id)
  const unclear = [...bearers].filter(([, people]) => people.size > namesakeLimits.endedSingly).map(([id]) => id)
  for (const id of unclear) bearers.delete(id)
  const isAlarm = unclear.length > 0
  if (isAlarm) {
    const connections = unclear.slice(0, namesakeLimits.named)
    const detail = { source: 'scim', named: `scim:${user.id}`, ended: 'nobody', elsewhere: true, connections }
    await insertAuditEvent(db, tenant, { at: now, kind: 'deprovisioning.ambiguous', connectionId, reason, detail, requestId })
  }
  const found = [...bearers.values()].flatMap((people) => [...people]).sort()
  if (found.length === 0) return isAlarm && isNews
  const { rows } = await db.query<{ id: SubjectId }>(heldElsewhere, [tenant, found])
  const held = rows.map(({ id }) => id)
  for (const targetId of isNews ? held : await listHolding(db, tenant, held))
    await deprovision(db, {
      ...{ tenant, eventId: newId() as DeprovisioningEventId, source: 'scim', target: 'subject', targetId, now, requestId },
      reason: `${reason}, whose link key is hers at another connection`,
      toldAt: undefined,
    })
  return isAlarm && isNews
}

function bearersOf(found: readonly Found[]): Map<ConnectionId, Set<SubjectId>> {
  const bearers = new Map<ConnectionId, Set<SubjectId>>()
  for (const { id, at } of found) bearers.set(at, (bearers.get(at) ?? new Set()).add(id))
  return bearers
}
