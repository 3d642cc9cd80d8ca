/**
 * The keys by which a connection's issuer signs, kept for a while, and how a rollover is noticed.
 *
 * A token that no known key signed may come from a new key of the issuer's, or from a stranger. The keys are then fetched once more, but
 * never twice within `refetchPauseSeconds`, so that nobody makes us ask an IdP as often as he likes. A token that comes in the pause is not judged: whoever
 * sent it is told how long to wait. What anybody may send us has its own pause, so that no forged one delays a token which the issuer's own token endpoint
 * has handed to us.
 */
import { addSeconds, type Instant, secondsBetween } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { readForeignJwks } from '@drawbridge/crypto/foreign-jwks'
import type { ForeignKey } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import type { UpstreamRefusal } from '../error.js'
import { fetchJson } from './fetch-json.js'

export const issuerKeyLimits = { lifetimeSeconds: 3600, refetchPauseSeconds: 60 } as const

type Keys = readonly ForeignKey[]
type Answer = Promise<Result<Keys, UpstreamRefusal>>

/** `justFetched`: by this very call, so no newer ones can be asked for. `fetchedAt`: when they were asked for. */
export type KnownKeys = { readonly keys: Keys; readonly justFetched: boolean; readonly fetchedAt: Instant }
/** From whom we have the token: anybody, or the issuer itself, over TLS. */
export type TokenSource = 'anybody' | 'issuer'
export type NewerKeys = { readonly kind: 'keys'; readonly keys: Keys } | { readonly kind: 'wait'; readonly seconds: number }

export type IssuerKeys = {
  read(jwksUri: string, now: Instant): Promise<Result<KnownKeys, UpstreamRefusal>>
  /** The keys of this moment. `wait`: they may not be asked for yet, or did not come. */
  readAgain(jwksUri: string, source: TokenSource, now: Instant): Promise<NewerKeys>
}

const kept = new WeakMap<object, IssuerKeys>()

/** `owner`: the configuration value that names the issuer. A new version of it starts anew. */
export function issuerKeysOf(fetchSafely: FetchSafely, owner: object): IssuerKeys {
  const known = kept.get(owner)
  if (known !== undefined) return known
  const made = cachedKeys(fetchSafely)
  kept.set(owner, made)
  return made
}

type Fetched = { readonly uri: string; readonly keys: Keys; readonly at: Instant }

/** Everybody who waits shares one fetch. What cannot be fetched leaves what was fetched before, until that is too old. */
function cachedKeys(fetchSafely: FetchSafely): IssuerKeys {
  let fetched: Fetched | undefined
  let running: { readonly uri: string; readonly answer: Answer } | undefined
  const askedAt = new Map<TokenSource, Instant>()
  const ask = (uri: string, now: Instant): Answer => {
    if (running?.uri === uri) return running.answer
    const answer = fetchJwks(fetchSafely, uri).then((keys) => {
      if (keys.ok) fetched = { uri, keys: keys.value, at: now }
      if (running === mine) running = undefined
      return keys
    })
    const mine = { uri, answer }
    running = mine
    return answer
  }
  return {
    read: async (uri, now) => {
      const isFresh = fetched?.uri === uri && now < addSeconds(fetched.at, issuerKeyLimits.lifetimeSeconds)
      if (isFresh && fetched !== undefined) return ok({ keys: fetched.keys, justFetched: false, fetchedAt: fetched.at })
      askedAt.set('anybody', now)
      const answer = await ask(uri, now)
      return answer.ok ? ok({ keys: answer.value, justFetched: true, fetchedAt: now }) : answer
    },
    readAgain: async (uri, source, now) => {
      const since = askedAt.get(source)
      const mayAsk = since === undefined || now >= addSeconds(since, issuerKeyLimits.refetchPauseSeconds)
      if (mayAsk) askedAt.set(source, now)
      const answer = mayAsk || running !== undefined ? await ask(uri, now) : undefined
      if (answer?.ok === true) return { kind: 'keys', keys: answer.value }
      return { kind: 'wait', seconds: secondsLeft(askedAt.get(source) ?? now, now) }
    },
  }
}

/** Of the pause; never none, for a header that says when to come again. */
const secondsLeft = (since: Instant, now: Instant): number => Math.max(1, issuerKeyLimits.refetchPauseSeconds - secondsBetween(since, now))

async function fetchJwks(fetchSafely: FetchSafely, uri: string): Answer {
  const fetched = await fetchJson(fetchSafely, uri)
  if (!fetched.ok) return err({ reason: fetched.error === 'unreachable' ? 'upstream_fetch_failed' : 'oidc_keys_unusable' })
  const keys = readForeignJwks(fetched.value)
  return keys.ok && keys.value.length > 0 ? ok(keys.value) : err({ reason: 'oidc_keys_unusable' })
}
