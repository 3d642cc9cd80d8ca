/** The step at which a person says whose she is: only at the front issuer, and only where her application did not say it. */
import { endpoint } from '../http/endpoint.js'
import { becomeTenants } from './become-tenants.js'
import { dispatch } from './dispatch.js'
import { loadFlow, loadPostedStep } from './flow.js'
import { chooseTenantPage } from './pages.js'

/** Of tenants' own issuers there is none: their address says it. */
const common = {
  path: '/authorize/choose-tenant',
  spec: 'RFC 6749 §3.1',
  tag: 'Browser flow',
  refusals: 'page',
  rateLimit: 'login',
} as const
const ofFront = { front: { namedBy: () => undefined } }

const show = endpoint({
  ...common,
  method: 'GET',
  summary: 'At the front issuer: asks a person for her work e-mail address or the short name of her organisation.',
  run: async (http, deps) => {
    const flow = await loadFlow(http, deps, http.query.ok ? http.query.value['request'] : undefined)
    return flow.ok ? chooseTenantPage(flow.value) : flow.error
  },
})

const take = endpoint({
  ...common,
  method: 'POST',
  summary: 'At the front issuer: takes what she says; the request is that tenant\u2019s from then on.',
  run: async (http, deps) => {
    const posted = await loadPostedStep(http, deps, 'choose_tenant')
    if (!posted.ok) return posted.error
    const { flow, form } = posted.value
    const became = await becomeTenants(flow, form['organisation'] ?? '')
    if (!became) return chooseTenantPage(flow, 'organisation_unfound')
    return became.ok ? dispatch(became.value) : became.error
  },
})

export const chooseTenantEndpoints = [
  { ...show, ...ofFront },
  { ...take, ...ofFront },
]
