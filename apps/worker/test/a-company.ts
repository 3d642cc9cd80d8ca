/** A tenant with an issuer, a notices key, two resources and one subject with a grant, for the worker's tests. */
import { instant } from '@drawbridge/core/instant'
import type { DeprovisioningSource } from '@drawbridge/core/revocation/deprovisioning-event'
import type { DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { createSealer } from '@drawbridge/crypto/seal'
import { generateSigningKey, toVerificationKey } from '@drawbridge/crypto/signing-keys'
import { systemClock } from '@drawbridge/runtime/clock'
import { createFetchSafely } from '@drawbridge/runtime/fetch-safely'
import { silentLog } from '@drawbridge/runtime/log'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase } from '@drawbridge/testkit/database'
import { createSigners } from '../src/signers.js'

export const random = systemRandom()
export const installationId = random.uuid()
export const sealer = createSealer([{ version: 1, key: random.bytes(32) }])

export async function aCompany(fixture: TestDatabase, slug: string) {
  const tenant = random.uuid() as TenantId
  const [issuerId, subject, connection, grant] = [random.uuid(), random.uuid(), random.uuid(), random.uuid()]
  const issuer = `http://localhost:4400/t/${slug}`
  const at = new Date()
  const write = (sql: string, parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
  await write('INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $2, $3)', [tenant, slug, at])
  await write("INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, $3, 'tenant', $4)", [
    tenant,
    issuerId,
    issuer,
    at,
  ])
  const key = generateSigningKey(random, 'notices')
  const context = { installation: installationId, tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  await write(
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at, activated_at)
     VALUES ($1, $2, $3, 'notices', 'ES256', 'active', $4, $5, $6, $6)`,
    [tenant, key.id, issuerId, JSON.stringify(key.publicJwk), sealer.seal(key.privateKey, context), at],
  )
  await write(
    "INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'Corporate', '{}', $3)",
    [tenant, connection, at],
  )
  await write(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
     VALUES ($1, $2, $3, 'ada', '{}', $4, $4, $4)`,
    [tenant, subject, connection, at],
  )
  const resources = []
  for (const name of ['documents', 'wiki']) {
    const id = random.uuid()
    const identifier = `https://${name}.${slug}.example/mcp`
    await write('INSERT INTO resources (tenant_id, id, identifier, name, created_at) VALUES ($1, $2, $3, $4, $5)', [
      tenant,
      id,
      identifier,
      name,
      at,
    ])
    await write('INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $1, $3)', [
      tenant,
      id,
      issuerId,
    ])
    resources.push({ id, identifier })
  }
  const kill = (source: DeprovisioningSource = 'scim') =>
    inTenant(fixture.database, tenant, (db) =>
      deprovision(db, {
        tenant,
        eventId: random.uuid() as DeprovisioningEventId,
        source,
        target: 'subject',
        targetId: subject,
        reason: 'active=false',
        now: instant(Date.now()),
        requestId: undefined,
        toldAt: undefined,
      }),
    )
  return { tenant, issuer, issuerId, subject, connection, grant, resources, noticeKey: toVerificationKey(key.publicJwk), kill }
}

export function jobDeps(fixture: TestDatabase) {
  return {
    clock: systemClock(),
    random,
    log: silentLog(),
    metrics: createMetrics({ withProcess: false }),
    database: fixture.database,
    ...createSigners(sealer, installationId),
    sealer,
    installationId,
    fetchSafely: createFetchSafely({ allowedOrigins: [], allowLoopback: true }),
    resolveTxt: async () => ({ kind: 'absent' as const }),
  }
}

export const countOf = async (fixture: TestDatabase, sql: string, parameters: readonly unknown[] = []): Promise<number> =>
  Number((await asOwner<{ count: string }>(fixture.ownerUrl, `SELECT count(*) AS count FROM ${sql}`, parameters))[0]?.count)

export async function eventually(condition: () => Promise<boolean> | boolean, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (Date.now() < deadline) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('it never came true')
}
