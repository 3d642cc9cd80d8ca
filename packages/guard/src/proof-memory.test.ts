import { expect, it } from 'vitest'
import { createProofMemory, maxProofsPerKey } from './proof-memory.js'

/** As long as its own time could allow it, 150 s, and the 30 s by which a clock may be set back. */
const remembered = 180

it('one key alone cannot fill it: others find room', () => {
  const memory = createProofMemory(maxProofsPerKey + 1)
  const believe = (thumbprint: string, id: string, at: number) => memory.believeOnce({ thumbprint, id, issuedAtSeconds: at }, at)
  for (let n = 0; n < maxProofsPerKey; n += 1) expect(believe('busy', String(n), 0)).toBe('believed')
  expect(believe('busy', 'one more', 0)).toBe('full')
  expect(believe('calm', 'one more', 0)).toBe('believed')
  expect(believe('third', 'one more', 0)).toBe('full')
  expect(believe('busy', '7', remembered - 1)).toBe('replayed')
  expect(believe('busy', '7', remembered)).toBe('believed')
})

it('forgets each in its time, and no other before', () => {
  const memory = createProofMemory(10)
  const believe = (id: string, at: number) => memory.believeOnce({ thumbprint: 'key', id, issuedAtSeconds: at }, at)
  expect([believe('a', 0), believe('b', 100), believe('a', 179), believe('b', 179)]).toEqual([
    'believed',
    'believed',
    'replayed',
    'replayed',
  ])
  expect([believe('a', 180), believe('b', 279), believe('b', 280)]).toEqual(['believed', 'replayed', 'believed'])
})

it('believes none that is as old as one that was forgotten, however far the clock went back', () => {
  const memory = createProofMemory(10)
  const believe = (id: string, issuedAtSeconds: number, at: number) => memory.believeOnce({ thumbprint: 'key', id, issuedAtSeconds }, at)
  expect([believe('used', 1000, 1000), believe('other', 5000, 5000)]).toEqual(['believed', 'believed'])
  expect([believe('used', 1000, 1010), believe('never seen', 999, 1010)]).toEqual(['too_old', 'too_old'])
  expect([believe('younger', 1001, 1010), believe('younger', 1001, 1010)]).toEqual(['believed', 'replayed'])
})

it('is not kept full by what was used while the clock was ahead', () => {
  const memory = createProofMemory(2)
  const believe = (id: string, at: number) => memory.believeOnce({ thumbprint: 'key', id, issuedAtSeconds: at }, at)
  expect([believe('ahead', 5000), believe('now', 1000), believe('full', 1001)]).toEqual(['believed', 'believed', 'full'])
  expect(believe('later', 1000 + remembered)).toBe('believed')
})

it('names do not run into each other', () => {
  const memory = createProofMemory(10)
  expect(memory.believeOnce({ thumbprint: 'a', id: 'b c', issuedAtSeconds: 0 }, 0)).toBe('believed')
  expect(memory.believeOnce({ thumbprint: 'a b', id: 'c', issuedAtSeconds: 0 }, 0)).toBe('believed')
})
