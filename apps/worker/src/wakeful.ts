/** Work that begins when somebody wakes it, and every so often in case nobody could. */
import type { Log } from '@drawbridge/runtime/log'

export type Wakeful = {
  /** Stands alone: whoever listens is handed it. */
  readonly wake: () => void
  /** Ends after what is under way. */
  stop(): Promise<void>
}
export type WakefulWork = {
  readonly everyMs: number
  /** Said where it throws; it is tried again when it is woken next. */
  readonly trouble: string
  readonly run: () => Promise<void>
}

/** Never twice at once: who wakes it meanwhile has it run once more. It begins at once. */
export function keepAwake({ log }: { readonly log: Log }, { everyMs, trouble, run }: WakefulWork): Wakeful {
  let isStopped = false
  let isWanted = false
  let isWorking = false
  let working = Promise.resolve()
  const work = async (): Promise<void> => {
    isWorking = true
    while (isWanted && !isStopped) {
      isWanted = false
      try {
        await run()
      } catch (error) {
        log.warn({ cause: error instanceof Error ? error.message : String(error) }, trouble)
      }
    }
    isWorking = false
  }
  const wake = (): void => {
    isWanted = true
    if (!isStopped && !isWorking) working = work()
  }
  const timer = setInterval(wake, everyMs)
  wake()
  return {
    wake,
    stop: async () => {
      isStopped = true
      clearInterval(timer)
      await working
    },
  }
}
