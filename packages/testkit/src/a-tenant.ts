/** A whole small tenant, arranged as the owner of the tables: issuer, connection, person, client, resource and its credential. */
import { createHash, randomUUID } from 'node:crypto'
import type {
  ClientId,
  ConnectionId,
  IssuerId,
  ResourceId,
  ResourceIdentifier,
  SubjectId,
  TenantId,
  TenantSlug,
} from '@drawbridge/core/tenant/ids'
import { asOwner, type TestDatabase } from './database.js'

export type ATenant = {
  readonly tenantId: TenantId
  readonly slug: TenantSlug
  readonly issuerId: IssuerId
  readonly connectionId: ConnectionId
  readonly subjectId: SubjectId
  readonly clientId: ClientId
  readonly resourceId: ResourceId
  readonly resource: ResourceIdentifier
  readonly credentialId: string
  readonly credentialSecret: string
}

/** Times of everything arranged: 2001, long before any test's present. */
const then = new Date(1_000_000_000_000)

export async function aTenant(fixture: TestDatabase, given: { slug: string; publicUrl?: string }): Promise<ATenant> {
  const { slug, publicUrl = 'http://localhost:4400' } = given
  const tenant: ATenant = {
    tenantId: randomUUID() as TenantId,
    slug: slug as TenantSlug,
    issuerId: randomUUID() as IssuerId,
    connectionId: randomUUID() as ConnectionId,
    subjectId: randomUUID() as SubjectId,
    clientId: `client-of-${slug}` as ClientId,
    resourceId: randomUUID() as ResourceId,
    resource: `https://mcp.${slug}.example/mcp` as ResourceIdentifier,
    credentialId: randomUUID(),
    credentialSecret: `dbx_${slug}`,
  }
  const secretHash = createHash('sha256').update(tenant.credentialSecret).digest()
  const rows: readonly (readonly [string, readonly unknown[]])[] = [
    ['INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $2, $2, $3)', [tenant.tenantId, slug, then]],
    [
      `INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, $3, 'tenant', $4)`,
      [tenant.tenantId, tenant.issuerId, `${publicUrl}/t/${slug}`, then],
    ],
    [
      `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'oidc', 'IdP', '{}', $3)`,
      [tenant.tenantId, tenant.connectionId, then],
    ],
    [
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at) VALUES ($1, $2, $3, 'ada', '{}', $4, $4, $4)`,
      [tenant.tenantId, tenant.subjectId, tenant.connectionId, then],
    ],
    [
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
       VALUES ($1, $2, $3, 'preregistered', 'Client', '{http://127.0.0.1/callback}', '{authorization_code,refresh_token}', 'none', '{}', $4)`,
      [tenant.tenantId, tenant.issuerId, tenant.clientId, then],
    ],
    [
      'INSERT INTO resources (tenant_id, id, identifier, name, created_at) VALUES ($1, $2, $3, $3, $4)',
      [tenant.tenantId, tenant.resourceId, tenant.resource, then],
    ],
    [
      'INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $1, $3)',
      [tenant.tenantId, tenant.resourceId, tenant.issuerId],
    ],
    [
      'INSERT INTO resource_credentials (tenant_id, id, resource_id, secret_hash, created_at) VALUES ($1, $2, $3, $4, $5)',
      [tenant.tenantId, tenant.credentialId, tenant.resourceId, secretHash, then],
    ],
  ]
  for (const [sql, parameters] of rows) await asOwner(fixture.ownerUrl, sql, parameters)
  return tenant
}
