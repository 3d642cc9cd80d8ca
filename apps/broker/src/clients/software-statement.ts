/**
 * The software statement of a registration, verified, and what the registration is with it.
 *
 * A tenant that trusts no issuer does not support statements: one that comes is ignored, and not told again (RFC 7591 §2.3). A client that registered by
 * one is replaced by a statement about the same software alone, so that it does not shed what its publisher has said.
 */
import type { Instant } from '@drawbridge/core/instant'
import { type OAuthError, oauthErrors } from '@drawbridge/core/oauth/error'
import { type StatedSoftware, type StatementRefusal, statementIn, withStatement } from '@drawbridge/core/oauth/software-statement'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type VerifiedStatement, verifyStatement } from '@drawbridge/upstream/software-statement/verify-statement'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { refuseAsJson } from '../http/write-error.js'

export type Stated = {
  /** For the parser of registrations. */
  readonly body: unknown
  /** Undefined: the client speaks for itself. */
  readonly software: StatedSoftware | undefined
  readonly stated: ReadonlySet<string>
  /** As by an admin, who said so of the issuer. */
  readonly isApproved: boolean
}

/** `before`: by what the client registered, if it did. */
export async function readStated(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  { body, before, now }: { readonly body: unknown; readonly before?: StatedSoftware | undefined; readonly now: Instant },
): Promise<Result<Stated, StatementRefusal>> {
  const { required, issuers } = tenant.softwareStatements
  const isNeeded = required || before !== undefined
  const alone = ok({ body, software: undefined, stated: new Set<string>(), isApproved: false })
  if (issuers.length === 0 && !isNeeded) return alone
  const brought = statementIn(body)
  if (!brought.ok) return err({ reason: 'registration_statement_invalid', detail: { rule: brought.error } })
  const text = brought.value
  if (text === undefined) return isNeeded ? err({ reason: 'registration_statement_missing' }) : alone
  const audiences = [tenant.issuer.url, `${tenant.issuer.url}/register`]
  const verified = await verifyStatement(deps.fetchSafely, issuers, { text, audiences, now })
  if (!verified.ok) return verified
  if (before !== undefined && !isSameSoftware(before, verified.value)) return err({ reason: 'registration_statement_of_other_software' })
  const { claims, mayApprove, issuer, softwareId } = verified.value
  const merged = withStatement(body, claims)
  const software = { text, issuer, softwareId }
  return ok({ body: merged.body, software, stated: merged.stated, isApproved: mayApprove && merged.isVouchedFor })
}

const isSameSoftware = (before: StatedSoftware, { issuer, softwareId }: VerifiedStatement): boolean =>
  before.issuer === issuer && before.softwareId === softwareId

/** What is wrong with a member is the publisher's to mend where it is the publisher's word. */
export function blame(error: OAuthError, { stated }: Stated): OAuthError {
  const field = error.reason === 'registration_redirect_uri' ? 'redirect_uris' : String(error.detail?.['field'])
  return stated.has(field) ? { reason: 'registration_statement_invalid', detail: { rule: field } } : error
}

export const refuseBlamed = (error: OAuthError): Answer => refuseAsJson(oauthErrors[error.reason], error)

export function refuseStatement(error: StatementRefusal): Answer {
  const seconds = error.detail?.['retryAfterSeconds']
  return refuseAsJson(oauthErrors[error.reason], error, seconds === undefined ? {} : { headers: { 'retry-after': String(seconds) } })
}
