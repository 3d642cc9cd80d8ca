/** Every list of the admin API, found in the table of endpoints: what no position can be is refused, and a walk meets every row once. */
import { type ClientId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { readEnv } from '@drawbridge/runtime/env'
import { adoptFrontClient } from '@drawbridge/store/front-clients'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aConsent } from '@drawbridge/testkit/a-consent'
import { aRecordedLogin } from '@drawbridge/testkit/a-recorded-login'
import { aScimGroup } from '@drawbridge/testkit/a-scim-group'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { anAssertionKey } from '@drawbridge/testkit/an-assertion-company'
import { anEventStream } from '@drawbridge/testkit/an-event-stream'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { adminEndpoints } from './admin-endpoints.js'
import { publishWall } from './fixtures/publish-wall.js'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
let shared = ''
let keyed = ''
let group = ''
const scopes = [{ name: 'read', description: 'Read', tier: 'read' }]

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, { settings: readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '100' }) })
  call = anAdmin(broker)
  await fillAcme()
  await fillVendor()
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const later = '2099-01-01T00:00:00Z'

/** Several of everything, and several of one moment. */
async function fillAcme(): Promise<void> {
  for (const name of ['a', 'b', 'c']) {
    const made = await call('POST', '/tenants/acme/connections', {
      kind: 'oidc',
      name,
      configuration: { issuer: `https://${name}.example`, clientId: 'x' },
    })
    keyed = made.body.id
    await call('POST', `/tenants/acme/connections/${keyed}/keys`, { algorithm: 'ES256' })
    await call('POST', '/tenants/acme/assertion-trusts', {
      name,
      configuration: { issuer: `https://${name}.example`, jwks: { keys: [anAssertionKey().jwk] } },
    })
    await call('POST', '/tenants/acme/domains', { domain: `${name}.example` })
    await call('POST', '/tenants/acme/invitations', { connectionId: acme.connectionId, namedBy: 'link_key', value: name })
    await call('POST', '/tenants/acme/clients', { name, redirectUris: ['http://127.0.0.1/callback'] })
    await call('POST', '/tenants/acme/resources', { identifier: `https://${name}.example/mcp`, name, scopes })
    await call('POST', `/tenants/acme/resources/${acme.resourceId}/credentials`, {})
    await call('POST', '/tenants/acme/policies', { document: 'version: 1\nrules: []\n', note: name })
    await call('POST', '/tenants/acme/policy-drafts', { note: name })
    await publishWall(call, 'version: 1\nrules: []\n', name)
    await call('POST', '/admin-keys', { name, permissions: ['configuration:read'], expiresAt: later, tenant: 'acme' })
  }
  await call('POST', `/tenants/acme/connections/${keyed}/keys`, { algorithm: 'ES256' })
  for (const name of ['one', 'two']) await call('POST', '/tenants/acme/scim-tokens', { connectionId: acme.connectionId, name })
  const users: string[] = []
  for (const name of ['ada', 'ben', 'cleo']) users.push(await aScimUser(fixture, acme, name))
  for (const name of ['readers', 'writers']) group = await aScimGroup(fixture, acme, name, { users, groups: group === '' ? [] : [group] })
  const people = `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
    SELECT $1, gen_random_uuid(), $2, 'p' || n, '{}', now(), now(), '2026-01-01' FROM generate_series(1, 4) AS n`
  await asOwner(fixture.ownerUrl, people, [acme.tenantId, acme.connectionId])
  const factors = `INSERT INTO factors (tenant_id, id, subject_id, kind, name, enrolled_by, enrolled_in, sealed_secret, last_step, created_at)
    SELECT tenant_id, gen_random_uuid(), id, 'totp', 'App', 'code', id, '', 0, '2026-01-01' FROM subjects WHERE tenant_id = $1`
  await asOwner(fixture.ownerUrl, factors, [acme.tenantId])
  const grants = `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch,
      policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at)
    SELECT $1, gen_random_uuid(), $2, $3, $1, $4, 'x', '{}', 1, 1, 0, '{}', 60, '2099-01-01', '[]', '2026-01-01' FROM generate_series(1, 4) AS n`
  const contacts = `INSERT INTO contacts (tenant_id, id, name, email, created_at)
    SELECT $1, gen_random_uuid(), 'c', n || '@acme.example', '2026-01-01' FROM generate_series(1, 4) AS n`
  await asOwner(fixture.ownerUrl, contacts, [acme.tenantId])
  const links = `INSERT INTO setup_links (tenant_id, id, token_hash, note, created_at, expires_at)
    SELECT $1, gen_random_uuid(), sha256(n::text::bytea), 'IT', '2026-01-01', '2099-01-01' FROM generate_series(1, 4) AS n`
  await asOwner(fixture.ownerUrl, links, [acme.tenantId])
  const drafts = `INSERT INTO connection_drafts (tenant_id, id, setup_link_id, state, kind, name, configuration, revision, created_at, changed_at, expires_at)
    SELECT tenant_id, gen_random_uuid(), id, 'draft', 'oidc', 'IdP', '{}', 1, created_at, created_at, expires_at FROM setup_links`
  await asOwner(fixture.ownerUrl, drafts)
  const announcements = `INSERT INTO announcements (tenant_id, id, recipient_name, recipient_email, acts, act_count, is_open, state, attempts, opened_at, try_at)
    SELECT $1, gen_random_uuid(), 'c', n || '@acme.example', '[]', 0, false, 'waiting', 0, '2026-01-01', '2026-01-01' FROM generate_series(1, 4) AS n`
  await asOwner(fixture.ownerUrl, announcements, [acme.tenantId])
  const destinations = `INSERT INTO delivery_destinations (tenant_id, id, kind, issuer_id, client_id, origin)
    VALUES ($1, $1, 'backchannel_logout', $2, $3, 'https://agent.example')`
  await asOwner(fixture.ownerUrl, destinations, [acme.tenantId, acme.issuerId, acme.clientId])
  const deliveries = `INSERT INTO deliveries (tenant_id, id, destination_id, order_key, sequence, event_id, part, payload, due_at, created_at, begun_at)
    SELECT $1, gen_random_uuid(), $1, n, n, gen_random_uuid(), '', '{}', '2026-01-01', '2026-01-01', '2026-01-01' FROM generate_series(1, 4) AS n`
  await asOwner(fixture.ownerUrl, deliveries, [acme.tenantId])
  await asOwner(fixture.ownerUrl, grants, [acme.tenantId, acme.issuerId, acme.clientId, acme.resourceId])
  for (let n = 0; n < 4; n += 1) await aConsent(fixture, acme)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO login_traces (tenant_id, id, code, connection_id, at, outcome, reason, proven, sealed, expires_at)
     SELECT $1, gen_random_uuid(), 'TRACE' || n, $2, '2026-01-01', 'refused', 'saml_unsigned', false, '', '2099-01-01' FROM generate_series(1, 4) AS n`,
    [acme.tenantId, acme.connectionId],
  )
  for (let n = 0; n < 4; n += 1) await aRecordedLogin(fixture, acme)
  const lost = {
    at: 0,
    changed: [],
    before: { name: 'x', redirectUris: [], grantTypes: [], authMethod: 'none', postLogoutRedirectUris: [] },
  }
  const waiting = `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at, approval_lost)
    SELECT $1, $2, 'waits-' || n, 'dynamic', 'x', '{}', '{}', 'none', '{}', '2026-01-01', $3 FROM generate_series(1, 4) AS n`
  await asOwner(fixture.ownerUrl, waiting, [acme.tenantId, acme.issuerId, JSON.stringify(lost)])
  const unmatched = `INSERT INTO unmatched_signals (tenant_id, id, connection_id, name, stable_id, reason, deactivates, said_at)
    SELECT $1, gen_random_uuid(), $2, unmatched_name('p' || n), 'p' || n, 'account-disabled', true, '2026-01-01' FROM generate_series(1, 4) AS n`
  await asOwner(fixture.ownerUrl, unmatched, [acme.tenantId, acme.connectionId])
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO login_failures (tenant_id, connection_id, hour, proven, failures, reasons, expires_at)
     SELECT $1, id, '2026-01-01', proven, 2, '{"saml_unsigned": 2}', '2099-01-01' FROM connections, UNNEST(ARRAY[true, false]) AS proven WHERE tenant_id = $1`,
    [acme.tenantId],
  )
  for (const { id } of (await call('GET', '/tenants/acme/grants')).body.grants.slice(0, 3))
    await call('POST', `/tenants/acme/grants/${id}/revoke`, { reason: 'a list needs receipts' })
}

