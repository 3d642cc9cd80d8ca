/** A client that registered itself manages its registration. RFC 7592, through HTTP and real PostgreSQL. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant, aRedirectUri, aVerifier } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
const told = toldRefusals()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    metrics: told.metrics,
    settings: readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000' }),
  })
  call = anAdmin(broker)
  await aTokenKey(fixture, broker, acme)
  await call('POST', '/tenants/acme/contacts', { name: 'Peter', email: 'it@acme.example' })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  now = addSeconds(now, 3600)
  told.take()
})

type Body = Readonly<Record<string, unknown>>
type Registered = Body & {
  readonly client_id: ClientId
  readonly client_secret: string
  readonly registration_client_uri: string
  readonly registration_access_token: string
}
type Answer = { readonly status: number; readonly headers: Headers; readonly body: Body }

async function send(method: string, path: string, token?: string, body?: object): Promise<Answer> {
  const response = await fetch(`${broker.url}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Body) }
}

const publicly = {
  client_name: 'Tools',
  redirect_uris: [aRedirectUri],
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
}
const confidential = { ...publicly, token_endpoint_auth_method: 'client_secret_post' }
async function register(metadata: object = publicly): Promise<Registered> {
  const { status, body } = await send('POST', '/t/acme/register', undefined, metadata)
  expect(status).toBe(201)
  return body as Registered
}
const pathOf = ({ client_id: id }: Pick<Registered, 'client_id'>, tenant = 'acme') => `/t/${tenant}/register/${id}`
const look = (client: Registered, token = client.registration_access_token) => send('GET', pathOf(client), token)
const replace = (client: Registered, metadata: object, token = client.registration_access_token) =>
  send('PUT', pathOf(client), token, { client_id: client.client_id, ...metadata })
const end = (client: Registered, token = client.registration_access_token) => send('DELETE', pathOf(client), token)

async function token(form: Record<string, string>): Promise<Answer> {
  const response = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body }
}
/** What somebody granted it; answers the refresh token. */
async function aRefreshToken({ client_id: id }: Registered): Promise<string> {
  const { code } = await aGrant(fixture, { ...acme, clientId: id }, { now })
  const form = { grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier, client_id: id }
  const { status, body } = await token(form)
  expect(status).toBe(200)
  return String(body['refresh_token'])
}
const refresh = ({ client_id: id }: Registered, refreshToken: string) =>
  token({ grant_type: 'refresh_token', refresh_token: refreshToken, client_id: id })
const show = async ({ client_id: id }: Registered) => (await call('GET', `/tenants/acme/clients/${id}`)).body as Body
const trailOf = async ({ client_id: id }: Registered) =>
  (
    await asOwner<{ kind: string; reason: string | null; detail: Body }>(
      fixture.ownerUrl,
      'SELECT kind, reason, detail FROM audit_events WHERE client_id = $1 ORDER BY at, id',
      [id],
    )
  ).map(({ kind, reason, detail }) => ({ kind, reason, detail }))

