/** `npm start` as a person meets it: time to "ready", and the memory of everything that then runs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { processEnvironment } from '@drawbridge/runtime/env'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { answers, openTemporaryFolder, stopChild } from './laboratory.js'
import { findBelow, proportionalBytesOf, residentBytesOf } from './process-figures.js'

const bootstrap = fileURLToPath(new URL('../../tools/bootstrap.mjs', import.meta.url))
const readyWithinMs = 120_000
const settleMs = 1500
const pollMs = 10

export type Start = {
  readonly readyMs: number
  /** The process that holds broker, worker, simulator and example server. */
  readonly productBytes: number
  readonly databaseBytes: number
}

/** Starts twice on one data directory: the first makes the database and the demonstration, the second finds them. */
export async function measureStarts(): Promise<{ readonly first: Start; readonly second: Start }> {
  const folder = openTemporaryFolder()
  try {
    const environment = await startEnvironment(join(folder, 'data'))
    return { first: await startOnce(environment), second: await startOnce(environment) }
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

async function startOnce(environment: Awaited<ReturnType<typeof startEnvironment>>): Promise<Start> {
  const begun = performance.now()
  const child = spawn(process.execPath, [bootstrap, 'start'], {
    env: { ...processEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    await untilReady(child, `${environment.DRAWBRIDGE_PUBLIC_URL}/readyz`)
    const readyMs = performance.now() - begun
    await sleep(settleMs)
    return { readyMs, ...memoryBelow(child.pid as number) }
  } finally {
    await stopChild(child)
  }
}

/** Ready is when the welcome has been printed and the broker says so itself. */
async function untilReady(child: ChildProcess, readyUrl: string): Promise<void> {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (said += data.toString('utf8')))
  const until = performance.now() + readyWithinMs
  while (!(said.includes('Drawbridge is ready') && (await answers(readyUrl)))) {
    if (child.exitCode !== null || performance.now() > until) throw new Error(`npm start did not become ready:\n${said}`)
    await sleep(pollMs)
  }
}

function memoryBelow(root: number): Pick<Start, 'productBytes' | 'databaseBytes'> {
  const product = findBelow(root, /drawbridge\.mjs start/)
  const database = findBelow(root, /postgres(\.exe)? -D /)
  if (product === undefined || database === undefined) throw new Error('the started processes were not found below npm start')
  return { productBytes: residentBytesOf(product), databaseBytes: proportionalBytesOf(database) }
}
