/** The cookie of a browser that has opened a set-up link: a handle, and Strict, so that no other site's link or form brings it along. */
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import type { BrokerDeps } from '../deps.js'
import { setCookie } from './cookies.js'
import { type HttpRequest, tenantOf } from './endpoint.js'
import { readHandle } from './session-cookie.js'
import type { ResolvedTenant } from './tenant.js'

const cookieOf = (tenant: Pick<ResolvedTenant, 'slug'>): string => `drawbridge-setup-${tenant.slug}`

export const setSetupCookie = (deps: BrokerDeps, tenant: ResolvedTenant, handle: string): string =>
  setCookie(cookieOf(tenant), handle, { publicUrl: deps.settings.publicUrl, sameSite: 'Strict' })

/** What the cookie is kept as; it says nothing of whether its link lives. */
export function setupSessionHashOf(http: HttpRequest, deps: BrokerDeps): CredentialHash | undefined {
  const handle = readHandle(http, deps, cookieOf(tenantOf(http)))
  return handle === undefined ? undefined : hashCredential(handle)
}
