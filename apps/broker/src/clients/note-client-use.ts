/** A client got a token: this process remembers it as one at work, and the database when that was, of one that registered itself and of a secret, so often a statement. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import type { Client, ProvenClient } from '@drawbridge/core/oauth/client'
import type { ClientSecret } from '@drawbridge/core/oauth/client-secret'
import { markSecretUsed, secretUseRecordedEverySeconds } from '@drawbridge/store/client-secrets'
import { markClientUsed, useRecordedEverySeconds } from '@drawbridge/store/dynamic-clients'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'

/**
 * Only a token counts: of a client without a credential anybody can say the name. What was issued is not lost by a note that cannot be written;
 * the next token writes it.
 */
export async function noteClientUse(deps: BrokerDeps, proven: ProvenClient): Promise<void> {
  const now = deps.clock.now()
  const { secretUsed, ...client }: Client & { readonly secretUsed?: ClientSecret } = proven
  deps.clients.putToWork(client)
  const ofClient = client.kind === 'dynamic' && isDue(client.lastUsedAt, useRecordedEverySeconds, now)
  const ofSecret = isDue(secretUsed?.lastUsedAt, secretUseRecordedEverySeconds, now) ? secretUsed : undefined
  if (!ofClient && ofSecret === undefined) return
  try {
    await inTenant(deps.database, client.tenantId, async (db) => {
      if (ofClient) await markClientUsed(db, client.tenantId, client, now)
      if (ofSecret) await markSecretUsed(db, client.tenantId, client, { hash: ofSecret.hash, now })
    })
    const secrets = client.secrets.map((secret) => (secret === ofSecret ? { ...secret, lastUsedAt: now } : secret))
    deps.clients.keep({ ...client, secrets, ...(ofClient ? { lastUsedAt: now } : {}) })
  } catch (error) {
    deps.log.warn({ err: error, clientId: client.id }, 'the use of a client could not be noted')
  }
}

const isDue = (lastUsedAt: Instant | undefined, everySeconds: number, now: Instant): boolean =>
  lastUsedAt === undefined || addSeconds(lastUsedAt, everySeconds) <= now
