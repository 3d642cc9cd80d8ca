/** How much one client may ask for, wherever it asks from. */
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import type { Answer } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'

/** Counts a request of a client that has a credential; a name alone can be anybody's, and whoever uses it would spend what is another's. */
export const limitOfClient = (http: HttpRequest, client: ProvenClient): Answer | undefined =>
  client.authMethod === 'none' ? undefined : http.spend('client', `${tenantOf(http).id} ${client.id}`)
