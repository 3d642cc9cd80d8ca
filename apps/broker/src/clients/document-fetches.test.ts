/** What strangers have us fetch, and how often documents of clients at work are: within limits that hold for all of a process. */
import { readFileSync } from 'node:fs'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { documentCopyLimits } from '@drawbridge/core/oauth/document-copy'
import { err, ok } from '@drawbridge/core/result'
import { readEnv } from '@drawbridge/runtime/env'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { withdrawalToldSeconds } from '@drawbridge/store/client-documents'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'
import { clientFetchLimits } from './client-fetches.js'
import { documentPauseSeconds } from './resolve-client.js'

const { ofStrangers, ofVouchedFor } = clientFetchLimits
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let [one, other, limited] = [undefined, undefined, undefined] as unknown as [TestBroker, TestBroker, TestBroker]
let acme: ATenant
let fetches: string[] = []
/** Answers wait for it. */
let held: Promise<void> | undefined
let isDown = false
/** What the publisher answers in place of the document. */
let instead: { readonly status: number; readonly body: string } | undefined
const told = toldRefusals()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  const fetchSafely: FetchSafely = async (url) => {
    fetches.push(url)
    await new Promise((resolve) => setImmediate(resolve))
    await held
    if (isDown) return err({ reason: 'timed_out' })
    const json = { 'content-type': 'application/json', 'cache-control': 'max-age=600' }
    if (instead) return ok({ status: instead.status, headers: json, body: Buffer.from(instead.body) })
    const body = JSON.stringify({
      client_id: url,
      client_name: 'Tools',
      redirect_uris: ['http://127.0.0.1/cb'],
      grant_types: ['authorization_code', 'refresh_token'],
    })
    return ok({ status: 200, headers: json, body: Buffer.from(body) })
  }
  const start = (factor: string) =>
    aBroker(fixture.database, {
      clock: { now: () => now },
      metrics: told.metrics,
      settings: readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: factor }),
      // Each process has its own.
      fetchSafely: (url, options) => fetchSafely(url, options),
    })
  ;[one, other, limited] = [await start('1000'), await start('1000'), await start('1')]
  await aTokenKey(fixture, one, acme)
})
afterAll(async () => {
  for (const broker of [one, other, limited]) await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  now = addSeconds(now, 100_000)
  fetches = []
  held = undefined
  isDown = false
  instead = undefined
  told.take()
})
afterEach(() => letGo())

let letGo = () => {}
const holding = () => {
  held = new Promise((resolve) => {
    letGo = resolve
  })
  return letGo
}
let named = 0
const aDocument = (host = `client-${(named += 1)}.example`) => `https://${host}/${(named += 1)}.json`
const authorize = (clientId: string, { url } = one, slug = 'acme') => {
  const query = new URLSearchParams({
    ...{ client_id: clientId, redirect_uri: 'http://127.0.0.1/cb', response_type: 'code', scope: 'mcp', state: 's' },
    ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256', resource: 'https://mcp.acme.example' },
  })
  return fetch(`${url}/t/${slug}/authorize?${query}`, { redirect: 'manual' })
}
const push = (clientId: string, { url } = one) =>
  fetch(`${url}/t/acme/par`, { method: 'POST', body: new URLSearchParams({ client_id: clientId, response_type: 'code' }) })
