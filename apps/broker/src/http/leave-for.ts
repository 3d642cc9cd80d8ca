/** The way to an IdP: a redirect, or a page with the form that the browser posts there. */
import type { UpstreamAnswer } from '@drawbridge/upstream/connector'
import { type Answer, page, redirect } from './answer.js'
import { html } from './html.js'
import type { ResolvedConnection } from './tenant.js'

/** Without JavaScript a form needs a click; the redirect binding, which needs none, is the default. */
export function leaveFor(answer: UpstreamAnswer, title: string, setCookies: readonly string[] = []): Answer {
  const extras = { headers: { 'cache-control': 'no-store' }, setCookies }
  if (answer.kind === 'redirect') return redirect(answer.url, extras)
  const fields = Object.entries(answer.fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
  const form = html`<form method="post" action="${answer.action}">${fields}<button autofocus>Continue</button></form>`
  return page(title, form, { ...extras, formTargets: [new URL(answer.action).origin] })
}

/** What a page must name in `form-action` so that its form may end at a URL: an origin, or the scheme of a URL that is at none. */
export function formTargetOf(url: string): string {
  const { protocol, origin } = new URL(url)
  return protocol === 'http:' || protocol === 'https:' ? origin : protocol
}

/**
 * Where a form of ours may lead when it sends the browser to one of these IdPs: browsers hold every hop of its redirects to `form-action`.
 * Where an OpenID provider keeps its pages is in its discovery document: any https host.
 */
export const upstreamTargets = (connections: readonly ResolvedConnection[]): readonly string[] =>
  connections.flatMap((connection) => {
    if (!connection.configuration.ok) return []
    const configuration = connection.configuration.value
    if (configuration.kind === 'oidc') return ['https:', new URL(configuration.issuer).origin]
    return [configuration.ssoUrl, configuration.sloUrl].flatMap((url) => (url === undefined ? [] : [new URL(url).origin]))
  })
