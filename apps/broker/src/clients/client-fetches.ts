/**
 * What a process has under way of all that clients have us fetch: documents, keys, sectors. Whoever has many names can keep as many fetches busy, for
 * as long as name servers may be silent; so clients that an admin vouches for have places of their own, and both together leave most threads to others.
 */
import { createFetchGate, type FetchGate } from '@drawbridge/runtime/fetch-gate'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'

export const clientFetchLimits = {
  /** Hosts that are asked at once in this process, for clients that nobody vouches for. */
  ofStrangers: 16,
  /** The same for clients that somebody vouches for. */
  ofVouchedFor: 16,
  /** For whoever finds all places taken, or the one of its host. */
  busyPauseSeconds: 1,
} as const

export type ClientFetches = { readonly ofStrangers: FetchGate; readonly ofVouchedFor: FetchGate }

/** One of what `make` makes for each way out, which a process has one of. */
export function ofWayOut<T>(make: (fetchSafely: FetchSafely) => T): (fetchSafely: FetchSafely) => T {
  const made = new WeakMap<FetchSafely, { readonly it: T }>()
  return (fetchSafely) => {
    const known = made.get(fetchSafely) ?? { it: make(fetchSafely) }
    made.set(fetchSafely, known)
    return known.it
  }
}

export const clientFetchesOf = ofWayOut(
  (fetchSafely): ClientFetches => ({
    ofStrangers: createFetchGate(fetchSafely, clientFetchLimits.ofStrangers),
    ofVouchedFor: createFetchGate(fetchSafely, clientFetchLimits.ofVouchedFor),
  }),
)
