/** A directory that proves itself with OAuth client credentials, from the admin who binds it to the barrier that it raises. RFC 6749 §4.4. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type Answered, anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, test } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let call: Call
let now: Instant = instant(Date.now())
let made = 0

beforeAll(async () => {
  fixture = await testDatabase()
  broker = await aBroker(fixture.database, { clock: { now: () => now } })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

type Bound = {
  readonly slug: string
  readonly connectionId: string
  readonly secret: string
  readonly bound: Answered
  token(form?: Record<string, string>): Promise<{ readonly status: number; readonly body: Record<string, string> }>
}
const resourceOf = (slug: string): string => `${broker.deps.settings.publicUrl}/t/${slug}/scim/v2`
const later = '2099-01-01T00:00:00Z'

async function aBoundClient(ceiling: readonly string[] = ['scim'], scope?: string): Promise<Bound> {
  const slug = `dir-${(made += 1)}`
  await call('POST', '/tenants', { slug, name: slug })
  const connection = { kind: 'oidc', name: 'IdP', configuration: { issuer: 'https://idp.example', clientId: 'x' } }
  const connectionId = (await call('POST', `/tenants/${slug}/connections`, connection)).body.id as string
  const registration = {
    clientId: 'directory',
    name: 'Directory',
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'client_secret_basic',
    scopeCeiling: ceiling,
  }
  const secret = (await call('POST', `/tenants/${slug}/clients`, registration)).body.clientSecret as string
  const bound = await call('POST', `/tenants/${slug}/scim-tokens`, { connectionId, name: 'Entra', clientId: 'directory', scope })
  const ask = async (form: Record<string, string> = {}) => {
    const answer = await fetch(`${broker.url}/t/${slug}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`directory:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: resourceOf(slug), ...form }),
    })
    return { status: answer.status, body: (await answer.json()) as Record<string, string> }
  }
  return { slug, connectionId, secret, bound, token: ask }
}

async function scim(
  slug: string,
  token: string | undefined,
  method = 'GET',
  body?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${broker.url}/t/${slug}/scim/v2/Users`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const accessToken = async (of: Bound): Promise<string> => (await of.token()).body['access_token'] as string

test('a bound client creates people on its connection, and the list says when it was last heard', async () => {
  const directory = await aBoundClient()
  expect(directory.bound).toMatchObject({
    status: 201,
    body: { secret: null, baseUrl: resourceOf(directory.slug), provisioningMode: 'scim_only' },
  })
  const { body } = await directory.token({ scope: 'scim' })
  expect(body).toMatchObject({ scope: 'scim', token_type: expect.stringMatching(/^bearer$/i) })
  expect(await scim(directory.slug, body['access_token'], 'POST', { userName: 'ada' })).toMatchObject({ status: 201 })
  expect(
    await asOwner(fixture.ownerUrl, 'SELECT connection_id FROM scim_users u JOIN tenants t ON t.id = u.tenant_id WHERE t.slug = $1', [
      directory.slug,
    ]),
  ).toEqual([{ connection_id: directory.connectionId }])
  expect((await call('GET', `/tenants/${directory.slug}/scim-tokens`)).body.scimTokens).toMatchObject([
    { clientId: 'directory', connectionId: directory.connectionId, lastUsedAt: expect.any(String) },
  ])
})

test('its token is nothing once the binding is revoked or has ended, the client is killed or the tenant is', async () => {
  const ends: readonly (readonly [string, (of: Bound) => Promise<unknown>])[] = [
    ['revoked', ({ slug, bound }) => call('DELETE', `/tenants/${slug}/scim-tokens/${bound.body.id}`)],
    ['client killed', ({ slug }) => call('POST', `/tenants/${slug}/clients/directory/kill`, { reason: 'r' })],
    ['client blocked', ({ slug }) => call('PATCH', `/tenants/${slug}/clients/directory`, { blocked: true })],
    ['tenant killed', ({ slug }) => call('POST', `/tenants/${slug}/kill`, { reason: 'r' })],
    [
      'key condemned',
      async ({ slug }) => {
        await asOwner(
          fixture.ownerUrl,
          "UPDATE signing_keys SET state = 'compromised' WHERE purpose = 'tokens' AND tenant_id = (SELECT id FROM tenants WHERE slug = $1)",
          [slug],
        )
      },
    ],
    [
      'token expired',
      async () => {
        now = addSeconds(now, 86_400)
      },
    ],
  ]
  for (const [what, end] of ends) {
    const directory = await aBoundClient()
    const token = await accessToken(directory)
    expect([what, (await scim(directory.slug, token)).status]).toEqual([what, 200])
    await end(directory)
    expect([what, (await scim(directory.slug, token)).status]).toEqual([what, 401])
  }
})

test('what it says of people is read as the connection is configured at this moment, whatever the process remembers of it', async () => {
  const directory = await aBoundClient()
  const token = await accessToken(directory)
  expect((await scim(directory.slug, token)).status).toBe(200)
  const named = { issuer: 'https://idp.example', clientId: 'x', directory: { endDate: 'endsOn' } }
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $2 WHERE id = $1', [
    directory.connectionId,
    JSON.stringify(named),
  ])
  expect((await scim(directory.slug, token, 'POST', { userName: 'ada', endsOn: '2031-01-31' })).status).toBe(201)
  const ends = 'SELECT ends_at FROM scim_users WHERE connection_id = $1'
  expect(await asOwner(fixture.ownerUrl, ends, [directory.connectionId])).toEqual([{ ends_at: new Date('2031-02-01T00:00:00Z') }])
})

test('nobody else’s token opens it: of another tenant, another resource, a client that is bound to nothing, a person', async () => {
  const [one, other] = [await aBoundClient(), await aBoundClient()]
  expect((await scim(one.slug, await accessToken(other))).status).toBe(401)
  const [{ id: tenantId } = { id: '' }] = await asOwner<{ id: string }>(fixture.ownerUrl, 'SELECT id FROM tenants WHERE slug = $1', [
    one.slug,
  ])
  const token = await accessToken(one)
  // The client's own grant, as if it were for another audience, another's, or a person's.
  for (const change of ["audience = 'https://other.example'", "client_id = 'stranger'"]) {
    await asOwner(
      fixture.ownerUrl,
      'INSERT INTO clients SELECT (jsonb_populate_record(c, \'{"client_id": "stranger"}\')).* FROM clients c WHERE tenant_id = $1 AND client_id = \'directory\' ON CONFLICT DO NOTHING',
      [tenantId],
    )
    await asOwner(fixture.ownerUrl, `UPDATE grants SET ${change} WHERE tenant_id = $1`, [tenantId])
    expect([change, (await scim(one.slug, token)).status]).toEqual([change, 401])
    await asOwner(fixture.ownerUrl, "UPDATE grants SET client_id = 'directory', audience = $2 WHERE tenant_id = $1", [
      tenantId,
      resourceOf(one.slug),
    ])
  }
  expect((await scim(one.slug, token)).status).toBe(200)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at) VALUES ($1, $2, $3, 'ada', '{}', now(), now(), now())`,
    [tenantId, randomUUID(), one.connectionId],
  )
  await asOwner(
    fixture.ownerUrl,
    'UPDATE grants SET subject_id = (SELECT id FROM subjects WHERE tenant_id = $1), subject_epoch = 1 WHERE tenant_id = $1',
    [tenantId],
  )
  expect((await scim(one.slug, token)).status).toBe(401)
})

test('a token whose grant has lost the scope scim is refused with 403, and a client without it in its ceiling gets none', async () => {
  const directory = await aBoundClient()
  const token = await accessToken(directory)
  await asOwner(fixture.ownerUrl, "UPDATE grants SET scopes = '{}' WHERE client_id = 'directory'")
  // `scim_scope_missing`
  expect(await scim(directory.slug, token)).toMatchObject({ status: 403, body: { status: '403' } })
  expect(await (await aBoundClient([])).token()).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
})

test.each([
  ['the scope that its access token was asked for', ['scim', 'scim:users', 'scim:read'], undefined, 'scim:read', 403],
  ['the scope of its binding', ['scim', 'scim:users', 'scim:read'], 'scim:read', 'scim', 403],
  ['a scope for people, which covers them', ['scim:users', 'scim:read'], 'scim', 'scim:users', 201],
  ['the widest of several', ['scim:users', 'scim:read'], undefined, 'scim:read scim:users', 201],
])('a client may do no more than %s', async (_, ceiling, bound, scope, status) => {
  const directory = await aBoundClient(ceiling, bound)
  const { body } = await directory.token({ scope })
  expect((await scim(directory.slug, body['access_token'])).status).toBe(200)
  expect((await scim(directory.slug, body['access_token'], 'POST', { userName: 'ada' })).status).toBe(status)
})

test('an access token keeps no scope that its grant has lost', async () => {
  const directory = await aBoundClient(['scim', 'scim:read'])
  const { body } = await directory.token({ scope: 'scim scim:read' })
  await asOwner(fixture.ownerUrl, "UPDATE grants SET scopes = '{scim:read}' WHERE tenant_id = (SELECT id FROM tenants WHERE slug = $1)", [
    directory.slug,
  ])
  expect((await scim(directory.slug, body['access_token'], 'POST', { userName: 'ada' })).status).toBe(403)
  expect((await scim(directory.slug, body['access_token'])).status).toBe(200)
})

test('the address of a version that knew one scope gets the others when the next client is bound, and keeps what an admin wrote', async () => {
  const { slug, connectionId, bound } = await aBoundClient()
  const ofSlug = 'tenant_id = (SELECT id FROM tenants WHERE slug = $1)'
  await asOwner(fixture.ownerUrl, `DELETE FROM resource_scopes WHERE name <> 'scim' AND ${ofSlug}`, [slug])
  await asOwner(fixture.ownerUrl, `UPDATE resource_scopes SET description = 'Ours' WHERE ${ofSlug}`, [slug])
  await call('DELETE', `/tenants/${slug}/scim-tokens/${bound.body.id}`)
  expect((await call('POST', `/tenants/${slug}/scim-tokens`, { connectionId, name: 'again', clientId: 'directory' })).status).toBe(201)
  const scopes = await asOwner(fixture.ownerUrl, `SELECT name, description FROM resource_scopes WHERE ${ofSlug} ORDER BY name`, [slug])
  expect(scopes).toEqual([
    { name: 'scim', description: 'Ours' },
    { name: 'scim:read', description: expect.any(String) },
    { name: 'scim:users', description: expect.any(String) },
  ])
})

test('a client speaks for one connection, and only of its own tenant', async () => {
  const { slug, connectionId } = await aBoundClient()
  const again = await call('POST', `/tenants/${slug}/scim-tokens`, { connectionId, name: 'again', clientId: 'directory' })
  expect([again.status, again.body.type]).toEqual([409, 'urn:drawbridge:error:scim_client_bound'])
  const stranger = await call('POST', `/tenants/${slug}/scim-tokens`, { connectionId, name: 'x', clientId: 'nobody' })
  expect([stranger.status, stranger.body.type]).toEqual([409, 'urn:drawbridge:error:reference_unknown'])
})

test('whoever may not say who works for the company does not remove the client of its directory', async () => {
  const { slug } = await aBoundClient()
  const key = (await call('POST', '/admin-keys', { name: 'c', permissions: ['configuration:write'], expiresAt: later, tenant: slug })).body
    .secret as string
  const path = `/tenants/${slug}/clients/directory`
  const refused = await call('DELETE', path, undefined, key)
  expect([refused.status, refused.body.type]).toEqual([403, 'urn:drawbridge:error:permission_missing'])
  expect((await call('GET', path)).status).toBe(200)
  expect((await call('DELETE', path)).status).toBeLessThan(300)
})

test('a new secret for a directory needs the permission that its token needs, and ends nothing of others', async () => {
  const { slug } = await aBoundClient()
  const key = (await call('POST', '/admin-keys', { name: 'c', permissions: ['configuration:write'], expiresAt: later, tenant: slug })).body
    .secret as string
  const refused = await call('POST', `/tenants/${slug}/clients/directory/secret`, undefined, key)
  expect([refused.status, refused.body.type]).toEqual([403, 'urn:drawbridge:error:permission_missing'])
  expect((await call('POST', `/tenants/${slug}/clients/directory/secrets`, {}, key)).body.type).toBe(
    'urn:drawbridge:error:permission_missing',
  )
  expect((await call('POST', `/tenants/${slug}/clients/directory/secret`)).status).toBe(201)
  const { body } = await call('POST', `/tenants/${slug}/clients/directory/secrets`, {})
  const [{ id: former } = { id: '' }] = body.secrets as unknown as { id: string }[]
  const path = `/tenants/${slug}/clients/directory/secrets/${former}`
  expect((await call('PATCH', path, { expiresAt: later }, key)).status).toBe(403)
  expect((await call('DELETE', path, undefined, key)).status).toBe(200)
  await call('POST', `/tenants/${slug}/clients`, {
    clientId: 'other',
    name: 'Other',
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'client_secret_basic',
  })
  expect((await call('POST', `/tenants/${slug}/clients/other/secret`, undefined, key)).status).toBe(201)
})
