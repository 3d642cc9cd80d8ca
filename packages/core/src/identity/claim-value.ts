/** From the texts that a source sends to a claim of one type. */

import type { ClaimType } from '../policy/cel-variables.js'
import { policyLimits } from '../policy/error.js'
import type { ClaimValue } from './normalized-identity.js'

/** A value that is not of its declared type, or over a limit, is absent: half of it would be a different fact. */
export function claimOfTexts(values: readonly string[], type: ClaimType): ClaimValue | undefined {
  const filled = values.filter((value) => value !== '')
  if (filled.some((value) => value.length > policyLimits.claimCharacters)) return undefined
  if (type === 'list') return filled.length > policyLimits.claimListItems ? undefined : filled
  const only = filled.length === 1 ? filled[0] : undefined
  if (only === undefined || type === 'string') return only
  if (type === 'boolean') return booleans.get(only.toLowerCase())
  return /^-?\d{1,15}(\.\d{1,15})?$/.test(only) ? Number(only) : undefined
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])
