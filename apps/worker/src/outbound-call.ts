/** One call that must arrive, as it is made. */
import type { Result } from '@drawbridge/core/result'
import type { ClaimedDelivery } from '@drawbridge/store/deliveries'
import type { JobDeps } from './deps.js'

export type OutboundCall = { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: string }

/** Made at each try, so that nothing signed or secret rests anywhere. `no_longer_wanted`: whoever was to hear of it has gone. */
export type Prepare = (deps: JobDeps, delivery: ClaimedDelivery) => Promise<Result<OutboundCall, 'no_longer_wanted'>>
