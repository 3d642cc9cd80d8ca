/** An access token of a tenant's own issuer that somebody presents here, whichever resource it is for. */
import { accessTokenType } from '@drawbridge/core/oauth/access-token'
import { type IntrospectedToken, readIntrospectedToken } from '@drawbridge/core/oauth/introspection'
import type { Secret } from '@drawbridge/core/secret'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** By the keys of this version of the configuration. That it was ours and has not expired; whether it lives, the barrier knows. */
export function readAccessToken(deps: BrokerDeps, tenant: ResolvedTenant, token: Secret): IntrospectedToken | undefined {
  const expected = { typ: accessTokenType, issuer: tenant.issuer.url, audience: undefined, now: deps.clock.now(), skewSeconds: 0 }
  const verified = deps.signatures.verify(token.reveal(), tenant.verificationKeys('tokens'), expected)
  // The keys of the front sign for every tenant: the claim says for which.
  return verified.ok && verified.value['tenant'] === tenant.slug ? readIntrospectedToken(verified.value) : undefined
}
