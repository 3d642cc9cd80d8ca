/** `npm start` as a person meets it: time to "ready", to the end of the demo, and the memory of everything that runs. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type EnvSource, processEnvironment } from '@drawbridge/runtime/env'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { openTemporaryFolder } from './laboratory.js'
import { findBelow, proportionalBytesOf, residentBytesOf } from './process-figures.js'
import { answers, stopChild } from './server-process.js'

const thisCheckout = fileURLToPath(new URL('../..', import.meta.url))
const readyWithinMs = 600_000
const demoWithinMs = 120_000
const settleMs = 1500
const pollMs = 10

export type Start = {
  readonly readyMs: number
  /** What `npm run demo` then took; undefined: it failed. */
  readonly demoMs: number | undefined
  /** The process that holds broker, worker, simulator and example server. */
  readonly productBytes: number
  readonly databaseBytes: number
}
export type Starts = { readonly first: Start; readonly second: Start }

/** This checkout, twice on one data directory: the first start makes the database and the demonstration, the second finds them. */
export async function measureStarts(): Promise<Starts> {
  const folder = openTemporaryFolder()
  try {
    return await startTwice(thisCheckout, await startEnvironment(join(folder, 'data')))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A fresh clone of what is committed, with empty caches of npm and pnpm: everything is downloaded, built and made. */
export async function measureColdStart(): Promise<Starts> {
  const folder = openTemporaryFolder()
  try {
    const clone = join(folder, 'clone')
    const cloned = spawnSync('git', ['clone', '--quiet', '--no-hardlinks', thisCheckout, clone], { encoding: 'utf8' })
    if (cloned.status !== 0) throw new Error(`the checkout could not be cloned: ${cloned.stderr}`)
    const caches = {
      npm_config_cache: join(folder, 'npm'),
      npm_config_store_dir: join(folder, 'store'),
      XDG_CACHE_HOME: join(folder, 'cache'),
      XDG_DATA_HOME: join(folder, 'share'),
    }
    return await startTwice(clone, { ...caches, ...(await startEnvironment(join(folder, 'data'))) })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function startEnvironment(dataDirectory: string) {
  const port = await freePort()
  return {
    DRAWBRIDGE_DATA_DIRECTORY: dataDirectory,
    DRAWBRIDGE_PORT: String(port),
    DRAWBRIDGE_PUBLIC_URL: `http://localhost:${port}`,
    DRAWBRIDGE_WORKER_PORT: String(await freePort()),
    DRAWBRIDGE_SIMULATOR_PORT: String(await freePort()),
    DRAWBRIDGE_EXAMPLE_SERVER_PORT: String(await freePort()),
    DRAWBRIDGE_EMBEDDED_DATABASE_PORT: String(await freePort()),
  }
}

type StartEnvironment = Awaited<ReturnType<typeof startEnvironment>>

async function startTwice(root: string, environment: StartEnvironment): Promise<Starts> {
  return { first: await startOnce(root, environment), second: await startOnce(root, environment) }
}

async function startOnce(root: string, environment: StartEnvironment): Promise<Start> {
  const begun = performance.now()
  const child = runCommand(root, 'start', environment)
  try {
    await untilReady(child, `${environment.DRAWBRIDGE_PUBLIC_URL}/readyz`)
    const readyMs = performance.now() - begun
    await sleep(settleMs)
    const memory = memoryBelow(child.pid as number)
    return { readyMs, demoMs: await measureDemo(root, environment), ...memory }
  } finally {
    await stopChild(child)
  }
}

/** What `npm start` and its siblings run, without the half second of npm itself. */
function runCommand(root: string, command: 'start' | 'demo', environment: EnvSource): ChildProcess {
  return spawn(process.execPath, [join(root, 'tools', 'bootstrap.mjs'), command], {
    env: { ...processEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Ready is when the welcome has been printed and the broker says so itself. */
async function untilReady(child: ChildProcess, readyUrl: string): Promise<void> {
  const said = listenTo(child)
  const until = performance.now() + readyWithinMs
  while (!(said().includes('Drawbridge is ready') && (await answers(readyUrl)))) {
    if (child.exitCode !== null || performance.now() > until) throw new Error(`npm start did not become ready:\n${said()}`)
    await sleep(pollMs)
  }
}

async function measureDemo(root: string, environment: EnvSource): Promise<number | undefined> {
  const begun = performance.now()
  const child = runCommand(root, 'demo', environment)
  const said = listenTo(child)
  const timer = setTimeout(() => child.kill('SIGTERM'), demoWithinMs)
  const code = await new Promise<number | null>((resolve) => void child.once('exit', resolve))
  clearTimeout(timer)
  if (code === 0) return performance.now() - begun
  console.error(`  npm run demo failed:\n${said()}`)
  return undefined
}

/** The pipes must be read all along, or the process would block on them. */
function listenTo(child: ChildProcess): () => string {
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      said += data.toString('utf8')
    })
  return () => said
}

function memoryBelow(root: number): Pick<Start, 'productBytes' | 'databaseBytes'> {
  const product = findBelow(root, /drawbridge\.mjs start/)
  const database = findBelow(root, /postgres(\.exe)? -D /)
  if (product === undefined || database === undefined) throw new Error('the started processes were not found below npm start')
  return { productBytes: residentBytesOf(product), databaseBytes: proportionalBytesOf(database) }
}
