/** A process of its own in front of the same database, whose limits a test overhears and uses up: which does a request spend, and what comes of it where one is spent? */
import type { AddressInfo } from 'node:net'
import { readEnv } from '@drawbridge/runtime/env'
import { brokerEndpoints } from '../src/app.js'
import { createClientCache } from '../src/clients/client-cache.js'
import type { BrokerDeps } from '../src/deps.js'
import { createRateLimiter, type RateLimiter, type RateLimitName, rateLimits } from '../src/http/rate-limit.js'
import { createHttpServer } from '../src/http/server.js'

export type Spent = { readonly name: RateLimitName; readonly of: string }
/** A process that knows nobody, with limits that a test overhears and uses up. */
export type Limited = { readonly url: string; readonly spent: Spent[]; useUp(spent: Spent): void; close(): void }

export async function aLimitedBroker(deps: BrokerDeps): Promise<Limited> {
  const limiter = createRateLimiter(deps.clock)
  const spent: Spent[] = []
  const overheard: RateLimiter = {
    ...limiter,
    take: (name, of, quota) => {
      spent.push({ name, of })
      return limiter.take(name, of, quota)
    },
  }
  const settings = readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' })
  const server = createHttpServer({ ...deps, settings, clients: createClientCache(deps.database) }, brokerEndpoints, overheard)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    ...{ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spent },
    useUp: ({ name, of }) => {
      for (let left = rateLimits[name].burst; left > 0 && limiter.take(name, of).allowed; left -= 1);
    },
    close: () => server.close(),
  }
}
