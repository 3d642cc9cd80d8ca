/** The cookies of a browser's session at one tenant: a bare handle, and where an IdP needs it, one that goes along into that IdP's frames. */
import type { BrowserSessionId, CredentialHash, TenantSlug } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import type { BrokerDeps } from '../deps.js'
import { clearCookie, cookieName, setCookie } from './cookies.js'
import type { HttpRequest } from './endpoint.js'
import { sealContextOf } from './seal-context.js'
import type { ResolvedTenant } from './tenant.js'

/** The tenant's own issuer and its membership at the front have one each. */
const cookieOf = ({ issuer, slug }: ResolvedTenant, what: 'session' | 'frame'): string =>
  `drawbridge-${issuer.kind === 'tenant' ? '' : 'front-'}${what}-${slug}`
const frontSessionPrefix = 'drawbridge-front-session-'
const sessionCookie = (tenant: ResolvedTenant): string => cookieOf(tenant, 'session')
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

/** Nobody works for more companies from one browser. */
const mostFrontSessions = 20

/** The tenants of which this browser has a cookie of a session at the front, living or not. */
export function frontSessionsOf(http: Pick<HttpRequest, 'cookies'>, { settings }: BrokerDeps): readonly TenantSlug[] {
  const prefix = cookieName(frontSessionPrefix, settings.publicUrl)
  const named = [...http.cookies].filter(([name, value]) => name.startsWith(prefix) && handleShape.test(value))
  return named.slice(0, mostFrontSessions).map(([name]) => name.slice(prefix.length) as TenantSlug)
}

export const setSessionCookie = (deps: BrokerDeps, tenant: ResolvedTenant, handle: string): string =>
  setCookie(sessionCookie(tenant), handle, { publicUrl: deps.settings.publicUrl, sameSite: 'Lax' })

export const clearSessionCookie = (deps: BrokerDeps, tenant: ResolvedTenant): string =>
  clearCookie(sessionCookie(tenant), deps.settings.publicUrl)

/**
 * A frame of another site carries no Lax cookie. This one goes along, and is worth nothing but a sign-out: it holds the id of the session,
 * sealed, and nothing else here reads it. A browser that keeps cookies of others out of frames does not send it. OIDC Front-Channel Logout §4
 */
const frameCookie = (tenant: ResolvedTenant): string => cookieOf(tenant, 'frame')
const frameContext = (deps: BrokerDeps, tenant: ResolvedTenant) => sealContextOf({ deps, tenant }, 'cookies', 'frame', tenant.slug)

/** None where the world does not reach us over TLS: browsers refuse SameSite=None there. */
export function setFrameCookie(deps: BrokerDeps, tenant: ResolvedTenant, session: BrowserSessionId): readonly string[] {
  const { publicUrl } = deps.settings
  if (!publicUrl.startsWith('https:')) return []
  const sealed = deps.sealer.seal(Buffer.from(session, 'utf8'), frameContext(deps, tenant))
  return [setCookie(frameCookie(tenant), sealed.toString('base64url'), { publicUrl, sameSite: 'None' })]
}

export function framedSessionOf(
  http: Pick<HttpRequest, 'cookies'>,
  deps: BrokerDeps,
  tenant: ResolvedTenant,
): BrowserSessionId | undefined {
  const value = http.cookies.get(cookieName(frameCookie(tenant), deps.settings.publicUrl))
  const opened = value === undefined ? undefined : deps.sealer.open(Buffer.from(value, 'base64url'), frameContext(deps, tenant))
  return opened?.ok ? (opened.value.toString('utf8') as BrowserSessionId) : undefined
}
