/** A line in a tenant's trail about what the worker noticed; where somebody has to act, its contacts are told in the same transaction. */
import { announcedByItself } from '@drawbridge/core/audit/audit-event'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { announce } from '@drawbridge/store/announcements'
import { type AuditEvent, insertAuditEvent } from '@drawbridge/store/audit-events'
import type { Db } from '@drawbridge/store/transaction'

/** `about`: what it is about, where that is no connection. */
export async function tellTenant(db: Db, tenant: TenantId, event: AuditEvent, about?: string): Promise<void> {
  await insertAuditEvent(db, tenant, event)
  if (!announcedByItself.includes(event.kind)) return
  await announce(db, tenant, { at: event.at, kind: event.kind, about, by: undefined }, { connectionId: event.connectionId })
}
