import { spawn } from 'node:child_process'
import { expect, it } from 'vitest'
import { untilServingOrGone } from './embedded-postgres-start.js'

const aServer = (script: string) => untilServingOrGone(spawn('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'pipe'] }))

it('a server that serves is awaited no longer than until it says so', async () => {
  const { serves, log } = await aServer('echo "LOG: database system is ready to accept connections" >&2; sleep 1')
  expect({ serves, log }).toEqual({ serves: true, log: 'LOG: database system is ready to accept connections\n' })
})

it('why it went is known, though the words come after its end', async () => {
  const last = 'FATAL: pre-existing shared memory block is still in use'
  const { serves, log } = await aServer(`(sleep 0.2; echo "${last}" >&2) & exit 1`)
  expect({ serves, log }).toEqual({ serves: false, log: `${last}\n` })
})

it('a process that it left behind, which holds the pipe and says nothing, is not waited for', async () => {
  const { serves } = await aServer('sleep 4 & exit 1')
  expect(serves).toBe(false)
})

it('a program that is not there is an error', async () => {
  await expect(untilServingOrGone(spawn('/no/such/program', { stdio: ['ignore', 'ignore', 'pipe'] }))).rejects.toThrow('ENOENT')
})
