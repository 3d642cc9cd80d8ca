/**
 * Where an OpenID provider ends a session from a frame in the person's browser. Nobody has signed it, so it ends the session of this one
 * browser, which a cookie of ours proves, and nothing that was granted (security.md §16).
 *
 * Best effort: a browser that keeps cookies out of frames brings none, and the answer is the same. Whoever reads it learns nothing.
 */
import type { IdpSessionEnd } from '@drawbridge/core/logout/idp-session'
import { endSessionOfBrowser } from '@drawbridge/store/end-session'
import { inTenant } from '@drawbridge/store/transaction'
import type { OidcConnection } from '@drawbridge/upstream/connection-configuration'
import { issuersOf } from '@drawbridge/upstream/oidc/configuration'
import type { BrokerDeps } from '../deps.js'
import { empty } from '../http/answer.js'
import { endpoint, type HttpRequest } from '../http/endpoint.js'
import { type PresentConnection, presentConnection } from '../http/present-connection.js'
import { framedSessionOf, sessionHandleOf } from '../http/session-cookie.js'

/** @spec OIDC Front-Channel Logout §2 */
export const frontchannelLogoutEndpoint = endpoint({
  method: 'GET',
  path: '/t/:tenant/oidc/:connection/frontchannel-logout',
  spec: 'OIDC Front-Channel Logout §2',
  summary: 'Ends the session of this browser, if it is the one that the OpenID provider names in its frame; what was granted lives on.',
  tag: 'Logout',
  refusals: 'page',
  rateLimit: 'login',
  run: async (http, deps) => {
    const connection = await presentConnection(http, deps, 'oidc')
    if (!connection) return empty(200)
    const ended = readEnd(http, connection.configuration)
    const isEnded = ended !== undefined && (await end(http, deps, connection, ended))
    deps.metrics.count('drawbridge_logouts_total', { way: 'frontchannel', outcome: isEnded ? 'ended' : 'nothing' })
    return empty(200, { framedBy: new URL(connection.configuration.issuer).origin })
  },
})

/** Both or neither, says the specification; without them nothing says which session is meant, and nothing ends. */
function readEnd(http: HttpRequest, connection: OidcConnection): IdpSessionEnd | undefined {
  const { iss: issuer, sid } = http.query.ok ? http.query.value : {}
  if (issuer === undefined || !sid || !issuersOf(connection).includes(issuer)) return undefined
  return { protocol: 'oidc', issuer, sid, sub: undefined }
}

/** Of the tenant's own issuer and of its membership at the front: the IdP knows one session. */
async function end(http: HttpRequest, deps: BrokerDeps, { tenant, id }: PresentConnection<'oidc'>, ended: IdpSessionEnd): Promise<boolean> {
  const { requestId, address } = http
  const ending = { tenant: tenant.id, connectionId: id, reason: 'frontchannel_logout' as const, now: deps.clock.now(), requestId, address }
  const member = await deps.configuration.find(tenant.slug, 'front_member')
  let isEnded = false
  for (const at of [tenant, ...(member ? [member] : [])]) {
    const browser = {
      handleHash: sessionHandleOf(http, deps, at),
      sessionId: framedSessionOf(http, deps, at),
      issuerId: at.issuer.id,
    }
    const isEndedThere = await inTenant(deps.database, tenant.id, (db) =>
      endSessionOfBrowser(db, { ...ending, newId: () => deps.random.uuid() }, { ...browser, ended }),
    )
    isEnded ||= isEndedThere
  }
  return isEnded
}
