/** The worker's own HTTP: what is ready, and who may read the figures. */
import { networkInterfaces } from 'node:os'
import { Secret } from '@drawbridge/core/secret'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { afterEach, expect, it } from 'vitest'
import { type Health, type HealthOptions, serveHealth } from './health.js'

let health: Health | undefined
afterEach(() => health?.close())

const token = 'sixteen characters or more'
async function serve(over: Partial<HealthOptions> = {}): Promise<(path: string, authorization?: string) => Promise<Response>> {
  const metrics = createMetrics({ withProcess: false })
  const metricsAccess = { metricsToken: undefined, trustedProxyHops: 0 }
  health = await serveHealth({ host: '127.0.0.1', port: 0, metrics, metricsAccess, checks: {}, ...over })
  const { port } = health
  return (path, authorization) =>
    fetch(`http://127.0.0.1:${port}${path}`, authorization === undefined ? {} : { headers: { authorization } })
}
const guarded = { metricsAccess: { metricsToken: new Secret(token), trustedProxyHops: 0 } }

it('gives its figures to loopback when there is no token', async () => {
  const get = await serve()
  expect(await (await get('/metrics')).text()).toContain('# TYPE drawbridge_jobs_total counter')
})

it('gives its figures for the token alone when there is one, and seems to have none otherwise', async () => {
  const get = await serve(guarded)
  expect((await get('/metrics', `Bearer ${token}`)).status).toBe(200)
  for (const refused of [await get('/metrics'), await get('/metrics', 'Bearer another one, as long')]) {
    expect(refused.status).toBe(404)
    expect(await refused.text()).not.toContain('drawbridge_')
  }
  for (const path of ['/healthz', '/readyz']) expect((await get(path)).status).toBe(200)
})

const outside = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address
if (outside === undefined) console.log('skipped: this machine has no address but loopback')
const onNetwork = outside === undefined ? it.skip : it // a machine without a network has no other address to ask from

onNetwork('gives nobody beyond loopback its figures without a token, wherever it listens', async () => {
  await serve({ host: '0.0.0.0' })
  const at = (path: string) => fetch(`http://${outside}:${health?.port}${path}`)
  expect((await at('/healthz')).status).toBe(200)
  expect((await at('/metrics')).status).toBe(404)
})

it('names what it lacks', async () => {
  const get = await serve({ checks: { postgresql: () => true, queue: async () => false } })
  const unready = await get('/readyz')
  expect([unready.status, await unready.json()]).toEqual([503, { status: 'unready', needs: { postgresql: true, queue: false } }])
  expect((await get('/healthz')).status).toBe(200)
  expect((await get('/anything')).status).toBe(404)
})
