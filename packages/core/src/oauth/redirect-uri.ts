/**
 * Redirect URIs are compared as raw strings, before any URL parser has repaired them.
 *
 * WHATWG parsing mends line breaks, null bytes, backslashes and `https:///`; two texts that parse alike need not reach the same place.
 * The one tolerance is the port of a loopback redirect, because a native client cannot know it beforehand.
 */

export const redirectUriMaxLength = 2048

const visibleAscii = /^[\x21-\x7e]+$/
/** http on a loopback host, with everything before and after the port apart. `localhost` is tolerated because MCP clients use it. */
const loopback = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::(\d{1,5}))?((?:\/[^#]*|\?[^#]*)?)$/
const privateScheme = /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:\/[^#]*$/i

/**
 * Says whether `claimed` is one of the registered redirect URIs.
 *
 * @spec RFC 6749 §3.1.2.3 exact comparison
 * @spec RFC 8252 §7.3 any port on loopback
 * @spec RFC 9700 §4.1.3 exact string matching
 */
export function matchesRedirectUri(claimed: string, registered: readonly string[]): boolean {
  if (!isAcceptableRedirectUri(claimed)) return false
  if (registered.includes(claimed)) return true
  const target = withoutLoopbackPort(claimed)
  return target !== undefined && registered.some((uri) => withoutLoopbackPort(uri) === target)
}

function withoutLoopbackPort(uri: string): string | undefined {
  const match = loopback.exec(uri)
  if (!match || Number(match[2] ?? 1) > 65_535) return undefined
  return `${match[1]}${match[3]}`
}

/**
 * Says whether a redirect URI may be registered at all: https, loopback http, or a private scheme with a dot.
 *
 * @spec RFC 8252 §7.1 private-use schemes are reverse domain names
 * @spec RFC 6749 §3.1.2 no fragment
 */
export function isAcceptableRedirectUri(uri: string): boolean {
  if (uri.length > redirectUriMaxLength || !visibleAscii.test(uri) || /[#\\"<>`{}|^]/.test(uri)) return false
  if (uri.startsWith('https://')) return isPlainHttps(uri)
  return isLoopbackRedirect(uri) || (privateScheme.test(uri) && URL.canParse(uri))
}

function isPlainHttps(uri: string): boolean {
  const authority = uri.slice('https://'.length).split(/[/?]/, 1)[0] ?? ''
  // Userinfo would show a trusted name before the real host.
  return authority !== '' && !authority.includes('@') && URL.canParse(uri)
}

export const isLoopbackRedirect = (uri: string): boolean => withoutLoopbackPort(uri) !== undefined

const ownMachine = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\])\.?$/

/**
 * Whether what is sent there ends on the person's own machine, where any program can take it: a loopback host by whatever scheme, for a certificate
 * of `localhost` is on every machine that has the program, or a private scheme.
 *
 * @spec RFC 8252 §8.6, RFC 6761 §6.3
 */
export function isOnOwnMachine(uri: string): boolean {
  if (!URL.canParse(uri)) return true
  const { protocol, hostname } = new URL(uri)
  return (protocol !== 'https:' && protocol !== 'http:') || ownMachine.test(hostname)
}

/**
 * Says whether an acceptable redirect URI leads to a host to which one of the registered ones leads, too. Ports and paths do not count, the
 * scheme does: what is claimed by a private scheme is a program on the person's machine, whatever host its text names.
 */
export const isAtHostOf = (uri: string, registered: readonly string[]): boolean => registered.some((each) => placeOf(each) === placeOf(uri))

function placeOf(uri: string): string {
  const { protocol, hostname } = new URL(uri)
  return protocol === 'https:' || protocol === 'http:' ? `${protocol}//${hostname.replace(/\.$/, '')}` : protocol
}

/** A client all of whose redirects end on the person's own machine: any program there could pose as it, so the gates warn. */
export const isLoopbackOnly = (registered: readonly string[]): boolean => registered.length > 0 && registered.every(isLoopbackRedirect)

/** Adds response parameters to a redirect URI without touching what it already holds. RFC 6749 §4.1.2. */
export function withParameters(uri: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const added = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) added.set(name, value)
  const joint = uri.includes('?') ? (/[?&]$/.test(uri) ? '' : '&') : '?'
  return `${uri}${joint}${added.toString()}`
}
