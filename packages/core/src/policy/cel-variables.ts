/** What conditions may read, and of which type each of it is. */

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

/** Everything that a condition of a policy can name. */
export type VariableName = 'claims' | keyof typeof conditionVariables
export const variableNames: ReadonlySet<VariableName> = new Set(['claims', ...(Object.keys(conditionVariables) as VariableName[])])
