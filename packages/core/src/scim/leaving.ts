/**
 * Whether a request says of a person that she leaves, whatever else it says. Where it is refused for the rest, what she holds ends all the same: a directory
 * repeats what was refused, and is refused again, while she goes on (Okta sends the whole profile with `active`; a name may be taken, an e-mail not there).
 */
import { isObject, memberOf } from './json.js'
import { operationsOn } from './operations-on.js'
import { readValue } from './read-value.js'
import { userType } from './resource-type.js'

const active = userType.attributes.find(({ name }) => name === 'active')

/** By a replacement. @spec RFC 7644 §3.5.1 */
export function leavesByReplacement(body: unknown): boolean {
  const given = isObject(body) ? memberOf(body, 'active') : undefined
  const read = given === undefined ? undefined : readValue(active, 'active', given)
  return read?.ok === true && read.value === false
}

/** By a change: its last word on `active` counts. Whoever speaks of it more often than is read says that she leaves. @spec RFC 7644 §3.5.2 */
export function leavesByPatch(body: unknown): boolean {
  const operations = operationsOn(userType, 'active', body)
  return operations === undefined || operations.findLast(({ op }) => op !== 'remove')?.value === false
}
