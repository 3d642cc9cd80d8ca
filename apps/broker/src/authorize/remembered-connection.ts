/** Where a browser wants to be sent, if its person asked that it be remembered. */
import type { BrokerDeps } from '../deps.js'
import { cookieName, setCookie } from '../http/cookies.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

type WithCookies = Pick<HttpRequest, 'cookies'>

/** Where somebody signed in last time, if she asked to be sent there again. It chooses among this tenant's connections and proves nothing. */
const choiceCookie = (tenant: ResolvedTenant): string => `drawbridge-connection-${tenant.slug}`
const rememberedForSeconds = 30 * 86_400

export const rememberedConnectionOf = (http: WithCookies, deps: BrokerDeps, tenant: ResolvedTenant): string | undefined =>
  http.cookies.get(cookieName(choiceCookie(tenant), deps.settings.publicUrl))

/** Kept only where she said so; a choice without it forgets the one before. */
export const setChoiceCookie = (deps: BrokerDeps, tenant: ResolvedTenant, connectionId: string, isKept: boolean): string =>
  setCookie(choiceCookie(tenant), isKept ? connectionId : '', {
    publicUrl: deps.settings.publicUrl,
    sameSite: 'Lax',
    maxAgeSeconds: isKept ? rememberedForSeconds : 0,
  })
