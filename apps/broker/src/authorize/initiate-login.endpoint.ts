/** The address that an OpenID provider's tile calls: third-party initiated login. It begins nothing itself; the application does. */
import { passableHint } from '@drawbridge/core/tenant/initiated-login'
import { issuersOf } from '@drawbridge/upstream/oidc/authorization-answer'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { type Endpoint, endpoint, type HttpRequest, type Method, tenantOf } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'
import { initiatedLoginOf, refuseUnsolicited, sendToTarget } from './initiated-login.js'

/**
 * Without `iss` it is a plain link, as some portals have no other; with one, it has to be this connection's.
 *
 * @spec OIDC Core §4 GET and POST; iss, login_hint, target_link_uri
 */
async function initiate(http: HttpRequest, deps: BrokerDeps): Promise<Answer> {
  const connection = tenantOf(http).connection(http.params['connection'] ?? '')
  if (connection?.kind !== 'oidc' || connection.disabled || !connection.configuration.ok)
    return refuseOnPage({ reason: 'connection_unknown' })
  const given = http.method === 'GET' ? http.query : http.form
  if (!given.ok) return refuseOnPage({ reason: 'initiation_malformed', detail: { why: given.error.reason } })
  const configuration = connection.configuration.value
  const issuer = given.value['iss']
  if (configuration.kind !== 'oidc' || (issuer !== undefined && !issuersOf(configuration).includes(issuer)))
    return refuseOnPage({ reason: 'initiation_of_another_issuer' })
  const listed = initiatedLoginOf(connection)
  if (!listed) return refuseUnsolicited(http, deps, connection)
  const loginHint = passableHint(given.value['login_hint'] || undefined)
  return sendToTarget(http, connection, listed, { relayState: given.value['target_link_uri'] || undefined, loginHint })
}

const initiateBy = (method: Method): Endpoint =>
  endpoint({
    method,
    path: '/t/:tenant/oidc/:connection/initiate',
    spec: 'OIDC Core §4',
    summary: 'Sends the browser from a tile of the OpenID provider’s portal to the application that it stands for.',
    tag: 'Federation',
    refusals: 'page',
    rateLimit: 'login',
    run: initiate,
  })

export const initiateLoginEndpoints: readonly Endpoint[] = [initiateBy('GET'), initiateBy('POST')]
