/** The call by which a client is told that somebody is logged out. OpenID Connect Back-Channel Logout 1.0. */
import { buildLogoutToken } from '@drawbridge/core/logout/logout-token'
import { err, ok } from '@drawbridge/core/result'
import type { Issuer, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { findToldClient } from '@drawbridge/store/plan-logouts'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { Prepare } from './outbound-call.js'

/** Signed at each try by the key that is active then; `jti` is the delivery's id and stays. @spec OpenID Connect Back-Channel Logout 1.0 §2.5 */
export const prepareLogout: Prepare = (deps, { tenantId: tenant, id, destinationId, payload }) =>
  acrossTenants(deps.database, async (db) => {
    const client = await findToldClient(db, tenant, destinationId)
    if (client === undefined) return err('no_longer_wanted')
    const { signer, url } = client.issuer
    const issuer = { tenant: signer.tenant as TenantId, id: signer.id as IssuerId, url: url as Issuer }
    const sign = await deps.openLogoutSigner(db, issuer)
    const { sub, sid } = payload as { readonly sub: string; readonly sid?: string }
    const logout = { issuer: issuer.url, clientId: client.clientId, subject: sub, sessionId: sid, jti: id }
    const token = sign(buildLogoutToken(logout, deps.clock.now()))
    return ok({
      url: client.uri,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: token }).toString(),
    })
  })
