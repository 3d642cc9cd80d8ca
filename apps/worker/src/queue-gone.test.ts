/** PostgreSQL, with the queue in it, refuses connections for a moment: a worker is at work again soon afterwards, and one that is told to end does. */
import { freePort } from '@drawbridge/store/embedded-postgres'
import { aTcpProxy, type TcpProxy } from '@drawbridge/testkit/a-tcp-proxy'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, it } from 'vitest'
import { eventually } from '../test/a-company.js'
import { migrateQueue, openQueue, type QueueHandle } from './queue.js'

/** Left to itself the engine pauses for fifteen seconds. */
const soonMs = 8000

let fixture: TestDatabase
let port: number
let line: TcpProxy
let handle: QueueHandle
const ran: string[] = []
/** What a job does before it is over. */
let during: () => Promise<void> = async () => {}

/** Adds a job that takes the line down once the queue has said that it has it: before that it would take the answer along. */
const addJobThatCutsLine = async (name: string) => {
  let accepted = () => {}
  const isAccepted = new Promise<void>((resolve) => {
    accepted = resolve
  })
  during = async () => {
    await isAccepted
    await line.close()
  }
  await handle.queue.add(name, {}, { attempts: 1 })
  accepted()
  await eventually(() => ran.includes(name))
}

const connectLine = () => aTcpProxy(port, () => Number(new URL(fixture.url).port))

beforeAll(async () => {
  fixture = await testDatabase()
  await migrateQueue(fixture.ownerUrl, fixture.url)
  port = await freePort()
  line = await connectLine()
  const through = new URL(fixture.url)
  through.hostname = '127.0.0.1'
  through.port = String(port)
  const run = async ({ name }: { readonly name: string }) => {
    ran.push(name)
    await during()
  }
  handle = await openQueue({ databaseUrl: through.href, name: 'gone' }, run, () => undefined)
})
afterAll(async () => {
  await line?.close()
  await fixture?.close()
})

it('what was at work when it went is over, and what comes next is done, soon after it is back', async () => {
  await addJobThatCutsLine('first')
  during = async () => {}
  await new Promise((resolve) => setTimeout(resolve, 500))
  line = await connectLine()
  await eventually(async () => {
    try {
      return (await handle.queue.add('next', {}, { jobId: 'next' })).id !== undefined
    } catch {
      return false
    }
  })
  await eventually(() => ran.includes('next'), soonMs)
}, 40_000)

it('while it is away a worker ends though it cannot say what became of its job', async () => {
  await addJobThatCutsLine('last')
  await new Promise((resolve) => setTimeout(resolve, 500))
  let isClosed = false
  void handle.close().then(() => {
    isClosed = true
  })
  await eventually(() => isClosed, soonMs)
}, 40_000)
