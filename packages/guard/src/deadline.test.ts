import { createServer, type Server } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { withDeadline } from './deadline.js'

setFlagsFromString('--expose_gc')
const collectGarbage = runInNewContext('gc') as () => void
let silent: Server
let url = ''

beforeAll(async () => {
  silent = createServer(() => {}).listen(0, '127.0.0.1')
  await new Promise((resolve) => silent.once('listening', resolve))
  const address = silent.address()
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`
})
afterAll(() => new Promise((resolve) => silent.close(resolve).closeAllConnections()))

const ask = (seconds: number, ended?: AbortSignal) => withDeadline(seconds, ended, (signal) => fetch(url, { signal }))

it('a call that nobody answers ends at its deadline, whatever was collected meanwhile', async () => {
  const stopping = new AbortController()
  const calls = Array.from({ length: 10 }, () => ask(1, stopping.signal).catch((error: Error) => error.message))
  for (let round = 0; round < 5; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    collectGarbage()
  }
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['no answer within 1 s']))
})

it('is ended before by whoever stops, also when she had stopped before it began', async () => {
  const stopping = new AbortController()
  const call = ask(60, stopping.signal)
  stopping.abort(new Error('stopped'))
  await expect(call).rejects.toThrow('stopped')
  await expect(ask(60, stopping.signal)).rejects.toThrow('stopped')
})

it('leaves no listener behind', async () => {
  const stopping = new AbortController()
  const listening: string[] = []
  const { signal } = stopping
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
  signal.addEventListener = ((...args: Parameters<typeof add>) => (listening.push(args[0]), add(...args))) as typeof add
  signal.removeEventListener = ((...args: Parameters<typeof remove>) => (listening.pop(), remove(...args))) as typeof remove
  expect(await withDeadline(1, signal, async () => listening.length)).toBe(1)
  expect(listening).toEqual([])
})
