/**
 * Where streams are opened. A guard instance says which it is: it learns every living barrier, the position at which the news goes on, and of whom there is
 * late news that the snapshot cannot hold. Whoever
 * says none is a receiver of the standard, and gets an event stream.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { listLateTenants } from '@drawbridge/store/notice-polls'
import { openStreamAcrossTenants } from '@drawbridge/store/notice-streams'
import { acrossTenants } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { endpoint, jsonParser, tenantOf } from '../http/endpoint.js'
import { newStreamBody, streamShape } from './event-stream-shapes.js'
import { createEventStream, forReceivers, type Receiving } from './event-streams.endpoint.js'
import { lateTenants, sayLate } from './poll.endpoint.js'
import { lateAfterSeconds } from './poll-rounds.js'
import { type ProvenReceiver, refuseSignal, streamIssuerOf } from './resource-credential.js'

const guard = z.object({ instance: z.string().min(1).max(200).describe('Names this replica; each replica has a stream of its own') })
const body = z.union([guard, newStreamBody])
const opened = z.object({
  streamId: z.string(),
  snapshot: z.array(z.object({ issuer: z.string(), target: z.string(), targetId: z.string(), epoch: z.number() })),
  condemnedKeys: z.array(z.string()).describe('Ids of keys of this issuer that are not to be believed, whatever is cached'),
  position: z.number(),
  moreAvailable: z.boolean().describe('The snapshot lacks what the worker has yet to decide: nothing counts as heard by it'),
  lateTenants,
})

export const streamsEndpoint = endpoint<z.output<typeof body>, ProvenReceiver>({
  ...forReceivers,
  method: 'POST',
  path: '/t/:tenant/ssf/streams',
  spec: 'SSF 1.0 §8.1.1.1; for a guard ours: snapshot and position',
  summary: 'Open the notice stream of one guard instance, or make an event stream',
  output: { status: 201, schema: z.union([streamShape, opened]) },
  parse: jsonParser(body),
  run: (http, deps) => {
    const { parsed } = http
    return typeof parsed.instance === 'string'
      ? openForGuard(http, deps, parsed.instance)
      : createEventStream({ ...http, parsed: parsed as z.output<typeof newStreamBody> }, deps)
  },
})

async function openForGuard(http: Receiving<unknown>, deps: BrokerDeps, instance: string) {
  const limited = http.spend('guard_stream', `${http.caller.tenantId} ${http.caller.credentialId}`)
  if (limited) return limited
  const issuer = streamIssuerOf(http)
  const now = deps.clock.now()
  const stream = { id: deps.random.uuid(), resource: http.caller, issuer, instance, now }
  const { snapshot, late } = await acrossTenants(deps.database, async (db) => ({
    snapshot: await openStreamAcrossTenants(db, stream),
    // After it: what was decided in between is behind the position.
    late: await listLateTenants(db, issuer, addSeconds(now, -lateAfterSeconds)),
  }))
  if (snapshot === undefined) return refuseSignal('streams_enough')
  return json(
    { streamId: stream.id, ...snapshot, ...sayLate(tenantOf(http), late) },
    { status: 201, headers: { 'cache-control': 'no-store' } },
  )
}
