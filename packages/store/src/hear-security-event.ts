/**
 * What a verified security event does, whichever way it came: pushed to a broker or fetched by a worker.
 *
 * All of it is one transaction that also enters the id of the token. Whoever acknowledges does so after it: what was acknowledged has happened,
 * and what comes again does nothing.
 */
import type { Instant } from '@drawbridge/core/instant'
import { isKeepable } from '@drawbridge/core/keepable-text'
import type { HeardWords, SecurityEvent } from '@drawbridge/core/signals/security-event'
import { effectOfSignal, isOfStream, type SignalEffect } from '@drawbridge/core/signals/signal-effects'
import { describeSubject, parseSignalSubject } from '@drawbridge/core/signals/subject-identifier'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Database } from './database.js'
import { believeOnceHere, forgetBelieved } from './replays.js'
import { noteEvent } from './signal-streams.js'
import { alarm, alarmTaken, heardNothing, type NamedPerson, recordSignal, takeAway } from './signals.js'
import { inTenant } from './transaction.js'

export type HeardEvent = {
  readonly tenant: TenantId
  readonly connectionId: ConnectionId
  readonly words: HeardWords
  readonly event: SecurityEvent
  readonly way: 'push' | 'poll'
  readonly now: Instant
  readonly requestId: string
  readonly newId: () => string
}

/** `full`: there is no room for one more who is not here; it must come again. `isMass`: it was the one that made the connection's signals so many that somebody was told. */
export type CameOfEvent = { readonly outcome: 'done' | 'nothing' | 'unmatched' | 'repeated' | 'full'; readonly isMass: boolean }

/** An event that is not on the list of the connection does as little as one that nobody knows. */
export function hearSecurityEvent(database: Database, heard: HeardEvent): Promise<CameOfEvent> {
  const { tenant, connectionId, event, words, now, requestId } = heard
  const known = effectOfSignal(event.type, event.event)
  const effect = known !== undefined && words.events.includes(known.name) ? known : undefined
  const at = { tenant, connectionId, now, requestId }
  return inTenant(database, tenant, async (db) => {
    const replay = { scopeId: connectionId, kind: 'security_event_token' as const, id: event.id, expiresAt: event.replayableUntil }
    if (!(await believeOnceHere(db, tenant, replay))) return { outcome: 'repeated', isMass: false }
    const came =
      effect === undefined || effect.takes === 'nothing'
        ? heardNothing
        : await takeAway(db, { ...at, ...whatIsTaken(effect), person: personOf(words, event), toldAt: event.toldAt, newId: heard.newId })
    if (came.outcome === 'full') {
      await forgetBelieved(db, tenant, replay)
      await alarmTaken(db, at, came)
      return { outcome: 'full', isMass: false }
    }
    const said = { event: known?.name ?? nameOfUnknown(event.type), outcome: came.outcome }
    await recordSignal(db, at, said)
    // Behind the count of the alarm, before the alarms: who holds the row of the stream waits for mails alone.
    await noteEvent(db, { ...at, way: heard.way, issuedAt: event.issuedAt, ofStream: isOfStream(event.type) ? event : undefined })
    await alarmTaken(db, at, came)
    if (effect?.alarms === true) await alarm(db, at, 'connection.signal_alarm', said)
    return { outcome: came.outcome === 'done' || came.outcome === 'nothing' ? came.outcome : 'unmatched', isMass: came.isMass }
  })
}

const longestName = 200
const nameOfUnknown = (type: string): string => (isKeepable(type) && type.length <= longestName ? type : 'unknown')

const whatIsTaken = ({ name, takes }: SignalEffect & { readonly name: string }) => ({ reason: name, deactivate: takes === 'deactivation' })

/** By a stable id alone: an address names nobody here (security.md §12). */
export function personOf({ issuers, loginIssuer, link }: HeardWords, { subject }: SecurityEvent): NamedPerson {
  const named = parseSignalSubject(subject)
  const isOurs = named?.format === 'opaque' || (named?.format === 'iss_sub' && issuers.includes(named.issuer))
  if (named === undefined || named.format === 'email' || !isOurs) return { by: 'nobody', named: describeSubject(named) }
  const id = named.format === 'iss_sub' ? named.sub : named.id
  return { by: 'id', id, issuer: loginIssuer, link }
}
