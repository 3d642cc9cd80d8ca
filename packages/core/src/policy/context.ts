/** The variables that conditions see. What is unknown or absent is left out, so that reading it is an error and never a default. */
import type { AuthenticationStrength } from '../identity/authentication-strength.js'
import { type Instant, secondsBetween } from '../instant.js'
import type { DerivedClaim } from './compile-claims.js'
import { policyLimits } from './error.js'
import type { PolicyInput } from './input.js'

export type ConditionContext = Readonly<Record<string, unknown>>

/** Drops fields without a value. `Object.fromEntries` makes own properties only, so `__proto__` is an ordinary missing key. */
const present = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

export function conditionContext(
  input: PolicyInput,
  strength: AuthenticationStrength,
  derivedClaims: readonly DerivedClaim[],
): ConditionContext {
  const { identity, client, request } = input
  const { authentication } = identity
  const context = present({
    subject: present({ id: identity.subjectId, stableId: identity.stableId, connection: identity.connectionId }),
    claims: Object.fromEntries(identity.claims),
    groups: identity.groups.state === 'unknown' ? undefined : identity.groups.state === 'known' ? identity.groups.value : [],
    auth: present({
      acr: authentication.acr,
      // An IdP that says no method has said nothing: empty is unknown here.
      amr: authentication.amr.length === 0 ? undefined : authentication.amr,
      strength: strength === 'unknown' ? undefined : strength,
      ageSeconds: age(authentication.authenticatedAt, input.now),
      authenticatedAt: authentication.authenticatedAt === undefined ? undefined : new Date(authentication.authenticatedAt),
      connection: identity.connectionId,
    }),
    client: present({ id: client.id, host: client.host, kind: client.kind, attested: client.attested ?? false }),
    resource: input.resource.identifier,
    request: present({ scopes: request.scopes, time: new Date(input.now), address: request.address, country: request.country }),
  })
  return derivedClaims.length === 0
    ? context
    : { ...context, claims: { ...(context['claims'] as object), ...derive(derivedClaims, context) } }
}

const age = (at: Instant | undefined, now: Instant): bigint | undefined => (at === undefined ? undefined : BigInt(secondsBetween(at, now)))

/** Each from what the login said, never from another derived one, so their order does not matter. */
const derive = (claims: readonly DerivedClaim[], context: ConditionContext): Record<string, unknown> =>
  Object.fromEntries(
    claims.flatMap(({ name, value }) => {
      const result = value.evaluate(context)
      return isWithinLimits(result) ? [[name, result]] : []
    }),
  )

/** Costs are bound for claims of this size; a larger one is absent, as one that has no result is. */
function isWithinLimits(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= policyLimits.claimCharacters
  if (Array.isArray(value)) return value.length <= policyLimits.claimListItems && value.every(isWithinLimits)
  return typeof value === 'boolean' || typeof value === 'number'
}
