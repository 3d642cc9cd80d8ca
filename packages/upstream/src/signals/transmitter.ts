/** The transmitter of security events that a connection hears: what an admin says of it, and where its keys are. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { signalEventNames } from '@drawbridge/core/signals/signal-effects'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { z } from 'zod'
import { fetchJson } from '../oidc/fetch-json.js'

const url = z.string().min(1).max(1024)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex')
/** So that one can be replaced while another is in use, also where a transmitter may or may not have taken the new one. */
export const mostPushTokens = 4

/**
 *   issuer             https URL    `iss` of its tokens, byte for byte
 *   jwksUri            https URL    its keys; default: what its configuration document says
 *   configurationUrl   https URL    default: the issuer with `/.well-known/ssf-configuration` between host and path
 *   audience           string       `aud` of its tokens; default: the address of our receiver
 *   events             string[]     last words of the events that may do something; default all that we know
 *   legacySubjects     boolean      Okta before SSF 1.0: the subject stands inside the event, times are milliseconds; default false
 *   pushTokenSha256    string[] 0..4  SHA-256 of bearer tokens, one of which it must send; default: none is asked for
 */
export const ssfTransmitterShape = z.strictObject({
  issuer: url,
  jwksUri: url.optional(),
  configurationUrl: url.optional(),
  audience: z.string().min(1).max(1024).optional(),
  events: z
    .array(z.enum(signalEventNames as [string, ...string[]]))
    .min(1)
    .default([...signalEventNames]),
  legacySubjects: z.boolean().default(false),
  pushTokenSha256: z.array(sha256).max(mostPushTokens).default([]),
})
export type SsfTransmitter = Readonly<z.output<typeof ssfTransmitterShape>>

export const transmitterLimits = { configurationLifetimeSeconds: 3600 } as const

/** @spec SSF 1.0 §7.2 between host and path */
export function configurationUrlOf({ issuer, configurationUrl }: Pick<SsfTransmitter, 'issuer' | 'configurationUrl'>): string {
  if (configurationUrl !== undefined) return configurationUrl
  const { origin, pathname } = new URL(issuer)
  return `${origin}/.well-known/ssf-configuration${pathname === '/' ? '' : pathname}`
}

const kept = new WeakMap<SsfTransmitter, { readonly jwksUri: string; readonly until: Instant }>()
const document = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) })

/** `undefined`: its configuration document cannot be had, or is another issuer's. What was read is kept for an hour. */
export async function jwksUriOfTransmitter(
  fetchSafely: FetchSafely,
  transmitter: SsfTransmitter,
  now: Instant,
): Promise<string | undefined> {
  if (transmitter.jwksUri !== undefined) return transmitter.jwksUri
  const known = kept.get(transmitter)
  if (known !== undefined && now < known.until) return known.jwksUri
  const fetched = await fetchJson(fetchSafely, configurationUrlOf(transmitter))
  const read = fetched.ok ? document.safeParse(fetched.value) : undefined
  if (read?.success !== true || read.data.issuer !== transmitter.issuer) return undefined
  kept.set(transmitter, { jwksUri: read.data.jwks_uri, until: addSeconds(now, transmitterLimits.configurationLifetimeSeconds) })
  return read.data.jwks_uri
}
