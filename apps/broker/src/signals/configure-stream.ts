/** From what a receiver asks for to what is stored of its event stream: created, changed in parts, or replaced whole. */

import { err, ok, type Result } from '@drawbridge/core/result'
import { parseEndpointUrl, pollDelivery } from '@drawbridge/core/signals/event-stream'
import type { EventStream, EventStreamConfiguration } from '@drawbridge/store/event-streams'
import type { BrokerDeps } from '../deps.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { type GivenDelivery, methodOf, type NewStream, pollUrlOf } from './event-stream-shapes.js'
import type { ProvenReceiver } from './resource-credential.js'

type Receiving = HttpRequest<unknown, ProvenReceiver>
type Delivery = Pick<EventStreamConfiguration, 'method' | 'endpointUrl' | 'sealedAuthorization'>
const byPoll: Delivery = { method: 'poll', endpointUrl: null, sealedAuthorization: null }

/** A whole configuration: what is left out is not there. */
export function configurationOf(
  http: Receiving,
  deps: BrokerDeps,
  streamId: string,
  given: NewStream,
): Result<EventStreamConfiguration, 'stream_endpoint_refused'> {
  const delivery = given.delivery === undefined ? ok(byPoll) : deliveryOf(http, deps, streamId, given.delivery)
  if (!delivery.ok) return delivery
  return ok({ description: given.description ?? null, eventsRequested: given.events_requested ?? null, ...delivery.value })
}

/** What is left out stays. An authorization that is left out stays only where events go to the same address: no other is shown it. */
export function changedConfigurationOf(
  http: Receiving,
  deps: BrokerDeps,
  stream: EventStream,
  given: NewStream,
): Result<EventStreamConfiguration, 'stream_endpoint_refused'> {
  const { method, endpointUrl, sealedAuthorization } = stream
  const delivery =
    given.delivery === undefined ? ok({ method, endpointUrl, sealedAuthorization }) : deliveryOf(http, deps, stream.id, given.delivery)
  if (!delivery.ok) return delivery
  const isSilent =
    given.delivery !== undefined && !('authorization_header' in given.delivery && given.delivery.authorization_header !== undefined)
  const keeps = isSilent && delivery.value.method === 'push' && delivery.value.endpointUrl === endpointUrl
  return ok({
    description: given.description ?? stream.description,
    eventsRequested: given.events_requested ?? stream.eventsRequested,
    ...delivery.value,
    ...(keeps ? { sealedAuthorization } : {}),
  })
}

function deliveryOf(
  http: Receiving,
  deps: BrokerDeps,
  streamId: string,
  given: GivenDelivery,
): Result<Delivery, 'stream_endpoint_refused'> {
  if (given.method === pollDelivery) {
    const isOurs = given.endpoint_url === undefined || given.endpoint_url === pollUrlOf(tenantOf(http), streamId)
    return isOurs ? ok(byPoll) : err('stream_endpoint_refused')
  }
  const mayBePlain = ({ origin }: URL) => deps.settings.allowedOrigins.includes(origin) || deps.installation.kind === 'lab'
  const endpoint = parseEndpointUrl(given.endpoint_url, mayBePlain)
  if (!endpoint.ok) return err('stream_endpoint_refused')
  return ok({
    method: methodOf(given),
    endpointUrl: endpoint.value,
    sealedAuthorization: seal(http, deps, streamId, given.authorization_header),
  })
}

/** It rests with the owner of the resource, whose stream it is. */
function seal({ caller }: Receiving, { sealer, installation }: BrokerDeps, row: string, header: string | undefined): Buffer | null {
  const context = { installation: installation.id, tenant: caller.tenantId, table: 'event_streams', column: 'sealed_authorization', row }
  return header === undefined ? null : sealer.seal(Buffer.from(header, 'utf8'), context)
}
