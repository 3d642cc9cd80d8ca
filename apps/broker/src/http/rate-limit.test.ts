/** A process keeps so many buckets of each limit: who brings more of them than that resets none that says something. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createRateLimiter, rateLimits } from './rate-limit.js'

const most = 40
/** Of `register` at the most, by each address of a flood. */
const depth = 3
const companies = ['acme', 'globex']
const neighbours = ['192.0.2.1', '192.0.2.2', '192.0.2.3']

const step = fc.oneof(
  fc.record({ neighbour: fc.constantFrom(...neighbours), times: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ company: fc.constantFrom(...companies), times: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ strangers: fc.integer({ min: 1, max: 3 * most }), times: fc.integer({ min: 1, max: depth }) }),
  fc.record({ seconds: fc.integer({ min: 0, max: 30 }) }),
)

it('a flood of addresses takes nothing from the count of a company, and from that of another address no more than each of them spent itself', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let now: Instant = instant(Date.UTC(2026, 10, 29))
      const bounded = createRateLimiter({ now: () => now }, 1, most)
      const unbounded = createRateLimiter({ now: () => now }, 1, Number.POSITIVE_INFINITY)
      const excess = new Map(neighbours.map((of) => [of, 0]))
      let [floods, strangers] = [0, 0]
      for (const each of steps) {
        if ('seconds' in each) now = addSeconds(now, each.seconds)
        else if ('strangers' in each) {
          floods += 1
          for (let index = 0; index < each.strangers; index += 1) {
            const of = `stranger ${(strangers += 1)}`
            for (let time = 0; time < each.times; time += 1) bounded.take('register', of)
          }
        } else if ('company' in each)
          for (let time = 0; time < each.times; time += 1)
            expect(bounded.take('tenant_register', each.company)).toEqual(unbounded.take('tenant_register', each.company))
        else
          for (let time = 0; time < each.times; time += 1) {
            const passed =
              Number(bounded.take('register', each.neighbour).allowed) - Number(unbounded.take('register', each.neighbour).allowed)
            excess.set(each.neighbour, (excess.get(each.neighbour) ?? 0) + passed)
          }
      }
      for (const more of excess.values()) expect(more).toBeLessThanOrEqual(depth * floods)
    }),
    { numRuns: 200 },
  )
})

it('who has none left has none after a flood of as many addresses as a process remembers', () => {
  const now = instant(Date.UTC(2026, 10, 29))
  const limiter = createRateLimiter({ now: () => now })
  const spend = (of: string, times: number) =>
    Array.from({ length: times }, () => limiter.take('register', of)).filter(({ allowed }) => allowed).length
  expect(spend('192.0.2.1', 100)).toBe(rateLimits.register.burst)
  for (let network = 0; network < 60_000; network += 1)
    spend(`2001:db8:${(network >> 16).toString(16)}:${(network & 0xffff).toString(16)}`, 1)
  expect(spend('192.0.2.1', 1)).toBe(0)
})

it('what has run off makes room before what has not, however long ago that was spent', () => {
  let now: Instant = instant(Date.UTC(2026, 10, 29))
  const limiter = createRateLimiter({ now: () => now }, 1, 2)
  const spend = (of: string, times: number) =>
    Array.from({ length: times }, () => limiter.take('register', of)).filter(({ allowed }) => allowed).length
  spend('drained', 20)
  now = addSeconds(now, 5)
  spend('begun', 1)
  now = addSeconds(now, 2)
  spend('new', 1)
  expect(spend('drained', 20)).toBe(7)
})
