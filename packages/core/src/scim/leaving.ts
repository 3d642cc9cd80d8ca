/**
 * Whether a request says of a person that she leaves, whatever else it says. Where it is refused for the rest, what she holds ends all the same: a directory
 * repeats what was refused, and is refused again, while she goes on (Okta sends the whole profile with `active`; a name may be taken, an e-mail not there).
 */
import { isList, isObject, type Json } from './json.js'
import { type PatchOperation, parsePatch } from './patch.js'
import { readValue } from './read-value.js'
import { userType } from './resource-type.js'

const active = userType.attributes.find(({ name }) => name === 'active')

const memberOf = (object: object, name: string): Json | undefined => Object.entries(object).find(([key]) => key.toLowerCase() === name)?.[1]

/** By a replacement. @spec RFC 7644 §3.5.1 */
export function leavesByReplacement(body: unknown): boolean {
  const given = isObject(body) ? memberOf(body, 'active') : undefined
  const read = given === undefined ? undefined : readValue(active, 'active', given)
  return read?.ok === true && read.value === false
}

/** By a change: its last word on `active` counts. @spec RFC 7644 §3.5.2 */
export function leavesByPatch(body: unknown): boolean {
  const operations = isObject(body) ? memberOf(body, 'operations') : undefined
  if (!isList(operations)) return false
  return operations.flatMap(wordsOn).at(-1) === false
}

/** What one operation says of `active`, though the rest of it cannot be read. */
function wordsOn(operation: Json): readonly (Json | undefined)[] {
  if (!isObject(operation)) return []
  const value = memberOf(operation, 'value')
  const pathless = isObject(value) ? { ...operation, value: only(value, 'active') } : operation
  const read = parsePatch(userType, { Operations: [pathless] })
  return read.ok ? read.value.filter(isOfActive).map((one) => one.value) : []
}

/** Entra writes keys with the schema in front. */
const only = (object: object, name: string) =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key.toLowerCase().split(':').at(-1) === name))

const isOfActive = ({ op, path }: PatchOperation): boolean =>
  op !== 'remove' && path.extension === undefined && path.attribute.definition?.name === 'active'
