/**
 * What we prove ourselves with at a transmitter: a bearer token that it gave, or client credentials at its token endpoint.
 *
 * It is sealed together with the transmitter that it was given for. Where a connection speaks to is read from its configuration at each use, which
 * others may change: what was given for one transmitter goes to no other. docs/adr/0059
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { StreamTrouble } from '@drawbridge/core/signals/stream-trouble'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { z } from 'zod'
import { configurationUrlOf, type SsfTransmitter } from './transmitter.js'

const text = (length: number) =>
  z
    .string()
    .min(1)
    .max(length)
    .regex(/^[\x21-\x7e]+$/, 'printable ASCII without blanks')

/** Of the admin's body. */
export const streamCredentialShape = z.union([
  z.strictObject({ bearerToken: text(4096) }),
  z.strictObject({
    tokenUrl: z.url({ protocol: /^https?$/ }).max(1024),
    clientId: z.string().min(1).max(512),
    clientSecret: z.string().min(1).max(1024),
    scope: z.string().min(1).max(1024).optional(),
  }),
])
export type StreamCredential = z.output<typeof streamCredentialShape>

const addressShape = z.strictObject({ issuer: z.string(), configurationUrl: z.string() })
/** By `issuer` its tokens are told, and from the document at `configurationUrl` it says where our credential goes. */
type TransmitterAddress = z.output<typeof addressShape>
type Addressed = Pick<SsfTransmitter, 'issuer' | 'configurationUrl'>
const addressOf = (transmitter: Addressed): TransmitterAddress => ({
  ...{ issuer: transmitter.issuer, configurationUrl: configurationUrlOf(transmitter) },
})

const keptShape = z.strictObject({ credential: streamCredentialShape, givenFor: addressShape })
/** As it rests, sealed. */
export type KeptCredential = z.output<typeof keptShape> | { readonly credential: StreamCredential; readonly givenFor: undefined }

export const textOfCredential = (credential: StreamCredential, transmitter: Addressed): Buffer =>
  Buffer.from(JSON.stringify({ credential, givenFor: addressOf(transmitter) } satisfies KeptCredential), 'utf8')

/** What was kept before the transmitter was kept with it says nothing of one. */
export function parseKeptCredential(sealedText: Buffer): KeptCredential | undefined {
  const value = parseJson(sealedText)
  const kept = keptShape.safeParse(value)
  if (kept.success) return kept.data
  const alone = streamCredentialShape.safeParse(value)
  return alone.success ? { credential: alone.data, givenFor: undefined } : undefined
}

/** For this transmitter and for no other. */
export function credentialFor(transmitter: Addressed, kept: KeptCredential | undefined): Result<StreamCredential, StreamTrouble> {
  if (kept === undefined) return err('credential_unreadable')
  const { issuer, configurationUrl } = addressOf(transmitter)
  const isGivenForIt = kept.givenFor?.issuer === issuer && kept.givenFor.configurationUrl === configurationUrl
  return isGivenForIt ? ok(kept.credential) : err('stream_of_another_transmitter')
}

export const streamCredentialLimits = {
  maxBytes: 64 * 1024,
  timeoutMs: 10_000,
  /** However long it says that it lives. */
  longestLifeSeconds: 3600,
  /** Where it says nothing. */
  assumedLifeSeconds: 300,
  /** So long before its end it is not used any more. */
  marginSeconds: 30,
} as const

const kept = new WeakMap<StreamCredential, { readonly token: string; readonly until: Instant }>()
const answered = z.object({ access_token: text(8192), token_type: z.string().regex(/^bearer$/i), expires_in: z.number().optional() })

/** The value of the Authorization header. A token is kept with the credential that it was given for, and in memory alone. */
export async function authorizationOf(
  fetchSafely: FetchSafely,
  credential: StreamCredential,
  now: Instant,
): Promise<Result<string, StreamTrouble>> {
  if ('bearerToken' in credential) return ok(`Bearer ${credential.bearerToken}`)
  const known = kept.get(credential)
  if (known !== undefined && now < known.until) return ok(`Bearer ${known.token}`)
  const { clientId, clientSecret, scope, tokenUrl } = credential
  const half = (value: string) => new URLSearchParams({ v: value }).toString().slice(2)
  const answer = await fetchSafely(tokenUrl, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${half(clientId)}:${half(clientSecret)}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) }).toString(),
    accept: 'application/json',
    maxBytes: streamCredentialLimits.maxBytes,
    timeoutMs: streamCredentialLimits.timeoutMs,
  })
  if (!answer.ok || answer.value.status >= 500) return err('transmitter_unreachable')
  const read = answer.value.status === 200 ? answered.safeParse(parseJson(answer.value.body)) : undefined
  if (read?.success !== true) return err('token_endpoint_says_no')
  const { assumedLifeSeconds, longestLifeSeconds, marginSeconds } = streamCredentialLimits
  const life = Math.min(read.data.expires_in ?? assumedLifeSeconds, longestLifeSeconds) - marginSeconds
  if (life > 0) kept.set(credential, { token: read.data.access_token, until: addSeconds(now, life) })
  return ok(`Bearer ${read.data.access_token}`)
}

/** The transmitter did not take it: the next one is asked for anew. */
export const forgetAuthorization = (credential: StreamCredential): void => {
  kept.delete(credential)
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
