/** Sends the browser to the company's IdP. Called by dispatch only, and only behind the client-notice gate. */
import { addSeconds } from '@drawbridge/core/instant'
import type { LoginRequestId } from '@drawbridge/core/tenant/ids'
import type { OngoingRequest } from '@drawbridge/store/authorization-requests'
import { insertLoginRequest } from '@drawbridge/store/login-requests'
import { onHotPath } from '@drawbridge/store/transaction'
import type { UpstreamAnswer } from '@drawbridge/upstream/connector'
import { type Answer, page, redirect } from '../http/answer.js'
import { html } from '../http/html.js'
import type { ResolvedConnection, ResolvedTenant } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { decidedOn, endStep, type Flow, type StepEnd } from './flow.js'

/** A person may need a while for her second factor; a trip that is older is a forgotten tab. */
export const loginTtlSeconds = 600

export const callbackUrlOf = (tenant: ResolvedTenant, connection: Pick<ResolvedConnection, 'id' | 'kind'>): string =>
  connection.kind === 'saml' ? `${tenant.issuer.url}/saml/${connection.id}/acs` : `${tenant.issuer.url}/oidc/${connection.id}/callback`

export const sealContextOf = (flow: { deps: Flow['deps']; tenant: ResolvedTenant }, table: string, column: string, row: string) => ({
  installation: flow.deps.installation.id,
  tenant: flow.tenant.id,
  table,
  column,
  row,
})

export async function startLogin(flow: Flow, connection: ResolvedConnection, stepUpAcr: 'mfa' | undefined): Promise<StepEnd> {
  const { deps, tenant, ongoing, pending, browserHash, now } = flow
  const connector = deps.connectorFor(tenant, connection)
  if (!connector) return refuseOnPage({ reason: 'connection_unknown' })
  const id = deps.random.uuid() as LoginRequestId
  const started = await connector.start({
    loginRequestId: id,
    callbackUrl: callbackUrlOf(tenant, connection),
    relayState: id,
    stepUpAcr,
    forceAuthn: stepUpAcr !== undefined || pending.prompt.includes('login') || pending.maxAge !== undefined,
    loginHint: pending.loginHint,
    now,
  })
  if (!started.ok) return refuseOnPage({ reason: 'login_unavailable', detail: { why: started.error.reason } })
  const { answer, upstreamId, state } = started.value
  const sealedState = deps.sealer.seal(Buffer.from(state.reveal(), 'utf8'), sealContextOf(flow, 'login_requests', 'sealed_state', id))
  const left = await insertLoginRequest(
    onHotPath(deps.database),
    tenant.id,
    { ongoing: leaving(ongoing, connection, stepUpAcr), browserHash, decidedOn: decidedOn(flow) },
    { id, connectionId: connection.id, upstreamId, sealedState, now, expiresAt: addSeconds(now, loginTtlSeconds) },
  )
  return endStep(left, () => leaveFor(answer))
}

/** Bound to this connection from now on; after a step-up only the session that it brings about will count. */
const leaving = (ongoing: OngoingRequest, connection: ResolvedConnection, stepUpAcr: 'mfa' | undefined): OngoingRequest => {
  const bound = { ...ongoing, step: 'login' as const, connectionId: connection.id }
  return stepUpAcr === undefined ? bound : { ...bound, stepUps: ongoing.stepUps + 1, sessionId: undefined }
}

const noStore = { headers: { 'cache-control': 'no-store' } }

/** Without JavaScript a form needs a click; the redirect binding, which needs none, is the default. */
function leaveFor(answer: UpstreamAnswer): Answer {
  if (answer.kind === 'redirect') return redirect(answer.url, noStore)
  const fields = Object.entries(answer.fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
  return page(
    'Continue to your company\u2019s sign-in',
    html`<form method="post" action="${answer.action}">${fields}<button autofocus>Continue</button></form>`,
    {
      ...noStore,
      formTargets: [new URL(answer.action).origin],
    },
  )
}
