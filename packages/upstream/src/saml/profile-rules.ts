/**
 * What SAML Core and the Web SSO profile demand of a response and its assertion: every rule checked by us, and refused when missing.
 *
 * The order is that of the specification, outermost first, so that the refusal names the first thing that an admin has to mend.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import type { AssertionFacts, ConfirmationFacts, ResponseFacts, WrittenInstant } from './assertion-reader.js'
import { skewLimits } from './configuration.js'

export const timeLimits = {
  /** How old a message may be when it arrives, whatever its own bounds say: Entra's assertions live 70 minutes. */
  ageSeconds: 600,
} as const

/**
 * Until when the id of a message must be remembered: as long as any setting of its party could let it in. An admin may have our clock and theirs differ
 * by more tomorrow, and what was used today must not be new by that.
 */
export const replayableUntil = (issuedAt: Instant): Instant => addSeconds(issuedAt, timeLimits.ageSeconds + skewLimits.mostSeconds + 1)

/** What an assertion is held against, whoever brings it. */
export type ExpectedAssertion = {
  readonly idpEntityId: string
  /** Each of these is us, byte for byte. */
  readonly audiences: readonly string[]
  /** Where it is delivered. */
  readonly recipient: string
  /** `undefined`: nobody asked for it, and one that answers a request is refused. */
  readonly requestId: string | undefined
  /** Who the person is stands in no attribute. SAML Core §2.4.1 lets a subject have none of its own. */
  readonly needsNameId: boolean
  /** That she signed in must be said. What is said of it must be right in any case. */
  readonly needsAuthnStatement: boolean
} & Clocks
export type ExpectedResponse = {
  readonly idpEntityId: string
  readonly acsUrl: string
  readonly requestId: string
} & Clocks
/** `skewSeconds`: how far the IdP's clock may be from ours, either way. */
export type Clocks = { readonly now: Instant; readonly skewSeconds: number }

type Checked = Result<undefined, UpstreamRefusal>
const refuse = (reason: UpstreamErrorReason): Result<never, UpstreamRefusal> => err({ reason })
const fine: Checked = ok(undefined)

const success = 'urn:oasis:names:tc:SAML:2.0:status:Success'
const noAuthnContext = 'urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext'
const bearer = 'urn:oasis:names:tc:SAML:2.0:cm:bearer'

/**
 * The response may be unsigned (only its assertion signed): then these rules can only refuse, never give.
 *
 * @spec SAML Core §3.2.2
 * @spec SAML Profiles §4.1.4.2
 */
export function checkResponse(response: ResponseFacts, isSigned: boolean, expected: ExpectedResponse): Checked {
  if (response.version !== '2.0') return refuse('saml_version_wrong')
  if (response.id === '') return refuse('saml_shape_invalid')
  const issued = checkIssueInstant(response.issueInstant, expected)
  if (!issued.ok) return issued
  // Only a response that is itself unsigned may omit its Issuer (SAML Profiles §4.1.4.2); if written, it must be right.
  const mayOmitIssuer = !isSigned && response.issuer === undefined
  if (!mayOmitIssuer && response.issuer !== expected.idpEntityId) return refuse('saml_response_issuer_wrong')
  if (response.destination !== expected.acsUrl) return refuse('saml_destination_wrong')
  if (response.inResponseTo !== expected.requestId) return refuse('saml_in_response_to_wrong')
  return checkStatus(response.statusCodes)
}

function checkStatus([outer, inner]: readonly string[]): Checked {
  if (outer === success) return fine
  return err({
    reason: inner === noAuthnContext ? 'saml_authn_context_unmet' : 'saml_status_not_success',
    detail: { status: lastWord(outer), inner: lastWord(inner) },
  })
}

/** Only words of our alphabet reach the log: the code is the IdP's text. */
const lastWord = (code: string | undefined): string => /[A-Za-z]{1,40}$/.exec(code ?? '')?.[0] ?? 'none'

/** @spec SAML Profiles §4.1.4.3 processing rules */
export function checkAssertion(assertion: AssertionFacts, expected: ExpectedAssertion): Checked {
  if (assertion.version !== '2.0') return refuse('saml_version_wrong')
  if (assertion.id === '') return refuse('saml_shape_invalid')
  if (assertion.issuer !== expected.idpEntityId) return refuse('saml_assertion_issuer_wrong')
  const issued = checkIssueInstant(assertion.issueInstant, expected)
  if (!issued.ok) return issued
  const subject = checkSubject(assertion, expected)
  if (!subject.ok) return subject
  const conditions = checkConditions(assertion.conditions, expected)
  if (!conditions.ok) return conditions
  return checkAuthnStatements(assertion.authnStatements, expected)
}

