/** No state in a process: two brokers and two workers on one database, the queue in PostgreSQL. */
import { afterAll, beforeAll, describe } from 'vitest'
import { aFleet, describeFleet, type Fleet } from './a-fleet.js'

let fleet: Fleet

beforeAll(async () => {
  fleet = await aFleet()
}, 120_000)
afterAll(() => fleet?.stop(), 60_000)

describe('two brokers and two workers, queue in PostgreSQL', () => describeFleet(() => fleet))