async function fillVendor(): Promise<void> {
  const webhook = { url: 'https://siem.example/hook', events: ['access.ended'] }
  for (const name of ['one', 'two', 'three'])
    for (const path of ['/webhooks', '/tenants/acme/webhooks']) {
      const made = await call('POST', path, { ...webhook, name })
      if (path === '/webhooks') for (let n = 0; n < 2; n += 1) await call('POST', `/webhooks/${made.body.id}/test`)
    }
  const letters = `INSERT INTO outbox (tenant_id, kind, payload, created_at, due_at, attempts, dead_at, dead_reason)
    SELECT $1, 'revoke', '{}', '2026-01-01', 'infinity', 12, '2026-01-01', 'a test' FROM generate_series(1, 4)`
  await asOwner(fixture.ownerUrl, letters, [acme.tenantId])
  await call('POST', '/tenants', { slug: 'keyed', name: 'Made with its keys' })
  for (const name of ['one', 'two', 'three']) {
    const made = await call('POST', '/shared-resources', { identifier: `https://${name}.vendor.example`, name, scopes })
    shared = made.body.id
    await call('POST', '/admin-keys', { name, permissions: ['configuration:read'], expiresAt: later })
  }
  for (const tenant of ['acme', 'globex']) await call('POST', `/tenants/${tenant}/shared-resources/${shared}`)
  await call('POST', '/front-issuer')
  for (const clientId of ['one', 'two', 'three']) {
    await call('POST', '/front-issuer/clients', { clientId, name: clientId, redirectUris: ['http://127.0.0.1/callback'] })
    const now = broker.deps.clock.now()
    await inTenant(fixture.database, acme.tenantId, (db) => adoptFrontClient(db, acme.tenantId, clientId as ClientId, now))
  }
  for (let n = 0; n < 3; n += 1) {
    const { id: credentialId } = (await call('POST', `/shared-resources/${shared}/credentials`, {})).body
    await anEventStream(fixture, acme, { tenantId: vendorTenantId, resourceId: shared, credentialId })
    await anEventStream(fixture, acme, acme)
  }
}

