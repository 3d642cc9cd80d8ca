/** Who polls which stream when: several workers, several companies, and one that stops. */
import type { FetchOptions, FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { pollLimits } from '@drawbridge/upstream/signals/poll'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { eventually } from '../test/a-company.js'
import { aListeningCompany } from '../test/a-listening-company.js'
import { pollTurn } from './poll-transmitter.js'
import { pollDueStreams, startPolling, turnsAtOnce } from './poll-transmitters.js'

let acme: Awaited<ReturnType<typeof aListeningCompany>>
const asked: { url: string; options: FetchOptions; body: Record<string, unknown> }[] = []
/** Takes the place of the network for one address. */
let instead: FetchSafely | undefined

beforeAll(async () => {
  acme = await aListeningCompany('acme', (real) => async (url, options) => {
    if (!url.includes('/poll/')) return real(url, options)
    asked.push({ url, options, body: JSON.parse(String(options.body)) as Record<string, unknown> })
    return (instead ?? real)(url, options)
  })
})
afterAll(() => acme?.close())
beforeEach(async () => {
  instead = undefined
  acme.transmitter().waitMs = 0
  await acme.listen()
  asked.length = 0
})

const poll = async (room = turnsAtOnce): Promise<number> => {
  const turns = await pollDueStreams(acme.deps, room, { waits: true, signal: new AbortController().signal })
  await Promise.all(turns)
  return turns.length
}

describe('among several workers', () => {
  it('each stream has one poller at a time', async () => {
    const signal = new AbortController().signal
    const both = await Promise.all([1, 2, 3].map(() => pollDueStreams(acme.deps, turnsAtOnce, { waits: false, signal })))
    await Promise.all(both.flat())
    expect(both.flat()).toHaveLength(1)
  })

  it('the turn of one that died is another’s when its lease ends, and what the dead one would write counts no more', async () => {
    let goOn: () => void = () => {}
    instead = () =>
      new Promise((resolve) => {
        goOn = () => resolve({ ok: true, value: { status: 500, headers: {}, body: Buffer.alloc(0) } })
      })
    const [late] = await pollDueStreams(acme.deps, 1, { waits: true, signal: new AbortController().signal })
    await eventually(() => asked.length === 1)
    expect(await poll()).toBe(0)
    acme.wait(pollTurn.leaseSeconds + 1)
    instead = undefined
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    expect(await poll()).toBe(1)
    expect((await acme.ada())?.gone).toBe(true)
    goOn()
    await late
    expect(await acme.stored()).toMatchObject({ failures: 0 })
  })

  it('nobody is kept waiting where more are due than there is room for', async () => {
    await poll(1)
    expect(asked[0]?.body).toMatchObject({ returnImmediately: true })
    acme.wait(60)
    asked.length = 0
    await poll(2)
    expect(asked[0]?.body).toMatchObject({ returnImmediately: false, maxEvents: pollLimits.events })
  })

  it('a worker that stops breaks off its requests and gives its turns back', async () => {
    acme.transmitter().waitMs = 60_000
    const poller = startPolling(acme.deps)
    await eventually(() => asked.length === 1)
    await poller.stop()
    expect(await poll(1)).toBe(1)
    expect(await acme.stored()).toMatchObject({ failures: 0 })
  })

  it('an event that comes while a request waits is heard at once', async () => {
    acme.transmitter().waitMs = 60_000
    const poller = startPolling(acme.deps)
    await eventually(() => asked.length === 1)
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await eventually(async () => (await acme.ada())?.gone === true)
    await poller.stop()
  })
})
