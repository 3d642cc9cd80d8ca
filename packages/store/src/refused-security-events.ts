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
import { believeOnceHere, type Replay } from './replays.js'
import { alarm, type NamedPerson, nameOf } from './signals.js'
import { type Db, inTenant, toTimestamp } from './transaction.js'

export const refusedEventLimits = {
  /** However many are refused for one reason: one alarm in so long. Each reason has its own, so that none hides another. */
  alarmWindowSeconds: 3600,
} as const

/** Whom a message meant that took nothing away, once the transmitter or IdP is known to have said it. */
export type Unheard = {
  readonly kind: Extract<Replay['kind'], 'security_event_token' | 'global_token_revocation'>
  readonly id: string
  /** Her name is written down once until then. */
  readonly until: Instant
  readonly person: NamedPerson
  /** What it would have ended, and why: `account-disabled`. */
  readonly reason: string
}

export type RefusedEvent = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly way: 'push' | 'poll'
  /** From the catalogue of refusals, and the rule of it. */
  readonly reason: string
  readonly rule: string | undefined
  /** Where it is known to be meant for us: refused for its age, for how it came, or because there is no room. */
  readonly unheard: Unheard | undefined
  readonly now: Instant
  readonly requestId: string
  readonly newId: () => string
}

/** `undefined`: it would have taken nothing away. */
export function unheardOf(event: SecurityEvent, words: HeardWords): Unheard | undefined {
  const effect = effectOfSignal(event.type, event.event)
  if (effect === undefined || effect.takes === 'nothing' || !words.events.includes(effect.name)) return undefined
  return { kind: 'security_event_token', id: event.id, until: event.replayableUntil, person: personOf(words, event), reason: effect.name }
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

/**
 * As one that finds nobody: an admin looks for her, whose access it meant to end. Once for each message, however often it comes while its id is
 * remembered. That id is another than that of what was heard: the same message is heard where it comes again and can be.
 */
async function nameWhomItMeant(db: Db, refused: RefusedEvent, { kind, id, until, person, reason }: Unheard): Promise<string> {
  const { tenant, connectionId, now, requestId } = refused
  const named = nameOf({ connectionId, person })
  if (await believeOnceHere(db, tenant, { scopeId: connectionId, kind, id: `unheard ${id}`, expiresAt: until })) {
    const eventId = refused.newId() as DeprovisioningEventId
    await recordUnmatchedEvent(db, { tenant, eventId, source: 'signal', targetId: named, reason, now, requestId })
  }
  return named
}

const mostCounted = 2_000_000_000

/** True: the first of a window of its reason. Whoever has counted holds the row of the stream, so no two are. */
async function countRefusal(db: Db, { tenant, connectionId, way, reason, rule, now }: RefusedEvent): Promise<boolean> {
  const refusal = rule === undefined ? reason : `${reason}: ${rule}`
  await db.query(
    `INSERT INTO signal_streams AS s (tenant_id, id, delivery, refusals, refusal, refused_at, created_at) VALUES ($1, $2, $3, 1, $4, $5, $5)
     ON CONFLICT (tenant_id, id) DO UPDATE SET refusals = LEAST(s.refusals, $6) + 1, refusal = excluded.refusal, refused_at = excluded.refused_at`,
    [tenant, connectionId, way, refusal, toTimestamp(now), mostCounted],
  )
  const { rows } = await db.query<{ alarmedAt: Instant | null }>(
    'SELECT alarmed_at AS "alarmedAt" FROM signal_refusals WHERE tenant_id = $1 AND connection_id = $2 AND reason = $3',
    [tenant, connectionId, refusal],
  )
  const alarmedAt = rows[0]?.alarmedAt ?? undefined
  const isFirst = alarmedAt === undefined || now >= addSeconds(alarmedAt, refusedEventLimits.alarmWindowSeconds)
  await db.query(
    `INSERT INTO signal_refusals AS r (tenant_id, connection_id, reason, refusals, refused_at, alarmed_at) VALUES ($1, $2, $3, 1, $4, $4)
     ON CONFLICT (tenant_id, connection_id, reason) DO UPDATE SET refusals = LEAST(r.refusals, $6) + 1, refused_at = excluded.refused_at,
       alarmed_at = CASE WHEN $5 THEN excluded.alarmed_at ELSE r.alarmed_at END`,
    [tenant, connectionId, refusal, toTimestamp(now), isFirst, mostCounted],
  )
  return isFirst
}

export type CountedRefusal = { readonly reason: string; readonly refusals: number; readonly refusedAt: Instant }

/** More than the catalogue has. */
const mostReasons = 100

/** For which reasons, since the stream was set up; the last first. */
export async function listRefusals(db: Db, tenant: TenantId, connectionId: ConnectionId): Promise<readonly CountedRefusal[]> {
  const { rows } = await db.query<CountedRefusal>(
    `SELECT reason, refusals, refused_at AS "refusedAt" FROM signal_refusals WHERE tenant_id = $1 AND connection_id = $2
     ORDER BY refused_at DESC, reason LIMIT $3`,
    [tenant, connectionId, mostReasons],
  )
  return rows
}
