/** The audit trail of a tenant, and the vendor's own. */
import { type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { listAuditEvents } from '@drawbridge/store/audit-events'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { type Endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { adminList } from './admin-list.js'
import { time, toIso } from './shapes.js'

const shown = z.strictObject({
  id: z.int(),
  at: time,
  kind: z.string(),
  issuerId: z.uuid().optional(),
  subjectId: z.uuid().optional(),
  clientId: z.string().optional(),
  connectionId: z.uuid().optional(),
  grantId: z.uuid().optional(),
  scopes: z.array(z.string()),
  reason: z.string().optional(),
  detail: z.record(z.string(), z.unknown()),
  requestId: z.string().optional(),
  address: z.string().optional(),
})
const filters = {
  kind: z.string().max(100).optional(),
  subject: z.uuid().optional(),
  grant: z.uuid().optional(),
  client: z.string().max(2048).optional(),
}

const trail = (path: string, summary: string, ownerOf: (http: HttpRequest) => TenantId, vendorOnly?: true): Endpoint =>
  adminList({
    path,
    tag: 'Audit',
    summary,
    permission: 'audit:read',
    ...(vendorOnly ? { vendorOnly } : {}),
    member: 'auditEvents',
    shown,
    position: ['before', 'serial'],
    filters,
    read: (http, deps, page) => {
      const { kind, subject: subjectId, grant: grantId, client: clientId } = http.asked
      const owner = ownerOf(http)
      return inTenant(deps.database, owner, (db) => listAuditEvents(db, owner, { kind, subjectId, grantId, clientId }, page))
    },
    show: ({ at, scopes, detail, ...event }) => ({ ...event, at: toIso(at), scopes: [...(scopes ?? [])], detail: { ...detail } }),
    positionOf: ({ id }) => id,
  })

export const auditEndpoints = [
  trail('/tenants/:tenant/audit-events', 'The trail of a tenant, newest first', (http) => tenantOf(http).id),
  trail('/audit-events', 'The vendor’s own trail, newest first', () => vendorTenantId, true),
]
