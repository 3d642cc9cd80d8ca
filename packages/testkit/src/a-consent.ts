/** A remembered consent of a tenant's person, as the opening of a grant leaves it behind. */
import { randomUUID } from 'node:crypto'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

/** Answers its id. Each is for a redirect URI of its own. */
export async function aConsent(
  fixture: TestDatabase,
  tenant: ATenant,
  { agreedAt = new Date('2026-01-01'), expiresAt = new Date('2099-01-01') } = {},
): Promise<string> {
  const id = randomUUID()
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO consents (tenant_id, id, issuer_id, subject_id, connection_id, client_id, resource_tenant_id, resource_id, redirect_uri, scopes,
       identity_scopes, judged_hash, tenant_epoch, client_epoch, connection_epoch, subject_epoch, agreed_at, expires_at)
     SELECT $1, $2, $3, s.id, s.connection_id, $4, $1, $5, $6, '{read}', '{}', '', t.epoch, l.epoch, n.epoch, s.epoch, $7, $8
       FROM subjects s JOIN tenants t ON t.id = s.tenant_id JOIN connections n ON n.tenant_id = s.tenant_id AND n.id = s.connection_id
       JOIN clients l ON l.tenant_id = s.tenant_id AND l.issuer_id = $3 AND l.client_id = $4 WHERE s.tenant_id = $1 AND s.id = $9`,
    [
      tenant.tenantId,
      id,
      tenant.issuerId,
      tenant.clientId,
      tenant.resourceId,
      `https://client.example/${id}`,
      agreedAt,
      expiresAt,
      tenant.subjectId,
    ],
  )
  return id
}
