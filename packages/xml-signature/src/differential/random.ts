/** Chance that can be repeated: the same seed makes the same messages on every machine. */
export type Random = {
  /** 0 ≤ result < bound. */
  readonly below: (bound: number) => number
  readonly oneIn: (count: number) => boolean
  readonly pick: <T>(from: readonly T[]) => T
}

/** mulberry32: small, well mixed, and nothing secret depends on it. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return { below, oneIn: (count) => below(count) === 0, pick: (from) => from[below(from.length)] as (typeof from)[number] }
}
