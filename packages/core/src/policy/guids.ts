/**
 * GUIDs in conditions are one whatever their case: consoles, exports and the IdP's own answers disagree about it, and a deny that misses a
 * person for a capital letter is no deny. RFC 9562 §4
 *
 * What a condition writes as a whole text, and what it reads, are brought to small letters, both, before they meet; any other text keeps its case.
 */

import type { ClaimValue } from '../identity/normalized-identity.js'

const shape = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}'
const whole = new RegExp(`^${shape}$`)
const quoted = new RegExp(`(['"])${shape}\\1`, 'g')

/** The length alone rules out nearly every text. */
export const sameGuid = (text: string): string => (text.length === 36 && whole.test(text) ? text.toLowerCase() : text)

/** The same list where nothing changes: every decision asks. */
export const sameGuids = (texts: readonly string[]): readonly string[] =>
  texts.some((text) => sameGuid(text) !== text) ? texts.map(sameGuid) : texts

export const sameGuidsOf = <T>(value: T): T =>
  (typeof value === 'string' ? sameGuid(value) : Array.isArray(value) ? sameGuids(value as string[]) : value) as T

/** The same map where nothing changes. */
export function sameGuidsIn(claims: ReadonlyMap<string, ClaimValue>): ReadonlyMap<string, ClaimValue> {
  let same: Map<string, ClaimValue> | undefined
  for (const [name, value] of claims) {
    const one = sameGuidsOf(value)
    if (one !== value) (same ??= new Map(claims)).set(name, one)
  }
  return same ?? claims
}

/** Of the same length, so that lines and columns of what is said about an expression stay true. */
export const withSameGuids = (expression: string): string => expression.replace(quoted, (text) => text.toLowerCase())
