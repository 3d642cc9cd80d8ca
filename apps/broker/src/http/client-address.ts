/** Whose request this is, as far as our own proxies say. */
import type { IncomingMessage } from 'node:http'
import { isIP, isIPv6 } from 'node:net'
import { toWords } from '@drawbridge/runtime/special-use'

/**
 * Believes as many entries of X-Forwarded-For, from the right, as there are proxies of our own. With none, the header is
 * whatever a stranger wrote and is not read.
 */
export function clientAddress(request: IncomingMessage, trustedProxyHops: number): string {
  const peer = request.socket.remoteAddress ?? 'unknown'
  if (trustedProxyHops === 0) return peer
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const claimed = forwarded[Math.max(0, forwarded.length - trustedProxyHops)]
  return claimed !== undefined && isIP(claimed) !== 0 ? claimed : peer
}

/**
 * Whom an address is counted as. One customer holds at least a /64 of IPv6 and may send from any address in it, so all of them are one;
 * an IPv4 address inside an IPv6 one is itself.
 */
export function limitKey(address: string): string {
  const words = isIPv6(address) ? toWords(address.replace(/%.*$/, '')) : undefined
  if (!words) return address
  const isMapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff
  if (!isMapped) return words.slice(0, 4).join(':')
  return [6, 7].flatMap((at) => [(words[at] as number) >> 8, (words[at] as number) & 255]).join('.')
}
