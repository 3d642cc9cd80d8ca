/** Headers that every answer carries, whatever it is. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
}

/** Only where the world reaches us over https; a year, as RFC 6797 §6.1.1 suggests. */
export const transportSecurity = (publicUrl: string): Readonly<Record<string, string>> =>
  publicUrl.startsWith('https:') ? { 'strict-transport-security': 'max-age=31536000' } : {}

/** What is not a page loads nothing and is framed nowhere. */
export const barePolicy = "default-src 'none'; frame-ancestors 'none'"

/** For what a stranger made: opened by itself it is of no origin, and runs nothing. */
export const sandboxPolicy = `${barePolicy}; sandbox`

/** The same for what one origin may frame. Whatever is no origin frames nothing. */
export const framedPolicy = (origin: string): string =>
  /^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?$/.test(origin) ? `default-src 'none'; frame-ancestors ${origin}` : barePolicy
