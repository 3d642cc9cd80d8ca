/**
 * At the front issuer, where neither an ID token nor anything else says of which tenant a person signs out: her browser's own sessions there do. Of one she is
 * asked at once whether to end it; of several, which. A link chooses and ends nothing: what it leads to is the page that asks.
 */
import { buildSignOutQuery, type SignOutRequest } from '@drawbridge/core/logout/sign-out-request'
import { findLiveBrowserSession } from '@drawbridge/store/browser-sessions'
import { onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { type Answer, redirect } from '../http/answer.js'
import { type HttpRequest, tenantOf } from '../http/endpoint.js'
import { clearSessionCookie, frontSessionsOf, sessionHandleOf } from '../http/session-cookie.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { chooseSessionPage, signedOutPage } from './pages.js'

export async function chooseSession(http: HttpRequest, deps: BrokerDeps, request: SignOutRequest): Promise<Answer> {
  const { living, over } = await sessionsAtFront(http, deps)
  // A hint that named nobody here would name nobody again.
  const addressOf = ({ slug }: ResolvedTenant): string =>
    `${tenantOf(http).issuer.url}/logout?${buildSignOutQuery({ ...request, idTokenHint: undefined, tenant: slug })}`
  const [only, ...others] = living
  const setCookies = over.map((tenant) => clearSessionCookie(deps, tenant))
  if (only === undefined) return signedOutPage('here', { setCookies })
  if (others.length === 0) return redirect(addressOf(only), { headers: { 'cache-control': 'no-store' }, setCookies })
  return chooseSessionPage(
    living.map((tenant) => ({ name: tenant.name, address: addressOf(tenant) })),
    setCookies,
  )
}

async function sessionsAtFront(http: HttpRequest, deps: BrokerDeps) {
  const living: ResolvedTenant[] = []
  const over: ResolvedTenant[] = []
  for (const slug of frontSessionsOf(http, deps)) {
    const member = await deps.configuration.find(slug, 'front_member')
    if (member) ((await isLiving(http, deps, member)) ? living : over).push(member)
  }
  return { living, over }
}

async function isLiving(http: HttpRequest, deps: BrokerDeps, member: ResolvedTenant): Promise<boolean> {
  const handleHash = sessionHandleOf(http, deps, member)
  if (handleHash === undefined) return false
  const wanted = { handleHash, issuerId: member.issuer.id, now: deps.clock.now() }
  return (await findLiveBrowserSession(onHotPath(deps.database), member.id, wanted)) !== undefined
}
