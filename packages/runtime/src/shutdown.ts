/** Stops a process in order: first what takes in work, last what the work needs. */
import type { Log } from './log.js'

export type Stoppable = { readonly name: string; stop(): Promise<void> | void }

/** The whole shutdown; whoever is slower than its share is left behind, so that Ctrl-C always ends. */
export const shutdownTimeoutMs = 10_000

/** Stops everything, in the reverse order of starting. One that fails does not keep the others from stopping. */
export async function stopInOrder(started: readonly Stoppable[], log: Log, timeoutMs: number = shutdownTimeoutMs): Promise<void> {
  for (const part of [...started].reverse()) {
    try {
      await within(Promise.resolve(part.stop()), timeoutMs)
    } catch (cause) {
      log.warn({ part: part.name, cause: String(cause) }, 'did not stop cleanly')
    }
  }
}

/** Calls `stop` at the first SIGINT or SIGTERM; a second signal ends the process at once. */
export function onShutdownSignal(stop: (signal: NodeJS.Signals) => Promise<void>): () => void {
  let stopping = false
  const handle = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(130)
    stopping = true
    void stop(signal)
  }
  process.on('SIGINT', handle)
  process.on('SIGTERM', handle)
  return () => {
    process.off('SIGINT', handle)
    process.off('SIGTERM', handle)
  }
}

async function within(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
