/** The call by which a client is told that somebody is logged out. OpenID Connect Back-Channel Logout 1.0. */
import { buildLogoutToken } from '@drawbridge/core/logout/logout-token'
import { err, ok } from '@drawbridge/core/result'
import type { Issuer, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { pairwiseSubject } from '@drawbridge/crypto/pairwise-subject'
import { findPairwiseKey } from '@drawbridge/store/pairwise-keys'
import { findToldClient } from '@drawbridge/store/plan-logouts'
import { type AcrossDb, acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from './deps.js'
import type { Prepare } from './outbound-call.js'

type Told = { readonly tenant: TenantId; readonly issuerId: IssuerId; readonly sector: string | undefined; readonly subject: string }

/** By the `sub` of its ID tokens: what the delivery names is ours alone. @spec OpenID Connect Back-Channel Logout 1.0 §2.4, OIDC Core §8.1 */
async function subjectToldTo(deps: JobDeps, db: AcrossDb, { tenant, issuerId, sector, subject }: Told): Promise<string | undefined> {
  if (sector === undefined) return subject
  const key = await findPairwiseKey(db, tenant)
  if (key === undefined) return undefined
  const opened = deps.openSealed(key.sealed, { tenant, table: 'pairwise_keys', column: 'sealed_key', row: key.id })
  return pairwiseSubject(opened, { issuerId, sector, subject })
}

/** Signed at each try by the key that is active then; `jti` is the delivery's id and stays. @spec OpenID Connect Back-Channel Logout 1.0 §2.5 */
export const prepareLogout: Prepare = (deps, { tenantId: tenant, id, destinationId, payload }) =>
  acrossTenants(deps.database, async (db) => {
    const client = await findToldClient(db, tenant, destinationId)
    if (client === undefined) return err('no_longer_wanted')
    const { signer, url } = client.issuer
    const issuer = { tenant: signer.tenant as TenantId, id: signer.id as IssuerId, url: url as Issuer }
    const sign = await deps.openLogoutSigner(db, issuer)
    const { sub, sid } = payload as { readonly sub: string; readonly sid?: string }
    const subject = await subjectToldTo(deps, db, {
      tenant,
      issuerId: client.issuer.id as IssuerId,
      sector: client.sectorIdentifier,
      subject: sub,
    })
    // No key was ever made, so this client was never told of anybody.
    if (subject === undefined) return err('no_longer_wanted')
    const logout = { issuer: issuer.url, clientId: client.clientId, subject, sessionId: sid, jti: id }
    const token = sign(buildLogoutToken(logout, deps.clock.now()))
    return ok({
      url: client.uri,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: token }).toString(),
    })
  })
