/**
 * Event streams of receivers that know nothing of our guard: made, read, changed, replaced and deleted, each by its own resource alone.
 *
 * The same address serves our guard, which says its `instance`; `streams.endpoint` tells them apart.
 */
import type { AuditEventKind } from '@drawbridge/core/audit/audit-event'
import type { Result } from '@drawbridge/core/result'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import {
  deleteEventStream,
  type EventStream,
  type EventStreamConfiguration,
  findEventStreamHeard,
  insertEventStream,
  listEventStreams,
  updateEventStream,
} from '@drawbridge/store/event-streams'
import { type AcrossDb, acrossTenants } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { type EndpointDefinition, endpoint, type HttpRequest, jsonParser, tenantOf } from '../http/endpoint.js'
import { changedConfigurationOf, configurationOf } from './configure-stream.js'
import { type ChangedStream, changedStreamBody, type NewStream, repeatsOurs, showStream, streamShape } from './event-stream-shapes.js'
import { ofResourceServers, type ProvenReceiver, refuseSignal, streamIssuerOf } from './resource-credential.js'

export type Receiving<Parsed> = HttpRequest<Parsed, ProvenReceiver>

/** What every endpoint for receivers shares. */
export const forReceivers = {
  servesSuspended: true,
  tag: 'signals',
  permission: 'resource credential (HTTP Basic or bearer)',
  ...ofResourceServers,
} as const satisfies Partial<EndpointDefinition<never, ProvenReceiver>>

export const noStore = { headers: { 'cache-control': 'no-store' } } as const

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
export const streamsOf = (http: Receiving<unknown>) => ({ resource: http.caller, issuer: streamIssuerOf(http) })

/** One transaction around a stream of the caller's, which has been heard of by it. Anybody else's is absent. */
export function withStream(
  http: Receiving<unknown>,
  deps: BrokerDeps,
  id: string | undefined,
  run: (db: AcrossDb, stream: EventStream) => Promise<Answer>,
): Promise<Answer> {
  if (id === undefined || !uuid.test(id)) return Promise.resolve(refuseSignal('stream_absent'))
  return acrossTenants(deps.database, async (db) => {
    const stream = await findEventStreamHeard(db, streamsOf(http), id, deps.clock.now())
    return stream === undefined ? refuseSignal('stream_absent') : run(db, stream)
  })
}

/** In a query. */
export const streamIdOf = (http: Receiving<unknown>): string | undefined => (http.query.ok ? http.query.value['stream_id'] : undefined)

const show = (http: Receiving<unknown>, stream: EventStream) => showStream(tenantOf(http), http.caller.identifier, stream)

type Act = Extract<AuditEventKind, 'event_stream.created' | 'event_stream.changed' | 'event_stream.deleted'>

/** In the trail of the resource's owner, in the transaction that it tells of: whose credential it was is what a thief would not show. */
function record(
  db: AcrossDb,
  http: Receiving<unknown>,
  deps: BrokerDeps,
  { kind, stream }: { readonly kind: Act; readonly stream: Pick<EventStream, 'id' | 'method' | 'endpointUrl'> },
): Promise<void> {
  const { tenantId, identifier, credentialId } = http.caller
  const { id, method, endpointUrl } = stream
  // Receivers put secrets into paths.
  const endpointHost = endpointUrl === null ? null : new URL(endpointUrl).host
  const detail = { resource: identifier, issuer: tenantOf(http).issuer.url, stream: id, method, endpointHost, credential: credentialId }
  return insertAuditEvent(db, tenantId, { at: deps.clock.now(), kind, detail, requestId: http.requestId, address: http.address })
}

/** @spec SSF 1.0 §8.1.1.1 */
export async function createEventStream(http: Receiving<NewStream>, deps: BrokerDeps): Promise<Answer> {
  const id = deps.random.uuid()
  const configuration = configurationOf(http, deps, id, http.parsed)
  if (!configuration.ok) return refuseSignal(configuration.error)
  const of = streamsOf(http)
  const made = { ...of, ...configuration.value, id, credentialId: http.caller.credentialId, now: deps.clock.now() }
  return acrossTenants(deps.database, async (db) => {
    // Another stream would carry what the operator holds back.
    if ((await listEventStreams(db, of)).some(({ statusBy }) => statusBy === 'operator')) return refuseSignal('stream_held')
    if (!(await insertEventStream(db, made))) return refuseSignal('streams_enough')
    await record(db, http, deps, { kind: 'event_stream.created', stream: made })
    const stream = await findEventStreamHeard(db, of, id, made.now)
    return stream === undefined ? refuseSignal('stream_absent') : json(show(http, stream), { status: 201, ...noStore })
  })
}

