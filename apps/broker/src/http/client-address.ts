/** Whose request this is, as far as our own proxies say. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

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

/** What a rate limit counts by. One subscriber holds a whole IPv6 /64, so its first four groups are the source. */
export function limitKey(address: string): string {
  if (isIP(address) !== 6 || address.startsWith('::ffff:')) return address
  const [head = ''] = address.split('::')
  return head.split(':').slice(0, 4).join(':')
}
