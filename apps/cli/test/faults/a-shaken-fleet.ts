/** Two brokers, two workers, a PostgreSQL, perhaps a Redis, three guards, a receiver of another maker, and three companies; each program a process of its own, or nearly, and on a line that can be cut. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuard, type Guard, leastDeafAfterSeconds } from '@drawbridge/guard/create-guard'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { aTcpProxy, type TcpProxy } from '@drawbridge/testkit/a-tcp-proxy'
import { aLoadBalancer } from '../a-load-balancer.js'
import { aPlainPostgres, type PlainPostgres, productionOn } from '../a-plain-postgres.js'
import { aProcess, type Environment, type Running, run, statusOf } from '../a-process.js'
import { adminAt, publicUrl, shareResource } from '../a-production.js'
import { aRedis, type TestRedis } from '../a-redis.js'
import { type Company, openCompanies, slugs } from './companies.js'
import { aForeignReceiver, type Foreign } from './foreign.js'
import { type QueueEngine, queueOnPostgres, queueOnRedis } from './full-queue.js'
import { anOutside, type Outside } from './outside.js'
import { type Heard, overhearing } from './overheard.js'

/** A process that may be killed and comes back, and the lines that it has. */
export type Member = {
  readonly name: string
  readonly port: number
  readonly lines: readonly TcpProxy[]
  /** Milliseconds by which its clock is ahead. */
  setClock(ahead: number): void
  kill(): Promise<void>
  start(): void
  isReady(): Promise<boolean>
  /** All that it said in all its lives. */
  output(): string
}
/** Where callers find one broker, by a line that can be cut; and by a way that is always slower than that. */
export type Door = { readonly name: string; readonly url: string; readonly slowUrl: string; readonly line: TcpProxy }
export type Receiver = {
  readonly name: string
  readonly line: TcpProxy
  /** All that it was sent, in all its lives. */
  readonly heard: readonly Heard[]
  guard(): Guard
  restart(): Promise<void>
  instance(): string
}
export type ShakenFleet = {
  readonly postgres: PlainPostgres
  readonly redis: TestRedis | undefined
  readonly queue: QueueEngine
  readonly brokers: readonly Member[]
  readonly workers: readonly Member[]
  readonly doors: readonly Door[]
  readonly receivers: readonly Receiver[]
  readonly outside: Outside
  readonly foreign: Foreign
  readonly companies: readonly Company[]
  /** Where the brokers are found, in turn. */
  readonly brokersAt: string
  readonly adminKey: string
  /** Waits until everybody serves. */
  mended(): Promise<void>
  stop(): Promise<void>
}
export type Engine = 'postgresql' | 'redis'

const [skewedClock, nameService] = ['./skewed-clock.mjs', './name-service.mjs'].map((file) => new URL(file, import.meta.url).href)
const patienceMs = 120_000
const restartMs = 500
/** What is sent after it within this time may overtake what goes the slow way. */
const slowWayMs = 150
const host = '127.0.0.1'
const receiverCount = 3

