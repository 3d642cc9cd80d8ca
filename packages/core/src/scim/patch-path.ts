/** What an operation of a PATCH is aimed at: an attribute, one of its sub-attributes, or the values that meet a filter. RFC 7644 §3.5.2. */
import { err, ok, type Result } from '../result.js'
import { type AttributePath, bindPath, bindSub, isName } from './attribute-path.js'
import { type ScimError, scimLimits } from './error.js'
import type { Filter } from './filter.js'
import { parseElementFilter } from './parse-filter.js'
import type { ResourceType } from './resource-type.js'

export type PatchPath = AttributePath & { readonly where: Filter | undefined }

/** `holds`: a URN that no schema knows is the name of something as a whole. */
export function parsePatchPath(
  type: ResourceType,
  value: unknown,
  holds: (urn: string) => boolean = () => false,
): Result<PatchPath, ScimError> {
  if (typeof value !== 'string' || value.length > scimLimits.filterCharacters) return err({ reason: 'scim_path_invalid' })
  const text = value.trim()
  const open = text.indexOf('[')
  if (open < 0) {
    const path = bindPath(type, text, holds)
    return path === undefined ? err({ reason: 'scim_path_invalid' }) : ok({ ...path, where: undefined })
  }
  const close = text.lastIndexOf(']')
  const path = bindPath(type, text.slice(0, open).trim())
  const rest = text.slice(close + 1).trim()
  const hasSub = rest.startsWith('.') && isName(rest.slice(1))
  if (close < open || path === undefined || path.sub !== undefined || (rest !== '' && !hasSub)) return err({ reason: 'scim_path_invalid' })
  const where = parseElementFilter(path.attribute, text.slice(open + 1, close))
  if (!where.ok) return where
  return ok({ ...path, sub: hasSub ? bindSub(path.attribute.definition, rest.slice(1)) : undefined, where: where.value })
}
