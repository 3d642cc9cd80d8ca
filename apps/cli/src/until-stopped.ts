/** Keeps a command running until it is told to stop, then stops its parts in the reverse order of starting. */
import type { Log } from '@drawbridge/runtime/log'
import { onShutdownSignal, type Stoppable, stopInOrder } from '@drawbridge/runtime/shutdown'

export function untilStopped(parts: readonly Stoppable[], log: Log, onStopping: () => void = () => undefined): Promise<number> {
  return new Promise((resolve) => {
    onShutdownSignal(async () => {
      onStopping()
      await stopInOrder(parts, log)
      resolve(0)
    })
  })
}

/** Starts parts one after the other; if one fails, those already started are stopped before the fault goes on. */
export async function startParts<T>(log: Log, run: (parts: Stoppable[]) => Promise<T>): Promise<T> {
  const parts: Stoppable[] = []
  try {
    return await run(parts)
  } catch (error) {
    await stopInOrder(parts, log)
    throw error
  }
}
