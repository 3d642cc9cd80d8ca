/**
 * Ends event streams whose receivers have been away for too long or owe too much, and holds those whose credential is dead: with the reason, which
 * the receiver is told. What is beyond a bound is never dropped in silence.
 */
import { assert } from '@drawbridge/core/assert'
import { addSeconds, toSeconds } from '@drawbridge/core/instant'
import { eventStreamLimits, type StatusReason, statusReasons } from '@drawbridge/core/signals/event-stream'
import { streamUpdatedClaims } from '@drawbridge/core/signals/set-claims'
import {
  forgetOwnEventsAcrossTenants,
  listStreamsBeyondBoundsAcrossTenants,
  moveIdleStreamsAcrossTenants,
} from '@drawbridge/store/event-stream-bounds'
import { changeEventStreamStatus, type EventStream, findStreamIssuer } from '@drawbridge/store/event-streams'
import { type AcrossDb, acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from './deps.js'

/** Judged in one transaction. */
const batch = 50
/** That a stream was disabled is tried to be told for so long. */
const tellDisabledSeconds = 86_400

type Beyond = EventStream & { readonly beyond: StatusReason }

/** Answers how many it ended or held. */
export async function boundEventStreams(deps: JobDeps): Promise<number> {
  let total = 0
  for (let count = batch; count === batch; ) {
    count = await acrossTenants(deps.database, (db) => boundSome(deps, db))
    total += count
  }
  await acrossTenants(deps.database, moveIdleStreamsAcrossTenants)
  await acrossTenants(deps.database, (db) => forgetOwnEventsAcrossTenants(db, addSeconds(deps.clock.now(), -tellDisabledSeconds)))
  return total
}

async function boundSome(deps: JobDeps, db: AcrossDb): Promise<number> {
  const now = deps.clock.now()
  const [oldest, silentSince] = [addSeconds(now, -eventStreamLimits.heldSeconds), addSeconds(now, -eventStreamLimits.inactivitySeconds)]
  const streams = await listStreamsBeyondBoundsAcrossTenants(db, { now, oldest, silentSince, limit: batch })
  for (const stream of streams) await end(deps, db, stream)
  return streams.length
}

async function end(deps: JobDeps, db: AcrossDb, stream: Beyond): Promise<void> {
  const { beyond } = stream
  const status = beyond === 'credential_ended' ? 'paused' : 'disabled'
  const reason = statusReasons[beyond]
  const event = await sign(deps, db, stream, streamUpdatedClaims(stream.id, status, reason))
  // What an operator holds stays his: its receiver cannot come round that by waiting until it ends.
  const by = stream.statusBy === 'operator' ? 'operator' : 'transmitter'
  await changeEventStreamStatus(db, stream, { status, reason, by, now: deps.clock.now(), event })
  deps.metrics.count('drawbridge_event_streams_ended_total', { reason: beyond })
  deps.log.warn({ streamId: stream.id, resourceId: stream.resourceId, reason: beyond }, `an event stream was ${status}`)
}

async function sign(deps: JobDeps, db: AcrossDb, stream: EventStream, claims: Readonly<Record<string, unknown>>) {
  const issuer = await findStreamIssuer(db, stream)
  assert(issuer !== undefined, 'an issuer is never deleted')
  const by = await deps.openNoticeSigner(db, { tenant: stream.issuerTenantId, id: stream.issuerId, url: issuer.url })
  const jti = deps.random.uuid()
  const token = by({ iss: issuer.url, aud: issuer.audience, iat: toSeconds(deps.clock.now()), jti, ...claims })
  return { jti, kind: 'stream-updated', token } as const
}
