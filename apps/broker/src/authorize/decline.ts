/** A person's no at one of the gates: the request is over, the audit trail says so, and the client hears access_denied. */
import { type DeclinedRequest, declineAuthorizationRequest } from '@drawbridge/store/authorization-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import type { Answer } from '../http/answer.js'
import { answerWithError, refuseOnPage } from './answer.js'
import type { Flow } from './flow.js'

export async function decline(flow: Flow, no: Pick<DeclinedRequest, 'kind' | 'scopes'>): Promise<Answer> {
  const { deps, http, tenant, ongoing, browserHash, pending, now } = flow
  const declined = await declineAuthorizationRequest(onHotPath(deps.database), tenant.id, {
    ...no,
    id: ongoing.id,
    browserHash,
    now,
    requestId: http.requestId,
    address: http.address,
  })
  return declined ? answerWithError(tenant, pending, { reason: no.kind }) : refuseOnPage({ reason: 'request_expired' })
}
