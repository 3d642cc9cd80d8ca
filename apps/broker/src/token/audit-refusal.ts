/** A line of the trail about what a proven client was refused at the token endpoint before any statement had judged it. */
import type { TokenErrorReason } from '@drawbridge/core/oauth/token-error'
import { type AuditEvent, insertAuditEvent } from '@drawbridge/store/audit-events'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { ExchangeContext } from './exchange.js'

type RefusalTold = Pick<AuditEvent, 'kind' | 'detail' | 'connectionId'> & { readonly reason: TokenErrorReason }

export const auditRefusal = (deps: BrokerDeps, { tenant, client, http, now }: ExchangeContext, told: RefusalTold): Promise<void> =>
  inTenant(deps.database, tenant.id, (db) =>
    insertAuditEvent(db, tenant.id, {
      ...{ at: now, issuerId: tenant.issuer.id, clientId: client.id, ...told },
      ...{ requestId: http.requestId, address: http.address },
    }),
  )
