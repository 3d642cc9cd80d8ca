/**
 * Who has proven himself to this process lately, by what he presented and at which issuer. Such a caller counts for himself and no longer for his client address, so
 * that no stranger who comes from there keeps him out.
 *
 * It decides under what a call is counted, and nothing else: each call is proven anew, and what is refused is forgotten at once. Held are hashes, of each
 * credential the latest few spellings alone: whoever writes one in ten thousand ways crowds nobody out.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { Database } from '@drawbridge/store/database'
import type { BrokerDeps } from '../deps.js'
import type { HttpRequest } from './endpoint.js'
import { createLatestUsed, type LatestUsed } from './latest-used.js'

/** A guard calls at least every half minute. */
export const provenForSeconds = 600
/** The longest unused goes first, and then counts for his address until he is proven again. */
export const mostProvenCallers = 10_000

/** In Basic and as a bearer token, from programs that encode more or less of it. */
export const mostSpellings = 4

export type Presenting = Pick<HttpRequest, 'params' | 'headers'>

type Proven = { readonly byPresented: LatestUsed<string, Instant>; readonly presentedBy: LatestUsed<string, readonly string[]> }
const byDatabase = new WeakMap<Database, Proven>()

function callersOf(database: Database): Proven {
  const known = byDatabase.get(database)
  if (known !== undefined) return known
  const limits = { most: mostProvenCallers, weight: mostProvenCallers }
  const made = { byPresented: createLatestUsed<string, Instant>(limits), presentedBy: createLatestUsed<string, readonly string[]>(limits) }
  byDatabase.set(database, made)
  return made
}

/** What he presented, hashed. The same credential may be good at one issuer and not at another. */
export const presentedKey = ({ params, headers }: Presenting): string =>
  sha256Base64url(`${params['tenant'] ?? ''} ${headers['authorization'] ?? ''}`)

/** `credentialId`: of what he presented, which can be written in several ways. */
export function noteProven({ database, clock }: BrokerDeps, caller: Presenting, credentialId: string): void {
  const { byPresented, presentedBy } = callersOf(database)
  const [key, credential] = [presentedKey(caller), `${caller.params['tenant'] ?? ''} ${credentialId}`]
  const spellings = [key, ...(presentedBy.get(credential) ?? []).filter((each) => each !== key)]
  for (const forgotten of spellings.splice(mostSpellings)) byPresented.delete(forgotten)
  presentedBy.set(credential, spellings, 1)
  byPresented.set(key, addSeconds(clock.now(), provenForSeconds), 1)
}

export const noteUnproven = ({ database }: BrokerDeps, caller: Presenting): void =>
  callersOf(database).byPresented.delete(presentedKey(caller))

export function isProvenLately({ database, clock }: BrokerDeps, caller: Presenting): boolean {
  if (caller.headers['authorization'] === undefined) return false
  const until = callersOf(database).byPresented.get(presentedKey(caller))
  return until !== undefined && clock.now() < until
}
