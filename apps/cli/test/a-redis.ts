/** A Redis of the test's own, in memory, as an operator would bring one. */
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { freePort } from '@drawbridge/store/embedded-postgres'

/** `stop` kills it. `start`: anew, empty, at the same port. `say`: one command, as an operator types it; throws what it does not answer with OK. */
export type TestRedis = {
  readonly url: string
  readonly port: number
  stop(): Promise<void>
  start(): Promise<void>
  say(command: string): Promise<void>
}

const inMemory = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
const lookMs = 20

/** Waits until it answers. */
export async function aRedis(): Promise<TestRedis> {
  const port = await freePort()
  let stop = await serve(port)
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    stop: () => stop(),
    start: async () => {
      stop = await serve(port)
    },
    say: (command) => say(port, command),
  }
}

/** As an inline command: what is typed by hand needs no client library. */
const say = (port: number, command: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`))
    socket.once('error', reject)
    socket.once('data', (answer) => {
      socket.destroy()
      if (answer.toString('latin1').startsWith('+OK')) resolve()
      else reject(new Error(`Redis answered ${command} with ${answer.toString('latin1').trim()}`))
    })
  })

async function serve(port: number): Promise<() => Promise<void>> {
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', ...inMemory], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  while (!(await answersAt(port)) && server.exitCode === null) await new Promise((resolve) => setTimeout(resolve, lookMs))
  return () => {
    server.kill('SIGKILL')
    return ended
  }
}

export const answersAt = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true))
    socket.once('connect', () => socket.destroy())
    socket.once('error', () => resolve(false))
  })
