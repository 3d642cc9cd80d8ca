/** The ceiling of a client: the most that an admin lets it have, whatever policy grants. An empty one is none. */

export const withinCeiling = <S extends string>(scopes: readonly S[], ceiling: readonly string[]): readonly S[] =>
  ceiling.length === 0 ? scopes : scopes.filter((scope) => ceiling.includes(scope))

/** Nothing could be issued of these scopes. `store/redecision` holds the same condition. */
export const leavesNothing = (scopes: readonly string[], ceiling: readonly string[]): boolean => withinCeiling(scopes, ceiling).length === 0
