/** Whose request this is, as far as our own proxies say. */
import type { IncomingMessage } from 'node:http'
import { isIP, isIPv6 } from 'node:net'
import { toWords } from '@drawbridge/runtime/special-use'

/**
 * The entry of X-Forwarded-For that the outermost of our own proxies wrote: the one that has as many behind it as there are proxies nearer to us.
 * Each of them adds one. Where there are fewer, or that one is no address, somebody came round a proxy: every entry may be his own, and from where
 * he asks nobody knows. With no proxies the header is whatever a stranger wrote and is not read.
 */
export function knownAddress(request: Pick<IncomingMessage, 'headers' | 'socket'>, trustedProxyHops: number): string | undefined {
  if (trustedProxyHops === 0) return request.socket.remoteAddress
  const entries = String(request.headers['x-forwarded-for'] ?? '').split(',')
  const [told = '', ...behind] = entries.slice(-trustedProxyHops).map((entry) => entry.trim())
  const isOfOurProxies = entries.length >= trustedProxyHops && behind.every((entry) => entry !== '')
  return isOfOurProxies ? addressIn(told) : undefined
}

/** Some proxies (Azure Application Gateway) write the caller's port behind the address. */
const withPort = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>[^:]+))(?::\d{1,5})?$/

function addressIn(entry: string): string | undefined {
  const { v4, v6 } = withPort.exec(entry)?.groups ?? {}
  if (v6 !== undefined) return isIPv6(v6) ? v6 : undefined
  const address = v4 ?? entry
  return isIP(address) !== 0 ? address : undefined
}

/** Whom a request is counted for and written down as: where nobody knows from where it comes, who brought it to us. */
export const clientAddress = (request: Pick<IncomingMessage, 'socket'>, known: string | undefined): string =>
  known ?? request.socket.remoteAddress ?? 'unknown'

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
