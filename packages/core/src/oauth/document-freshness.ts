/**
 * How long what was fetched for a client may be used without asking again: as HTTP says, within bounds of ours, which the draft leaves to us.
 *
 * Nothing is used for less than a minute, whatever it says: a sign-in reads the document at several steps, which should see one, and whoever begins
 * sign-ins must not have us fetch at each. Nor for more than a day. ADR 101
 */
import { addSeconds, type Instant, instant, secondsBetween } from '../instant.js'

/** `unsaidSeconds`: where neither Cache-Control nor Expires says anything. RFC 9111 §4.2.2 */
export const documentFreshness = { leastSeconds: 60, unsaidSeconds: 3600, mostSeconds: 86_400 } as const

/** By their names in small letters. */
export type ResponseHeaders = Readonly<Record<string, string | undefined>>

/**
 * @spec OAuth CIMD §4.3 the headers are respected, within bounds of the authorization server
 * @spec RFC 9111 §4.2 freshness, less the age of the answer when it came
 */
export function documentExpiresAt(headers: ResponseHeaders, now: Instant): Instant {
  const seconds = lifetimeOf(headers, now) - ageOf(headers, now)
  return addSeconds(now, Math.min(Math.max(seconds, documentFreshness.leastSeconds), documentFreshness.mostSeconds))
}

/**
 * Of a cache that all tenants share. `no-store` and `private` are answers that it should not have kept, `no-cache` one to ask about each time: all
 * of them lapse at once.
 *
 * @spec RFC 9111 §4.2.1 s-maxage before max-age before Expires; what contradicts itself or cannot be read is stale
 * @spec RFC 9111 §5.3 an Expires that is no date has passed
 */
function lifetimeOf(headers: ResponseHeaders, now: Instant): number {
  const directives = directivesOf(headers['cache-control'])
  if (['no-store', 'no-cache', 'private'].some((name) => directives.has(name))) return 0
  const told = directives.get('s-maxage') ?? directives.get('max-age')
  if (told !== undefined) return new Set(told).size === 1 ? (deltaSeconds(told[0]) ?? 0) : 0
  const expires = headers['expires']
  if (expires === undefined) return documentFreshness.unsaidSeconds
  const at = parseDate(expires)
  return at === undefined ? 0 : secondsBetween(parseDate(headers['date']) ?? now, at)
}

/** @spec RFC 9111 §4.2.3 the greater of what caches on the way counted and what the clocks say */
function ageOf(headers: ResponseHeaders, now: Instant): number {
  const date = parseDate(headers['date'])
  const apparent = date === undefined ? 0 : Math.max(0, secondsBetween(date, now))
  return Math.max(apparent, deltaSeconds(headers['age']?.trim()) ?? 0)
}

/** Names in small letters, each with every value that it has. RFC 9111 §5.2 */
function directivesOf(text = ''): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  for (const [, name = '', quoted, plain = ''] of text.matchAll(/([^\s,=;"]+)\s*(?:=\s*(?:"([^"]*)"|([^\s,"]*)))?/g)) {
    const key = name.toLowerCase()
    found.set(key, [...(found.get(key) ?? []), quoted ?? plain])
  }
  return found
}

const mostDeltaSeconds = 2 ** 31

/** @spec RFC 9111 §1.2.2 a larger number than can be held is the largest */
const deltaSeconds = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,20}$/.test(text) ? Math.min(Number(text), mostDeltaSeconds) : undefined

const httpDate =
  /^(?:[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]+, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/

/** @spec RFC 9110 §5.6.7 in each of its three forms, always in UTC */
function parseDate(text: string | undefined): Instant | undefined {
  const trimmed = text?.trim() ?? ''
  if (!httpDate.test(trimmed)) return undefined
  const at = Date.parse(trimmed.endsWith('GMT') ? trimmed : `${trimmed} GMT`)
  return Number.isNaN(at) ? undefined : instant(at)
}