export async function aShakenFleet(engine: Engine, isSmall: boolean): Promise<ShakenFleet> {
  const endings: (() => unknown)[] = []
  const stop = async () => {
    for (const end of endings.splice(0).toReversed()) await end()
  }
  try {
    return { ...(await open({ engine, isSmall }, (end) => endings.push(end))), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** `ends`: takes how to end what has begun; the latest ends first. */
type Asked = { readonly engine: Engine; readonly isSmall: boolean }

async function open({ engine, isSmall }: Asked, ends: (end: () => unknown) => void): Promise<Omit<ShakenFleet, 'stop'>> {
  const folder = mkdtempSync(join(tmpdir(), 'drawbridge-faults-'))
  ends(() => rmSync(folder, { recursive: true, force: true }))
  const postgres = await aPlainPostgres()
  ends(() => postgres.remove())
  const redis = engine === 'redis' ? await aRedis() : undefined
  ends(() => redis?.stop())
  const outside = await anOutside(folder, slugs)
  ends(() => outside.close())
  const environment = {
    ...productionOn(postgres),
    ...{
      DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1',
      DRAWBRIDGE_LOG_LEVEL: 'info',
      DRAWBRIDGE_ALLOWED_ORIGINS: outside.origins.join(','),
    },
    NODE_EXTRA_CA_CERTS: outside.certificateFile,
  }
  const migrated = await run(['migrate'], { ...environment, DATABASE_OWNER_URL: postgres.ownerUrl })
  if (migrated.code !== 0) throw new Error(migrated.output)
  const queue = redis ? queueOnRedis(redis) : await queueOnPostgres(postgres)
  const place = { folder, postgres, redis, environment }
  const begin = async (kind: 'broker' | 'worker', which: number): Promise<Member> => {
    const member = await aMember(place, kind, which)
    ends(async () => {
      await member.kill()
      await Promise.all(member.lines.map((line) => line.close()))
    })
    return member
  }
  const brokers = [await begin('broker', 1), await begin('broker', 2)]
  const workers = [await begin('worker', 1), await begin('worker', 2)]
  const doors = await Promise.all(brokers.map((broker) => aDoor(broker, ends)))
  const balancer = await aLoadBalancer(doors.map(({ line }) => line.port))
  ends(() => balancer.close())
  const adminKey = (await run(['admin-key', 'create'], environment)).output.trim()
  const admin = adminAt(balancer.url, adminKey)
  const members = [...brokers, ...workers]
  await allReady(members)
  const shared = await shareResource(admin, 'https://documents.vendor.example/mcp')
  const companies = await openCompanies({ admin, brokersAt: balancer.url, shared, outside, folder, isSmall, ends })
  const foreign = await aForeignReceiver(companies, outside, balancer.url)
  ends(() => foreign.close())
  const receivers: Receiver[] = []
  for (let made = 1; made <= receiverCount; made += 1) {
    const receiver = await aReceiver(`guard-${made}`, companies, Number(new URL(balancer.url).port))
    receivers.push(receiver)
    ends(async () => {
      await receiver.guard().stop()
      await receiver.line.close()
    })
  }
  return {
    ...{ postgres, redis, queue, brokers, workers, doors, receivers, outside, foreign, companies, adminKey, brokersAt: balancer.url },
    mended: () => allReady(members),
  }
}

async function aDoor({ name, port }: Member, ends: (end: () => unknown) => void): Promise<Door> {
  const [line, slow] = [await aTcpProxy(await freePort(), () => port), await aTcpProxy(await freePort(), () => port)]
  slow.delay(slowWayMs)
  ends(() => Promise.all([line.close(), slow.close()]))
  return { name, line, url: `http://${host}:${line.port}`, slowUrl: `http://${host}:${slow.port}` }
}

type Place = {
  readonly folder: string
  readonly postgres: PlainPostgres
  readonly redis: TestRedis | undefined
  readonly environment: Environment
}

async function aMember({ folder, postgres, redis, environment }: Place, kind: 'broker' | 'worker', which: number): Promise<Member> {
  const name = `${kind}-${which}`
  const port = await freePort()
  const database = new URL(postgres.runtimeUrl)
  const toDatabase = await aTcpProxy(await freePort(), () => Number(database.port))
  const throughLine = new URL(postgres.runtimeUrl)
  throughLine.port = String(toDatabase.port)
  const toRedis = redis && kind === 'worker' ? await aTcpProxy(await freePort(), () => redis.port) : undefined
  const clockFile = join(folder, `${name}.clock`)
  writeFileSync(clockFile, '0')
  const own = {
    ...environment,
    [kind === 'broker' ? 'DRAWBRIDGE_PORT' : 'DRAWBRIDGE_WORKER_PORT']: String(port),
    DATABASE_URL: throughLine.href,
    ...(redis ? { REDIS_URL: toRedis ? `redis://${host}:${toRedis.port}` : redis.url } : {}),
    NODE_OPTIONS: `--import ${skewedClock} --import ${nameService}`,
    CLOCK_OFFSET_FILE: clockFile,
  }
  const lives: Running[] = []
  let isWanted = true
  const start = (): void => {
    isWanted = true
    const life = aProcess([kind], own)
    lives.push(life)
    // As a service manager does: a process that could not start, because there was no database, is started again.
    void life.ended.then(() => setTimeout(() => isWanted && life === lives.at(-1) && start(), restartMs))
  }
  start()
  return {
    ...{ name, port, start },
    lines: toRedis ? [toDatabase, toRedis] : [toDatabase],
    setClock: (ahead) => writeFileSync(clockFile, String(ahead)),
    kill: async () => {
      isWanted = false
      await lives.at(-1)?.stop('SIGKILL')
    },
    isReady: async () => (await statusOf(`http://${host}:${port}/readyz`)) === 200,
    output: () => lives.map((life) => life.output()).join('\n'),
  }
}

async function allReady(members: readonly Member[]): Promise<void> {
  const begun = performance.now()
  for (const member of members)
    while (!(await member.isReady())) {
      if (performance.now() - begun > patienceMs) throw new Error(`${member.name} is not ready:\n${member.output().slice(-4000)}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
}

/** A replica of the vendor's server, for the people of all companies. */
async function aReceiver(name: string, companies: readonly Company[], brokersPort: number): Promise<Receiver> {
  const [{ resource, credential }] = companies as [Company, ...Company[]]
  const line = await aTcpProxy(await freePort(), () => brokersPort)
  const at = `http://${host}:${line.port}`
  let lives = 0
  let instance = ''
  const heard: Heard[] = []
  const begin = (): Guard => {
    instance = `${name}-${(lives += 1)}`
    return createGuard({
      ...{ resource, instance, toolScopes: { read: ['documents:read'] }, onDeaf: 'refuse', deafAfterSeconds: leastDeafAfterSeconds },
      issuers: [
        ...companies.map(({ slug }) => ({ issuer: `${publicUrl}/t/${slug}`, credential })),
        { issuer: publicUrl, front: true, credential },
      ],
      fetch: overhearing(heard, at),
    })
  }
  let guard = begin()
  await guard.start()
  return {
    ...{ name, line, heard },
    guard: () => guard,
    instance: () => instance,
    restart: async () => {
      await guard.stop()
      guard = begin()
      await guard.start()
    },
  }
}
