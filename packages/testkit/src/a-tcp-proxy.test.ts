/** The network of the fault tests does what it says: a test that relies on a cut must not be passing through an open line. */
import { createServer, type Server } from 'node:net'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aTcpProxy, type TcpProxy } from './a-tcp-proxy.js'

let echo: Server
let echoPort: number
let proxy: TcpProxy

beforeAll(async () => {
  echoPort = await freePort()
  echo = createServer((socket) => void socket.pipe(socket).on('error', () => undefined))
  await new Promise<void>((resolve) => echo.listen(echoPort, '127.0.0.1', resolve))
  proxy = await aTcpProxy(await freePort(), () => echoPort)
})
afterAll(async () => {
  await proxy?.close()
  await new Promise((resolve) => echo.close(resolve))
})

/** What came back within a moment, and how the connection ended. */
async function aLine() {
  const { connect } = await import('node:net')
  const socket = connect(proxy.port, '127.0.0.1')
  let heard = ''
  let isOver = false
  socket.on('data', (data) => {
    heard += data.toString()
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    isOver = true
  })
  const until = async (holds: () => boolean, withinMs = 2000) => {
    const end = performance.now() + withinMs
    while (!holds() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
    return holds()
  }
  return {
    say: (text: string) => socket.write(text),
    hears: (text: string, withinMs?: number) => until(() => heard === text, withinMs),
    ends: (withinMs?: number) => until(() => isOver, withinMs),
    close: () => socket.destroy(),
  }
}

it('passes on what is said, later when it is slow', async () => {
  const line = await aLine()
  line.say('a')
  expect(await line.hears('a')).toBe(true)
  proxy.delay(100)
  const begun = performance.now()
  line.say('b')
  expect(await line.hears('ab')).toBe(true)
  expect(performance.now() - begun).toBeGreaterThan(150)
  proxy.delay(0)
  line.close()
})

it('a cut breaks what is open, and takes nobody until it is mended', async () => {
  const before = await aLine()
  before.say('a')
  await before.hears('a')
  proxy.set('cut')
  expect(await before.ends()).toBe(true)
  expect(await (await aLine()).ends()).toBe(true)
  proxy.set('open')
  const after = await aLine()
  after.say('x')
  expect(await after.hears('x')).toBe(true)
  after.close()
})

it('a line that swallows stays open and says nothing, and is dead when the network is back', async () => {
  const line = await aLine()
  line.say('a')
  await line.hears('a')
  proxy.set('swallowing')
  line.say('b')
  expect([await line.hears('ab', 100), await line.ends(100)]).toEqual([false, false])
  proxy.set('open')
  expect(await line.ends()).toBe(true)
})

it('what a firewall has forgotten is silent for ever, and what is opened later works', async () => {
  const before = await aLine()
  before.say('a')
  await before.hears('a')
  proxy.forget()
  before.say('b')
  const after = await aLine()
  after.say('x')
  expect(await after.hears('x')).toBe(true)
  expect([await before.hears('ab', 50), await before.ends(50)]).toEqual([false, false])
  for (const line of [before, after]) line.close()
})
