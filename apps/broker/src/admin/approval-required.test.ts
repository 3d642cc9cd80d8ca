/** "Approval by the tenant's admin before first use": what people and admins see of it where a browser or a device asks, from the demand to the approval and its loss. */
import { createHash } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { err, ok } from '@drawbridge/core/result'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
/** Another process of the same installation. */
let other: TestBroker
let acme: ATenant
let call: Call
let slugs = 0
const published = new Map<string, object>()
const url = 'https://tools.example/client.json'
const redirectUri = 'https://tools.example/cb'

beforeAll(async () => {
  fixture = await testDatabase()
  const fetchSafely: FetchSafely = async (at) => {
    const document = published.get(at)
    if (document === undefined) return err({ reason: 'unreachable' })
    return ok({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(document)) })
  }
  const change = { clock: { now: () => now }, fetchSafely }
  broker = await aBroker(fixture.database, change)
  other = await aBroker(fixture.database, change)
  call = anAdmin(broker)
})
afterAll(async () => {
  await other?.close()
  await broker?.close()
  await fixture?.close()
})

const demand = async (approvalRequired: boolean) => {
  const body = { metadataDocuments: true, documentHosts: [], dynamic: true, preregistered: true, approvalRequired }
  expect((await call('PUT', `/tenants/${acme.slug}/client-registration`, body)).status).toBe(200)
  for (const each of [broker, other]) each.deps.configuration.invalidate()
}
const publish = (change: object = {}) => {
  published.set(url, {
    ...{ client_id: url, client_name: 'Tools & <b>Co</b>', redirect_uris: [redirectUri] },
    ...{ grant_types: ['authorization_code', 'refresh_token', deviceGrantType], token_endpoint_auth_method: 'none' },
    ...change,
  })
  now = addSeconds(now, 90_000)
}
beforeEach(async () => {
  acme = await aTenant(fixture, { slug: `approving-${(slugs += 1)}` })
  await asOwner(fixture.ownerUrl, 'UPDATE tenants SET device_grant = true WHERE id = $1', [acme.tenantId])
  publish()
  await demand(true)
})

