/** What a company's IT reads and fills in: one step below the other on one page, in the order in which they are done. */
import type { StoredDraft } from '@drawbridge/store/connection-drafts'
import { type Answer, page } from '../../http/answer.js'
import { callbackUrlOf, metadataUrlOf, oidcLogoutUrlsOf } from '../../http/connection-addresses.js'
import { type Html, html } from '../../http/html.js'
import { pageScript } from '../../http/page.js'
import type { ResolvedTenant } from '../../http/tenant.js'
import type { SetupSession } from './setup-session.js'

const noStore = { headers: { 'cache-control': 'no-store' } }

/** A fragment reaches no server by itself: whoever only opens the address, a mail scanner say, has used nothing up. */
const script = pageScript(
  'var token=location.hash.slice(1);if(token){history.replaceState(null,"",location.pathname);document.getElementById("token").value=token;document.forms[0].requestSubmit()}',
)

/** Nothing happens here by itself but that the code goes from the address into the form. */
export const entryPage = (tenant: ResolvedTenant): Answer =>
  page(
    `Connect ${tenant.name}`,
    html`<p>With the link that you were sent you describe how the people of ${tenant.name} sign in.</p><form method="post" action="${tenant.issuer.url}/setup/open"><label for="token">The code behind the # of your link</label><input id="token" name="token" type="text" autocomplete="off" required maxlength="64"><button>Begin</button></form><p class="soft">The link opens in one browser, once.</p>`,
    { ...noStore, script },
  )

export type Said = { readonly errors: readonly string[]; readonly warnings: readonly string[] }
const nothing: Said = { errors: [], warnings: [] }

export function stepsPage(session: SetupSession, said: Said = nothing, status = 200): Answer {
  const { tenant, draft } = session
  const body = html`${notes(said)}${addresses(session)}${canBeSaid(draft) && forms(session)}${summary(draft)}${next(session)}`
  return page(`Connect ${tenant.name}`, body, { ...noStore, status })
}

const canBeSaid = ({ state }: StoredDraft): boolean => state === 'empty' || state === 'draft'

const notes = ({ errors, warnings }: Said): Html =>
  html`${errors.length > 0 && html`<div role="alert"><h2>This cannot be used yet</h2><ul>${errors.map((text) => html`<li>${text}</li>`)}</ul></div>`}${warnings.length > 0 && html`<div role="status"><h2>To know</h2><ul>${warnings.map((text) => html`<li>${text}</li>`)}</ul></div>`}`

/** Known before anything is said, because the draft has the id that the connection will have. */
function addresses({ tenant, draft: { id } }: SetupSession): Html {
  const acs = callbackUrlOf(tenant, { kind: 'saml', id })
  const logout = oidcLogoutUrlsOf(tenant, id)
  const row = (name: string, value: string): Html => html`<dt>${name}</dt><dd><code>${value}</code></dd>`
  return html`<h2>1. At your identity provider</h2><p>Make an application for SAML 2.0 or for OpenID Connect, and enter:</p><dl>${row('SAML: ACS', acs)}${row('SAML: entity ID', metadataUrlOf(tenant, id))}${row('SAML: metadata, once it is active', metadataUrlOf(tenant, id))}${row('OpenID: redirect', callbackUrlOf(tenant, { kind: 'oidc', id }))}${row('OpenID: back-channel logout', logout.backchannelLogoutUri)}</dl><p>Send the groups of your people along, if they shall decide what these may do.</p>`
}

function forms({ tenant, proof }: SetupSession): Html {
  const form = (kind: 'saml' | 'oidc', fields: Html): Html =>
    html`<form method="post" action="${tenant.issuer.url}/setup/draft"><input type="hidden" name="proof" value="${proof}"><input type="hidden" name="kind" value="${kind}">${fields}<button class="quiet">Look at it</button></form>`
  return html`<h2>2. What your identity provider says</h2><p>SAML: the address of its metadata, or the document.</p>${form('saml', html`<label for="metadataUrl">Address (https)</label><input id="metadataUrl" name="metadataUrl" type="url" maxlength="2048" autocomplete="off"><label for="metadataXml">or the document</label><textarea id="metadataXml" name="metadataXml" rows="6" spellcheck="false"></textarea>`)}<p>OpenID Connect:</p>${form('oidc', html`<label for="issuer">Issuer (https)</label><input id="issuer" name="issuer" type="url" maxlength="2048" autocomplete="off"><label for="clientId">Client ID</label><input id="clientId" name="clientId" type="text" maxlength="512" autocomplete="off"><label for="clientSecret">Client secret</label><input id="clientSecret" name="clientSecret" type="password" maxlength="1024" autocomplete="new-password">`)}`
}

const shownMembers = ['idpEntityId', 'ssoUrl', 'issuer', 'clientId'] as const

function summary({ content }: StoredDraft): Html | undefined {
  if (!content) return undefined
  const configuration = content.configuration as Readonly<Record<string, unknown>>
  const rows = shownMembers.flatMap((member) => {
    const value = configuration[member]
    return typeof value === 'string' ? [html`<dt>${member}</dt><dd><code>${value}</code></dd>`] : []
  })
  const { url } = content.source ?? {}
  const certificates = Array.isArray(configuration['certificates']) ? configuration['certificates'].length : 0
  return html`<h2>What was understood</h2><dl><dt>protocol</dt><dd>${content.kind === 'saml' ? 'SAML 2.0' : 'OpenID Connect'}</dd>${rows}${url !== undefined && html`<dt>metadata, fetched again</dt><dd><code>${url}</code></dd>`}${certificates > 0 && html`<dt>certificates</dt><dd>${certificates}</dd>`}${content.sealedSecret !== undefined && html`<dt>secret</dt><dd>kept, sealed</dd>`}</dl>`
}

function next({ tenant, draft, proof }: SetupSession): Html | undefined {
  switch (draft.state) {
    case 'empty':
      return undefined
    case 'draft':
      return html`<form method="post" action="${tenant.issuer.url}/setup/activate"><h2>3. Use it</h2><p>If your company has no connection yet, your people can sign in by this one at once. If it has one, this one waits until it is approved.</p><input type="hidden" name="proof" value="${proof}"><button>Use this connection</button></form>`
    case 'waiting':
      return html`<h2>It waits for approval</h2><p>Your company has a connection already. Whoever runs this service has been asked.</p>`
    case 'activated':
      return html`<h2>It is active</h2><p>Your people can sign in by it. There is nothing more to do here.</p>`
    case 'declined':
      return html`<h2>It was declined</h2><p>Ask whoever sent you the link.</p>`
  }
}
