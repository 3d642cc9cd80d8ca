/**
 * Text that can be kept: without NUL and without half of a surrogate pair.
 *
 * PostgreSQL stores neither. UTF-8 has no half characters, so each would be written as the same replacement, and two people whose ids
 * differ only there would become one.
 */
const unkeepable = /\0|\p{Surrogate}/u

/** Looks into lists and objects, names included. For values that were parsed and bounded before. */
export function isKeepable(value: unknown): boolean {
  if (typeof value === 'string') return !unkeepable.test(value)
  if (typeof value !== 'object' || value === null) return true
  return Array.isArray(value) ? value.every(isKeepable) : Object.entries(value).every(isKeepable)
}
