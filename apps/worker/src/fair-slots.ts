/**
 * Who works next in this process. The queue hands jobs over in its own order; here each tenant gets a turn, and none all of the places:
 * jobs of one tenant that hang, or of which there are very many, leave places to the others.
 */
import { lanes } from '@drawbridge/core/outbox/share-out'

/** Jobs that run at a time in one worker. */
export const defaultPlaces = 8
/** Of them, places that one tenant never takes. */
export const placesForOthers = 2
/** Jobs that a worker holds, running or waiting for a place: more than any tenant may have in the queue, so that others are among them. */
export const heldJobs = (places: number): number => Object.values(lanes).reduce((sum, { share }) => sum + share, places)

export type Work = { readonly tenant: string; readonly yields: boolean }
export type FairSlots = { run<T>(work: Work, begin: () => Promise<T>): Promise<T> }

type Waiting = Work & { readonly start: () => void }

export function fairSlots(places: number): FairSlots {
  const mostOfOne = Math.max(1, places - placesForOthers)
  const running = new Map<string, number>()
  let runningInAll = 0
  const waiting: Waiting[] = []
  const runningOf = (tenant: string) => running.get(tenant) ?? 0

  /** The first of those that may: what does not yield before what does, and of these whose tenant has least running. */
  const takeNext = (): Waiting | undefined => {
    let best: number | undefined
    waiting.forEach((work, index) => {
      if (runningOf(work.tenant) >= mostOfOne) return
      const chosen = best === undefined ? undefined : waiting[best]
      const isBetter =
        chosen === undefined ||
        (chosen.yields && !work.yields) ||
        (chosen.yields === work.yields && runningOf(work.tenant) < runningOf(chosen.tenant))
      if (isBetter) best = index
    })
    return best === undefined ? undefined : waiting.splice(best, 1)[0]
  }
  const fill = (): void => {
    while (runningInAll < places) {
      const next = takeNext()
      if (next === undefined) return
      running.set(next.tenant, runningOf(next.tenant) + 1)
      runningInAll += 1
      next.start()
    }
  }
  const leave = (tenant: string): void => {
    runningInAll -= 1
    if (runningOf(tenant) <= 1) running.delete(tenant)
    else running.set(tenant, runningOf(tenant) - 1)
    fill()
  }
  return {
    run: async (work, begin) => {
      await new Promise<void>((start) => {
        waiting.push({ ...work, start })
        fill()
      })
      try {
        return await begin()
      } finally {
        leave(work.tenant)
      }
    },
  }
}
