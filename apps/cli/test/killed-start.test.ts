/** `kill -9` in the middle of a first start, and of a running product: the next start completes what was begun and keeps what was there. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, startEmbeddedPostgres } from '@drawbridge/store/embedded-postgres'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { answers, aProcess, type Environment, type Running, stackLine, until } from './a-process.js'

const root = mkdtempSync(join(tmpdir(), 'drawbridge killed '))
let running: Running | undefined
let folder = ''
let environment: Environment = {}
let url = ''

beforeAll(() => chmodSync(root, 0o755))
afterAll(() => rmSync(root, { recursive: true, force: true }))
afterEach(async () => {
  await running?.stop()
  await stopPostgres() // where the test failed and nobody else will
})

async function aPlace(name: string): Promise<void> {
  folder = join(root, name)
  const port = await freePort()
  url = `http://localhost:${port}`
  environment = {
    DRAWBRIDGE_DATA_DIRECTORY: folder,
    DRAWBRIDGE_PORT: String(port),
    DRAWBRIDGE_PUBLIC_URL: url,
    DRAWBRIDGE_WORKER_PORT: String(await freePort()),
    DRAWBRIDGE_SIMULATOR_PORT: String(await freePort()),
    DRAWBRIDGE_EXAMPLE_SERVER_PORT: String(await freePort()),
    DRAWBRIDGE_EMBEDDED_DATABASE_PORT: String(await freePort()),
  }
}

async function stopPostgres(): Promise<void> {
  const dataDirectory = join(folder, 'demo-database')
  if (!existsSync(join(dataDirectory, 'postmaster.pid'))) return
  const port = Number(environment['DRAWBRIDGE_EMBEDDED_DATABASE_PORT'])
  await (await startEmbeddedPostgres({ dataDirectory, port, durable: true, password: 'unused' })).stop()
}

const start = (): Running => {
  running = aProcess(['start'], environment)
  return running
}
const tenants = async (): Promise<readonly { id: string; slug: string }[]> => {
  const { adminKey } = JSON.parse(readFileSync(join(folder, 'demo-demonstration.json'), 'utf8')) as { adminKey: string }
  const response = await fetch(`${url}/admin/v1/tenants`, { headers: { authorization: `Bearer ${adminKey}` } })
  return ((await response.json()) as { tenants: { id: string; slug: string }[] }).tenants
}
const slugs = async () => (await tenants()).map(({ slug }) => slug).filter((slug) => slug !== 'vendor')

const moments = [
  {
    when: 'while the database is created',
    holds: () => existsSync(folder) && readdirSync(folder).some((name) => name.includes('.unfinished-')),
  },
  { when: 'while the demonstration is made', holds: () => (running?.output() ?? '').includes('Making the demonstration') },
] as const

it.each(moments)(
  'a first start killed $when is completed by the next',
  async ({ when, holds }) => {
    await aPlace(when.replaceAll(' ', '-'))
    await until(start(), holds)
    expect(await running?.stop('SIGKILL')).toMatchObject({ signal: 'SIGKILL' })
    await answers(start(), `${url}/readyz`)
    await until(running as Running, () => (running as Running).output().includes('Drawbridge is ready'))
    expect(await slugs()).toEqual(['acme', 'globex'])
    expect(running?.output()).not.toMatch(stackLine)
    expect(await running?.stop()).toMatchObject({ code: 0 })
  },
  120_000,
)

it('a running product that was killed starts again with its data, and does not print its first key again', async () => {
  await aPlace('running')
  await until(start(), () => (running as Running).output().includes('Drawbridge is ready'))
  const before = await tenants()
  const shown = /admin API key, shown this once: {2}(dba_[\w-]{43})\n/.exec((running as Running).output())?.[1] ?? 'none'
  expect((running as Running).output().split(shown)).toHaveLength(2)
  await running?.stop('SIGKILL')
  await until(start(), () => (running as Running).output().includes('Drawbridge is ready'))
  expect(running?.output()).toContain('Data of earlier starts are kept')
  expect(await tenants()).toEqual(before)
  expect((running as Running).output()).not.toContain(shown)
  expect(readFileSync(join(folder, 'demo.log'), 'utf8')).not.toContain(shown)
  expect(await running?.stop()).toMatchObject({ code: 0 })
  expect(existsSync(join(folder, 'demo-database', 'postmaster.pid'))).toBe(false)
}, 120_000)
