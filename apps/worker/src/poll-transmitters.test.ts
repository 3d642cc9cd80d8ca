/** Who polls which stream when: several workers, several companies, and one that stops. */
import { randomUUID } from 'node:crypto'
import { addSeconds } from '@drawbridge/core/instant'
import type { FetchOptions, FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { claimDueStreamsAcrossTenants, type HeldStream } from '@drawbridge/store/signal-streams'
import { acrossTenants } from '@drawbridge/store/transaction'
import { pollLimits } from '@drawbridge/upstream/signals/poll'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aCompany, eventually } from '../test/a-company.js'
import { aListeningCompany } from '../test/a-listening-company.js'
import { pollTurn } from './poll-transmitter.js'
import { pollDueStreams, startPolling, turnsAtOnce, turnsOfTenant } from './poll-transmitters.js'

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
  await Promise.all(turns.map(({ done }) => done))
  return turns.length
}

describe('among several workers', () => {
  it('each stream has one poller at a time', async () => {
    const signal = new AbortController().signal
    const both = await Promise.all([1, 2, 3].map(() => pollDueStreams(acme.deps, turnsAtOnce, { waits: false, signal })))
    await Promise.all(both.flat().map(({ done }) => done))
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
    await late?.done
    expect(await acme.stored()).toMatchObject({ failures: 0 })
  })

  it('a turn that lasts longer than its lease stays whose it is while its worker lives', async () => {
    acme.transmitter().waitMs = 60_000
    const poller = startPolling(acme.deps)
    await eventually(() => asked.length === 1)
    const held = async () =>
      (
        await acme.owner<{ lease: string; until: Date }>('SELECT lease, lease_until AS until FROM signal_streams WHERE lease IS NOT NULL')
      )[0]
    const before = await held()
    acme.wait(pollTurn.leaseSeconds - 1)
    await eventually(async () => ((await held())?.until.getTime() ?? 0) > (before?.until.getTime() ?? Number.NaN))
    acme.wait(pollTurn.leaseSeconds - 1)
    expect(await poll()).toBe(0)
    expect((await held())?.lease).toBe(before?.lease)
    await poller.stop()
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

describe('among several companies', () => {
  const at = (tenant: string, count: number, minutesAgo: number) =>
    acme.owner(
      `WITH made AS (
         INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at)
         SELECT $1, gen_random_uuid(), 'oidc', gen_random_uuid()::text, c.configuration, $4 FROM connections c, generate_series(1, $2::int) WHERE c.id = $3
         RETURNING tenant_id, id)
       INSERT INTO signal_streams (tenant_id, id, delivery, poll_url, sealed_credential, next_poll_at, created_at)
       SELECT tenant_id, id, 'poll', 'https://slow.example/poll/1', '\\x00', $4, $4 FROM made`,
      [tenant, count, acme.connectionId(), new Date(addSeconds(acme.now(), -60 * minutesAgo))],
    )
  const claim = (limit: number) =>
    acrossTenants(acme.fixture.database, (db) =>
      claimDueStreamsAcrossTenants(db, {
        ...{ now: acme.now(), limit, mostOfTenant: turnsOfTenant, lease: randomUUID(), leaseUntil: addSeconds(acme.now(), 60) },
      }),
    )
  const tenantsOf = (held: readonly HeldStream[]) => held.map(({ tenantId }) => (tenantId === acme.company.tenant ? 'acme' : 'initech'))

  it('none has more turns at once than its share, whoever takes them, and all take turns', async () => {
    const initech = await aCompany(acme.fixture, 'initech')
    await at(initech.tenant, turnsOfTenant * 3, 10)
    await at(acme.company.tenant, 2, 1)
    // The longest waiting are all of one company: the other is not behind them.
    expect(tenantsOf(await claim(4)).sort()).toEqual(['acme', 'acme', 'initech', 'initech'])
    const rest = tenantsOf(await claim(turnsAtOnce))
    expect([rest.filter((one) => one === 'initech').length, rest.filter((one) => one === 'acme').length]).toEqual([turnsOfTenant - 2, 1])
    expect(await claim(turnsAtOnce)).toEqual([])
    acme.wait(61)
    expect(tenantsOf(await claim(turnsAtOnce)).filter((one) => one === 'initech')).toHaveLength(turnsOfTenant)
  })

  it.each([
    { others: turnsOfTenant - 1, kept: false },
    { others: turnsOfTenant - 2, kept: true },
  ])('the last of a share is not kept waiting, because more may stand behind it: $others others', async ({ others, kept }) => {
    await at(acme.company.tenant, others, 1)
    await poll()
    expect(asked.map(({ body }) => body['returnImmediately'])).toEqual([!kept])
  })

  it('one that has very much to say comes again after the others', async () => {
    const { real } = acme
    let requests = 0
    instead = async (url, options) => {
      requests += 1
      acme.wait(pollTurn.wallSeconds / 2)
      for (let count = 0; count < pollLimits.events * 2; count += 1) acme.theStream().waiting.set(`${requests} ${count}`, 'a.b.c')
      return real(url, options)
    }
    await poll()
    // The last only says what became of what the one before brought.
    expect(asked.map(({ body }) => body['maxEvents'])).toEqual([pollLimits.events, pollLimits.events, 0])
    expect(await acme.stored()).toMatchObject({ failures: 0, failingSince: undefined })
  })
})
