/** What SAML Core and the single logout profile demand of a logout message: every rule checked by us, and refused when missing. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import type { LogoutEnvelope, LogoutRequestFacts } from './logout-reader.js'
import { type Clocks, checkIssueInstant, isPast } from './profile-rules.js'

export const idLength = 256

export type ExpectedLogout = {
  /** The IdP's entity ID, and the name under which it sends logout messages where that is another. */
  readonly issuers: readonly string[]
  /** Exactly the URL of ours that it came to. */
  readonly destination: string
} & Clocks

type Checked = Result<undefined, UpstreamRefusal>
const refuse = (reason: UpstreamErrorReason): Checked => err({ reason })

/**
 * Destination is demanded by every way, SOAP too: a LogoutRequest names no audience, so without it another service provider of the same IdP
 * could pass on to us what was meant for it.
 *
 * @spec SAML Core §3.2.1, §3.2.2
 * @spec SAML Profiles §4.4.4.1, §4.4.4.2 Issuer is required
 * @spec SAML Bindings §3.4.5.2, §3.5.5.2 Destination of signed messages
 */
export function checkLogoutEnvelope(message: LogoutEnvelope, expected: ExpectedLogout): Checked {
  if (message.version !== '2.0') return refuse('saml_version_wrong')
  if (message.id === '' || message.id.length > idLength) return refuse('saml_shape_invalid')
  if (message.issuer === undefined || !expected.issuers.includes(message.issuer)) return refuse('saml_logout_issuer_wrong')
  if (message.destination !== expected.destination) return refuse('saml_logout_destination_wrong')
  return checkIssueInstant(message.issueInstant, expected)
}

/** @spec SAML Core §3.7.1 NotOnOrAfter, where it is written */
export function checkLogoutRequest({ notOnOrAfter, nameId }: LogoutRequestFacts, clocks: Clocks): Checked {
  if (notOnOrAfter !== undefined && isPast(notOnOrAfter, clocks)) return refuse('saml_logout_expired')
  const isNamed = nameId !== undefined && ('encrypted' in nameId || nameId.value !== '')
  return isNamed ? ok(undefined) : refuse('saml_name_id_missing')
}

const status = 'urn:oasis:names:tc:SAML:2.0:status:'
/** `partial`: somebody else in the federation is still signed in. `failed`: the IdP says that its session goes on. */
export type LogoutOutcome = 'complete' | 'partial' | 'failed'

/** @spec SAML Core §3.7.3.2 PartialLogout is a second-level code; products write it below either first-level one */
export function outcomeOf([outer, inner]: readonly string[]): LogoutOutcome {
  if (inner === `${status}PartialLogout`) return 'partial'
  return outer === `${status}Success` ? 'complete' : 'failed'
}
