/** What conditions may read, and of which type each of it is. */

import { authenticationStrengths } from '../identity/authentication-strength.js'
import { isHostName } from './host-pattern.js'
import { clientKinds } from './input.js'

export type ClaimType = 'string' | 'number' | 'boolean' | 'list'
export type ClaimCatalogue = Readonly<Record<string, ClaimType>>

/** Claims that every policy may name without declaring them. */
export const standardClaims: ClaimCatalogue = {
  email: 'string',
  email_verified: 'boolean',
  name: 'string',
  given_name: 'string',
  family_name: 'string',
  preferred_username: 'string',
  department: 'string',
  title: 'string',
  employee_type: 'string',
  employee_number: 'string',
  cost_center: 'string',
  organization: 'string',
  country: 'string',
  roles: 'list',
}

/** What a condition sees, beside the claims: each variable with its type in CEL, or its fields with theirs. */
export const conditionVariables = {
  subject: { id: 'string', stableId: 'string', connection: 'string' },
  groups: 'list<string>',
  auth: {
    acr: 'string',
    amr: 'list<string>',
    strength: 'string',
    ageSeconds: 'int',
    authenticatedAt: 'google.protobuf.Timestamp',
    connection: 'string',
  },
  client: { id: 'string', host: 'string', kind: 'string', attested: 'bool' },
  resource: 'string',
  request: { scopes: 'list<string>', time: 'google.protobuf.Timestamp', address: 'string', country: 'string' },
} as const satisfies Readonly<Record<string, string | Readonly<Record<string, string>>>>

/** What a variable can be at all, where that is known: a condition that compares it with anything else asks in vain. */
const possible: Readonly<Record<string, (text: string) => boolean>> = {
  'client.kind': (text) => (clientKinds as readonly string[]).includes(text),
  // Without any proof it is unknown, and no text.
  'auth.strength': (text) => text !== 'unknown' && (authenticationStrengths as readonly string[]).includes(text),
  'client.host': (text) => isHostName(text),
}
export const isPossible = (field: string, text: string): boolean =>
  (Object.hasOwn(possible, field) ? possible[field]?.(text) : undefined) ?? true

/** Everything that a condition of a policy can name. */
export type VariableName = 'claims' | keyof typeof conditionVariables
export const variableNames: ReadonlySet<VariableName> = new Set(['claims', ...(Object.keys(conditionVariables) as VariableName[])])
