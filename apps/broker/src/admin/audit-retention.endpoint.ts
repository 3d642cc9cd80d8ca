/** How long the trail of a tenant is kept, and the vendor's own. Whoever could end it unseen could become somebody unseen: it takes the same permission. */
import { type AuditRetention, auditRetentionShape } from '@drawbridge/core/audit/audit-retention'
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { findAuditRetention, markAuditRetention } from '@drawbridge/store/audit-retention'
import { inTenant } from '@drawbridge/store/transaction'
import { json } from '../http/answer.js'
import { type Endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'

const tag = 'Audit'

function retention(path: string, whose: string, ownerOf: (http: HttpRequest) => TenantId, vendorOnly?: true): readonly Endpoint[] {
  const vendors = vendorOnly ? { vendorOnly } : {}
  const read = adminEndpoint({
    ...{ method: 'GET', path, tag, summary: `Read how long ${whose} is kept`, permission: 'audit:read', answer: auditRetentionShape },
    ...vendors,
    run: async (http, deps) => json(await inTenant(deps.database, ownerOf(http), (db) => findAuditRetention(db, ownerOf(http)))),
  })
  const choose = adminEndpoint({
    ...{ method: 'PUT', path, tag, summary: `Choose how long ${whose} is kept; nothing is ended before a week has gone by` },
    ...{ permission: 'impersonate', body: auditRetentionShape, answer: auditRetentionShape },
    ...vendors,
    run: async (http, deps) => {
      const owner = ownerOf(http)
      const chosen: AuditRetention = http.parsed
      await inTenant(deps.database, owner, async (db) => {
        const before = await findAuditRetention(db, owner)
        await markAuditRetention(db, owner, chosen, deps.clock.now())
        await audit(db, owner, http, deps, { kind: 'tenant.audit_retention_changed', detail: { ...chosen, before } })
      })
      return json(chosen)
    },
  })
  return [read, choose]
}

export const auditRetentionEndpoints = [
  ...retention('/tenants/:tenant/audit-retention', 'the trail of a tenant', (http) => tenantOf(http).id),
  ...retention('/audit-retention', 'the vendor’s own trail', () => vendorTenantId, true),
]
