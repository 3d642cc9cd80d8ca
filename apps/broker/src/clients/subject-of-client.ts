/**
 * By which `sub` a client is told of a person: in ID tokens, at userinfo and in logout tokens. What resource servers are told is another matter: each
 * access token names the person by the `sub` that revocation notices name her by, whichever client brings it. docs/adr/0082
 *
 * And by which `sub` resource servers are told of the client itself. docs/adr/0119
 */
import type { Client } from '@drawbridge/core/oauth/client'
import type { NamedAt } from '@drawbridge/core/oauth/machine-subject'
import { generatePairwiseKey, pairwiseSubject } from '@drawbridge/crypto/pairwise-subject'
import { insertPairwiseKey, type SealedPairwiseKey } from '@drawbridge/store/pairwise-keys'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** Where a client is named that acts in its own name, or for a person. */
export const namedAt = ({ slug, issuer }: Pick<ResolvedTenant, 'slug' | 'issuer'>): NamedAt => ({
  tenant: slug,
  isFront: issuer.kind !== 'tenant',
})

export async function subjectToldTo(
  deps: BrokerDeps,
  tenant: ResolvedTenant,
  { sectorIdentifier: sector }: Pick<Client, 'sectorIdentifier'>,
  subject: string,
): Promise<string> {
  if (sector === undefined) return subject
  const key = tenant.pairwiseKey() ?? (await makeKey(deps, tenant))
  return pairwiseSubject(key, { issuerId: tenant.issuer.id, sector, subject })
}

/** Made for the first person of whom such a client is told. Another process may have made it meanwhile: then that one counts. */
async function makeKey(deps: BrokerDeps, { id: tenant }: ResolvedTenant): Promise<Buffer> {
  const id = deps.random.uuid()
  const sealed = deps.sealer.seal(generatePairwiseKey(deps.random), placeOf(deps, tenant, id))
  const kept: SealedPairwiseKey = await inTenant(deps.database, tenant, (db) =>
    insertPairwiseKey(db, tenant, { id, sealed, now: deps.clock.now() }),
  )
  const opened = deps.sealer.open(kept.sealed, placeOf(deps, tenant, kept.id))
  if (!opened.ok) throw new Error('invariant broken: pairwise_keys.sealed_key does not open; is this the master key of this database?')
  return opened.value
}

const placeOf = (deps: BrokerDeps, tenant: ResolvedTenant['id'], row: string) => ({
  installation: deps.installation.id,
  tenant,
  table: 'pairwise_keys',
  column: 'sealed_key',
  row,
})
