/** What waits for an admin's decision, and that she decides on what she saw: the queue, and entity tags of clients. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { resolveClient } from '../clients/resolve-client.js'
import type { ResolvedTenant } from '../http/tenant.js'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let call: Call
let acme: ATenant
let slugs = 0
const published = new Map<string, object>()

beforeAll(async () => {
  fixture = await testDatabase()
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    fetchSafely: async (url) => {
      const document = published.get(url)
      if (document === undefined) return err({ reason: 'unreachable' })
      const body = Buffer.from(JSON.stringify({ client_id: url, ...document }))
      return ok({ status: 200, headers: { 'content-type': 'application/json' }, body })
    },
  })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `waits-${(slugs += 1)}` })
})

const base = () => `/tenants/${acme.slug}`
const pathOf = (url: string) => `${base()}/clients/${encodeURIComponent(url)}`
const urlOf = (name: string) => `https://${name}.example/client.json`
/** What it says from now on, when the copy of before has lapsed. */
async function publish(name: string, change: object = {}): Promise<string> {
  const url = urlOf(name)
  published.set(url, { client_name: name, redirect_uris: [`https://${name}.example/cb`], ...change })
  now = addSeconds(now, 90_000)
  await resolveClient(broker.deps, (await broker.deps.configuration.find(acme.slug)) as ResolvedTenant, url, 'authorize')
  return url
}
/** Somebody of the tenant lets it in. */
const use = (clientId: string, change: { subjectId?: string; revoked?: boolean; expiresAt?: string; clientEpoch?: number } = {}) =>
  asOwner(
    fixture.ownerUrl,
    `INSERT INTO grants (tenant_id, id, issuer_id, client_id, subject_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch,
       policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at, revoked_at)
     VALUES ($1, gen_random_uuid(), $2, $3, $4, $1, $5, 'x', '{}', 1, $8, 0, '{}', 60, $6, '[]', now(), $7)`,
    [
      ...[acme.tenantId, acme.issuerId, clientId, change.subjectId ?? acme.subjectId, acme.resourceId, change.expiresAt ?? '2099-01-01'],
      ...[change.revoked === true ? new Date() : null, change.clientEpoch ?? 1],
    ],
  )
const queue = async (query = '') => (await call('GET', `${base()}/waiting-clients${query}`)).body.clients as Record<string, unknown>[]
const waiting = async (query?: string) => (await queue(query)).map(({ clientId }) => clientId)
const show = async (url: string) => (await call('GET', pathOf(url))).body
const patch = (url: string, body: object, ifMatch?: string) =>
  fetch(`${broker.url}/admin/v1${pathOf(url)}`, {
    method: 'PATCH',
    headers: {
      authorization: `Bearer ${broker.adminKey}`,
      'content-type': 'application/json',
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    },
    body: JSON.stringify(body),
  })
const quoted = (etag: unknown) => `"${etag}"`

describe('the queue', () => {
  it('holds what people use and nobody vouches for, with everything that a decision needs', async () => {
    const url = await publish('used')
    await use(url)
    await use(url)
    expect(await queue()).toEqual([
      { ...(await show(url)), host: 'used.example', firstSeenAt: expect.stringMatching(/Z$/), askedAt: null, people: 1 },
    ])
  })

  it.each<{ what: string; decide: (url: string) => Promise<unknown> }>([
    { what: 'approved', decide: (url) => call('PATCH', pathOf(url), { preApproved: true }) },
    { what: 'blocked', decide: (url) => call('PATCH', pathOf(url), { blocked: true }) },
    { what: 'killed', decide: (url) => call('POST', `${pathOf(url)}/kill`, { reason: 'a test' }) },
  ])('lets go of a client that is $what', async ({ decide }) => {
    const url = await publish('decided')
    await use(url)
    expect(await waiting()).toEqual([url])
    await decide(url)
    expect([await waiting(), await waiting('?unused=true')]).toEqual([[], []])
  })

  it.each([
    { what: 'was revoked', change: { revoked: true } },
    { what: 'has ended', change: { expiresAt: '2020-01-01' } },
    { what: 'is below the barrier of the client', change: { clientEpoch: 0 } },
  ])('does not count a grant that $what', async ({ change }) => {
    const url = await publish('unused')
    await use(url, change)
    expect(await waiting()).toEqual([])
    expect(await queue('?unused=true')).toMatchObject([{ clientId: url, people: 0 }])
  })

  it('is not filled by strangers: what nobody of the tenant uses is in it only when that is asked for', async () => {
    for (const name of ['stranger-a', 'stranger-b']) await publish(name)
    const used = await publish('used')
    await use(used)
    expect(await waiting()).toEqual([used])
    expect(await waiting('?unused=true')).toEqual([urlOf('stranger-a'), urlOf('stranger-b'), used])
    expect((await call('GET', `${base()}/waiting-clients?unused=yes`)).body.type).toBe('urn:drawbridge:error:query_invalid')
  })

  it('holds a client that lost its approval, though nobody uses it, and says since when and by what', async () => {
    const url = await publish('changed')
    await call('PATCH', pathOf(url), { preApproved: true })
    await publish('changed', { client_name: 'Another name' })
    expect(await queue()).toMatchObject([{ clientId: url, people: 0, approvalLost: { changed: ['name'] } }])
  })

  it('is of one tenant, and holds none that an admin registered', async () => {
    await use(acme.clientId)
    await asOwner(fixture.ownerUrl, "UPDATE clients SET kind = 'preregistered' WHERE tenant_id = $1", [acme.tenantId])
    const url = await publish('elsewhere')
    await use(url)
    acme = await aTenant(fixture, { slug: `waits-${(slugs += 1)}` })
    expect(await waiting('?unused=true')).not.toContain(url)
  })
})

