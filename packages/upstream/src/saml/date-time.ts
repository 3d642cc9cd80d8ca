/** xs:dateTime as SAML writes it. */
import { type Instant, instant } from '@drawbridge/core/instant'

const pattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z$/

/**
 * Undefined for anything that is no real moment (month 13, 30 February). Only UTC with `Z` is read.
 *
 * @spec SAML Core §1.3.3 values are expressed in UTC form, with no time zone component other than Z
 */
export function parseDateTime(written: string): Instant | undefined {
  const match = pattern.exec(written.trim())
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number]
  const milliseconds = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3))
  const at = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds)
  const back = new Date(at)
  const isReal = back.getUTCMonth() === month - 1 && back.getUTCDate() === day && back.getUTCHours() === hour && second < 60 && minute < 60
  return isReal && year >= 1970 ? instant(at) : undefined
}

export const formatDateTime = (at: Instant): string => new Date(at).toISOString()
