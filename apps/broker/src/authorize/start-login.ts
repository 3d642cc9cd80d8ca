/** Sends the browser to the company's IdP. Called by dispatch only, and only behind the client-notice gate. */
import { demandsRecentLogin } from '@drawbridge/core/identity/fresh-login'
import { addSeconds } from '@drawbridge/core/instant'
import { asksForInteraction } from '@drawbridge/core/policy/decide'
import type { LoginRequestId } from '@drawbridge/core/tenant/ids'
import type { OngoingRequest } from '@drawbridge/store/authorization-requests'
import { insertLoginRequest } from '@drawbridge/store/login-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import type { Answer } from '../http/answer.js'
import { callbackUrlOf } from '../http/connection-addresses.js'
import { leaveFor } from '../http/leave-for.js'
import { sealContextOf } from '../http/seal-context.js'
import type { ResolvedConnection } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { decidedOn, endStep, type Flow, type StepEnd } from './flow.js'
import { failureOfAnswer, traced } from './login-trace.js'
import { refuseUpstream } from './upstream-refusal.js'

/** A person may need a while for her second factor; a trip that is older is a forgotten tab. */
export const loginTtlSeconds = 600

/**
 * What the IdP must do beyond saying who she is: ask for a second factor (`mfa`), or ask again although it has a session, because a barrier
 * was raised (`fresh`) or because policy wants a sign-in for this request alone (`anew`). Policy sends her back once; once a request has been
 * sent back, every further trip of it asks for a second factor.
 */
export type LoginDemand = 'mfa' | 'fresh' | 'anew'

export async function startLogin(flow: Flow, connection: ResolvedConnection, demand: LoginDemand | undefined): Promise<StepEnd> {
  const { deps, tenant, ongoing, pending, browserHash, now } = flow
  const connector = deps.connectorFor(tenant, connection)
  if (!connector) return refuseOnPage({ reason: 'connection_unknown' })
  const id = deps.random.uuid() as LoginRequestId
  const freshDemanded =
    demand !== undefined || demandsRecentLogin(pending) || asksForInteraction(tenant.policy, { request: pending, resource: flow.resource })
  const started = await connector.start({
    loginRequestId: id,
    callbackUrl: callbackUrlOf(tenant, connection),
    relayState: id,
    stepUpAcr: demand === 'mfa' || ongoing.stepUps > 0 ? 'mfa' : undefined,
    forceAuthn: freshDemanded,
    // Once: who comes back for a second factor has chosen.
    selectAccount: pending.selectAccount && ongoing.sessionId === undefined && ongoing.stepUps === 0,
    acrValues: pending.acrValues,
    loginHint: pending.loginHint,
    now,
  })
  if (!started.ok) return refuseStart(flow, connection, started.error)
  const { answer, upstreamId, state } = started.value
  const sealedState = deps.sealer.seal(Buffer.from(state.reveal(), 'utf8'), sealContextOf(flow, 'login_requests', 'sealed_state', id))
  const left = await insertLoginRequest(
    onHotPath(deps.database),
    tenant.id,
    { ongoing: leaving(ongoing, connection, demand), browserHash, decidedOn: decidedOn(flow) },
    { id, connectionId: connection.id, upstreamId, sealedState, freshDemanded, now, expiresAt: addSeconds(now, loginTtlSeconds) },
  )
  return endStep(left, () => leaveFor(answer, 'Continue to your company\u2019s sign-in'))
}

const refuseStart = ({ http, deps, tenant, now }: Flow, connection: ResolvedConnection, refusal: UpstreamRefusal): Promise<Answer> =>
  traced({ http, deps, tenant, connection, now }, failureOfAnswer(refusal, 'unavailable'), refuseUpstream(refusal, 'login_unavailable'))

/** Bound to this connection from now on; after a step-up only the session that it brings about will count. */
const leaving = (ongoing: OngoingRequest, connection: ResolvedConnection, demand: LoginDemand | undefined): OngoingRequest => {
  const bound = { ...ongoing, step: 'login' as const, connectionId: connection.id }
  return demand === undefined || demand === 'fresh' ? bound : { ...bound, stepUps: ongoing.stepUps + 1, sessionId: undefined }
}
