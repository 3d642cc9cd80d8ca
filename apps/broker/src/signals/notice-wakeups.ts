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

/** Who waits for which resource, and the connection that listens for them; changed only by the functions below. */
type Wakeups = {
  readonly database: Database
  /** What ends the wait → the resource that it is for. */
  readonly waiters: Map<() => void, string>
  listening: Promise<Listening> | undefined
  idle: NodeJS.Timeout | undefined
  isEnded: boolean
}

const byDatabase = new WeakMap<Database, Wakeups>()

function wakeupsOf(database: Database): Wakeups {
  const known = byDatabase.get(database)
  if (known !== undefined) return known
  const made: Wakeups = { database, waiters: new Map(), listening: undefined, idle: undefined, isEnded: false }
  byDatabase.set(database, made)
  return made
}

function wake({ waiters }: Wakeups, resourceId?: string): void {
  for (const [finish, id] of waiters) if (resourceId === undefined || id === resourceId) finish()
}

async function ensureListening(wakeups: Wakeups): Promise<void> {
  clearTimeout(wakeups.idle)
  wakeups.listening ??= listen(wakeups.database, {
    channels: ['drawbridge_notices'],
    onChange: ({ payload }) => wake(wakeups, payload),
    onGap: () => wake(wakeups),
  })
  try {
    await wakeups.listening
  } catch (error) {
    wakeups.listening = undefined
    throw error
  }
}

function stopWhenIdle(wakeups: Wakeups): void {
  if (wakeups.waiters.size > 0) return
  const closing = wakeups.listening
  wakeups.listening = undefined
  closing?.then((connection) => connection.close()).catch(() => {})
}

function leave(wakeups: Wakeups, finish: () => void): void {
  wakeups.waiters.delete(finish)
  if (wakeups.waiters.size > 0) return
  clearTimeout(wakeups.idle)
  wakeups.idle = setTimeout(() => stopWhenIdle(wakeups), wakeups.isEnded ? 0 : idleListenMs)
  wakeups.idle.unref()
}

function startWaiting(wakeups: Wakeups, resourceId: string, forMs: number): Waiting {
  let finish: () => void = () => {}
  let timer: NodeJS.Timeout | undefined
  const woken = new Promise<void>((resolve) => {
    finish = () => {
      clearTimeout(timer)
      resolve()
      leave(wakeups, finish)
    }
  })
  wakeups.waiters.set(finish, resourceId)
  timer = setTimeout(finish, wakeups.isEnded ? 0 : forMs)
  return { woken, cancel: finish }
}

/** Begins to wait for a notice of this resource. Look into the table after this resolves and before awaiting `woken`: no gap then. */
export async function waitForNotice(database: Database, resourceId: string, forMs: number): Promise<Waiting> {
  const wakeups = wakeupsOf(database)
  await ensureListening(wakeups)
  return startWaiting(wakeups, resourceId, forMs)
}

/** Ends every waiting poll at once, so that a process can stop. */
export function endWaitingPolls(database: Database): void {
  const wakeups = byDatabase.get(database)
  if (wakeups === undefined) return
  wakeups.isEnded = true
  wake(wakeups)
  stopWhenIdle(wakeups)
}
