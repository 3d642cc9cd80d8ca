/** What is offered to whoever fetches lies there until it is acknowledged. RFC 8936 §2.4 */
import { expect, it } from 'vitest'
import { offers } from './offered.js'

const ask = async (given: ReturnType<typeof offers>, body: object) => (await given.poll(JSON.stringify(body), {})).json
const atOnce = { returnImmediately: true }

it('comes again until it is acknowledged, and whoever offers it hears of that', async () => {
  const given = offers()
  const one = given.offer('a', 'token')
  expect(await ask(given, atOnce)).toEqual({ sets: { a: 'token' }, moreAvailable: false })
  expect(await ask(given, atOnce)).toEqual({ sets: { a: 'token' }, moreAvailable: false })
  expect(await ask(given, { ...atOnce, ack: ['a'] })).toEqual({ sets: {}, moreAvailable: false })
  expect(await one).toBe(true)
})

it('is offered once though it is said twice at once, and both hear of it', async () => {
  const given = offers()
  const both = [given.offer('a', 'token'), given.offer('a', 'token')]
  expect(await ask(given, atOnce)).toEqual({ sets: { a: 'token' }, moreAvailable: false })
  await ask(given, { ack: ['a'], maxEvents: 0 })
  expect(await Promise.all(both)).toEqual([true, true])
})

it('what is refused is offered no more', async () => {
  const given = offers()
  const one = given.offer('a', 'token')
  await ask(given, { ...atOnce, setErrs: { a: { err: 'invalid_request' } } })
  expect(await one).toBe(false)
  expect(await ask(given, atOnce)).toEqual({ sets: {}, moreAvailable: false })
})

it('a request that waits is answered when there is something, and with as much as it asks for', async () => {
  const given = offers()
  const waiting = ask(given, { maxEvents: 1 })
  const both = [given.offer('a', 'one'), given.offer('b', 'two')]
  expect(await waiting).toEqual({ sets: { a: 'one' }, moreAvailable: true })
  await ask(given, { ...atOnce, ack: ['a', 'b'] })
  expect(await Promise.all(both)).toEqual([true, true])
})
