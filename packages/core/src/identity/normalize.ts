/**
 * From a verified assertion to what the rest of the house may know of a login.
 *
 * Both protocols become the same shape first (names with lists of texts); then one mapping applies. Whatever is missing stays missing:
 * no default is made up, and what the IdP did not or could not say in a way that can be read is `unknown`, never empty and never absent.
 */
import type { Instant } from '../instant.js'
import { addSeconds, fromSeconds } from '../instant.js'
import { policyLimits } from '../policy/error.js'
import { err, ok, type Result } from '../result.js'
import type { ClaimMapping, ClaimRule } from './claim-mapping.js'
import { claimOfTexts, unknownValue } from './claim-value.js'
import { isPlainAddress } from './email-address.js'
import type { IdentityAssertion } from './identity-assertion.js'
import type { ClaimValue, Known, NormalizedIdentity } from './normalized-identity.js'

export type IdentityRefusal = {
  readonly reason: 'identity_without_stable_id' | 'identity_stable_id_not_stable' | 'identity_text_malformed' | 'identity_mapping_failed'
  readonly say: string
}

type Facts = {
  readonly protocolId: string
  readonly attributes: ReadonlyMap<string, readonly string[]>
  readonly acr: string | undefined
  readonly amr: readonly string[]
  readonly authenticatedAt: Instant | undefined
  readonly sessionExpiresAt: Instant | undefined
  readonly idpSession: NormalizedIdentity['idpSession']
  /** Sent, or named as to be had elsewhere, and nothing that can be read here. */
  readonly unreadable: ReadonlySet<string>
  /** The IdP said outright that there are more groups than it sends. */
  readonly groupsOverage: boolean
}

const transient = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient'
const stableIdCharacters = 512

/** @spec SAML Core §8.3.8 a transient identifier names nobody twice, so it cannot be the key of a subject */
export function normalize(assertion: IdentityAssertion, mapping: ClaimMapping): Result<NormalizedIdentity, IdentityRefusal> {
  const facts = assertion.kind === 'saml' ? factsOfSaml(assertion) : factsOfOidc(assertion)
  const usesProtocolId = mapping.stableId.from === 'protocol'
  if (usesProtocolId && assertion.kind === 'saml' && assertion.nameId?.format === transient)
    return err({
      reason: 'identity_stable_id_not_stable',
      say: 'the NameID is transient; map an attribute that never changes as stable identifier',
    })
  const stableId = stableIdOf(facts, mapping.stableId)
  if (stableId === undefined || stableId === '' || stableId.length > stableIdCharacters)
    return err({ reason: 'identity_without_stable_id', say: 'the login carries no usable stable identifier of the person' })
  const claims = mapClaims(facts, mapping.claims)
  if (!claims.ok) return claims
  return ok({
    connectionId: assertion.connectionId,
    stableId,
    subjectId: undefined,
    ...claims.value,
    groups: groupsOf(facts, mapping),
    authentication: {
      acr: mapping.authnContext === 'ignore' ? undefined : facts.acr,
      amr: methodsOf(facts, mapping),
      authenticatedAt: facts.authenticatedAt,
    },
    sessionExpiresAt: sessionEndOf(facts.sessionExpiresAt, assertion.issuedAt, mapping.idpSessionEnd),
    idpSession: facts.idpSession,
  })
}

/** Several values are written as JSON, so that no two persons' can ever read the same. */
function stableIdOf(facts: Facts, rule: ClaimMapping['stableId']): string | undefined {
  if (rule.from === 'protocol') return facts.protocolId
  if (rule.from === 'attribute') return singleValue(facts.attributes.get(rule.name))
  const values = rule.names.map((name) => singleValue(facts.attributes.get(name)))
  return values.every((value) => value !== undefined && value !== '') ? JSON.stringify(values) : undefined
}

/** A floor raises an end that is too near, and never lowers one; counted from the issue of the assertion, which every IdP writes. */
function sessionEndOf(end: Instant | undefined, issuedAt: Instant, rule: ClaimMapping['idpSessionEnd']): Instant | undefined {
  if (end === undefined || rule === 'ignore') return undefined
  if (rule === 'honour') return end
  const floor = addSeconds(issuedAt, rule.floorSeconds)
  return end < floor ? floor : end
}

const entraOverageLink = 'http://schemas.microsoft.com/claims/groups.link'

function factsOfSaml(assertion: Extract<IdentityAssertion, { kind: 'saml' }>): Facts {
  return {
    protocolId: assertion.nameId?.value ?? '',
    attributes: assertion.attributes,
    acr: assertion.authnContextClassRef,
    amr: [],
    authenticatedAt: assertion.authnInstant,
    sessionExpiresAt: assertion.sessionNotOnOrAfter,
    idpSession: {
      ...{ sessionIndex: assertion.sessionIndex, nameId: assertion.nameId, sid: undefined },
      subject: assertion.nameId && { issuer: assertion.issuer, sub: assertion.nameId.value },
    },
    unreadable: new Set(),
    groupsOverage: assertion.attributes.has(entraOverageLink),
  }
}

