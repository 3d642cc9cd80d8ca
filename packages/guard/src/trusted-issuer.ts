/** One issuer that the resource server trusts: an exact string bound to one tenant, or the front issuer of all of them, its keys, and our credential at it. */
import { createIssuerKeys, type IssuerKeys } from './issuer-keys.js'

export type IssuerOptions = {
  /** Compared byte for byte; never a pattern. @spec RFC 8414 §3.3 */
  readonly issuer: string
  /** The one value of the claim `tenant` that this issuer may use. Absent: the last path segment of `https://host/t/<tenant>`. */
  readonly tenant?: string
  /**
   * It is the front issuer, `https://host`, which speaks for every tenant: each of its tokens says for which, and whoever serves it has to keep them apart
   * by that (`VerifiedToken.tenant`). Never together with `tenant`.
   */
  readonly front?: true
  /** What this resource server proves itself with at the issuer's notice and introspection endpoints. */
  readonly credential: { readonly id: string; readonly secret: string }
}

export type TrustedIssuer = {
  readonly issuer: string
  /** The one that it speaks for. `undefined`: it is the front issuer, and each message says for which. */
  readonly tenant: string | undefined
  readonly authorization: string
  /** What access tokens are signed with. */
  readonly tokenKeys: IssuerKeys
  /** What notices are signed with: a set of its own, so that no key of the one kind proves a message of the other. */
  readonly noticeKeys: IssuerKeys
}

/** `application/x-www-form-urlencoded` before Basic. @spec RFC 6749 §2.3.1 */
const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`

function tenantOf(options: IssuerOptions): string | undefined {
  if (options.front === true && options.tenant !== undefined)
    throw new Error(`guard: the issuer ${options.issuer} speaks for one tenant or is the front issuer, not both`)
  if (options.front === true) return undefined
  const tenant = options.tenant ?? /\/t\/([^/]+)$/.exec(new URL(options.issuer).pathname)?.[1]
  if (tenant === undefined)
    throw new Error(`guard: say which tenant the issuer ${options.issuer} is bound to, or that it is the front issuer`)
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

const tenantName = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** For which tenant a message of this issuer speaks, by what it claims; `undefined`: for none that it may speak for. */
export function tenantSpokenFor({ tenant }: TrustedIssuer, claimed: unknown): string | undefined {
  if (typeof claimed !== 'string') return undefined
  return (tenant === undefined ? tenantName.test(claimed) : claimed === tenant) ? claimed : undefined
}

/** Of both kinds, for a clock that went back: the age of what is cached was measured by it. */
export function forgetKeys({ tokenKeys, noticeKeys }: TrustedIssuer): void {
  tokenKeys.forget()
  noticeKeys.forget()
}

/** At once for both kinds of message; the promise is that of fetching anew what is still cached. */
export async function condemnKeys(issuer: TrustedIssuer, kids: readonly string[]): Promise<void> {
  const fetched = [issuer.tokenKeys.condemn(kids), issuer.noticeKeys.condemn(kids)]
  await Promise.all(fetched)
}
