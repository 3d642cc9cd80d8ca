/** How the admin API changes the keys of a tenant's own issuer: fresh ones are made for their purpose and sealed to their rows. */
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { ensureSigningKeys, type KeyChange } from '@drawbridge/store/signing-keys'
import type { Db } from '@drawbridge/store/transaction'
import { parseConnection } from '@drawbridge/upstream/connection'
import type { SamlConnection } from '@drawbridge/upstream/connection-configuration'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { sealNewKeyFor, sealNewSamlKey } from './new-key.js'

type Owner = Pick<ResolvedTenant, 'id' | 'issuer'>

export function keyChangeOf(deps: BrokerDeps, { id: tenant, issuer }: Owner): KeyChange & { readonly tenant: TenantId } {
  const about = { tenant, issuerId: issuer.id, now: deps.clock.now() }
  return {
    ...about,
    makeKey: (purpose, state, algorithm) =>
      purpose === 'saml'
        ? sealNewSamlKey(deps, { ...about, state, issuer: issuer.url })
        : sealNewKeyFor(deps, { ...about, state, purpose, algorithm }),
  }
}

/** Logout is always signed. */
const needsKeys = ({ signRequests, encryption, sloUrl }: SamlConnection): boolean =>
  signRequests || encryption !== 'off' || sloUrl !== undefined

/** A connection that signs or decrypts needs keys; many do neither, so their tenants have none. In the transaction that stores it. */
export async function ensureKeysFor(
  db: Db,
  deps: BrokerDeps,
  owner: Owner,
  connection: { readonly kind: string; readonly configuration: unknown },
): Promise<void> {
  const parsed = parseConnection(connection.kind, connection.configuration)
  if (!parsed.ok || parsed.value.kind !== 'saml' || !needsKeys(parsed.value)) return
  await ensureSamlKeys(db, deps, owner)
}

/** So that there is something to encrypt to. */
export const ensureSamlKeys = (db: Db, deps: BrokerDeps, owner: Owner): Promise<unknown> =>
  ensureSigningKeys(db, owner.id, { ...keyChangeOf(deps, owner), purpose: 'saml' })
