/**
 * The variables that conditions see. What is unknown or absent has no value, so that reading it is an error and never a default.
 *
 * Each is made when the first condition reads it: most decisions read claims or groups, which lie ready in the login, and few the rest.
 */
import { type AuthenticationStrength, methodsOf } from '../identity/authentication-strength.js'
import type { ClaimValue } from '../identity/normalized-identity.js'
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
export type PersonSeen = { readonly strength: () => AuthenticationStrength; readonly derivedClaims: readonly DerivedClaim[] }

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
      return { id: identity.subjectId, stableId: sameGuid(identity.stableId), connection: sameGuid(identity.connectionId) }
    case 'claims':
      return person.derivedClaims.length === 0 ? sameGuidsIn(identity.claims) : withDerived(input, person)
    case 'groups':
      return identity.groups.state === 'unknown' ? undefined : identity.groups.state === 'known' ? sameGuids(identity.groups.value) : []
    case 'auth':
      return authOf(input, person.strength())
    default:
      return ofRequest(name, input)
  }
}

function ofRequest(name: VariableName, { client, resource, request, now }: PolicyInput): unknown {
  switch (name) {
    case 'client':
      return { id: sameGuid(client.id), host: client.host, kind: client.kind, attested: client.attested ?? false }
    case 'resource':
      return resource.identifier
    case 'request':
      return { scopes: sameGuids(request.scopes), time: new Date(now), address: request.address, country: request.country }
    default:
      return undefined
  }
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

/**
 * Each is made from what the login said, never from another derived one, so their order does not matter. One without a result is absent,
 * also where the login says something under its name: that is not what the policy made.
 */
function withDerived(input: PolicyInput, { strength, derivedClaims }: PersonSeen): ReadonlyMap<string, ClaimValue> {
  const brought = variablesOf(input, { strength, derivedClaims: [] })
  const claims = new Map(sameGuidsIn(input.identity.claims))
  for (const { name, value } of derivedClaims) {
    const result = value.evaluate(brought(value.variables))
    if (isWithinLimits(result)) claims.set(name, sameGuidsOf(result))
    else claims.delete(name)
  }
  return claims
}

/** Costs are bound for claims of this size; a larger one is absent, as one that has no result is. */
function isWithinLimits(value: unknown): value is ClaimValue {
  if (typeof value === 'string') return value.length <= policyLimits.claimCharacters
  if (Array.isArray(value)) return value.length <= policyLimits.claimListItems && value.every(isWithinLimits)
  return typeof value === 'boolean' || typeof value === 'number'
}
