/** Starts the product's commands as processes of their own, and stops them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type EnvSource, processEnvironment } from '@drawbridge/runtime/env'

const drawbridgeCommand = fileURLToPath(new URL('../../apps/cli/bin/drawbridge.mjs', import.meta.url))
const readyWithinMs = 30_000
const pollMs = 10
const keptCharacters = 4096

export type ServerProcess = { readonly pid: number; stop(): Promise<void> }
export type ServerCommand = {
  readonly command: 'broker' | 'worker'
  readonly environment: EnvSource
  readonly logFile: string
  readonly readyUrl: string
}

/** Answers once it says that it is ready; one that never does is stopped. `BENCH_NODE_FLAGS` is for a profiler, say. */
export async function startServer({ command, environment, logFile, readyUrl }: ServerCommand): Promise<ServerProcess> {
  const { PATH, BENCH_NODE_FLAGS: flags = '' } = processEnvironment()
  const words = [...flags.split(' ').filter(Boolean), drawbridgeCommand, command]
  const child = spawn(process.execPath, words, { env: { PATH, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (data: Buffer) => {
    said = (said + data.toString('utf8')).slice(-keptCharacters)
  })
  child.stdout.pipe(createWriteStream(logFile))
  const until = performance.now() + readyWithinMs
  while (!(await answers(readyUrl))) {
    if (child.exitCode !== null || performance.now() > until) {
      await stopChild(child)
      throw new Error(`drawbridge ${command} did not become ready:\n${said}`)
    }
    await sleep(pollMs)
  }
  return { pid: child.pid as number, stop: () => stopChild(child) }
}

export const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (answer) => {
      await answer.arrayBuffer()
      return answer.ok
    },
    () => false,
  )

export function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}

/** Asks a server to end, and waits until it has. */
export async function endOf(pid: number): Promise<void> {
  process.kill(pid, 'SIGTERM')
  while (isAlive(pid)) await sleep(pollMs)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
