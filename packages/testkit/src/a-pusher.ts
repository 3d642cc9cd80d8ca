/** The worker's pushing, by hand or at work by itself, beside a broker of another test. */
import { claimPushes, type Pushing, startPushing } from '@drawbridge/worker/push-events'
import { type PushDeps, pushStream } from '@drawbridge/worker/push-stream'

export type { PushDeps }

/** Pushes whatever is due, once; answers how many streams that were. */
export async function pushOnce(deps: PushDeps, most = 100): Promise<number> {
  const claimed = await claimPushes(deps, most)
  for (const push of claimed) await pushStream(deps, push, () => false)
  return claimed.length
}

export const pushing = (deps: PushDeps): Promise<Pushing> => startPushing(deps)
