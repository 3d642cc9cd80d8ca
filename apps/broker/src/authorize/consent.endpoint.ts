/** Gate two: the scopes that policy grants, in plain words, and the person's yes or no. */
import type { Client } from '@drawbridge/core/oauth/client'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { hasShownLogo } from '@drawbridge/store/client-logos'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { endpoint } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'
import { decline } from './decline.js'
import { dispatch, type ShownDecision } from './dispatch.js'
import { type Flow, loadFlow, loadPostedStep } from './flow.js'
import { consentPage } from './pages.js'

const path = '/t/:tenant/authorize/consent'
const common = { path, spec: 'RFC 6749 §10.2', tag: 'Browser flow', refusals: 'page', rateLimit: 'login' } as const

const shownDecision = (flow: Flow): ShownDecision | undefined => {
  const { decision, step } = flow.ongoing
  const shown = decision as Partial<ShownDecision> | undefined
  if (step !== 'consent' || !shown?.scopes?.length || !shown.sessionId) return undefined
  // Of a page that a version before this one showed: she is asked anew.
  return { scopes: shown.scopes, judged: shown.judged ?? '', sessionId: shown.sessionId }
}

/** A picture that says whose it is is worth nothing from whom nobody vouches for: it would be the picture of somebody else. */
const mayShowLogo = async (deps: BrokerDeps, tenant: TenantId, client: Client): Promise<boolean> =>
  client.preApproved && client.logoUri !== undefined && (await inTenant(deps.database, tenant, (db) => hasShownLogo(db, tenant, client)))

export const consentPageEndpoint = endpoint({
  ...common,
  method: 'GET',
  summary: 'Shows what the client would be able to do.',
  run: async (http, deps) => {
    const flow = await loadFlow(http, deps, http.query.ok ? http.query.value['request'] : undefined)
    if (!flow.ok) return flow.error
    const shown = shownDecision(flow.value)
    if (!shown) return refuseOnPage({ reason: 'request_expired' })
    const { tenant, client } = flow.value
    const hasLogo = await mayShowLogo(deps, tenant.id, client)
    return consentPage(flow.value, shown.scopes, hasLogo)
  },
})

/** What is granted is what policy allows at this moment and the page had shown: the decision is taken anew, never read back. */
export const consentEndpoint = endpoint({
  ...common,
  method: 'POST',
  summary: 'Allows or denies.',
  run: async (http, deps) => {
    const posted = await loadPostedStep(http, deps, 'consent')
    if (!posted.ok) return posted.error
    const { flow, form } = posted.value
    const shown = shownDecision(flow)
    if (!shown) return refuseOnPage({ reason: 'request_expired' })
    return form['answer'] === 'allow' ? dispatch(flow, shown) : decline(flow, { kind: 'consent_denied', scopes: shown.scopes })
  },
})
