import { Agent, createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closerOf } from './closing.js'

let server: Server
let agent: Agent
let close: () => Promise<void>
/** What came in and was not answered yet, by its path. */
let held: Map<string, ServerResponse>
let came: (path: string) => void

beforeEach(async () => {
  held = new Map()
  came = () => undefined
  server = createServer((request, response) => {
    const path = request.url ?? ''
    if (path === '/at-once') return response.end('answered')
    held.set(path, response)
    came(path)
  })
  close = closerOf(server)
  agent = new Agent({ keepAlive: true, maxSockets: 1 })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  agent.destroy()
  server.closeAllConnections()
  server.close()
})

const port = () => (server.address() as AddressInfo).port

/** The answer's `Connection` header; `refused`: nobody listens, or the connection went. */
const ask = (path: string, by: Agent | false = agent): Promise<string | undefined> =>
  new Promise((resolve) => {
    get({ host: '127.0.0.1', port: to, path, agent: by }, (answer: IncomingMessage) =>
      answer.resume().once('end', () => resolve(answer.headers.connection)),
    ).once('error', () => resolve('refused'))
  })
let to = 0
beforeEach(() => {
  to = port()
})

const hold = (path: string, by?: Agent | false) => {
  const arrived = new Promise<void>((resolve) => {
    came = (arriving) => arriving === path && resolve()
  })
  return { answer: ask(path, by), arrived }
}

describe('a server that closes while a request runs', () => {
  it('answers it, and has ended only then', async () => {
    const slow = hold('/slow', false)
    await slow.arrived
    let isClosed = false
    const closed = close().then(() => {
      isClosed = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(isClosed).toBe(false)
    held.get('/slow')?.end()
    expect(await slow.answer).toBe('close')
    await closed
  })

  it('is not held by a client that has one request after the other on a connection that was in use when it began to close', async () => {
    const slow = hold('/slow', false)
    await slow.arrived
    const running = hold('/running')
    await running.arrived
    const closed = close()
    held.get('/running')?.end()
    expect(await running.answer).toBe('close')
    expect(await ask('/at-once')).toBe('refused')
    held.get('/slow')?.end()
    expect(await slow.answer).toBe('close')
    await closed
  })

  it('ends a connection whose answer had begun before, without the word, once it is idle', async () => {
    const slow = hold('/slow', false)
    await slow.arrived
    const begun = hold('/begun')
    await begun.arrived
    held.get('/begun')?.write('a part')
    const closed = close()
    held.get('/begun')?.end('and the rest')
    expect(await begun.answer).toBe('keep-alive')
    await expect.poll(() => Object.keys(agent.freeSockets).length).toBe(0)
    expect(await ask('/at-once')).toBe('refused')
    held.get('/slow')?.end()
    await closed
  })
})

describe('a server that closes while nothing runs', () => {
  it('ends although a client opened a connection in advance and never used it', async () => {
    const unused = connect(port(), '127.0.0.1')
    await new Promise((resolve) => unused.once('connect', resolve))
    const ended = new Promise((resolve) => unused.once('close', resolve))
    await close()
    await ended
  })

  it('ends a connection that is kept for the next request', async () => {
    expect(await ask('/at-once')).toBe('keep-alive')
    await close()
    expect(await ask('/at-once')).toBe('refused')
  })
})