/** A refresh token that nobody issued: whoever is known hears `invalid_grant`. */
const refresh = async (clientId: string, { url } = one) => {
  const form = { grant_type: 'refresh_token', refresh_token: 'x', client_id: clientId }
  const response = await fetch(`${url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) })
  return `${response.status} ${((await response.json()) as { error: string }).error}`
}
const known = '400 invalid_grant'
const unknown = '401 invalid_client'
const { withdrawnSeconds } = documentCopyLimits
const rowOf = async (clientId: string) =>
  (
    await asOwner<Record<string, unknown>>(
      fixture.ownerUrl,
      'SELECT version, xmin::text, document_expires_at FROM clients WHERE client_id = $1',
      [clientId],
    )
  )[0]

describe('what strangers have a process fetch', () => {
  it('is so much at once, and whoever comes beyond that is told to come again, at every endpoint that would fetch', async () => {
    const release = holding()
    const begun = Array.from({ length: ofStrangers }, () => authorize(aDocument()))
    await vi.waitFor(() => expect(fetches).toHaveLength(ofStrangers))
    const page = await authorize(aDocument())
    expect([page.status, page.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await page.text()).toContain('<code>client_document_busy</code>')
    const pushed = await push(aDocument())
    expect([pushed.status, pushed.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await pushed.json()).toMatchObject({ error: 'temporarily_unavailable' })
    const registered = await fetch(`${one.url}/t/acme/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ redirect_uris: ['https://app.example/cb'], subject_type: 'pairwise' },
        sector_identifier_uri: 'https://app.example/uris.json',
      }),
    })
    expect([registered.status, registered.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await registered.json()).toMatchObject({ error: 'temporarily_unavailable' })
    expect(told.take()).toEqual(expect.arrayContaining(['client_document_busy', 'client_authentication_busy', 'registration_busy']))
    expect(fetches).toHaveLength(ofStrangers)
    release()
    for (const { status } of await Promise.all(begun)) expect(status).not.toBe(503)
    expect((await authorize(aDocument())).status).not.toBe(503)
  })

  it('is one thing of a host at a time; one document is fetched once for all tenants that wait for it', async () => {
    const release = holding()
    const url = aDocument('shared.example')
    const begun = [authorize(url), authorize(url), authorize(url, one, 'globex')]
    await vi.waitFor(() => expect(fetches).toEqual([url]))
    expect((await authorize(aDocument('shared.example'))).status).toBe(503)
    release()
    for (const { status } of await Promise.all(begun)) expect(status).not.toBe(503)
    expect(fetches).toEqual([url])
  })

  it('is less by one address than by all, so that none of them holds all places', async () => {
    expect(rateLimits.client_document.burst).toBeLessThan(ofStrangers)
    const answers = []
    for (let n = 0; n <= rateLimits.client_document.burst; n += 1) answers.push(await authorize(aDocument(), limited))
    const refused = answers.filter(({ status }) => status === 503)
    expect(refused.map(({ headers }) => Number(headers.get('retry-after')) > 0)).toEqual([true])
    expect(fetches).toHaveLength(rateLimits.client_document.burst)
  })

  it('holds, with what admins vouch for, less than half of the threads that look names up', () => {
    const command = readFileSync(new URL('../../../cli/bin/drawbridge.mjs', import.meta.url), 'utf8')
    const threads = Number(/UV_THREADPOOL_SIZE \?\?= '(\d+)'/.exec(command)?.[1])
    // libuv gives look-ups half of its threads.
    expect(ofStrangers + ofVouchedFor).toBeLessThanOrEqual(threads / 2 / 2)
  })
})

