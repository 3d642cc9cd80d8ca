/**
 * Cause and remedy of a failed login in plain words, and where in the guide this vendor stands.
 *
 * The words are those of the catalogues, each written once; here are only the places where one vendor's console has to be named.
 */
import { isLoginFailure, loginFailures } from '@drawbridge/core/identity/login-failure'
import type { LoginStage } from '@drawbridge/core/identity/login-trace'
import type { ConnectionConfiguration } from './connection-configuration.js'
import { type UpstreamErrorReason, upstreamErrors } from './error.js'
import type { UpstreamErrorEntry } from './error-entry.js'
import { idTokenRules } from './oidc/error.js'
import { type OidcVendorId, oidcVendorOf, recogniseOidcVendor } from './oidc/vendors.js'
import { samlMessageErrors } from './saml/message-error.js'
import { recogniseVendor, type VendorId, vendorOf } from './saml/metadata-vendors.js'
import { samlPartyErrors } from './saml/party-error.js'
import { explainReaderLimit } from './saml/reader-limit.js'
import { oidcRemedies, samlRemedies } from './vendor-remedies.js'

export type FailureExplanation = {
  readonly cause: string
  readonly remedy: string
  /** Recognised by the addresses of the connection; `remedy` where this vendor has one of its own for this reason. */
  readonly vendor: { readonly name: string; readonly remedy: string | undefined } | undefined
  /** A page of the documentation, with its section. */
  readonly guide: string
}

const samlGuide = 'docs/how-to/connect-a-saml-idp.md'
const oidcGuide = 'docs/how-to/connect-an-oidc-idp.md'
/** As Markdown makes an anchor of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replace(/ /g, '-')

const isUpstreamError = (reason: string): reason is UpstreamErrorReason => Object.hasOwn(upstreamErrors, reason)

export type Failed = { readonly reason: string; readonly detail?: Readonly<Record<string, unknown>> | undefined }

/** Undefined: no reason that this version knows. */
export function explainFailure(
  { reason, detail }: Failed,
  configuration: ConnectionConfiguration | undefined,
): FailureExplanation | undefined {
  const entry = isUpstreamError(reason) ? upstreamErrors[reason] : isLoginFailure(reason) ? loginFailures[reason] : undefined
  if (entry === undefined) return undefined
  const { cause, remedy } = byDetail({ reason, detail }) ?? entry
  return { cause, remedy, ...ofVendor(reason, configuration) }
}

/** Where the detail says more than the catalogue can. */
function byDetail({ reason, detail }: Failed): { readonly cause: string; readonly remedy: string } | undefined {
  if (reason === 'oidc_id_token_refused') return idTokenRules[String(detail?.['rule'])]
  return reason === 'saml_reader_limit_exceeded' ? explainReaderLimit(detail) : undefined
}

function ofVendor(reason: string, configuration: ConnectionConfiguration | undefined): Pick<FailureExplanation, 'vendor' | 'guide'> {
  if (configuration?.kind === 'oidc') {
    const id: OidcVendorId | undefined = recogniseOidcVendor(configuration.issuer)
    if (id === undefined) return { vendor: undefined, guide: oidcGuide }
    const { name, guide } = oidcVendorOf(id)
    return { vendor: { name, remedy: oidcRemedies[id]?.[reason] }, guide: `${oidcGuide}#${guide}` }
  }
  const id: VendorId | undefined = configuration && recogniseVendor(configuration.idpEntityId, [configuration.ssoUrl])
  if (id === undefined) return { vendor: undefined, guide: samlGuide }
  const { name } = vendorOf(id)
  return { vendor: { name, remedy: samlRemedies[id]?.[reason] }, guide: `${samlGuide}#${samlSections[id] ?? anchorOf(name)}` }
}

/** Where a section is not called as the product. */
const samlSections: Partial<Record<VendorId, string>> = { shibboleth: 'shibboleth' }

/** At which stage a refusal of an IdP's answer stands: its catalogue and its code say it. */
export function stageOfRefusal(reason: UpstreamErrorReason): LoginStage {
  const { code }: UpstreamErrorEntry = upstreamErrors[reason]
  if (code === 'connection_misconfigured') return 'start'
  if (code === 'upstream_message_malformed') return 'message'
  if (code === 'upstream_login_failed' || code === 'upstream_unreachable') return 'answer'
  return reason in samlMessageErrors || reason in samlPartyErrors ? 'signature' : 'rules'
}
