/**
 * A guard asks for news: it acknowledges what it has, then waits up to 25 s for more.
 *
 * What was delivered and not answered comes again; what was refused is recorded as refused. The last poll of an instance that ends closes its stream.
 * No database connection is held while waiting. Who has waited proves itself anew: what is handed out then is for whoever may have it then.
 */
import { ok, type Result } from '@drawbridge/core/result'
import { vendorSlug } from '@drawbridge/core/tenant/ids'
import { mostLateNamed, type TakenNotices } from '@drawbridge/store/notice-polls'
import type { ProvenResource, StreamsOf } from '@drawbridge/store/notice-streams'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, json } from '../http/answer.js'
import { endpoint, type HttpRequest, jsonParser, tenantOf } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { waitForNotice } from './notice-wakeups.js'
import { hearPoll, type SaidByPoll, takeForPoll } from './poll-rounds.js'
import { ofResourceServers, proveResource, refuseSignal, streamIssuerOf } from './resource-credential.js'

/** Shorter than the patience of common proxies (30 s). */
export const longPollMs = 25_000
export const mostNoticesPerPoll = 100
/** Of one poll. */
const refusalsLogged = 20

/** @spec RFC 8936 §2.2 */
export const pollSaid = {
  maxEvents: z.number().int().min(0).max(10_000).default(mostNoticesPerPoll),
  returnImmediately: z.boolean().default(false),
  ack: z.array(z.string().max(100)).max(1000).default([]),
  setErrs: z.record(z.string().max(100), z.object({ err: z.string().max(100), description: z.string().max(500).optional() })).default({}),
} as const
const close = z
  .boolean()
  .default(false)
  .describe('Ours: this instance ends, and believes nothing from here on. Its stream is closed, and nobody waits for it')
const body = z.object({ streamId: z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/), ...pollSaid, close })
type Poll = z.output<typeof body>
export const pollOutput = z.object({ sets: z.record(z.string(), z.string()), moreAvailable: z.boolean() })
export const lateTenants = z
  .array(z.string())
  .optional()
  .describe('Ours, at the front: all was told but what is late of these tenants; left out where `moreAvailable` concerns everybody')

export const pollEndpoint = endpoint<Poll, ProvenResource>({
  method: 'POST',
  path: '/t/:tenant/ssf/poll',
  spec: 'RFC 8936 §2.4',
  summary: 'Acknowledge notices and wait for more',
  servesSuspended: true,
  tag: 'signals',
  permission: 'resource credential (HTTP Basic)',
  output: { status: 200, schema: pollOutput.extend({ lateTenants }) },
  ...ofResourceServers,
  parse: jsonParser(body),
  run: async (http, deps) => {
    const of = { resource: http.caller, issuer: streamIssuerOf(http) }
    const { streamId, ack, setErrs, maxEvents, returnImmediately, close: closes } = http.parsed
    const refused = Object.fromEntries(Object.entries(setErrs).map(([jti, { err }]) => [jti, err]))
    const poll = { streamId, taken: ack, refused, limit: closes ? 0 : Math.min(maxEvents, mostNoticesPerPoll), closes }
    const came = returnImmediately || poll.limit === 0 ? ok(await hear(deps, of, poll)) : await hearOrWait(http, deps, of, poll)
    if (!came.ok) return came.error
    const found = came.value
    if (found === undefined) return refuseSignal('stream_unknown')
    deps.metrics.count('drawbridge_notices_delivered_total', {}, found.notices.length)
    const sets = Object.fromEntries(found.notices.map((notice) => [notice.jti, notice.token]))
    return json({ sets, ...whatIsLeft(http, poll.limit, found) }, { headers: { 'cache-control': 'no-store' } })
  },
})

/** A guard that hears only of more goes deaf after its time. */
function whatIsLeft(http: HttpRequest, limit: number, { notices, late }: TakenNotices) {
  if (limit === 0) return { moreAvailable: false }
  return notices.length === limit ? { moreAvailable: true } : sayLate(tenantOf(http), late)
}

/** That a guard has not heard everything: at the front, of those alone of whom something is late. */
export function sayLate({ issuer }: ResolvedTenant, late: readonly string[]) {
  const isOfSome = late.length > 0 && issuer.kind !== 'tenant' && late.length <= mostLateNamed && !late.includes(vendorSlug)
  return { moreAvailable: late.length > 0, ...(isOfSome && { lateTenants: late }) }
}

async function hear(deps: BrokerDeps, of: StreamsOf, poll: SaidByPoll): Promise<TakenNotices | undefined> {
  const heard = await hearPoll(deps, of, poll)
  if (heard !== undefined && heard.refusals > 0) tellRefusals(deps, poll, heard.refusals)
  return heard
}

type Found = Result<TakenNotices | undefined, Answer>

/** Begins to listen before it looks, so that nothing written in between is missed. */
async function hearOrWait(http: HttpRequest, deps: BrokerDeps, of: StreamsOf, poll: SaidByPoll): Promise<Found> {
  const waiting = await waitForNotice(deps.database, of.resource.resourceId, longPollMs)
  try {
    const heard = await hear(deps, of, poll)
    if (heard === undefined || heard.notices.length > 0) return ok(heard)
    await waiting.woken
  } finally {
    waiting.cancel()
  }
  // Its credential may have been revoked meanwhile. Before anything is taken: what is taken counts as delivered.
  const proven = await proveResource(http, deps)
  return proven.ok ? ok(await takeForPoll(deps, of, poll)) : proven
}

/** A guard that cannot believe us is not told what we revoke until its next snapshot: somebody should look. */
function tellRefusals(deps: BrokerDeps, { streamId, refused }: SaidByPoll, count: number): void {
  deps.metrics.count('drawbridge_notices_refused_total', {}, count)
  deps.log.warn({ streamId, refused: Object.entries(refused).slice(0, refusalsLogged) }, 'a guard refused notices')
}
