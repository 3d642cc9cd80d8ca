/**
 * A receiver of the standard polls its stream at the address that we gave it: it answers what it has, and is handed what is next.
 *
 * A stream that is not enabled hands out only what it says of itself. A poll that may wait does so up to 25 s, and holds no connection to the
 * database meanwhile. Who has waited proves itself anew: what is handed out then is for whoever may have it then.
 */
import { ok, type Result } from '@drawbridge/core/result'
import { type Polled, recordPollAnswers, takeForPoll } from '@drawbridge/store/event-stream-delivery'
import { findEventStreamHeard } from '@drawbridge/store/event-streams'
import { markEventsDead } from '@drawbridge/store/notice-receipts'
import { acrossTenants } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { endpoint, jsonParser } from '../http/endpoint.js'
import { forReceivers, noStore, type Receiving, streamsOf } from './event-streams.endpoint.js'
import { waitForNotice } from './notice-wakeups.js'
import { longPollMs, mostNoticesPerPoll, pollOutput, pollSaid } from './poll.endpoint.js'
import { type ProvenReceiver, proveResource, refuseSignal } from './resource-credential.js'

const body = z.object(pollSaid)
type Poll = z.output<typeof body>
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export const eventPollEndpoint = endpoint<Poll, ProvenReceiver>({
  ...forReceivers,
  method: 'POST',
  path: '/t/:tenant/ssf/streams/:stream/poll',
  spec: 'RFC 8936 §2',
  summary: 'Acknowledge events of one stream and wait for more',
  output: { status: 200, schema: pollOutput },
  parse: jsonParser(body),
  run: async (http, deps) => {
    const limit = Math.min(http.parsed.maxEvents, mostNoticesPerPoll)
    if (!(await hear(http, deps))) return refuseSignal('stream_absent')
    const came = limit === 0 ? ok({ sets: [], notices: 0 }) : await takeOrWait(http, deps, limit)
    if (!came.ok) return came.error
    const polled = came.value
    if (polled === undefined) return refuseSignal('stream_absent')
    deps.metrics.count('drawbridge_notices_delivered_total', {}, polled.notices)
    const sets = Object.fromEntries(polled.sets.map(({ jti, token }) => [jti, token]))
    return json({ sets, moreAvailable: limit > 0 && polled.sets.length === limit }, noStore)
  },
})

/** False: there is no such stream that is polled. */
async function hear(http: Receiving<Poll>, deps: BrokerDeps): Promise<boolean> {
  const { ack, setErrs } = http.parsed
  const refused = Object.fromEntries(Object.entries(setErrs).map(([jti, { err }]) => [jti, err]))
  const heard = await onStream(http, deps, (db, stream, now) => recordPollAnswers(db, stream, { taken: ack, refused }, now))
  for (const seconds of heard?.acknowledgedSeconds ?? []) deps.metrics.observe('drawbridge_notice_acknowledged_seconds', {}, seconds)
  for (const seconds of await markEventsDead(deps.database, heard?.events ?? []))
    deps.metrics.observe('drawbridge_time_to_dead_seconds', {}, seconds)
  if (heard !== undefined && heard.refusals > 0) {
    deps.metrics.count('drawbridge_notices_refused_total', {}, heard.refusals)
    deps.log.warn({ streamId: http.params['stream'], refusals: heard.refusals }, 'a receiver refused events')
  }
  return heard !== undefined
}

type OnStream<T> = (
  db: Parameters<typeof recordPollAnswers>[0],
  stream: Parameters<typeof recordPollAnswers>[1],
  now: Parameters<typeof recordPollAnswers>[3],
) => Promise<T>

function onStream<T>(http: Receiving<Poll>, deps: BrokerDeps, run: OnStream<T>): Promise<T | undefined> {
  const id = http.params['stream'] ?? ''
  if (!uuid.test(id)) return Promise.resolve(undefined)
  const now = deps.clock.now()
  return acrossTenants(deps.database, async (db) => {
    const stream = await findEventStreamHeard(db, streamsOf(http), id, now)
    return stream?.method === 'poll' ? run(db, stream, now) : undefined
  })
}

const take = (http: Receiving<Poll>, deps: BrokerDeps, limit: number): Promise<Polled | undefined> =>
  onStream(http, deps, (db, stream, now) => takeForPoll(db, stream, now, limit))

/** Begins to listen before it looks, so that nothing written in between is missed. */
async function takeOrWait(http: Receiving<Poll>, deps: BrokerDeps, limit: number): Promise<Result<Polled | undefined, Answer>> {
  if (http.parsed.returnImmediately) return ok(await take(http, deps, limit))
  const waiting = await waitForNotice(deps.database, http.caller.resourceId, longPollMs)
  try {
    const polled = await take(http, deps, limit)
    if (polled === undefined || polled.sets.length > 0) return ok(polled)
    await waiting.woken
  } finally {
    waiting.cancel()
  }
  // Its credential may have been revoked meanwhile. Before anything is taken: what is taken counts as delivered.
  const proven = await proveResource(http, deps)
  return proven.ok ? ok(await take(http, deps, limit)) : proven
}
