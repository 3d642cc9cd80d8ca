/** The same fleet with its queue on a real Redis. */
import { hasTool } from '@drawbridge/testkit/required-tool'
import { afterAll, beforeAll, describe } from 'vitest'
import { aFleet, describeFleet, type Fleet } from './a-fleet.js'
import { aRedis, type TestRedis } from './a-redis.js'

const onRedis = hasTool('redis-server') ? describe : describe.skip // npm brings no Redis; .ci/run installs and requires it

onRedis('two brokers and two workers, queue on Redis', () => {
  let redis: TestRedis
  let fleet: Fleet

  beforeAll(async () => {
    redis = await aRedis()
    fleet = await aFleet({ REDIS_URL: redis.url })
  }, 120_000)
  afterAll(async () => {
    await fleet?.stop()
    await redis?.stop()
  }, 60_000)

  describeFleet(() => fleet)
})