describe('a client that registered itself', () => {
  it('is told its address and its token, which the database holds as a hash alone', async () => {
    const client = await register()
    expect(client.registration_client_uri).toBe(`http://localhost:4400/t/acme/register/${client.client_id}`)
    expect(Buffer.from(client.registration_access_token, 'base64url')).toHaveLength(32)
    const rows = await asOwner<{ row: string }>(fixture.ownerUrl, 'SELECT to_jsonb(c)::text AS row FROM clients c WHERE client_id = $1', [
      client.client_id,
    ])
    expect(rows[0]?.row).toContain(client.client_id)
    expect(rows[0]?.row).not.toContain(client.registration_access_token)
  })

  it('reads what it is registered as, without its secret, and its token stays', async () => {
    const client = await register(confidential)
    const { client_secret: _, client_secret_expires_at: __, client_id_issued_at: ___, ...shown } = client
    const read = await look(client)
    expect(read).toMatchObject({ status: 200, body: shown })
    expect(Object.keys(read.body)).not.toContain('client_secret')
    expect(read.headers.get('cache-control')).toBe('no-store')
    expect((await look(client)).status).toBe(200)
  })

  it('replaces all of it: what is left out is as if it had never been said, and its token is another one', async () => {
    const client = await register({ ...publicly, post_logout_redirect_uris: [aRedirectUri] })
    const { status, body } = await replace(client, { ...publicly, client_name: 'Tools 2' })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      client_id: client.client_id,
      client_name: 'Tools 2',
      registration_client_uri: client.registration_client_uri,
    })
    expect(body).not.toHaveProperty('post_logout_redirect_uris')
    expect(body['registration_access_token']).not.toBe(client.registration_access_token)
    expect((await look(client)).status).toBe(401)
    expect((await look(client, String(body['registration_access_token']))).body).toMatchObject({ client_name: 'Tools 2' })
    expect(await trailOf(client)).toMatchObject([
      { kind: 'client_registered' },
      { kind: 'client.registration_changed', detail: { changed: ['name', 'postLogoutRedirectUris'] } },
    ])
  })

  it('keeps what it was granted by a new name, and loses it by another redirect URI or another way to prove itself', async () => {
    const client = await register()
    const held = await aRefreshToken(client)
    const named = (await replace(client, { ...publicly, client_name: 'Tools 2' })).body as Registered
    const next = await refresh(client, held)
    expect(next.status).toBe(200)
    await replace(named, { ...publicly, redirect_uris: ['https://elsewhere.example/cb'] })
    expect((await refresh(client, String(next.body['refresh_token']))).body).toMatchObject({ error: 'invalid_grant' })
    const barriers = (await trailOf(client)).filter(({ kind }) => kind === 'client.deprovisioned')
    expect(barriers).toMatchObject([{ reason: 'registration_changed', detail: { deactivated: false } }])
  })

  it('loses an approval by saying something else, which the trail and the contacts are told; an admin approves what she saw', async () => {
    const client = await register()
    const seen = await show(client)
    const path = `/tenants/acme/clients/${client.client_id}`
    expect((await call('PATCH', path, { preApproved: true, documentDigest: seen['documentDigest'] })).status).toBe(200)
    const same = (await replace(client, publicly)).body as Registered
    expect(await show(client)).toMatchObject({ preApproved: true, approvalLost: null })
    await replace(same, { ...publicly, client_name: 'Payroll' })
    expect(await show(client)).toMatchObject({ preApproved: false, approvalLost: { changed: ['name'], before: { name: 'Tools' } } })
    expect((await call('PATCH', path, { preApproved: true, documentDigest: seen['documentDigest'] })).status).toBe(409)
    expect(await trailOf(client)).toContainEqual({ kind: 'client.approval_lost', reason: null, detail: { changed: ['name'] } })
  })

  it('keeps its secret by naming it, gets another one by leaving it out, and none by naming a wrong one', async () => {
    const client = await register(confidential)
    const kept = (await replace(client, { ...confidential, client_secret: client.client_secret })).body as Registered
    expect(kept.client_secret).toBe(client.client_secret)
    const wrong = await replace(kept, { ...confidential, client_secret: 'chosen-by-the-client' })
    expect(wrong).toMatchObject({ status: 400, body: { error: 'invalid_client_metadata' } })
    const fresh = (await replace(kept, confidential)).body as Registered
    expect(fresh.client_secret).not.toBe(client.client_secret)
    const by = (secret: string) =>
      token({ grant_type: 'refresh_token', refresh_token: 'x', client_id: client.client_id, client_secret: secret })
    expect((await by(client.client_secret)).body).toMatchObject({ error: 'invalid_client' })
    expect((await by(fresh.client_secret)).body).toMatchObject({ error: 'invalid_grant' })
    const open = (await replace(fresh, { ...publicly })).body
    expect(open).not.toHaveProperty('client_secret')
  })

  it.each([
    { when: 'it names another client', change: { client_id: 'dbd_other' }, error: 'invalid_client_metadata' },
    { when: 'it brings a token of its own choice', change: { registration_access_token: 'x' }, error: 'invalid_client_metadata' },
    { when: 'it brings an address', change: { registration_client_uri: 'https://x.example/' }, error: 'invalid_client_metadata' },
    { when: 'it says when its secret ends', change: { client_secret_expires_at: 0 }, error: 'invalid_client_metadata' },
    { when: 'it says since when it is known', change: { client_id_issued_at: 1 }, error: 'invalid_client_metadata' },
    { when: 'it names a secret and has none', change: { client_secret: 'x' }, error: 'invalid_client_metadata' },
    { when: 'a redirect URI is unusable', change: { redirect_uris: ['http://app.example/'] }, error: 'invalid_redirect_uri' },
    { when: 'a new client could not be so', change: { grant_types: ['client_credentials'] }, error: 'invalid_client_metadata' },
  ])('is refused a replacement, and keeps its token, when $when', async ({ change, error }) => {
    const client = await register()
    expect(await replace(client, { ...publicly, ...change })).toMatchObject({ status: 400, body: { error } })
    expect((await look(client)).status).toBe(200)
  })

  it('is replaced by one of many that come with the same token at once', async () => {
    const client = await register()
    const answers = await Promise.all([1, 2, 3, 4].map((n) => replace(client, { ...publicly, client_name: `Tools ${n}` })))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401, 401, 401])
    const winner = answers.find(({ status }) => status === 200)?.body as Registered
    expect((await look(winner)).body).toMatchObject({ client_name: winner['client_name'] })
  })

  it('ends its registration: everything it holds is dead, nobody knows it any more, and no admin opens it again', async () => {
    const client = await register()
    const held = await aRefreshToken(client)
    const ended = await end(client)
    expect({ status: ended.status, body: ended.body }).toEqual({ status: 204, body: {} })
    expect(await refresh(client, held)).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    expect((await look(client)).status).toBe(401)
    expect((await end(client)).status).toBe(401)
    expect((await call('GET', `/tenants/acme/clients/${client.client_id}`)).status).toBe(404)
    expect((await call('PATCH', `/tenants/acme/clients/${client.client_id}`, { blocked: false })).status).toBe(404)
    expect(JSON.stringify((await call('GET', '/tenants/acme/clients?limit=500')).body)).not.toContain(client.client_id)
    expect(await trailOf(client)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'client.registration_ended', reason: 'asked_by_client' }),
        expect.objectContaining({ kind: 'client.deprovisioned', reason: 'registration_ended' }),
      ]),
    )
  })

  it('hears that it was blocked, and may still end its registration', async () => {
    const client = await register()
    await call('PATCH', `/tenants/acme/clients/${client.client_id}`, { blocked: true })
    expect(await replace(client, publicly)).toMatchObject({ status: 403, body: { error: 'access_denied' } })
    expect(told.take()).toContain('registration_blocked')
    expect((await look(client)).status).toBe(200)
    expect((await end(client)).status).toBe(204)
  })

  it('changes nothing where the way is closed, and may still look and end', async () => {
    const client = await register()
    const ways = { metadataDocuments: true, documentHosts: [], dynamic: false, preregistered: true, approvalRequired: false }
    await call('PUT', '/tenants/acme/client-registration', ways)
    broker.deps.configuration.invalidate()
    expect((await replace(client, publicly)).status).toBe(403)
    expect((await look(client)).status).toBe(200)
    expect((await end(client)).status).toBe(204)
    await call('PUT', '/tenants/acme/client-registration', { ...ways, dynamic: true })
    broker.deps.configuration.invalidate()
  })
})