/** @spec OIDC Core §5.6.2 distributed claims: they are not in the token. Entra names `groups` there when there are too many to send */
function factsOfOidc(token: Exclude<IdentityAssertion, { kind: 'saml' }>): Facts {
  const claimNames = token.claims.get('_claim_names')
  const distributed = new Set(typeof claimNames === 'object' && claimNames !== null ? Object.keys(claimNames) : [])
  const attributes = new Map([...token.claims].flatMap(([name, value]) => asTexts(name, value)))
  const unmade = [...token.claims].flatMap(([name, value]) => (attributes.has(name) || value === null || value === undefined ? [] : [name]))
  const sessionExpiry = token.claims.get('session_expiry')
  return {
    protocolId: token.sub,
    attributes,
    acr: token.acr,
    amr: token.amr,
    authenticatedAt: token.authTime,
    sessionExpiresAt: typeof sessionExpiry === 'number' && Number.isFinite(sessionExpiry) ? fromSeconds(sessionExpiry) : undefined,
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: token.sid, subject: { issuer: token.issuer, sub: token.sub } },
    unreadable: new Set([...[...distributed].filter((name) => !attributes.has(name)), ...unmade]),
    groupsOverage: distributed.has('groups') || token.claims.get('hasgroups') === true || token.claims.get('hasgroups') === 'true',
  }
}

/** JSON values as lists of texts, as SAML has them. Objects are nothing that a mapping could use. */
function asTexts(name: string, value: unknown): readonly (readonly [string, readonly string[]])[] {
  const values = Array.isArray(value) ? value : [value]
  const texts = values.filter((one) => typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean').map(String)
  return texts.length === 0 && !(Array.isArray(value) && value.length === 0) ? [] : [[name, texts]]
}

/** An expression without a result ends the login: a claim that is absent by mistake may be what a rule denies by. */
function mapClaims(
  { attributes, unreadable }: Facts,
  rules: readonly ClaimRule[],
): Result<Pick<NormalizedIdentity, 'claims' | 'unknownClaims'>, IdentityRefusal> {
  const claims = new Map<string, ClaimValue>()
  const unknownClaims = new Set<string>()
  for (const rule of rules) {
    if (rule.expression) {
      if (rule.expression.attributes.some((name) => unreadable.has(name))) {
        unknownClaims.add(rule.claim)
        continue
      }
      const result = claimOfResult(rule.expression.evaluate(attributes))
      if (result === undefined)
        return err({ reason: 'identity_mapping_failed', say: `the expression of the claim ${rule.claim} has no result` })
      if (result !== '') claims.set(rule.claim, result)
      continue
    }
    const source = rule.from.find((name) => attributes.has(name) || unreadable.has(name))
    if (source === undefined) continue
    const value = unreadable.has(source) ? unknownValue : claimOfTexts(attributes.get(source) ?? [], rule.type)
    if (value.state === 'known') claims.set(rule.claim, value.value)
    else if (value.state === 'unknown') unknownClaims.add(rule.claim)
  }
  // Whoever reads this claim takes it for an address; what we cannot read as one we cannot hold to the domains of others either.
  const email = claims.get('email')
  if (email !== undefined && (typeof email !== 'string' || !isPlainAddress(email))) {
    claims.delete('email')
    unknownClaims.add('email')
  }
  return ok(unknownClaims.size === 0 ? { claims } : { claims, unknownClaims })
}

/** What an expression came to, if it is within the limits of a claim. The empty text is how an expression says that there is none. */
function claimOfResult(result: unknown): ClaimValue | undefined {
  if (typeof result === 'bigint' || typeof result === 'number') return Number.isFinite(Number(result)) ? Number(result) : undefined
  if (typeof result === 'string') return result.length <= policyLimits.claimCharacters ? result : undefined
  if (!Array.isArray(result)) return typeof result === 'boolean' ? result : undefined
  const isList = result.every((item) => typeof item === 'string' && item.length <= policyLimits.claimCharacters)
  return isList && result.length <= policyLimits.claimListItems ? (result as readonly string[]) : undefined
}

const singleValue = (values: readonly string[] | undefined): string | undefined => (values?.length === 1 ? values[0] : undefined)

function groupsOf(facts: Facts, mapping: ClaimMapping): Known<readonly string[]> {
  if (mapping.groups === undefined) return { state: 'absent' }
  if (facts.groupsOverage) return { state: 'unknown' }
  const source = mapping.groups.from.find((name) => facts.attributes.has(name))
  if (source === undefined) return { state: 'unknown' }
  // In an order of ours: an IdP that names them in another one says nothing new of her.
  const groups = [...new Set((facts.attributes.get(source) ?? []).filter((group) => group !== ''))].toSorted()
  if (groups.length > policyLimits.groups) return { state: 'unknown', beyond: 'groups' }
  const isTooLong = groups.some((group) => group.length > policyLimits.claimCharacters)
  return isTooLong ? { state: 'unknown', beyond: 'claimCharacters' } : { state: 'known', value: groups }
}

/** Entra names methods by URL; only the last word is the method. `multipleauthn` is its way to say MFA. */
const entraMethods = 'http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/'
const plainMethod = (method: string): string => {
  if (method === 'http://schemas.microsoft.com/claims/multipleauthn') return 'mfa'
  if (!method.startsWith(entraMethods)) return method
  const word = method.slice(entraMethods.length)
  return word === 'password' ? 'pwd' : word
}

/** Okta joins several methods with commas in one value. More than the limit are none, which counts as unknown: half of them would be a different fact. */
function methodsOf(facts: Facts, mapping: ClaimMapping): readonly string[] {
  const attributes = mapping.methods.flatMap((name) => facts.attributes.get(name) ?? [])
  const methods = [...facts.amr, ...attributes.flatMap((value) => value.split(','))]
    .map((method) => plainMethod(method.trim()))
    .filter((method) => method !== '')
  const own = [...new Set(methods)]
  return own.length > policyLimits.amrValues ? [] : own
}
