/** What a company's IT reads and fills in: one step below the other on one page, in the order in which they are done. */
import type { Instant } from '@drawbridge/core/instant'
import type { StoredDraft } from '@drawbridge/store/connection-drafts'
import { type Answer, page } from '../../http/answer.js'
import { callbackUrlOf, metadataUrlOf, oidcLogoutUrlsOf } from '../../http/connection-addresses.js'
import { type Html, html } from '../../http/html.js'
import { pageScript } from '../../http/page.js'
import type { ResolvedTenant } from '../../http/tenant.js'
import { domainStep } from './domain-step.js'
import { factsOf } from './draft-facts.js'
import { guideOf, type IdpId, type IdpSteps, idpNames, type OurAddress } from './idp-guides.js'
import type { SetupSession } from './setup-session.js'
import { testStep } from './test-step.js'

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

/** `vendor`: the IdP that was chosen; none: the words that fit any. */
type Shown = {
  readonly said?: Said
  /** What keeps a domain from being claimed or proven, or a test from beginning. */
  readonly trouble?: { readonly domain?: string; readonly test?: string }
  readonly status?: number
  readonly vendor?: IdpId | undefined
  readonly now: Instant
}

export function stepsPage(session: SetupSession, { said = nothing, trouble, status = 200, vendor, now }: Shown): Answer {
  const { tenant, draft } = session
  const steps = html`${addresses(session, vendor)}${forms(session, vendor)}`
  // Once there is something to use, that is what is looked at, unless she is at work on the steps.
  const isAtWork = draft.state === 'empty' || vendor !== undefined || said.errors.length > 0
  const folded = html`<details><summary>Steps 1 and 2, if something is to change</summary>${steps}</details>`
  const body = html`${notes(said)}${canBeSaid(draft) && (isAtWork ? steps : folded)}${factsOf(draft, now)}${next(session)}${testStep(session, trouble?.test)}${domainStep(session, trouble?.domain)}`
  return page(`Connect ${tenant.name}`, body, { ...noStore, status })
}

const canBeSaid = ({ state }: StoredDraft): boolean => state === 'empty' || state === 'draft'

const notes = ({ errors, warnings }: Said): Html =>
  html`${errors.length > 0 && html`<div role="alert"><h2>This cannot be used yet</h2><ul>${errors.map((text) => html`<li>${text}</li>`)}</ul></div>`}${warnings.length > 0 && html`<div role="status"><h2>To know</h2><ul>${warnings.map((text) => html`<li>${text}</li>`)}</ul></div>`}`

const row = (name: string, value: string): Html => html`<dt>${name}</dt><dd><code>${value}</code></dd>`

/** Known before anything is said, because the draft has the id that the connection will have. */
function addresses({ tenant, draft: { id } }: SetupSession, vendor: IdpId | undefined): Html {
  const ours: Readonly<Record<OurAddress, string>> = {
    acs: callbackUrlOf(tenant, { kind: 'saml', id }),
    entityId: metadataUrlOf(tenant, id),
    redirect: callbackUrlOf(tenant, { kind: 'oidc', id }),
    logout: oidcLogoutUrlsOf(tenant, id).backchannelLogoutUri,
  }
  const options = idpNames.map(([key, name]) => html`<option value="${key}"${key === vendor && html` selected`}>${name}</option>`)
  const choice = html`<form method="get" action="${tenant.issuer.url}/setup"><label for="vendor">Your identity provider</label><select id="vendor" name="vendor"><option value="">Another one</option>${options}</select><button class="quiet">Show what to enter there</button></form>`
  return html`<h2>1. At your identity provider</h2>${choice}${vendor === undefined ? generalWords(ours) : guideWords(vendor, ours)}`
}

const generalWords = (ours: Readonly<Record<OurAddress, string>>): Html =>
  html`<p>Make an application for SAML 2.0 or for OpenID Connect, and enter:</p><dl class="stacked">${row('SAML: ACS', ours.acs)}${row('SAML: entity ID', ours.entityId)}${row('SAML: metadata, once it is active', ours.entityId)}${row('OpenID: redirect', ours.redirect)}${row('OpenID: back-channel logout', ours.logout)}</dl><p>Send the groups of your people along, if they shall decide what these may do.</p>`

function guideWords(vendor: IdpId, ours: Readonly<Record<OurAddress, string>>): Html {
  const { saml, oidc } = guideOf(vendor)
  const way = (protocol: string, { where, enter, send, give }: IdpSteps): Html =>
    html`<h3>${protocol}</h3><p>${where}</p><dl class="stacked">${enter.map(([field, value]) => row(field, ours[value]))}</dl><p>To send: ${send}</p><p>Bring back to step 2: ${give}</p>`
  return html`${saml && oidc && html`<p>One of the two ways is enough.</p>`}${saml && way('By SAML 2.0', saml)}${oidc && way('By OpenID Connect', oidc)}`
}

function forms({ tenant, proof }: SetupSession, vendor: IdpId | undefined): Html {
  const form = (kind: 'saml' | 'oidc', fields: Html): Html =>
    html`<form method="post" action="${tenant.issuer.url}/setup/draft"${kind === 'saml' && html` enctype="multipart/form-data"`}><input type="hidden" name="proof" value="${proof}"><input type="hidden" name="kind" value="${kind}"><input type="hidden" name="vendor" value="${vendor ?? ''}">${fields}<button class="quiet">Look at it as ${kind === 'saml' ? 'SAML' : 'OpenID Connect'}</button></form>`
  return html`<h2>2. What your identity provider says</h2><p>SAML: the address of its metadata, or its file, or the document.</p>${form('saml', html`<label for="metadataUrl">Address (https)</label><input id="metadataUrl" name="metadataUrl" type="url" maxlength="2048" autocomplete="off"><label for="metadataFile">or the file</label><input id="metadataFile" name="metadataFile" type="file" accept=".xml,application/xml,text/xml,application/samlmetadata+xml"><label for="metadataXml">or the document</label><textarea id="metadataXml" name="metadataXml" rows="6" spellcheck="false"></textarea>`)}<p>OpenID Connect:</p>${form('oidc', html`<label for="issuer">Issuer (https)</label><input id="issuer" name="issuer" type="url" maxlength="2048" autocomplete="off"><label for="clientId">Client ID</label><input id="clientId" name="clientId" type="text" maxlength="512" autocomplete="off"><label for="clientSecret">Client secret</label><input id="clientSecret" name="clientSecret" type="password" maxlength="1024" autocomplete="new-password">`)}`
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
      return html`<h2>It is active</h2><p>Your people can sign in by it.</p>`
    case 'declined':
      return html`<h2>It was declined</h2><p>Ask whoever sent you the link.</p>`
  }
}
