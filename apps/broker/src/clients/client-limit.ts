/** How much one client may ask for, wherever it asks from. */
import type { ProvenClient } from '@drawbridge/core/oauth/client'
import type { Answer } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'

/** For those that nobody can tell apart, as a name alone can be anybody's: whoever uses it would spend what is another's. */
type LimitTogether = 'tenant_token' | 'tenant_push'

/** Counts a request of a client that has a credential for itself, and those of all others of the tenant `together`; absent: they are counted elsewhere. */
export function limitOfClient(http: HttpRequest, client: ProvenClient, together?: LimitTogether): Answer | undefined {
  const tenant = tenantOf(http)
  if (client.authMethod !== 'none') return http.spend('client', `${tenant.id} ${client.id}`)
  return together && http.spend(together, tenant.id)
}
