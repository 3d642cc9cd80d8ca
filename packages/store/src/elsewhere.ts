/**
 * Who is the same person at another connection of her tenant, when her directory has switched her off or deleted her. docs/adr/0131
 *
 * There a login of hers is refused from now on by the very key (`scim` of `complete-login-statement`), so what she holds there ends, too. She is not deactivated: nobody
 * has said so of her there, and she comes in again as soon as a login of hers would. No address leads to anybody, only what her own connection declared to be her link key, or
 * her stable id where it declared none; and nobody whom the directory of her own connection has.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { ConnectionId, DeprovisioningEventId, ScimUserId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { insertAuditEvent } from './audit-events.js'
import { deprovision } from './deprovisioning.js'
import { keptStatement } from './kept-statements.js'
import { listHolding, namesakeLimits } from './namesakes.js'
import type { KeyedUser } from './recorded-key.js'
import { type Db, judged } from './transaction.js'

/** Whose directory speaks. */
type Speaking = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly now: Instant
  readonly requestId: string | undefined
  readonly newId: () => string
}

type Key = 'userName' | 'externalId' | null
type Other = { readonly id: string; readonly key: Key }

const otherConnections = keptStatement(
  `SELECT id, configuration -> 'scimLinkKey' ->> 'scim' AS key FROM connections WHERE tenant_id = $1 AND id <> $2`,
)

const byLinkValue = 'SELECT s.id FROM unnest($1::uuid[]) AS other (id) CROSS JOIN LATERAL people_of_link_value(other.id, $2, $3) AS s (id)'
// One connection, or one person, after the other: of a tenant of which the planner has not learned yet, it would rather read all.
const byStableId = `SELECT s.id FROM unnest($2::uuid[]) AS other (id) CROSS JOIN LATERAL (
     SELECT id FROM subjects WHERE tenant_id = $1 AND connection_id = other.id AND stable_id = $3 AND ${judged('scim_user_id IS NULL')} OFFSET 0) s`

/** One more than are ended says that there are too many. */
const most = namesakeLimits.endedSingly + 1

type Row = { readonly id: SubjectId }

async function findByKey(
  db: Db,
  { tenant }: Speaking,
  others: readonly Other[],
  key: Key,
  value: string | undefined,
): Promise<readonly Row[]> {
  const connections = others.filter((other) => other.key === key).map(({ id }) => id)
  if (connections.length === 0 || value === undefined || value === '') return []
  const found =
    key === null
      ? await db.query<Row>(byStableId, [tenant, connections, value])
      : await db.query<Row>(byLinkValue, [connections, value, most])
  return found.rows
}

/** Whom the directory of her own connection has by her key, or who is linked meanwhile, that directory answers for. In the order given, and held until the end. */
const heldElsewhere = `SELECT s.id FROM unnest($2::uuid[]) AS given (id) CROSS JOIN LATERAL (
     SELECT one.id FROM subjects one WHERE one.tenant_id = $1 AND one.id = given.id AND ${judged('one.scim_user_id IS NULL')}
       AND NOT EXISTS (SELECT 1 FROM scim_users u JOIN connections c ON c.tenant_id = $1 AND c.id = u.connection_id
         WHERE u.tenant_id = $1 AND u.connection_id = one.connection_id AND u.deleted_at IS NULL AND (u.user_name_key = $3 OR u.external_id = $4)
           AND CASE WHEN c.configuration -> 'scimLinkKey' ->> 'scim' = 'userName' THEN u.user_name_key = $3 ELSE u.external_id = $4 END)
     FOR UPDATE OF one) s`

export type LeftElsewhere = {
  readonly reason: string
  /** False: it was said before. Then whoever surely holds nothing is passed over. */
  readonly isNews: boolean
}

/**
 * Ends, in the caller's transaction and each with her own event, what those hold. Where they are more than one person can be, the key says nothing: nobody is ended, and the trail has
 * the alarm.
 */
export async function endElsewhere(
  db: Db,
  caller: Speaking,
  user: KeyedUser & { readonly id: ScimUserId },
  { reason, isNews }: LeftElsewhere,
): Promise<void> {
  const { tenant, connectionId, now, requestId, newId } = caller
  const { rows: others } = await db.query<Other>(otherConnections, [tenant, connectionId])
  if (others.length === 0) return
  const userName = user.userName.toLowerCase()
  const found = [
    ...(await findByKey(db, caller, others, 'userName', userName)),
    ...(await findByKey(db, caller, others, 'externalId', user.externalId)),
    ...(await findByKey(db, caller, others, null, user.externalId)),
  ]
    .map(({ id }) => id)
    .sort()
  if (found.length === 0) return
  if (found.length > namesakeLimits.endedSingly) {
    const detail = { source: 'scim', named: `scim:${user.id}`, ended: 'nobody', elsewhere: true }
    await insertAuditEvent(db, tenant, { at: now, kind: 'deprovisioning.ambiguous', connectionId, reason, detail, requestId })
    return
  }
  const { rows } = await db.query<Row>(heldElsewhere, [tenant, found, userName, user.externalId ?? null])
  const held = rows.map(({ id }) => id)
  for (const targetId of isNews ? held : await listHolding(db, tenant, held))
    await deprovision(db, {
      ...{ tenant, eventId: newId() as DeprovisioningEventId, source: 'scim', target: 'subject', targetId, now, requestId },
      reason: `${reason}, whose link key is hers at another connection`,
      toldAt: undefined,
    })
}
