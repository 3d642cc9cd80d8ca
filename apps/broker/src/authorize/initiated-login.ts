/**
 * What becomes of a login that the company's side began: the browser goes to the application that the tile stands for, which begins a login
 * of its own. docs/adr/0026
 *
 * Nothing that came with the tile is believed, kept or consumed: no session, no grant, no pending request is touched. Whoever sends a
 * stolen answer, or her own answer from somebody else's browser, gets what a link would have got.
 */
import { type InitiatedLogin, initiationUrlOf, targetOf } from '@drawbridge/core/tenant/initiated-login'
import { insertUnsolicitedLogin } from '@drawbridge/store/audit-events'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { type Answer, page, redirect } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { html } from '../http/html.js'
import type { ResolvedConnection } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { tracedStray } from './login-trace.js'

type Tile = {
  /** RelayState or target_link_uri: it is compared and goes nowhere. */
  readonly relayState: string | undefined
  readonly loginHint?: string | undefined
}

/** Where the connection lists places for its portal; `undefined`: it has not opted in. */
export const initiatedLoginOf = ({ configuration }: ResolvedConnection): InitiatedLogin | undefined =>
  configuration.ok ? configuration.value.idpInitiated : undefined

const noStore = { headers: { 'cache-control': 'no-store' } }

/** @spec OIDC Core §4 */
export function sendToTarget(http: HttpRequest, connection: ResolvedConnection, listed: InitiatedLogin, tile: Tile): Answer {
  const tenant = tenantOf(http)
  const about = { issuer: tenant.issuer.url, connectionId: connection.id, loginHint: tile.loginHint }
  const target = targetOf(listed, tile.relayState)
  if (target) return redirect(initiationUrlOf(target, about), noStore)
  const links = listed.targets.map((each) => html`<li><a href="${initiationUrlOf(each, about)}">${each.name}</a></li>`)
  return page(
    'Where do you want to go?',
    html`<p>The tile that you came by does not say which application it stands for. ${tenant.name} has these:</p><ul>${links}</ul>`,
    noStore,
  )
}

/** The person reads what to do; her admins find it in the trail, once an hour and connection, however often somebody posts here. */
export async function refuseUnsolicited(http: HttpRequest, deps: BrokerDeps, connection: ResolvedConnection): Promise<Answer> {
  const tenant = tenantOf(http)
  await inTenant(deps.database, tenant.id, (db) =>
    insertUnsolicitedLogin(db, tenant.id, {
      at: deps.clock.now(),
      issuerId: tenant.issuer.id,
      connectionId: connection.id,
      requestId: http.requestId,
      address: http.address,
    }),
  )
  return tracedStray(
    { http, deps, tenant, connection, now: deps.clock.now() },
    'login_unsolicited',
    refuseOnPage({ reason: 'login_unsolicited' }),
  )
}
