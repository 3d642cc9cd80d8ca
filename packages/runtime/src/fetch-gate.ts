/**
 * A bounded way out, for what strangers have us fetch: one thing of a host at a time, and so many hosts at once.
 *
 * A look-up holds a thread of the process for as long as name servers are silent: longer than any fetch waits for it, and nothing ends it. So
 * a place is free again only when the look-up is over, too. Whoever finds none free is told to come again, and waits for nobody.
 */
import { err, type Result } from '@drawbridge/core/result'
import type { Fetched, FetchOptions, FetchRefusal, FetchSafely } from './fetch-safely.js'

/** `busy`: nothing was fetched, and nobody was asked. */
export type GatedRefusal = FetchRefusal | { readonly reason: 'busy' }

export type FetchGate = {
  /** Whether there is a place for a fetch from there at this moment. */
  isOpenTo(url: string): boolean
  readonly fetch: (url: string, options: FetchOptions) => Promise<Result<Fetched, GatedRefusal>>
}

/** `places`: hosts that may be asked at once. */
export function createFetchGate(fetchSafely: FetchSafely, places: number): FetchGate {
  const taken = new Set<string>()
  const isOpenTo = (url: string): boolean => taken.size < places && !taken.has(hostOf(url))
  return {
    isOpenTo,
    fetch: async (url, options) => {
      if (!isOpenTo(url)) return err({ reason: 'busy' })
      const host = hostOf(url)
      taken.add(host)
      const place = { isFetching: true, isLookedUp: true }
      const leave = (): void => {
        if (!place.isFetching && place.isLookedUp) taken.delete(host)
      }
      const onLookup = (ended: Promise<unknown>): void => {
        place.isLookedUp = false
        const end = (): void => {
          place.isLookedUp = true
          leave()
        }
        ended.then(end, end)
      }
      try {
        return await fetchSafely(url, { ...options, onLookup })
      } finally {
        place.isFetching = false
        leave()
      }
    },
  }
}

/** Without port and closing dot: the same host with either is no other. What is no URL is asked nowhere. */
const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname.replace(/\.$/, '') : '')
