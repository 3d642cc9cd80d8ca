/** Scopes by name or by pattern. `*` is split on, never turned into a regular expression, so matching is linear. */

export type ScopePatterns = {
  readonly names: ReadonlySet<string>
  /** Those with a `*`; empty when the names are all that is covered. */
  readonly patterns: readonly string[]
  readonly covers: (scope: string) => boolean
}

export function scopePatterns(written: readonly string[]): ScopePatterns {
  const names = new Set(written.filter((pattern) => !pattern.includes('*')))
  const patterns = written.filter((pattern) => pattern.includes('*'))
  const globs = patterns.map((pattern) => pattern.split('*'))
  return { names, patterns, covers: (scope) => names.has(scope) || globs.some((parts) => matchesGlob(parts, scope)) }
}

/**
 * Whether some scope is meant by both, each a name or a pattern. Of two patterns that is so where neither their beginnings nor their ends
 * contradict each other: what one has between its stars fits between those of the other.
 */
export function haveScopeInCommon(one: ScopePatterns, other: ScopePatterns): boolean {
  for (const name of one.names) if (other.covers(name)) return true
  for (const name of other.names) if (one.covers(name)) return true
  return one.patterns.some((pattern) => other.patterns.some((another) => meet(pattern, another)))
}

function meet(one: string, other: string): boolean {
  const [begins, ends] = [[beginOf(one), beginOf(other)] as const, [endOf(one), endOf(other)] as const]
  return (begins[0].startsWith(begins[1]) || begins[1].startsWith(begins[0])) && (ends[0].endsWith(ends[1]) || ends[1].endsWith(ends[0]))
}
const beginOf = (pattern: string): string => pattern.slice(0, pattern.indexOf('*'))
const endOf = (pattern: string): string => pattern.slice(pattern.lastIndexOf('*') + 1)

/** What covers every scope. */
export const everyScope: ScopePatterns = scopePatterns(['*'])

function matchesGlob(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? ''
  const last = parts.at(-1) ?? ''
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let from = first.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, from)
    if (found < 0 || found + part.length > text.length - last.length) return false
    from = found + part.length
  }
  return true
}
