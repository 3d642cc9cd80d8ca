/** The cookies of one browser, by the rules that a login flow leans on: host, path, Secure, SameSite, prefixes and expiry. */

type Cookie = {
  readonly name: string
  readonly value: string
  readonly host: string
  readonly isHostOnly: boolean
  readonly path: string
  readonly isSecure: boolean
  readonly sameSite: 'strict' | 'lax' | 'none'
  readonly expiresMs: number
}

/** What a request is, as far as SameSite is concerned. */
export type Navigation = {
  readonly method: string /** The page that caused it; `undefined`: typed by the person. */
  readonly initiator: URL | undefined
}

export type CookieJar = {
  keep(setCookies: readonly string[], from: URL): void
  header(to: URL, navigation: Navigation): string
  /** Everything that a visit to this address would send, for a test to look at. */
  at(url: URL): ReadonlyMap<string, string>
}

const maxCookies = 300

/** @spec RFC 6265 §5.3 §5.4, RFC 6265bis (SameSite, prefixes) */
export function createCookieJar(now: () => number = Date.now): CookieJar {
  let cookies: readonly Cookie[] = []
  const matching = (to: URL, navigation: Navigation) =>
    cookies
      .filter((cookie) => cookie.expiresMs > now() && hostMatches(cookie, to) && pathMatches(cookie.path, to.pathname))
      .filter((cookie) => (!cookie.isSecure || isTrustworthy(to)) && sameSiteAllows(cookie, to, navigation))
      .sort((one, other) => other.path.length - one.path.length)
  return {
    keep: (setCookies, from) => {
      for (const line of setCookies) {
        const cookie = parseSetCookie(line, from, now())
        if (cookie === undefined) continue
        const others = cookies.filter((other) => other.name !== cookie.name || other.host !== cookie.host || other.path !== cookie.path)
        cookies = [...others, cookie].slice(-maxCookies)
      }
    },
    header: (to, navigation) =>
      matching(to, navigation)
        .map((cookie) => `${cookie.name}=${cookie.value}`)
        .join('; '),
    at: (url) => new Map(matching(url, { method: 'GET', initiator: undefined }).map((cookie) => [cookie.name, cookie.value])),
  }
}

/** `undefined`: a browser would not keep it. */
function parseSetCookie(line: string, from: URL, nowMs: number): Cookie | undefined {
  const [pair = '', ...rest] = line.split(';')
  const equals = pair.indexOf('=')
  if (equals < 1) return undefined
  const attributes = new Map(
    rest.map((text): [string, string] => {
      const at = text.indexOf('=')
      return at < 0 ? [text.trim().toLowerCase(), ''] : [text.slice(0, at).trim().toLowerCase(), text.slice(at + 1).trim()]
    }),
  )
  const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase()
  const path = attributes.get('path')
  const cookie: Cookie = {
    name: pair.slice(0, equals).trim(),
    value: pair.slice(equals + 1).trim(),
    host: domain === undefined || domain === '' ? from.hostname : domain,
    isHostOnly: domain === undefined || domain === '',
    path: path?.startsWith('/') === true ? path : defaultPath(from.pathname),
    isSecure: attributes.has('secure'),
    sameSite: sameSiteOf(attributes.get('samesite')),
    expiresMs: expiry(attributes, nowMs),
  }
  return isKept(cookie, from, domain, path) ? cookie : undefined
}

function isKept(cookie: Cookie, from: URL, domain: string | undefined, path: string | undefined): boolean {
  if (cookie.isSecure && !isTrustworthy(from)) return false
  if (cookie.sameSite === 'none' && !cookie.isSecure) return false
  if (!cookie.isHostOnly && !(hostMatches(cookie, from) && cookie.host.includes('.'))) return false
  if (cookie.name.startsWith('__Secure-') && !cookie.isSecure) return false
  if (cookie.name.startsWith('__Host-')) return cookie.isSecure && path === '/' && domain === undefined
  return true
}

function sameSiteOf(value: string | undefined): Cookie['sameSite'] {
  const lower = value?.toLowerCase()
  return lower === 'strict' || lower === 'none' ? lower : 'lax'
}

function expiry(attributes: ReadonlyMap<string, string>, nowMs: number): number {
  const maxAge = attributes.get('max-age')
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return nowMs + Number(maxAge) * 1000
  const expires = Date.parse(attributes.get('expires') ?? '')
  return Number.isNaN(expires) ? Number.POSITIVE_INFINITY : expires
}

function defaultPath(pathname: string): string {
  const last = pathname.lastIndexOf('/')
  return last <= 0 ? '/' : pathname.slice(0, last)
}

function hostMatches(cookie: Cookie, url: URL): boolean {
  return url.hostname === cookie.host || (!cookie.isHostOnly && url.hostname.endsWith(`.${cookie.host}`))
}

function pathMatches(cookiePath: string, pathname: string): boolean {
  if (pathname === cookiePath) return true
  return pathname.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`)
}

function sameSiteAllows(cookie: Cookie, to: URL, navigation: Navigation): boolean {
  if (cookie.sameSite === 'none' || navigation.initiator === undefined || siteOf(navigation.initiator) === siteOf(to)) return true
  return cookie.sameSite === 'lax' && navigation.method === 'GET'
}

/** Scheme and registrable domain, taken as the last two labels: right for the hosts of a desk, not for `co.uk`. */
export function siteOf(url: URL): string {
  const isAddress = /^[\d.]+$|^\[/.test(url.hostname)
  return `${url.protocol}//${isAddress ? url.hostname : url.hostname.split('.').slice(-2).join('.')}`
}

/** Browsers take loopback for secure. */
function isTrustworthy(url: URL): boolean {
  return (
    url.protocol === 'https:' ||
    url.hostname === 'localhost' ||
    url.hostname.endsWith('.localhost') ||
    url.hostname.startsWith('127.') ||
    url.hostname === '[::1]'
  )
}
