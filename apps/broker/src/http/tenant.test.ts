import { instant } from '@drawbridge/core/instant'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAbsentSlugs } from './absent-slugs.js'
import { createConfigurationCache, type ResolvedTenant } from './tenant.js'

let db: TestDatabase
let broker: TestBroker
let now = 1_800_000_000_000
const clock = { now: () => instant(now) }
beforeAll(async () => {
  db = await testDatabase()
  broker = await aBroker(db.database, { clock })
  await admin('POST', '/tenants', { slug: 'acme', name: 'Acme' })
})
afterAll(async () => {
  await broker?.close()
  await db?.close()
})

const admin = (method: string, path: string, body?: unknown): Promise<Response> =>
  fetch(`${broker.url}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${broker.adminKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
const aCache = () => createConfigurationCache({ ...broker.deps, installationId: broker.deps.installation.id })
const find = async (cache = aCache()): Promise<ResolvedTenant> => (await cache.find('acme')) as ResolvedTenant
const connection = { kind: 'oidc', name: 'Okta', configuration: { issuer: 'https://acme.okta.com', clientId: 'abc' } }

it('sees a change of another process after the recheck, or at once when told', async () => {
  const cache = aCache()
  const before = await find(cache)
  await admin('POST', '/tenants/acme/connections', connection)
  expect(await find(cache)).toBe(before)
  now += 1000
  expect((await find(cache)).connections).toHaveLength(1)
  await admin('POST', '/tenants/acme/connections', connection)
  cache.invalidate(before.id)
  expect((await find(cache)).connections).toHaveLength(2)
})

it('keeps nothing that a change overtook while it was read', async () => {
  const loads: string[] = []
  const metrics = { ...broker.deps.metrics, count: (name: string) => void loads.push(name) } as typeof broker.deps.metrics
  const cache = createConfigurationCache({ ...broker.deps, metrics, installationId: broker.deps.installation.id })
  const overtaken = find(cache)
  cache.invalidate()
  await overtaken
  const kept = await find(cache)
  expect(kept).not.toBe(await overtaken)
  expect(await find(cache)).toBe(kept)
  expect(loads).toHaveLength(2)
})

it('shows a change at once in the process that made it', async () => {
  const published = async () => ((await (await fetch(`${broker.url}/t/acme/ssf/jwks`)).json()) as { keys: { kid: string }[] }).keys
  const [active] = await published()
  expect((await admin('POST', `/tenants/acme/signing-keys/${active?.kid}/compromised`)).status).toBe(200)
  expect((await published()).map(({ kid }) => kid)).not.toContain(active?.kid)
})

it('loads again for whoever saw a newer version in a statement', async () => {
  const cache = aCache()
  const before = await find(cache)
  await admin('POST', '/tenants/acme/connections', connection)
  const after = await cache.atVersion(before, before.configurationVersion + 1)
  expect(after.connections.length).toBe(before.connections.length + 1)
  expect(await cache.atVersion(after, after.configurationVersion)).toBe(after)
})

it('keeps as many tenants as its limit, and lets the longest unused go', async () => {
  for (const slug of ['first', 'second', 'third']) await admin('POST', '/tenants', { slug, name: slug })
  const loaded: string[] = []
  const metrics = { ...broker.deps.metrics, count: (name: string) => void loaded.push(name) } as typeof broker.deps.metrics
  const cache = createConfigurationCache({ ...broker.deps, metrics, installationId: broker.deps.installation.id }, 2)
  for (const slug of ['first', 'second', 'first', 'third', 'first']) await cache.find(slug)
  expect(loaded).toHaveLength(3)
  await cache.find('second')
  expect(loaded).toHaveLength(4)
})

it('loads once for many that ask at once, and never for a slug that cannot be', async () => {
  const cache = aCache()
  const found = await Promise.all(Array.from({ length: 20 }, () => cache.find('acme')))
  expect(new Set(found).size).toBe(1)
  expect(await cache.find("x'; DROP TABLE tenants")).toBeUndefined()
  expect(await cache.find('none-such')).toBeUndefined()
})

it('asks the database once for a slug that nobody has, and finds a tenant that is made meanwhile', async () => {
  const loads: string[] = []
  const metrics = { ...broker.deps.metrics, count: (name: string) => void loads.push(name) } as typeof broker.deps.metrics
  const cache = createConfigurationCache({ ...broker.deps, metrics, installationId: broker.deps.installation.id })
  for (let turn = 0; turn < 5; turn += 1) expect(await cache.find('soon')).toBeUndefined()
  expect(loads).toHaveLength(1)
  // In the process that makes it the tenant is there at once, though somebody has just asked for it there.
  expect((await fetch(`${broker.url}/t/soon/jwks`)).status).toBe(404)
  await admin('POST', '/tenants', { slug: 'soon', name: 'Soon' })
  expect((await fetch(`${broker.url}/t/soon/jwks`)).status).toBe(200)
  // In others within the recheck, without a hint.
  expect(await cache.find('soon')).toBeUndefined()
  now += 1000
  expect((await cache.find('soon'))?.slug).toBe('soon')
})

it('does not remember as absent what was looked up before a hint', () => {
  const absent = createAbsentSlugs(clock, { forMs: 1000, most: 2 })
  const noteLate = absent.begin()
  absent.forget()
  noteLate('made-meanwhile')
  expect(absent.has('made-meanwhile')).toBe(false)
  for (const slug of ['a', 'b', 'c']) absent.begin()(slug)
  expect(['a', 'b', 'c'].map(absent.has)).toEqual([false, true, true])
})

it('shows a shared resource of the vendor only to tenants that may mint for it', async () => {
  const draft = { identifier: 'https://api.vendor.example', name: 'API', scopes: [{ name: 'read', description: 'Read', tier: 'read' }] }
  const { id } = (await (await admin('POST', '/shared-resources', draft)).json()) as { id: string }
  expect((await find()).resource(draft.identifier)).toBeUndefined()
  expect((await admin('POST', `/tenants/acme/shared-resources/${id}`)).status).toBe(204)
  const credential = (await (await admin('POST', `/shared-resources/${id}/credentials`, {})).json()) as { secret: string }
  expect(credential.secret).toMatch(/^dbx_/)
  expect((await admin('POST', `/tenants/acme/resources/${id}/credentials`, {})).status).toBe(404)
  const trail = (await (await admin('GET', '/audit-events')).json()) as { auditEvents: { kind: string }[] }
  expect(trail.auditEvents.map(({ kind }) => kind)).toEqual(['resource.credential_created', 'resource.shared', 'resource.created'])
  expect((await find()).resource(draft.identifier)?.scopes).toEqual([{ name: 'read', description: 'Read', tier: 'read', isDefault: false }])
})

it('refuses a suspended tenant, keeps publishing its keys, and lets it return', async () => {
  expect((await fetch(`${broker.url}/t/acme/jwks`)).status).toBe(200)
  expect((await admin('POST', '/tenants/acme/kill', { reason: 'contract over' })).status).toBe(200)
  now += 1000
  const refused = await fetch(`${broker.url}/t/acme/authorize`, { headers: { accept: 'text/html' } })
  expect(refused.status).toBe(403)
  expect((await fetch(`${broker.url}/t/acme/jwks`)).status).toBe(200)
  // A directory is heard all the same: who leaves during the suspension must not be back after it.
  for (const method of ['PATCH', 'DELETE']) expect((await fetch(`${broker.url}/t/acme/scim/v2/Users/1`, { method })).status).toBe(401)
  expect((await admin('POST', '/tenants/acme/reinstate')).status).toBe(204)
  now += 1000
  expect((await fetch(`${broker.url}/t/acme/authorize`)).status).not.toBe(403)
  expect((await find()).epoch).toBe(2)
})
