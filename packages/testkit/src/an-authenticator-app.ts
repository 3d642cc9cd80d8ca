/** An authenticator app: what it would show at a moment for a key. Written apart from the product, so that both never share a mistake. RFC 6238 */
import { createHmac } from 'node:crypto'
import type { Instant } from '@drawbridge/core/instant'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

export function appShows(key: string, now: Instant): string {
  const bits = Array.from(key, (character) => alphabet.indexOf(character).toString(2).padStart(5, '0')).join('')
  const secret = Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)))
  const step = Buffer.alloc(8)
  step.writeBigUInt64BE(BigInt(Math.floor(now / 30_000)))
  const mac = createHmac('sha1', secret).update(step).digest()
  const at = (mac.at(-1) as number) & 15
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}
