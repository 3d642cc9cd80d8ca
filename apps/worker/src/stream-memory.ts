/**
 * What a worker has parsed and unsealed of streams, kept while the text is the same: keys of transmitters and access tokens are remembered with
 * these values, and would otherwise be fetched anew at each request.
 */
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import type { Sealer } from '@drawbridge/crypto/seal'
import type { StoredConnection } from '@drawbridge/store/connections'
import type { StoredStream } from '@drawbridge/store/signal-streams'
import { type ConnectionConfiguration, parseConnection } from '@drawbridge/upstream/connection'
import { type KeptCredential, parseKeptCredential } from '@drawbridge/upstream/signals/stream-credential'

export type StreamMemory = {
  credentialOf(at: { readonly tenantId: TenantId; readonly connectionId: ConnectionId }, stream: StoredStream): KeptCredential | undefined
  configurationOf(tenant: TenantId, connection: StoredConnection): ConnectionConfiguration | undefined
}

/** Kept at once; when full, the oldest go. */
const mostKept = 5000

export function createStreamMemory({ sealer, installationId }: { readonly sealer: Sealer; readonly installationId: string }): StreamMemory {
  const credentials = new Map<string, { readonly text: string; readonly value: KeptCredential | undefined }>()
  const configurations = new Map<string, { readonly text: string; readonly value: ConnectionConfiguration | undefined }>()
  return {
    credentialOf: ({ tenantId, connectionId }, { sealedCredential }) => {
      if (sealedCredential === undefined) return undefined
      const context = {
        ...{ installation: installationId, tenant: tenantId, table: 'signal_streams', column: 'sealed_credential', row: connectionId },
      }
      return remember(credentials, `${tenantId} ${connectionId}`, sealedCredential.toString('base64'), () => {
        const opened = sealer.open(sealedCredential, context)
        return opened.ok ? parseKeptCredential(opened.value) : undefined
      })
    },
    configurationOf: (tenant, { id, kind, configuration }) =>
      remember(configurations, `${tenant} ${id}`, JSON.stringify(configuration), () => {
        const parsed = parseConnection(kind, configuration)
        return parsed.ok ? parsed.value : undefined
      }),
  }
}

function remember<T>(kept: Map<string, { readonly text: string; readonly value: T }>, key: string, text: string, make: () => T): T {
  const known = kept.get(key)
  if (known?.text === text) return known.value
  const value = make()
  if (!kept.has(key) && kept.size >= mostKept) kept.delete(kept.keys().next().value as string)
  kept.set(key, { text, value })
  return value
}
