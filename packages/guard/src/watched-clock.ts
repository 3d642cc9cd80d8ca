/**
 * The clock of this machine, watched. It may be set, and so go back: then what was forgotten by its time was forgotten too early, and what was heard
 * "a moment ago" may be long ago.
 *
 * It is compared with itself alone, when it is asked: at each request, each attempt to open a stream and each answer. So it does not
 * see that a clock stood still, that it was set back by what had passed since it was asked last (some 40 s where nobody else asks) and 30 s more, or that it
 * is set back by little again and again.
 */

/**
 * Clocks are corrected by less all the time. What is kept by time is kept for longer than this beyond its need: barriers, used proofs, and how long the
 * issuer waits for a guard. Only cached keys live so much longer.
 */
export const mostStepBackSeconds = 30

export type WatchedClock = {
  /** Whole seconds. Tells the listeners before it answers, if the clock is behind the latest time that it ever showed. */
  readonly nowSeconds: () => number
  readonly onWentBack: (listener: () => void) => void
}

export function watchClock(nowMs: () => number): WatchedClock {
  const listeners: (() => void)[] = []
  let latest = Number.NEGATIVE_INFINITY
  return {
    nowSeconds: () => {
      const now = Math.floor(nowMs() / 1000)
      const wentBack = now < latest - mostStepBackSeconds
      latest = wentBack ? now : Math.max(latest, now)
      if (wentBack) for (const tell of listeners) tell()
      return now
    },
    onWentBack: (listener) => void listeners.push(listener),
  }
}
