/** Events of people who are not here, of a stream that is fetched, where no more of them are kept: they wait at the transmitter, and in nobody's way. */
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { unmatchedSignalLimits } from '@drawbridge/store/unmatched-signals'
import { manyUnmatchedSignals } from '@drawbridge/testkit/many-unmatched-signals'
import { pollLimits } from '@drawbridge/upstream/signals/poll'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aListeningCompany } from '../test/a-listening-company.js'
import { pollTurn } from './poll-transmitter.js'
import { pollDueStreams, turnsAtOnce } from './poll-transmitters.js'

let acme: Awaited<ReturnType<typeof aListeningCompany>>
const asked: { body: Record<string, unknown> }[] = []
/** Takes the place of the network for one address. */
let instead: FetchSafely | undefined

beforeAll(async () => {
  acme = await aListeningCompany('acme', (real) => async (url, options) => {
    if (!url.includes('/poll/')) return real(url, options)
    asked.push({ body: JSON.parse(String(options.body)) as Record<string, unknown> })
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

const poll = () =>
  pollDueStreams(acme.deps, turnsAtOnce, { waits: true, signal: new AbortController().signal }).then((turns) =>
    Promise.all(turns.map(({ done }) => done)),
  )

describe('an event of somebody who is not here, where no more of them are kept,', () => {
  beforeEach(async () => {
    await acme.owner('DELETE FROM unmatched_signals')
    const many = { name: 'out ', count: unmatchedSignalLimits.ofConnection, deactivates: true, at: acme.now() }
    await manyUnmatchedSignals(acme.fixture.ownerUrl, { tenantId: acme.company.tenant, connectionId: acme.connectionId(), ...many })
  })
  afterEach(() => acme.owner('DELETE FROM unmatched_signals'))

  it('waits at the transmitter, and is told at once with her name', async () => {
    await acme.transmitter().emit('account-disabled', 'globex-nobody')
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    const { lastError, refusal } = await acme.stored()
    expect([acme.theStream().waiting.size, (await acme.ada())?.gone, lastError, refusal]).toEqual([
      ...[1, true, 'unmatched_signals_full', 'unmatched_signals_full'],
    ])
    acme.wait(pollTurn.heldSeconds * 2)
    await poll()
    const told = `SELECT kind, detail ->> 'reason' AS reason FROM audit_events WHERE detail ->> 'named' = $1 ORDER BY id`
    expect(await acme.owner(told, [`signal:${acme.connectionId()}:globex-nobody`])).toEqual([
      { kind: 'deprovisioning.unmatched', reason: null },
      { kind: 'connection.signal_alarm', reason: 'unmatched_signals_full' },
    ])
  })

  it('waits in nobody’s way, though more wait than one answer holds; each is judged once in a turn', async () => {
    const heads = pollLimits.events + 1
    for (let nth = 0; nth < heads; nth += 1) await acme.transmitter().emit('account-disabled', `globex-nobody-${nth}`)
    await acme.transmitter().emit('account-disabled', 'globex-ada')
    await poll()
    expect([acme.theStream().waiting.size, (await acme.ada())?.gone]).toEqual([heads, true])
    expect(asked.map(({ body }) => body['maxEvents'])).toEqual([pollLimits.events, pollLimits.events * 2, 0])
    expect((await acme.stored()).refusals).toBe(heads)
  })

  it('is asked for no further than an answer is read', async () => {
    const { real } = acme
    const limits: number[] = []
    instead = async (url, options) => {
      const { maxEvents } = JSON.parse(String(options.body)) as { maxEvents: number }
      limits.push(maxEvents)
      return maxEvents > pollLimits.events ? { ok: false, error: { reason: 'too_large' } } : real(url, options)
    }
    for (let nth = 0; nth < pollLimits.events + 1; nth += 1) await acme.transmitter().emit('account-disabled', `globex-nobody-${nth}`)
    await poll()
    expect(limits).toEqual([pollLimits.events, pollLimits.events * 2, pollLimits.events])
    expect(await acme.stored()).toMatchObject({ failures: 0, lastError: 'unmatched_signals_full' })
  })
})
