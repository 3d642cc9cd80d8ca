/** The production shape as real processes: a migration, two brokers, two workers, on a PostgreSQL that somebody else runs. */
import { freePort } from '@drawbridge/store/embedded-postgres'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { holdTables } from './a-held-table.js'
import { aPlainPostgres, type PlainPostgres, productionOn } from './a-plain-postgres.js'
import { answers, aProcess, type Environment, type Running, run, stackLine, statusOf } from './a-process.js'
import { eventually } from './a-product.js'

/** Processes start in these tests, and on a busy machine each takes its time. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let postgres: PlainPostgres
let production: Environment
const running: Running[] = []
const ports: Record<'brokers' | 'workers', number[]> = { brokers: [], workers: [] }

beforeAll(async () => {
  postgres = await aPlainPostgres()
  production = productionOn(postgres)
}, 180_000)
afterAll(async () => {
  await Promise.all(running.map((process) => process.stop('SIGKILL')))
  await postgres?.remove()
}, 60_000)

let adminKey = ''
const makeTenant = (port: number | undefined, slug: string) =>
  fetch(at(port, '/admin/v1/tenants'), {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ slug, name: slug }),
  })
const at = (port: number | undefined, path: string) => `http://127.0.0.1:${port}${path}`

describe('before the migration', () => {
  it.each(['broker', 'worker', 'admin-key create'])('%s says that the database lacks it, and ends with 1', async (name) => {
    const { code, output } = await run(name.split(' '), { ...production, DRAWBRIDGE_PORT: '0', DRAWBRIDGE_WORKER_PORT: '0' })
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('drawbridge migrate') })
    expect(output).not.toMatch(stackLine)
  })

  it('doctor finds that it is missing', async () => {
    const { code, output } = await run(['doctor'], production)
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('WRONG') })
    expect(output).not.toMatch(stackLine)
  })
})

describe('two brokers and two workers', () => {
  it('the migration may be run by two at once, and again', async () => {
    const owner = { ...production, DATABASE_OWNER_URL: postgres.ownerUrl }
    const both = await Promise.all([run(['migrate'], owner), run(['migrate'], owner)])
    expect(both.map(({ code, output }) => (code === 0 ? 0 : output))).toEqual([0, 0])
    expect(await run(['migrate'], owner)).toMatchObject({ code: 0, output: 'The database is up to date.\n' })
    expect(await run(['doctor'], production)).toMatchObject({ code: 0 })
  })

  it('start side by side, without the owner', async () => {
    for (let each = 0; each < 2; each++) {
      const [broker, worker] = [await freePort(), await freePort()]
      ports.brokers.push(broker)
      ports.workers.push(worker)
      running.push(aProcess(['broker'], { ...production, DRAWBRIDGE_PORT: String(broker) }))
      running.push(aProcess(['worker'], { ...production, DRAWBRIDGE_WORKER_PORT: String(worker) }))
    }
    const all = [ports.brokers[0], ports.workers[0], ports.brokers[1], ports.workers[1]]
    await Promise.all(running.map((process, index) => answers(process, at(all[index], '/readyz'))))
    for (const port of all) expect(await statusOf(at(port, '/healthz'))).toBe(200)
  })

  it.each(['brokers', 'workers'] as const)('the %s have figures for Prometheus', async (kind) => {
    for (const port of ports[kind]) {
      const response = await fetch(at(port, '/metrics'))
      expect(response.status).toBe(200)
      expect(await response.text()).toContain('# TYPE drawbridge_')
    }
  })

  it('a key made on the command line makes a tenant at one broker, which the other serves under the public issuer', async () => {
    const { code, output } = await run(['admin-key', 'create', '--name', 'operations'], production)
    expect({ code, output }).toEqual({ code: 0, output: expect.stringMatching(/^dba_[\w-]{43}\n$/) })
    adminKey = output.trim()
    const made = await makeTenant(ports.brokers[0], 'initech')
    expect(made.status).toBe(201)
    const metadata = await fetch(at(ports.brokers[1], '/t/initech/.well-known/openid-configuration'))
    expect(await metadata.json()).toMatchObject({
      issuer: 'https://login.example.com/t/initech',
      token_endpoint: 'https://login.example.com/t/initech/token',
    })
    const jwks = async (port: number | undefined) => (await fetch(at(port, '/t/initech/jwks'))).json()
    expect(await jwks(ports.brokers[1])).toEqual(await jwks(ports.brokers[0]))
  })

  it('SIGTERM ends each cleanly, the one that answers a request only after its answer', async () => {
    const held = await holdTables(postgres.ownerUrl, ['tenants'])
    const answer = makeTenant(ports.brokers[0], 'umbrella')
    await eventually(async () => (await held.waiting('drawbridge_tenant')) > 0)
    const ending = Promise.all(running.map((process) => process.stop()))
    await eventually(async () => (await statusOf(at(ports.brokers[0], '/healthz'))) === 0)
    expect(running[0]?.child.exitCode).toBeNull()
    await held.release()
    expect((await answer).status).toBe(201)
    const ends = await ending
    expect(ends.map(({ code, signal }) => ({ code, signal }))).toEqual(running.map(() => ({ code: 0, signal: null })))
    for (const { output } of ends) {
      expect(output).not.toMatch(/did not stop cleanly|Unhandled|deprecated/i)
      expect(output).not.toContain('a-password-of-the-test')
    }
  })
})
