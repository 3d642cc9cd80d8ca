/**
 * A throw-away installation to measure: PostgreSQL as `npm start` runs it (fsync and synchronous commit on), a lab database, one
 * tenant, and broker and worker as processes of their own, started by the same command as in production.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { migrate } from '@drawbridge/cli/migrate'
import { openPlatform, type Platform } from '@drawbridge/cli/platform'
import { hashCredential } from '@drawbridge/crypto/hash'
import { type EnvSource, processEnvironment, readEnv } from '@drawbridge/runtime/env'
import { createSimulator } from '@drawbridge/simulator/simulator'
import { freePort, startEmbeddedPostgres } from '@drawbridge/store/embedded-postgres'
import { insertScimToken } from '@drawbridge/store/scim-tokens'
import { inTenant } from '@drawbridge/store/transaction'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import type { TestDatabase } from '@drawbridge/testkit/database'
import { giveIssuerKeys, type KeyMaking } from './issuer-keys.js'
import { aLoginTenant, type LoginTenant } from './login-tenant.js'

export const benchSlug = 'bench'
export const drawbridgeCommand = fileURLToPath(new URL('../../apps/cli/bin/drawbridge.mjs', import.meta.url))
const readyWithinMs = 30_000
const pollMs = 10

export type Laboratory = {
  readonly platform: Platform
  /** In the form that testkit's builders take. */
  readonly fixture: TestDatabase
  /** Its grants are opened directly; its people sign in nowhere. */
  readonly tenant: ATenant
  /** Its people sign in at the simulator, which runs in this process. */
  readonly loginTenant: LoginTenant
  readonly scimToken: string
  readonly databasePid: number
  readonly brokerUrl: string
  readonly issuer: string
  startBroker(): Promise<number>
  startWorker(): Promise<number>
  close(): Promise<void>
}

export async function openLaboratory(): Promise<Laboratory> {
  const folder = openTemporaryFolder()
  const server = await startEmbeddedPostgres({
    dataDirectory: join(folder, 'data'),
    port: await freePort(),
    durable: true,
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  })
  const children: ChildProcess[] = []
  const stop = async () => {
    await stopAll(children)
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const ownerUrl = server.url('drawbridge')
    const url = new URL(ownerUrl)
    url.username = 'drawbridge_runtime'
    url.password = randomBytes(16).toString('hex')
    await migrate(ownerUrl, url.href)
    const environment = await labEnvironment(url.href)
    const platform = await openPlatform(readEnv(environment), { kind: 'lab', logFile: join(folder, 'bench.log') })
    const fixture: TestDatabase = { database: platform.database, url: url.href, ownerUrl, close: () => platform.database.close() }
    const brokerUrl = environment.DRAWBRIDGE_PUBLIC_URL
    const tenant = await aTenant(fixture, { slug: benchSlug, publicUrl: brokerUrl })
    const making = keyMakingOf(platform)
    const scimToken = await furnish(platform, making, tenant)
    const simulator = createSimulator({ port: 0, signInWithoutAsking: true })
    await simulator.start()
    const loginTenant = await aLoginTenant(fixture, making, simulator, brokerUrl)
    const start = (command: 'broker' | 'worker', readyUrl: string) =>
      startProcess(children, environment, command, join(folder, `${command}.log`), readyUrl)
    return {
      platform,
      fixture,
      tenant,
      loginTenant,
      scimToken,
      databasePid: server.processId,
      brokerUrl,
      issuer: `${brokerUrl}/t/${benchSlug}`,
      startBroker: () => start('broker', `${brokerUrl}/readyz`),
      startWorker: () => start('worker', `http://127.0.0.1:${environment.DRAWBRIDGE_WORKER_PORT}/readyz`),
      close: async () => {
        await stopAll(children)
        await simulator.close()
        await platform.close()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The server's user must be able to pass through it. */
export function openTemporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'drawbridge-bench-'))
  chmodSync(folder, 0o755)
  return folder
}

/** Logs at the level of production, to a file; one proxy is believed, see `createSender`. */
async function labEnvironment(databaseUrl: string) {
  const port = await freePort()
  return {
    DATABASE_URL: databaseUrl,
    DRAWBRIDGE_MASTER_KEYS: `1:${randomBytes(32).toString('base64')}`,
    DRAWBRIDGE_LAB: 'true',
    DRAWBRIDGE_PORT: String(port),
    DRAWBRIDGE_PUBLIC_URL: `http://localhost:${port}`,
    DRAWBRIDGE_WORKER_PORT: String(await freePort()),
    DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1',
    DRAWBRIDGE_LOG_LEVEL: 'info',
  }
}

const keyMakingOf = ({ database, sealer, random, clock, installation }: Platform): KeyMaking => ({
  database,
  sealer,
  random,
  installationId: installation.installationId,
  now: clock.now(),
})

/** What the tenant needs beyond its rows: keys and a directory's token. */
async function furnish({ database, random }: Platform, making: KeyMaking, tenant: ATenant): Promise<string> {
  await giveIssuerKeys(making, tenant)
  const token = `dbs_${random.token()}`
  await inTenant(database, tenant.tenantId, (db) =>
    insertScimToken(db, tenant.tenantId, {
      id: random.uuid(),
      connectionId: tenant.connectionId,
      name: 'bench',
      secretHash: hashCredential(token),
      now: making.now,
    }),
  )
  return token
}

/** Answers the process id once it says that it is ready. */
async function startProcess(children: ChildProcess[], environment: EnvSource, command: string, logFile: string, readyUrl: string) {
  const { PATH } = processEnvironment()
  const child = spawn(process.execPath, [drawbridgeCommand, command], { env: { PATH, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let said = ''
  child.stderr.on('data', (data: Buffer) => (said = (said + data.toString('utf8')).slice(-4096)))
  child.stdout.pipe(createWriteStream(logFile))
  const until = performance.now() + readyWithinMs
  while (!(await answers(readyUrl))) {
    if (child.exitCode !== null || performance.now() > until) throw new Error(`drawbridge ${command} did not become ready:\n${said}`)
    await sleep(pollMs)
  }
  return child.pid as number
}

export const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (answer) => {
      await answer.arrayBuffer()
      return answer.ok
    },
    () => false,
  )

/** In the reverse order of starting. */
async function stopAll(children: readonly ChildProcess[]): Promise<void> {
  for (const child of children.toReversed()) await stopChild(child)
}

export function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}
