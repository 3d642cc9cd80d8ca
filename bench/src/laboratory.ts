/**
 * A throw-away installation to measure: PostgreSQL as `npm start` runs it (fsync and synchronous commit on), a lab database, one
 * tenant, and broker and worker as processes of their own, started by the same command as in production.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '@drawbridge/cli/migrate'
import { openPlatform, type Platform } from '@drawbridge/cli/platform'
import { hashCredential } from '@drawbridge/crypto/hash'
import { readEnv } from '@drawbridge/runtime/env'
import { createLog } from '@drawbridge/runtime/log'
import { onShutdownSignal, type Stoppable, stopInOrder } from '@drawbridge/runtime/shutdown'
import { createSimulator, type Simulator } from '@drawbridge/simulator/simulator'
import { freePort, startEmbeddedPostgres } from '@drawbridge/store/embedded-postgres'
import { insertScimToken } from '@drawbridge/store/scim-tokens'
import { markProvisioningMode } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import type { TestDatabase } from '@drawbridge/testkit/database'
import { type BenchIdp, createBenchIdp } from './bench-idp.js'
import { type FederationTenants, federationTenants } from './federation-tenants.js'
import { giveIssuerKeys, type KeyMaking } from './issuer-keys.js'
import { anOpenIdTenant, type LoginTenant } from './login-tenant.js'
import { registerMachines } from './machine-clients.js'
import { startServer } from './server-process.js'

export const benchSlug = 'bench'

export type Laboratory = {
  readonly platform: Platform
  /** In the form that testkit's builders take. */
  readonly fixture: TestDatabase
  /** Its grants are opened directly; its people sign in nowhere. */
  readonly tenant: ATenant
  /** Plays the companies' IdP, in this process. */
  readonly idp: BenchIdp
  readonly federation: FederationTenants
  readonly simulator: Simulator
  /** Its people sign in at the simulator's OpenID provider, which runs in this process, too. */
  readonly openIdTenant: LoginTenant
  readonly scimToken: string
  readonly databasePid: number
  readonly brokerUrl: string
  readonly issuer: string
  /** Both answer the process id. */
  startBroker(): Promise<number>
  startWorker(): Promise<number>
}

/** Runs something in a new laboratory, of which nothing is left afterwards: not after a fault, nor after Ctrl-C. */
export async function inLaboratory(run: (laboratory: Laboratory) => Promise<void>): Promise<void> {
  const parts: Stoppable[] = []
  const stop = () => stopInOrder(parts, createLog({ level: 'warn' }))
  const forget = onShutdownSignal(async () => {
    await stop()
    process.exit(130)
  })
  try {
    await run(await openLaboratory(parts))
  } finally {
    forget()
    await stop()
  }
}

async function openLaboratory(parts: Stoppable[]): Promise<Laboratory> {
  const folder = openTemporaryFolder()
  parts.push({ name: 'files', stop: () => rmSync(folder, { recursive: true, force: true }) })
  const { databasePid, ownerUrl, url } = await openDatabase(parts, join(folder, 'data'))
  const environment = await labEnvironment(url)
  const platform = await openPlatform(readEnv(environment), { kind: 'lab', logFile: join(folder, 'bench.log') })
  parts.push({ name: 'connections', stop: () => platform.close() })
  // By name, because Jackson believes no other host without TLS.
  const simulatorPort = await freePort()
  const simulator = createSimulator({ port: simulatorPort, publicUrl: `http://localhost:${simulatorPort}`, signInWithoutAsking: true })
  await simulator.start()
  parts.push({ name: 'simulator', stop: () => simulator.close() })
  const fixture: TestDatabase = { database: platform.database, url, ownerUrl, close: () => platform.database.close() }
  const making = keyMakingOf(platform)
  const idp = createBenchIdp()
  const brokerUrl = environment.DRAWBRIDGE_PUBLIC_URL
  const tenant = await aTenant(fixture, { slug: benchSlug, publicUrl: brokerUrl })
  const start = async (command: 'broker' | 'worker', origin: string): Promise<number> => {
    const server = await startServer({ command, environment, logFile: join(folder, `${command}.log`), readyUrl: `${origin}/readyz` })
    parts.push({ name: command, stop: () => server.stop() })
    return server.pid
  }
  return {
    platform,
    fixture,
    tenant,
    idp,
    simulator,
    federation: await federationTenants({ fixture, making, publicUrl: brokerUrl }, idp),
    openIdTenant: await anOpenIdTenant({ fixture, making, simulator, publicUrl: brokerUrl }),
    scimToken: await furnish(fixture, platform, making, tenant),
    databasePid,
    brokerUrl,
    issuer: `${brokerUrl}/t/${benchSlug}`,
    startBroker: () => start('broker', brokerUrl),
    startWorker: () => start('worker', `http://127.0.0.1:${environment.DRAWBRIDGE_WORKER_PORT}`),
  }
}

async function openDatabase(parts: Stoppable[], dataDirectory: string) {
  const server = await startEmbeddedPostgres({
    dataDirectory,
    port: await freePort(),
    durable: true,
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  })
  parts.push({ name: 'PostgreSQL', stop: () => server.stop() })
  const ownerUrl = server.url('drawbridge')
  const url = new URL(ownerUrl)
  url.username = 'drawbridge_runtime'
  url.password = randomBytes(16).toString('hex')
  await migrate(ownerUrl, url.href)
  return { databasePid: server.processId, ownerUrl, url: url.href }
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
    // They stay on and are paid for; a directory's one token asks for more than any directory.
    DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000',
  }
}

const keyMakingOf = ({ database, sealer, random, clock, installation }: Platform): KeyMaking => ({
  database,
  sealer,
  random,
  installationId: installation.installationId,
  now: clock.now(),
})

/** What the tenant needs beyond its rows: keys, clients that act for themselves, and a directory's token. */
async function furnish(fixture: TestDatabase, { database, random }: Platform, making: KeyMaking, tenant: ATenant): Promise<string> {
  await giveIssuerKeys(making, tenant)
  await registerMachines(fixture, tenant, making.now)
  const token = `dbs_${random.token()}`
  await inTenant(database, tenant.tenantId, (db) => markProvisioningMode(db, tenant.tenantId, 'just_in_time'))
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
