/** Where two values of JSON differ, member by member: what an admin reads before anything is written. */
import { pathText } from '@drawbridge/core/placed-yaml'

/** `undefined`: it is not there. */
export type Difference = { readonly path: string; readonly from: unknown; readonly to: unknown }

export function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (Array.isArray(one) || Array.isArray(other))
    return (
      Array.isArray(one) && Array.isArray(other) && one.length === other.length && one.every((each, index) => isSame(each, other[index]))
    )
  if (!isObject(one) || !isObject(other)) return false
  const members = Object.keys(one)
  return (
    members.length === Object.keys(other).length &&
    members.every((member) => Object.hasOwn(other, member) && isSame(one[member], other[member]))
  )
}

/** Lists are shown whole: which items moved is seen better than told. */
export function differencesOf(from: unknown, to: unknown, path: readonly string[] = []): readonly Difference[] {
  if (isSame(from, to)) return []
  if (!isObject(from) || !isObject(to)) return [{ path: pathText(path), from, to }]
  const members = [...new Set([...Object.keys(from), ...Object.keys(to)])].toSorted()
  return members.flatMap((member) => differencesOf(own(from, member), own(to, member), [...path, member]))
}

const own = (value: Readonly<Record<string, unknown>>, member: string): unknown =>
  Object.hasOwn(value, member) ? value[member] : undefined
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
