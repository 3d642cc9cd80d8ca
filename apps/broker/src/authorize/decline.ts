/**
 * A no that ends a request: a person's at one of the gates, or her IdP's, which did not ask her again although the client wanted it. The audit
 * trail says so, and the client hears it.
 */
import type { RedirectRefusal } from '@drawbridge/core/oauth/error'
import { type DeclinedRequest, declineAuthorizationRequest } from '@drawbridge/store/authorization-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import type { Answer } from '../http/answer.js'
import { answerWithError, refuseOnPage } from './answer.js'
import type { Flow } from './flow.js'

type No = Pick<DeclinedRequest, 'kind' | 'reason' | 'scopes'>

export const decline = (flow: Flow, no: No & { readonly kind: 'notice_declined' | 'consent_denied' }): Promise<Answer> =>
  end(flow, no, { reason: no.kind })

/** `why`: what her login lacked. @spec OIDC Core §3.1.2.1 an error where she cannot be asked again, §3.1.2.6 */
export const refuseOldLogin = (flow: Flow, why: string): Promise<Answer> =>
  end(flow, { kind: 'login_refused', reason: why, scopes: flow.pending.scopes }, { reason: 'login_not_renewed' })

/** Nor is one of another person than the client wants. OIDC Core §3.1.2.2 */
export const refuseSomebodyElse = (flow: Flow, why: 'login_of_somebody_else'): Promise<Answer> =>
  end(flow, { kind: 'login_refused', reason: why, scopes: flow.pending.scopes }, { reason: why })

async function end(flow: Flow, no: No, refusal: RedirectRefusal): Promise<Answer> {
  const { deps, http, tenant, ongoing, browserHash, pending, now } = flow
  const declined = await declineAuthorizationRequest(onHotPath(deps.database), tenant.id, {
    ...no,
    id: ongoing.id,
    browserHash,
    now,
    requestId: http.requestId,
    address: http.address,
  })
  return declined ? answerWithError(tenant, pending, refusal) : refuseOnPage({ reason: 'request_expired' })
}
