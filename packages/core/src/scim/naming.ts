/**
 * Whether a request names somebody: says whether she is active, or looks for her alone and so sees what we believe of her. After a restore only that lets
 * in whom we knew before: a directory that compares repeats nothing that agrees, and one that keeps no person any more never asks for her. docs/adr/0118
 */
import { applyPatch } from './apply-patch.js'
import { pathText } from './attribute-path.js'
import type { Filter } from './filter.js'
import type { PatchOperation } from './patch.js'
import { type ScimUser, toDocument } from './user.js'

/** By what directories know a person. */
const names = new Set(['id', 'userName', 'externalId', 'emails.value'])

/** A list is nobody's name, however short the directory makes it. */
export function looksForOne(filter: Filter): boolean {
  if (filter.kind === 'and') return filter.parts.some(looksForOne)
  if (filter.kind === 'some') return pathText(filter.path) === 'emails' && isOneValue(filter.part)
  return filter.kind === 'compare' && filter.operator === 'eq' && !('element' in filter.path) && names.has(pathText(filter.path))
}

function isOneValue(part: Filter): boolean {
  if (part.kind === 'and') return part.parts.some(isOneValue)
  return part.kind === 'compare' && part.operator === 'eq' && 'element' in part.path && part.path.element.name === 'value'
}

/** Whether these operations, whatever stands there, leave a word on `active`. */
export function saysActive(user: ScimUser, operations: readonly PatchOperation[]): boolean {
  const { active: _active, ...silent } = toDocument(user)
  const said = applyPatch(silent, operations)
  return said.ok && 'active' in said.value
}
