/** How a refusal looks on the wire: status, `WWW-Authenticate` and a small JSON body. @spec RFC 6750 §3, RFC 9728 §5.1 */
import type { AuthenticationDemand } from './authentication.js'
import { proofAlgorithms } from './dpop-proof.js'
import { entryOf, type GuardRefusal } from './refusal.js'

export type Challenge = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly reason: GuardRefusal
}

export type ChallengeFacts = {
  readonly metadataUrl: string
  /** 401: the base scopes to ask for. 403: every scope that this operation needs, all at once. */
  readonly scopes: readonly string[]
  /** 401 for how she signed in: what the client asks its authorization server for. */
  readonly authentication?: AuthenticationDemand
  /** By which it is told what to do: `Bearer` unless the request was made with a key, or has to be. */
  readonly scheme?: 'Bearer' | 'DPoP'
}

/** Named: how long a client should wait when the guard cannot judge. */
const retryAfterSeconds = 2

/** A quoted-string that needs no escapes: what RFC 6750 §3 forbids in a value is dropped. */
const quoted = (value: string): string => `"${value.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')}"`

/**
 * Builds the answer to a refused request.
 *
 * No `error` when no credentials were sent: RFC 6750 §3.1 says such an answer should carry no error information.
 *
 * @spec RFC 6750 §3
 * @spec RFC 9728 §5.1 resource_metadata
 * @spec RFC 9470 §3 acr_values, max_age
 * @spec RFC 9449 §7.1 scheme DPoP, algs
 */
export function buildChallenge(reason: GuardRefusal, facts: ChallengeFacts): Challenge {
  const entry = entryOf(reason)
  const parameters = [
    ...(entry.code === undefined ? [] : [`error=${quoted(entry.code)}`, `error_description=${quoted(entry.say)}`]),
    ...(facts.scopes.length > 0 ? [`scope=${quoted(facts.scopes.join(' '))}`] : []),
    ...authenticationParameters(facts.authentication),
    ...(facts.scheme === 'DPoP' ? [`algs=${quoted(proofAlgorithms.join(' '))}`] : []),
    `resource_metadata=${quoted(facts.metadataUrl)}`,
  ]
  const headers: Record<string, string> = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  if (entry.status === 503) headers['Retry-After'] = String(retryAfterSeconds)
  else headers['WWW-Authenticate'] = `${facts.scheme ?? 'Bearer'} ${parameters.join(', ')}`
  const body = JSON.stringify({
    error: entry.code ?? (entry.status === 503 ? 'temporarily_unavailable' : 'unauthorized'),
    error_description: entry.say,
  })
  return { status: entry.status, headers, body, reason }
}

const authenticationParameters = ({ acrValues, maxAgeSeconds }: AuthenticationDemand = {}): readonly string[] => [
  ...(acrValues === undefined || acrValues.length === 0 ? [] : [`acr_values=${quoted(acrValues.join(' '))}`]),
  ...(maxAgeSeconds === undefined ? [] : [`max_age=${quoted(String(maxAgeSeconds))}`]),
]
