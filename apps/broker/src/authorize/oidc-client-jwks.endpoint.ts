/** Our public keys before one OpenID provider, which fetches them here when we authenticate with `private_key_jwt`. */
import { listConnectionKeys } from '@drawbridge/store/connection-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { text } from '../http/answer.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'

/** The next key is published long before it signs, the retired one after it. @spec RFC 7523 §3, OIDC Core §10.1.1 */
export const oidcClientJwksEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/oidc/:connection/jwks',
  spec: 'RFC 7517 §5',
  summary: 'Public keys of a connection, for an OpenID provider to which we authenticate with private_key_jwt.',
  tag: 'Federation',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const connection = tenant.connection(http.params['connection'] ?? '')
    if (!connection || connection.kind !== 'oidc') return refuseOnPage({ reason: 'connection_unknown' })
    const keys = await inTenant(deps.database, tenant.id, (db) => listConnectionKeys(db, tenant.id, connection.id))
    return text('application/jwk-set+json', JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) }), {
      headers: { 'cache-control': 'public, max-age=60' },
    })
  },
})
