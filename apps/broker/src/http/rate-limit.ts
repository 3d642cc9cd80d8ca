/**
 * Named leaky buckets. Each process decides at once by its own, and learns within a moment what all have spent together (`share-limits.ts`, ADR 72):
 * they keep a single source from exhausting us, and are no quota to bill by.
 */
import type { Instant } from '@drawbridge/core/instant'
import type { Clock } from '@drawbridge/runtime/clock'
import type { LimitLevel, SpentLimit } from '@drawbridge/store/shared-limits'
import { createShelf, type Shelf } from './shelf.js'

export type RateLimit = { readonly perSecond: number; readonly burst: number }

export const rateLimits = {
  /** Everything, per client address. */
  address: { perSecond: 200, burst: 1000 },
  /** Pages that start or continue a login, per client address. */
  login: { perSecond: 10, burst: 100 },
  /** What an IdP tells by itself, per address of the IdP: at the end of a day a company logs out at once. */
  signal: { perSecond: 50, burst: 1000 },
  /**
   * The same for one connection, from an address from which a signal of it was believed lately, in place of every limit of the address: whoever has the same IdP
   * call for another connection leaves it alone. More than strangers have, because he can have it call for this one, too.
   */
  signal_believed: { perSecond: 100, burst: 5000 },
  /** Signals of one connection that are believed: a sender that is told to wait sends them again, and none is lost. */
  signal_source: { perSecond: 50, burst: 2000 },
  /**
   * The same of what is signed and not believed, apart from those: whoever else hears the same transmitter can send us what it was sent, and must not
   * have revocations wait by it.
   */
  signal_refused: { perSecond: 5, burst: 200 },
  /** What a directory asks, tells of newcomers, changes, and takes away: each counted for one of its tokens, and apart from the others. */
  scim_read: { perSecond: 100, burst: 2000 },
  scim_create: { perSecond: 100, burst: 2000 },
  scim_change: { perSecond: 100, burst: 4000 },
  scim_removal: { perSecond: 100, burst: 10_000 },
  /** All of it together, for each credential that was proven lately, in place of every limit of its address: more than all of the others allow it. */
  scim_proven: { perSecond: 1000, burst: 30_000 },
  /** Newcomers who are told of as gone: whoever signed in before her directory told of her goes by it, and a directory that begins has very many. */
  scim_create_gone: { perSecond: 100, burst: 2000 },
  /**
   * The same of all directories of one company together: five times what one token may, so that one that was stolen leaves room for the others, and removals by
   * themselves here, too. A company may have hundreds of connections, and tokens of each.
   */
  scim_read_tenant: { perSecond: 500, burst: 10_000 },
  scim_create_tenant: { perSecond: 500, burst: 10_000 },
  scim_change_tenant: { perSecond: 500, burst: 20_000 },
  scim_removal_tenant: { perSecond: 500, burst: 50_000 },
  scim_create_gone_tenant: { perSecond: 500, burst: 10_000 },
  /** Answers with more members than are named, for each token: of a hundred thousand they are some twenty megabytes, held for whoever reads slowly. */
  scim_many_members: { perSecond: 1 / 2, burst: 20 },
  /** Changes that a token may not make, of which the trail has a line each: whoever has one that only reads writes no more of them, and is refused all the same. */
  scim_exceeded: { perSecond: 1, burst: 1000 },
  /** Of what may take away, per client address, in place of the limit of everything: whatever else comes from there leaves it alone. */
  scim_address: { perSecond: 200, burst: 2000 },
  /** The same of newcomers, apart from those. */
  scim_create_address: { perSecond: 200, burst: 2000 },
  /** What one key of the admin API asks, from wherever: no less than one address may, so that whoever asks from one is not held up by it. */
  admin_key: { perSecond: 200, burst: 2000 },
  /** All keys of one company together: more than one of them has, so that one that was stolen leaves room for those by which it is taken back. */
  admin_tenant: { perSecond: 400, burst: 4000 },
  /** Addresses whose groups choose a connection, per client address: who tries many would learn who is in which group. */
  group_choice: { perSecond: 2, burst: 60 },
  /** Descriptions of an IdP, claims and looks at domains, and tests, per set-up link: each has us fetch, look up or write what its holder chose. */
  setup: { perSecond: 1 / 60, burst: 20 },
  /** Devices that ask for a code, per client address: of an office, all of them. */
  device_authorization: { perSecond: 1 / 5, burst: 60 },
  /** Authorization requests that are pushed, per client address: each writes a row, and a public client proves nothing. */
  push: { perSecond: 20, burst: 400 },
  /** Metadata documents that are fetched because somebody begins an authorization, per client address: fewer at once than there are places for all. */
  client_document: { perSecond: 1 / 5, burst: 10 },
  /** Clients that describe themselves and that a tenant has not met, from wherever: each has us fetch, and write a row for a stranger. */
  tenant_client_document: { perSecond: 2, burst: 200 },
  /** Dynamic client registration writes a row for a stranger. */
  register: { perSecond: 1, burst: 20 },
  /**
   * Copies that a tenant gets of clients that registered themselves at the front, because somebody begins an authorization there, per client address and at one
   * tenant: each writes a row for a stranger, as a registration does.
   */
  client_copy: { perSecond: 1, burst: 20 },
  tenant_client_copy: { perSecond: 2, burst: 200 },
  /** Replacements of one registration that end what it holds: nobody's client needs many, and each is to be told wherever somebody has granted it something. */
  registration_barrier: { perSecond: 1 / 60, burst: 10 },
  /** Logins that begin at one tenant, from wherever: many addresses together may not starve the others' companies. What goes on or ends is not counted. */
  tenant_login: { perSecond: 200, burst: 4000 },
  /** Authorization requests that clients without a credential push at one tenant, from wherever; apart from logins, so that they take no room there. */
  tenant_push: { perSecond: 200, burst: 4000 },
  /** Dynamic registrations at one tenant, from wherever; at the front issuer too: a stranger's row makes room for others there by the same count. */
  tenant_register: { perSecond: 2, burst: 200 },
  /** Devices that ask at one tenant, from wherever: how many codes are open decides how likely a guess is. */
  tenant_device_authorization: { perSecond: 5, burst: 500 },
  /**
   * Assertions of clients for which nobody vouches, at one tenant, from wherever, before their signature is looked at: anybody registers as many as he likes, and
   * keys with them. Those for which an admin vouches are not held up.
   */
  tenant_unvouched_assertion: { perSecond: 500, burst: 10_000 },
  /** Assertions of one client whose signature holds, before each is written down as used: whoever holds the key makes as many as he likes. */
  client_assertion: { perSecond: 200, burst: 2000 },
  /** What one client that proves itself asks for tokens. A client without a credential is counted by address: its name can be anybody's. */
  client: { perSecond: 200, burst: 2000 },
  /** Tokens that clients without a credential ask for at one tenant, from wherever: nobody can tell them apart. Who proves itself is not held up by them. */
  tenant_token: { perSecond: 500, burst: 10_000 },
  /**
   * Tokens that clients ask for which have a credential and for which nobody vouches, at one tenant, from wherever, beside the limit of each: anybody
   * registers as many as he likes. Apart from those without a credential, so that neither hold up the other.
   */
  tenant_unvouched_token: { perSecond: 500, burst: 10_000 },
  /** The same of requests that they push. */
  tenant_unvouched_push: { perSecond: 200, burst: 4000 },
  /**
   * Who may be nobody: clients that this process does not remember and that would be looked up, at one tenant, from wherever. Clients at work are remembered
   * and not held up.
   */
  tenant_unproven: { perSecond: 500, burst: 10_000 },
  /**
   * The same of resource servers that ask of tokens, and of those that would hear, apart from those, and of clients that give tokens back: none is held up by
   * the others' strangers.
   */
  tenant_unproven_introspection: { perSecond: 200, burst: 4000 },
  tenant_unproven_signals: { perSecond: 200, burst: 4000 },
  tenant_unproven_revocation: { perSecond: 200, burst: 4000 },
  /** Refresh tokens, or what looks like some, that are given back at one tenant by clients for which nobody vouches: by its look nobody can tell a real one. */
  tenant_revocation: { perSecond: 200, burst: 4000 },
  /** What one client for which an admin vouches gives back: apart from what it asks for. */
  client_revocation: { perSecond: 200, burst: 2000 },
  /** How often the access tokens of one grant are given back: the first time ended it. */
  grant_revocation: { perSecond: 1, burst: 100 },
  /** Looks at registrations at one tenant, replacements and ends of them, from wherever: whether a registration access token is worth anything stands in the database. */
  tenant_registration: { perSecond: 50, burst: 1000 },
  /** What is asked of one person at userinfo, by whichever tokens of hers. */
  userinfo: { perSecond: 5, burst: 200 },
  /** What one resource server that proves itself asks of tokens. */
  introspection: { perSecond: 2000, burst: 5000 },
  /**
   * The same per client address, in place of the limit of everything, of whoever has not proven himself to this process lately: a guard that hears no notices asks
   * of every call, and all its replicas may come from one address.
   */
  introspection_address: { perSecond: 1000, burst: 5000 },
  /** Streams and polls of one resource server that proves itself, at one issuer: the guards of a large fleet ask again whenever one notice is written. */
  resource_server: { perSecond: 2000, burst: 10_000 },
  /** The same per client address, of whoever has not proven himself to this process lately. Who has counts for himself alone: a stranger may come from there, too. */
  resource_server_address: { perSecond: 200, burst: 2000 },
  /** Sets of public keys, per client address: who cannot have them believes neither tokens nor notices. */
  keys_address: { perSecond: 200, burst: 2000 },
  /** Streams that the guards of one resource server open at one issuer: all replicas of a large fleet at once, and then one now and then. Each is answered with every living barrier. */
  guard_stream: { perSecond: 5, burst: 1000 },
  /** Grants opened for one person who signs in. */
  subject: { perSecond: 1, burst: 200 },
  /** What is asked for one person who is not here, by exchanges and assertions. Apart from those: a server that asks without end does not keep her from signing in. */
  subject_unattended: { perSecond: 5, burst: 200 },
  /** Lines in the trail of what one client is refused that brings tokens of one grant which are worth nothing, or which it may not exchange. It is refused beyond them, and spends nothing of the person’s. */
  refused_subject_token: { perSecond: 1 / 60, burst: 20 },
  /**
   * At the front issuer, where it is not known yet whose a request is, or where a client of all companies asks: one bucket serves them all, so it is as large as those
   * of many. Whatever becomes known to be a tenant's is counted there as well, by the limit of the like name.
   */
  front_login: { perSecond: 2000, burst: 40_000 },
  front_push: { perSecond: 2000, burst: 40_000 },
  front_token: { perSecond: 5000, burst: 100_000 },
  front_unvouched_token: { perSecond: 5000, burst: 100_000 },
  front_unvouched_push: { perSecond: 2000, burst: 40_000 },
  /** Each may have us fetch and write a row, so that it is far less than of many beside the others. */
  front_client_document: { perSecond: 20, burst: 2000 },
  front_unproven: { perSecond: 5000, burst: 100_000 },
  front_unproven_introspection: { perSecond: 2000, burst: 40_000 },
  front_unproven_signals: { perSecond: 2000, burst: 40_000 },
  front_unproven_revocation: { perSecond: 2000, burst: 40_000 },
  front_revocation: { perSecond: 2000, burst: 40_000 },
  front_registration: { perSecond: 500, burst: 10_000 },
  front_client: { perSecond: 2000, burst: 20_000 },
  front_unvouched_assertion: { perSecond: 5000, burst: 100_000 },
  front_client_assertion: { perSecond: 2000, burst: 20_000 },
  /** Less than of many: how many codes are open at one page decides how likely a guess is. */
  front_device_authorization: { perSecond: 20, burst: 2000 },
} as const satisfies Record<string, RateLimit>
export type RateLimitName = keyof typeof rateLimits

