/** The same worker with its queue on a real Redis. Skipped, with the reason printed, where npm alone cannot bring one. */
import { type ChildProcess, spawn } from 'node:child_process'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, countOf, eventually, installationId, jobDeps, sealer } from '../test/a-company.js'
import { createWorker } from './worker.js'

const hasRedis = hasTool('redis-server')
const onRedis = hasRedis ? it : it.skip // npm brings no Redis; .ci/run installs and requires it

let fixture: TestDatabase
let redis: ChildProcess | undefined
let redisUrl = ''

beforeAll(async () => {
  if (!hasRedis) return
  fixture = await testDatabase()
  const port = await freePort()
  redisUrl = `redis://127.0.0.1:${port}`
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
  redis = spawn('redis-server', options, { stdio: 'ignore' })
})
afterAll(async () => {
  redis?.kill()
  await fixture?.close()
})

onRedis('two workers on Redis turn deprovisionings into notices, each once', async () => {
  const company = await aCompany(fixture, 'acme')
  const start = () =>
    createWorker({
      ...jobDeps(fixture),
      sealer,
      installationId,
      queue: { databaseUrl: fixture.url, redisUrl },
      metricsAccess: { metricsToken: undefined, trustedProxyHops: 0 },
      host: '127.0.0.1',
      port: 0,
    })
  const workers = await Promise.all([start(), start()])
  try {
    await Promise.all(Array.from({ length: 10 }, () => company.kill()))
    await eventually(async () => (await countOf(fixture, 'outbox WHERE done_at IS NULL')) === 0)
    expect(await countOf(fixture, 'notices')).toBe(20)
    expect(await countOf(fixture, 'revocations')).toBe(10)
    expect((await fetch(`http://127.0.0.1:${workers[0]?.port}/readyz`)).status).toBe(200)
  } finally {
    await Promise.all(workers.map((worker) => worker.close()))
  }
})
