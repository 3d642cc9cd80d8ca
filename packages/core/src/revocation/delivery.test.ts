import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addSeconds, instant } from '../instant.js'
import { deliveryKinds, deliveryLimits, isGivenUp, judgeTry, pauseSeconds } from './delivery.js'

const now = instant(Date.UTC(2026, 10, 29))

test.each([
  { given: { status: 200 }, is: 'delivered' },
  { given: { status: 204 }, is: 'delivered' },
  { given: { status: 304 }, is: 'message' },
  { given: { status: 400 }, is: 'message' },
  { given: { status: 404 }, is: 'message' },
  { given: { status: 410 }, is: 'message' },
  { given: { status: 408 }, is: 'destination' },
  { given: { status: 425 }, is: 'destination' },
  { given: { status: 429 }, is: 'destination' },
  { given: { status: 500 }, is: 'destination' },
  { given: { status: 503 }, is: 'destination' },
  { given: { trouble: 'timed_out' }, is: 'destination' },
  { given: { trouble: 'scheme_refused' }, is: 'hopeless' },
  { given: { trouble: 'no_longer_wanted' }, is: 'hopeless' },
])('$given is $is', ({ given, is }) => {
  for (const kind of deliveryKinds) {
    const verdict = judgeTry(given, kind)
    expect(verdict.kind === 'failed' ? verdict.whose : verdict.kind).toBe(kind === 'webhook' && given.status === 410 ? 'gone' : is)
  }
})

test.each(['destination', 'message'] as const)(
  'a pause of a %s doubles up to the longest, and chance takes at most half of it away',
  (whose) => {
    const longest = deliveryLimits.longestPauseSeconds[whose]
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, chance) => {
          const pause = pauseSeconds(whose, failures, chance)
          expect(pause).toBeGreaterThanOrEqual(deliveryLimits.firstPauseSeconds / 2)
          expect(pause).toBeLessThanOrEqual(longest)
          expect(pauseSeconds(whose, failures + 1, chance)).toBeGreaterThanOrEqual(pause)
        },
      ),
    )
    expect([1, 2, 3, 99].map((failures) => pauseSeconds(whose, failures, 0))).toEqual([1, 2, 4, longest / 2])
  },
)

test('a message is given up when it is too old', () => {
  const begunAt = addSeconds(now, -deliveryLimits.ageSeconds)
  expect(isGivenUp(addSeconds(begunAt, 1), now)).toBe(false)
  expect(isGivenUp(begunAt, now)).toBe(true)
})

test('the limits leave room for each other', () => {
  const { slots, perTenant, perOrigin, perDestination, timeoutSeconds, leaseSeconds } = deliveryLimits
  expect([perTenant, perOrigin, perDestination].every((share) => share < slots)).toBe(true)
  expect(perDestination).toBeLessThan(perTenant)
  expect(perTenant).toBeLessThan(perOrigin)
  expect(timeoutSeconds).toBeLessThan(leaseSeconds)
})