/** Buckets kept of each limit: what is counted under one name takes no room under another. */
const mostBuckets = 20_000
/** What a process has spent of a limit is told to the others whenever it is this part of its burst: so much more may each of them let through. */
const toldPart = 1 / 16

/** Lab only: what one tenant has instead of the ordinary limit, in buckets of its own. No factor multiplies it. */
export type TenantQuota = { readonly slug: string; readonly limit: RateLimit }

export type RateLimiter = {
  /** Takes one; answers the seconds to wait when there is none. */
  take(
    name: RateLimitName,
    of: string,
    quota?: TenantQuota,
  ): { readonly allowed: true } | { readonly allowed: false; readonly retryAfterSeconds: number }
  /** What has been spent since it was last taken here, where that is enough to be told; at most `most` of them. */
  takeUntold(most: number): readonly SpentLimit[]
  /** What could not be told after all: it is told the next time. */
  putBack(spent: readonly SpentLimit[]): void
  /** What all processes had spent. */
  learn(levels: readonly LimitLevel[]): void
}

/** What was spent until `at`. `level`: what was left of it then, had nothing been spent before. */
type Spent = { readonly spent: number; readonly level: number; readonly at: Instant }

/** A leaky bucket: `level` runs off with time. `untold`: what no other process has heard of. */
type Bucket = { level: number; at: Instant; untold: Spent; limit: RateLimit }

