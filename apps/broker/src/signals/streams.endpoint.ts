/**
 * Where streams are opened. A guard instance says which it is: it learns every living barrier, the position at which the news goes on, and of whom there is
 * late news that the snapshot cannot hold. Whoever
 * says none is a receiver of the standard, and gets an event stream.
 */
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, jsonInParts } from '../http/answer.js'
import { endpoint, jsonParser, tenantOf } from '../http/endpoint.js'
import { newStreamBody, streamShape } from './event-stream-shapes.js'
import { createEventStream, forReceivers, type Receiving } from './event-streams.endpoint.js'
import { type Opened, openStream } from './open-rounds.js'
import { lateTenants, sayLate } from './poll.endpoint.js'
import { type ProvenReceiver, proveResource, refuseSignal, streamIssuerOf } from './resource-credential.js'

const guard = z.object({ instance: z.string().min(1).max(200).describe('Names this replica; each replica has a stream of its own') })
const body = z.union([guard, newStreamBody])
const opened = z.object({
  streamId: z.string(),
  snapshot: z
    .record(z.string(), z.record(z.string(), z.record(z.string(), z.array(z.string()))))
    .describe(
      'Every living barrier of this issuer: by tenant, target (tenant, client, connection, subject, grant) and epoch, the ids below it. Beyond 100,000 the oldest are told as one time of each tenant, `floor`: what was issued for it until then is dead',
    ),
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

async function openForGuard(http: Receiving<unknown>, deps: BrokerDeps, instance: string): Promise<Answer> {
  const issuer = streamIssuerOf(http)
  const limited = http.spend('guard_stream', `${issuer.tenantId} ${issuer.id} ${http.caller.credentialId}`)
  if (limited) return limited
  const id = deps.random.uuid()
  const opened = await openStream(deps, { resource: http.caller, issuer }, { id, instance })
  if (opened === undefined) return refuseSignal('streams_enough')
  // It may have waited its turn: the barriers are for whoever may have them now.
  const proven = await proveResource(http, deps)
  if (!proven.ok) return proven.error
  return jsonInParts(partsOf(http, id, opened), { status: 201, headers: { 'cache-control': 'no-store' } })
}

/** The barriers are sent as the database wrote them: they are most of it, and the same for all who asked together. */
function partsOf(http: Receiving<unknown>, streamId: string, { barriers, condemnedKeys, position, late }: Opened): readonly Buffer[] {
  const others = JSON.stringify({ streamId, condemnedKeys, position, ...sayLate(tenantOf(http), late) })
  return [Buffer.from(`${others.slice(0, -1)},"snapshot":`), barriers, closing]
}
const closing = Buffer.from('}')
