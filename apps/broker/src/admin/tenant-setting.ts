/** A setting of a tenant that is one small document: it is read, and chosen anew as a whole. */
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { AuditEvent } from '@drawbridge/store/audit-events'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import type { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import { type Endpoint, tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit } from './admin-endpoint.js'
import type { AdminPermission } from './permission.js'

export type TenantSetting<Chosen extends Readonly<Record<string, unknown>>> = {
  /** Behind `/tenants/:tenant`. */
  readonly path: string
  readonly tag: string
  readonly shape: z.ZodType<Chosen>
  readonly summaries: { readonly read: string; readonly choose: string }
  /** Of whoever chooses. Default: `configuration:write`. */
  readonly permission?: AdminPermission
  /** What the trail says of a choice. */
  readonly kind: AuditEvent['kind']
  readonly find: (db: Db, tenant: TenantId) => Promise<Chosen>
  readonly mark: (db: Db, tenant: TenantId, chosen: Chosen) => Promise<void>
  /** Once it is chosen. */
  readonly afterwards?: (deps: BrokerDeps, tenant: TenantId) => void
}

export function settingEndpoints<Chosen extends Readonly<Record<string, unknown>>>(setting: TenantSetting<Chosen>): readonly Endpoint[] {
  const { tag, shape, summaries, permission = 'configuration:write', kind, find, mark, afterwards } = setting
  const path = `/tenants/:tenant${setting.path}`
  const read = adminEndpoint({
    ...{ method: 'GET', path, tag, summary: summaries.read, permission: 'configuration:read', answer: shape },
    run: async (http, deps) => {
      const { id } = tenantOf(http)
      return json(await inTenant(deps.database, id, (db) => find(db, id)))
    },
  })
  const choose = adminEndpoint({
    ...{ method: 'PUT', path, tag, summary: summaries.choose, permission, body: shape, answer: shape },
    run: async (http, deps) => {
      const { id } = tenantOf(http)
      const chosen = http.parsed
      await inTenant(deps.database, id, async (db) => {
        await mark(db, id, chosen)
        await audit(db, id, http, deps, { kind, detail: chosen })
      })
      afterwards?.(deps, id)
      return json(chosen)
    },
  })
  return [read, choose]
}
