/** Names of e-mail domains in the one form in which they are compared: lower-case A-labels. */
import type { Brand } from '../brand.js'

export type DomainName = Brand<string, 'DomainName'>

const domainCharacters = 253
const shape = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * `undefined`: no domain name. What a URL parser would take for anything else than a host is refused before it is asked, and an IP
 * address is no domain.
 *
 * @spec RFC 5891 §4.4 A-labels; RFC 1035 §2.3.4 sizes
 */
export function parseDomainName(text: string): DomainName | undefined {
  const name = text.trim().replace(/\.$/, '')
  if (name === '' || name.length > domainCharacters || /[\s/\\@:?#%[\]<>^|]|\p{Cc}/u.test(name)) return undefined
  try {
    const host = new URL(`http://${name}`).hostname
    return host.length <= domainCharacters && shape.test(host) ? (host as DomainName) : undefined
  } catch {
    return undefined
  }
}

/** The domain and all that it lies below, the longest first. The top-level domain alone belongs to nobody. */
export function domainAndParents(domain: DomainName): readonly DomainName[] {
  const labels = domain.split('.')
  return labels.slice(0, -1).map((_, index) => labels.slice(index).join('.') as DomainName)
}
