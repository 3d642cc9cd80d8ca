/** The way to an IdP: a redirect, or a page with the form that the browser posts there. */
import type { UpstreamAnswer } from '@drawbridge/upstream/connector'
import { type Answer, page, redirect } from './answer.js'
import { html } from './html.js'

const noStore = { headers: { 'cache-control': 'no-store' } }

/** Without JavaScript a form needs a click; the redirect binding, which needs none, is the default. */
export function leaveFor(answer: UpstreamAnswer, title: string): Answer {
  if (answer.kind === 'redirect') return redirect(answer.url, noStore)
  const fields = Object.entries(answer.fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
  const form = html`<form method="post" action="${answer.action}">${fields}<button autofocus>Continue</button></form>`
  return page(title, form, { ...noStore, formTargets: [new URL(answer.action).origin] })
}
