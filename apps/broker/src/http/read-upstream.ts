/** What a tenant has stored of an upstream, as it may be used here. What may not be used admits nobody, and is told: nobody else would say so. */
import type { Result } from '@drawbridge/core/result'
import type { Settings } from '@drawbridge/runtime/env'
import type { Log } from '@drawbridge/runtime/log'
import type { Metrics } from '@drawbridge/runtime/metrics'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import { demandPublicAddresses, type Upstream } from '@drawbridge/upstream/public-addresses'

type Deps = { readonly settings: Pick<Settings, 'publicUrl'>; readonly log: Log; readonly metrics: Metrics }
type Which = { readonly id: string; readonly disabled: boolean }

export type ReadUpstream = <T extends Upstream>(which: Which, parsed: Result<T, UpstreamRefusal>) => Result<T, UpstreamRefusal>

/** One for each load of a tenant. A killed connection is told of by nobody: it is meant to admit nobody. */
export const upstreamReader =
  ({ settings, log, metrics }: Deps, slug: string): ReadUpstream =>
  ({ id, disabled }, parsed) => {
    const read = demandPublicAddresses(settings.publicUrl, parsed)
    if (!read.ok && !disabled) {
      const { reason, detail } = read.error
      metrics.count('drawbridge_unusable_upstreams_total', { reason })
      log.error({ tenant: slug, connectionId: id, reason, detail }, 'a connection or trust cannot be used, and admits nobody')
    }
    return read
  }
