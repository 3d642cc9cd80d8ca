/** The same fleet with its queue on a real Redis. */
import { type ChildProcess, spawn } from 'node:child_process'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { afterAll, beforeAll, describe } from '@jest/globals'
import { aFleet, describeFleet, type Fleet } from './a-fleet.js'

const onRedis = hasTool('redis-server') ? describe : describe.skip // npm brings no Redis; .ci/run installs and requires it

onRedis('two brokers and two workers, queue on Redis', () => {
  let redis: ChildProcess
  let fleet: Fleet

  beforeAll(async () => {
    const port = String(await freePort())
    const inMemory = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
    redis = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', ...inMemory], { stdio: 'ignore' })
    fleet = await aFleet({ REDIS_URL: `redis://127.0.0.1:${port}` })
  }, 120_000)
  afterAll(async () => {
    await fleet?.stop()
    redis.kill()
  }, 60_000)

  describeFleet(() => fleet)
})
