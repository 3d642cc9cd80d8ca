/** A point in time as the rules see it: whole milliseconds since 1970, always passed in, never read from a clock in here. */
import type { Brand } from './brand.js'

export type Instant = Brand<number, 'Instant'>

export const instant = (milliseconds: number): Instant => Math.trunc(milliseconds) as Instant
export const fromSeconds = (seconds: number): Instant => instant(seconds * 1000)
/** Whole seconds since 1970, rounded down: RFC 7519 §2 NumericDate. */
export const toSeconds = (at: Instant): number => Math.floor(at / 1000)
export const addSeconds = (at: Instant, seconds: number): Instant => instant(at + seconds * 1000)
/** Seconds from `from` until `to`, rounded down; negative when `to` has passed. */
export const secondsBetween = (from: Instant, to: Instant): number => Math.floor((to - from) / 1000)
