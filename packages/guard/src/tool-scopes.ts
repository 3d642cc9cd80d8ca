/** Which scopes each tool needs, and whether a token's scopes are enough. */
export type ToolScopes = Readonly<Record<string, readonly string[]>>
/** Scope hierarchies: the holder of the key also holds the values. One step deep by design: list every implied scope. */
export type ScopeImplications = Readonly<Record<string, readonly string[]>>

/** `scope` of RFC 6749 §3.3: tokens separated by single spaces; what is not such a string grants nothing. */
export const parseScopes = (claim: unknown): readonly string[] =>
  typeof claim === 'string' ? claim.split(' ').filter((name) => name !== '') : []

const own = (table: Readonly<Record<string, readonly string[]>>, name: string): readonly string[] | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

/** The scopes of one tool; undefined for a tool that the table does not name, which the caller must refuse. */
export const scopesOfTool = (tools: ToolScopes, tool: string): readonly string[] | undefined => own(tools, tool)

/**
 * The needed scopes that these do not cover.
 *
 * @spec MCP authorization 2026-07-28, runtime insufficient scope: hierarchies are honoured when judging sufficiency
 */
export function missingScopes(granted: readonly string[], needed: readonly string[], implies: ScopeImplications = {}): readonly string[] {
  const held = new Set(granted.flatMap((name) => [name, ...(own(implies, name) ?? [])]))
  return needed.filter((name) => !held.has(name))
}

/** Every scope that some tool needs, each once, in the order of the table. */
export const allToolScopes = (tools: ToolScopes): readonly string[] => [...new Set(Object.values(tools).flat())]