const read = endpoint<undefined, ProvenReceiver>({
  ...forReceivers,
  method: 'GET',
  path: '/t/:tenant/ssf/streams',
  spec: 'SSF 1.0 §8.1.1.2',
  summary: 'Read one event stream, or all of this resource',
  query: z.object({ stream_id: z.string().optional() }),
  output: { status: 200, schema: z.union([streamShape, z.array(streamShape)]) },
  run: async (http, deps) => {
    if (http.query.ok && http.query.value['stream_id'] === undefined) {
      const streams = await acrossTenants(deps.database, (db) => listEventStreams(db, streamsOf(http)))
      return json(
        streams.map((stream) => show(http, stream)),
        noStore,
      )
    }
    return withStream(http, deps, streamIdOf(http), async (_db, stream) => json(show(http, stream), noStore))
  },
})

type Change = (
  http: Receiving<ChangedStream>,
  deps: BrokerDeps,
  stream: EventStream,
) => Result<EventStreamConfiguration, 'stream_endpoint_refused'>

const change = (http: Receiving<ChangedStream>, deps: BrokerDeps, decide: Change): Promise<Answer> =>
  withStream(http, deps, http.parsed.stream_id, async (db, stream) => {
    if (stream.statusBy === 'operator') return refuseSignal('stream_held')
    if (!repeatsOurs(http.parsed, show(http, stream))) return refuseSignal('stream_property_wrong')
    const configuration = decide(http, deps, stream)
    if (!configuration.ok) return refuseSignal(configuration.error)
    await updateEventStream(db, stream, { ...configuration.value, credentialId: http.caller.credentialId })
    const changed = { ...stream, ...configuration.value }
    await record(db, http, deps, { kind: 'event_stream.changed', stream: changed })
    return json(show(http, changed), noStore)
  })

const update = endpoint<ChangedStream, ProvenReceiver>({
  ...forReceivers,
  method: 'PATCH',
  path: '/t/:tenant/ssf/streams',
  spec: 'SSF 1.0 §8.1.1.3',
  summary: 'Change an event stream; what is left out stays',
  output: { status: 200, schema: streamShape },
  parse: jsonParser(changedStreamBody),
  run: (http, deps) => change(http, deps, (_http, _deps, stream) => changedConfigurationOf(http, deps, stream, http.parsed)),
})

const replace = endpoint<ChangedStream, ProvenReceiver>({
  ...forReceivers,
  method: 'PUT',
  path: '/t/:tenant/ssf/streams',
  spec: 'SSF 1.0 §8.1.1.4',
  summary: 'Replace what a receiver has set of an event stream; what is left out is gone',
  output: { status: 200, schema: streamShape },
  parse: jsonParser(changedStreamBody),
  run: (http, deps) => change(http, deps, (_http, _deps, stream) => configurationOf(http, deps, stream.id, http.parsed)),
})

const remove = endpoint<undefined, ProvenReceiver>({
  ...forReceivers,
  method: 'DELETE',
  path: '/t/:tenant/ssf/streams',
  spec: 'SSF 1.0 §8.1.1.5',
  summary: 'Delete an event stream; what it still owed is not told',
  query: z.object({ stream_id: z.string() }),
  output: { status: 204 },
  run: (http, deps) =>
    withStream(http, deps, streamIdOf(http), async (db, stream) => {
      if (stream.statusBy === 'operator') return refuseSignal('stream_held')
      await deleteEventStream(db, stream, deps.clock.now())
      await record(db, http, deps, { kind: 'event_stream.deleted', stream })
      return empty(204, noStore)
    }),
})

export const eventStreamEndpoints = [read, update, replace, remove]
