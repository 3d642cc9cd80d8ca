/** The issuer's discovery document as a library configuration: fetched once, shared by everybody who waits, kept until it expires. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import * as client from 'openid-client'
import { isSecureUrl, type OidcConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'

export const discoveryLimits = { lifetimeSeconds: 3600, maxBytes: 512 * 1024, timeoutMs: 10_000 } as const

/** Time is judged by `id-token-rules` with our own clock, so the library's clock must never be the one that refuses. */
const noTimeLimitSeconds = 100 * 365 * 86_400

export type Discovery = (now: Instant) => Promise<Result<client.Configuration, UpstreamRefusal>>

const discoveries = new WeakMap<OidcConnection, Discovery>()

/** One discovery per configuration value, however often its connector is made. */
export function discoveryOf(fetchSafely: FetchSafely, connection: OidcConnection, secret: Secret | undefined): Discovery {
  const known = discoveries.get(connection)
  if (known !== undefined) return known
  const made = cachedDiscovery(fetchSafely, connection, secret)
  discoveries.set(connection, made)
  return made
}

/** Failures are not kept: the next login tries again. */
function cachedDiscovery(fetchSafely: FetchSafely, connection: OidcConnection, secret: Secret | undefined): Discovery {
  let kept: { readonly answer: Promise<Result<client.Configuration, UpstreamRefusal>>; readonly expiresAt: Instant } | undefined
  return (now) => {
    if (kept !== undefined && now < kept.expiresAt) return kept.answer
    const mine = { answer: discover(fetchSafely, connection, secret), expiresAt: addSeconds(now, discoveryLimits.lifetimeSeconds) }
    kept = mine
    return mine.answer.then((answer) => {
      if (!answer.ok && kept === mine) kept = undefined
      return answer
    })
  }
}

/** @spec OIDC Discovery §4.3 the issuer is compared byte for byte, trailing slash included */
async function discover(
  fetchSafely: FetchSafely,
  connection: OidcConnection,
  secret: Secret | undefined,
): Promise<Result<client.Configuration, UpstreamRefusal>> {
  const isLoopback = new URL(connection.issuer).protocol === 'http:'
  try {
    const configuration = await client.discovery(
      new URL(connection.issuer),
      connection.clientId,
      { [client.clockTolerance]: noTimeLimitSeconds },
      clientAuthentication(connection, secret),
      {
        [client.customFetch]: fetchThrough(fetchSafely),
        execute: [client.enableNonRepudiationChecks, ...(isLoopback ? [client.allowInsecureRequests] : [])],
      },
    )
    if (configuration.serverMetadata().issuer !== connection.issuer) return err({ reason: 'oidc_issuer_mismatch' })
    const { authorization_endpoint: authorization, token_endpoint: token } = configuration.serverMetadata()
    // The browser is sent to the one and our secret to the other, so neither may be anything but a proper URL.
    if (!isSecureUrl(authorization ?? '') || !isSecureUrl(token ?? ''))
      return err({ reason: 'oidc_discovery_failed', detail: { member: 'endpoint' } })
    return ok(configuration)
  } catch (cause) {
    return err(
      cause instanceof FetchFailed || (cause as Error).cause instanceof FetchFailed
        ? { reason: 'upstream_fetch_failed' }
        : { reason: 'oidc_discovery_failed' },
    )
  }
}

function clientAuthentication(connection: OidcConnection, secret: Secret | undefined): client.ClientAuth {
  const method = connection.clientAuthentication ?? (secret === undefined ? 'none' : 'client_secret_basic')
  if (method === 'none' || secret === undefined) return client.None()
  return method === 'client_secret_post' ? client.ClientSecretPost(secret.reveal()) : client.ClientSecretBasic(secret.reveal())
}

/** Thrown through the library, which knows no refusals by value; caught again by whoever called it. */
export class FetchFailed extends Error {}

const bodyless: readonly number[] = [204, 205, 304]

/** The library's fetch, led through the one safe way out: no redirects, pinned addresses, bounded time and size. */
const fetchThrough =
  (fetchSafely: FetchSafely): client.CustomFetch =>
  async (url, { method, headers, body }) => {
    const { maxBytes, timeoutMs } = discoveryLimits
    const text = body instanceof URLSearchParams ? body.toString() : undefined
    const options = {
      method: method === 'POST' ? ('POST' as const) : ('GET' as const),
      headers: Object.fromEntries(new Headers(headers)),
      maxBytes,
      timeoutMs,
    }
    const answer = await fetchSafely(url, text === undefined ? options : { ...options, body: text })
    if (!answer.ok) throw new FetchFailed('the safe fetch refused or failed')
    const { status, headers: received } = answer.value
    const type = received['content-type']
    return new Response(bodyless.includes(status) ? null : new Uint8Array(answer.value.body), {
      status,
      headers: type === undefined ? {} : { 'content-type': type },
    })
  }
