/** The variables that conditions see. What is unknown or absent is left out, so that reading it is an error and never a default. */
import { type AuthenticationStrength, methodsOf } from '../identity/authentication-strength.js'
import { type Instant, secondsBetween } from '../instant.js'
import type { DerivedClaim } from './compile-claims.js'
import { policyLimits } from './error.js'
import type { PolicyInput } from './input.js'

export type ConditionContext = Readonly<Record<string, unknown>>

/** Drops fields without a value. The names are ours, never a login's. Every decision runs through it, so it makes no lists. */
function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {}
  for (const name in fields) if (fields[name] !== undefined) kept[name] = fields[name]
  return kept
}

/** What conditions see of a request alone: all there is where nobody signed in, so that whatever speaks of a person is unclear. */
export const requestContext = ({ client, resource, request, now }: Omit<PolicyInput, 'identity'>): ConditionContext => ({
  client: present({ id: client.id, host: client.host, kind: client.kind, attested: client.attested ?? false }),
  resource: resource.identifier,
  request: present({ scopes: request.scopes, time: new Date(now), address: request.address, country: request.country }),
})

export function conditionContext(
  input: PolicyInput,
  strength: AuthenticationStrength,
  derivedClaims: readonly DerivedClaim[],
): ConditionContext {
  const { identity } = input
  const { authentication } = identity
  const methods = methodsOf(authentication)
  const brought = present({
    subject: present({ id: identity.subjectId, stableId: identity.stableId, connection: identity.connectionId }),
    claims: Object.fromEntries(identity.claims),
    groups: identity.groups.state === 'unknown' ? undefined : identity.groups.state === 'known' ? identity.groups.value : [],
    auth: present({
      acr: authentication.acr,
      // An IdP that says no method has said nothing: empty is unknown here.
      amr: methods.length === 0 ? undefined : methods,
      strength: strength === 'unknown' ? undefined : strength,
      ageSeconds: age(authentication.authenticatedAt, input.now),
      authenticatedAt: authentication.authenticatedAt === undefined ? undefined : new Date(authentication.authenticatedAt),
      connection: identity.connectionId,
    }),
  })
  const context = { ...brought, ...requestContext(input) }
  return derivedClaims.length === 0 ? context : { ...context, claims: withDerived(identity.claims, derivedClaims, context) }
}

const age = (at: Instant | undefined, now: Instant): bigint | undefined => (at === undefined ? undefined : BigInt(secondsBetween(at, now)))

/**
 * Each is made from what the login said, never from another derived one, so their order does not matter. One without a result is absent,
 * also where the login says something under its name: that is not what the policy made.
 */
function withDerived(
  brought: PolicyInput['identity']['claims'],
  derived: readonly DerivedClaim[],
  context: ConditionContext,
): Record<string, unknown> {
  const claims = new Map<string, unknown>(brought)
  for (const { name, value } of derived) {
    const result = value.evaluate(context)
    if (isWithinLimits(result)) claims.set(name, result)
    else claims.delete(name)
  }
  return Object.fromEntries(claims)
}

/** Costs are bound for claims of this size; a larger one is absent, as one that has no result is. */
function isWithinLimits(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= policyLimits.claimCharacters
  if (Array.isArray(value)) return value.length <= policyLimits.claimListItems && value.every(isWithinLimits)
  return typeof value === 'boolean' || typeof value === 'number'
}
