/** The cookie of a browser's session at one tenant: a bare handle. */
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import type { BrokerDeps } from '../deps.js'
import { clearCookie, cookieName, setCookie } from './cookies.js'
import type { HttpRequest } from './endpoint.js'
import type { ResolvedTenant } from './tenant.js'

const sessionCookie = (tenant: ResolvedTenant): string => `drawbridge-session-${tenant.slug}`
const handleShape = /^[A-Za-z0-9_-]{43}$/

/** The handle in a cookie of ours, if it has the shape of one. */
export function readHandle(http: Pick<HttpRequest, 'cookies'>, deps: BrokerDeps, base: string): string | undefined {
  const value = http.cookies.get(cookieName(base, deps.settings.publicUrl))
  return value !== undefined && handleShape.test(value) ? value : undefined
}

export function sessionHandleOf(http: Pick<HttpRequest, 'cookies'>, deps: BrokerDeps, tenant: ResolvedTenant): CredentialHash | undefined {
  const handle = readHandle(http, deps, sessionCookie(tenant))
  return handle === undefined ? undefined : hashCredential(handle)
}

export const setSessionCookie = (deps: BrokerDeps, tenant: ResolvedTenant, handle: string): string =>
  setCookie(sessionCookie(tenant), handle, { publicUrl: deps.settings.publicUrl, sameSite: 'Lax' })

export const clearSessionCookie = (deps: BrokerDeps, tenant: ResolvedTenant): string =>
  clearCookie(sessionCookie(tenant), deps.settings.publicUrl)
