/** When work that failed is tried again, and when nobody tries it any more. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decideNextRound, longestPauseSeconds, lossesWithoutPause, mostRounds } from './round.js'

const chance = fc.double({ min: 0, max: 1, noNaN: true })

it.each([
  [1, 'failed', 5],
  [2, 'failed', 10],
  [7, 'failed', 320],
  [8, 'failed', 600],
  [mostRounds - 1, 'failed', 600],
  [1, 'lost', 0],
  [lossesWithoutPause, 'lost', 0],
  [lossesWithoutPause + 1, 'lost', 20],
] as const)('after round %i that %s it pauses for %i seconds', (round, end, pauseSeconds) => {
  expect(decideNextRound(round, end, 0.5)).toEqual({ kind: 'again', pauseSeconds })
})

it('is dead after the last round, however it ended', () => {
  for (const end of ['failed', 'lost'] as const) expect(decideNextRound(mostRounds, end, 0.5)).toEqual({ kind: 'dead' })
})

it('pauses between half and one and a half of what is named, and never longer than the longest', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: mostRounds - 1 }), chance, (round, luck) => {
      const next = decideNextRound(round, 'failed', luck)
      const middle = decideNextRound(round, 'failed', 0.5)
      if (next.kind === 'dead' || middle.kind === 'dead') throw new Error('it lives')
      expect(next.pauseSeconds).toBeGreaterThanOrEqual(middle.pauseSeconds * 0.5)
      expect(next.pauseSeconds).toBeLessThanOrEqual(Math.min(middle.pauseSeconds, longestPauseSeconds) * 1.5)
    }),
  )
})
