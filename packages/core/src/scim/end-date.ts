/** The day on which a directory says somebody's access ends: an attribute of its own choosing, because SCIM has none. */
import { type Instant, instant } from '../instant.js'
import { foldName, isObject, type Json, type JsonObject } from './json.js'

/** `unreadable`: it says something that is no date, which is neither an end nor that there is none. */
export type EndDate = Instant | 'none' | 'unreadable'

const day = /^\d{4}-\d{2}-\d{2}$/
const moment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/
const dayMilliseconds = 86_400_000

/** `path`: an attribute, or one behind the URN of an extension. A day without a time is her last: the end is that of the day, in UTC. */
export function readEndDate(document: JsonObject, path: string): EndDate {
  const colon = path.lastIndexOf(':')
  const holder = colon < 0 ? document : member(document, path.slice(0, colon))
  const value = member(holder, path.slice(colon + 1))
  if (value === undefined || value === null || value === '') return 'none'
  if (typeof value !== 'string' || !(day.test(value) || moment.test(value))) return 'unreadable'
  const at = Date.parse(value)
  if (!Number.isFinite(at)) return 'unreadable'
  return instant(day.test(value) ? at + dayMilliseconds : at)
}

/** Names of attributes in any case. @spec RFC 7643 §2.1 */
function member(holder: Json | undefined, name: string): Json | undefined {
  if (!isObject(holder)) return undefined
  return Object.entries(holder).find(([own]) => foldName(own) === foldName(name))?.[1]
}
