/** Work is never done twice at once, never missed when it is asked for meanwhile, and over when it is stopped. */
import { silentLog } from '@drawbridge/runtime/log'
import { expect, it } from 'vitest'
import { keepAwake } from './wakeful.js'

const deps = { log: silentLog() }
const never = 2 ** 31 - 1
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Each run lasts until it is let go. */
function aSlowWork() {
  const running: (() => void)[] = []
  let begun = 0
  const run = () => {
    begun += 1
    return new Promise<void>((resolve) => running.push(resolve))
  }
  return { run, begun: () => begun, letGo: () => running.shift()?.() }
}

it('begins by itself, and whoever wakes it while it runs has it run once more, however many they are', async () => {
  const { run, begun, letGo } = aSlowWork()
  const work = keepAwake(deps, { everyMs: never, trouble: '', run })
  for (let times = 0; times < 5; times += 1) work.wake()
  expect(begun()).toBe(1)
  letGo()
  await turn()
  expect(begun()).toBe(2)
  letGo()
  await turn()
  expect(begun()).toBe(2)
  await work.stop()
})

it('goes on after a run that failed', async () => {
  let begun = 0
  const work = keepAwake(deps, { everyMs: never, trouble: 'it failed', run: async () => Promise.reject(new Error(`run ${(begun += 1)}`)) })
  await turn()
  work.wake()
  await turn()
  expect(begun).toBe(2)
  await work.stop()
})

it('goes on after a run that failed before it waited for anything', async () => {
  let begun = 0
  const work = keepAwake(deps, {
    everyMs: never,
    trouble: 'it failed',
    run: () => {
      begun += 1
      throw new Error(`run ${begun}`)
    },
  })
  work.wake()
  expect(begun).toBe(2)
  await work.stop()
})

it('stops after what is under way, and is not woken any more', async () => {
  const { run, begun, letGo } = aSlowWork()
  const work = keepAwake(deps, { everyMs: never, trouble: '', run })
  work.wake()
  let isStopped = false
  const stopping = work.stop().then(() => {
    isStopped = true
  })
  await turn()
  expect(isStopped).toBe(false)
  letGo()
  await stopping
  work.wake()
  await turn()
  expect(begun()).toBe(1)
})
