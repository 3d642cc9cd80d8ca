/**
 * The one place where a security event token is believed: its kind, its claims, and its signature by a key of the transmitter that the
 * connection names. It is never an ID token: `sub` and `exp` must not be there, and its typ is its own.
 *
 * Anybody may send one: what is no such token is refused before the network is touched. Of every other it is known who has signed it before
 * anything is said of it, under the pauses of the keys: where the transmitter says something that is not heard, somebody has to know.
 *
 * @spec RFC 8417 §2.2, §4.5 and §4.6
 * @spec SSF 1.0 §4.1 one event, sub_id, no sub, no exp
 */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { SecurityEvent } from '@drawbridge/core/signals/security-event'
import { isOfStream } from '@drawbridge/core/signals/signal-effects'
import { foreignAlgorithms } from '@drawbridge/crypto/foreign-algorithms'
import { type ReadJwt, readForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { instantOf } from '../oidc/id-token-rules.js'
import { issuerKeysOf } from '../oidc/issuer-keys.js'
import { verifyBySigner } from '../oidc/issuer-signature.js'
import { signalFetchPauseSeconds } from './connection-signature.js'
import type { SignalRefusal } from './signal-refusal.js'
import { jwksUriOfTransmitter, type SsfTransmitter } from './transmitter.js'

export const securityEventLimits = {
  skewSeconds: 180,
  /** However late it comes: a transmitter that was down for days delivers what it kept. As long is its id remembered. */
  ageSeconds: 7 * 86_400,
  length: 32_768,
  idLength: 1024,
} as const

type Checked<T> = Result<T, SignalRefusal>
type Expected = {
  readonly token: string
  readonly audience: string
  readonly now: Instant
  /** When it came to us, among others. */
  readonly cameAt?: Instant
}
const malformed = (rule: string): { readonly ok: false; readonly error: SignalRefusal } =>
  err({ reason: 'set_malformed', detail: { rule } })
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export type EventRefusal = SignalRefusal & {
  /** By the transmitter, whatever it says. */
  readonly isSigned: boolean
  /** What it says, where it is one of ours but for its age, or for how it came. */
  readonly unheard?: SecurityEvent
}

export async function verifySecurityEvent(
  fetchSafely: FetchSafely,
  transmitter: SsfTransmitter,
  { token, audience, now, cameAt }: Expected,
): Promise<Result<SecurityEvent, EventRefusal>> {
  const jwt = token.length > securityEventLimits.length ? err('malformed') : readForeignJwt(token, foreignAlgorithms)
  if (!jwt.ok) return err({ ...malformed(jwt.error).error, isSigned: false })
  if (jwt.value.typ !== 'secevent+jwt') return err({ ...malformed('typ').error, isSigned: false })
  const signed = await verifySignature(fetchSafely, transmitter, { jwt: jwt.value, now, cameAt })
  if (!signed.ok && signed.error.reason === 'signal_keys_awaited') return err({ ...signed.error, isSigned: false })
  const said = readClaims(jwt.value, { transmitter, audience, now })
  if (!said.ok) return err({ ...said.error, isSigned: signed.ok })
  return signed.ok ? said : err({ ...signed.error, isSigned: false })
}

type Given = { readonly transmitter: SsfTransmitter; readonly audience: string; readonly now: Instant }

function readClaims(
  { claims }: ReadJwt,
  { transmitter, audience, now }: Given,
): Result<SecurityEvent, SignalRefusal & Pick<EventRefusal, 'unheard'>> {
  if (claims.get('iss') !== transmitter.issuer) return err({ reason: 'set_of_another_issuer' })
  const said = claims.get('aud')
  if (!(Array.isArray(said) ? said : [said]).includes(audience)) return err({ reason: 'set_for_another_audience' })
  const forbidden = ['exp', 'sub', 'nonce'].find((claim) => claims.has(claim))
  if (forbidden !== undefined) return malformed(forbidden)
  const iat = instantOf(claims.get('iat'))
  const { skewSeconds, ageSeconds, idLength } = securityEventLimits
  if (iat === undefined || iat > addSeconds(now, skewSeconds)) return malformed('iat')
  const jti = claims.get('jti')
  if (typeof jti !== 'string' || jti === '' || jti.length > idLength) return malformed('jti')
  const read = readEvent(claims, transmitter)
  if (!read.ok) return read
  const tooOldAt = addSeconds(iat, ageSeconds + skewSeconds)
  const event = { ...read.value, id: JSON.stringify([transmitter.issuer, jti]), issuedAt: iat, replayableUntil: addSeconds(tooOldAt, 1) }
  if (now < tooOldAt) return ok(event)
  return err({ ...malformed('too_old').error, unheard: { ...event, replayableUntil: addSeconds(now, ageSeconds) } })
}

function readEvent(
  claims: ReadJwt['claims'],
  { legacySubjects }: SsfTransmitter,
): Checked<Omit<SecurityEvent, 'id' | 'replayableUntil' | 'issuedAt'>> {
  const events = claims.get('events')
  const [only, second] = isObject(events) ? Object.entries(events) : []
  if (only === undefined || second !== undefined) return malformed('events')
  const [type, event] = only
  if (!isObject(event)) return malformed('events')
  const subject = claims.get('sub_id') ?? (legacySubjects ? event['subject'] : undefined)
  if (!isObject(subject) && !(isOfStream(type) && subject === undefined)) return malformed('sub_id')
  return ok({ type, event, subject, toldAt: readTime(event['event_timestamp'], legacySubjects) })
}

/** Seconds before the year 5138 are smaller than any milliseconds since 1973. */
const leastMilliseconds = 1e11
function readTime(value: unknown, mayBeMilliseconds: boolean): Instant | undefined {
  const isMilliseconds = mayBeMilliseconds && typeof value === 'number' && value >= leastMilliseconds && value < leastMilliseconds * 1000
  return isMilliseconds ? instant(value) : instantOf(value)
}

const failures = new WeakMap<SsfTransmitter, Instant>()
const awaited = (retryAfterSeconds: number): Checked<undefined> => err({ reason: 'signal_keys_awaited', detail: { retryAfterSeconds } })

async function verifySignature(
  fetchSafely: FetchSafely,
  transmitter: SsfTransmitter,
  { jwt, now, cameAt }: { readonly jwt: ReadJwt; readonly now: Instant; readonly cameAt: Instant | undefined },
): Promise<Checked<undefined>> {
  const failedAt = failures.get(transmitter)
  if (failedAt !== undefined && now < addSeconds(failedAt, signalFetchPauseSeconds)) return awaited(signalFetchPauseSeconds)
  const jwksUri = await jwksUriOfTransmitter(fetchSafely, transmitter, now)
  const keys = issuerKeysOf(fetchSafely, transmitter)
  const signed = jwksUri === undefined ? undefined : await verifyBySigner(jwt, { keys, jwksUri, now, cameAt }, 'anybody')
  if (signed?.ok === true) return ok(undefined)
  if (typeof signed?.error === 'string') return err({ reason: 'set_signature_wrong', detail: { rule: signed.error } })
  if (signed?.error.reason === 'oidc_keys_awaited')
    return awaited(Number(signed.error.detail?.['retryAfterSeconds'] ?? signalFetchPauseSeconds))
  failures.set(transmitter, now)
  return awaited(signalFetchPauseSeconds)
}
