/**
 * Who may have one of few places next, where many ask for them: none has more than its share, and those who wait take turns, one of each in a circle.
 *
 * Without this, whoever asks most has all of them: a pool serves whoever came first, and a tenant that sends a thousand requests at once came first
 * a thousand times. It counts in one process; several have a share each.
 */

export type TurnLimits = {
  readonly places: number
  /** Places that one may have at the same time. */
  readonly share: number
  /** Of one, beyond those who have a place. Whoever comes then is refused at once. */
  readonly mostWaiting: number
  readonly waitMs: number
  /** What is told to whoever has its share already. */
  readonly busy: Exclude<Busy, 'connections_busy'>
}

/** `connections_busy`: all places were taken by others. Else: it had its share, or too many of its own waited. */
export type Busy = 'tenant_busy' | 'directory_busy' | 'connections_busy'

/** Gives the place back; a second call does nothing. */
export type Leave = () => void

type Waiting = {
  /** For less than `waitMs`. */
  readonly atMostMs?: number
  /** Whether `letPass` is for it, too. */
  readonly mayPass?: boolean
}

export type Turns = {
  /** Waits for a place. Throws a fault that `busyBy` knows. */
  take(of: string, how?: Waiting): Promise<Leave>
  /** Whether anybody of this one has a place, or waits for one. */
  hasAny(of: string): boolean
  /** So many of those who may, or fewer, go on at once and without a place. Answers how many; each calls `left` when it leaves. */
  letPass(of: string, many: number, left: () => void): number
}

const busyCode = 'DRAWBRIDGE_BUSY'

export const busyFault = (busy: Busy): Error => Object.assign(new Error(`no turn in time: ${busy}`), { code: busyCode, busy })

/** What had no time for it, if that is what this fault is: nothing was done, and whoever asked may ask again. */
export function busyBy(cause: unknown): Busy | undefined {
  if (!(cause instanceof Error)) return undefined
  const { code, busy } = cause as { readonly code?: unknown; readonly busy?: Busy }
  return code === busyCode ? busy : undefined
}

type Waiter = { readonly mayPass: boolean; readonly go: (leave: Leave) => void; readonly timer: NodeJS.Timeout }

function once(leave: Leave): Leave {
  let isOver = false
  return () => {
    if (isOver) return
    isOver = true
    leave()
  }
}

export function createTurns({ places, share, mostWaiting, waitMs, busy }: TurnLimits): Turns {
  const taken = new Map<string, number>()
  /** In the order of the circle: whoever was served last stands last. Nobody is in it for whom nobody waits. */
  const waiting = new Map<string, Waiter[]>()
  let free = places

  const hasShare = (of: string): boolean => (taken.get(of) ?? 0) >= share

  function occupy(of: string): Leave {
    free -= 1
    taken.set(of, (taken.get(of) ?? 0) + 1)
    return once(() => {
      free += 1
      const left = (taken.get(of) ?? 1) - 1
      if (left === 0) taken.delete(of)
      else taken.set(of, left)
      serveNext()
    })
  }

  /** At most `places / share` of those who wait have their share, so few are passed over. */
  function serveNext(): void {
    for (const [of, queue] of waiting) {
      if (free === 0) return
      if (hasShare(of)) continue
      const next = queue.shift()
      waiting.delete(of)
      if (queue.length > 0) waiting.set(of, queue)
      if (next === undefined) continue
      clearTimeout(next.timer)
      next.go(occupy(of))
    }
  }

  function withdraw(of: string, waiter: Waiter): void {
    const queue = (waiting.get(of) ?? []).filter((one) => one !== waiter)
    if (queue.length === 0) waiting.delete(of)
    else waiting.set(of, queue)
  }

  function giveUp(of: string, waiter: Waiter, reject: (error: Error) => void): void {
    withdraw(of, waiter)
    reject(busyFault(hasShare(of) ? busy : 'connections_busy'))
  }

  return {
    hasAny: (of) => taken.has(of) || waiting.has(of),
    letPass: (of, many, left) => {
      const queue = waiting.get(of) ?? []
      const passing = queue.filter(({ mayPass }) => mayPass).slice(0, many)
      for (const one of passing) {
        withdraw(of, one)
        clearTimeout(one.timer)
        one.go(once(left))
      }
      return passing.length
    },
    take: async (of, { atMostMs = waitMs, mayPass = false } = {}) => {
      const queue = waiting.get(of) ?? []
      if (free > 0 && !hasShare(of) && queue.length === 0) return occupy(of)
      if (queue.length >= mostWaiting) throw busyFault(busy)
      return new Promise<Leave>((go, reject) => {
        const waiter: Waiter = { mayPass, go, timer: setTimeout(() => giveUp(of, waiter, reject), Math.min(waitMs, atMostMs)) }
        queue.push(waiter)
        waiting.set(of, queue)
      })
    },
  }
}

/** Runs `run` in a place of its own. */
export async function inTurn<T>(turns: Turns, of: string, run: () => Promise<T>): Promise<T> {
  const leave = await turns.take(of)
  try {
    return await run()
  } finally {
    leave()
  }
}
