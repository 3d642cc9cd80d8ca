/** Time, as an argument: the one place of the house that reads the wall clock. */
import { type Instant, instant } from '@drawbridge/core/instant'

export type Clock = { now(): Instant }

export const systemClock = (): Clock => ({ now: () => instant(Date.now()) })

/** A clock that is ahead of another by what `offsetMs` says now: how lab mode moves the time of every process. */
export const offsetClock = (clock: Clock, offsetMs: () => number): Clock => ({ now: () => instant(clock.now() + offsetMs()) })
