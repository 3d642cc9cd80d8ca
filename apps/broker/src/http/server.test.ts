import type { Server } from 'node:http'
import { request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { json, page, redirect } from './answer.js'
import { endpoint } from './endpoint.js'
import { html } from './html.js'
import { createRateLimiter, rateLimits } from './rate-limit.js'
import { createHttpServer } from './server.js'

let db: TestDatabase
let broker: TestBroker
let server: Server
let url: string
const echo = (path: string, hot?: true) =>
  endpoint({
    method: 'POST',
    path,
    spec: 'ours',
    summary: 'Echo',
    maxBodyBytes: 1000,
    cors: true,
    ...(hot ? { hot } : {}),
    run: (http) =>
      json(
        { params: http.params, query: http.query, form: http.form, cookies: [...http.cookies], path: http.path },
        { setCookies: ['a=b'] },
      ),
  })

beforeAll(async () => {
  db = await testDatabase()
  broker = await aBroker(db.database, { metrics: createMetrics({ withProcess: false }) })
  server = createHttpServer(
    broker.deps,
    [
      echo('/quick/:id', true),
      echo('/plain/:id'),
      endpoint({
        method: 'GET',
        path: '/page',
        spec: 'ours',
        summary: 'Page',
        refusals: 'page',
        run: () => page('Hello', html`<p>x</p>`, { formTargets: ['https://app.example'] }),
      }),
      endpoint({ method: 'GET', path: '/away', spec: 'ours', summary: 'Away', run: () => redirect('https://app.example/cb?code=1') }),
      endpoint({
        method: 'GET',
        path: '/broken',
        spec: 'ours',
        summary: 'Breaks',
        refusals: 'page',
        run: () => {
          throw new Error('a secret of the house')
        },
      }),
      endpoint({
        method: 'GET',
        path: '/unsayable',
        spec: 'ours',
        summary: 'No header',
        hot: true,
        run: () => redirect('https://app.example/\u2603'),
      }),
      endpoint({ method: 'GET', path: '/t/:tenant/x', spec: 'ours', summary: 'Tenant', hot: true, run: () => json({}) }),
    ],
    createRateLimiter(broker.deps.clock),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server?.close()
  await broker?.close()
  await db?.close()
})

const varying = new Set(['x-request-id', 'date'])
async function post(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const answer = await fetch(`${url}${path}`, {
    method: 'POST',
    body: body as never,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  })
  return {
    status: answer.status,
    headers: Object.fromEntries([...answer.headers].filter(([name]) => !varying.has(name))),
    body: (await answer.text()).replaceAll('/plain', '/quick'),
  }
}

describe('both lanes', () => {
  it.each([
    ['a form', '/1?x=y', 'a=1&b=2', {}],
    ['a repeated parameter', '/1?x=1&x=2', 'a=1&a=2', {}],
    ['an encoded parameter', '/a%20b%2Fc', '', {}],
    ['cookies', '/1', '', { cookie: 'sid=1; sid=2; other=3' }],
    ['a body over the limit', '/1', 'x'.repeat(1001), {}],
    ['a compressed body', '/1', 'x', { 'content-encoding': 'gzip' }],
    ['octets that are not UTF-8', '/1', Buffer.from([0x61, 0x3d, 0xff]), {}],
    ['a path that is not UTF-8', '/%ff', '', {}],
    ['a NUL in the path', '/%00', '', {}],
  ])('answer %s alike', async (_what, path, body, headers) => {
    const hot = await post(`/quick${path}`, body, headers)
    expect(hot.status).toBeLessThan(500)
    expect(await post(`/plain${path}`, body, headers)).toEqual(hot)
  })

  it('answer a preflight and a wrong method', async () => {
    for (const path of ['/quick/1', '/plain/1']) {
      const preflight = await fetch(`${url}${path}`, { method: 'OPTIONS' })
      expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
      const wrong = await fetch(`${url}${path}`)
      expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST, OPTIONS'])
    }
  })
})

it('says of a fault of ours only its id, as a page to a person', async () => {
  const answer = await fetch(`${url}/broken`)
  const text = await answer.text()
  expect(answer.status).toBe(500)
  expect(text).not.toContain('secret of the house')
  expect(text).toContain(answer.headers.get('x-request-id') as string)
})

it('survives an answer that cannot be written', async () => {
  const answer = await fetch(`${url}/unsayable`, { redirect: 'manual' })
  expect([answer.status, answer.headers.get('location')]).toEqual([500, null])
  expect((await answer.json()) as unknown).toMatchObject({ error: 'server_error' })
})

it.each(['*', 'http://[', '//', '/\\', 'http://evil.example/quick/1', '/t/%2e%2e/x', '/t/acme%00/x'])(
  'answers the target %j below 500',
  async (target) => {
    expect(await rawStatus(target)).toBeLessThan(500)
  },
)

it('gives a page its policy, and a redirect its location', async () => {
  const answer = await fetch(`${url}/page`)
  expect(answer.headers.get('content-security-policy')).toContain('https://app.example')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(await answer.text()).toContain('Laboratory')
  const away = await fetch(`${url}/away`, { redirect: 'manual' })
  expect([away.status, away.headers.get('location')]).toEqual([303, 'https://app.example/cb?code=1'])
})

it('answers HEAD without a body, and health without a tenant', async () => {
  const answer = await fetch(`${broker.url}/healthz`, { method: 'HEAD' })
  expect([answer.status, await answer.text()]).toEqual([200, ''])
  expect(await (await fetch(`${broker.url}/readyz`)).json()).toEqual({ status: 'ready' })
  expect(await (await fetch(`${broker.url}/metrics`)).text()).toContain('drawbridge_http_requests_total{endpoint="GET /healthz"')
})

it('refuses a flood from one address by name, with Retry-After', async () => {
  const now = broker.deps.clock.now()
  const still = createHttpServer({ ...broker.deps, clock: { now: () => now } }, [], createRateLimiter({ now: () => now }))
  await new Promise<void>((resolve) => still.listen(0, '127.0.0.1', resolve))
  const target = `http://127.0.0.1:${(still.address() as AddressInfo).port}/nowhere`
  const statuses = await Promise.all(Array.from({ length: rateLimits.address.burst + 5 }, () => status(target)))
  expect(statuses.filter((code) => code === 429)).toHaveLength(5)
  expect((await fetch(target)).headers.get('retry-after')).toBe('1')
  still.close()
}, 20_000)

/** A request line as it stands, which `fetch` would mend. */
const rawStatus = (target: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString('latin1'))).on('error', reject)
    socket.on('end', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? Number.NaN)))
    socket.write(`GET ${target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`)
  })

const status = (target: string): Promise<number> =>
  new Promise((resolve, reject) => {
    request(target, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })

it('answers 503 with Retry-After while PostgreSQL is gone', async () => {
  const gone = await testDatabase()
  const alone = await aBroker(gone.database)
  await gone.close()
  const answer = await fetch(`${alone.url}/t/acme/jwks`)
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
  expect((await fetch(`${alone.url}/readyz`)).status).toBe(503)
  expect((await fetch(`${alone.url}/healthz`)).status).toBe(200)
  await alone.close()
})
