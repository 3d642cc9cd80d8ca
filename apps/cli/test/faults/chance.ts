/** Chance that a seed decides, so that a run which found something can be run again. */

export type Chance = {
  /** From 0 to 1. */
  next(): number
  between(least: number, most: number): number
  one<T>(of: readonly T[]): T
  isOnce(inHowMany: number): boolean
  /** For an actor of its own: what it draws does not depend on what others draw meanwhile. */
  fork(name: string): Chance
}

/** mulberry32. */
export function aChance(seed: number): Chance {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    between: (least, most) => least + next() * (most - least),
    one: (of) => of[Math.floor(next() * of.length)] as never,
    isOnce: (inHowMany) => next() * inHowMany < 1,
    fork: (name) => aChance(Buffer.from(name).reduce((hash, octet) => Math.imul(hash ^ octet, 0x01000193), seed ^ 0x811c9dc5)),
  }
}
