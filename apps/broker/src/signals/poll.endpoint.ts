/**
 * A guard asks for news: it acknowledges what it has, then waits up to 25 s for more.
 *
 * What was delivered and not answered comes again; what was refused is recorded as refused. No database connection is held while waiting.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import {
  hearStream,
  type ProvenResource,
  recordNoticeAnswers,
  type StreamKey,
  streamLapseSeconds,
  type TakenNotices,
  takeNotices,
} from '@drawbridge/store/notice-streams'
import { acrossTenants, acrossTenantsInOneStatement } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { endpoint, jsonParser } from '../http/endpoint.js'
import { waitForNotice } from './notice-wakeups.js'
import { proveResource, refuseSignal, streamIssuerOf } from './resource-credential.js'

/** Shorter than the patience of common proxies (30 s). */
export const longPollMs = 25_000
export const mostNoticesPerPoll = 100
/** A revocation that the worker has left lying for longer is told as `moreAvailable`: a guard that hears only this goes deaf, and refuses. */
export const lateAfterSeconds = 30
/** Of one poll. */
const refusalsLogged = 20

/** @spec RFC 8936 §2.2 */
export const pollSaid = {
  maxEvents: z.number().int().min(0).max(10_000).default(mostNoticesPerPoll),
  returnImmediately: z.boolean().default(false),
  ack: z.array(z.string().max(100)).max(1000).default([]),
  setErrs: z.record(z.string().max(100), z.object({ err: z.string().max(100), description: z.string().max(500).optional() })).default({}),
} as const
const body = z.object({ streamId: z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/), ...pollSaid })
type Poll = z.output<typeof body>
export const pollOutput = z.object({ sets: z.record(z.string(), z.string()), moreAvailable: z.boolean() })

export const pollEndpoint = endpoint<Poll, ProvenResource>({
  method: 'POST',
  path: '/t/:tenant/ssf/poll',
  spec: 'RFC 8936 §2.4',
  summary: 'Acknowledge notices and wait for more',
  servesSuspended: true,
  tag: 'signals',
  permission: 'resource credential (HTTP Basic)',
  output: { status: 200, schema: pollOutput },
  authorize: proveResource,
  parse: jsonParser(body),
  run: async (http, deps) => {
    const stream = { id: http.parsed.streamId, resource: http.caller, issuer: streamIssuerOf(http) }
    const limit = Math.min(http.parsed.maxEvents, mostNoticesPerPoll)
    const found =
      http.parsed.returnImmediately || limit === 0
        ? await hear(deps, stream, http.parsed, limit)
        : await hearOrWait(deps, stream, http.parsed, limit)
    if (found === undefined) return refuseSignal('stream_unknown')
    deps.metrics.count('drawbridge_notices_delivered_total', {}, found.notices.length)
    const sets = Object.fromEntries(found.notices.map((notice) => [notice.jti, notice.token]))
    const moreAvailable = limit > 0 && (found.isLate || found.notices.length === limit)
    return json({ sets, moreAvailable }, { headers: { 'cache-control': 'no-store' } })
  },
})

/** Records what the guard says and takes what it has not heard, in one transaction. Undefined: there is no such stream, and nothing was recorded. */
async function hear(deps: BrokerDeps, stream: StreamKey, { ack, setErrs }: Poll, limit: number): Promise<TakenNotices | undefined> {
  const now = deps.clock.now()
  const refused = Object.fromEntries(Object.entries(setErrs).map(([jti, { err }]) => [jti, err]))
  const done = await acrossTenants(deps.database, async (db) => {
    if (!(await hearStream(db, stream, now, addSeconds(now, -streamLapseSeconds)))) return undefined
    const answers = await recordNoticeAnswers(db, stream, { taken: ack, refused }, now)
    return { answers, taken: limit === 0 ? nothing : await takeNotices(db, stream, takingOf(now, limit)) }
  })
  for (const seconds of done?.answers.acknowledgedSeconds ?? []) deps.metrics.observe('drawbridge_notice_acknowledged_seconds', {}, seconds)
  for (const seconds of done?.answers.deadSeconds ?? []) deps.metrics.observe('drawbridge_time_to_dead_seconds', {}, seconds)
  if (done !== undefined && done.answers.refusals > 0) tellRefusals(deps, stream, setErrs, done.answers.refusals)
  return done?.taken
}

const nothing: TakenNotices = { notices: [], isLate: false }
const takingOf = (now: Instant, limit: number) => ({ now, limit, lateBefore: addSeconds(now, -lateAfterSeconds) })

/** Begins to listen before it looks, so that nothing written in between is missed. */
async function hearOrWait(deps: BrokerDeps, stream: StreamKey, poll: Poll, limit: number): Promise<TakenNotices | undefined> {
  const waiting = await waitForNotice(deps.database, stream.resource.resourceId, longPollMs)
  try {
    const taken = await hear(deps, stream, poll, limit)
    if (taken === undefined || taken.notices.length > 0) return taken
    await waiting.woken
  } finally {
    waiting.cancel()
  }
  return acrossTenantsInOneStatement(deps.database, (db) => takeNotices(db, stream, takingOf(deps.clock.now(), limit)))
}

/** A guard that cannot believe us is not told what we revoke until its next snapshot: somebody should look. */
function tellRefusals(deps: BrokerDeps, stream: StreamKey, setErrs: Poll['setErrs'], count: number): void {
  deps.metrics.count('drawbridge_notices_refused_total', {}, count)
  deps.log.warn({ streamId: stream.id, refused: Object.entries(setErrs).slice(0, refusalsLogged) }, 'a guard refused notices')
}
