/**
 * Clients as this process last read them, so that a request costs no statement before the one that does its work.
 *
 * The cache saves work, it never decides. Whatever is done for a remembered client is guarded by its version in the statement that does it,
 * and a remembered client is refused only after it has been read again; so a block, a new secret or a deletion by another process counts
 * from the very next request on, and no message has to arrive for that. Clients that nobody knows are not remembered.
 *
 * Clients that got a token are remembered apart from those that were only asked about: anybody can have clients read, by names that he has registered or read
 * somewhere, and who is not remembered is counted among strangers (ADR 110).
 */
import type { Client } from '@drawbridge/core/oauth/client'
import type { ClientId, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { findClient } from '@drawbridge/store/clients'
import type { Database } from '@drawbridge/store/database'
import { onHotPath } from '@drawbridge/store/transaction'

/** A client may publish some 32 KB of keys, so these are 80 MB at the very worst. */
export const clientCacheLimits = {
  /** That got a token from this process. */
  atWork: 2000,
  /** That were read, or written, and no more. */
  met: 500,
} as const

export type ClientName = { readonly tenantId: TenantId; readonly issuerId: IssuerId; readonly id: ClientId }

export type ClientCache = {
  /** As this process last saw it; it may have changed since. */
  recall(name: ClientName): Client | undefined
  /** As the database has it now. */
  read(name: ClientName): Promise<Client | undefined>
  /** Takes note of what was just written or read. */
  keep(client: Client): void
  /** It got a token. */
  putToWork(client: Client): void
}

type Limits = { readonly [Shelf in keyof typeof clientCacheLimits]: number }

export function createClientCache(database: Database, most: Limits = clientCacheLimits): ClientCache {
  // The longest unused first, of either.
  const [atWork, met] = [new Map<string, Client>(), new Map<string, Client>()]
  const find = (key: string): Client | undefined => atWork.get(key) ?? met.get(key)
  const put = (shelf: typeof met, key: string, client: Client): void => {
    shelf.delete(key)
    shelf.set(key, client)
    if (shelf.size > (shelf === atWork ? most.atWork : most.met)) shelf.delete(shelf.keys().next().value as string)
  }
  const shelfOf = (key: string) => (atWork.has(key) ? atWork : met)
  // Versions only grow: what a slow read brings late is older than what is known.
  const newer = (key: string, client: Client): Client => {
    const known = find(key)
    return known && known.version > client.version ? known : client
  }
  const keep = (client: Client): void => {
    const key = keyOf(client)
    put(shelfOf(key), key, newer(key, client))
  }
  return {
    keep,
    putToWork: (client) => {
      const key = keyOf(client)
      const latest = newer(key, client)
      met.delete(key)
      put(atWork, key, latest)
    },
    recall: (name) => {
      const key = keyOf(name)
      const client = find(key)
      if (client) put(shelfOf(key), key, client)
      return client
    },
    read: async (name) => {
      const client = await findClient(onHotPath(database), name.tenantId, name.issuerId, name.id)
      if (client) keep(client)
      else for (const shelf of [atWork, met]) shelf.delete(keyOf(name))
      return client
    },
  }
}

/** Both ids are UUIDs, so no two names share a key. */
const keyOf = (name: ClientName): string => `${name.tenantId}${name.issuerId}${name.id}`