describe('an admin changes what she saw', () => {
  it('the tag is in the answer and in its header, and a change with it is done once', async () => {
    const url = await publish('once')
    const read = await fetch(`${broker.url}/admin/v1${pathOf(url)}`, { headers: { authorization: `Bearer ${broker.adminKey}` } })
    const { etag } = (await read.json()) as { etag: string }
    expect(read.headers.get('etag')).toBe(quoted(etag))
    const done = await patch(url, { preApproved: true }, quoted(etag))
    const after = (await done.json()) as { etag: string; preApproved: boolean }
    expect([done.status, after.preApproved, done.headers.get('etag')]).toEqual([200, true, quoted(after.etag)])
    const again = await patch(url, { blocked: true }, quoted(etag))
    expect([again.status, ((await again.json()) as { type: string }).type]).toEqual([412, 'urn:drawbridge:error:client_changed'])
    expect(await show(url)).toMatchObject({ blockedAt: null, etag: after.etag })
  })

  it('a document that says something else by now is not approved, also where nothing that is judged has changed', async () => {
    const url = await publish('moves')
    const { etag } = await show(url)
    await publish('moves', { logo_uri: 'https://moves.example/logo.png' })
    expect((await patch(url, { preApproved: true }, quoted(etag))).status).toBe(412)
    expect(await show(url)).toMatchObject({ preApproved: false })
  })

  it('a document that was only fetched again is what she saw', async () => {
    const url = await publish('same')
    const { etag } = await show(url)
    await publish('same')
    expect((await patch(url, { preApproved: true }, quoted(etag))).status).toBe(200)
  })

  it('of two who decide at the same moment one does', async () => {
    const url = await publish('race')
    const { etag } = await show(url)
    const both = await Promise.all([patch(url, { preApproved: true }, quoted(etag)), patch(url, { blocked: true }, quoted(etag))])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412])
  })

  it.each([
    { header: (etag: string) => `"other", "${etag}"`, status: 200 },
    { header: () => '*', status: 200 },
    { header: (etag: string) => `W/"${etag}"`, status: 412 },
    { header: (etag: string) => etag, status: 412 },
    { header: () => '', status: 412 },
  ])('If-Match is compared strongly, one by one: $header is $status', async ({ header, status }) => {
    const url = await publish('compare')
    const { etag } = await show(url)
    expect((await patch(url, { scopeCeiling: [] }, header(etag as string))).status).toBe(status)
  })

  it('one that is not there is not found, whatever was seen', async () => {
    expect((await patch('https://nobody.example/c.json', { blocked: true }, '"x"')).status).toBe(404)
  })

  it.each([
    { what: 'corrects', method: 'PATCH', end: '/registration', body: { name: 'Other' } },
    { what: 'makes a new secret of', method: 'POST', end: '/secret', body: undefined },
    { what: 'removes', method: 'DELETE', end: '', body: undefined },
  ])('who $what a client as it was changes nothing', async ({ method, end, body }) => {
    const made = { clientId: 'agent', name: 'Agent', redirectUris: ['http://127.0.0.1/cb'], tokenEndpointAuthMethod: 'client_secret_basic' }
    await call('POST', `${base()}/clients`, made)
    const before = await show('agent')
    await call('PATCH', pathOf('agent'), { accessTokenTtlSeconds: 60 })
    const ask = (ifMatch: string) =>
      fetch(`${broker.url}/admin/v1${pathOf('agent')}${end}`, {
        method,
        headers: { authorization: `Bearer ${broker.adminKey}`, 'content-type': 'application/json', 'if-match': ifMatch },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    const kept = await asOwner(fixture.ownerUrl, 'SELECT * FROM clients WHERE tenant_id = $1', [acme.tenantId])
    expect((await ask(quoted(before.etag))).status).toBe(412)
    expect(await asOwner(fixture.ownerUrl, 'SELECT * FROM clients WHERE tenant_id = $1', [acme.tenantId])).toEqual(kept)
    expect((await ask(quoted((await show('agent')).etag))).status).toBeLessThan(300)
  })
})
