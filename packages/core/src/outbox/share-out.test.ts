/** Nobody gets more than a share, nobody is left out while there is room. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decidingLane, followingLane, shareOut, tellingLane } from './share-out.js'

const { share: tenantShare, bound: queueBound } = tellingLane
const name = (n: number) => `t${n}`
const waiting = fc.record({
  tenants: fc.uniqueArray(fc.integer({ min: 0, max: 400 }).map(name), { maxLength: 400 }),
  held: fc
    .array(fc.tuple(fc.integer({ min: 0, max: 400 }).map(name), fc.integer({ min: 1, max: tenantShare })), { maxLength: 20 })
    .map((pairs) => new Map(pairs)),
})
const sum = (numbers: Iterable<number>) => [...numbers].reduce((all, one) => all + one, 0)

it('one tenant alone gets its share and no more', () => {
  expect(shareOut(tellingLane, { tenants: ['a'], held: new Map() })).toEqual([{ tenant: 'a', most: tenantShare }])
  expect(shareOut(tellingLane, { tenants: ['a'], held: new Map([['a', tenantShare]]) })).toEqual([])
})

it('a tenant that has filled its share leaves the room to others', () => {
  expect(shareOut(tellingLane, { tenants: ['busy', 'quiet'], held: new Map([['busy', tenantShare]]) })).toEqual([
    { tenant: 'quiet', most: tenantShare },
  ])
})

it('never more than a share each, never more than the queue may hold', () => {
  fc.assert(
    fc.property(waiting, ({ tenants, held }) => {
      const shares = shareOut(tellingLane, { tenants, held })
      for (const { tenant, most } of shares) expect(most + (held.get(tenant) ?? 0)).toBeLessThanOrEqual(tenantShare)
      expect(sum(shares.map(({ most }) => most))).toBeLessThanOrEqual(Math.max(0, queueBound - sum(held.values())))
    }),
  )
})

it('whoever has a free share gets something while there is room for one each; else those whose turn comes first', () => {
  fc.assert(
    fc.property(waiting, ({ tenants, held }) => {
      const room = Math.max(0, queueBound - sum(held.values()))
      const free = tenants.filter((tenant) => (held.get(tenant) ?? 0) < tenantShare)
      expect(shareOut(tellingLane, { tenants, held }).map(({ tenant }) => tenant)).toEqual(free.slice(0, room))
    }),
  )
})

it('what decides takes less of the queue than what tells, and what follows less than both, so that the former never wait behind a full queue of it', () => {
  expect(decidingLane.share).toBeLessThan(tellingLane.share)
  expect(decidingLane.bound).toBeLessThan(tellingLane.bound)
  expect(followingLane.share).toBeLessThan(decidingLane.share)
  expect(followingLane.bound).toBeLessThan(decidingLane.bound)
})