export function checkIssueInstant(issuedAt: WrittenInstant, { now, skewSeconds }: Clocks): Checked {
  if (issuedAt === undefined || issuedAt === 'invalid' || issuedAt > addSeconds(now, skewSeconds))
    return refuse('saml_issue_instant_invalid')
  return now > addSeconds(issuedAt, timeLimits.ageSeconds + skewSeconds) ? refuse('saml_too_old') : fine
}

function checkSubject(assertion: AssertionFacts, expected: ExpectedAssertion): Checked {
  if (!assertion.hasSubject) return refuse('saml_subject_missing')
  // One that was opened is gone from here: this is one that stands beside a NameID.
  if (assertion.encryptedId !== undefined) return refuse('saml_name_id_encrypted')
  const isMissing = assertion.nameId === undefined ? expected.needsNameId : assertion.nameId.value === ''
  if (isMissing) return refuse('saml_name_id_missing')
  return checkConfirmations(assertion.confirmations, expected)
}

/**
 * One bearer confirmation must hold in all of its parts; two that are each half right do not add up.
 * With several, the refusal is that of the first.
 */
function checkConfirmations(confirmations: readonly ConfirmationFacts[], expected: ExpectedAssertion): Checked {
  const verdicts = confirmations
    .filter(({ method, hasData }) => method === bearer && hasData)
    .map((each) => checkConfirmation(each, expected))
  return verdicts.find(({ ok: holds }) => holds) ?? verdicts[0] ?? refuse('saml_bearer_missing')
}

/** @spec SAML Profiles §4.1.4.2 Recipient, NotOnOrAfter and InResponseTo are required, NotBefore is forbidden */
function checkConfirmation(confirmation: ConfirmationFacts, expected: ExpectedAssertion): Checked {
  if (confirmation.recipient !== expected.recipient) return refuse('saml_recipient_wrong')
  if (confirmation.inResponseTo !== expected.requestId) return refuse('saml_in_response_to_wrong')
  if (confirmation.notBefore !== undefined) return refuse('saml_confirmation_not_before')
  return isPast(confirmation.notOnOrAfter, expected) ? refuse('saml_confirmation_expired') : fine
}

/** @spec SAML Core §2.5.1 several audience restrictions must all hold; each is satisfied by any of its audiences */
function checkConditions(conditions: AssertionFacts['conditions'], expected: ExpectedAssertion): Checked {
  if (conditions === undefined) return refuse('saml_conditions_missing')
  if (conditions.unknown) return refuse('saml_condition_unknown')
  const { notBefore, notOnOrAfter, audienceRestrictions } = conditions
  if (notBefore === 'invalid' || (notBefore !== undefined && notBefore > addSeconds(expected.now, expected.skewSeconds)))
    return refuse('saml_not_yet_valid')
  if (notOnOrAfter !== undefined && isPast(notOnOrAfter, expected)) return refuse('saml_expired')
  const isUs = (audience: string): boolean => expected.audiences.includes(audience)
  const isForUs = audienceRestrictions.length > 0 && audienceRestrictions.every((audiences) => audiences.some(isUs))
  return isForUs ? fine : refuse('saml_audience_wrong')
}

/** @spec SAML Core §2.7.2 */
function checkAuthnStatements(
  statements: AssertionFacts['authnStatements'],
  { now, skewSeconds, needsAuthnStatement }: ExpectedAssertion,
): Checked {
  if (needsAuthnStatement && statements.length === 0) return refuse('saml_authn_statement_missing')
  for (const { authnInstant, sessionNotOnOrAfter } of statements) {
    if (authnInstant === undefined || authnInstant === 'invalid' || authnInstant > addSeconds(now, skewSeconds))
      return refuse('saml_authn_instant_invalid')
    // No skew: this bounds a session that would begin now, and a session of nothing is none.
    if (sessionNotOnOrAfter === 'invalid' || (sessionNotOnOrAfter !== undefined && sessionNotOnOrAfter <= now))
      return refuse('saml_session_over')
  }
  return fine
}

/** Equal means past: "on or after". A missing or unreadable bound counts as past. */
export const isPast = (bound: WrittenInstant, { now, skewSeconds }: Clocks): boolean =>
  bound === undefined || bound === 'invalid' || now >= addSeconds(bound, skewSeconds)
