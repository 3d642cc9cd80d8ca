import { expect, it } from 'vitest'
import { createLatestUsed } from './latest-used.js'

it('keeps what was used lately, as many as its limit', () => {
  const kept = createLatestUsed<string, number>({ most: 2, weight: 100 })
  kept.set('a', 1, 1)
  kept.set('b', 2, 1)
  expect(kept.get('a')).toBe(1)
  kept.set('c', 3, 1)
  expect([kept.get('a'), kept.get('b'), kept.get('c')]).toEqual([1, undefined, 3])
})

it('keeps no more than its weight, but always the newest', () => {
  const kept = createLatestUsed<string, number>({ most: 10, weight: 10 })
  kept.set('a', 1, 4)
  kept.set('b', 2, 4)
  kept.set('c', 3, 4)
  expect([...kept.values()]).toEqual([2, 3])
  kept.set('b', 4, 6)
  expect([...kept.values()]).toEqual([3, 4])
  kept.delete('c')
  kept.set('d', 5, 4)
  expect([...kept.values()]).toEqual([4, 5])
  kept.set('e', 6, 11)
  expect([...kept.values()]).toEqual([6])
})
