/**
 * Named token buckets, one set per process. N processes let through N times as much; that is stated, not hidden: the buckets keep a
 * single source from exhausting a process, they are not a quota.
 */
import { isIPv6 } from 'node:net'
import type { Clock } from '@drawbridge/runtime/clock'
import { toWords } from '@drawbridge/runtime/special-use'

export type RateLimit = { readonly perSecond: number; readonly burst: number }

export const rateLimits = {
  /** Everything, per client address. */
  address: { perSecond: 200, burst: 1000 },
  /** Pages that start or continue a login, per client address. */
  login: { perSecond: 10, burst: 100 },
  /** What an IdP tells by itself, per address of the IdP: at the end of a day a company logs out at once. */
  signal: { perSecond: 50, burst: 1000 },
  /** Signed signals of one connection, counted once their signature holds: a sender that is told to wait sends them again, and none is lost. */
  signal_source: { perSecond: 50, burst: 2000 },
  /** What a directory asks, tells of newcomers, changes, and takes away: each counted for one of its tokens, and apart from the others. */
  scim_read: { perSecond: 100, burst: 2000 },
  scim_create: { perSecond: 100, burst: 2000 },
  scim_change: { perSecond: 100, burst: 4000 },
  scim_removal: { perSecond: 100, burst: 10_000 },
  /** Newcomers who are told of as gone: whoever signed in before her directory told of her goes by it, and a directory that begins has very many. */
  scim_create_gone: { perSecond: 100, burst: 2000 },
  /** Of what may take away, per client address, in place of the limit of everything: whatever else comes from there leaves it alone. */
  scim_address: { perSecond: 200, burst: 2000 },
  /** The same of newcomers, apart from those. */
  scim_create_address: { perSecond: 200, burst: 2000 },
  /** Addresses whose groups choose a connection, per client address: who tries many would learn who is in which group. */
  group_choice: { perSecond: 2, burst: 60 },
  /** Descriptions of an IdP, claims and looks at domains, and tests, per set-up link: each has us fetch, look up or write what its holder chose. */
  setup: { perSecond: 1 / 60, burst: 20 },
  /** Devices that ask for a code, per client address: of an office, all of them. */
  device_authorization: { perSecond: 1 / 5, burst: 60 },
  /** The same of one client of a tenant, and of one tenant, from wherever: how many codes are open decides how likely a guess is. */
  device_authorization_client: { perSecond: 2, burst: 200 },
  device_authorization_tenant: { perSecond: 5, burst: 500 },
  /** Dynamic client registration writes a row for a stranger. */
  register: { perSecond: 1, burst: 20 },
} as const satisfies Record<string, RateLimit>
export type RateLimitName = keyof typeof rateLimits

/**
 * Whom an address is counted as. One customer holds at least a /64 of IPv6 and may send from any address in it, so all of them are one;
 * an IPv4 address inside an IPv6 one is itself.
 */
function countedAs(address: string): string {
  const words = address.includes(':') && isIPv6(address) ? toWords(address.replace(/%.*$/, '')) : undefined
  if (!words) return address
  const isMapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff
  if (!isMapped) return words.slice(0, 4).join(':')
  return [6, 7].flatMap((at) => [(words[at] as number) >> 8, (words[at] as number) & 255]).join('.')
}

/** Buckets kept; when full, the oldest go, which only ever forgives. */
const mostBuckets = 50_000

/** Lab only: what one tenant has instead of the ordinary limit, in buckets of its own. No factor multiplies it. */
export type TenantQuota = { readonly slug: string; readonly limit: RateLimit }

export type RateLimiter = {
  /** Takes one; answers the seconds to wait when there is none. */
  take(
    name: RateLimitName,
    address: string,
    quota?: TenantQuota,
  ): { readonly allowed: true } | { readonly allowed: false; readonly retryAfterSeconds: number }
}

export function createRateLimiter(clock: Clock, factor = 1): RateLimiter {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return {
    take: (name, address, quota) => {
      const limit = rateLimits[name]
      const { perSecond, burst } = quota?.limit ?? { perSecond: limit.perSecond * factor, burst: limit.burst * factor }
      const now = clock.now()
      const id = `${name} ${quota?.slug ?? ''} ${countedAs(address)}`
      const bucket = buckets.get(id) ?? { tokens: burst, at: now }
      bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond)
      bucket.at = now
      const allowed = bucket.tokens >= 1
      if (allowed) bucket.tokens -= 1
      if (!buckets.has(id) && buckets.size >= mostBuckets) buckets.delete(buckets.keys().next().value as string)
      buckets.set(id, bucket)
      return allowed ? { allowed } : { allowed, retryAfterSeconds: Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond)) }
    },
  }
}
