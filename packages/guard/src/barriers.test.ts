/** Barriers: they only grow, they are forgotten in time, and forgetting early refuses too much rather than too little. */
import { expect, test } from 'vitest'
import { createBarriers, floorMarginSeconds, parseTokenEpochs } from './barriers.js'

const issuer = 'https://login.example/t/acme'
const making = (subject: string, epoch: number, issuedAtSeconds = 1000) => ({
  issuer,
  tenant: 'acme',
  issuedAtSeconds,
  ids: { tenant: 'acme', client: 'agent', subject },
  epochs: { tenant: 1, client: 1, connection: 1, subject: epoch, grant: 1 },
})
const barrier = (targetId: string, epoch: number) => ({ issuer, tenant: 'acme', target: 'subject', targetId, epoch }) as const

test('a lower epoch never replaces a higher one', () => {
  const barriers = createBarriers({ maxEntries: 10, keepSeconds: 100 })
  barriers.raise(barrier('ada', 3), 1000)
  barriers.raise(barrier('ada', 2), 1001)
  expect(barriers.isBelow(making('ada', 2), 1002)).toBe(true)
  expect(barriers.isBelow(making('ada', 3), 1002)).toBe(false)
})

test('a barrier of one issuer says nothing about another', () => {
  const barriers = createBarriers({ maxEntries: 10, keepSeconds: 100 })
  barriers.raise({ ...barrier('ada', 3), issuer: 'https://login.example/t/globex' }, 1000)
  expect(barriers.isBelow(making('ada', 1), 1000)).toBe(false)
})

test('nor one of a tenant about another, where the front issuer speaks for both', () => {
  const barriers = createBarriers({ maxEntries: 2, keepSeconds: 100 })
  const client = (tenant: string, epoch: number) => ({ issuer, tenant, target: 'client', targetId: 'agent', epoch }) as const
  barriers.raise(client('globex', 3), 1000)
  expect(barriers.isBelow(making('ada', 1), 1000)).toBe(false)
  expect(barriers.isBelow({ ...making('ada', 1), tenant: 'globex' }, 1000)).toBe(true)
  // What is forgotten too early is refused where it was, and nowhere else.
  for (const subject of ['lena', 'max']) barriers.raise({ ...barrier(subject, 2), tenant: 'globex' }, 1000)
  expect(barriers.isBelow({ ...making('ada', 9), tenant: 'globex' }, 1000)).toBe(true)
  expect(barriers.isBelow(making('ada', 1), 1000)).toBe(false)
})

test('a barrier is forgotten once every token below it has expired', () => {
  const barriers = createBarriers({ maxEntries: 10, keepSeconds: 100 })
  barriers.raise(barrier('ada', 2), 1000)
  expect(barriers.isBelow(making('ada', 1), 1100)).toBe(true)
  expect(barriers.isBelow(making('ada', 1), 1101)).toBe(false)
  expect(barriers.size()).toBe(0)
})

test('too many barriers become a floor in time that refuses the old and spares the new', () => {
  const barriers = createBarriers({ maxEntries: 2, keepSeconds: 1000 })
  for (const name of ['ada', 'clark', 'lena']) barriers.raise(barrier(name, 2), 1000)
  expect(barriers.size()).toBe(2)
  expect(barriers.isBelow(making('ada', 1, 990), 1000)).toBe(true)
  expect(barriers.isBelow(making('max', 1, 990), 1000)).toBe(true)
  expect(barriers.isBelow(making('max', 1, 1001 + floorMarginSeconds), 1100)).toBe(false)
})

test('a company that revokes without end loses its own barriers, and those of another stay', () => {
  const barriers = createBarriers({ maxEntries: 10, keepSeconds: 1000 })
  barriers.raise(barrier('ada', 2), 1000)
  for (let count = 0; count < 100; count += 1)
    barriers.raise({ ...barrier(`person ${count}`, 2), tenant: 'globex' }, 1000 + floorMarginSeconds)
  expect(barriers.size()).toBe(10)
  expect(barriers.isBelow(making('ada', 1, 990), 1100)).toBe(true)
  expect(barriers.isBelow(making('lena', 1, 990), 1100)).toBe(false)
  expect(barriers.isBelow({ ...making('lena', 1, 990), tenant: 'globex' }, 1100)).toBe(true)
})

test('of many companies those that have few keep all, and the two that have most keep the same', () => {
  const barriers = createBarriers({ maxEntries: 160, keepSeconds: 1000 })
  const raise = (tenant: string, count: number) => {
    for (let one = 0; one < count; one += 1) barriers.raise({ ...barrier(`person ${one}`, 2), tenant }, 1000)
  }
  for (const [tenant, count] of [
    ['big', 300],
    ['few', 20],
    ['bigger', 500],
    ['some', 40],
  ] as const)
    raise(tenant, count)
  expect(barriers.size()).toBeGreaterThan(140)
  expect(barriers.size()).toBeLessThanOrEqual(160)
  const isFolded = (tenant: string) => barriers.isBelow({ ...making('nobody', 1, 990), tenant }, 1001)
  expect(['few', 'some', 'big', 'bigger'].map(isFolded)).toEqual([false, false, true, true])
  for (let one = 0; one < 20; one += 1) expect(barriers.isBelow({ ...making(`person ${one}`, 1, 990), tenant: 'few' }, 1001)).toBe(true)
})

test('of more companies than there is room for, each with one, only as many are folded as must', () => {
  const barriers = createBarriers({ maxEntries: 10, keepSeconds: 1000 })
  const tenants = Array.from({ length: 12 }, (_, count) => `company-${count}`)
  for (const tenant of tenants) barriers.raise({ ...barrier('ada', 2), tenant }, 1000)
  expect(barriers.size()).toBe(10)
  expect(tenants.filter((tenant) => barriers.isBelow({ ...making('nobody', 1, 990), tenant }, 1001))).toHaveLength(2)
})

test('what has expired makes room before anything that has not, whoever has most', () => {
  const barriers = createBarriers({ maxEntries: 3, keepSeconds: 100 })
  barriers.raise({ ...barrier('max', 2), tenant: 'globex' }, 1000)
  for (const name of ['ada', 'clark', 'lena']) barriers.raise(barrier(name, 2), 1101)
  expect(barriers.size()).toBe(3)
  expect(barriers.isBelow(making('eve', 1, 1101), 1101)).toBe(false)
})

test('a floor stands until every token under it has expired', () => {
  const barriers = createBarriers({ maxEntries: 1, keepSeconds: 100 })
  for (const name of ['ada', 'clark']) barriers.raise(barrier(name, 2), 1000)
  barriers.raise({ ...barrier('lena', 2), tenant: 'globex' }, 1090)
  expect(barriers.isBelow(making('max', 1, 1000), 1100)).toBe(true)
})

test.each(['', '1', '1.1.1.1', '1.1.1.1.-1', '1.1.1.1.1.1', 'a.b.c.d.e', '1.1.1.1.99999999999', 5, undefined])(
  'epochs %p are malformed',
  (claim) => {
    expect(parseTokenEpochs(claim)).toBeUndefined()
  },
)
