/**
 * What a transmitter of a company said and was not heard. A conforming one delivers it no more, so it is counted with the stream, and somebody is told.
 *
 * Only of what the transmitter itself has said: what a stranger sends us is a counter and nothing else. security.md §17
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { HeardWords, SecurityEvent } from '@drawbridge/core/signals/security-event'
import { effectOfSignal } from '@drawbridge/core/signals/signal-effects'
import type { ConnectionId, DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Database } from './database.js'
import { recordUnmatchedEvent } from './deprovisioning.js'
import { personOf } from './hear-security-event.js'
import { believeOnceHere } from './replays.js'
import { alarm, nameOf } from './signals.js'
import { type Db, inTenant, toTimestamp } from './transaction.js'

export const refusedEventLimits = {
  /** However many are refused: one alarm in so long. */
  alarmWindowSeconds: 3600,
} as const

export type RefusedEvent = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly way: 'push' | 'poll'
  /** From the catalogue of refusals, and the rule of it. */
  readonly reason: string
  readonly rule: string | undefined
  /** What it says, where the transmitter has signed it for us: refused for its age, or for how it came. And in whose words. */
  readonly unheard: { readonly event: SecurityEvent; readonly words: HeardWords } | undefined
  readonly now: Instant
  readonly requestId: string
  readonly newId: () => string
}

/** True: somebody was told. */
export function noteRefusedEvent(database: Database, refused: RefusedEvent): Promise<boolean> {
  const { tenant, connectionId, reason, rule, unheard } = refused
  return inTenant(database, tenant, async (db) => {
    const named = unheard && (await nameWhomItMeant(db, refused, unheard))
    if (!(await countRefusal(db, refused))) return false
    await alarm(db, { ...refused, tenant, connectionId }, 'connection.signal_alarm', { event: 'refused', reason, rule, named })
    return true
  })
}

type Unheard = NonNullable<RefusedEvent['unheard']>

/** As one that finds nobody: an admin looks for her, whose access it meant to end. Once, however often it comes. */
async function nameWhomItMeant(db: Db, refused: RefusedEvent, { event, words }: Unheard): Promise<string | undefined> {
  const { tenant, connectionId, now, requestId } = refused
  const effect = effectOfSignal(event.type, event.event)
  if (effect === undefined || effect.takes === 'nothing' || !words.events.includes(effect.name)) return undefined
  const named = nameOf({ connectionId, person: personOf(words, event) })
  // An id of its own: the same event, made anew by the transmitter, is one that is heard.
  const replay = {
    scopeId: connectionId,
    kind: 'security_event_token',
    id: `unheard ${event.id}`,
    expiresAt: event.replayableUntil,
  } as const
  if (await believeOnceHere(db, tenant, replay)) {
    const eventId = refused.newId() as DeprovisioningEventId
    await recordUnmatchedEvent(db, { tenant, eventId, source: 'signal', targetId: named, reason: effect.name, now, requestId })
  }
  return named
}

const mostCounted = 2_000_000_000

/** True: the first of a window. Whoever has counted holds the row, so no two are. */
async function countRefusal(db: Db, { tenant, connectionId, way, reason, rule, now }: RefusedEvent): Promise<boolean> {
  const { rows } = await db.query<{ alarmedAt: Instant | null }>(
    `INSERT INTO signal_streams AS s (tenant_id, id, delivery, refusals, refusal, refused_at, created_at) VALUES ($1, $2, $3, 1, $4, $5, $5)
     ON CONFLICT (tenant_id, id) DO UPDATE SET refusals = LEAST(s.refusals, $6) + 1, refusal = excluded.refusal, refused_at = excluded.refused_at
     RETURNING refusal_alarmed_at AS "alarmedAt"`,
    [tenant, connectionId, way, rule === undefined ? reason : `${reason}: ${rule}`, toTimestamp(now), mostCounted],
  )
  const alarmedAt = rows[0]?.alarmedAt ?? undefined
  if (alarmedAt !== undefined && now < addSeconds(alarmedAt, refusedEventLimits.alarmWindowSeconds)) return false
  await db.query('UPDATE signal_streams SET refusal_alarmed_at = $3 WHERE tenant_id = $1 AND id = $2', [
    tenant,
    connectionId,
    toTimestamp(now),
  ])
  return true
}
