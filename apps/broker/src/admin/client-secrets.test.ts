/** A client is moved from one secret to another without a gap. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let other: TestBroker
let acme: ATenant
let now: Instant = instant(Date.now())
/** What happens while a client's host takes its time to answer. */
let whileItFetches: () => Promise<unknown> = async () => undefined
const told = toldRefusals()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'read', 'Read', 'read', true)`,
    [acme.tenantId, acme.resourceId],
  )
  const clock = { now: () => now }
  const fetchSafely: FetchSafely = async () => {
    await whileItFetches()
    return ok({ status: 200, headers: {}, body: Buffer.from(JSON.stringify(['https://app.example/cb'])) })
  }
  broker = await aBroker(fixture.database, { clock, metrics: told.metrics, fetchSafely })
  await aTokenKey(fixture, broker, acme)
  other = await aBroker(fixture.database, { clock })
})
afterAll(async () => {
  await broker.close()
  await other.close()
  await fixture.close()
})

type Body = Record<string, unknown>
type Shown = { id: string; createdAt: string | null; expiresAt: string | null; lastUsedAt: string | null }
async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Body }> {
  const response = await fetch(`${broker.url}/admin/v1/tenants/acme/clients${path}`, {
    method,
    headers: { authorization: `Bearer ${broker.adminKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}
