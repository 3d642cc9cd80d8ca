/**
 * The one place where a software statement is believed: its kind, its times and its signature by a key of an issuer whom the tenant trusts.
 *
 * RFC 7591 names no type, no audience and no end for it; what it does name must fit, and what is of another kind, by its type or by what only
 * others say, is refused. It is no evidence about a person and proves no client, so the same one counts as often as it comes.
 *
 * @spec RFC 7591 §2.3 a JWT, signed, with iss
 * @spec RFC 7591 §3.2.2 invalid_software_statement, unapproved_software_statement
 * @spec RFC 8725 §3.11 kept apart from everything else that the same keys sign
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import {
  longestSoftwareStatement,
  type StatedSoftware,
  type StatementRefusal,
  saysSomething,
} from '@drawbridge/core/oauth/software-statement'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ReadJwt, readForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { readClaimsUnproven } from '../assertion/verify-assertion.js'
import { instantOf } from '../oidc/id-token-rules.js'
import { verifyByParty } from '../oidc/party-signature.js'
import type { StatementIssuer } from './statement-issuers.js'

export const statementRules = {
  /** How far the issuer's clock may be from ours, either way. */
  skewSeconds: 60,
  softwareIdLength: 1024,
} as const

export type VerifiedStatement = StatedSoftware & {
  readonly claims: ReadonlyMap<string, unknown>
  /** By the word of the tenant's admin about the issuer. */
  readonly mayApprove: boolean
}
type Checked<T> = Result<T, StatementRefusal>
const invalid = (rule: string): { readonly ok: false; readonly error: StatementRefusal } =>
  err({ reason: 'registration_statement_invalid', detail: { rule } })
const unapproved = (rule: string): { readonly ok: false; readonly error: StatementRefusal } =>
  err({ reason: 'registration_statement_unapproved', detail: { rule } })

export type ExpectedStatement = {
  readonly text: string
  /** Our names, of which one must be meant where it says for whom it is. */
  readonly audiences: readonly string[]
  readonly now: Instant
}

export async function verifyStatement(
  fetchSafely: FetchSafely,
  trusted: readonly StatementIssuer[],
  { text, audiences, now }: ExpectedStatement,
): Promise<Checked<VerifiedStatement>> {
  const claimed = text.length > longestSoftwareStatement ? undefined : readClaimsUnproven(text)
  if (claimed === undefined) return invalid('malformed')
  const issuer = trusted.find((each) => each.issuer === claimed['iss'])
  if (issuer === undefined) return typeof claimed['iss'] === 'string' ? unapproved('iss') : invalid('iss')
  const jwt = readForeignJwt(text, issuer.algorithms)
  if (!jwt.ok) return invalid(jwt.error)
  const fault = findFault(jwt.value, audiences, now)
  if (fault !== undefined) return invalid(fault)
  const signed = await verifyByParty(fetchSafely, issuer, jwt.value, now)
  if (!signed.ok) {
    if (typeof signed.error === 'string') return invalid(signed.error)
    return err({ reason: 'registration_statement_keys_awaited', detail: signed.error })
  }
  return judge(issuer, text, jwt.value.claims)
}

/** Everything that the text alone can show. The first that is wrong is named. */
function findFault({ typ, claims }: ReadJwt, audiences: readonly string[], now: Instant): string | undefined {
  if (!(typ === undefined || typ === 'jwt' || typ === 'software-statement+jwt')) return 'typ'
  if (ofOthers.some((name) => claims.has(name)) || !saysSomething(claims)) return 'kind'
  const aud: unknown = claims.get('aud')
  if (aud !== undefined && ![aud].flat().some((one) => audiences.includes(one as string))) return 'aud'
  const latest = addSeconds(now, statementRules.skewSeconds)
  const [iat, nbf, exp] = ['iat', 'nbf', 'exp'].map((name) => instantOf(claims.get(name)))
  if (claims.has('iat') && (iat === undefined || iat > latest)) return 'iat'
  if (claims.has('nbf') && (nbf === undefined || nbf > latest)) return 'nbf'
  return claims.has('exp') && (exp === undefined || now >= addSeconds(exp, statementRules.skewSeconds)) ? 'exp' : undefined
}

/** Said by ID tokens, logout tokens, events, proofs and access tokens, and by no statement. */
const ofOthers: readonly string[] = ['nonce', 'events', 'auth_time', 'sid', 'at_hash', 'cnf', 'htm', 'act', 'client_id']

/** From here on it is the issuer's own word. */
function judge(issuer: StatementIssuer, text: string, claims: ReadonlyMap<string, unknown>): Checked<VerifiedStatement> {
  const softwareId: unknown = claims.get('software_id')
  if (
    softwareId !== undefined &&
    (typeof softwareId !== 'string' || softwareId === '' || softwareId.length > statementRules.softwareIdLength)
  )
    return invalid('software_id')
  if (issuer.softwareIds.length > 0 && (softwareId === undefined || !issuer.softwareIds.includes(softwareId)))
    return unapproved('software_id')
  return ok({ text, issuer: issuer.issuer, softwareId, claims, mayApprove: issuer.approves })
}
