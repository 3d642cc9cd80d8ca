/** The cookies of a browser beside its session: the one that binds it to what it started, a bare handle, and where it wants to be sent. */

import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import type { BrokerDeps } from '../deps.js'
import { cookieName, setCookie } from '../http/cookies.js'
import type { HttpRequest } from '../http/endpoint.js'
import { readHandle } from '../http/session-cookie.js'
import type { ResolvedTenant } from '../http/tenant.js'

const bindingCookie = 'drawbridge-browser'

type WithCookies = Pick<HttpRequest, 'cookies'>

/** `undefined`: this browser has started nothing here. */
export function browserHashOf(http: WithCookies, deps: BrokerDeps): CredentialHash | undefined {
  const handle = readHandle(http, deps, bindingCookie)
  return handle === undefined ? undefined : hashCredential(handle)
}

/** The binding that there is, or a new one with the header that sets it. One binding serves several tabs; each request has its own id. */
export function bindBrowser(
  http: WithCookies,
  deps: BrokerDeps,
): { readonly hash: CredentialHash; readonly setCookies: readonly string[] } {
  const known = browserHashOf(http, deps)
  if (known) return { hash: known, setCookies: [] }
  const handle = deps.random.token()
  return {
    hash: hashCredential(handle),
    setCookies: [setCookie(bindingCookie, handle, { publicUrl: deps.settings.publicUrl, sameSite: 'Lax' })],
  }
}

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
