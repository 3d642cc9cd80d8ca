/** The queue on each engine: on PostgreSQL always, on a Redis of the test's own where there is one. */
import { spawn } from 'node:child_process'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { hasTool } from '@drawbridge/testkit/required-tool'

export type TestQueue = { readonly redisUrl: string | undefined; stop(): void }
export type Engine = { readonly engine: string; open(): Promise<TestQueue> }

const onPostgres: Engine = { engine: 'PostgreSQL', open: async () => ({ redisUrl: undefined, stop: () => undefined }) }

const onRedis: Engine = {
  engine: 'Redis',
  open: async () => {
    const port = await freePort()
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
    const server = spawn('redis-server', options, { stdio: 'ignore' })
    return { redisUrl: `redis://127.0.0.1:${port}`, stop: () => void server.kill() }
  },
}

export const bothQueues = (): readonly Engine[] => (hasTool('redis-server') ? [onPostgres, onRedis] : [onPostgres])
