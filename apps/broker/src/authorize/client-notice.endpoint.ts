/** Gate one: a client that nobody vouched for is announced before the person is carried through her company's sign-in. security.md §8 */
import { endpoint } from '../http/endpoint.js'
import { decline } from './decline.js'
import { dispatch } from './dispatch.js'
import { loadFlow, loadPostedStep } from './flow.js'
import { clientNoticePage } from './pages.js'

const path = '/t/:tenant/authorize/client-notice'
const common = {
  path,
  spec: 'MCP security best practices, confused deputy',
  tag: 'Browser flow',
  refusals: 'page',
  rateLimit: 'login',
} as const

export const clientNoticePageEndpoint = endpoint({
  ...common,
  method: 'GET',
  summary: 'Announces the client: its name, its host and where it sends the browser.',
  run: async (http, deps) => {
    const flow = await loadFlow(http, deps, http.query.ok ? http.query.value['request'] : undefined)
    return flow.ok ? clientNoticePage(flow.value) : flow.error
  },
})

export const clientNoticeEndpoint = endpoint({
  ...common,
  method: 'POST',
  summary: 'Continues to the upstream sign-in, or cancels.',
  run: async (http, deps) => {
    const posted = await loadPostedStep(http, deps, 'client_notice')
    if (!posted.ok) return posted.error
    const { flow, form } = posted.value
    return form['answer'] === 'continue'
      ? dispatch({ ...flow, ongoing: { ...flow.ongoing, noticedAt: flow.now } })
      : decline(flow, { kind: 'notice_declined', scopes: flow.pending.scopes })
  },
})
