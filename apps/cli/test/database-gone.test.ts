/** PostgreSQL goes away under a running broker and worker, and comes back: 503 meanwhile, no accepted event lost, nobody restarts anything. */
import { freePort } from '@drawbridge/store/embedded-postgres'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aPlainPostgres, type PlainPostgres, productionOn } from './a-plain-postgres.js'
import { answers, aProcess, type Environment, type Running, run, stackLine, statusOf, until } from './a-process.js'

let postgres: PlainPostgres
let production: Environment
let broker: Running
let worker: Running
let brokerUrl = ''
let workerUrl = ''
let adminKey = ''
let clientId = ''

beforeAll(async () => {
  postgres = await aPlainPostgres()
  production = productionOn(postgres)
  expect(await run(['migrate'], { ...production, DATABASE_OWNER_URL: postgres.ownerUrl })).toMatchObject({ code: 0 })
  adminKey = (await run(['admin-key', 'create'], production)).output.trim()
  const [port, workerPort] = [await freePort(), await freePort()]
  brokerUrl = `http://127.0.0.1:${port}`
  workerUrl = `http://127.0.0.1:${workerPort}`
  broker = aProcess(['broker'], { ...production, DRAWBRIDGE_PORT: String(port) })
  worker = aProcess(['worker'], { ...production, DRAWBRIDGE_WORKER_PORT: String(workerPort) })
  await Promise.all([answers(broker, `${brokerUrl}/readyz`), answers(worker, `${workerUrl}/readyz`)])
  expect((await admin('POST', '/tenants', { slug: 'initech', name: 'Initech' })).status).toBe(201)
  const client = { name: 'Agent', redirectUris: ['https://agent.example/callback'], preApproved: true }
  clientId = ((await (await admin('POST', '/tenants/initech/clients', client)).json()) as { clientId: string }).clientId
}, 180_000)
afterAll(async () => {
  await Promise.all([broker?.stop('SIGKILL'), worker?.stop('SIGKILL')])
  await postgres?.remove()
}, 60_000)

const admin = (method: string, path: string, body: unknown) =>
  fetch(`${brokerUrl}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
const kill = () => admin('POST', `/tenants/initech/clients/${clientId}/kill`, { reason: 'it misbehaves' })
const undone = async () =>
  (await asOwner<{ n: number }>(postgres.ownerUrl, 'SELECT count(*)::int AS n FROM outbox WHERE done_at IS NULL'))[0]?.n
const events = async () => (await asOwner<{ n: number }>(postgres.ownerUrl, 'SELECT count(*)::int AS n FROM deprovisioning_events'))[0]?.n

it('answers 503 with Retry-After, keeps every accepted event, and goes on by itself', async () => {
  await worker.stop() // so that what was accepted still waits in the outbox when the database goes
  let accepted = 0
  for (let each = 0; each < 3; each++) {
    const { status } = await kill()
    expect(status).toBeLessThan(300)
    accepted += 1
  }
  const stopped = postgres.stop()
  while ((await statusOf(`${brokerUrl}/readyz`)) !== 503) {
    const { status } = await kill() // those in the very moment: accepted, or refused with 503, nothing in between
    if (status < 300) accepted += 1
    else expect(status).toBe(503)
  }
  await stopped
  for (const path of ['/readyz', '/t/initech/jwks', '/t/unheard/jwks', '/t/unheard/authorize?x=1']) {
    const response = await fetch(`${brokerUrl}${path}`)
    if (path === '/t/initech/jwks' && response.status === 200) continue // a cache that saves work may still answer
    expect({ path, status: response.status }).toEqual({ path, status: 503 })
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await response.text()).not.toMatch(stackLine)
  }
  const refused = await kill()
  expect(refused.status).toBe(503)
  expect(refused.headers.get('retry-after')).not.toBeNull()
  expect(await statusOf(`${brokerUrl}/healthz`)).toBe(200)

  await postgres.start()
  await answers(broker, `${brokerUrl}/readyz`)
  expect(await statusOf(`${brokerUrl}/t/initech/jwks`)).toBe(200)
  expect(await events()).toBe(accepted)
  const again = aProcess(['worker'], { ...production, DRAWBRIDGE_WORKER_PORT: new URL(workerUrl).port })
  worker = again
  await until(again, async () => (await undone()) === 0)
}, 60_000)

it('a worker that lived through it works on, and listens again', async () => {
  await answers(worker, `${workerUrl}/readyz`)
  await postgres.stop()
  await until(worker, async () => (await statusOf(`${workerUrl}/readyz`)) === 503)
  expect(await statusOf(`${workerUrl}/healthz`)).toBe(200)
  await postgres.start()
  await answers(worker, `${workerUrl}/readyz`)
  await answers(broker, `${brokerUrl}/readyz`)
  expect((await kill()).status).toBeLessThan(300)
  await until(worker, async () => (await undone()) === 0)
}, 60_000)

it('both end cleanly while the database is away', async () => {
  await postgres.stop()
  const ends = await Promise.all([broker.stop(), worker.stop()])
  expect(ends.map(({ code, afterMs }) => ({ code, fast: afterMs < 6000 }))).toEqual([0, 1].map(() => ({ code: 0, fast: true })))
  for (const { output } of ends) expect(output).not.toMatch(/an invariant broke|Unhandled/)
}, 40_000)
