/** The cookie that binds a browser to what it started: a bare handle. One binding serves several tabs; each request has its own id. */
import type { CredentialHash } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import type { BrokerDeps } from '../deps.js'
import { setCookie } from './cookies.js'
import type { HttpRequest } from './endpoint.js'
import { readHandle } from './session-cookie.js'

const bindingCookie = 'drawbridge-browser'

type WithCookies = Pick<HttpRequest, 'cookies'>

/** `undefined`: this browser has started nothing here. */
export function browserHashOf(http: WithCookies, deps: BrokerDeps): CredentialHash | undefined {
  const handle = readHandle(http, deps, bindingCookie)
  return handle === undefined ? undefined : hashCredential(handle)
}

/** The binding that there is, or a new one with the header that sets it. */
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
