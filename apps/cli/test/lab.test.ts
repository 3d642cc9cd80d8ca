/** A lab as two processes would run it: a broker and a worker that share nothing but the database. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdminKey } from '@drawbridge/cli/admin-key'
import { startBroker, startWorker } from '@drawbridge/cli/compose'
import { openPlatform, type Platform } from '@drawbridge/cli/platform'
import { startSimulator } from '@drawbridge/cli/simulator'
import { samlConnectionOf } from '@drawbridge/cli/simulator-connections'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { readEnv } from '@drawbridge/runtime/env'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { createConnector, parseConnection } from '@drawbridge/upstream/connection'
import { migrateQueue } from '@drawbridge/worker/worker'
import { afterAll, beforeAll, expect, it } from 'vitest'

const never = () => Promise.reject(new Error('SAML fetches nothing'))
let fixture: TestDatabase
let beside: Platform
let behind: Platform
let broker: Awaited<ReturnType<typeof startBroker>>
let worker: Awaited<ReturnType<typeof startWorker>>
let origin: string
let key: string

beforeAll(async () => {
  fixture = await testDatabase()
  await migrateQueue(fixture.ownerUrl, fixture.url)
  const port = await freePort()
  origin = `http://localhost:${port}`
  const settings = readEnv({
    DRAWBRIDGE_LAB: 'true',
    DRAWBRIDGE_PORT: String(port),
    DRAWBRIDGE_PUBLIC_URL: origin,
    DRAWBRIDGE_WORKER_PORT: String(await freePort()),
    DRAWBRIDGE_SIMULATOR_PORT: String(await freePort()),
    DRAWBRIDGE_LOG_LEVEL: 'silent',
    DATABASE_URL: fixture.url,
    DRAWBRIDGE_MASTER_KEYS: `1:${Buffer.alloc(32, 7).toString('base64')}`,
  })
  beside = await openPlatform(settings, { kind: 'lab' })
  behind = await openPlatform(settings, { kind: 'lab' })
  key = await createAdminKey(beside, 'lab')
  broker = await startBroker(beside)
  worker = await startWorker(behind)
}, 60_000)
afterAll(async () => {
  await broker?.close()
  await worker?.close()
  await beside?.close()
  await behind?.close()
  await fixture?.close()
})

async function admin(method: string, path: string, body?: unknown) {
  const answer = await fetch(`${origin}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it never came true')
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

it('moves the clock of broker and worker together, and lets the worker sweep by it at once', async () => {
  const isThere = async () => (await asOwner(fixture.ownerUrl, 'SELECT 1 FROM replays')).length === 1
  await admin('POST', '/tenants', { slug: 'acme', name: 'Acme' })
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO replays (tenant_id, connection_id, kind, id_hash, expires_at)
     SELECT id, id, 'client_assertion', '\\x00', $1 FROM tenants WHERE slug = 'acme'`,
    [new Date()],
  )
  // Asked before the clock moves: from then on the sweep of the schedule may come at any moment, too.
  expect(await isThere()).toBe(true)
  const yearSeconds = 31_536_000
  const moved = await admin('PUT', '/lab/clock', { offsetSeconds: yearSeconds })
  expect(moved.status).toBe(200)
  await eventually(() => behind.clock.now() - Date.now() > (yearSeconds - 60) * 1000)
  expect(Math.abs(beside.clock.now() - behind.clock.now())).toBeLessThan(5000)

  const asked = await admin('POST', '/lab/job-runs')
  expect(asked.status).toBe(202)
  await eventually(async () => (await admin('GET', `/lab/job-runs/${asked.body['id']}`)).body['doneAt'] !== null)
  expect(await isThere()).toBe(false)
  await admin('PUT', '/lab/clock', { offsetSeconds: 0 })
  await eventually(() => behind.clock.now() - Date.now() < 60_000)
})

it('refuses a tenant’s flood by the quota that was set for it, and nobody else’s', async () => {
  await admin('POST', '/tenants', { slug: 'globex', name: 'Globex' })
  const ask = async (slug: string) => (await fetch(`${origin}/t/${slug}/scim/v2/Users`)).status
  expect((await admin('PUT', '/tenants/globex/lab/rate-limits', { address: { perSecond: 0.001, burst: 2 } })).status).toBe(200)
  expect([await ask('globex'), await ask('globex'), await ask('globex'), await ask('acme')]).toEqual([401, 401, 429, 401])
  const refused = await fetch(`${origin}/t/globex/scim/v2/Users`)
  expect(refused.headers.get('content-type')).toContain('application/scim+json')
  expect(await refused.json()).toMatchObject({ status: '429' })
  expect((await admin('PUT', '/tenants/globex/lab/rate-limits', {})).status).toBe(200)
  expect(await ask('globex')).toBe(401)
})

it('signs in unasked whoever the hint names, over the connection that a lab is seeded with', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'drawbridge lab '))
  const { simulator } = await startSimulator(beside, folder)
  try {
    const acsUrl = `${origin}/t/acme/saml/one/acs`
    const spEntityId = `${origin}/t/acme/saml/one/metadata`
    simulator.connect('acme', { acsUrl, spEntityId })
    const configuration = parseConnection('saml', samlConnectionOf(simulator).configuration)
    if (!configuration.ok) throw new Error(configuration.error.reason)
    const connector = createConnector({ random: beside.random, fetchSafely: never }, 'one' as ConnectionId, configuration.value, undefined)
    const ask = async (loginHint: string | undefined) => {
      const started = await connector.start({
        loginRequestId: beside.random.uuid(),
        callbackUrl: acsUrl,
        relayState: 'handle',
        stepUpAcr: undefined,
        forceAuthn: false,
        loginHint,
        now: beside.clock.now(),
      })
      if (!started.ok || started.value.answer.kind !== 'redirect') throw new Error('it redirects')
      return (await fetch(started.value.answer.url)).text()
    }
    expect(await ask('ada@acme.example')).toContain('SAMLResponse')
    expect(await ask(undefined)).not.toContain('SAMLResponse')
  } finally {
    await simulator.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

it('says on its pages that it is a lab', async () => {
  const page = await fetch(`${origin}/t/acme/authorize?client_id=nobody`, { headers: { accept: 'text/html' } })
  expect(await page.text()).toContain('Laboratory')
  const lost = await fetch(`${origin}/nothing/here`, { headers: { accept: 'text/html' } })
  expect(await lost.text()).toContain('Laboratory')
})

it('starts on no other database, and nothing else starts on its own', async () => {
  await expect(openPlatform(beside.settings, { kind: 'production' })).rejects.toThrow('lab installation')
  const other = await testDatabase({ waitsForCommits: true })
  try {
    const settings = readEnv({
      DATABASE_URL: other.url,
      DRAWBRIDGE_MASTER_KEYS: `1:${Buffer.alloc(32, 7).toString('base64')}`,
      DRAWBRIDGE_LOG_LEVEL: 'silent',
    })
    await (await openPlatform(settings, { kind: 'production' })).close()
    await expect(openPlatform(settings, { kind: 'lab' })).rejects.toThrow('can never become')
    await expect(asOwner(other.ownerUrl, "UPDATE tenants SET lab_rate_limits = '{}'")).rejects.toThrow('belong to a lab')
  } finally {
    await other.close()
  }
})

it.each([
  [{ NODE_ENV: 'production' }, 'NODE_ENV=production'],
  [{ DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com' }, 'on loopback'],
  [{ DRAWBRIDGE_HOST: '0.0.0.0' }, 'on loopback'],
])('is refused with %j', (over, says) => {
  expect(() => readEnv({ DRAWBRIDGE_LAB: 'true', ...over })).toThrow(says)
})
