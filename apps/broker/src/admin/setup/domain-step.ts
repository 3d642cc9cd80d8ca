/** The step in which a company's IT proves its domains: what to publish, whether it has been seen, and nothing of anybody else's. */
import type { Instant } from '@drawbridge/core/instant'
import { challengeName, challengeRecord } from '@drawbridge/core/tenant/domain-proof'
import { mostDomainsOfSetupLink, type StoredDomain } from '@drawbridge/store/domains'
import { type Html, html } from '../../http/html.js'
import type { SetupSession } from './setup-session.js'

export function domainStep({ tenant, draft, domains, proof }: SetupSession, trouble: string | undefined): Html | undefined {
  if (draft.state === 'declined') return undefined
  const form = (action: string, fields: Html): Html =>
    html`<form method="post" action="${tenant.issuer.url}/setup/${action}"><input type="hidden" name="proof" value="${proof}">${fields}</form>`
  const claimed = domains.map((domain) => html`<h3>${domain.domain}</h3>${stateOf(domain)}${recordOf(domain, form)}`)
  const claim = form(
    'domains',
    html`<label for="domain">Domain of your addresses</label><input id="domain" name="domain" type="text" maxlength="253" autocomplete="off" spellcheck="false" required><button class="quiet">Claim this domain</button>`,
  )
  return html`<h2>Your domains</h2><p>A domain counts once its DNS proves that it is yours. Then whoever gives an address in it is sent to your company’s sign-in, and nobody else may claim such an address.</p>${trouble !== undefined && html`<div role="alert"><p>${trouble}</p></div>`}${claimed}${domains.length < mostDomainsOfSetupLink && claim}`
}

const day = (at: Instant): string => new Date(at).toISOString().slice(0, 10)

function stateOf({ verifiedAt, failingSince, lapsedAt }: StoredDomain): Html {
  if (verifiedAt !== undefined && failingSince !== undefined)
    return html`<p>Proven, but its DNS has not said so since ${day(failingSince)}: put the record back, or the proof lapses.</p>`
  if (verifiedAt !== undefined) return html`<p>Proven since ${day(verifiedAt)}. Leave the record where it is: it is looked at again.</p>`
  if (lapsedAt !== undefined) return html`<p>Proven once, and no more since ${day(lapsedAt)}: put the record back.</p>`
  return html`<p>Not proven yet, and worth nothing until it is.</p>`
}

/** Shown with a proof, too: whoever keeps the zone wants to know which record that is. */
function recordOf({ domain, challenge, verifiedAt, failingSince }: StoredDomain, form: (action: string, fields: Html) => Html): Html {
  const record =
    challenge !== undefined &&
    html`<dl class="stacked"><dt>Name of the TXT record</dt><dd><code>${challengeName(domain)}</code></dd><dt>Its value</dt><dd><code>${challengeRecord(challenge)}</code></dd></dl>`
  const isDone = verifiedAt !== undefined && failingSince === undefined
  const check = html`<input type="hidden" name="domain" value="${domain}"><button class="quiet">Check ${domain} now</button>`
  return html`${record}${!isDone && form('domains/verify', check)}`
}
