/** An issuer that may no longer mint for a resource: what it minted is dead, its guards hear of it, and no grant slips through meanwhile. */
import { type Instant, instant } from '@drawbridge/core/instant'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import { shareResource, unshareResource } from '@drawbridge/store/minters'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant, aRedirectUri, aVerifier, hashOf } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
const now = (): Instant => instant(Date.now())

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
  const { random, sealer, installation } = broker.deps
  const key = generateSigningKey(random, 'tokens')
  const context = { installation: installation.id, tenant: acme.tenantId, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at)
     VALUES ($1, $2, $3, 'tokens', 'ES256', 'active', $4, $5, now())`,
    [acme.tenantId, key.id, acme.issuerId, JSON.stringify(key.publicJwk), sealer.seal(key.privateKey, context)],
  )
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20))
}

const asServer = () => ({ authorization: `Basic ${Buffer.from(`${acme.credentialId}:${acme.credentialSecret}`).toString('base64')}` })
const post = (path: string, form: Record<string, string>, headers = {}) =>
  fetch(`${broker.url}/t/acme/${path}`, { method: 'POST', body: new URLSearchParams(form), headers })
const bodyOf = async (answer: Promise<Response>) => (await (await answer).json()) as Record<string, string>
const introspect = (token = '') => bodyOf(post('introspect', { token }, asServer()))
const redeem = (code: string) =>
  post('token', { grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier, client_id: acme.clientId })
const refresh = (token = '') => bodyOf(post('token', { grant_type: 'refresh_token', refresh_token: token, client_id: acme.clientId }))
const minter = () => ({ resourceId: acme.resourceId, issuerTenantId: acme.tenantId, issuerId: acme.issuerId })

it('ends every grant for a withdrawn resource at once, and brings none back with the resource', async () => {
  const { grantId, code } = await aGrant(fixture, acme, { now: now() })
  const pending = await aGrant(fixture, acme, { now: now() })
  const tokens = await bodyOf(redeem(code))
  expect(await introspect(tokens['access_token'])).toMatchObject({ active: true })
  expect((await call('DELETE', `/tenants/acme/resources/${acme.resourceId}`)).status).toBe(204)
  expect(await introspect(tokens['access_token'])).toEqual({ active: false })
  expect(await refresh(tokens['refresh_token'])).toMatchObject({ error: 'invalid_grant' })
  expect(await bodyOf(redeem(pending.code))).toMatchObject({ error: 'invalid_grant' })
  expect((await aGrant(fixture, acme, { now: now() })).opened).toBe(false)
  const receipts = (await call('GET', '/tenants/acme/revocations')).body.revocations
  expect(receipts).toContainEqual(
    expect.objectContaining({ target: 'grant', targetId: grantId, reason: 'resource_withdrawn', matched: true }),
  )
  const queued = await asOwner(
    fixture.ownerUrl,
    "SELECT payload ->> 'targetId' AS id FROM outbox WHERE kind = 'revoke' AND done_at IS NULL",
  )
  expect(queued.map(({ id }) => id).sort()).toEqual([grantId, pending.grantId].sort())
  expect((await call('GET', `/tenants/acme/resources/${acme.resourceId}`)).body.mintable).toBe(false)
  expect((await call('POST', `/tenants/acme/resources/${acme.resourceId}/restore`)).status).toBe(204)
  expect(await introspect(tokens['access_token'])).toEqual({ active: false })
  expect(await refresh(tokens['refresh_token'])).toMatchObject({ error: 'invalid_grant' })
  expect((await aGrant(fixture, acme, { now: now() })).opened).toBe(true)
})

it('does not turn the guard away that must hear of it', async () => {
  await call('DELETE', `/tenants/acme/resources/${acme.resourceId}`)
  const opened = await fetch(`${broker.url}/t/acme/ssf/streams`, {
    method: 'POST',
    headers: { ...asServer(), 'content-type': 'application/json' },
    body: '{}',
  })
  expect(opened.status).not.toBe(401)
  await call('POST', `/tenants/acme/resources/${acme.resourceId}/restore`)
})

it('ends what one tenant holds for a resource of the vendor, and leaves the other tenants theirs', async () => {
  const globex = await aTenant(fixture, { slug: 'globex' })
  const scopes = [{ name: 'read', description: 'Read', tier: 'read' }]
  const { id } = (await call('POST', '/shared-resources', { identifier: 'https://api.vendor.example', name: 'API', scopes })).body
  for (const tenant of ['acme', 'globex']) await call('POST', `/tenants/${tenant}/shared-resources/${id}`)
  const open = `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch,
      policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at)
    VALUES ($1, gen_random_uuid(), $2, $3, $5, $4, 'x', '{}', 1, 1, 0, '{}', 60, '2099-01-01', '[]', now())`
  for (const { tenantId, issuerId, clientId } of [acme, globex])
    await asOwner(fixture.ownerUrl, open, [tenantId, issuerId, clientId, id, vendorTenantId])
  expect((await call('DELETE', `/tenants/acme/shared-resources/${id}`)).status).toBe(204)
  const living = await asOwner(fixture.ownerUrl, 'SELECT tenant_id FROM grants WHERE resource_id = $1 AND revoked_at IS NULL', [id])
  expect(living).toEqual([{ tenant_id: globex.tenantId }])
  expect((await call('GET', `/shared-resources/${id}/tenants`)).body.tenants.map(({ slug }: { slug: string }) => slug)).toEqual(['globex'])
  // Sending it again harms nothing.
  expect((await call('DELETE', `/tenants/acme/shared-resources/${id}`)).status).toBe(204)
  await expect(asOwner(fixture.ownerUrl, open, [acme.tenantId, acme.issuerId, acme.clientId, id, vendorTenantId])).rejects.toThrow(
    'may not mint',
  )
})

it('is whole or not done at all: a fault after the first half leaves the list and the grants as they were', async () => {
  const umbrella = await aTenant(fixture, { slug: 'umbrella' })
  const { id } = (await call('POST', '/shared-resources', { identifier: 'https://half.vendor.example', name: 'Half', scopes: [] })).body
  await call('POST', `/tenants/umbrella/shared-resources/${id}`)
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch,
       policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at)
     VALUES ($1, gen_random_uuid(), $2, $3, $5, $4, 'x', '{}', 1, 1, 0, '{}', 60, '2099-01-01', '[]', now())`,
    [umbrella.tenantId, umbrella.issuerId, umbrella.clientId, id, vendorTenantId],
  )
  const state = () =>
    asOwner(
      fixture.ownerUrl,
      `SELECT (SELECT count(*)::int FROM resource_issuers WHERE resource_id = $1) AS minters,
         (SELECT count(*)::int FROM grants WHERE resource_id = $1 AND revoked_at IS NULL) AS living`,
      [id],
    )
  await asOwner(fixture.ownerUrl, "ALTER TABLE grants ADD CONSTRAINT broken CHECK (revoked_reason <> 'resource_withdrawn') NOT VALID")
  expect((await call('DELETE', `/tenants/umbrella/shared-resources/${id}`)).status).toBe(500)
  expect(await state()).toEqual([{ minters: 1, living: 1 }])
  await asOwner(fixture.ownerUrl, 'ALTER TABLE grants DROP CONSTRAINT broken')
  expect((await call('DELETE', `/tenants/umbrella/shared-resources/${id}`)).status).toBe(204)
  expect(await state()).toEqual([{ minters: 0, living: 0 }])
})

