/** What the end of somebody's access is told at the front, where the vendor's keys speak for every tenant: to her client, and to the servers that tenants share. */
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { generatePairwiseKey, pairwiseSubject } from '@drawbridge/crypto/pairwise-subject'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, installationId, jobDeps, random, sealer } from '../test/a-company.js'
import { aReceiver } from '../test/a-receiver.js'
import { deliverDue } from './deliver.js'
import { findJob } from './jobs.js'

const frontUrl = 'http://localhost:4400'
const shared = 'https://shared.example/mcp'
const [frontId, resource, stream] = [random.uuid(), random.uuid(), random.uuid()]
let fixture: TestDatabase
let receiver: Awaited<ReturnType<typeof aReceiver>>
let acme: Awaited<ReturnType<typeof aCompany>>
let keys: ReturnType<typeof createLocalJWKSet>
const write = (sql: string, ...parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)

beforeAll(async () => {
  fixture = await testDatabase()
  receiver = await aReceiver()
  acme = await aCompany(fixture, 'acme')
  await write(
    "INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, 'vendor', 'Vendor', now()) ON CONFLICT DO NOTHING",
    vendorTenantId,
  )
  await write(
    "INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, $3, 'front', now())",
    ...[vendorTenantId, frontId, frontUrl],
  )
  const made = [generateSigningKey(random, 'tokens'), generateSigningKey(random, 'notices')]
  for (const key of made) {
    const place = { installation: installationId, tenant: vendorTenantId, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
    await write(
      `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at, activated_at)
       VALUES ($1, $2, $3, $4, 'ES256', 'active', $5, $6, now(), now())`,
      ...[vendorTenantId, key.id, frontId, key.purpose, JSON.stringify(key.publicJwk), sealer.seal(key.privateKey, place)],
    )
  }
  keys = createLocalJWKSet({ keys: made.map(({ publicJwk }) => publicJwk) as never })
  await write(
    "INSERT INTO resources (tenant_id, id, identifier, name, created_at) VALUES ($1, $2, $3, 'S', now())",
    ...[vendorTenantId, resource, shared],
  )
  await write(
    'INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $1, $3)',
    ...[vendorTenantId, resource, frontId],
  )
  await write(
    `INSERT INTO notice_streams (tenant_id, id, resource_id, instance, opened_at, heard_at, issuer_tenant_id, issuer_id)
     VALUES ($1, $2, $3, 'replica-1', now(), now(), $1, $4)`,
    ...[vendorTenantId, stream, resource, frontId],
  )
})
afterAll(async () => {
  await receiver?.close()
  await fixture?.close()
})

/** A client of acme's membership at the front, which knows people by a `sub` of its own or by ours, and what somebody gave it there. */
async function aClientOf(member: string, id: string, sector: string | null): Promise<void> {
  await write(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at,
       backchannel_logout_uri, sector_identifier) VALUES ($1, $2, $3, 'preregistered', $3, '{}', '{}', 'none', '{}', now(), $4, $5)`,
    ...[acme.tenant, member, id, `${receiver.origin}/${id}`, sector],
  )
  await write(
    `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch, connection_epoch,
       subject_epoch, policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at, subject_id, connection_id)
     VALUES ($1, gen_random_uuid(), $2, $3, $4, $5, $6, '{}', 1, 1, 1, 1, 0, '{}', 60, '2099-01-01', '[]', now(), $7, $8)`,
    ...[acme.tenant, member, id, vendorTenantId, resource, shared, acme.subject, acme.connection],
  )
}

it('by the keys of the front: her clients by the sub that each knows, the guards with her tenant, which owns the receipt', async () => {
  const [member] = await asOwner<{ id: string }>(
    fixture.ownerUrl,
    "SELECT id FROM issuers WHERE tenant_id = $1 AND kind = 'front_member'",
    [acme.tenant],
  )
  const memberId = String(member?.id)
  const [pairwise, keyId] = [generatePairwiseKey(random), random.uuid()]
  const place = { installation: installationId, tenant: acme.tenant, table: 'pairwise_keys', column: 'sealed_key', row: keyId }
  await write(
    'INSERT INTO pairwise_keys (tenant_id, id, sealed_key, created_at) VALUES ($1, $2, $3, now())',
    ...[acme.tenant, keyId, sealer.seal(pairwise, place)],
  )
  await aClientOf(memberId, 'agent', null)
  await aClientOf(memberId, 'private', 'private.example')
  await acme.kill()
  const deps = jobDeps(fixture)
  const entries = await asOwner<{ id: string; kind: string; payload: unknown }>(fixture.ownerUrl, 'SELECT id, kind, payload FROM outbox')
  for (const { id, kind, payload } of entries) await findJob(kind)?.run(deps, { tenant: acme.tenant, entry: Number(id), payload })
  while ((await deliverDue(deps)) > 0);

  const told = new Map<string, unknown>()
  for (const { path, body } of receiver.heard) {
    const token = new URLSearchParams(body).get('logout_token') ?? ''
    const client = path.slice(1) as ClientId
    const { payload } = await jwtVerify(token, keys, { issuer: frontUrl, audience: client, typ: 'logout+jwt', algorithms: ['ES256'] })
    told.set(client, payload.sub)
  }
  const ofItsOwn = pairwiseSubject(pairwise, { issuerId: memberId as never, sector: 'private.example', subject: acme.subject })
  expect(told).toEqual(
    new Map([
      ['agent', acme.subject],
      ['private', ofItsOwn],
    ]),
  )

  const [notice] = await asOwner<{ token: string; event_tenant_id: string }>(
    fixture.ownerUrl,
    'SELECT token, event_tenant_id FROM notices WHERE resource_id = $1',
    [resource],
  )
  expect(notice?.event_tenant_id).toBe(acme.tenant)
  const { payload } = await jwtVerify(notice?.token ?? '', keys, { issuer: frontUrl, audience: shared, typ: 'secevent+jwt' })
  expect(payload).toMatchObject({
    tenant: 'acme',
    sub_id: { format: 'iss_sub', iss: frontUrl, sub: acme.subject },
    drawbridge: { target: 'subject', targetId: acme.subject, epoch: 2, tenant: 'acme' },
  })
  const receipts = await asOwner(fixture.ownerUrl, 'SELECT tenant_id, resource, instance FROM notice_receipts WHERE stream_id = $1', [
    stream,
  ])
  expect(receipts).toEqual([{ tenant_id: acme.tenant, resource: shared, instance: 'replica-1' }])
})
