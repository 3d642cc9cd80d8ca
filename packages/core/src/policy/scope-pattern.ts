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
