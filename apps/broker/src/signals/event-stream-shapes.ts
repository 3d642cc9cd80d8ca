/** The configuration of an event stream as it stands on the wire, both ways. @spec SSF 1.0 §8.1.1, §6.1 */
import {
  type DeliveryMethod,
  deliveryMethods,
  eventStreamLimits,
  eventsDelivered,
  isHeaderValue,
  pollDelivery,
  pushDelivery,
  supportedEvents,
} from '@drawbridge/core/signals/event-stream'
import type { EventStream } from '@drawbridge/store/event-streams'
import { z } from 'zod'
import type { ResolvedTenant } from '../http/tenant.js'

const url = z.string().max(eventStreamLimits.urlLength)
const delivery = z.discriminatedUnion('method', [
  z.object({
    method: z.literal(pushDelivery),
    endpoint_url: url.describe('Where the events are posted: https'),
    authorization_header: z
      .string()
      .max(eventStreamLimits.authorizationLength)
      .refine(isHeaderValue, 'is no header value')
      .optional()
      .describe('Sent as Authorization with each event; never shown again'),
  }),
  z.object({ method: z.literal(pollDelivery), endpoint_url: url.optional().describe('Given by us') }),
])
export type GivenDelivery = z.output<typeof delivery>

const events = z.array(z.string().max(eventStreamLimits.eventLength)).max(eventStreamLimits.eventsRequested)
/** What the receiver supplies. A description that is too long is cut, as the specification allows. */
const supplied = {
  events_requested: events.optional().describe('Without it: every event that we have'),
  delivery: delivery.optional().describe('Without it: by poll'),
  description: z
    .string()
    .transform((text) => text.slice(0, eventStreamLimits.descriptionLength))
    .optional(),
}
/** What we supply: it may be repeated, and must then be as it is. */
const ours = {
  iss: z.unknown().optional(),
  aud: z.unknown().optional(),
  events_supported: z.unknown().optional(),
  events_delivered: z.unknown().optional(),
  min_verification_interval: z.unknown().optional(),
  inactivity_timeout: z.unknown().optional(),
}

export const newStreamBody = z.object({ ...supplied, instance: z.never().optional() })
export const changedStreamBody = z.object({ stream_id: z.string().max(100), ...supplied, ...ours })
export type NewStream = z.output<typeof newStreamBody>
export type ChangedStream = z.output<typeof changedStreamBody>

export const streamShape = z.object({
  stream_id: z.string(),
  iss: z.string(),
  aud: z.string(),
  events_supported: z.array(z.string()),
  events_requested: z.array(z.string()).optional(),
  events_delivered: z.array(z.string()),
  delivery: z.object({ method: z.enum([pushDelivery, pollDelivery]), endpoint_url: z.string() }),
  min_verification_interval: z.int(),
  inactivity_timeout: z.int().optional().describe('Of a stream that is polled: without a call for so long it is disabled'),
  description: z.string().optional(),
})
export type ShownStream = z.output<typeof streamShape>

export const pollUrlOf = (tenant: ResolvedTenant, streamId: string): string => `${tenant.issuer.url}/ssf/streams/${streamId}/poll`

/** What a receiver reads. What it has us send as Authorization is not in it. */
export function showStream(tenant: ResolvedTenant, audience: string, stream: EventStream): ShownStream {
  const requested = stream.eventsRequested ?? undefined
  const isPoll = stream.method === 'poll'
  return {
    stream_id: stream.id,
    iss: tenant.issuer.url,
    aud: audience,
    events_supported: [...supportedEvents],
    ...(requested === undefined ? {} : { events_requested: [...requested] }),
    events_delivered: [...eventsDelivered(requested)],
    delivery: { method: deliveryMethods[stream.method], endpoint_url: stream.endpointUrl ?? pollUrlOf(tenant, stream.id) },
    min_verification_interval: eventStreamLimits.minVerificationSeconds,
    ...(isPoll ? { inactivity_timeout: eventStreamLimits.inactivitySeconds } : {}),
    ...(stream.description === null ? {} : { description: stream.description }),
  }
}

/** Whether what is repeated of ours is as it is. */
export const repeatsOurs = (given: ChangedStream, shown: ShownStream): boolean =>
  (Object.keys(ours) as readonly (keyof typeof ours)[]).every(
    (name) => given[name] === undefined || JSON.stringify(given[name]) === JSON.stringify(shown[name]),
  )

export const methodOf = (given: GivenDelivery): DeliveryMethod => (given.method === pushDelivery ? 'push' : 'poll')
