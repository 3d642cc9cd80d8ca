/** What a start refuses, told whole, with exit code 1 and no stack: settings, kinds of database, lab, ports; and what it does not refuse. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { answers, aProcess, type Environment, run, stackLine } from './a-process.js'

/** Processes start in these tests, and on a busy machine each takes its time. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let database: TestDatabase
let production: Environment
let taken: Server
let takenPort = 0

beforeAll(async () => {
  database = await testDatabase({ waitsForCommits: true })
  takenPort = await freePort()
  taken = createServer().listen(takenPort, '127.0.0.1')
  production = {
    NODE_ENV: 'production',
    DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com',
    DRAWBRIDGE_MASTER_KEYS: `1:${Buffer.alloc(32, 7).toString('base64')}`,
    DRAWBRIDGE_PORT: '0',
    DRAWBRIDGE_WORKER_PORT: '0',
    DATABASE_URL: database.url,
  }
}, 180_000)
afterAll(async () => {
  taken.close()
  await database?.close()
})

async function refusal(words: readonly string[], environment: Environment): Promise<string> {
  const { code, output } = await run(words, environment)
  expect({ code, output }).toMatchObject({ code: 1 })
  expect(output).not.toMatch(stackLine)
  return output
}

/** Side by side: most of the time of each is its start. */
async function refusals(commands: readonly string[], environment: Environment, says: string): Promise<void> {
  const outputs = await Promise.all(commands.map((name) => refusal(name.split(' '), environment)))
  for (const output of outputs) expect(output).toContain(says)
}

describe('settings', () => {
  it.each(['broker', 'admin-key create'])('%s tells every mistake in one message', async (name) => {
    const output = await refusal(name.split(' '), {
      NODE_ENV: 'production',
      DRAWBRIDGE_PUBLIC_URL: 'http://login.example.com',
      DRAWBRIDGE_PORT: 'http',
      DRAWBRIDGE_LAB: 'true',
      DRAWBRIDGE_MASTER_KEYS: '1:short',
    })
    for (const told of [
      'DRAWBRIDGE_PORT',
      'DRAWBRIDGE_MASTER_KEYS',
      'DRAWBRIDGE_PUBLIC_URL must begin with https',
      'DRAWBRIDGE_LAB is refused',
      'DATABASE_URL is missing',
    ])
      expect(output).toContain(told)
    expect(output).not.toContain('1:short')
  })

  it('migrate names what it needs', async () => {
    expect(await refusal(['migrate'], production)).toContain('DATABASE_OWNER_URL')
  })

  it('migrate refuses the owner as the role of broker and worker: row-level security would not hold', async () => {
    const both = { ...production, DATABASE_URL: database.ownerUrl, DATABASE_OWNER_URL: database.ownerUrl }
    expect(await refusal(['migrate'], both)).toContain('must not be the owner')
  })

  it('a broker whose database is not there says so', async () => {
    const url = `postgresql://u:a-password-of-the-test@127.0.0.1:${await freePort()}/x`
    const output = await refusal(['broker'], { ...production, DATABASE_URL: url })
    expect(output).toContain('does not answer')
    expect(output).not.toContain('a-password-of-the-test')
  })

  it.each(['broker', 'worker'])('a %s whose port is taken says which', async (name) => {
    const output = await refusal([name], { ...production, DRAWBRIDGE_PORT: String(takenPort), DRAWBRIDGE_WORKER_PORT: String(takenPort) })
    expect(output).toContain('A port is in use')
    expect(output).toContain(String(takenPort))
  })
})

describe('production refuses', () => {
  it('the start with everything in it', async () => {
    const { DATABASE_URL: _, ...embedded } = production
    expect(await refusal(['start'], embedded)).toContain('DATABASE_URL is missing')
    expect(await refusal(['start'], production)).toContain('refuses NODE_ENV=production')
  })

  it('lab, by setting and by word', async () => {
    expect(await refusal(['broker', '--lab'], production)).toContain('DRAWBRIDGE_LAB is refused')
    expect(await refusal(['broker'], { ...production, DRAWBRIDGE_LAB: 'true' })).toContain('DRAWBRIDGE_LAB is refused')
  })

  it.each(['demo', 'lab'])('a %s database, for ever', async (kind) => {
    const other = await testDatabase()
    try {
      const id = '11111111-1111-4111-8111-111111111111'
      await asOwner(other.ownerUrl, 'INSERT INTO installation (id, kind, installation_id, created_at) VALUES (1, $1, $2, now())', [
        kind,
        id,
      ])
      await refusals(['broker', 'worker', 'admin-key create'], { ...production, DATABASE_URL: other.url }, `${kind} installation`)
    } finally {
      await other.close()
    }
  })
})

it('a connection of one tenant that leads to this machine keeps no process of production from starting; the broker tells of it', async () => {
  const insert = `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, gen_random_uuid(), $2, 'Desk', $3, now())`
  expect(await run(['admin-key', 'create'], production)).toMatchObject({ code: 0 })
  await asOwner(database.ownerUrl, insert, [vendorTenantId, 'oidc', JSON.stringify({ issuer: 'http://127.0.0.1:4410/globex' })])
  await asOwner(database.ownerUrl, insert, [vendorTenantId, 'assertion', JSON.stringify({ issuer: 'https://localhost/a-name' })])
  expect(await run(['admin-key', 'create'], production)).toMatchObject({ code: 0 })
  const [port, workerPort] = [await freePort(), await freePort()]
  const environment = { ...production, DRAWBRIDGE_PORT: String(port), DRAWBRIDGE_WORKER_PORT: String(workerPort) }
  const broker = aProcess(['broker'], environment)
  await answers(broker, `http://127.0.0.1:${port}/healthz`)
  const { output } = await broker.stop()
  expect(output.split('\n').filter((line) => line.includes('leads to this machine'))).toEqual([
    expect.stringContaining('http://127.0.0.1:4410'),
  ])
})

describe('the start on one machine refuses', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drawbridge-refusals-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('a public issuer: it brings a simulator', async () => {
    const environment = { DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com', DRAWBRIDGE_DATA_DIRECTORY: folder }
    expect(await refusal(['start'], environment)).toContain('refuses a public DRAWBRIDGE_PUBLIC_URL')
  })

  it('a database of somebody else', async () => {
    const environment = { DATABASE_URL: database.url, DRAWBRIDGE_MASTER_KEYS: production['DRAWBRIDGE_MASTER_KEYS'] as string }
    expect(await refusal(['start'], environment)).toContain('brings its own database')
  })

  it('a port that another program holds for its database', async () => {
    const environment = { DRAWBRIDGE_DATA_DIRECTORY: join(folder, 'data'), DRAWBRIDGE_EMBEDDED_DATABASE_PORT: String(takenPort) }
    const output = await refusal(['start'], environment)
    expect(output).toContain(`port ${takenPort} on 127.0.0.1 is in use`)
  })
})
