/** An event stream of a resource that carries a tenant's events, arranged as the owner of the tables. */
import { randomUUID } from 'node:crypto'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export async function anEventStream(
  fixture: TestDatabase,
  carries: Pick<ATenant, 'tenantId' | 'issuerId'>,
  of: { readonly tenantId: string; readonly resourceId: string; readonly credentialId: string },
): Promise<string> {
  const id = randomUUID()
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO event_streams (tenant_id, id, resource_id, issuer_tenant_id, issuer_id, credential_id, method, endpoint_url, status, status_by, status_at, position,
       delivered_to, created_at, heard_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'push', 'https://receiver.example/', 'enabled', 'receiver', '2026-01-01', 0, 0, '2026-01-01', '2026-01-01')`,
    [of.tenantId, id, of.resourceId, carries.tenantId, carries.issuerId, of.credentialId],
  )
  return id
}
