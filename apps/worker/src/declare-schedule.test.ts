/** Workers that start together say the same of what recurs, and nothing comes of it twice. */
import { silentLog } from '@drawbridge/runtime/log'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import type { Queue } from 'bullmq'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bothQueues, type TestQueue } from '../test/both-queues.js'
import { declareForgotten, declareSchedule, type ScheduleDeps, schedule } from './schedule.js'

const jobs = schedule.map(({ job }) => job).toSorted()

describe.each(bothQueues())('with the queue on $engine', ({ open }) => {
  let fixture: TestDatabase
  let engine: TestQueue
  let queues: readonly [Queue, ...Queue[]]
  let deps: ScheduleDeps
  beforeAll(async () => {
    fixture = await testDatabase()
    engine = await open(fixture)
    queues = [engine.queue('drawbridge'), ...[2, 3, 4].map(() => engine.queue('drawbridge'))]
    await Promise.all(queues.map((queue) => queue.waitUntilReady()))
    deps = { database: fixture.database, queue: engine.settings, log: silentLog() }
  })
  afterAll(async () => {
    await Promise.all(queues.map((queue) => queue.close()))
    engine?.stop()
    await fixture?.close()
  })
  beforeEach(() => engine.forgetEverything())

  /** Of whatever is planned or due; nobody is at work. */
  const turns = async () => (await queues[0].getJobs(['waiting', 'delayed', 'prioritized'])).map(({ name }) => name).toSorted()

  it('of several that start on an empty queue one plans each turn, however often', async () => {
    for (let round = 0; round < 8; round += 1) {
      await engine.forgetEverything()
      const declared = await Promise.all(queues.map((queue) => declareSchedule(deps, queue)))
      expect(await turns()).toEqual(jobs)
      if (engine.settings.redisUrl === undefined) expect(declared.flat().toSorted()).toEqual(jobs)
    }
  }, 60_000)

  it('so of several that see at once what the queue has forgotten', async () => {
    for (let round = 0; round < 4; round += 1) {
      await engine.forgetEverything()
      await Promise.all(queues.map((queue) => declareForgotten(deps, queue)))
      expect(await turns()).toEqual(jobs)
    }
  }, 60_000)

  it('what the queue has already is left alone, also while its turn is taken; what a version before declared otherwise is not', async () => {
    const [first] = schedule
    const [queue] = queues
    await declareSchedule(deps, queue)
    expect([await declareSchedule(deps, queue), await declareForgotten(deps, queue)]).toEqual([[], []])
    const worker = engine.worker('drawbridge', async ({ name }) => {
      if (name === first?.job) expect([await declareSchedule(deps, queue), await declareForgotten(deps, queue)]).toEqual([[], []])
    })
    const isOver = new Promise<void>((resolve, reject) => {
      worker.on('completed', ({ name }) => name === first?.job && resolve())
      worker.on('failed', (_job, error) => reject(error))
    })
    await isOver
    await worker.close()
    const id = `every-${first?.job}`
    await queue.upsertJobScheduler(id, { every: 86_400_000 }, { name: first?.job ?? '' })
    expect(await declareForgotten(deps, queue)).toEqual([])
    expect(await declareSchedule(deps, queue)).toEqual([first?.job])
    expect((await queue.getJobScheduler(id))?.every).toBe((first?.everySeconds ?? 0) * 1000)
  }, 60_000)
})
