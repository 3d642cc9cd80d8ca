/** Who may read the figures of a process: one rule for broker and worker, whatever address they bind. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Secret } from '@drawbridge/core/secret'
import { isLoopbackAddress } from './special-use.js'

export type MetricsAccess = { readonly metricsToken: Secret | undefined; readonly trustedProxyHops: number }
export type MetricsReader = { readonly authorization: string | undefined; readonly address: string }

/** With a token: whoever carries it. Without one: loopback, unless a proxy stands in front, for then every peer may look like it. */
export function mayReadMetrics({ metricsToken, trustedProxyHops }: MetricsAccess, reader: MetricsReader): boolean {
  if (!metricsToken) return trustedProxyHops === 0 && isLoopbackAddress(reader.address.replace(/^::ffff:/, ''))
  const given = /^Bearer (.+)$/i.exec(reader.authorization ?? '')?.[1]
  return given !== undefined && timingSafeEqual(digest(given), digest(metricsToken.reveal()))
}

/** Equal lengths, so that the comparison tells nothing of the token's. */
const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest()
