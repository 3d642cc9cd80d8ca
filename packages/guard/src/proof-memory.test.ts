import { expect, it } from 'vitest'
import { createProofMemory, maxProofsPerKey } from './proof-memory.js'

const remembered = 150

it('one key alone cannot fill it: others find room', () => {
  const memory = createProofMemory(maxProofsPerKey + 1)
  for (let n = 0; n < maxProofsPerKey; n += 1) expect(memory.believeOnce({ thumbprint: 'busy', id: String(n) }, 0)).toBe('believed')
  expect(memory.believeOnce({ thumbprint: 'busy', id: 'one more' }, 0)).toBe('full')
  expect(memory.believeOnce({ thumbprint: 'calm', id: 'one more' }, 0)).toBe('believed')
  expect(memory.believeOnce({ thumbprint: 'third', id: 'one more' }, 0)).toBe('full')
  expect(memory.believeOnce({ thumbprint: 'busy', id: '7' }, remembered - 1)).toBe('replayed')
  expect(memory.believeOnce({ thumbprint: 'busy', id: '7' }, remembered)).toBe('believed')
})

it('forgets each in its time, and no other before', () => {
  const memory = createProofMemory(10)
  const believe = (id: string, at: number) => memory.believeOnce({ thumbprint: 'key', id }, at)
  expect([believe('a', 0), believe('b', 100), believe('a', 149), believe('b', 149)]).toEqual([
    'believed',
    'believed',
    'replayed',
    'replayed',
  ])
  expect([believe('a', 150), believe('b', 249), believe('b', 250)]).toEqual(['believed', 'replayed', 'believed'])
})

it('names do not run into each other', () => {
  const memory = createProofMemory(10)
  expect(memory.believeOnce({ thumbprint: 'a', id: 'b c' }, 0)).toBe('believed')
  expect(memory.believeOnce({ thumbprint: 'a b', id: 'c' }, 0)).toBe('believed')
})
