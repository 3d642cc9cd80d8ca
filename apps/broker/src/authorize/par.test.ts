/** Pushed authorization requests (RFC 9126) over HTTP: who may push what, and what a browser can do with the address. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { hashCredential } from '@drawbridge/crypto/hash'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aChallenge } from '@drawbridge/testkit/a-grant'
import { type AnIdp, aCompany, anAuthorizeUrl, anIdp, aPlainBrowser, aWebRedirectUri } from '@drawbridge/testkit/a-login'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let company: ATenant
let slugs = 0
const published = new Map<string, object>()

beforeAll(async () => {
  fixture = await testDatabase()
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    connectorFor: idp.connectorFor,
    fetchSafely: async (url) => {
      const document = published.get(url)
      if (document === undefined) return err({ reason: 'unreachable' })
      const body = Buffer.from(JSON.stringify({ client_id: url, ...document }))
      return ok({ status: 200, headers: { 'content-type': 'application/json' }, body })
    },
  })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  now = addSeconds(now, 5)
  company = await aCompany(fixture, `par-${(slugs += 1)}`, now)
  idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'] }
})

const issuer = () => `http://localhost:4400/t/${company.slug}`
const owner = <Row = Record<string, unknown>>(sql: string, ...more: unknown[]): Promise<Row[]> =>
  asOwner<Row>(fixture.ownerUrl, sql, [company.tenantId, ...more])
const pushedRows = () => owner('SELECT request_hash FROM pushed_requests WHERE tenant_id = $1')

const good = (): Record<string, string> => Object.fromEntries(new URL(anAuthorizeUrl(issuer(), company, { state: 'kept' })).searchParams)
type Pushed = { status: number; headers: Headers; body: Record<string, unknown> & { request_uri: string } }
async function push(change: Record<string, string | undefined> = {}, headers: Record<string, string> = {}): Promise<Pushed> {
  const form = Object.entries({ ...good(), ...change }).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const answer = await fetch(`${broker.url}/t/${company.slug}/par`, { method: 'POST', body: new URLSearchParams(form), headers })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Pushed['body'] }
}
const aBrowser = () => aPlainBrowser({ issuer: issuer(), url: broker.url })
const bring = (requestUri: string, more: Record<string, string> = {}, browser = aBrowser()) =>
  browser.visit(`${issuer()}/authorize?${new URLSearchParams({ client_id: company.clientId, request_uri: requestUri, ...more })}`)
const onPage = (reason: string, status = 400) => ({ status, location: '', text: expect.stringContaining(reason) as string })

describe('a client that pushes its request', () => {
  it('is told of in the trail, which is kept for ever, if it proves itself and an admin vouches for it: a secret anybody gets', async () => {
    const hash = hashCredential('dbk_secret')
    const is = (kind: string, approved: boolean, method = 'client_secret_post', stated: string | null = null) =>
      owner(
        `UPDATE clients SET kind = $2, pre_approved = $3, token_endpoint_auth_method = $4, secret_hash = $5, software_statement = $6 WHERE tenant_id = $1`,
        ...[kind, approved, method, method === 'none' ? null : hash, stated],
      )
    const told = () => owner("SELECT 1 FROM audit_events WHERE tenant_id = $1 AND kind = 'authorization_request_pushed'")
    const secret = { client_secret: 'dbk_secret' }
    await is('preregistered', true, 'none')
    expect((await push()).status).toBe(201)
    await is('dynamic', false)
    expect((await push(secret)).status).toBe(201)
    await is('dynamic', true, 'client_secret_post', '{"issuer":"x"}')
    expect((await push(secret)).status).toBe(201)
    expect(await told()).toEqual([])
    await is('dynamic', true)
    expect((await push(secret)).status).toBe(201)
    await is('preregistered', false)
    expect((await push(secret)).status).toBe(201)
    expect(await told()).toHaveLength(2)
  })

  it('gets an address of 256 random bits for a minute, which nobody stores', async () => {
    const { status, headers, body } = await push()
    expect({ status, body }).toEqual({
      status: 201,
      body: { request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:[A-Za-z0-9_-]{43}$/), expires_in: 60 },
    })
    expect(headers.get('cache-control')).toContain('no-store')
    const handle = body.request_uri.split(':').at(-1) as string
    expect(await pushedRows()).toEqual([{ request_hash: hashCredential(handle) }])
    expect((await push()).body.request_uri).not.toBe(body.request_uri)
  })

  it('has its person signed in by it, with all that it pushed', async () => {
    const { body } = await push()
    const browser = aBrowser()
    const home = await browser.comeHome(await bring(body.request_uri, {}, browser), company.connectionId)
    const back = new URL(home.location)
    expect(`${back.origin}${back.pathname}`).toBe(aWebRedirectUri)
    expect([back.searchParams.get('state'), back.searchParams.has('code'), back.searchParams.get('iss')]).toEqual(['kept', true, issuer()])
    expect(await pushedRows()).toEqual([])
  })

  it('may come from a page of another origin', async () => {
    expect((await push({}, { origin: 'https://app.example' })).headers.get('access-control-allow-origin')).toBe('*')
  })

  it.each([
    ['unsupported_response_type', { response_type: 'token' }],
    ['invalid_request', { code_challenge: undefined, code_challenge_method: undefined }],
    ['invalid_request', { redirect_uri: 'https://evil.example/callback' }],
    ['invalid_target', { resource: 'https://unknown.example' }],
    ['invalid_scope', { scope: 'nothing' }],
    ['invalid_request', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }],
    ['request_not_supported', { request: 'e30.e30.' }],
    ['invalid_request', { connection: 'unknown' }],
  ])('is told %s at once, by 400 and JSON, for %j', async (error, change) => {
    const { status, body } = await push(change)
    expect({ status, error: body['error'] }).toEqual({ status: 400, error })
    expect(await pushedRows()).toEqual([])
  })

  it('is told pushed_request_nested, resources_several and repeated parameters for what they are', async () => {
    const raw = async (more: string) => {
      const body = `${new URLSearchParams(good())}${more}`
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const answer = await fetch(`${broker.url}/t/${company.slug}/par`, { method: 'POST', headers, body })
      return [answer.status, ((await answer.json()) as { error: string }).error]
    }
    expect(await raw('&state=twice')).toEqual([400, 'invalid_request'])
    expect(await raw('&resource=https://other.example')).toEqual([400, 'invalid_target'])
  })

  it('that is unknown, or that another’s secret is shown for, is refused as at the token endpoint', async () => {
    expect(await push({ client_id: 'nobody' })).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    expect(await push({ client_secret: 'x' })).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
  })

  it('whose way of registration is closed is refused', async () => {
    await owner(
      `UPDATE tenants SET client_registration = '{"metadataDocuments": true, "documentHosts": [], "dynamic": true, "preregistered": false}' WHERE id = $1`,
    )
    broker.deps.configuration.invalidate()
    expect(await push()).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } })
  })

  it('that describes itself may push its very first request', async () => {
    const url = 'https://tools.example/client.json'
    published.set(url, { client_name: 'Tools', redirect_uris: ['https://tools.example/callback'] })
    const { status, body } = await push({ client_id: url, redirect_uri: 'https://tools.example/callback' })
    expect(status).toBe(201)
    expect((await bring(body.request_uri, { client_id: url })).location).toContain('/authorize/client-notice')
  })

  it('is told when it asks too often', async () => {
    const answers = await Promise.all(Array.from({ length: 420 }, () => push({ response_type: 'token' })))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400, 429]))
    now = addSeconds(now, 60)
  })
})

describe('a confidential client', () => {
  const secret = 'dbs_of-the-client'
  const basic = (id: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })
  beforeEach(() =>
    owner(
      "UPDATE clients SET token_endpoint_auth_method = 'client_secret_basic', secret_hash = $2 WHERE tenant_id = $1",
      hashCredential(secret),
    ),
  )

  it('proves itself by its secret, and nothing of that rests', async () => {
    expect((await push({ client_id: undefined }, basic(company.clientId))).status).toBe(201)
    expect((await push({ client_secret: secret })).status).toBe(201)
    const rows = await owner<{ text: string }>('SELECT parameters::text AS text FROM pushed_requests WHERE tenant_id = $1')
    expect(rows).toHaveLength(2)
    for (const { text } of rows) {
      expect(text).not.toContain(secret)
      expect(JSON.parse(text)).toMatchObject({ client_id: company.clientId, state: 'kept' })
    }
  })

  it('has a limit of its own, from wherever it comes; whoever cannot prove to be it uses up nothing of that', async () => {
    await owner(`UPDATE tenants SET lab_rate_limits = '{"client": {"perSecond": 1, "burst": 2}}' WHERE id = $1`)
    broker.deps.configuration.invalidate()
    for (let n = 0; n < 3; n += 1) expect((await push({ client_secret: 'wrong' })).status).toBe(401)
    const proven = () => push({ client_secret: secret })
    expect([(await proven()).status, (await proven()).status, (await proven()).status]).toEqual([201, 201, 429])
  })

  it('pushes nothing without it', async () => {
    expect(await push()).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
  })
})

describe('the address of a pushed request', () => {
  it('is used once, by one of many browsers', async () => {
    const { body } = await push()
    const pages = await Promise.all(Array.from({ length: 5 }, () => bring(body.request_uri)))
    expect(pages.filter(({ status }) => status === 303)).toHaveLength(1)
    expect(await bring(body.request_uri)).toMatchObject(onPage('request_uri_invalid'))
  })

  it('lapses after a minute', async () => {
    const { body } = await push()
    now = addSeconds(now, 60)
    expect(await bring(body.request_uri)).toMatchObject(onPage('request_uri_invalid'))
  })

  it.each([
    { what: 'made up', uri: `urn:ietf:params:oauth:request_uri:${'A'.repeat(43)}` },
    { what: 'too short', uri: 'urn:ietf:params:oauth:request_uri:x' },
    { what: 'empty', uri: 'urn:ietf:params:oauth:request_uri:' },
  ])('that is $what leads to a page and nowhere else, whatever stands beside it', async ({ uri }) => {
    expect(await bring(uri, good())).toMatchObject(onPage('request_uri_invalid'))
  })

  it('is of its client alone, and another does not use it up', async () => {
    const { body } = await push()
    expect(await bring(body.request_uri, { client_id: 'another' })).toMatchObject(onPage('request_uri_invalid'))
    const without = await aBrowser().visit(`${issuer()}/authorize?${new URLSearchParams({ request_uri: body.request_uri })}`)
    expect(without).toMatchObject(onPage('request_uri_invalid'))
    expect((await bring(body.request_uri)).status).toBe(303)
  })

  it('is changed by nothing that stands beside it (RFC 9101 §6.3)', async () => {
    const { body } = await push({ scope: 'read' })
    const browser = aBrowser()
    const beside = {
      state: 'evil',
      redirect_uri: 'https://evil.example/',
      scope: 'write',
      prompt: 'none',
      connection: 'x',
      response_type: 'token',
    }
    const home = await browser.comeHome(await bring(body.request_uri, beside, browser), company.connectionId)
    expect(home.location).toMatch(/^https:\/\/client\.example\/callback\?/)
    expect(new URL(home.location).searchParams.get('state')).toBe('kept')
    expect(await owner('SELECT scopes FROM grants WHERE tenant_id = $1')).toEqual([{ scopes: ['read'] }])
  })

  it('is judged again when it is used: what its client has given up since leads nowhere', async () => {
    const { body } = await push()
    await owner("UPDATE clients SET redirect_uris = '{https://client.example/other}' WHERE tenant_id = $1")
    expect(await bring(body.request_uri)).toMatchObject(onPage('redirect_uri_unregistered'))
  })

  it('comes by POST, too', async () => {
    const { body } = await push()
    const browser = aBrowser()
    const posted = await browser.visit(`${issuer()}/authorize`, { client_id: company.clientId, request_uri: body.request_uri })
    expect((await browser.visit(posted.location)).location).toMatch(/^https:\/\/idp\.example\//)
  })
})

describe('where requests must be pushed (RFC 9126 §5, §6)', () => {
  const plain = (browser = aBrowser()) => browser.visit(anAuthorizeUrl(issuer(), company, { state: 'kept' }))
  const refused = (location: string) => {
    const { searchParams } = new URL(location)
    return [searchParams.get('error'), searchParams.get('state'), searchParams.get('iss')]
  }
  const demanded = {
    client: () => owner('UPDATE clients SET require_pushed_requests = true WHERE tenant_id = $1'),
    tenant: () => anAdmin(broker)('PUT', `/tenants/${company.slug}/pushed-requests`, { required: true }),
  }

  it.each(['client', 'tenant'] as const)('by the %s, a plain one is refused, and a pushed one is not', async (by) => {
    await demanded[by]()
    broker.deps.configuration.invalidate()
    expect(refused((await plain()).location)).toEqual(['invalid_request', 'kept', issuer()])
    const { body } = await push()
    expect((await bring(body.request_uri)).location).toMatch(/^https:\/\/idp\.example\//)
  })

  it.each(['client', 'tenant'] as const)('by the %s, a process that has not heard of it grants nothing either', async (by) => {
    await plain()
    const browser = aBrowser()
    const left = await plain(browser)
    await demanded[by]()
    const home = await browser.comeHome(left, company.connectionId)
    expect(refused(home.location)).toEqual(['invalid_request', 'kept', issuer()])
    expect(await owner('SELECT 1 FROM grants WHERE tenant_id = $1')).toEqual([])
  })

  it('metadata of the issuer says so', async () => {
    const metadata = async () => (await fetch(`${broker.url}/.well-known/oauth-authorization-server/t/${company.slug}`)).json()
    const endpoint = { pushed_authorization_request_endpoint: `${issuer()}/par` }
    expect(await metadata()).toMatchObject({ ...endpoint, require_pushed_authorization_requests: false })
    await demanded.tenant()
    broker.deps.configuration.invalidate()
    expect(await metadata()).toMatchObject({ ...endpoint, require_pushed_authorization_requests: true })
  })

  it('a client says so of itself when it registers, and of one that an admin registered the admin does', async () => {
    const body = JSON.stringify({ redirect_uris: [aWebRedirectUri], require_pushed_authorization_requests: true })
    const headers = { 'content-type': 'application/json' }
    const registered = await fetch(`${broker.url}/t/${company.slug}/register`, { method: 'POST', headers, body })
    expect(await registered.json()).toMatchObject({ require_pushed_authorization_requests: true })
    const call = anAdmin(broker)
    const path = `/tenants/${company.slug}/clients/${company.clientId}`
    expect((await call('GET', path)).body).toMatchObject({ requirePushedAuthorizationRequests: false })
    await call('PATCH', `${path}/registration`, { requirePushedAuthorizationRequests: true })
    expect((await call('GET', path)).body).toMatchObject({ requirePushedAuthorizationRequests: true })
  })
})

it('a challenge that was pushed is the one that the code is bound to', async () => {
  const { body } = await push()
  const browser = aBrowser()
  await browser.comeHome(await bring(body.request_uri, {}, browser), company.connectionId)
  expect(await owner('SELECT code_challenge FROM authorization_codes WHERE tenant_id = $1')).toEqual([{ code_challenge: aChallenge }])
})
