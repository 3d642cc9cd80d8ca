/** What strangers have us fetch holds so many look-ups and connections at once, for as long as they really last. */
import { ok } from '@drawbridge/core/result'
import { expect, test, vi } from 'vitest'
import { createFetchGate } from './fetch-gate.js'
import { createFetchSafely, type FetchOptions, type FetchSafely } from './fetch-safely.js'

const limits: FetchOptions = { maxBytes: 100, timeoutMs: 5 }
const answer = ok({ status: 200, headers: {}, body: Buffer.alloc(0) })
/** Look-ups that last until somebody ends them. */
function silentNames() {
  const asked = new Map<string, () => void>()
  const resolve = (host: string) => new Promise<readonly string[]>((end) => asked.set(host, () => end([])))
  return { asked, fetchSafely: createFetchSafely({ allowedOrigins: [], allowLoopback: false, resolve }) }
}

test('a place is held for as long as the look-up lasts, though its fetch has been given up', async () => {
  const { asked, fetchSafely } = silentNames()
  const gate = createFetchGate(fetchSafely, 2)
  const given = await Promise.all(['https://a.example/1', 'https://b.example/1'].map((url) => gate.fetch(url, limits)))
  expect(given.map((each) => !each.ok && each.error.reason)).toEqual(['timed_out', 'timed_out'])
  expect(gate.isOpenTo('https://c.example/')).toBe(false)
  expect(await gate.fetch('https://c.example/', limits)).toMatchObject({ error: { reason: 'busy' } })
  expect([...asked.keys()]).toEqual(['a.example', 'b.example'])
  asked.get('a.example')?.()
  await vi.waitFor(() => expect(gate.isOpenTo('https://c.example/')).toBe(true))
  expect(gate.isOpenTo('https://b.example/2')).toBe(false)
})

test('a host is asked for one thing at a time, whatever its port and closing dot, and a place is free as soon as it is answered', async () => {
  let release = () => {}
  const held = new Promise<void>((end) => {
    release = end
  })
  const fetchSafely: FetchSafely = async () => {
    await held
    return answer
  }
  const gate = createFetchGate(fetchSafely, 2)
  const first = gate.fetch('https://a.example/1', limits)
  for (const same of ['https://a.example/2', 'https://A.example.:8443/']) expect(gate.isOpenTo(same)).toBe(false)
  expect(gate.isOpenTo('https://b.example/')).toBe(true)
  release()
  expect(await first).toEqual(answer)
  expect(gate.isOpenTo('https://a.example/2')).toBe(true)
})

test('what throws gives its place back', async () => {
  const gate = createFetchGate(() => Promise.reject(new Error('broken')), 1)
  await expect(gate.fetch('https://a.example/', limits)).rejects.toThrow('broken')
  expect(gate.isOpenTo('https://a.example/')).toBe(true)
})
