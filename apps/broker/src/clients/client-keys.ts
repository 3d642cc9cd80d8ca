/**
 * The keys that a client publishes at its jwks_uri, kept as HTTP says and never longer than an hour, so that a key which its publisher took
 * away dies soon.
 *
 * Everybody who waits for one address shares one fetch. What cannot be fetched, or is no set of public keys, is asked for again after a named
 * pause; nothing older is believed meanwhile. A key that is not among them may be new, or a stranger's: the address is then asked once more,
 * but never twice within a pause for the same client, so that nobody makes us ask as often as he likes. Keys that are asked for once more in
 * vain stay good for their time: else whoever forges an assertion while the address is down would shut the client out.
 *
 * One host is asked for one thing at a time, and so many hosts at once (`client-fetches.ts`): whoever comes beyond that is told to come again, and
 * waits for nobody; a client whose keys lapse at that moment goes on by them for a few minutes, so that strangers who take all places do not keep clients at work
 * out. Clients that an admin vouches for have fetches and a memory of their own, and what failed takes no room of what is good.
 */
import { addSeconds, type Instant, secondsBetween } from '@drawbridge/core/instant'
import { type Client, holdsSecretKey, isVouchedFor } from '@drawbridge/core/oauth/client'
import { documentExpiresAt } from '@drawbridge/core/oauth/document-freshness'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { FetchGate } from '@drawbridge/runtime/fetch-gate'
import { parseJsonBody } from '../http/read-body.js'
import { type ClientFetches, clientFetchesOf, clientFetchLimits, ofWayOut } from './client-fetches.js'
import { createFlights } from './single-flight.js'

export const clientKeyLimits = {
  maxBytes: 32 * 1024,
  keys: 20,
  timeoutMs: 5_000,
  mostSeconds: 3600,
  /** After a fetch that failed. */
  failurePauseSeconds: 30,
  /** Between two fetches that the same client causes by a key that is not known. */
  refetchPauseSeconds: 60,
  /** Keys that have lapsed are still good for so long where there is no place to ask for them again, and asking has not failed. */
  busyGraceSeconds: 300,
  /** What was fetched just now is not asked for anew, whoever asks. */
  youngSeconds: 5,
  /** Remembered at once, of either; the longest unused go first. Of failures as many again. */
  addresses: 1000,
  clients: 2000,
} as const

export type PublicKeys = { readonly keys: readonly Readonly<Record<string, unknown>>[] }
/** `retryAfterSeconds`: nothing can be said before that. */
export type KeysMissing = { readonly why: string; readonly retryAfterSeconds: number }
export type ClientKeys = {
  read(client: Client, uri: string, now: Instant): Answer
  /** For a key that was not among them. */
  readAgain(client: Client, uri: string, now: Instant): Answer
}

type Failure = { readonly kind: 'failed'; readonly why: string; readonly until: Instant }
type Kept =
  | {
      readonly kind: 'keys'
      readonly keys: PublicKeys
      readonly at: Instant
      readonly until: Instant
      /** They were asked for once more, in vain. */
      readonly failure?: Failure
    }
  | Failure
type Answer = Promise<Result<PublicKeys, KeysMissing>>

export const clientKeysOf = ofWayOut((fetchSafely) => createClientKeys(clientFetchesOf(fetchSafely)))

function createClientKeys(fetches: ClientFetches): ClientKeys {
  const [ofVouchedFor, ofOthers] = [createMemory(fetches.ofVouchedFor), createMemory(fetches.ofStrangers)]
  const memoryOf = (client: Client): KeyMemory => (isVouchedFor(client) ? ofVouchedFor : ofOthers)
  return {
    read: (client, uri, now) => memoryOf(client).read(uri, now),
    readAgain: (client, uri, now) => memoryOf(client).readAgain(client, uri, now),
  }
}

type KeyMemory = {
  read(uri: string, now: Instant): Answer
  readAgain(client: Client, uri: string, now: Instant): Answer
}

