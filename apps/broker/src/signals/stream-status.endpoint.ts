/** Whether an event stream tells, holds back, or does neither; read and set by its receiver. @spec SSF 1.0 §8.1.2 */
import { eventStreamLimits, streamStatuses } from '@drawbridge/core/signals/event-stream'
import { changeEventStreamStatus } from '@drawbridge/store/event-streams'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { endpoint, jsonParser } from '../http/endpoint.js'
import { forReceivers, noStore, streamIdOf, withStream } from './event-streams.endpoint.js'
import { type ProvenReceiver, refuseSignal } from './resource-credential.js'

const status = z.enum(streamStatuses)
const shown = z.object({ stream_id: z.string(), status, reason: z.string().optional() })
/** A status for one subject is not to be had: whoever asks for it must not get the whole stream held. */
const body = z.object({
  stream_id: z.string().max(100),
  status,
  reason: z
    .string()
    .transform((text) => text.slice(0, eventStreamLimits.reasonLength))
    .optional(),
  subject: z.never('has no status of its own here').optional(),
})

const show = (stream: { readonly id: string; readonly status: z.output<typeof status>; readonly statusReason: string | null }) => ({
  stream_id: stream.id,
  status: stream.status,
  ...(stream.statusReason === null ? {} : { reason: stream.statusReason }),
})

const read = endpoint<undefined, ProvenReceiver>({
  ...forReceivers,
  method: 'GET',
  path: '/t/:tenant/ssf/status',
  spec: 'SSF 1.0 §8.1.2.1',
  summary: 'Read the status of an event stream',
  query: z.object({ stream_id: z.string() }),
  output: { status: 200, schema: shown },
  run: (http, deps) => withStream(http, deps, streamIdOf(http), async (_db, stream) => json(show(stream), noStore)),
})

const update = endpoint<z.output<typeof body>, ProvenReceiver>({
  ...forReceivers,
  method: 'POST',
  path: '/t/:tenant/ssf/status',
  spec: 'SSF 1.0 §8.1.2.2',
  summary: 'Enable, pause or disable an event stream: paused it holds back what it owes, disabled it forgets it',
  output: { status: 200, schema: shown },
  parse: jsonParser(body),
  run: (http, deps) =>
    withStream(http, deps, http.parsed.stream_id, async (db, stream) => {
      const { status: wanted, reason } = http.parsed
      if (stream.statusBy === 'operator' && stream.status !== wanted) return refuseSignal('stream_held')
      if (stream.statusBy === 'operator') return json(show(stream), noStore)
      const by = { by: 'receiver', credentialId: http.caller.credentialId, now: deps.clock.now() } as const
      await changeEventStreamStatus(db, stream, { status: wanted, reason, ...by })
      return json(show({ ...stream, status: wanted, statusReason: reason ?? null }), noStore)
    }),
})

export const streamStatusEndpoints = [read, update]