const propertiesOf = (schema: z.ZodType | undefined) =>
  Object.keys((schema && (z.toJSONSchema(schema, { io: 'input' }) as { properties?: object }).properties) ?? {})
const lists = adminEndpoints
  .filter(({ method, query }) => method === 'GET' && propertiesOf(query).includes('limit'))
  .map(({ path, query }) => ({
    path: path.replace('/admin/v1', ''),
    parameter: propertiesOf(query).find((name) => name === 'before' || name === 'after') ?? 'none',
  }))
const idOf = (path: string) =>
  path.startsWith('/shared-resources') ? shared : path.endsWith('/keys') ? keyed : path.endsWith('/members') ? group : acme.resourceId
const addressOf = (path: string) => path.replace(':tenant', path.endsWith('signing-keys') ? 'keyed' : 'acme').replace(':id', idOf(path))

it('finds the lists in the table of endpoints', () => {
  const answersList = (schema: z.ZodType | undefined) =>
    Object.values((schema as { shape?: Record<string, z.ZodType> } | undefined)?.shape ?? {}).some((member) => member instanceof z.ZodArray)
  // One document, what it lists limited by name, is no list.
  const isDocument = (path: string) =>
    /\/(connection-choice|metadata|client-registration|software-statements|signal-stream|token-exchange|id-jag-issuing|default-scopes)$/.test(
      path,
    )
  const unpaged = adminEndpoints
    .filter(({ method, path, output }) => method === 'GET' && answersList(output?.schema) && !/\/:(id|client|version|code)$/.test(path))
    .map(({ path }) => path.replace('/admin/v1', ''))
    .filter((path) => !isDocument(path) && !lists.some((list) => list.path === path))
  expect(unpaged).toEqual([])
  expect(lists.length).toBeGreaterThanOrEqual(16)
  expect(lists.filter(({ parameter }) => parameter === 'none')).toEqual([])
})

const extremes = [
  '',
  '%00',
  '-1',
  '0',
  '1e309',
  '9'.repeat(15),
  '9'.repeat(400),
  'NaN',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '2026-13-45T99:99:99Z',
  '2026-02-30T00:00:00Z',
  '%2B275760-09-13T00:00:00.001Z',
  '2026-01-01T00:00:00Z~not-an-id',
  '2026-01-01T00:00:00Z~ffffffff-ffff-ffff-ffff-ffffffffffff',
  "x'%3B DROP TABLE tenants",
  '%F0%9F%98%80',
  '%ED%A0%80',
  'x'.repeat(5000),
]

describe.each(lists)('GET $path', ({ path, parameter }) => {
  const ask = (query: string) => call('GET', `${addressOf(path)}?${query}`)
  const isAnswered = ({ status, body }: Awaited<ReturnType<Call>>) =>
    status === 200 || (status === 400 && body.type === 'urn:drawbridge:error:query_invalid')

  it('refuses what no position can be with one stable reason, and never fails', async () => {
    for (const value of extremes) expect([value, isAnswered(await ask(`${parameter}=${value}`))]).toEqual([value, true])
    for (const value of ['', '%00', 'x'.repeat(5000)]) expect((await ask(`${parameter}=${value}`)).status).toBe(400)
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => isAnswered(await ask(`${parameter}=${encodeURIComponent(text)}`))),
      { numRuns: 10 },
    )
  })

  it('refuses a limit out of range, what is said twice, and what is misspelt', async () => {
    for (const query of ['limit=0', 'limit=201', 'limit=1.5', 'limit=x', 'limit=1&limit=2', 'colour=blue'])
      expect(await ask(query)).toMatchObject({ status: 400, body: { type: 'urn:drawbridge:error:query_invalid' } })
  })

  it('meets every row once, page by page', async () => {
    const { next, ...whole } = (await ask('limit=200')).body
    const [[member, rows]] = Object.entries(whole) as [[string, unknown[]]]
    expect(next).toBeNull()
    expect(rows.length).toBeGreaterThan(1)
    const walked: unknown[] = []
    let position: string | null = null
    do {
      const from: string = position === null ? '' : `&${parameter}=${encodeURIComponent(position)}`
      const page = (await ask(`limit=1${from}`)).body
      expect(page[member]).toHaveLength(1)
      walked.push(...page[member])
      position = page.next
    } while (position !== null)
    expect(walked).toEqual(rows)
  })
})
