/** How much may be asked for one person by clients that act for her while she is not here, whichever they are. */
import type { HttpRequest } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** `person`: by whatever tells her from others of the tenant. Only what somebody has signed about her may be counted: nobody else spends what is hers. */
export function limitOfPerson(http: HttpRequest, tenant: ResolvedTenant, person: string) {
  const limited = http.spend('subject_unattended', `${tenant.id} ${person}`)
  return limited && { reason: 'person_limited' as const, detail: { retryAfterSeconds: Number(limited.headers?.['retry-after'] ?? 1) } }
}