async function aClient(more: object = {}) {
  const { status, body } = await call('POST', '', {
    name: 'Robot',
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'client_secret_basic',
    scopeCeiling: ['read'],
    ...more,
  })
  expect([status, body]).toMatchObject([201, {}])
  return { id: String(body['clientId']), secret: String(body['clientSecret']) }
}
const add = async (id: string, body: object = {}) => {
  const answered = await call('POST', `/${id}/secrets`, body)
  const secrets = (answered.body['secrets'] ?? []) as Shown[]
  return { ...answered, secret: String(answered.body['clientSecret']), secrets, newest: String(secrets.at(-1)?.id) }
}
const secretsOf = async (id: string) => (await call('GET', `/${id}`)).body['secrets'] as Shown[]
async function token(id: string, secret: string, at = broker, path = 'token'): Promise<number> {
  const response = await fetch(`${at.url}/t/acme/${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams(path === 'token' ? { grant_type: 'client_credentials', resource: acme.resource } : { token: 'x' }),
  })
  await response.text()
  return response.status
}
const inIso = (seconds: number) => new Date(addSeconds(now, seconds)).toISOString()

describe('a client with two secrets', () => {
  it('is proven by either, in every process, until the older one is withdrawn, and from then on by the newer alone', async () => {
    const { id, secret: older } = await aClient()
    for (const at of [broker, other]) expect(await token(id, older, at)).toBe(200)
    const { status, secret: newer, secrets } = await add(id)
    expect([status, secrets.length]).toEqual([201, 2])
    for (const at of [broker, other]) for (const secret of [older, newer]) expect(await token(id, secret, at)).toBe(200)
    const withdrawn = await call('DELETE', `/${id}/secrets/${secrets[0]?.id}`)
    expect([withdrawn.status, (withdrawn.body['secrets'] as Shown[]).map((each) => each.id)]).toEqual([200, [secrets[1]?.id]])
    for (const at of [broker, other]) {
      expect(await token(id, older, at)).toBe(401)
      expect(await token(id, newer, at)).toBe(200)
    }
    expect(told.take()).toContain('client_secret_wrong')
  })
  it('has no third one, however many are asked for at once', async () => {
    const { id } = await aClient()
    const answers = await Promise.all([1, 2, 3, 4].map(() => add(id)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409])
    expect(answers.find(({ status }) => status === 409)?.body['type']).toBe('urn:drawbridge:error:secrets_full')
    expect(await secretsOf(id)).toHaveLength(2)
  })
  it('keeps the last that lives, however many withdraw at once', async () => {
    const { id } = await aClient()
    const { secrets } = await add(id)
    const answers = await Promise.all(secrets.map((each) => call('DELETE', `/${id}/secrets/${each.id}`)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409])
    expect(answers.find(({ status }) => status === 409)?.body['type']).toBe('urn:drawbridge:error:last_secret')
    expect(await secretsOf(id)).toHaveLength(1)
  })
  it('loses both by a replacement', async () => {
    const { id, secret: older } = await aClient()
    const { secret: newer } = await add(id)
    const replaced = await call('POST', `/${id}/secret`)
    expect([await token(id, older), await token(id, newer)]).toEqual([401, 401])
    expect(await token(id, String(replaced.body['clientSecret']))).toBe(200)
    expect(await secretsOf(id)).toEqual([{ id: expect.any(String), createdAt: inIso(0), expiresAt: null, lastUsedAt: inIso(0) }])
  })
})

describe('the end of a secret', () => {
  it('is said when it is made or later, and is judged by every process by itself: at it, the secret proves nothing any more', async () => {
    const { id, secret: older } = await aClient()
    const { secret: newer, secrets } = await add(id, { expiresAt: inIso(7200) })
    expect(await call('PATCH', `/${id}/secrets/${secrets[0]?.id}`, { expiresAt: inIso(3600) })).toMatchObject({ status: 200 })
    for (const at of [broker, other]) expect([await token(id, older, at), await token(id, newer, at)]).toEqual([200, 200])
    now = addSeconds(now, 3599)
    expect(await token(id, older)).toBe(200)
    now = addSeconds(now, 1)
    told.take()
    for (const at of [broker, other]) expect([await token(id, older, at), await token(id, newer, at)]).toEqual([401, 200])
    expect(told.take()).toEqual(['client_secret_lapsed'])
    expect(await token(id, older, broker, 'revoke')).toBe(401)
    // What has lapsed makes room, and is not given another end.
    expect((await call('PATCH', `/${id}/secrets/${secrets[0]?.id}`, { expiresAt: null })).status).toBe(404)
    const third = await add(id)
    expect([third.status, third.secrets.length, await token(id, third.secret), await token(id, older)]).toEqual([201, 2, 200, 401])
    expect((await call('PATCH', `/${id}/secrets/${third.newest}`, { expiresAt: inIso(60) })).status).toBe(200)
    expect((await call('PATCH', `/${id}/secrets/${third.newest}`, { expiresAt: null })).body['secrets']).toMatchObject([
      {},
      { expiresAt: null },
    ])
  })
  it('is later than now', async () => {
    const { id } = await aClient()
    const [{ id: first } = { id: '' }] = await secretsOf(id)
    for (const expiresAt of [inIso(0), inIso(-60)]) {
      expect((await add(id, { expiresAt })).body['type']).toBe('urn:drawbridge:error:secret_ends_before_now')
      expect((await call('PATCH', `/${id}/secrets/${first}`, { expiresAt })).status).toBe(400)
    }
    expect((await call('PATCH', `/${id}/secrets/${first}`, {})).status).toBe(400)
  })
})

describe('the last use of a secret', () => {
  it('is told for each, exact to an hour, without a new version of the client and without a write by request', async () => {
    const { id, secret: older } = await aClient()
    const { secret: newer } = await add(id)
    const rowOf = async () =>
      (
        await asOwner<{ version: string; xmin: string }>(fixture.ownerUrl, 'SELECT version, xmin::text FROM clients WHERE client_id = $1', [
          id,
        ])
      )[0]
    expect((await secretsOf(id)).map(({ lastUsedAt }) => lastUsedAt)).toEqual([null, null])
    const before = await rowOf()
    const first = inIso(0)
    await token(id, older)
    expect((await secretsOf(id)).map(({ lastUsedAt }) => lastUsedAt)).toEqual([first, null])
    expect((await rowOf())?.version).toBe(before?.version)
    now = addSeconds(now, 60)
    await token(id, newer)
    const written = await rowOf()
    for (const at of [broker, other]) for (const secret of [older, newer]) expect(await token(id, secret, at)).toBe(200)
    expect(await rowOf()).toEqual(written)
    now = addSeconds(now, 3600)
    await token(id, newer, other)
    expect((await secretsOf(id)).map(({ lastUsedAt }) => lastUsedAt)).toEqual([first, inIso(0)])
  })
  it('is that of a token: who proves itself for something else has none', async () => {
    const { id, secret } = await aClient()
    expect(await token(id, secret, broker, 'revoke')).toBe(200)
    expect((await secretsOf(id))[0]?.lastUsedAt).toBeNull()
  })
})

it('a token costs one statement by either of two secrets, and no other round to the database', async () => {
  const { id, secret: older } = await aClient()
  const { secret: newer } = await add(id)
  const { hotPool, tenantPool, acrossPool } = fixture.database
  const rounds: string[] = []
  const pools = { hot: hotPool, tenant: tenantPool, across: acrossPool }
  const counts = Object.entries(pools).map(([name, pool]) => ({ pool, count: () => void rounds.push(name) }))
  // The first use of each is noted, and the client is remembered.
  for (const secret of [older, newer]) expect(await token(id, secret)).toBe(200)
  for (const { pool, count } of counts) pool.on('acquire', count)
  for (const secret of [older, newer, older]) {
    expect(await token(id, secret)).toBe(200)
    expect(rounds.splice(0)).toEqual(['hot'])
  }
  for (const { pool, count } of counts) pool.off('acquire', count)
})

describe('what is nobody’s to give', () => {
  it('is a secret to a client that proves itself otherwise, that is unknown, or that is of another tenant', async () => {
    const { id: open } = await aClient({
      grantTypes: ['authorization_code'],
      redirectUris: ['https://a.example/cb'],
      tokenEndpointAuthMethod: 'none',
    })
    const { id } = await aClient()
    expect([(await add(open)).status, (await add('nobody')).status]).toEqual([404, 404])
    const elsewhere = await fetch(`${broker.url}/admin/v1/tenants/globex/clients/${id}/secrets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.adminKey}`, 'content-type': 'application/json' },
      body: '{}',
    })
    expect(elsewhere.status).toBe(404)
    expect((await call('DELETE', `/${id}/secrets/0000000000000000`)).status).toBe(404)
  })
  it('is shown again, or kept: neither the trail, nor the list, nor the database holds it', async () => {
    const { id } = await aClient()
    const { secret } = await add(id)
    const rows = await asOwner(
      fixture.ownerUrl,
      'SELECT clients::text AS row FROM clients WHERE client_id = $1 UNION ALL SELECT audit_events::text FROM audit_events',
      [id],
    )
    expect(JSON.stringify([rows, (await call('GET', `/${id}`)).body])).not.toContain(secret)
  })
})

describe('a client that registered itself', () => {
  const register = async () => {
    const response = await fetch(`${broker.url}/t/acme/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://app.example/cb'] }),
    })
    return (await response.json()) as Record<string, string>
  }
  it('is told when the secret that it keeps ends, and loses the other', async () => {
    const registered = await register()
    const id = registered['client_id'] as string
    const own = registered['client_secret'] as string
    expect(registered['client_secret_expires_at']).toBe(0)
    const { secret: added, secrets } = await add(id)
    const end = inIso(3600)
    await call('PATCH', `/${id}/secrets/${secrets[0]?.id}`, { expiresAt: end })
    const replaced = await fetch(`${broker.url}/t/acme/register/${id}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${registered['registration_access_token']}` },
      body: JSON.stringify({ client_id: id, client_secret: own, redirect_uris: ['https://app.example/cb'] }),
    })
    expect(await replaced.json()).toMatchObject({ client_secret: own, client_secret_expires_at: Math.floor(Date.parse(end) / 1000) })
    expect(await secretsOf(id)).toMatchObject([{ id: secrets[0]?.id, createdAt: secrets[0]?.createdAt, expiresAt: end }])
    expect([await token(id, own, broker, 'revoke'), await token(id, added, broker, 'revoke')]).toEqual([200, 401])
  })

  it.each([
    { what: 'withdraws it', act: (id: string, own: string) => call('DELETE', `/${id}/secrets/${own}`), left: 1 },
    { what: 'gives the client another in its place', act: (id: string) => call('POST', `/${id}/secret`), left: 1 },
  ])('does not bring back the secret that it keeps, where an admin $what meanwhile', async ({ act, left }) => {
    const registered = await register()
    const id = registered['client_id'] as string
    const own = registered['client_secret'] as string
    const { secrets } = await add(id)
    whileItFetches = () => act(id, String(secrets[0]?.id))
    const replaced = await fetch(`${broker.url}/t/acme/register/${id}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${registered['registration_access_token']}` },
      body: JSON.stringify({
        ...{ client_id: id, client_secret: own, redirect_uris: ['https://app.example/cb'] },
        ...{ subject_type: 'pairwise', sector_identifier_uri: 'https://app.example/sector' },
      }),
    })
    whileItFetches = async () => undefined
    expect([replaced.status, await replaced.json()]).toMatchObject([400, { error: 'invalid_client_metadata' }])
    expect(await token(id, own, broker, 'revoke')).toBe(401)
    expect(await secretsOf(id)).toHaveLength(left)
  })
})
