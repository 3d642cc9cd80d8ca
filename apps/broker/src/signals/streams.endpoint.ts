/**
 * Where streams are opened. A guard instance says which it is: it learns every living barrier and the position at which the news goes on. Whoever
 * says none is a receiver of the standard, and gets an event stream.
 */
import { openStreamAcrossTenants } from '@drawbridge/store/notice-streams'
import { acrossTenants } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { endpoint, jsonParser, tenantOf } from '../http/endpoint.js'
import { newStreamBody, streamShape } from './event-stream-shapes.js'
import { createEventStream, forReceivers, type Receiving } from './event-streams.endpoint.js'
import { type ProvenReceiver, refuseSignal, streamIssuerOf } from './resource-credential.js'

const guard = z.object({ instance: z.string().min(1).max(200).describe('Names this replica; each replica has a stream of its own') })
const body = z.union([guard, newStreamBody])
const opened = z.object({
  streamId: z.string(),
  snapshot: z.array(z.object({ issuer: z.string(), target: z.string(), targetId: z.string(), epoch: z.number() })),
  condemnedKeys: z.array(z.string()).describe('Ids of keys of this issuer that are not to be believed, whatever is cached'),
  position: z.number(),
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
    if (typeof parsed.instance !== 'string' && tenantOf(http).issuer.kind !== 'tenant') return refuseSignal('stream_not_at_front')
    return typeof parsed.instance === 'string'
      ? openForGuard(http, deps, parsed.instance)
      : createEventStream({ ...http, parsed: parsed as z.output<typeof newStreamBody> }, deps)
  },
})

async function openForGuard(http: Receiving<unknown>, deps: BrokerDeps, instance: string) {
  const issuer = streamIssuerOf(http)
  const stream = { id: deps.random.uuid(), resource: http.caller, issuer, instance, now: deps.clock.now() }
  const snapshot = await acrossTenants(deps.database, (db) => openStreamAcrossTenants(db, stream))
  return json({ streamId: stream.id, ...snapshot }, { status: 201, headers: { 'cache-control': 'no-store' } })
}
