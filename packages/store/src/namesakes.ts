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
  /** False: it may have been said before. Then whoever surely holds nothing is passed over, and where nobody is left, nothing is said. */
  readonly isNews: boolean
  /** Of all of them, where they are more than are found: whether any may hold something. Absent: as if one did. */
  readonly mayAnyHold?: () => Promise<boolean>
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
  const isEverybody = found.length > namesakeLimits.endedSingly
  const ended = event.isNews ? found : isEverybody ? await allIfAnyHolds(found, event) : await listHolding(db, tenant, found)
  if (ended.length === 0) return false
  const targets = isEverybody ? [connectionId] : ended
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
  const detail = { source, named, ended: isEverybody ? 'connection' : 'subjects', subjects: ended.slice(0, namesakeLimits.named) }
  await insertAuditEvent(db, tenant, { at: now, kind, connectionId, reason: event.reason, detail, requestId })
  return true
}

/** Behind everything else of its transaction: mails that gather are held from here on, and whoever holds them waits for nobody (`alarm`). */
export const announceNamesakes = (
  db: Db,
  { tenant, connectionId, now }: Pick<EndedNamesakes, 'tenant' | 'connectionId' | 'now'>,
): Promise<void> => announce(db, tenant, { at: now, kind, about: undefined, by: undefined }, { connectionId })

/** Of so many not all are known by name. Each time that one may hold something, the connection signs in anew. */
const allIfAnyHolds = async (found: readonly SubjectId[], { mayAnyHold }: EndedNamesakes): Promise<readonly SubjectId[]> =>
  mayAnyHold === undefined || (await mayAnyHold()) ? found : []

/**
 * SQL, behind FROM: people `s` of tenant `$1` who may hold something. What was opened below the epochs of now is dead, whatever the clocks of the processes said that opened it, so
 * whoever has nothing above them holds nothing; a time alone proves nothing, and counts against her.
 */
export const mayHold = `subjects s JOIN connections c ON c.tenant_id = $1 AND c.id = s.connection_id
     WHERE s.tenant_id = $1 AND (
       (s.last_login_at < GREATEST(s.barrier_at, c.barrier_at)) IS NOT TRUE
       OR EXISTS (SELECT 1 FROM browser_sessions b
         WHERE b.tenant_id = $1 AND b.subject_id = s.id AND b.subject_epoch >= s.epoch AND b.connection_epoch >= c.epoch)
       OR EXISTS (SELECT 1 FROM grants g JOIN connections gc ON gc.tenant_id = $1 AND gc.id = g.connection_id
         WHERE g.tenant_id = $1 AND g.subject_id = s.id AND g.revoked_at IS NULL AND g.subject_epoch >= s.epoch AND g.connection_epoch >= gc.epoch))`

/** Of those who were found. */
export async function listHolding(db: Db, tenant: TenantId, found: readonly SubjectId[]): Promise<readonly SubjectId[]> {
  const { rows } = await db.query<{ id: SubjectId }>(`SELECT s.id FROM ${mayHold} AND s.id = ANY ($2::uuid[]) ORDER BY s.id`, [
    tenant,
    found,
  ])
  return rows.map(({ id }) => id)
}
