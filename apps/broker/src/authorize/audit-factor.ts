/** A line of the trail about somebody's second factor, at the request that she stands before. */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import type { Db } from '@drawbridge/store/transaction'
import type { SignedIn } from './signed-in.js'

type FactorEvent = {
  readonly kind: 'second_factor.proved' | 'second_factor.refused' | 'second_factor.enrolled' | 'second_factor.code_used'
  readonly reason?: FactorRefusal
  readonly detail: Readonly<Record<string, string>>
}

export const auditFactor = (db: Db, { flow, session }: Pick<SignedIn, 'flow' | 'session'>, event: FactorEvent): Promise<void> =>
  insertAuditEvent(db, flow.tenant.id, {
    ...event,
    at: flow.now,
    issuerId: flow.tenant.issuer.id,
    subjectId: session.subjectId,
    clientId: flow.client.id,
    connectionId: session.connectionId,
    requestId: flow.http.requestId,
    address: flow.http.address,
  })
