/** From which country a request comes, as far as the operator's own proxy says. */
import type { IncomingMessage } from 'node:http'
import type { Settings } from '@drawbridge/runtime/env'

/** ISO 3166-1, and `XX`, by which proxies say that they do not know. */
const twoLetters = /^[A-Za-z]{2}$/
const nobodyKnows = 'XX'

/**
 * Believed on the same ground as the address: only where a proxy of the operator's own stands in front, and only in the header that the
 * operator named. Sent twice, or anything but two letters, it says nothing, and rules that need it are decided strictly.
 */
export function clientCountry(
  request: Pick<IncomingMessage, 'headers'>,
  { trustedProxyHops, countryHeader }: Pick<Settings, 'trustedProxyHops' | 'countryHeader'>,
): string | undefined {
  if (trustedProxyHops === 0 || countryHeader === undefined) return undefined
  const value = request.headers[countryHeader]
  const letters = typeof value === 'string' ? value.trim() : ''
  if (!twoLetters.test(letters)) return undefined
  const country = letters.toUpperCase()
  return country === nobodyKnows ? undefined : country
}
