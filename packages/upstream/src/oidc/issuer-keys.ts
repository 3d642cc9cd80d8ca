/**
 * The keys by which a connection's issuer signs, kept for a while, and how a rollover is noticed.
 *
 * A token that no known key signed may come from a new key of the issuer's, or from a stranger. The keys are then fetched once more, but
 * never twice within `refetchPauseSeconds`, so that nobody makes us ask an IdP as often as he likes. Whoever forges a token right before a
 * rollover can delay that rollover by so long, and no longer.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { readForeignJwks } from '@drawbridge/crypto/foreign-jwks'
import type { ForeignKey } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import type { OidcConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { fetchJson } from './fetch-json.js'

export const issuerKeyLimits = { lifetimeSeconds: 3600, refetchPauseSeconds: 60 } as const

type Keys = readonly ForeignKey[]
type Answer = Promise<Result<Keys, UpstreamRefusal>>

export type IssuerKeys = {
  read(jwksUri: string, now: Instant): Answer
  /** Newer keys than those last read; undefined: none may be asked for yet, or none came. */
  readAgain(jwksUri: string, now: Instant): Promise<Keys | undefined>
}

const kept = new WeakMap<OidcConnection, IssuerKeys>()

export function issuerKeysOf(fetchSafely: FetchSafely, connection: OidcConnection): IssuerKeys {
  const known = kept.get(connection)
  if (known !== undefined) return known
  const made = cachedKeys(fetchSafely)
  kept.set(connection, made)
  return made
}

type Fetched = { readonly uri: string; readonly keys: Keys; readonly at: Instant }

/** Everybody who waits shares one fetch. What cannot be fetched leaves what was fetched before, until that is too old. */
function cachedKeys(fetchSafely: FetchSafely): IssuerKeys {
  let fetched: Fetched | undefined
  let running: { readonly uri: string; readonly answer: Answer } | undefined
  let askedAt: Instant | undefined
  const ask = (uri: string, now: Instant): Answer => {
    if (running?.uri === uri) return running.answer
    askedAt = now
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
      return isFresh && fetched !== undefined ? ok(fetched.keys) : ask(uri, now)
    },
    readAgain: async (uri, now) => {
      const mayAsk = askedAt === undefined || now >= addSeconds(askedAt, issuerKeyLimits.refetchPauseSeconds)
      const answer = mayAsk || running !== undefined ? await ask(uri, now) : undefined
      return answer?.ok === true ? answer.value : undefined
    },
  }
}

async function fetchJwks(fetchSafely: FetchSafely, uri: string): Answer {
  const fetched = await fetchJson(fetchSafely, uri)
  if (!fetched.ok) return err({ reason: fetched.error === 'unreachable' ? 'upstream_fetch_failed' : 'oidc_keys_unusable' })
  const keys = readForeignJwks(fetched.value)
  return keys.ok && keys.value.length > 0 ? ok(keys.value) : err({ reason: 'oidc_keys_unusable' })
}