const asked = (clientId: string): Record<string, string> => ({
  ...{ response_type: 'code', client_id: clientId, redirect_uri: redirectUri, resource: acme.resource, state: 's' },
  ...{ code_challenge: createHash('sha256').update('v').digest('base64url'), code_challenge_method: 'S256' },
})
const authorize = async (clientId: string, at: TestBroker = broker) => {
  const answer = await fetch(`${at.url}/t/${acme.slug}/authorize?${new URLSearchParams(asked(clientId))}`, { redirect: 'manual' })
  const text = await answer.text()
  return { status: answer.status, text, isRefused: text.includes('client_not_approved'), location: answer.headers.get('location') }
}
const post = async (path: string, form: Record<string, string>) => {
  const answer = await fetch(`${broker.url}/t/${acme.slug}/${path}`, { method: 'POST', body: new URLSearchParams(form) })
  return { status: answer.status, body: (await answer.json()) as Record<string, string> }
}
const register = async () => {
  const answer = await fetch(`${broker.url}/t/${acme.slug}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ client_name: 'Helper', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' },
      grant_types: ['authorization_code', deviceGrantType],
    }),
  })
  return ((await answer.json()) as { client_id: string }).client_id
}
const approve = (clientId: string) => call('PATCH', `/tenants/${acme.slug}/clients/${encodeURIComponent(clientId)}`, { preApproved: true })
const queue = async () => (await call('GET', `/tenants/${acme.slug}/waiting-clients`)).body.clients as Record<string, unknown>[]
const rowOf = async (clientId: string) =>
  (
    await asOwner<{ asked_at: Date | null; version: string }>(
      fixture.ownerUrl,
      'SELECT asked_at, version FROM clients WHERE tenant_id = $1 AND client_id = $2',
      [acme.tenantId, clientId],
    )
  )[0]

describe.each<{ kind: string; make: () => Promise<string> }>([
  { kind: 'describes itself', make: async () => url },
  { kind: 'registered itself', make: register },
])('a client that $kind', ({ make }) => {
  it('is refused before any sign-in until it is approved, and then goes on at every process at once', async () => {
    const id = await make()
    for (const each of [broker, other]) {
      expect(await authorize(id, each)).toMatchObject({ status: 403, isRefused: true, location: null })
    }
    expect((await approve(id)).status).toBe(200)
    // Neither has been told, and the other remembers the client as it was.
    for (const each of [other, broker]) expect((await authorize(id, each)).isRefused).toBe(false)
  })

  it('is refused as unauthorized_client where it pushes, and where it asks as a device', async () => {
    const id = await make()
    const device = { client_id: id, resource: acme.resource }
    expect(await post('par', asked(id))).toMatchObject({
      status: 400,
      body: { error: 'unauthorized_client', error_description: oauthErrors['client_not_approved'].say },
    })
    expect(await post('device_authorization', device)).toMatchObject({
      status: 400,
      body: { error: 'unauthorized_client', error_description: oauthErrors['registration_not_approved'].say },
    })
    await approve(id)
    expect([(await post('par', asked(id))).status, (await post('device_authorization', device)).status]).toEqual([201, 200])
  })

  it.each<{ where: string; ask: (id: string) => Promise<unknown> }>([
    { where: 'a browser', ask: authorize },
    { where: 'a push', ask: (id) => post('par', asked(id)) },
    { where: 'a device', ask: (id) => post('device_authorization', { client_id: id, resource: acme.resource }) },
  ])('waits for the admin, once it was asked for by $where', async ({ ask }) => {
    const id = await make()
    await ask(id)
    expect(await queue()).toMatchObject([{ clientId: id, people: 0, askedAt: new Date(now).toISOString(), approvalLost: null }])
    await approve(id)
    expect(await queue()).toEqual([])
  })
})

it('the page says in plain words what is to be done, by whom and about which client, and takes nothing of it for markup', async () => {
  const { text } = await authorize(url)
  expect(text).toContain('has to approve this application before anybody can use it')
  expect(text).toContain('Tools &amp; &lt;b&gt;Co&lt;/b&gt;')
  expect(text).toContain('<code>tools.example</code>')
  expect(text).toContain(`<code>${url}</code>`)
})

it('that it asked is written once a day, and is no change of the client', async () => {
  await authorize(url)
  const first = await rowOf(url)
  expect(first?.asked_at).toEqual(new Date(now))
  const { etag } = (await call('GET', `/tenants/${acme.slug}/clients/${encodeURIComponent(url)}`)).body
  published.set(url, { ...published.get(url) })
  now = addSeconds(now, 60)
  await authorize(url)
  expect(await rowOf(url)).toEqual(first)
  await asOwner(fixture.ownerUrl, "UPDATE clients SET asked_at = asked_at - interval '1 day' WHERE tenant_id = $1", [acme.tenantId])
  await authorize(url)
  expect(await rowOf(url)).toEqual({ asked_at: new Date(now), version: first?.version })
  expect((await call('GET', `/tenants/${acme.slug}/clients/${encodeURIComponent(url)}`)).body.etag).toBe(etag)
})

it('what was asked for in vain leaves the list after a month, and strangers’ clients that nobody asked for are not in it', async () => {
  const [askedFor] = [await register(), await register()]
  await authorize(askedFor)
  expect((await queue()).map(({ clientId }) => clientId)).toEqual([askedFor])
  await asOwner(fixture.ownerUrl, "UPDATE clients SET asked_at = asked_at - interval '31 days' WHERE tenant_id = $1", [acme.tenantId])
  expect(await queue()).toEqual([])
})

it('a document that says something else than was approved is refused again', async () => {
  await authorize(url)
  await approve(url)
  expect((await authorize(url)).isRefused).toBe(false)
  publish({ client_name: 'Another name' })
  expect((await authorize(url)).isRefused).toBe(true)
  expect(await queue()).toMatchObject([{ clientId: url, approvalLost: { changed: ['name'] } }])
})

it('a client that an admin registered needs no approval', async () => {
  const client = { clientId: 'agent', name: 'Agent', redirectUris: [redirectUri], tokenEndpointAuthMethod: 'none' }
  expect((await call('POST', `/tenants/${acme.slug}/clients`, client)).status).toBe(201)
  expect((await authorize('agent')).isRefused).toBe(false)
})

it('a tenant that demands it says nothing of another', async () => {
  const asking = acme
  acme = await aTenant(fixture, { slug: `approving-${(slugs += 1)}` })
  expect((await authorize(url)).isRefused).toBe(false)
  acme = asking
  expect((await authorize(url)).isRefused).toBe(true)
})