describe('whoever has not the token', () => {
  const methods = ['GET', 'PUT', 'DELETE'] as const
  it.each(methods)('hears at %s the same of a client that exists, of one that does not, and of one without a token', async (method) => {
    const [client, other] = [await register(), await register()]
    await call('POST', '/tenants/acme/clients', {
      clientId: `of-an-admin-${method}`,
      name: 'Own',
      redirectUris: ['https://own.example/cb'],
    })
    const ended = await register()
    await end(ended)
    const wrong: readonly (readonly [string, string])[] = [
      [pathOf(client), other.registration_access_token],
      [pathOf(client), `${client.registration_access_token}x`],
      [pathOf({ client_id: 'dbd_nobody' as ClientId }), client.registration_access_token],
      [pathOf({ client_id: `of-an-admin-${method}` as ClientId }), client.registration_access_token],
      [pathOf(client, 'globex'), client.registration_access_token],
      [pathOf(ended), ended.registration_access_token],
    ]
    const answers = await Promise.all(
      wrong.map(([path, presented]) => send(method, path, presented, method === 'PUT' ? publicly : undefined)),
    )
    const seen = answers.map(({ status, body, headers }) => JSON.stringify([status, body, headers.get('www-authenticate')]))
    expect(new Set(seen).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
    expect(answers[0]?.headers.get('www-authenticate')).toMatch(/^Bearer .*error="invalid_token"/)
    expect(new Set(told.take())).toEqual(new Set(['registration_token_invalid']))
    expect((await look(client)).status).toBe(200)
  })
  it('and presents none is told the scheme, and no error', async () => {
    const client = await register()
    const answer = await send('GET', pathOf(client))
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="drawbridge"')
    expect(told.take()).toContain('registration_token_missing')
  })
})

it('a strict client registers, and uses what it was told', async () => {
  const as: oauth.AuthorizationServer = { issuer: 'http://localhost:4400/t/acme', registration_endpoint: `${broker.url}/t/acme/register` }
  const response = await oauth.dynamicClientRegistrationRequest(as, confidential as Partial<oauth.Client>, {
    [oauth.allowInsecureRequests]: true,
  })
  const client = await oauth.processDynamicClientRegistrationResponse(response)
  expect(client.client_secret).toEqual(expect.any(String))
  const uri = new URL(client['registration_client_uri'] as string)
  const read = await send('GET', uri.pathname, client['registration_access_token'] as string)
  expect(read).toMatchObject({ status: 200, body: { client_id: client.client_id, redirect_uris: [aRedirectUri] } })
})
