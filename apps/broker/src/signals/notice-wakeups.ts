/**
 * Wakes long-polls when a notice is written for their resource.
 *
 * One listening connection per process, held only while somebody waits. A wake-up is a hint: whoever wakes looks into the table, and a
 * lost hint costs the rest of the poll's time at most, never a notice.
 */
import { type Listening, listen } from '@drawbridge/store/changes'
import type { Database } from '@drawbridge/store/database'

/** How long the connection is kept when nobody waits; two polls of one guard lie closer together. */
export const idleListenMs = 2000

export type Waiting = { readonly woken: Promise<void>; cancel(): void }
type Wakeups = { wait(resourceId: string, forMs: number): Promise<Waiting>; endAll(): void }

const byDatabase = new WeakMap<Database, Wakeups>()

function createWakeups(database: Database): Wakeups {
  const waiters = new Map<() => void, string>()
  let listening: Promise<Listening> | undefined
  let idle: NodeJS.Timeout | undefined
  let isEnded = false

  const wake = (resourceId?: string) => {
    for (const [resolve, id] of waiters) if (resourceId === undefined || id === resourceId) resolve()
  }
  const stopListening = () => {
    const closing = listening
    listening = undefined
    closing?.then((connection) => connection.close()).catch(() => {})
  }
  const stopWhenIdle = () => {
    if (waiters.size === 0) stopListening()
  }
  const ensureListening = async (): Promise<void> => {
    clearTimeout(idle)
    listening ??= listen(database, {
      channels: ['drawbridge_notices'],
      onChange: ({ payload }) => wake(payload),
      onGap: () => wake(),
    })
    try {
      await listening
    } catch (error) {
      listening = undefined
      throw error
    }
  }
  const leave = (resolve: () => void) => {
    waiters.delete(resolve)
    if (waiters.size > 0) return
    clearTimeout(idle)
    idle = setTimeout(stopWhenIdle, isEnded ? 0 : idleListenMs)
    idle.unref()
  }
  return {
    wait: async (resourceId, forMs) => {
      await ensureListening()
      let finish: () => void = () => {}
      let timer: NodeJS.Timeout | undefined
      const woken = new Promise<void>((resolve) => {
        finish = () => {
          clearTimeout(timer)
          resolve()
          leave(finish)
        }
      })
      waiters.set(finish, resourceId)
      timer = setTimeout(finish, isEnded ? 0 : forMs)
      return { woken, cancel: finish }
    },
    endAll: () => {
      isEnded = true
      wake()
      stopWhenIdle()
    },
  }
}

function wakeupsOf(database: Database): Wakeups {
  const known = byDatabase.get(database)
  if (known !== undefined) return known
  const made = createWakeups(database)
  byDatabase.set(database, made)
  return made
}

/** Begins to wait for a notice of this resource. Look into the table after this resolves and before awaiting `woken`: no gap then. */
export const waitForNotice = (database: Database, resourceId: string, forMs: number): Promise<Waiting> =>
  wakeupsOf(database).wait(resourceId, forMs)

/** Ends every waiting poll at once, so that a process can stop. */
export const endWaitingPolls = (database: Database): void => byDatabase.get(database)?.endAll()
