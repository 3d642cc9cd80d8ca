/** The command as its own operating-system process, as a service manager runs it: started, waited for, told to stop, listened to. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const command = fileURLToPath(new URL('../bin/drawbridge.mjs', import.meta.url))

export type Environment = Readonly<Record<string, string>>
export type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly output: string }
export type Running = {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  output(): string
  /** Signals it and answers how it ended. */
  stop(signal?: NodeJS.Signals): Promise<Ended & { readonly afterMs: number }>
}

/** Nothing of the tests' own environment but what finds programs, and the keys of the run (tools/test-keys.mjs). */
const kept = ['PATH', 'HOME', 'TMPDIR', 'NODE_OPTIONS', 'DRAWBRIDGE_TEST_KEYS']
const bare = Object.fromEntries(kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))

export function aProcess(words: readonly string[], environment: Environment): Running {
  const child = spawn(process.execPath, [command, ...words], { env: { ...bare, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const keep = (data: Buffer) => {
    output += data.toString('utf8')
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  // "exit", not "close": a PostgreSQL that outlives a killed start may hold the pipes.
  const ended = new Promise<Ended>((resolve) => {
    child.once('exit', (code, signal) => setTimeout(() => resolve({ code, signal, output }), 20))
  })
  return {
    child,
    ended,
    output: () => output,
    stop: async (signal = 'SIGTERM') => {
      const begun = performance.now()
      child.kill(signal)
      const end = await ended
      return { ...end, afterMs: performance.now() - begun }
    },
  }
}

/** Runs a command that ends by itself. */
export const run = (words: readonly string[], environment: Environment): Promise<Ended> => aProcess(words, environment).ended

const patienceMs = 90_000
const lookMs = 50

/** Waits for an answer 200; throws with the process's own words if it ends, or is still not there after the patience. */
export async function answers(running: Running, url: string): Promise<void> {
  await until(running, async () => (await statusOf(url)) === 200)
}

export async function until(running: Running, holds: () => Promise<boolean> | boolean): Promise<void> {
  const begun = performance.now()
  while (!(await holds())) {
    if (running.child.exitCode !== null) throw new Error(`the process ended (${running.child.exitCode}):\n${running.output()}`)
    if (performance.now() - begun > patienceMs) throw new Error(`not so after ${patienceMs} ms:\n${running.output()}`)
    await new Promise((resolve) => setTimeout(resolve, lookMs))
  }
}

/** 0: nobody answers. */
export const statusOf = (url: string): Promise<number> =>
  fetch(url)
    .then(async (response) => (await response.text(), response.status))
    .catch(() => 0)

/** What a person must never be shown: a line of a stack. */
export const stackLine = /^\s+at .+[:(]\d+/m
