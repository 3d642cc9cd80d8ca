/** When a client that registered itself last got a token: once a day a statement, and no other request costs one. */
import { addSeconds } from '@drawbridge/core/instant'
import type { Client } from '@drawbridge/core/oauth/client'
import { markClientUsed, useRecordedEverySeconds } from '@drawbridge/store/dynamic-clients'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'

/**
 * Only a token counts: of a client without a credential anybody can say the name. What was issued is not lost by a note that cannot be written;
 * the next token writes it.
 */
export async function noteClientUse(deps: BrokerDeps, client: Client): Promise<void> {
  if (client.kind !== 'dynamic') return
  const now = deps.clock.now()
  if (client.lastUsedAt !== undefined && addSeconds(client.lastUsedAt, useRecordedEverySeconds) > now) return
  try {
    await inTenant(deps.database, client.tenantId, (db) => markClientUsed(db, client.tenantId, client, now))
    deps.clients.keep({ ...client, lastUsedAt: now })
  } catch (error) {
    deps.log.warn({ err: error, clientId: client.id }, 'the use of a client could not be noted')
  }
}
