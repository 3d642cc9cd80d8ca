/** When metadata is looked at next: spread by chance, so that ten thousand connections made in one hour are never fetched in one minute. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { Random } from '@drawbridge/crypto/random'

export const refreshSeconds = 6 * 3600
export const firstPauseSeconds = 15 * 60
export const longestPauseSeconds = 24 * 3600
/** A signature that does not verify brings the next look forward, at most once in this time. */
export const askAgainSeconds = 15 * 60
/** A pause is between these parts of its length. */
const spread = { from: 0.75, width: 0.5 } as const

/** `failures` in a row double the pause; `chance` is between 0 and 1. */
export function nextLookAt(now: Instant, failures: number, chance: number): Instant {
  const seconds = failures === 0 ? refreshSeconds : Math.min(longestPauseSeconds, firstPauseSeconds * 2 ** (failures - 1))
  return addSeconds(now, Math.round(seconds * (spread.from + spread.width * chance)))
}

export const drawChance = (random: Random): number => random.bytes(4).readUInt32BE() / 2 ** 32
