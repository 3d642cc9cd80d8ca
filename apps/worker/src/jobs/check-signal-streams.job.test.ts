/** A stream that stands still is found out: it is asked to verify itself, and its transmitter how it is, against one that shares no code with us. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { installationId, sealer } from '../../test/a-company.js'
import { aListeningCompany } from '../../test/a-listening-company.js'
import { pollTurn } from '../poll-transmitter.js'
import { pollDueStreams } from '../poll-transmitters.js'
import { createStreamMemory } from '../stream-memory.js'
import { checkSignalStreams, streamChecks } from './check-signal-streams.job.js'

let acme: Awaited<ReturnType<typeof aListeningCompany>>
let asked: string[] = []
let broken: readonly [end: string, status: number] | undefined

beforeAll(async () => {
  acme = await aListeningCompany('acme', (real) => async (url, options) => {
    const path = new URL(url).pathname
    asked.push(path.slice(path.lastIndexOf('/') + 1))
    if (broken !== undefined && path.endsWith(broken[0]))
      return { ok: true, value: { status: broken[1], headers: {}, body: Buffer.alloc(0) } }
    return real(url, options)
  })
})
afterAll(() => acme?.close())
beforeEach(async () => {
  broken = undefined
  await acme.listen({ isNamed: true })
  asked = []
})

const poll = async (): Promise<void> => {
  const memory = createStreamMemory({ sealer, installationId })
  await Promise.all(
    (await pollDueStreams({ ...acme.deps, memory }, 8, { waits: false, signal: new AbortController().signal })).map(({ done }) => done),
  )
}
const check = () => checkSignalStreams(acme.deps)

it('a stream that answers is asked again after an hour, and not before', async () => {
  await check()
  expect(asked).toEqual(['globex', 'status', 'verification'])
  await poll()
  expect(await acme.stored()).toMatchObject({ verifiedAt: acme.now(), status: 'enabled', verificationState: undefined })
  for (let minutes = 0; minutes < 55; minutes += 1) {
    acme.wait(60)
    await check()
  }
  expect(asked.filter((what) => what === 'verification')).toHaveLength(1)
  acme.wait(600)
  await check()
  expect(asked.filter((what) => what === 'verification')).toHaveLength(2)
  expect(await acme.audits('connection.signals_unheard')).toBe(0)
})

it('a stream that does not answer is an alarm, once, and is told of again when it speaks', async () => {
  await check()
  const since = acme.now()
  for (let times = 0; times < 3; times += 1) {
    acme.wait(streamChecks.answerSeconds)
    await check()
  }
  expect(await acme.audits('connection.signals_unheard')).toBe(1)
  expect((await acme.stored()).silentSince).toBe(since)
  await poll()
  acme.wait(streamChecks.answerSeconds)
  await check()
  expect([await acme.audits('connection.signals_heard_again'), (await acme.stored()).silentSince]).toEqual([1, undefined])
})

it('a stream that was paused without a word is an alarm', async () => {
  acme.theStream().status = 'paused'
  await check()
  expect([(await acme.stored()).status, await acme.audits('connection.signal_alarm')]).toEqual(['paused', 1])
})

it.each([
  { broken: ['/status', 500] as const, alarms: 1 },
  { broken: ['/verification', 403] as const, alarms: 1 },
  { broken: ['/ssf-configuration/globex', 404] as const, alarms: 1 },
  { broken: ['/verification', 429] as const, alarms: 0 },
])('a pushed stream whose transmitter answers $broken is an alarm after a named time: $alarms', async ({ broken: how, alarms }) => {
  await acme.listen({ delivery: 'push', isNamed: true })
  broken = how
  for (let seconds = 0; seconds <= pollTurn.alarmSeconds * 3; seconds += 300) {
    await check()
    acme.wait(300)
  }
  expect(await acme.audits('connection.signals_unheard')).toBe(alarms)
  broken = undefined
  acme.wait(streamChecks.everySeconds)
  await check()
  expect(await acme.audits('connection.signals_heard_again')).toBe(alarms)
})

it.each([
  { broken: ['/status', 404] as const, trouble: 'stream_gone', alarms: 1 },
  { broken: ['/verification', 403] as const, trouble: 'transmitter_says_no', alarms: 1 },
  { broken: ['/ssf-configuration/globex', 404] as const, trouble: 'transmitter_lacks_this', alarms: 1 },
  { broken: ['/status', 500] as const, trouble: 'transmitter_unreachable', alarms: 1 },
  { broken: ['/verification', 429] as const, trouble: undefined, alarms: 0 },
])(
  'a fetched stream that can be asked nothing ($broken) is an alarm after a named time, once, though polls go well: $alarms',
  async (one) => {
    broken = one.broken
    for (let seconds = 0; seconds <= pollTurn.alarmSeconds * 3; seconds += 300) {
      await check()
      await poll()
      acme.wait(300)
    }
    expect(await acme.stored()).toMatchObject({ failures: 0, failingSince: undefined, lastError: one.trouble })
    expect(await acme.audits('connection.signals_unheard')).toBe(one.alarms)
    broken = undefined
    acme.wait(streamChecks.everySeconds)
    await check()
    expect(await acme.audits('connection.signals_heard_again')).toBe(one.alarms)
    expect((await acme.stored()).checkFailingSince).toBeUndefined()
  },
)

it('a transmitter that is away altogether is one alarm, that of the polls', async () => {
  broken = ['', 500]
  for (let seconds = 0; seconds <= pollTurn.alarmSeconds * 3; seconds += 300) {
    await check()
    await poll()
    acme.wait(300)
  }
  expect(await acme.audits('connection.signals_unheard')).toBe(1)
})

it('a silent stream that can be asked nothing any more speaks by that no more than before', async () => {
  await check()
  acme.wait(streamChecks.answerSeconds)
  await check()
  broken = ['/verification', 403]
  for (let times = 0; times < 3; times += 1) {
    acme.wait(streamChecks.answerSeconds)
    await check()
  }
  expect([await acme.audits('connection.signals_heard_again'), (await acme.stored()).silentSince !== undefined]).toEqual([0, true])
})

it('our credential goes to no other transmitter than it was given for, and a pushed stream says so: an alarm', async () => {
  await acme.listen({ delivery: 'push', isNamed: true })
  await acme.configure({ configurationUrl: 'https://evil.example/ssf-configuration' })
  for (let seconds = 0; seconds <= pollTurn.alarmSeconds * 2; seconds += streamChecks.answerSeconds) {
    await check()
    acme.wait(streamChecks.answerSeconds)
  }
  expect([asked, (await acme.stored()).lastError]).toEqual([[], 'stream_of_another_transmitter'])
  expect(await acme.audits('connection.signals_unheard')).toBe(1)
})

it('a stream without a name at the transmitter, and what is gone meanwhile, is asked nothing', async () => {
  await acme.owner('UPDATE signal_streams SET stream_id = NULL')
  await check()
  await acme.owner('DELETE FROM signal_streams')
  await check()
  expect(asked).toEqual([])
})
