/**
 * What becomes of guaranteed work whose job came to nothing: when it is tried again, and when it is given up as a dead letter.
 *
 * A round is one hand-over to the queue, with all tries that the job table gives it there. Pauses between rounds double and are jittered, so that what
 * failed together does not come back together. The twelfth round is the last: by then the cause has lasted for most of an hour, and
 * trying on would only hide it.
 */

/** Rounds before an entry is dead. */
export const mostRounds = 12
export const firstPauseSeconds = 5
export const longestPauseSeconds = 600
/** Rounds that the queue may lose without a pause: its own restart, or a worker that was killed, is not the entry's fault. */
export const lossesWithoutPause = 2

/** `failed`: the job says why. `lost`: the queue knows nothing of it any more, or gave up a job that took its workers with it. */
export type RoundEnd = 'failed' | 'lost'
export type NextRound = { readonly kind: 'again'; readonly pauseSeconds: number } | { readonly kind: 'dead' }

/** `round`: which one ended, counted from 1, since the last replay. `chance`: from 0 to 1. */
export function decideNextRound(round: number, end: RoundEnd, chance: number): NextRound {
  if (round >= mostRounds) return { kind: 'dead' }
  if (end === 'lost' && round <= lossesWithoutPause) return { kind: 'again', pauseSeconds: 0 }
  const pause = Math.min(firstPauseSeconds * 2 ** (round - 1), longestPauseSeconds)
  return { kind: 'again', pauseSeconds: pause * (0.5 + chance) }
}
