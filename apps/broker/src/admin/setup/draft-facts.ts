/** What was understood of an IdP, as whoever described it can check it: whose it is, its addresses, its certificates, its sign-out. */
import type { Instant } from '@drawbridge/core/instant'
import type { StoredDraft } from '@drawbridge/store/connection-drafts'
import { oidcVendorOf, recogniseOidcVendor } from '@drawbridge/upstream/oidc/vendors'
import { describeCertificate } from '@drawbridge/upstream/saml/metadata-certificate'
import { recogniseVendor, vendorOf } from '@drawbridge/upstream/saml/metadata-vendors'
import { type Html, html } from '../../http/html.js'

type Configuration = Readonly<Record<string, unknown>>
const textAt = (configuration: Configuration, member: string): string | undefined =>
  typeof configuration[member] === 'string' ? configuration[member] : undefined

const shown = [
  ['idpEntityId', 'Entity ID'],
  ['ssoUrl', 'Sign-in address'],
  ['issuer', 'Issuer'],
  ['clientId', 'Client ID'],
] as const

export function factsOf({ content }: StoredDraft, now: Instant): Html | undefined {
  if (!content) return undefined
  const { kind, source, sealedSecret } = content
  const configuration = content.configuration as Configuration
  const told = shown.flatMap(([member, name]) => {
    const value = textAt(configuration, member)
    return value === undefined ? [] : [html`<dt>${name}</dt><dd><code>${value}</code></dd>`]
  })
  const fetched = source?.url !== undefined && html`<dt>Metadata, fetched again</dt><dd><code>${source.url}</code></dd>`
  const secret = sealedSecret !== undefined && html`<dt>Secret</dt><dd>kept, sealed</dd>`
  return html`<h2>What was understood</h2><dl><dt>Product</dt><dd>${productOf(configuration) ?? 'none that is known here'}</dd><dt>Protocol</dt><dd>${kind === 'saml' ? 'SAML 2.0' : 'OpenID Connect'}</dd>${told}${fetched}${secret}${kind === 'saml' && samlFacts(configuration, now)}${kind === 'saml' && nameIdFacts(source?.nameIdFormats)}</dl>`
}

/** Whoever imitates a product gains a name on her own page by it. */
function productOf(configuration: Configuration): string | undefined {
  const [entityId, ssoUrl, issuer] = [
    textAt(configuration, 'idpEntityId'),
    textAt(configuration, 'ssoUrl'),
    textAt(configuration, 'issuer'),
  ]
  const saml = entityId === undefined || ssoUrl === undefined ? undefined : recogniseVendor(entityId, [ssoUrl])
  if (saml !== undefined) return vendorOf(saml).name
  const oidc = issuer === undefined ? undefined : recogniseOidcVendor(issuer)
  return oidc && oidcVendorOf(oidc).name
}

function samlFacts(configuration: Configuration, now: Instant): Html {
  const pems = Array.isArray(configuration['certificates']) ? configuration['certificates'].map(String) : []
  const certificates = pems.flatMap((pem) => {
    const certificate = describeCertificate(pem, now)
    return certificate === undefined
      ? []
      : [html`<dt>Certificate</dt><dd>${certificate.subject.replaceAll('\n', ', ')}: ${certificate.daysLeft} days left</dd>`]
  })
  return html`${certificates}<dt>Sign-out</dt><dd>${textAt(configuration, 'sloUrl') === undefined ? 'not offered by it' : 'offered by it'}</dd>`
}

/** The names that people know, and what each means for a sign-in. */
const formats: Readonly<Record<string, string>> = {
  'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent': 'persistent: stays with the person',
  'urn:oasis:names:tc:SAML:2.0:nameid-format:transient': 'transient: another one at each sign-in',
  'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress': 'emailAddress: changes with the address',
  'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified': 'unspecified: whatever is set there',
}

/** `undefined`: an earlier version read the metadata, and did not keep them. @spec SAML Core §8.3 */
function nameIdFacts(listed: readonly string[] | undefined): Html | undefined {
  if (listed === undefined) return undefined
  const named = listed.map((format) => (Object.hasOwn(formats, format) ? html`${formats[format]}` : html`<code>${format}</code>`))
  return html`<dt>NameID</dt><dd>${named.length === 0 ? 'no format is named' : html`<ul>${named.map((each) => html`<li>${each}</li>`)}</ul>`}</dd>`
}
