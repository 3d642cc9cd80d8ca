/**
 * Clients as this process last read them, so that a request costs no statement before the one that does its work.
 *
 * The cache saves work, it never decides. Whatever is done for a remembered client is guarded by its version in the statement that does it,
 * and a remembered client is refused only after it has been read again; so a block, a new secret or a deletion by another process counts
 * from the very next request on, and no message has to arrive for that. Clients that nobody knows are not remembered.
 */
import type { Client } from '@drawbridge/core/oauth/client'
import type { ClientId, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { findClient } from '@drawbridge/store/clients'
import type { Database } from '@drawbridge/store/database'
import { onHotPath } from '@drawbridge/store/transaction'

/** A client may publish some 32 KB of keys, so these are 64 MB at the very worst. */
export const clientCacheLimits = { mostClients: 2000 } as const

export type ClientName = { readonly tenantId: TenantId; readonly issuerId: IssuerId; readonly id: ClientId }

export type ClientCache = {
  /** As this process last saw it; it may have changed since. */
  recall(name: ClientName): Client | undefined
  /** As the database has it now. */
  read(name: ClientName): Promise<Client | undefined>
  /** Takes note of what was just written or read. */
  keep(client: Client): void
}

export function createClientCache(database: Database, mostClients: number = clientCacheLimits.mostClients): ClientCache {
  const kept = new Map<string, Client>() // the longest unused first
  const keep = (client: Client): void => {
    const key = keyOf(client)
    const known = kept.get(key)
    // Versions only grow: what a slow read brings late is older than what is known.
    if (known && known.version > client.version) return
    kept.delete(key)
    kept.set(key, client)
    if (kept.size > mostClients) kept.delete(kept.keys().next().value as string)
  }
  return {
    keep,
    recall: (name) => {
      const key = keyOf(name)
      const client = kept.get(key)
      if (!client) return undefined
      kept.delete(key)
      kept.set(key, client)
      return client
    },
    read: async (name) => {
      const client = await findClient(onHotPath(database), name.tenantId, name.issuerId, name.id)
      if (client) keep(client)
      else kept.delete(keyOf(name))
      return client
    },
  }
}

/** Both ids are UUIDs, so no two names share a key. */
const keyOf = (name: ClientName): string => `${name.tenantId}${name.issuerId}${name.id}`
