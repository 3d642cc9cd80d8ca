/** What an e-mail address is to us: a text whose domain may belong to somebody. It is never the key of a person. */
import { type DomainName, domainAndParents, parseDomainName } from '../tenant/domain-name.js'
import { type ClaimValue, connectionOfPerson, type NormalizedIdentity } from './normalized-identity.js'

export type EmailAddress = {
  /** As it is compared: whole, in lower case, its domain in A-labels. */
  readonly key: string
  readonly domain: DomainName
}

const addressCharacters = 320

/** `undefined`: no address. What is in quotes before the last @ is part of the mailbox. @spec RFC 5321 §4.1.2 */
export function parseEmailAddress(text: string): EmailAddress | undefined {
  const address = text.trim()
  const at = address.lastIndexOf('@')
  if (at < 1 || address.length > addressCharacters) return undefined
  const domain = parseDomainName(address.slice(at + 1))
  return domain === undefined ? undefined : { key: `${address.slice(0, at).toLowerCase()}@${domain}`, domain }
}

/** One @, and nothing that quotes, separates, breaks a line or cannot be seen. */
const plain = /^[^\s@"(),:;<>[\\\]\p{C}]+@[^\s@\p{C}]+$/u

/**
 * Whether everybody reads the same one address in it. We go by the last @, clients by the first or by a comma: an address that says another
 * company's domain to them must not be called verified for the sake of the one that it says to us.
 */
export const isPlainAddress = (text: string): boolean => plain.test(text.trim()) && parseEmailAddress(text) !== undefined

/** Claims in which a reader looks for an address. */
export const addressClaims: readonly string[] = ['email', 'preferred_username']

/** Every address that a login claims, by its claims, its ids and the value of its link key. Longer lists than a login has reason to send are cut by the mapping. */
export function claimedAddresses(
  claims: ReadonlyMap<string, ClaimValue>,
  ...ids: readonly (string | undefined)[]
): readonly EmailAddress[] {
  const values = [...addressClaims.map((name) => claims.get(name)), ...ids]
  const texts = values.flatMap((value) => (typeof value === 'string' ? [value] : Array.isArray(value) ? (value as readonly string[]) : []))
  return texts.flatMap((text) => parseEmailAddress(text) ?? [])
}

/** Every domain that those addresses lie in or below, each with the number of its address: what the statement looks the owners up by. */
export const domainsOfAddresses = (
  addresses: readonly EmailAddress[],
): readonly { readonly domain: DomainName; readonly address: number }[] =>
  addresses.flatMap(({ domain }, address) => domainAndParents(domain).map((parent) => ({ domain: parent, address })))

/** A domain as a tenant has it. */
export type TenantDomain = { readonly domain: string; readonly connectionId: string | undefined; readonly verified: boolean }

/**
 * Whether an address may be called verified: the tenant holds a live proof of exactly its domain, and has not bound the domain to another
 * connection, so that a second IdP of the company cannot speak for the first one's people.
 */
export function isVerifiedAddress(value: ClaimValue | undefined, connectionId: string, domains: readonly TenantDomain[]): boolean {
  const address = typeof value === 'string' ? parseEmailAddress(value) : undefined
  const own = address && domains.find((candidate) => candidate.verified && candidate.domain === address.domain)
  return own !== undefined && (own.connectionId === undefined || own.connectionId === connectionId)
}

/**
 * The identity as policy and tokens may see it: with our own word on its address. What the IdP says of that never counts, and it is said
 * anew at each decision, so that a proof which has lapsed since is not believed any more.
 */
export function withVerifiedAddress(identity: NormalizedIdentity, domains: readonly TenantDomain[]): NormalizedIdentity {
  const email = identity.claims.get('email')
  const claims = new Map(identity.claims)
  claims.delete('email_verified')
  if (email !== undefined) claims.set('email_verified', isVerifiedAddress(email, connectionOfPerson(identity), domains))
  // Of an address that nobody knows, nobody knows whether it is verified.
  const { unknownClaims } = identity
  return unknownClaims?.has('email')
    ? { ...identity, claims, unknownClaims: new Set([...unknownClaims, 'email_verified']) }
    : { ...identity, claims }
}