/** Withdraws in a transaction that commits when `opening`, which still sees the line, waits for it. */
async function whileWithdrawing<T>(opening: () => Promise<T>): Promise<T> {
  let opened: Promise<T> | undefined
  await inTenant(fixture.database, acme.tenantId, async (db) => {
    await unshareResource(db, acme.tenantId, minter())
    opened = opening()
    await eventually(async () => {
      const text = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
      return (await asOwner(fixture.ownerUrl, text)).length > 0
    })
  })
  const answer = await (opened as Promise<T>)
  await inTenant(fixture.database, acme.tenantId, (db) => shareResource(db, acme.tenantId, minter()))
  return answer
}

it('lets no grant be opened while it commits, and says so in the terms of the protocol', async () => {
  expect(await whileWithdrawing(() => aGrant(fixture, acme, { now: now() }))).toMatchObject({ opened: false })
  const secret = 'machine-secret-machine-secret-machine'
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
     VALUES ($1, $2, 'machine', 'preregistered', 'Machine', '{}', '{client_credentials}', 'client_secret_post', $3, '{read}', now())`,
    [acme.tenantId, acme.issuerId, hashOf(secret)],
  )
  const form = { grant_type: 'client_credentials', client_id: 'machine', client_secret: secret, resource: acme.resource, scope: 'read' }
  const scopes = [{ name: 'read', description: 'Read', tier: 'read' }]
  expect((await call('PUT', `/tenants/acme/resources/${acme.resourceId}/scopes`, { scopes })).status).toBe(200)
  broker.deps.configuration.invalidate(acme.tenantId)
  expect(await bodyOf(post('token', form))).toMatchObject({ scope: 'read' })
  const answer = await whileWithdrawing(() => post('token', form))
  expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([400, 'invalid_target'])
})

it('waits for a grant that is being opened, and then ends it', async () => {
  const client = new pg.Client({ connectionString: fixture.ownerUrl })
  await client.connect()
  const id = broker.deps.random.uuid()
  await client.query('BEGIN')
  await client.query(
    `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch,
       policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at)
     VALUES ($1, $5, $2, $3, $1, $4, 'x', '{}', 1, 1, 0, '{}', 60, '2099-01-01', '[]', now())`,
    [acme.tenantId, acme.issuerId, acme.clientId, acme.resourceId, id],
  )
  const withdrawn = call('DELETE', `/tenants/acme/resources/${acme.resourceId}`)
  await new Promise((resolve) => setTimeout(resolve, 200))
  await client.query('COMMIT')
  await client.end()
  expect((await withdrawn).status).toBe(204)
  expect(await asOwner(fixture.ownerUrl, 'SELECT revoked_reason FROM grants WHERE id = $1', [id])).toEqual([
    { revoked_reason: 'resource_withdrawn' },
  ])
})
