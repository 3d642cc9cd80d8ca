/** What an IdP said itself and is not acted on: counted with the stream of its connection, and told. */
import { noteRefusedEvent, type RefusedEvent, type Unheard } from '@drawbridge/store/refused-security-events'
import type { BrokerDeps } from '../deps.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { AnyPresentConnection } from '../http/present-connection.js'

type Refusal = Pick<RefusedEvent, 'reason' | 'rule' | 'unheard'> & { readonly connection: AnyPresentConnection }

export async function noteRefusal(http: HttpRequest, deps: BrokerDeps, { connection, ...refusal }: Refusal): Promise<void> {
  const isAlarm = await noteRefusedEvent(deps.database, {
    ...{ ...refusal, tenant: connection.tenant.id, connectionId: connection.id, way: 'push' },
    ...{ now: deps.clock.now(), requestId: http.requestId, newId: () => deps.random.uuid() },
  })
  if (isAlarm) deps.metrics.count('drawbridge_signal_stream_alarms_total', { reason: 'refused' })
}

/** An admin has to make room: nobody is served by being asked again at once. */
export const fullRetrySeconds = 60

/** There is no room for one more who is not here: it has to be sent again. Until then an admin knows whom it meant. */
export const noteFull = (
  http: HttpRequest,
  deps: BrokerDeps,
  connection: AnyPresentConnection,
  unheard: Unheard | undefined,
): Promise<void> => noteRefusal(http, deps, { connection, reason: 'unmatched_signals_full', rule: undefined, unheard })