function createMemory(gate: FetchGate): KeyMemory {
  const kept = createKeptAnswers()
  const underWay = createFlights<Awaited<Answer>>()
  const askedAt = new Map<string, Instant>()

  const byWhatLapsed = (uri: string, now: Instant): Result<PublicKeys, KeysMissing> => {
    const known = kept.get(uri)
    const isGood = known?.kind === 'keys' && known.failure === undefined && now < addSeconds(known.until, clientKeyLimits.busyGraceSeconds)
    return isGood ? ok(known.keys) : busy(now)
  }
  const mayAsk = (uri: string): boolean => underWay.isUnderWay(uri) || gate.isOpenTo(uri)
  const ask = (uri: string, now: Instant): Answer =>
    underWay.share(uri, async () => {
      const found = await fetchKeys(gate, uri, now)
      if (found === 'busy') return byWhatLapsed(uri, now)
      kept.keep(uri, settle(kept.get(uri), found, now))
      return found.kind === 'keys' ? ok(found.keys) : missing(found, now)
    })
  const read = (uri: string, now: Instant): Answer => {
    const known = kept.get(uri)
    const lasting = known?.kind === 'keys' && known.until <= now ? known.failure : known
    if (lasting === undefined || lasting.until <= now) return mayAsk(uri) ? ask(uri, now) : Promise.resolve(byWhatLapsed(uri, now))
    kept.keep(uri, lasting)
    return Promise.resolve(lasting.kind === 'keys' ? ok(lasting.keys) : missing(lasting, now))
  }
  return {
    read,
    readAgain: (client, uri, now) => {
      const known = kept.get(uri)
      if (known?.kind !== 'keys' || now < addSeconds(known.at, clientKeyLimits.youngSeconds)) return read(uri, now)
      if (known.failure !== undefined && now < known.failure.until) return Promise.resolve(missing(known.failure, now))
      const name = `${client.tenantId}${client.issuerId}${client.id}`
      const mayAskAt = addSeconds(askedAt.get(name) ?? (0 as Instant), clientKeyLimits.refetchPauseSeconds)
      if (now < mayAskAt) return Promise.resolve(missing({ why: 'key_unknown', until: mayAskAt }, now))
      if (!mayAsk(uri)) return Promise.resolve(busy(now))
      keep(askedAt, name, now, clientKeyLimits.clients)
      return ask(uri, now)
    },
  }
}

/** Failures stand apart: whoever brings many of them about pushes nobody's good keys out. */
function createKeptAnswers() {
  const good = new Map<string, Kept>()
  const failed = new Map<string, Kept>()
  return {
    get: (uri: string): Kept | undefined => good.get(uri) ?? failed.get(uri),
    keep: (uri: string, answer: Kept): void => {
      const [into, outOf] = answer.kind === 'keys' ? [good, failed] : [failed, good]
      outOf.delete(uri)
      keep(into, uri, answer, clientKeyLimits.addresses)
    },
  }
}

/** What a failure leaves of keys that are still good: all of it. */
const settle = (known: Kept | undefined, found: Kept, now: Instant): Kept =>
  found.kind === 'failed' && known?.kind === 'keys' && now < known.until ? { ...known, failure: found } : found

const busy = (now: Instant): Result<never, KeysMissing> =>
  missing({ why: 'busy', until: addSeconds(now, clientFetchLimits.busyPauseSeconds) }, now)

function keep<Value>(map: Map<string, Value>, name: string, value: Value, most: number): void {
  map.delete(name)
  map.set(name, value)
  if (map.size > most) map.delete(map.keys().next().value as string)
}

const missing = ({ why, until }: { readonly why: string; readonly until: Instant }, now: Instant): Result<never, KeysMissing> =>
  err({ why, retryAfterSeconds: Math.max(1, secondsBetween(now, until)) })

/** @spec RFC 7591 §2 jwks_uri; RFC 7517 §8.5.1 the media type; RFC 9111 §4.2 freshness */
async function fetchKeys(gate: FetchGate, uri: string, now: Instant): Promise<Kept | 'busy'> {
  const failed = (why: string): Kept => ({ kind: 'failed', why, until: addSeconds(now, clientKeyLimits.failurePauseSeconds) })
  const { maxBytes, timeoutMs, mostSeconds } = clientKeyLimits
  const fetched = await gate.fetch(uri, { maxBytes, timeoutMs, headers: { accept: 'application/jwk-set+json, application/json' } })
  if (!fetched.ok) return fetched.error.reason === 'busy' ? 'busy' : failed(fetched.error.reason)
  const { status, headers, body } = fetched.value
  if (status !== 200) return failed('status')
  if (!/^application\/(?:[a-z0-9.-]+\+)?json\b/i.test(headers['content-type'] ?? '')) return failed('content_type')
  const parsed = parseJsonBody(body)
  const keys = parsed.ok ? readKeys(parsed.value) : undefined
  if (keys === undefined) return failed('malformed')
  if (holdsSecretKey(keys)) return failed('secret_key')
  const asHttpSays = documentExpiresAt(headers, now)
  const most = addSeconds(now, mostSeconds)
  return { kind: 'keys', keys, at: now, until: asHttpSays < most ? asHttpSays : most }
}

function readKeys(value: unknown): PublicKeys | undefined {
  const keys: unknown = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined
  if (!Array.isArray(keys) || keys.length > clientKeyLimits.keys) return undefined
  return keys.every((key) => typeof key === 'object' && key !== null && !Array.isArray(key)) ? { keys } : undefined
}
