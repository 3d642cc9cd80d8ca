/** Places and turns, without a database: who is served next, who waits for nothing, and who is told so. */
import { expect, it } from 'vitest'
import { busyBy, createTurns, inTurn, type Turns } from './turns.js'

const turnsOf = (given: Partial<Parameters<typeof createTurns>[0]> = {}): Turns =>
  createTurns({ places: 2, share: 1, mostWaiting: 10, waitMs: 60_000, busy: 'tenant_busy', ...given })
const became = (turn: Promise<unknown>) => turn.then(() => 'served', busyBy)
/** What is due in this round of the loop has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

it('one has no more than its share, though places are free, and another has one at once', async () => {
  const turns = turnsOf()
  const leave = await turns.take('acme')
  let isServed = false
  const second = turns.take('acme').then(() => (isServed = true))
  await turns.take('globex')
  await settled()
  expect(isServed).toBe(false)
  leave()
  await second
})

it('those who wait take turns, one of each, however many one of them has sent before', async () => {
  const turns = turnsOf({ places: 1 })
  const leave = await turns.take('acme')
  const served: string[] = []
  const ask = (of: string) => inTurn(turns, of, async () => void served.push(of))
  const all = [...Array.from({ length: 3 }, () => ask('acme')), ask('globex'), ask('globex'), ask('initech')]
  leave()
  await Promise.all(all)
  expect(served).toEqual(['acme', 'globex', 'initech', 'acme', 'globex', 'acme'])
})

it('a place that is given back twice is one place', async () => {
  const turns = turnsOf({ places: 1 })
  const leave = await turns.take('acme')
  leave()
  leave()
  await turns.take('acme')
  let isServed = false
  void turns.take('globex').then(() => (isServed = true))
  await settled()
  expect(isServed).toBe(false)
})

it('a place is given back by what fails', async () => {
  const turns = turnsOf({ places: 1 })
  await expect(inTurn(turns, 'acme', () => Promise.reject(new Error('on purpose')))).rejects.toThrow('on purpose')
  expect(await inTurn(turns, 'acme', async () => 'served')).toBe('served')
})

it('whoever comes when too many of the same wait is told at once, and nobody else is', async () => {
  const turns = turnsOf({ mostWaiting: 1 })
  await turns.take('acme')
  void turns.take('acme')
  expect(await became(turns.take('acme'))).toBe('tenant_busy')
  expect(await became(turns.take('globex'))).toBe('served')
})

it('whoever waits too long is told whose fault it is: that of its share, or that of all', async () => {
  const turns = turnsOf({ waitMs: 1 })
  await turns.take('acme')
  expect(await became(turns.take('acme'))).toBe('tenant_busy')
  await turns.take('globex')
  expect(await became(turns.take('initech'))).toBe('connections_busy')
})

it('nobody is served who has given up, and the next is', async () => {
  const turns = turnsOf({ places: 1, waitMs: 1 })
  const leave = await turns.take('acme')
  expect(await became(turns.take('acme'))).toBe('tenant_busy')
  leave()
  expect(await became(turns.take('globex'))).toBe('served')
})

it('whoever waits for less than others is told when that is over', async () => {
  const turns = turnsOf({ places: 1 })
  await turns.take('acme')
  await expect(turns.take('acme', { atMostMs: 1 }).then(() => 'served', busyBy)).resolves.toBe('tenant_busy')
})

it('says of one whether it has a place, or somebody of it waits for one', async () => {
  const turns = turnsOf({ places: 1 })
  expect(turns.hasAny('acme')).toBe(false)
  const leave = await turns.take('acme')
  const waiting = turns.take('globex')
  expect([turns.hasAny('acme'), turns.hasAny('globex')]).toEqual([true, true])
  leave()
  const leaveToo = await waiting
  expect([turns.hasAny('acme'), turns.hasAny('globex')]).toEqual([false, true])
  leaveToo()
  expect(turns.hasAny('globex')).toBe(false)
})

it('lets those go without a place who may, and no more of them than are asked for', async () => {
  const turns = turnsOf({ places: 1 })
  const leave = await turns.take('acme')
  const gone: string[] = []
  const wait = async (name: string, mayPass: boolean) => {
    const leaveToo = await turns.take('acme', { mayPass })
    gone.push(name)
    return leaveToo
  }
  const all = [wait('one', false), wait('two', true), wait('three', true), wait('four', true)]
  let left = 0
  expect(turns.letPass('acme', 2, () => (left += 1))).toBe(2)
  await settled()
  expect(gone).toEqual(['two', 'three'])
  for (const passed of [all[1], all[2]]) (await passed)?.()
  expect(left).toBe(2)
  leave()
  ;(await all[0])?.()
  ;(await all[3])?.()
  expect(gone).toEqual(['two', 'three', 'one', 'four'])
})
