/** One issuer that the resource server trusts: an exact string bound to one tenant, its keys, and our credential at it. */
import { createIssuerKeys, type IssuerKeys } from './issuer-keys.js'

export type IssuerOptions = {
  /** Compared byte for byte; never a pattern. @spec RFC 8414 §3.3 */
  readonly issuer: string
  /** The one value of the claim `tenant` that this issuer may use. Absent: the last path segment of `https://host/t/<tenant>`. */
  readonly tenant?: string
  /** What this resource server proves itself with at the issuer's notice and introspection endpoints. */
  readonly credential: { readonly id: string; readonly secret: string }
}

export type TrustedIssuer = {
  readonly issuer: string
  readonly tenant: string
  readonly authorization: string
  /** What access tokens are signed with. */
  readonly tokenKeys: IssuerKeys
  /** What notices are signed with: a set of its own, so that no key of the one kind proves a message of the other. */
  readonly noticeKeys: IssuerKeys
}

/** `application/x-www-form-urlencoded` before Basic. @spec RFC 6749 §2.3.1 */
const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`

function tenantOf(options: IssuerOptions): string {
  const tenant = options.tenant ?? /\/t\/([^/]+)$/.exec(new URL(options.issuer).pathname)?.[1]
  if (tenant === undefined) throw new Error(`guard: say which tenant the issuer ${options.issuer} is bound to`)
  return tenant
}

function refuseInsecure(issuer: string): void {
  const url = new URL(issuer)
  const isLoopback = url.hostname === 'localhost' || url.hostname === '127.0.0.1' || url.hostname === '[::1]'
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) throw new Error(`guard: the issuer ${issuer} must use https`)
}

/** Reads one issuer from the configuration; throws at start when it cannot be trusted safely. */
export function trustIssuer(options: IssuerOptions, fetchLike: typeof fetch): TrustedIssuer {
  refuseInsecure(options.issuer)
  return {
    issuer: options.issuer,
    tenant: tenantOf(options),
    authorization: basic(options.credential.id, options.credential.secret),
    tokenKeys: createIssuerKeys(`${options.issuer}/jwks`, fetchLike),
    noticeKeys: createIssuerKeys(`${options.issuer}/ssf/jwks`, fetchLike),
  }
}

/** At once for both kinds of message; the promise is that of fetching anew what is still cached. */
export async function condemnKeys(issuer: TrustedIssuer, kids: readonly string[]): Promise<void> {
  const fetched = [issuer.tokenKeys.condemn(kids), issuer.noticeKeys.condemn(kids)]
  await Promise.all(fetched)
}
