/** From the texts that a source sends to a claim of one type. */

import type { ClaimType } from '../policy/cel-variables.js'
import { policyLimits } from '../policy/error.js'
import type { ClaimValue, Known } from './normalized-identity.js'

export const unknownValue = { state: 'unknown' } as const

/** A value that is not of its declared type, or over a limit, is unknown: half of it would be a different fact, and it is not absent either. */
export function claimOfTexts(values: readonly string[], type: ClaimType): Known<ClaimValue> {
  const filled = values.filter((value) => value !== '')
  if (filled.length > policyLimits.claimListItems || filled.some((value) => value.length > policyLimits.claimCharacters))
    return unknownValue
  if (type === 'list') return { state: 'known', value: filled }
  if (filled.length === 0) return { state: 'absent' }
  const only = filled.length === 1 ? filled[0] : undefined
  const value = only === undefined || type === 'string' ? only : type === 'boolean' ? booleans.get(only.toLowerCase()) : numberOf(only)
  return value === undefined ? unknownValue : { state: 'known', value }
}

const numberOf = (text: string): number | undefined => (/^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined)

const booleans: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])
