/**
 * The variables that conditions see. What is unknown or absent has no value, so that reading it is an error and never a default. Of a claim
 * that is unknown even `has()` is an error: nobody knows whether she has it.
 *
 * Each is made when the first condition reads it: most decisions read claims or groups, which lie ready in the login, and few the rest.
 */
import { type AuthenticationStrength, methodsOf } from '../identity/authentication-strength.js'
import { type ClaimValue, connectionOfPerson } from '../identity/normalized-identity.js'
import { type Instant, secondsBetween } from '../instant.js'
import type { VariableName } from './cel-variables.js'
import type { DerivedClaim } from './compile-claims.js'
import { policyLimits } from './error.js'
import { sameGuid, sameGuids, sameGuidsIn, sameGuidsOf } from './guids.js'
import type { PolicyInput } from './input.js'

export type ConditionContext = Readonly<Record<VariableName, unknown>>
/** Gives a condition what it reads. What it does not read may stand there or not. */
export type Variables = (reads: readonly VariableName[]) => ConditionContext

/** What is known of the person beside what the login says: how strongly she proved who she is, and the claims that a policy makes. */
export type PersonSeen = {
  readonly strength: () => AuthenticationStrength
  readonly derivedClaims: readonly DerivedClaim[]
  /** Told of each of them that has no result. */
  readonly onUnmade?: ((name: string) => void) | undefined
}

/** Stands for a claim that nobody knows. It is of no type that a claim can be declared with, so that the engine errs wherever it meets it. */
export const unknownClaim = null

/** Without a person conditions see the request alone: whatever speaks of a person is unclear. */
export function variablesOf(input: PolicyInput, person: PersonSeen | undefined): Variables {
  const made: Record<VariableName, unknown> = { ...nothing }
  return (reads) => {
    for (const name of reads) made[name] ??= person === undefined ? ofRequest(name, input) : ofPerson(name, input, person)
    return made
  }
}

const nothing: ConditionContext = {
  subject: undefined,
  claims: undefined,
  groups: undefined,
  auth: undefined,
  client: undefined,
  resource: undefined,
  request: undefined,
}

function ofPerson(name: VariableName, input: PolicyInput, person: PersonSeen): unknown {
  const { identity } = input
  switch (name) {
    case 'subject':
      return { id: identity.subjectId, stableId: sameGuid(identity.stableId), connection: sameGuid(connectionOfPerson(identity)) }
    case 'claims':
      return person.derivedClaims.length === 0 ? claimsOf(input) : withDerived(input, person)
    case 'groups':
      return identity.groups.state === 'unknown' ? undefined : identity.groups.state === 'known' ? sameGuids(identity.groups.value) : []
    case 'auth':
      return authOf(input, person.strength())
    default:
      return ofRequest(name, input)
  }
}

function ofRequest(name: VariableName, { client, resource, request, now }: PolicyInput): unknown {
  if (name === 'client') return { id: sameGuid(client.id), host: client.host, kind: client.kind, attested: client.attested ?? false }
  if (name === 'resource') return resource.identifier
  return name === 'request'
    ? { scopes: sameGuids(request.scopes), time: new Date(now), address: request.address, country: request.country }
    : undefined
}

function authOf({ identity: { authentication, connectionId }, now }: PolicyInput, strength: AuthenticationStrength): object {
  const methods = methodsOf(authentication)
  const { acr, authenticatedAt } = authentication
  return {
    acr: acr === undefined ? undefined : sameGuid(acr),
    // An IdP that says no method has said nothing: empty is unknown here.
    amr: methods.length === 0 ? undefined : methods,
    strength: strength === 'unknown' ? undefined : strength,
    ageSeconds: authenticatedAt === undefined ? undefined : age(authenticatedAt, now),
    authenticatedAt: authenticatedAt === undefined ? undefined : new Date(authenticatedAt),
    connection: sameGuid(connectionId),
  }
}

const age = (at: Instant, now: Instant): bigint => BigInt(secondsBetween(at, now))

type SeenClaims = ReadonlyMap<string, ClaimValue | typeof unknownClaim>

/** As they lie in the login, where all of them are known. */
function claimsOf({ identity: { claims, unknownClaims } }: PolicyInput): SeenClaims {
  if (unknownClaims === undefined || unknownClaims.size === 0) return sameGuidsIn(claims)
  return new Map<string, ClaimValue | typeof unknownClaim>([
    ...sameGuidsIn(claims),
    ...[...unknownClaims].map((name) => [name, unknownClaim] as const),
  ])
}

/**
 * Each is made from what the login said, never from another derived one, so their order does not matter. One without a result is unknown,
 * also where the login says something under its name: that is not what the policy made. security.md §5
 */
function withDerived(input: PolicyInput, { strength, derivedClaims, onUnmade }: PersonSeen): SeenClaims {
  const brought = variablesOf(input, { strength, derivedClaims: [] })
  const claims = new Map<string, ClaimValue | typeof unknownClaim>(claimsOf(input))
  for (const { name, value } of derivedClaims) {
    const result = value.evaluate(brought(value.variables))
    const isMade = isWithinLimits(result)
    claims.set(name, isMade ? sameGuidsOf(result) : unknownClaim)
    if (!isMade) onUnmade?.(name)
  }
  return claims
}

/** Costs are bound for claims of this size; a larger one is unknown, as one that has no result is. */
function isWithinLimits(value: unknown): value is ClaimValue {
  if (typeof value === 'string') return value.length <= policyLimits.claimCharacters
  if (Array.isArray(value)) return value.length <= policyLimits.claimListItems && value.every(isWithinLimits)
  return typeof value === 'boolean' || typeof value === 'number'
}
