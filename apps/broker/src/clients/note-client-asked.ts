/** A client asked in vain, because no admin of the tenant has approved it: she finds it among those that wait. */
import type { Client } from '@drawbridge/core/oauth/client'
import { inTenant } from '@drawbridge/store/transaction'
import { markClientAsked } from '@drawbridge/store/waiting-clients'
import type { BrokerDeps } from '../deps.js'

/** The refusal stands though the note cannot be written; the next one writes it. */
export async function noteClientAsked(deps: BrokerDeps, client: Pick<Client, 'tenantId' | 'issuerId' | 'id'>): Promise<void> {
  try {
    await inTenant(deps.database, client.tenantId, (db) => markClientAsked(db, client.tenantId, client, deps.clock.now()))
  } catch (error) {
    deps.log.warn({ err: error, clientId: client.id }, 'that a client asked could not be noted')
  }
}
