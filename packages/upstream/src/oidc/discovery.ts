/** The discovery document of a connection's issuer: fetched once, shared by everybody who waits, kept until it expires. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { err, type Result } from '@drawbridge/core/result'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import type { OidcConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { discoveryUrlOf } from './configuration.js'
import { fetchJson } from './fetch-json.js'
import { judgeProviderDocument, type ProviderMetadata, readProviderDocument } from './provider-metadata.js'

export const discoveryLifetimeSeconds = 3600

export type Discovery = (now: Instant) => Promise<Result<ProviderMetadata, UpstreamRefusal>>

const discoveries = new WeakMap<OidcConnection, Discovery>()

/** One discovery per configuration value, however often its connector is made. */
export function discoveryOf(fetchSafely: FetchSafely, connection: OidcConnection): Discovery {
  const known = discoveries.get(connection)
  if (known !== undefined) return known
  const made = cachedDiscovery(fetchSafely, connection)
  discoveries.set(connection, made)
  return made
}

/** Failures are not kept: the next login tries again. */
function cachedDiscovery(fetchSafely: FetchSafely, connection: OidcConnection): Discovery {
  let kept: { readonly answer: ReturnType<Discovery>; readonly expiresAt: Instant } | undefined
  return (now) => {
    if (kept !== undefined && now < kept.expiresAt) return kept.answer
    const mine = { answer: discover(fetchSafely, connection), expiresAt: addSeconds(now, discoveryLifetimeSeconds) }
    kept = mine
    return mine.answer.then((answer) => {
      if (!answer.ok && kept === mine) kept = undefined
      return answer
    })
  }
}

async function discover(fetchSafely: FetchSafely, connection: OidcConnection): ReturnType<Discovery> {
  const fetched = await fetchJson(fetchSafely, discoveryUrlOf(connection))
  if (!fetched.ok) return err({ reason: fetched.error === 'unreachable' ? 'upstream_fetch_failed' : 'oidc_discovery_failed' })
  const document = readProviderDocument(fetched.value)
  return document.ok ? judgeProviderDocument(document.value, connection.issuer) : document
}
