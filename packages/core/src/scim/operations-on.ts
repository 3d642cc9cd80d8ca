/**
 * What a PATCH that is refused says of one attribute, each part of it read by itself: what one part says counts though another cannot be read.
 *
 * It is read beyond `scimLimits.operations`, too: whoever is to leave is not let stay because many are. But not beyond `scimLimits.refusedOperations`.
 */
import { scimLimits } from './error.js'
import { isList, isObject, type Json, memberOf } from './json.js'
import { isBeyondLimits } from './parse-filter.js'
import { type PatchOperation, parseOperation } from './patch.js'
import { fromText } from './read-value.js'
import type { ResourceType } from './resource-type.js'

/**
 * `name`: of an attribute of the core schema, in small letters. Undefined: it says more of it than is read, and whoever asks must think the worst. So does a removal
 * by a filter that is beyond its limits: it means somebody, and nobody knows whom.
 */
export function operationsOn(type: ResourceType, name: string, body: unknown): readonly PatchOperation[] | undefined {
  const list = isObject(body) ? memberOf(body, 'operations') : undefined
  const operations: PatchOperation[] = []
  let parts = 0
  for (const one of isList(list) ? list : [])
    for (const part of partsOf(one, name)) {
      parts += 1
      if (parts > scimLimits.refusedOperations) return undefined
      const read = parseOperation(type, part)
      if (!read.ok && isBeyondLimits(read.error) && takesMembers(name, part)) return undefined
      if (read.ok) operations.push(...read.value.filter(({ path }) => path.extension === undefined && path.attribute.name === name))
    }
  return operations
}

/** Of a part that could not be read: whether it takes members out, or puts others in their place. Of `active` such a part says nothing. */
function takesMembers(name: string, part: Json): boolean {
  if (!isObject(part) || name !== 'members') return false
  const [op, path, value] = ['op', 'path', 'value'].map((each) => memberOf(part, each))
  const where = typeof path === 'string' && path !== '' ? path : Object.keys(isObject(value) ? value : {})[0]
  return typeof op === 'string' && /^(?:remove|replace)$/i.test(op) && where !== undefined && membersWhere.test(where)
}
const membersWhere = /^\s*(?:urn:ietf:params:scim:schemas:core:2\.0:Group:)?members\s*\[.*\]\s*$/is

/** An object without a path says something by each of its keys; Entra writes those with the schema in front. */
function partsOf(operation: Json, name: string): readonly Json[] {
  if (!isObject(operation)) return []
  const mentions = (path: Json): boolean => typeof path === 'string' && path.toLowerCase().includes(name)
  const path = memberOf(operation, 'path')
  if (path !== undefined && path !== null && path !== '') return mentions(path) ? [operation] : []
  const value = fromText(memberOf(operation, 'value') ?? null)
  if (!isObject(value)) return []
  const op = memberOf(operation, 'op') ?? null
  const keys = Object.keys(value).filter(mentions)
  return keys.map((key) => ({ op, value: { [key]: value[key] as Json } }))
}
