/**
 * What openid-client does for us: the URL that the browser takes, the redemption of a code and userinfo, each over the safe way out.
 *
 * It is given no discovery and no keys. The ID token is taken out of the token endpoint's answer before it reads that: `id-token` is the
 * one place where an ID token is judged, and the library knows neither our clock nor an issuer with a placeholder.
 */
import type { Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import * as client from 'openid-client'
import type { UpstreamRefusal } from '../error.js'
import type { Code } from './authorization-answer.js'
import { type ClientProof, clientAuthentication } from './client-authentication.js'
import { plainCode, refusalOfError } from './error-answer.js'
import { jsonLimits } from './fetch-json.js'
import type { ProviderMetadata } from './provider-metadata.js'

export type ProviderClient = {
  readonly configuration: client.Configuration
  /** The ID token of the last token answer. A client lives for one login. */
  readonly idToken: () => string | undefined
}

export type ProviderClientDeps = ClientProof & {
  readonly fetchSafely: FetchSafely
  readonly provider: ProviderMetadata
  readonly now: Instant
}

export function createProviderClient(deps: ProviderClientDeps): Result<ProviderClient, UpstreamRefusal> {
  const authentication = clientAuthentication(deps)
  if (!authentication.ok) return authentication
  const { issuer, authorizationEndpoint, tokenEndpoint, userinfoEndpoint } = deps.provider
  const server = {
    issuer,
    authorization_endpoint: authorizationEndpoint,
    token_endpoint: tokenEndpoint,
    ...(userinfoEndpoint !== undefined && { userinfo_endpoint: userinfoEndpoint }),
  }
  const configuration = new client.Configuration(server, deps.connection.clientId, undefined, authentication.value)
  let idToken: string | undefined
  configuration[client.customFetch] = fetchThrough(deps.fetchSafely, (taken) => {
    idToken = taken
  })
  // Which addresses may speak plain http is the safe fetch's to say: the loopback of a desk, and nothing else.
  client.allowInsecureRequests(configuration)
  return ok({ configuration, idToken: () => idToken })
}

export type Redeemed = { readonly idToken: string; readonly accessToken: string }

/** @spec RFC 6749 §4.1.3, RFC 7636 §4.5 */
export async function redeemCode(
  provider: ProviderClient,
  { code, state }: Code,
  { callbackUrl, verifier }: { callbackUrl: string; verifier: string },
): Promise<Result<Redeemed, UpstreamRefusal>> {
  const current = new URL(callbackUrl)
  current.searchParams.set('code', code)
  current.searchParams.set('state', state)
  try {
    const checks = { pkceCodeVerifier: verifier, expectedState: state }
    const tokens = await client.authorizationCodeGrant(provider.configuration, current, checks)
    const idToken = provider.idToken()
    return idToken === undefined
      ? err({ reason: 'oidc_id_token_refused', detail: { rule: 'missing' } })
      : ok({ idToken, accessToken: tokens.access_token })
  } catch (cause) {
    return err(refusalOfThrown(cause))
  }
}

/** The library throws; what it threw becomes a line of our catalogue. */
export function refusalOfThrown(cause: unknown): UpstreamRefusal {
  if (cause instanceof FetchFailed || (cause instanceof Error && cause.cause instanceof FetchFailed))
    return { reason: 'upstream_fetch_failed' }
  if (cause instanceof client.ResponseBodyError) {
    const { error, error_description: description, status } = cause
    return refusalOfError({ error, description, status }, 'oidc_code_refused')
  }
  if (cause instanceof client.WWWAuthenticateChallengeError) return { reason: 'oidc_client_refused', detail: { status: cause.status } }
  const code = cause instanceof Error && 'code' in cause ? plainCode(cause.code) : 'other'
  return { reason: 'oidc_token_answer_malformed', detail: { rule: code } }
}

/** `undefined`: it failed, or speaks about somebody else. OIDC Core §5.3.2 */
export async function fetchUserinfo(
  { configuration }: ProviderClient,
  accessToken: string,
  sub: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    return await client.fetchUserInfo(configuration, accessToken, sub)
  } catch {
    return undefined
  }
}

/** Thrown through the library, which knows no refusals by value; caught again by whoever called it. */
class FetchFailed extends Error {}

const bodyless: readonly number[] = [204, 205, 304]

/** The library's fetch, led through the one safe way out: no redirects, pinned addresses, bounded time and size. */
const fetchThrough =
  (fetchSafely: FetchSafely, takeIdToken: (idToken: string | undefined) => void): client.CustomFetch =>
  async (url, { method, headers, body }) => {
    const text = body instanceof URLSearchParams ? body.toString() : undefined
    const asked = { method: method === 'POST' ? ('POST' as const) : ('GET' as const), headers: Object.fromEntries(new Headers(headers)) }
    const answer = await fetchSafely(url, { ...asked, ...jsonLimits, ...(text !== undefined && { body: text }) })
    if (!answer.ok) throw new FetchFailed('the safe fetch refused or failed')
    const { status, headers: received } = answer.value
    const kept = method === 'POST' && status === 200 ? withoutIdToken(answer.value.body, takeIdToken) : new Uint8Array(answer.value.body)
    const type = received['content-type']
    return new Response(bodyless.includes(status) ? null : kept, { status, headers: type === undefined ? {} : { 'content-type': type } })
  }

function withoutIdToken(body: Buffer, takeIdToken: (idToken: string | undefined) => void): string {
  const text = body.toString('utf8')
  try {
    const { id_token: idToken, ...rest } = JSON.parse(text) as Readonly<Record<string, unknown>>
    takeIdToken(typeof idToken === 'string' ? idToken : undefined)
    return JSON.stringify(rest)
  } catch {
    return text
  }
}
