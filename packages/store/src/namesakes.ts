/**
 * Several people of a connection who recorded the link key of one user of its directory, and she is to go.
 *
 * Which of them she is nobody knows; each of them said that she is. None is linked and none deactivated, but what they hold ends: whoever is not meant signs
 * in anew, whoever is meant is refused by the user that has left. Were nobody ended, a name that is written twice would keep access for ever.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { DeprovisioningSource } from '@drawbridge/core/revocation/deprovisioning-event'
import type { ConnectionId, DeprovisioningEventId, SubjectId, TenantId } from '@drawbridge/core/tenant/ids'
import { announce } from './announcements.js'
import { insertAuditEvent } from './audit-events.js'
import { deprovision } from './deprovisioning.js'
import type { Db } from './transaction.js'

export const namesakeLimits = {
  /** So many are ended one by one. More cannot be one person: the key says nothing, and the connection as a whole signs in anew. */
  endedSingly: 100,
  /** Named in the trail. */
  named: 20,
} as const

const kind = 'deprovisioning.ambiguous'

export type EndedNamesakes = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly source: Extract<DeprovisioningSource, 'scim' | 'signal'>
  readonly reason: string
  /** What the source named, in its own terms: `scim:<id>`. */
  readonly named: string
  /** False: it has been said before. Then only whoever has signed in since is ended, and if nobody has, nothing is said. */
  readonly isNews: boolean
  readonly now: Instant
  readonly requestId: string | undefined
  readonly newId: () => string
}

/**
 * Ends what they hold, in the caller's transaction, and writes the alarm (`deprovisioning.ambiguous`). True: the caller has the contacts told of it
 * (`announceNamesakes`).
 */
export async function endNamesakes(db: Db, found: readonly SubjectId[], event: EndedNamesakes): Promise<boolean> {
  const { tenant, connectionId, source, named, now, requestId, newId } = event
  if (!event.isNews && !(await anySignedInSince(db, event, found))) return false
  const isEverybody = found.length > namesakeLimits.endedSingly
  const targets = isEverybody ? [connectionId] : found
  for (const targetId of targets) {
    await deprovision(db, {
      ...{
        tenant,
        eventId: newId() as DeprovisioningEventId,
        source,
        target: isEverybody ? 'connection' : 'subject',
        targetId,
        now,
        requestId,
      },
      reason: `${event.reason}, and more than one person has her link key`,
      toldAt: undefined,
    })
  }
  const detail = { source, named, ended: isEverybody ? 'connection' : 'subjects', subjects: found.slice(0, namesakeLimits.named) }
  await insertAuditEvent(db, tenant, { at: now, kind, connectionId, reason: event.reason, detail, requestId })
  return true
}

/** Behind everything else of its transaction: mails that gather are held from here on, and whoever holds them waits for nobody (`alarm`). */
export const announceNamesakes = (
  db: Db,
  { tenant, connectionId, now }: Pick<EndedNamesakes, 'tenant' | 'connectionId' | 'now'>,
): Promise<void> => announce(db, tenant, { at: now, kind, about: undefined, by: undefined }, { connectionId })

/** Whether any of them may hold something: what was opened before the latest barrier is dead. */
async function anySignedInSince(db: Db, { tenant }: EndedNamesakes, found: readonly SubjectId[]): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT 1 FROM subjects s JOIN connections c ON c.tenant_id = $1 AND c.id = s.connection_id
     WHERE s.tenant_id = $1 AND s.id = ANY ($2::uuid[]) AND (s.last_login_at < GREATEST(s.barrier_at, c.barrier_at)) IS NOT TRUE LIMIT 1`,
    [tenant, found],
  )
  return rowCount > 0
}
