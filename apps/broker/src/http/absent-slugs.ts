/**
 * Slugs that no tenant has, remembered for a moment, so that whoever asks for one over and over costs no query each time.
 *
 * Never longer than a known tenant is believed without a look, and forgotten whole at every hint that something was configured: a new
 * tenant must work at once in the process that made it. Bounded; who asks for ever new names pays for each with its rate limit.
 */
import type { Clock } from '@drawbridge/runtime/clock'

export type AbsentSlugs = {
  has(slug: string): boolean
  /** What was looked up before the last `forget` is not remembered: the tenant may have been made in between. */
  begin(): (slug: string) => void
  forget(): void
}

export function createAbsentSlugs(clock: Clock, limits: { readonly forMs: number; readonly most: number }): AbsentSlugs {
  let known = new Map<string, number>()
  return {
    has: (slug) => {
      const since = known.get(slug)
      return since !== undefined && Math.abs(clock.now() - since) < limits.forMs
    },
    begin: () => {
      const since = clock.now()
      const then = known
      return (slug) => {
        if (known !== then) return
        known.delete(slug)
        if (known.size >= limits.most) known.delete(known.keys().next().value as string)
        known.set(slug, since)
      }
    },
    forget: () => {
      known = new Map()
    },
  }
}
