/**
 * How a policy may write the host of a client: exactly as it stands in an address that was read, or it would never match, and a deny that never
 * matches protects nobody.
 *
 * @spec WHATWG URL, host parsing: names are in ASCII and small letters, addresses have one form
 */

/** A private-scheme URI is at no host; its scheme stands for it, as `com.example.app:`. */
const privateScheme = /^[a-z][a-z0-9+.-]*:$/i

function isHost(text: string): boolean {
  if (text.includes('*') || text.endsWith('.')) return false
  const url = `https://${text}/`
  return URL.canParse(url) && new URL(url).hostname === text.toLowerCase()
}

/** What can be the host of a client. */
export const isHostName = (text: string): boolean => privateScheme.test(text) || isHost(text)

/** One of these, or every host below one. */
export const isHostPattern = (text: string): boolean => (text.startsWith('*.') ? isHost(text.slice(2)) : isHostName(text))
