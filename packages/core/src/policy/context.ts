/** The variables that conditions see. What is unknown or absent is left out, so that reading it is an error and never a default. */
import type { AuthenticationStrength } from '../identity/authentication-strength.js'
import { type Instant, secondsBetween } from '../instant.js'
import type { PolicyInput } from './input.js'

/** Drops fields without a value. `Object.fromEntries` makes own properties only, so `__proto__` is an ordinary missing key. */
const present = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

export function conditionContext(input: PolicyInput, strength: AuthenticationStrength): Readonly<Record<string, unknown>> {
  const { identity } = input
  return present({
    subject: present({ id: identity.subjectId, stableId: identity.stableId, connection: identity.connectionId }),
    claims: Object.fromEntries(identity.claims),
    groups: identity.groups.state === 'unknown' ? undefined : identity.groups.state === 'known' ? identity.groups.value : [],
    auth: present({
      acr: identity.authentication.acr,
      // An IdP that says no method has said nothing: empty is unknown here.
      amr: identity.authentication.amr.length === 0 ? undefined : identity.authentication.amr,
      strength: strength === 'unknown' ? undefined : strength,
      ageSeconds: age(identity.authentication.authenticatedAt, input.now),
    }),
    client: present({ id: input.client.id, host: input.client.host, kind: input.client.kind }),
    resource: input.resource.identifier,
    request: { scopes: input.request.scopes, time: new Date(input.now) },
  })
}

const age = (at: Instant | undefined, now: Instant): bigint | undefined => (at === undefined ? undefined : BigInt(secondsBetween(at, now)))
