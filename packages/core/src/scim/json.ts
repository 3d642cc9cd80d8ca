/** JSON as SCIM sees it: names of attributes in any case, and equality that does not depend on the order of members. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }
export type JsonObject = { readonly [name: string]: Json }

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
export const isList = (value: unknown): value is readonly Json[] => Array.isArray(value)

/** Names of attributes are ASCII, and the same in any case: RFC 7643 §2.1. No other letter is folded, so that PostgreSQL folds alike. */
export const foldName = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

/** An own member, exactly so named: `constructor` is an ordinary missing name. */
export const own = (object: JsonObject, name: string): Json | undefined => (Object.hasOwn(object, name) ? object[name] : undefined)

/** A member of a message, whose names are written in any case, too. `name` is in small letters. */
export function memberOf(object: JsonObject, name: string): Json | undefined {
  const key = Object.keys(object).find((one) => one.toLowerCase() === name)
  return key === undefined ? undefined : object[key]
}

/** How an object spells a name; the name itself where it has no such member. */
export const spellingIn = (object: JsonObject, name: string): string =>
  Object.hasOwn(object, name) ? name : (Object.keys(object).find((key) => foldName(key) === foldName(name)) ?? name)

/** RFC 7643 §2.5: null, an empty list and an object without members all mean "not set". */
export const isUnset = (value: Json | undefined): value is undefined =>
  value === undefined || value === null || (isList(value) ? value.every(isUnset) : isObject(value) && Object.values(value).every(isUnset))

/** Sets or removes a member; what means "not set" is removed. */
export function withMember(object: JsonObject, name: string, value: Json | undefined): JsonObject {
  if (!isUnset(value)) return { ...object, [name]: value }
  return Object.hasOwn(object, name) ? Object.fromEntries(Object.entries(object).filter(([key]) => key !== name)) : object
}

export function sameJson(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true
  if (isList(one)) return isList(other) && one.length === other.length && one.every((item, at) => sameJson(item, other[at]))
  if (!isObject(one) || !isObject(other)) return false
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => Object.hasOwn(other, name) && sameJson(one[name], other[name]))
}

/** Every member of `part` is in `whole`, with the same value; a part that says nothing is part of nothing. */
export function isPartOf(part: Json, whole: Json): boolean {
  if (!isObject(part)) return sameJson(part, whole)
  const names = Object.keys(part)
  return isObject(whole) && names.length > 0 && names.every((name) => sameJson(own(part, name), own(whole, name)))
}

/** Whether it is about as short in JSON. Looks no further than that. */
export const isWithin = (value: Json, characters: number): boolean => roomAfter(value, characters) >= 0

/** What is left of so many characters; below zero, where they are too few. */
function roomAfter(value: Json, room: number): number {
  if (typeof value === 'string') return room - value.length - 2
  if (typeof value !== 'object' || value === null) return room - 4
  let left = room - 2
  const take = (inner: Json, more: number): boolean => {
    left = roomAfter(inner, left - more)
    return left >= 0
  }
  if (isList(value)) value.every((inner) => take(inner, 1))
  else Object.entries(value).every(([name, inner]) => take(inner, name.length + 4))
  return left
}
