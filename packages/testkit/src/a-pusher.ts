/** The worker's pushing, by hand or at work by itself, beside a broker of another test. */
import { type ListeningForWork, listenForWork } from '@drawbridge/worker/listen-for-work'
import { claimPushes, startPushing } from '@drawbridge/worker/push-events'
import { type PushDeps, pushStream } from '@drawbridge/worker/push-stream'

export type { PushDeps }

/** Pushes whatever is due, once; answers how many streams that were. */
export async function pushOnce(deps: PushDeps, most = 100): Promise<number> {
  const claimed = await claimPushes(deps, most)
  for (const push of claimed) await pushStream(deps, push, () => false)
  return claimed.length
}

export async function pushing(deps: PushDeps): Promise<ListeningForWork> {
  const worker = startPushing(deps)
  const listening = await listenForWork(deps.database, { drawbridge_notices: worker.wake })
  return {
    isListening: listening.isListening,
    stop: async () => {
      await listening.stop()
      await worker.stop()
    },
  }
}
