/** The key by which we prove to an OpenID provider who we are, opened for its connector. */
import { X509Certificate } from 'node:crypto'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { Sealer } from '@drawbridge/crypto/seal'
import { toPrivateKey } from '@drawbridge/crypto/signing-keys'
import { listConnectionKeys } from '@drawbridge/store/connection-keys'
import type { Database } from '@drawbridge/store/database'
import { inTenant } from '@drawbridge/store/transaction'
import type { ClientKey } from '@drawbridge/upstream/oidc/client-authentication'

type KeyDeps = { readonly database: Database; readonly sealer: Sealer; readonly installationId: string }

/** Undefined: the connection has no active key. Its connector keeps the answer until the configuration, keys included, has another version. */
export async function findClientKey(deps: KeyDeps, tenant: TenantId, connection: ConnectionId): Promise<ClientKey | undefined> {
  const keys = await inTenant(deps.database, tenant, (db) => listConnectionKeys(db, tenant, connection))
  const active = keys.find((key) => key.state === 'active')
  if (active === undefined) return undefined
  const { id, algorithm, certificate, sealedPrivateKey } = active
  const place = { installation: deps.installationId, tenant, table: 'connection_keys', column: 'sealed_private_key', row: id }
  const opened = deps.sealer.open(sealedPrivateKey, place)
  if (!opened.ok)
    throw new Error('invariant broken: connection_keys.sealed_private_key does not open; is this the master key of this database?')
  const certificateThumbprint = certificate === undefined ? undefined : sha256Base64url(new X509Certificate(certificate).raw)
  return { kid: id, algorithm, privateKey: toPrivateKey(opened.value), certificateThumbprint }
}
