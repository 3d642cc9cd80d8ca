/** How a running process keeps to its history, whatever answers at the address of its database. The real servers are in `recover.test`. */
import type { History } from '@drawbridge/store/timeline'
import { expect, it, vi } from 'vitest'
import { createHistoryWatch, HistoryError } from './timeline.js'

const at = (timeline: number, cluster = '7'): History => ({ cluster, timeline })
/** A connection to a server that stands there. */
const to = (history: History) => ({ query: async () => ({ rows: [history] }) }) as never
const settled = () => new Promise((resolve) => setImmediate(resolve))

function aWatch(look: () => Promise<History>) {
  const [onLost, onFailed] = [vi.fn(), vi.fn()]
  const watch = createHistoryWatch()
  watch.begin(at(2), { look, onLost, onFailed })
  const isAdmitted = (history: History) =>
    watch.admit(to(history)).then(
      () => true,
      () => false,
    )
  return { watch, onLost, onFailed, isAdmitted }
}

it('until a process is held to a history every connection passes', async () => {
  await createHistoryWatch().admit(to(at(9)))
})

it('goes on with a promotion that a look accepts, and refuses the server of before', async () => {
  const { isAdmitted, onLost } = aWatch(async () => at(3))
  expect([await isAdmitted(at(2)), await isAdmitted(at(3))]).toEqual([true, false])
  await settled()
  expect([await isAdmitted(at(2)), await isAdmitted(at(3))]).toEqual([false, true])
  expect(onLost).not.toHaveBeenCalled()
})

it.each([
  { what: 'of an earlier timeline', found: at(1) },
  { what: 'of another cluster', found: at(2, '8') },
])('follows nobody back: a server $what is true to its own record, and what was revoked since is unknown to it', async ({ found }) => {
  const { isAdmitted, onLost } = aWatch(async () => found)
  for (let time = 0; time < 3; time += 1) {
    expect(await isAdmitted(found)).toBe(false)
    await settled()
  }
  expect(await isAdmitted(at(2))).toBe(true)
  // Said once: a second word would cut off the orderly stop.
  expect(onLost).toHaveBeenCalledTimes(1)
  expect(onLost).toHaveBeenCalledWith(expect.any(HistoryError))
})

it('says of a look that cannot be done why, and looks again', async () => {
  const look = vi.fn<() => Promise<History>>().mockRejectedValueOnce(new Error('no standby')).mockResolvedValue(at(3))
  const { isAdmitted, onFailed, onLost } = aWatch(look)
  expect(await isAdmitted(at(3))).toBe(false)
  await settled()
  expect(onFailed).toHaveBeenCalledWith(new Error('no standby'))
  expect([await isAdmitted(at(2)), await isAdmitted(at(3))]).toEqual([true, false])
  await settled()
  expect(await isAdmitted(at(3))).toBe(true)
  expect(onLost).not.toHaveBeenCalled()
})

it('looks once for whoever asks meanwhile, and its end waits for that look, which then says nothing any more', async () => {
  let fail: (error: unknown) => void = () => undefined
  const look = vi.fn(() => new Promise<History>((_, reject) => (fail = reject)))
  const { watch, isAdmitted, onLost } = aWatch(look)
  await Promise.all([isAdmitted(at(3)), isAdmitted(at(3))])
  watch.look()
  expect(look).toHaveBeenCalledTimes(1)
  let isClosed = false
  const closed = watch.close().then(() => {
    isClosed = true
  })
  await settled()
  expect(isClosed).toBe(false)
  fail(new HistoryError('lost'))
  await closed
  watch.look()
  expect(look).toHaveBeenCalledTimes(1)
  expect(onLost).not.toHaveBeenCalled()
})
