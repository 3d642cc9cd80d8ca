/**
 * Who may do what in the admin API: every endpoint, found in the table, is asked by every kind of key. What a key may not do is refused before
 * anything of the request is read, so bodies here are no JSON at all and ids name nothing.
 */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { readEnv } from '@drawbridge/runtime/env'
import { insertAdminKey, markAdminKeyRevoked } from '@drawbridge/store/admin-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { adminEndpoints } from './admin-endpoints.js'
import { type AdminPermission, adminPermissionNames } from './permission.js'

const now: Instant = instant(Date.now())
const later = new Date(addSeconds(now, 3600)).toISOString()
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let globex: ATenant
let call: Call

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, { clock: { now: () => now }, settings: readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1000' }) })
  call = anAdmin(broker)
  await call('POST', '/front-issuer')
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

type KeyChange = { readonly expiresAt?: Instant; readonly isRevoked?: boolean; readonly marked?: 'lab' | 'demo' }
async function aKey(owner: TenantId, permissions: readonly string[], { expiresAt, isRevoked, marked }: KeyChange = {}): Promise<string> {
  const [id, secret] = [randomUUID(), `dba_${broker.deps.random.token()}`]
  await inTenant(fixture.database, owner, async (db) => {
    await insertAdminKey(db, owner, { id, name: 'a key', secretHash: hashCredential(secret), permissions, expiresAt, marked, now })
    if (isRevoked) await markAdminKeyRevoked(db, owner, id, now)
  })
  return secret
}

const endpoints = adminEndpoints.map(({ method, path, permission, schema }) => ({
  name: `${method} ${path.replace('/admin/v1', '')}`,
  method,
  at: path
    .replace('/admin/v1', '')
    .replace(':tenant', 'acme')
    .replaceAll(/:(?:id|credential)\b/g, randomUUID())
    .replaceAll(/:[a-z]+/gi, '1'),
  permission: permission as AdminPermission,
  hasTenant: path.includes('/:tenant'),
  body: schema === undefined ? undefined : '{',
}))
type Asked = (typeof endpoints)[number]
const allBut = (permission: string) => adminPermissionNames.filter((name) => name !== permission)

/** Why it was refused, if that has to do with the key; undefined: the key was not the reason. */
const byKey = ['key_missing', 'key_unknown', 'permission_missing', 'vendor_only', 'other_tenant']
async function refusedFor({ method, at, body }: Asked, key: string): Promise<string | undefined> {
  const answered = await call(method, at, body, key)
  const reason = String(answered.body?.type ?? '').replace('urn:drawbridge:error:', '')
  return byKey.includes(reason) ? reason : undefined
}

/** What no tenant may do for itself, whatever its key holds. A new endpoint of the vendor's alone is written down here. */
const vendorsAlone: readonly string[] = [
  'GET /tenants',
  'POST /tenants',
  'PATCH /tenants/:tenant',
  'POST /tenants/:tenant/reinstate',
  'GET /domains/:domain',
  'GET /audit-events',
  'GET /audit-retention',
  'PUT /audit-retention',
  'GET /dead-letters',
  'POST /dead-letters/replay',
  'GET /deliveries',
  'POST /deliveries/:id/replay',
  'POST /deliveries/replay-dead',
  'GET /webhooks',
  'POST /webhooks',
  'PATCH /webhooks/:id',
  'DELETE /webhooks/:id',
  'POST /webhooks/:id/pause',
  'POST /webhooks/:id/resume',
  'POST /webhooks/:id/secret',
  'POST /webhooks/:id/test',
  'GET /vendor-policy',
  'GET /vendor-policies',
  'GET /vendor-policies/:version',
  'GET /vendor-policies/:version/diff',
  'POST /vendor-policies',
  'POST /vendor-policies/:version/republish',
  'POST /vendor-policies/check',
  'POST /tenants/:tenant/vendor-policies/dry-run',
  'POST /tenants/:tenant/vendor-policies/replay',
  'GET /front-issuer',
  'POST /front-issuer',
  'POST /front-issuer/shared-resources/:id',
  'DELETE /front-issuer/shared-resources/:id',
  'GET /front-issuer/clients',
  'GET /front-issuer/clients/:client',
  'POST /front-issuer/clients',
  'PATCH /front-issuer/clients/:client',
  'PATCH /front-issuer/clients/:client/registration',
  'POST /front-issuer/clients/:client/secret',
  'POST /front-issuer/clients/:client/secrets',
  'PATCH /front-issuer/clients/:client/secrets/:secret',
  'DELETE /front-issuer/clients/:client/secrets/:secret',
  'POST /front-issuer/clients/:client/kill',
  'GET /front-issuer/client-registration',
  'PUT /front-issuer/client-registration',
  'GET /front-issuer/device-grant',
  'PUT /front-issuer/device-grant',
  'GET /front-issuer/token-algorithm',
  'PUT /front-issuer/token-algorithm',
  'GET /front-issuer/dpop',
  'PUT /front-issuer/dpop',
  'GET /front-issuer/pushed-requests',
  'PUT /front-issuer/pushed-requests',
  'GET /front-issuer/signing-keys',
  'POST /front-issuer/signing-keys/rotate',
  'POST /front-issuer/signing-keys/:kid/compromised',
  'GET /shared-resources',
  'POST /shared-resources',
  'GET /shared-resources/:id',
  'PATCH /shared-resources/:id',
  'PUT /shared-resources/:id/scopes',
  'GET /shared-resources/:id/credentials',
  'POST /shared-resources/:id/credentials',
  'DELETE /shared-resources/:id/credentials/:credential',
  'GET /shared-resources/:id/streams',
  'POST /shared-resources/:id/streams/:stream/pause',
  'POST /shared-resources/:id/streams/:stream/resume',
  'DELETE /shared-resources/:id/streams/:stream',
  'GET /shared-resources/:id/tenants',
  'POST /tenants/:tenant/shared-resources/:id',
  'DELETE /tenants/:tenant/shared-resources/:id',
  'PUT /lab/clock',
  'POST /lab/job-runs',
  'GET /lab/job-runs/:id',
]

describe('every endpoint', () => {
  it('demands one permission that exists', () => {
    expect(endpoints.length).toBeGreaterThan(80)
    expect(endpoints.filter(({ permission }) => !adminPermissionNames.includes(permission))).toEqual([])
  })

  it('answers no key, a stranger’s, an expired, a revoked, and one of another kind of installation, alike', async () => {
    const useless = [
      `dba_${'x'.repeat(43)}`,
      await aKey(vendorTenantId, adminPermissionNames, { expiresAt: now }),
      await aKey(vendorTenantId, adminPermissionNames, { isRevoked: true }),
      await aKey(vendorTenantId, adminPermissionNames, { marked: 'demo' }),
    ]
    const answers: Record<string, readonly (string | undefined)[]> = {}
    for (const asked of endpoints) answers[asked.name] = await Promise.all(['', ...useless].map((key) => refusedFor(asked, key)))
    const alike = ['key_missing', ...useless.map(() => 'key_unknown')]
    expect(answers).toEqual(Object.fromEntries(endpoints.map(({ name }) => [name, alike])))
  })

  it('is done with a key of the vendor that holds its permission and nothing else, and not with one that holds everything else', async () => {
    const answers: Record<string, unknown> = {}
    for (const asked of endpoints) {
      const [only, others] = [await aKey(vendorTenantId, [asked.permission]), await aKey(vendorTenantId, allBut(asked.permission))]
      answers[asked.name] = [await refusedFor(asked, only), await refusedFor(asked, others)]
    }
    expect(answers).toEqual(Object.fromEntries(endpoints.map(({ name }) => [name, [undefined, 'permission_missing']])))
  })

  it('is done with a key of the tenant that holds its permission, unless it is the vendor’s alone', async () => {
    const answers: Record<string, unknown> = {}
    for (const asked of endpoints) {
      const [only, others] = [await aKey(acme.tenantId, [asked.permission]), await aKey(acme.tenantId, allBut(asked.permission))]
      answers[asked.name] = [await refusedFor(asked, only), await refusedFor(asked, others)]
    }
    const expected = endpoints.map(({ name }) => [
      name,
      vendorsAlone.includes(name) ? ['vendor_only', 'vendor_only'] : [undefined, 'permission_missing'],
    ])
    expect(answers).toEqual(Object.fromEntries(expected))
  })

  it('of a tenant is nothing at all to another tenant’s key, whatever that holds', async () => {
    const foreign = await aKey(globex.tenantId, adminPermissionNames)
    const none = await aKey(globex.tenantId, [])
    const ofTenant = endpoints.filter(({ hasTenant }) => hasTenant)
    const answers: Record<string, unknown> = {}
    for (const asked of ofTenant) answers[asked.name] = [await refusedFor(asked, foreign), await refusedFor(asked, none)]
    expect(answers).toEqual(Object.fromEntries(ofTenant.map(({ name }) => [name, ['other_tenant', 'other_tenant']])))
  })
})

describe('a key for support', () => {
  /** Reads everything and takes things away; gives nothing. */
  const support: readonly AdminPermission[] = ['configuration:read', 'audit:read', 'revoke']

  test.each(endpoints.filter(({ permission }) => permission === 'impersonate'))('cannot $name', async (asked) => {
    expect(await refusedFor(asked, await aKey(vendorTenantId, support))).toBe('permission_missing')
    const ofTenant = vendorsAlone.includes(asked.name) ? 'vendor_only' : 'permission_missing'
    expect(await refusedFor(asked, await aKey(acme.tenantId, support))).toBe(ofTenant)
  })

  test.each(endpoints.filter(({ permission }) => permission === 'claims:read'))('reads no claims: $name', async (asked) => {
    expect(await refusedFor(asked, await aKey(vendorTenantId, support))).toBe('permission_missing')
    const ofTenant = vendorsAlone.includes(asked.name) ? 'vendor_only' : 'permission_missing'
    expect(await refusedFor(asked, await aKey(acme.tenantId, [...support, 'configuration:write']))).toBe(ofTenant)
  })

  it('makes no key, and one that may make keys makes none that can become somebody', async () => {
    const wanted = { name: 'x', permissions: ['impersonate'], expiresAt: later }
    expect((await call('POST', '/admin-keys', wanted, await aKey(vendorTenantId, support))).body.type).toContain('permission_missing')
    const maker = await aKey(vendorTenantId, [...support, 'admin-keys:write'])
    expect((await call('POST', '/admin-keys', wanted, maker)).body.type).toBe('urn:drawbridge:error:key_too_wide')
  })

  it('writes nothing in a tenant but what it takes away', () => {
    const writes = endpoints.filter(({ method, permission }) => method !== 'GET' && support.includes(permission))
    expect(
      writes.map(({ name }) => name).filter((name) => !/\/(kill|revoke|withdraw|check|dry-run|reinstate|dead-letters\/replay)$/.test(name)),
    ).toEqual([])
  })
})

describe('a key of a tenant, whatever it holds', () => {
  const tenantKey = () => aKey(acme.tenantId, adminPermissionNames, { expiresAt: addSeconds(now, 7200) })

  test.each([
    {
      what: 'prove a domain by its own word',
      request: ['POST', '/tenants/acme/domains', { domain: 'acme.example', verified: true }],
      reason: 'vendor_only',
    },
    {
      what: 'make a resource that all share',
      request: [
        'POST',
        '/shared-resources',
        { identifier: 'https://x.example/', name: 'x', scopes: [{ name: 'r', description: 'r', tier: 'read' }] },
      ],
      reason: 'vendor_only',
    },
    {
      what: 'own a resource under a host that it has not proven',
      request: [
        'POST',
        '/tenants/acme/resources',
        { identifier: 'https://bank.example/', name: 'x', scopes: [{ name: 'r', description: 'r', tier: 'read' }] },
      ],
      reason: 'resource_not_owned',
    },
    {
      what: 'make a key for another tenant',
      request: ['POST', '/admin-keys', { name: 'x', permissions: ['audit:read'], expiresAt: later, tenant: 'globex' }],
      reason: 'other_tenant',
    },
    {
      what: 'make a key that outlives it',
      request: ['POST', '/admin-keys', { name: 'x', permissions: ['audit:read'], expiresAt: '2099-01-01T00:00:00Z' }],
      reason: 'key_too_wide',
    },
    { what: 'make a tenant', request: ['POST', '/tenants', { slug: 'mine', name: 'Mine' }], reason: 'vendor_only' },
  ] as const)('cannot $what', async ({ request: [method, path, body], reason }) => {
    expect((await call(method, path, body, await tenantKey())).body.type).toBe(`urn:drawbridge:error:${reason}`)
  })

  it('cannot note the vendor’s word for a domain that it claims', async () => {
    const key = await tenantKey()
    expect((await call('POST', '/tenants/acme/domains', { domain: 'claimed.example' }, key)).status).toBe(201)
    const changed = await call('PATCH', '/tenants/acme/domains/claimed.example', { verified: true }, key)
    expect(changed.body.type).toBe('urn:drawbridge:error:vendor_only')
  })

  it('makes keys of its own tenant alone, and never the vendor’s', async () => {
    const made = await call('POST', '/admin-keys', { name: 'x', permissions: adminPermissionNames, expiresAt: later }, await tenantKey())
    expect(made.status).toBe(201)
    expect((await call('GET', '/tenants', undefined, made.body.secret)).body.type).toBe('urn:drawbridge:error:vendor_only')
    expect((await call('GET', '/tenants/globex/connections', undefined, made.body.secret)).body.type).toBe(
      'urn:drawbridge:error:other_tenant',
    )
  })
})
