/** Places are for everybody: one tenant never takes all, and what yields comes last. */
import { expect, it } from 'vitest'
import { fairSlots, placesForOthers } from './fair-slots.js'

/** Work that begins when it is let, is written down, and ends when it is told to. */
function aDesk(places: number) {
  const slots = fairSlots(places)
  const begun: string[] = []
  const ends: (() => void)[] = []
  const done: Promise<unknown>[] = []
  const hand = (tenant: string, yields = false) => {
    const work = slots.run({ tenant, yields }, () => {
      begun.push(tenant)
      return new Promise<void>((end) => void ends.push(end))
    })
    done.push(work)
  }
  const endOne = async () => {
    ends.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const endAll = async () => {
    while (ends.length > 0) await endOne()
    await Promise.all(done)
  }
  return { begun, hand, endOne, endAll, settle: () => new Promise((resolve) => setImmediate(resolve)) }
}

it('a tenant whose jobs hang leaves places to the others', async () => {
  const desk = aDesk(8)
  for (let n = 0; n < 40; n += 1) desk.hand('hung')
  desk.hand('quiet')
  await desk.settle()
  expect(desk.begun.filter((tenant) => tenant === 'hung')).toHaveLength(8 - placesForOthers)
  expect(desk.begun).toContain('quiet')
  await desk.endAll()
})

it('whose tenant has least running is next, however late it came', async () => {
  const desk = aDesk(2)
  for (const tenant of ['a', 'b', 'a', 'a', 'c']) desk.hand(tenant)
  await desk.settle()
  expect(desk.begun).toEqual(['a', 'b'])
  await desk.endOne()
  expect(desk.begun[2]).toBe('a')
  await desk.endOne()
  expect(desk.begun[3]).toBe('c')
  await desk.endAll()
  expect(desk.begun).toHaveLength(5)
})

it('what yields begins when nothing else may', async () => {
  const desk = aDesk(1)
  desk.hand('a')
  desk.hand('a', true)
  desk.hand('b', true)
  desk.hand('c')
  await desk.settle()
  for (let n = 0; n < 3; n += 1) await desk.endOne()
  expect(desk.begun.slice(0, 2)).toEqual(['a', 'c'])
  await desk.endAll()
})

it('work that fails gives its place back', async () => {
  const slots = fairSlots(1)
  await expect(slots.run({ tenant: 'a', yields: false }, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await slots.run({ tenant: 'a', yields: false }, async () => 'yes')).toBe('yes')
})
