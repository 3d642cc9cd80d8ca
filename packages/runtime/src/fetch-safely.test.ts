import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fetchSafely } from './fetch-safely.js'
import { isSpecialUseAddress } from './special-use.js'

let server: Server
let origin: string
beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/redirect') return void response.writeHead(302, { location: '/' }).end()
    if (request.url === '/large') return void response.writeHead(200, { 'content-type': 'application/json' }).end('x'.repeat(10_000))
    if (request.url === '/slow') return
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify({ host: request.headers.host }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const limits = { maxBytes: 5000, timeoutMs: 1000 }

test.each([
  ['127.0.0.1', true],
  ['10.1.2.3', true],
  ['169.254.169.254', true],
  ['100.64.0.1', true],
  ['192.168.0.1', true],
  ['0.0.0.0', true],
  ['255.255.255.255', true],
  ['8.8.8.8', false],
  ['::1', true],
  ['::', true],
  ['fe80::1', true],
  ['fc00::1', true],
  ['ff02::1', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:7f00:1', true],
  ['::ffff:8.8.8.8', false],
  ['64:ff9b::a9fe:a9fe', true],
  ['64:ff9b::8.8.8.8', false],
  ['64:ff9b:1::1', true],
  ['2002:7f00:1::', true],
  ['2001:db8::1', true],
  ['2606:4700::1111', false],
  ['::127.0.0.1', true],
  ['fe80::1%eth0', true],
  ['not an address', true],
] as const)('%s is special-use: %s', (address, special) => {
  expect(isSpecialUseAddress(address)).toBe(special)
})

describe('a fetch', () => {
  const strict = { allowedOrigins: [], allowLoopback: false }
  const listed = () => ({ allowedOrigins: [origin], allowLoopback: false })

  test.each(['http://example.com/', 'ftp://example.com/', 'file:///etc/passwd'])('of %s is refused for its scheme', async (url) => {
    expect(await fetchSafely(strict, url, limits)).toMatchObject({ ok: false, error: { reason: 'scheme_refused' } })
  })
  test.each(['https://127.0.0.1/', 'https://[::1]/', 'https://2130706433/', 'https://[::ffff:10.0.0.1]/', 'https://0x7f.1/'])(
    'of %s is refused for its address',
    async (url) => {
      expect(await fetchSafely(strict, url, limits)).toMatchObject({ ok: false, error: { reason: 'address_refused' } })
    },
  )
  test('is refused when one of several addresses is private', async () => {
    const deps = { ...strict, resolve: async () => ['93.184.216.34', '10.0.0.1'] }
    expect(await fetchSafely(deps, 'https://rebind.example/', limits)).toMatchObject({ ok: false, error: { reason: 'address_refused' } })
  })
  test('resolves once and connects to the address that was judged', async () => {
    let asked = 0
    const port = new URL(origin).port
    const named = `http://pinned.example:${port}`
    const deps = { allowedOrigins: [named], allowLoopback: false, resolve: async () => [(asked += 1) === 1 ? '127.0.0.1' : '10.255.255.1'] }
    const answer = await fetchSafely(deps, named, { ...limits, accept: 'application/json' })
    expect(answer.ok && JSON.parse(answer.value.body.toString())).toEqual({ host: `pinned.example:${port}` })
    expect(asked).toBe(1)
  })
  test.each([
    ['/redirect', 'redirect_refused'],
    ['/large', 'too_large'],
    ['/slow', 'timed_out'],
  ])('of %s ends as %s', async (path, reason) => {
    expect(await fetchSafely(listed(), `${origin}${path}`, { ...limits, timeoutMs: 300 })).toMatchObject({ ok: false, error: { reason } })
  })
  test('of another type than accepted is refused', async () => {
    expect(await fetchSafely(listed(), origin, { ...limits, accept: 'text/xml' })).toMatchObject({
      ok: false,
      error: { reason: 'type_refused' },
    })
  })
})
