/** How much one client may ask for, wherever it asks from. */
import { isVouchedForItself, type ProvenClient } from '@drawbridge/core/oauth/client'
import type { Answer } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { limitAt } from '../http/limit-at.js'
import type { RateLimitName } from '../http/rate-limit.js'

/** For those that nobody can tell apart, as a name alone can be anybody's: whoever uses it would spend what is another's. */
type LimitTogether = 'tenant_token' | 'tenant_push'

/** For those that have a credential because they asked for one: whoever may have as many as he likes is not limited by what each may have. */
const ofUnvouched = { tenant_token: 'tenant_unvouched_token', tenant_push: 'tenant_unvouched_push' } as const satisfies Record<
  LimitTogether,
  RateLimitName
>

/**
 * Counts a request of a client that has a credential for itself; where no admin means this client, with all such of the tenant besides; and those
 * without a credential `together` alone. Absent: they are counted together elsewhere.
 */
export function limitOfClient(http: HttpRequest, client: ProvenClient, together?: LimitTogether): Answer | undefined {
  const tenant = tenantOf(http)
  if (client.authMethod === 'none') return together && http.spend(limitAt(tenant, together), tenant.id)
  // Of one issuer, as the client is: one of the like name at another is somebody else.
  const limited = http.spend(limitAt(tenant, 'client'), `${tenant.id} ${tenant.issuer.id} ${client.id}`)
  if (limited || isVouchedForItself(client)) return limited
  return together && http.spend(limitAt(tenant, ofUnvouched[together]), tenant.id)
}
