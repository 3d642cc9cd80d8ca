/**
 * Values that are added to a list or removed from it. What a value says has to be a part of what one in the list says; most say a `value`, by which they are
 * found without a look at the others. What has to be looked at all the same is counted.
 */
import { scimLimits } from './error.js'
import { isObject, isPartOf, type Json, own } from './json.js'

/** Of one request: `scimLimits.comparisons` at most. */
export type Effort = { comparisons: number }

export const isSpent = ({ comparisons }: Effort): boolean => comparisons > scimLimits.comparisons

/** Counts them before they are made. False: they are too many, and none is made. */
export function mayCompare(effort: Effort, comparisons: number): boolean {
  effort.comparisons += comparisons
  return !isSpent(effort)
}

/** Without those that are there already. Once the effort is spent nothing is added any more, and the request is to be refused. */
export function withValues(list: readonly Json[], fresh: readonly Json[], effort: Effort): readonly Json[] {
  const all = [...list]
  const byKey = groupedByKey(list)
  for (const one of fresh) {
    const key = keyOf(one)
    const alike = key === undefined ? all : (byKey.get(key) ?? [])
    if (!mayCompare(effort, alike.length)) return all
    if (alike.some((item) => isPartOf(one, item))) continue
    all.push(one)
    put(byKey, one)
  }
  return all
}

export function withoutValues(list: readonly Json[], gone: readonly Json[], effort: Effort): readonly Json[] {
  const byKey = groupedByKey(gone)
  const anyOther = byKey.get(undefined) ?? []
  return list.filter((item) => {
    const key = keyOf(item)
    const alike = key === undefined ? [] : (byKey.get(key) ?? [])
    if (!mayCompare(effort, alike.length + anyOther.length)) return true
    const holds = (one: Json): boolean => isPartOf(one, item)
    return !alike.some(holds) && !anyOther.some(holds)
  })
}

type Key = string | number | boolean | undefined

/** What has one is a part only of what has the same. */
function keyOf(value: Json): Key {
  const said = isObject(value) ? own(value, 'value') : value
  return typeof said === 'string' || (!isObject(value) && (typeof said === 'number' || typeof said === 'boolean')) ? said : undefined
}

function groupedByKey(list: readonly Json[]): Map<Key, Json[]> {
  const byKey = new Map<Key, Json[]>()
  for (const one of list) put(byKey, one)
  return byKey
}

function put(byKey: Map<Key, Json[]>, one: Json): void {
  const key = keyOf(one)
  const held = byKey.get(key)
  if (held === undefined) byKey.set(key, [one])
  else held.push(one)
}
