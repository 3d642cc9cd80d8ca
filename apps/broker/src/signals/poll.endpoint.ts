/**
 * A guard asks for news: it acknowledges what it has, then waits up to 25 s for more.
 *
 * What was delivered and not answered comes again; what was refused is recorded as refused. No database connection is held while waiting.
 */
import { addSeconds } from '@drawbridge/core/instant'
import {
  hasLateNews,
  hearStream,
  type ProvenResource,
  recordNoticeAnswers,
  type StreamKey,
  streamLapseSeconds,
  takeNotices,
} from '@drawbridge/store/notice-streams'
import type { StoredNotice } from '@drawbridge/store/notices'
import { acrossTenants } from '@drawbridge/store/transaction'
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
    if (!(await hear(deps, stream, http.parsed))) return refuseSignal('stream_unknown')
    const limit = Math.min(http.parsed.maxEvents, mostNoticesPerPoll)
    if (limit === 0) return json({ sets: {}, moreAvailable: false }, { headers: { 'cache-control': 'no-store' } })
    const taken = http.parsed.returnImmediately ? await take(deps, stream, limit) : await takeOrWait(deps, stream, limit)
    const { notices, isLate } = taken
    deps.metrics.count('drawbridge_notices_delivered_total', {}, notices.length)
    const sets = Object.fromEntries(notices.map((notice) => [notice.jti, notice.token]))
    return json({ sets, moreAvailable: isLate || notices.length === limit }, { headers: { 'cache-control': 'no-store' } })
  },
})

/** False: there is no such stream, and nothing was recorded. */
async function hear(deps: BrokerDeps, stream: StreamKey, { ack, setErrs }: Poll): Promise<boolean> {
  const now = deps.clock.now()
  const refused = Object.fromEntries(Object.entries(setErrs).map(([jti, { err }]) => [jti, err]))
  const heard = await acrossTenants(deps.database, async (db) => {
    if (!(await hearStream(db, stream, now, addSeconds(now, -streamLapseSeconds)))) return undefined
    return recordNoticeAnswers(db, stream, { taken: ack, refused }, now)
  })
  for (const seconds of heard?.acknowledgedSeconds ?? []) deps.metrics.observe('drawbridge_notice_acknowledged_seconds', {}, seconds)
  for (const seconds of heard?.deadSeconds ?? []) deps.metrics.observe('drawbridge_time_to_dead_seconds', {}, seconds)
  if (heard !== undefined && heard.refusals > 0) tellRefusals(deps, stream, setErrs, heard.refusals)
  return heard !== undefined
}

/** A guard that cannot believe us is not told what we revoke until its next snapshot: somebody should look. */
function tellRefusals(deps: BrokerDeps, stream: StreamKey, setErrs: Poll['setErrs'], count: number): void {
  deps.metrics.count('drawbridge_notices_refused_total', {}, count)
  deps.log.warn({ streamId: stream.id, refused: Object.entries(setErrs).slice(0, refusalsLogged) }, 'a guard refused notices')
}

type Taken = { readonly notices: readonly StoredNotice[]; readonly isLate: boolean }

function take(deps: BrokerDeps, stream: StreamKey, limit: number): Promise<Taken> {
  const now = deps.clock.now()
  return acrossTenants(deps.database, async (db) => ({
    isLate: await hasLateNews(db, stream.issuer, addSeconds(now, -lateAfterSeconds)),
    notices: await takeNotices(db, stream, now, limit),
  }))
}

/** Begins to listen before it looks, so that nothing written in between is missed. */
async function takeOrWait(deps: BrokerDeps, stream: StreamKey, limit: number): Promise<Taken> {
  const waiting = await waitForNotice(deps.database, stream.resource.resourceId, longPollMs)
  try {
    const taken = await take(deps, stream, limit)
    if (taken.notices.length > 0) return taken
    await waiting.woken
  } finally {
    waiting.cancel()
  }
  return take(deps, stream, limit)
}
