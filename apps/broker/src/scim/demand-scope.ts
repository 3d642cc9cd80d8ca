/**
 * Whether a token may change what a request would change. Who reads a report is not heard when she says that somebody leaves; but that she said so is in the trail, for each
 * request, with whom it named: she may have been right, and whoever was to go goes on. As long as there is room: the trail is kept for ever.
 */
import { err, type Result } from '@drawbridge/core/result'
import type { ScimError } from '@drawbridge/core/scim/error'
import { coversScope } from '@drawbridge/core/scim/scope'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { inTenant, isUuid } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { HttpRequest, Method } from '../http/endpoint.js'
import { authorizeScim, type ScimBearer } from './bearer.js'
import { saysGone } from './limit.js'
import { contextOf } from './read-request.js'
import type { ScimContext, ScimKind } from './resource-kind.js'
import { refuseScim } from './scim-answer.js'

type Asked = { readonly method: Method; readonly id: string | undefined; readonly body: unknown }
type KindAsked = Pick<ScimKind, 'type' | 'changedWith'>

/** Of a group whatever is not its creation may: whom it means is read by nobody who does not do it. */
const mayTakeAway = ({ type }: KindAsked, { method, body }: Asked): boolean =>
  method === 'DELETE' || (type.name === 'Group' ? method !== 'POST' : saysGone(body))

/** The refusal, once it is in the trail; `scim_exceeded` of the metrics counts those that are not. */
export async function demandScope(
  { deps, caller, mayTake }: Pick<ScimContext, 'deps' | 'caller' | 'mayTake'>,
  kind: KindAsked,
  asked: Asked,
): Promise<ScimError | undefined> {
  const { changedWith: needs, type } = kind
  if (coversScope(caller.scope, needs)) return undefined
  const refusal: ScimError = { reason: 'scim_scope_exceeded', detail: `it needs ${needs}` }
  if (!mayTake('scim_exceeded')) return refusal
  const { tenant, connectionId, now, requestId, tokenId: token } = caller
  const id = asked.id !== undefined && isUuid(asked.id) ? { id: asked.id.toLowerCase() } : {}
  const detail = { token, method: asked.method, resource: type.name, ...id, needs, takesAway: mayTakeAway(kind, asked) }
  await inTenant(deps.database, tenant, (db) =>
    insertAuditEvent(db, tenant, { at: now, kind: 'scim_token.exceeded', connectionId, detail, requestId }),
  )
  return refusal
}

/** Before anything of the request is judged: what it says is nothing to whoever may not say it. */
export const authorizeChangeOf =
  (kind: KindAsked) =>
  async (http: HttpRequest, deps: BrokerDeps): Promise<Result<ScimBearer, Answer>> => {
    const bearer = await authorizeScim(http, deps)
    if (!bearer.ok) return bearer
    const asked: Asked = { method: http.method, id: http.params['id'], body: http.json.ok ? http.json.value : undefined }
    const context = contextOf({ ...http, caller: bearer.value }, deps)
    const refusal = await demandScope(context, kind, asked)
    return refusal === undefined ? bearer : err(refuseScim(refusal))
  }
