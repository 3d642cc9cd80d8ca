import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tellStory } from '@drawbridge/cli/demo'
import { openEmbeddedDatabase } from '@drawbridge/cli/embedded-database'
import { openPlatform } from '@drawbridge/cli/platform'
import { type Started, startEverything } from '@drawbridge/cli/start'
import { readEnv } from '@drawbridge/runtime/env'
import { silentLog } from '@drawbridge/runtime/log'
import { stopInOrder } from '@drawbridge/runtime/shutdown'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { environmentIn } from './a-product.js'

const pastTheSecondMs = 1100
let folder: string
let environment: Record<string, string>
let started: Started

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drawbridge start '))
  chmodSync(folder, 0o755) // or the data of a run as root would rest below /var/tmp
  const dataDirectory = join(folder, 'data with spaces')
  environment = { ...(await environmentIn(folder)), DRAWBRIDGE_DATA_DIRECTORY: dataDirectory, DRAWBRIDGE_RATE_LIMIT_FACTOR: '1' }
  started = await startEverything(readEnv(environment), () => undefined)
}, 120_000)

afterAll(async () => {
  await stopInOrder(started?.parts ?? [], silentLog())
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

const get = (path: string) => fetch(`${environment['DRAWBRIDGE_PUBLIC_URL']}${path}`)

describe('one command starts the house', () => {
  it('answers as alive and ready', async () => {
    expect((await get('/healthz')).status).toBe(200)
    expect((await get('/readyz')).status).toBe(200)
    expect((await fetch(`http://127.0.0.1:${environment['DRAWBRIDGE_WORKER_PORT']}/readyz`)).status).toBe(200)
  })

  it('tells the story from login to kill, twice: reinstatement brings a person back, never a token', async () => {
    for (let telling = 1; telling <= 2; telling++) {
      const { killedAfterMs } = await tellStory(started.platform.settings, () => undefined)
      // Evidence from the barrier's own second is refused (security.md §1), so the next login must be made after it.
      await new Promise((resolve) => setTimeout(resolve, pastTheSecondMs))
      expect(killedAfterMs).toBeGreaterThan(0) // the aim is measured in bench/, never asserted here
    }
  }, 60_000)

  it('keeps its secrets beside the database, never inside, for its owner only', () => {
    const file = join(environment['DRAWBRIDGE_DATA_DIRECTORY'] as string, 'demo-secrets.json')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(environment['DRAWBRIDGE_DATA_DIRECTORY'] as string, 'demo-demonstration.json')).mode & 0o777).toBe(0o600)
  })

  it('logs no credential', () => {
    const log = readFileSync(join(environment['DRAWBRIDGE_DATA_DIRECTORY'] as string, 'demo.log'), 'utf8')
    expect(log).not.toContain(started.demonstration.adminKey)
    expect(log).not.toContain(started.demonstration.resourceCredential.secret)
  })

  it('refuses to open its database as another kind of installation (security.md §13)', async () => {
    const settings = { ...started.platform.settings, connectionBudget: 9 }
    await expect(openPlatform(settings, { kind: 'production' })).rejects.toThrow('demo installation')
    await expect(openPlatform(settings, { kind: 'lab' })).rejects.toThrow('can never become')
  })

  it('finds the server that is running instead of starting a second one, and leaves it running', async () => {
    const embedded = await openEmbeddedDatabase(readEnv(environment))
    expect(embedded.isNew).toBe(false)
    await embedded.stopIfOurs()
    expect((await get('/readyz')).status).toBe(200)
  })

  it('says which port is taken, and leaves nothing running that it started', async () => {
    const other = {
      ...environment,
      DRAWBRIDGE_DATA_DIRECTORY: join(folder, 'other'),
      DRAWBRIDGE_EMBEDDED_DATABASE_PORT: String(await freePort()),
    }
    await expect(startEverything(readEnv(other), () => undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  }, 60_000)
})
