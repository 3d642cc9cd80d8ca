/**
 * How much a directory may do with its token. RFC 7644 names no scopes; these are the rights that directories are given in the field, each with those before it: who has to
 * know whom we know, who says which people work here, and who says in which groups they are, too, from which rules give scopes.
 *
 * Who may change people may take their access away, and who may change groups what they have by them. Nobody takes away by less: a token that leaked from a report would end a
 * company's work.
 */

/** From the least to the most. Each is the scope of an access token, too. */
export const scimScopes = ['scim:read', 'scim:users', 'scim'] as const
export type ScimScope = (typeof scimScopes)[number]

/** What a token may do of which nothing else is said, as all could before there were scopes. */
export const wholeScimScope: ScimScope = 'scim'

const rankOf = (scope: ScimScope): number => scimScopes.indexOf(scope)

export const coversScope = (held: ScimScope, needed: ScimScope): boolean => rankOf(held) >= rankOf(needed)

/** The most that a token may do that holds these. Undefined: it may not even ask. */
export const widestScimScope = (scopes: readonly string[]): ScimScope | undefined => scimScopes.findLast((scope) => scopes.includes(scope))

export const narrowerScimScope = (one: ScimScope, other: ScimScope): ScimScope => (coversScope(one, other) ? other : one)
