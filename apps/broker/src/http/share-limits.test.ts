/** Rate limits: each process decides by itself, and soon by what all have spent. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { silentLog } from '@drawbridge/runtime/log'
import { createDatabase } from '@drawbridge/store/database'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { createRateLimiter, type RateLimiter, type RateLimitName, rateLimits } from './rate-limit.js'
import { shareLimits } from './share-limits.js'

let fixture: TestDatabase
let now: Instant = instant(Date.UTC(2026, 10, 29))
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())
beforeEach(() => asOwner(fixture.ownerUrl, 'DELETE FROM shared_limits'))

const clock = { now: () => now }
const aProcess = () => createRateLimiter(clock)
const share = (limiter: RateLimiter, database = fixture.database) => shareLimits({ database, log: silentLog() }, limiter)
/** How many of `most` it lets through. */
const spend = (limiter: RateLimiter, name: RateLimitName, of: string, most: number): number =>
  Array.from({ length: most }, () => limiter.take(name, of)).filter(({ allowed }) => allowed).length

it('processes that tell each other let through together what one would', async () => {
  const processes = [aProcess(), aProcess(), aProcess()]
  const { burst } = rateLimits.address
  let passed = 0
  for (let round = 0; round < 40; round += 1)
    for (const each of processes) {
      passed += spend(each, 'address', '192.0.2.1', Math.ceil(burst / 16))
      await share(each)
    }
  // Whoever has not heard yet lets through what it may keep to itself, and no more.
  expect(passed).toBeGreaterThanOrEqual(burst)
  expect(passed).toBeLessThanOrEqual(burst + (processes.length * burst) / 16 + processes.length)
})

it('what one has spent another hears of when it tells itself, and whom nobody asks for is told to nobody', async () => {
  const [one, other] = [aProcess(), aProcess()]
  expect(spend(one, 'register', '192.0.2.1', 100)).toBe(rateLimits.register.burst)
  await share(one)
  expect(spend(other, 'register', '192.0.2.1', 2)).toBe(2)
  await share(other)
  expect(spend(other, 'register', '192.0.2.1', 1)).toBe(0)
  expect(other.take('register', '192.0.2.1')).toMatchObject({ allowed: false, retryAfterSeconds: 3 })
  expect(spend(other, 'register', '192.0.2.2', 1)).toBe(1)
  spend(other, 'address', '192.0.2.2', 10)
  await share(other)
  const rows = await asOwner<{ level: number }>(fixture.ownerUrl, 'SELECT level FROM shared_limits ORDER BY level')
  // The ten are too few of a thousand to be worth a word.
  expect(rows.map(({ level }) => level)).toEqual([rateLimits.register.burst + 2])
})

it('what was spent runs off with time, and a process whose clock is behind brings nothing back and gives nothing away', async () => {
  const [one, other] = [aProcess(), aProcess()]
  spend(one, 'register', '192.0.2.1', 20)
  await share(one)
  now = addSeconds(now, 10)
  spend(other, 'register', '192.0.2.1', 2)
  await share(other)
  expect(spend(other, 'register', '192.0.2.1', 20)).toBe(8)
  await share(other)
  const levels = async () =>
    (await asOwner<{ level: number; at: Date }>(fixture.ownerUrl, 'SELECT level, at FROM shared_limits')).map(({ level, at }) => [
      level,
      +at,
    ])
  expect(await levels()).toEqual([[20, now]])
  now = addSeconds(now, -50)
  const behind = aProcess()
  spend(behind, 'register', '192.0.2.1', 2)
  await share(behind)
  now = addSeconds(now, 50)
  expect(await levels()).toEqual([[22, now]])
})

it('a clock that is put back by more than a minute begins anew', async () => {
  const one = aProcess()
  spend(one, 'register', '192.0.2.1', 20)
  await share(one)
  now = addSeconds(now, -3600)
  const another = aProcess()
  spend(another, 'register', '192.0.2.1', 2)
  await share(another)
  expect(spend(another, 'register', '192.0.2.1', 20)).toBe(18)
  now = addSeconds(now, 3600)
})

it('what had run off before it was told has run off for all', async () => {
  const [one, other] = [aProcess(), aProcess()]
  spend(one, 'register', '192.0.2.1', 20)
  now = addSeconds(now, 3600)
  await share(one)
  for (const each of [one, other]) {
    expect(spend(each, 'register', '192.0.2.1', 2)).toBe(2)
    await share(each)
  }
  expect(spend(one, 'register', '192.0.2.1', 20)).toBe(18)
})

it('what is spent while it is being told counts, and is told the next time', async () => {
  const one = aProcess()
  spend(one, 'register', '192.0.2.1', 10)
  const telling = share(one)
  expect(spend(one, 'register', '192.0.2.1', 20)).toBe(10)
  await telling
  expect(spend(one, 'register', '192.0.2.1', 1)).toBe(0)
  await share(one)
  expect(await asOwner(fixture.ownerUrl, 'SELECT level FROM shared_limits')).toEqual([{ level: 20 }])
})

it('what runs off while the answer is on its way has run off', async () => {
  const one = aProcess()
  spend(one, 'register', '192.0.2.1', 20)
  const telling = share(one)
  now = addSeconds(now, 10)
  await telling
  expect(spend(one, 'register', '192.0.2.1', 20)).toBe(10)
})

it('without a database each goes on by its own count, and tells all of it when there is one again', async () => {
  const gone = createDatabase({ url: fixture.url.replace(/:\d+\//, ':1/'), connectionBudget: 4 })
  const one = aProcess()
  expect(spend(one, 'register', '192.0.2.1', 15)).toBe(15)
  await share(one, gone)
  expect(spend(one, 'register', '192.0.2.1', 15)).toBe(5)
  await gone.close()
  await share(one)
  expect(await asOwner(fixture.ownerUrl, 'SELECT level FROM shared_limits')).toEqual([{ level: 20 }])
})

it('what was spent over a long time and told at once has run off in that time', async () => {
  const gone = createDatabase({ url: fixture.url.replace(/:\d+\//, ':1/'), connectionBudget: 4 })
  const processes = [aProcess(), aProcess()]
  for (let minute = 0; minute < 60; minute += 1) {
    for (const each of processes) {
      expect(spend(each, 'register', '192.0.2.1', 10)).toBe(10)
      if (minute % 20 === 0) await share(each, gone)
    }
    now = addSeconds(now, 60)
  }
  await gone.close()
  now = addSeconds(now, -59)
  await share(processes[0] as RateLimiter)
  expect(spend(processes[0] as RateLimiter, 'register', '192.0.2.1', 20)).toBe(11)
  // Of several that could tell nobody, nobody knows what ran off of all of it: a burst of each is the most that is held against the source.
  await share(processes[1] as RateLimiter)
  expect(spend(processes[1] as RateLimiter, 'register', '192.0.2.1', 1)).toBe(0)
  now = addSeconds(now, 31)
  expect(spend(processes[1] as RateLimiter, 'register', '192.0.2.1', 1)).toBe(1)
})

it('two processes that tell of the same ones at once wait for each other, and neither is given up', async () => {
  const names = Array.from({ length: 200 }, (_, index) => `192.0.2.${index}`)
  const [one, other] = [aProcess(), aProcess()]
  for (let round = 0; round < 5; round += 1) {
    for (const name of names) spend(one, 'register', name, 2)
    for (const name of [...names].reverse()) spend(other, 'register', name, 2)
    await Promise.all([share(one), share(other)])
  }
  expect(await asOwner(fixture.ownerUrl, 'SELECT DISTINCT level FROM shared_limits')).toEqual([{ level: 20 }])
})