describe('a document that has lapsed', () => {
  const aClient = async () => {
    const url = aDocument()
    await authorize(url)
    expect(await rowOf(url)).toBeDefined()
    fetches = []
    return url
  }

  it('is fetched once for all who come with it, and again by each process, and disturbs nobody: the client is the same', async () => {
    const url = await aClient()
    expect(await refresh(url, other)).toBe(known)
    const { version } = (await rowOf(url)) ?? {}
    now = addSeconds(now, 601)
    const release = holding()
    const all = [...Array.from({ length: 8 }, () => refresh(url)), ...Array.from({ length: 8 }, () => refresh(url, other))]
    await vi.waitFor(() => expect(fetches).toHaveLength(2))
    release()
    expect(new Set(await Promise.all(all))).toEqual(new Set([known]))
    expect(fetches).toEqual([url, url])
    expect((await rowOf(url))?.['version']).toBe(version)
    expect(await refresh(url)).toBe(known)
    expect(await refresh(url, other)).toBe(known)
    expect(fetches).toHaveLength(2)
  })

  it('that says what it said is written by nobody whom another process was faster than', async () => {
    const url = await aClient()
    now = addSeconds(now, 601)
    const release = holding()
    const slow = refresh(url)
    await vi.waitFor(() => expect(fetches).toHaveLength(1))
    held = undefined
    expect(await refresh(url, other)).toBe(known)
    const row = await rowOf(url)
    now = addSeconds(now, 1)
    release()
    expect(await slow).toBe(known)
    expect(await rowOf(url)).toEqual(row)
  })

  it('and cannot be fetched serves tokens as it is, and is asked for again only after a pause; who begins anew has it asked for at once', async () => {
    const url = await aClient()
    now = addSeconds(now, 601)
    isDown = true
    expect(await refresh(url)).toBe(known)
    expect(await refresh(url)).toBe(known)
    expect(fetches).toHaveLength(1)
    now = addSeconds(now, documentPauseSeconds)
    const release = holding()
    const first = refresh(url)
    await vi.waitFor(() => expect(fetches).toHaveLength(2))
    // Nobody else waits for what failed just now.
    expect(await refresh(url)).toBe(known)
    release()
    expect(await first).toBe(known)
    expect(fetches).toHaveLength(2)
    expect(await (await authorize(url)).text()).toContain('client_document_unreachable')
    expect(fetches).toHaveLength(3)
    isDown = false
    expect((await authorize(url)).status).not.toBe(503)
    expect(fetches).toHaveLength(4)
    expect(await refresh(url)).toBe(known)
    expect(fetches).toHaveLength(4)
  })

  it.each([
    { says: '404', answer: { status: 404, body: 'Not Found' }, reason: 'client_document_gone' },
    { says: '410', answer: { status: 410, body: '{}' }, reason: 'client_document_gone' },
    { says: 'what describes no client', answer: { status: 200, body: '{"client_name":"Tools"}' }, reason: 'client_document_invalid' },
  ])(
    'and of which the publisher says $says begins nothing, serves tokens for minutes and then no more, wherever they are asked for',
    async ({ answer, reason }) => {
      const url = await aClient()
      now = addSeconds(now, 601)
      instead = answer
      expect(await refresh(url)).toBe(known)
      expect(await (await authorize(url)).text()).toContain(reason)
      // A publisher who put up a new version may have said so by mistake.
      now = addSeconds(now, withdrawnSeconds - 1)
      expect([await refresh(url), await refresh(url, other)]).toEqual([known, known])
      now = addSeconds(now, 1)
      expect([await refresh(url), await refresh(url, other)]).toEqual([unknown, unknown])
      // Nor does it serve again because nobody can hear him now.
      now = addSeconds(now, documentPauseSeconds)
      isDown = true
      expect(await refresh(url)).toBe(unknown)
      const asked = fetches.length
      expect(await refresh(url)).toBe(unknown)
      expect(fetches).toHaveLength(asked)
    },
  )

  it('is told of in the trail once, whichever process hears it; one that comes and goes once a day', async () => {
    const url = await aClient()
    const trail = () =>
      asOwner<{ reason: string }>(
        fixture.ownerUrl,
        `SELECT reason FROM audit_events WHERE kind = 'client.document_withdrawn' AND client_id = $1 ORDER BY id`,
        [url],
      )
    const comesAndGoes = async (answer: NonNullable<typeof instead>) => {
      instead = undefined
      now = addSeconds(now, withdrawnSeconds + documentPauseSeconds)
      expect(await refresh(url)).toBe(known)
      now = addSeconds(now, 601)
      instead = answer
      for (const broker of [one, other, one]) expect(await refresh(url, broker)).toBe(known)
    }
    await comesAndGoes({ status: 404, body: '' })
    await comesAndGoes({ status: 410, body: '' })
    expect(await trail()).toEqual([{ reason: 'client_document_gone' }])
    now = addSeconds(now, withdrawalToldSeconds)
    await comesAndGoes({ status: 200, body: '{}' })
    expect(await trail()).toEqual([{ reason: 'client_document_gone' }, { reason: 'client_document_invalid' }])
  })

  it('serves again from when there is a good one, and what was said before counts for nothing later', async () => {
    const url = await aClient()
    now = addSeconds(now, 601)
    instead = { status: 404, body: '' }
    expect(await refresh(url)).toBe(known)
    now = addSeconds(now, withdrawnSeconds)
    expect(await refresh(url)).toBe(unknown)
    instead = undefined
    now = addSeconds(now, documentPauseSeconds)
    expect(await refresh(url)).toBe(known)
    now = addSeconds(now, 601)
    isDown = true
    expect(await refresh(url)).toBe(known)
    now = addSeconds(now, 86_400 - 700)
    expect([await refresh(url), await refresh(url, other)]).toEqual([known, known])
  })

  it.each([401, 403, 408, 425, 429, 500, 503])('and is answered with %i is as one that cannot be fetched', async (status) => {
    const url = await aClient()
    now = addSeconds(now, 601)
    instead = { status, body: '' }
    expect(await refresh(url)).toBe(known)
    now = addSeconds(now, 80_000)
    expect(await refresh(url)).toBe(known)
    expect(await (await authorize(url)).text()).toContain('client_document_unreachable')
  })
})
