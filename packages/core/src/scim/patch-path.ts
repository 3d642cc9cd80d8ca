/** What an operation of a PATCH is aimed at: an attribute, one of its sub-attributes, or the values that meet a filter. RFC 7644 §3.5.2. */
import { err, ok, type Result } from '../result.js'
import { type AttributePath, bindPath, bindSub, isName } from './attribute-path.js'
import { type ScimError, scimLimits } from './error.js'
import type { Filter } from './filter.js'
import { isBeyondLimits, parseElementFilter, parseListOfIds } from './parse-filter.js'
import type { ResourceType } from './resource-type.js'

export type PatchPath = AttributePath & { readonly where: Filter | undefined }

export type PathReading = {
  /** A URN that no schema knows is the name of something as a whole. */
  readonly holds?: (urn: string) => boolean
  /** What it names is to go. */
  readonly isRemoval?: boolean
}

export function parsePatchPath(
  type: ResourceType,
  value: unknown,
  { holds = () => false, isRemoval = false }: PathReading = {},
): Result<PatchPath, ScimError> {
  if (typeof value !== 'string') return err({ reason: 'scim_path_invalid' })
  const text = value.trim()
  const open = text.indexOf('[')
  if (open < 0) {
    if (value.length > scimLimits.filterCharacters) return err({ reason: 'scim_path_invalid' })
    const path = bindPath(type, text, holds)
    return path === undefined ? err({ reason: 'scim_path_invalid' }) : ok({ ...path, where: undefined })
  }
  const close = text.lastIndexOf(']')
  const path = bindPath(type, text.slice(0, open).trim())
  const rest = text.slice(close + 1).trim()
  const hasSub = rest.startsWith('.') && isName(rest.slice(1))
  if (close < open || path === undefined || path.sub !== undefined || (rest !== '' && !hasSub)) return err({ reason: 'scim_path_invalid' })
  const where = parseWhere(path, text.slice(open + 1, close), isRemoval && rest === '')
  if (!where.ok) return where
  return ok({ ...path, sub: hasSub ? bindSub(path.attribute.definition, rest.slice(1)) : undefined, where: where.value })
}

/** Members who are to go are read though they are more than a filter may have terms: nobody stays in a group because many leave it. */
function parseWhere(path: AttributePath, text: string, isRemoval: boolean): Result<Filter, ScimError> {
  const where = parseElementFilter(path.attribute, text)
  if (where.ok || !isRemoval || path.attribute.name !== 'members' || !isBeyondLimits(where.error)) return where
  const ids = parseListOfIds(path.attribute, text)
  return ids === undefined ? where : ok(ids)
}
