/** The step at which a person says where she signs in, when neither the hint nor the tenant's set-up does. */
import { connectionOfAnyAddress } from '@drawbridge/core/tenant/connection-choice'
import { type Answer, withCookies } from '../http/answer.js'
import { endpoint } from '../http/endpoint.js'
import { type ResolvedConnection, usableConnections } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { dispatch } from './dispatch.js'
import { type Flow, loadFlow, loadPostedStep } from './flow.js'
import { groupsOfHint } from './groups-of-hint.js'
import { chooseConnectionPage } from './pages.js'
import { setChoiceCookie } from './remembered-connection.js'

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
    const chosen = await chosenBy(flow, form)
    if (chosen && !('id' in chosen)) return chosen
    if (!chosen)
      return form['email'] === undefined ? refuseOnPage({ reason: 'connection_unknown' }) : chooseConnectionPage(flow, 'email_malformed')
    const remember = setChoiceCookie(deps, flow.tenant, chosen.id, form['remember'] === 'yes')
    const pending = form['email'] === undefined ? flow.pending : { ...flow.pending, loginHint: form['email'] }
    return withCookies(await dispatch({ ...flow, pending, ongoing: { ...flow.ongoing, connectionId: chosen.id } }), [remember])
  },
})

/** By the address that she typed, which leads somewhere whether anybody knows it or not; or by a click on a connection. */
async function chosenBy(flow: Flow, form: Readonly<Record<string, string>>): Promise<ResolvedConnection | Answer | undefined> {
  const usable = usableConnections(flow.tenant)
  if (form['email'] === undefined) return usable.find(({ id }) => id === form['connection'])
  const groups = await groupsOfHint(flow, usable, form['email'])
  return groups.ok ? connectionOfAnyAddress(flow.tenant, usable, form['email'], groups.value) : groups.error
}
