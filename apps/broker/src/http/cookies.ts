/** Cookies: handles only, never data. `__Host-` and Secure wherever the issuer is https; plain names on loopback http. RFC 6265. */
export const cookieMaxLength = 4096

export function parseCookies(header: string | undefined): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>()
  if (header === undefined || header.length > cookieMaxLength * 4) return cookies
  for (const part of header.split(';')) {
    const at = part.indexOf('=')
    if (at < 0) continue
    const name = part.slice(0, at).trim()
    // The first wins: browsers send the more specific path first, and ours all have path /.
    if (!cookies.has(name)) cookies.set(name, part.slice(at + 1).trim())
  }
  return cookies
}

/** The name that a cookie has at this public URL. */
export const cookieName = (base: string, publicUrl: string): string => (publicUrl.startsWith('https:') ? `__Host-${base}` : base)

export type CookieOptions = {
  readonly publicUrl: string
  readonly sameSite: 'Lax' | 'Strict' | 'None'
  /** Absent: until the browser closes. 0: remove it now. */
  readonly maxAgeSeconds?: number
}

/** A whole `Set-Cookie` value. The value must be a token of ours: it is not encoded. */
export function setCookie(base: string, value: string, options: CookieOptions): string {
  const secure = options.publicUrl.startsWith('https:') ? '; Secure' : ''
  const age = options.maxAgeSeconds === undefined ? '' : `; Max-Age=${Math.max(0, Math.trunc(options.maxAgeSeconds))}`
  return `${cookieName(base, options.publicUrl)}=${value}; Path=/; HttpOnly; SameSite=${options.sameSite}${secure}${age}`
}

export const clearCookie = (base: string, publicUrl: string): string =>
  setCookie(base, '', { publicUrl, sameSite: 'Lax', maxAgeSeconds: 0 })
