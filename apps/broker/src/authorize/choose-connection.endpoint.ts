/** The step at which a person says where she signs in, when neither the hint nor the tenant's set-up does. */
import { endpoint } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'
import { dispatch } from './dispatch.js'
import { loadFlow, loadPostedStep } from './flow.js'
import { chooseConnectionPage } from './pages.js'

const path = '/t/:tenant/authorize/choose-connection'
const common = { path, spec: 'RFC 6749 §3.1', tag: 'Browser flow', refusals: 'page', rateLimit: 'login' } as const

export const chooseConnectionPageEndpoint = endpoint({
  ...common,
  method: 'GET',
  summary: 'Asks which of the tenant\u2019s sign-in connections to use.',
  run: async (http, deps) => {
    const flow = await loadFlow(http, deps, http.query.ok ? http.query.value['request'] : undefined)
    return flow.ok ? chooseConnectionPage(flow.value) : flow.error
  },
})

export const chooseConnectionEndpoint = endpoint({
  ...common,
  method: 'POST',
  summary: 'Takes the chosen connection.',
  run: async (http, deps) => {
    const posted = await loadPostedStep(http, deps, 'choose_connection')
    if (!posted.ok) return posted.error
    const { flow, form } = posted.value
    const chosen = flow.tenant.connection(form['connection'] ?? '')
    if (!chosen || chosen.disabled) return refuseOnPage({ reason: 'connection_unknown' })
    return dispatch({ ...flow, ongoing: { ...flow.ongoing, connectionId: chosen.id } })
  },
})