const runOff = (level: number, { perSecond }: RateLimit, ms: number): number => Math.max(0, level - (Math.max(0, ms) / 1000) * perSecond)

/** The level when all of it was spent: what runs off does so once, whether it was spent before or in the meantime. */
const levelAfter = (before: { readonly level: number; readonly at: Instant }, then: Spent, { perSecond }: RateLimit): number =>
  Math.max(then.level, before.level + then.spent - (Math.max(0, then.at - before.at) / 1000) * perSecond)

/** Told too late, a burst says all that matters: more of it than that would have been refused. */
const join = (before: Spent, then: Spent, limit: RateLimit): Spent => ({
  spent: Math.min(limit.burst, before.spent + then.spent),
  level: levelAfter(before, then, limit),
  at: then.at,
})

const nothing = (at: Instant): Spent => ({ spent: 0, level: 0, at })

/** When all of it will have run off: from then on it says nothing that a new one would not. */
const emptiesAt = ({ at, level, limit }: Bucket): number => (level === 0 ? at : at + (level / limit.perSecond) * 1000)

/** `most`: buckets of each name. */
export function createRateLimiter(clock: Clock, factor = 1, most = mostBuckets): RateLimiter {
  const shelves = new Map<string, Shelf<Bucket>>()
  const toTell = new Set<string>()
  const shelfOf = (name: string): Shelf<Bucket> => {
    const known = shelves.get(name)
    if (known !== undefined) return known
    const made = createShelf(most, emptiesAt)
    shelves.set(name, made)
    return made
  }
  const find = (id: string): Bucket | undefined => shelves.get(id.slice(0, id.indexOf(' ')))?.get(id)
  const bucketOf = (name: RateLimitName, id: string, limit: RateLimit, now: Instant): Bucket => {
    const shelf = shelfOf(name)
    const known = shelf.get(id)
    if (known === undefined) {
      const made = { level: 0, at: now, untold: nothing(now), limit }
      const forgotten = shelf.put(id, made)
      if (forgotten !== undefined) toTell.delete(forgotten)
      return made
    }
    known.limit = limit
    known.level = runOff(known.level, limit, now - known.at)
    known.at = now
    return known
  }
  return {
    take: (name, of, quota) => {
      const { perSecond, burst } = rateLimits[name]
      const limit = quota?.limit ?? { perSecond: perSecond * factor, burst: burst * factor }
      const id = `${name} ${quota?.slug ?? ''} ${of}`
      const bucket = bucketOf(name, id, limit, clock.now())
      const missing = bucket.level + 1 - limit.burst
      if (missing > 0) return { allowed: false, retryAfterSeconds: Math.max(1, Math.ceil(missing / limit.perSecond)) }
      bucket.level += 1
      bucket.untold = join(bucket.untold, { spent: 1, level: 1, at: bucket.at }, limit)
      if (bucket.untold.spent >= limit.burst * toldPart) toTell.add(id)
      return { allowed: true }
    },
    takeUntold: (most) => {
      const told: SpentLimit[] = []
      for (const id of toTell) {
        if (told.length >= most) break
        toTell.delete(id)
        const bucket = find(id)
        if (bucket === undefined) continue
        told.push({ key: id, perSecond: bucket.limit.perSecond, ...bucket.untold })
        bucket.untold = nothing(bucket.untold.at)
      }
      return told
    },
    putBack: (spent) => {
      for (const { key, ...before } of spent) {
        const bucket = find(key)
        if (bucket === undefined) continue
        bucket.untold = join(before, bucket.untold, bucket.limit)
        toTell.add(key)
      }
    },
    learn: (levels) => {
      const now = clock.now()
      for (const { key, ...before } of levels) {
        const bucket = find(key)
        if (bucket === undefined) continue
        const at = Math.max(before.at, bucket.untold.at)
        bucket.level = runOff(levelAfter(before, bucket.untold, bucket.limit), bucket.limit, now - at)
        bucket.at = now
      }
    },
  }
}
