/** What a person reads when her company's sign-in did not work: what happened and what helps, in the words of the catalogue. */
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { type UpstreamRefusal, upstreamErrors } from '@drawbridge/upstream/error'
import { type Answer, page } from '../http/answer.js'
import { html } from '../http/html.js'

/**
 * The reason names a rule that anybody can read in this source, so the page may name it too. Its `detail` is for the log alone.
 *
 * `login_unavailable`: the IdP was not even asked. `login_refused`: its answer does not count.
 */
export function refuseUpstream(refusal: UpstreamRefusal, reason: 'login_refused' | 'login_unavailable' = 'login_refused'): Answer {
  const { cause, remedy } = upstreamErrors[refusal.reason]
  const { say } = oauthErrors[reason]
  const { status, headers } = whenToComeAgain(refusal) ?? { status: oauthErrors[reason].status, headers: {} }
  return page(
    'Your company\u2019s sign-in did not work',
    html`<p>${say.charAt(0).toUpperCase() + say.slice(1)}.</p><h2>What happened</h2><p>${cause}</p><h2>What helps</h2><p>${remedy}</p><p class="soft">Code <code>${reason}</code>, cause <code>${refusal.reason}</code></p>`,
    {
      status,
      headers: { 'cache-control': 'no-store', ...headers },
      refusal: { reason, detail: { ...refusal.detail, why: refusal.reason } },
    },
  )
}

/** Of an answer that could not be judged yet. It has refused nothing: the trip is open, and another one is judged when the time has come. */
function whenToComeAgain({ detail }: UpstreamRefusal) {
  const seconds = detail?.['retryAfterSeconds']
  return seconds === undefined ? undefined : { status: 503, headers: { 'retry-after': String(seconds) } }
}
