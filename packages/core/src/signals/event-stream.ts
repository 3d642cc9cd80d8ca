/**
 * Event streams of receivers that speak the standard: what one may be, how much it may hold back, and how its position moves.
 *
 * @spec SSF 1.0 §8.1.1 stream configuration, §8.1.2 status
 */
import { err, ok, type Result } from '../result.js'
import { tokenClaimsChange } from '../revocation/settled-grants.js'
import { signingKeyCondemned } from './signing-key-condemned.js'

export const sessionRevoked = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'

/** Every type of event that a receiver can get of us. */
export const supportedEvents: readonly string[] = [sessionRevoked, tokenClaimsChange, signingKeyCondemned]

export const pushDelivery = 'urn:ietf:rfc:8935'
export const pollDelivery = 'urn:ietf:rfc:8936'
export const deliveryMethods = { push: pushDelivery, poll: pollDelivery } as const
export type DeliveryMethod = keyof typeof deliveryMethods

export const streamStatuses = ['enabled', 'paused', 'disabled'] as const
export type StreamStatus = (typeof streamStatuses)[number]
/** Who set the status: what an operator holds, its receiver does not let go. */
export type StatusSetter = 'receiver' | 'operator' | 'transmitter'

export const eventStreamLimits = {
  /** Of one resource at one issuer. */
  streams: 20,
  eventsRequested: 50,
  eventLength: 500,
  descriptionLength: 500,
  urlLength: 2048,
  authorizationLength: 4096,
  stateLength: 1024,
  reasonLength: 500,
  /** Answers of a poll beyond the first notice that it has not answered. Whoever leaves one unanswered for longer gets only that one. */
  answeredAhead: 1000,
  /** Notices that one stream may owe its receiver. Beyond it the stream is disabled, with that reason. */
  heldNotices: 100_000,
  /** The longest that a receiver may be away. Beyond it the stream is disabled, with that reason. */
  heldSeconds: 7 * 86_400,
  /** Without a call of a receiver that polls. */
  inactivitySeconds: 7 * 86_400,
  minVerificationSeconds: 30,
} as const

/** A notice that a stream may still owe is kept for this long: beyond the bound, so that the bound comes first and nothing is lost silently. */
export const noticeHoldSeconds = eventStreamLimits.heldSeconds + 86_400

/** What a receiver gets of what it asked for; without a wish, everything. */
export const eventsDelivered = (requested: readonly string[] | undefined): readonly string[] =>
  requested === undefined ? supportedEvents : supportedEvents.filter((type) => requested.includes(type))

/** Where a receiver wants to be pushed to. `plainOrigins`: those that may speak http, which are none in a production. */
export function parseEndpointUrl(text: string, plainOrigins: (url: URL) => boolean): Result<string, 'endpoint_url_refused'> {
  if (text.length > eventStreamLimits.urlLength || !URL.canParse(text)) return err('endpoint_url_refused')
  const url = new URL(text)
  const isPlain = url.protocol === 'http:' && plainOrigins(url)
  if (url.protocol !== 'https:' && !isPlain) return err('endpoint_url_refused')
  if (url.username !== '' || url.password !== '' || text.includes('#')) return err('endpoint_url_refused')
  return ok(text)
}

/** What a header can carry: RFC 9110 §5.5, without octets beyond ASCII. */
export const isHeaderValue = (text: string): boolean => /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text)

export type Progress = {
  /** Everything up to it has been answered. */
  readonly position: number
  /** Nothing beyond it was ever handed out. */
  readonly deliveredTo: number
  /** Answered beyond `position`. */
  readonly answered: readonly number[]
}

/**
 * How far a stream has come after further answers. `due`: the positions between `position` and `deliveredTo` that the stream carries, ascending.
 *
 * The position never passes a notice that has no answer, whatever was answered beyond it; what the stream does not carry, it passes.
 */
export function advance({ position, deliveredTo, answered }: Progress, due: readonly number[], newly: ReadonlySet<number>): Progress {
  const known = new Set([...answered, ...due.filter((each) => newly.has(each))])
  const open = due.find((each) => !known.has(each))
  const reached = Math.max(position, open === undefined ? deliveredTo : open - 1)
  return { position: reached, deliveredTo, answered: [...known].filter((each) => each > reached).sort((a, b) => a - b) }
}

/** Why we end or hold a stream ourselves; the receiver reads it in the event and in the status. */
export const statusReasons = {
  backlog_too_old: `what the receiver has not taken is older than ${eventStreamLimits.heldSeconds / 86_400} days`,
  backlog_too_long: `the receiver has not taken more than ${eventStreamLimits.heldNotices} events`,
  inactive: `the receiver has not polled for ${eventStreamLimits.inactivitySeconds / 86_400} days`,
  credential_ended: 'the credential that set the stream up is no longer good; enable it with another one',
} as const
export type StatusReason = keyof typeof statusReasons

/** A part of a token of ours, read without judging it. */
function partOf(token: string, index: 0 | 1): Readonly<Record<string, unknown>> {
  try {
    const part: unknown = JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString('utf8'))
    return typeof part === 'object' && part !== null ? (part as Readonly<Record<string, unknown>>) : {}
  } catch {
    return {}
  }
}

/** What a notice of ours says. */
export const claimsOfNotice = (token: string): Readonly<Record<string, unknown>> => partOf(token, 1)

/** The type of its one event. */
export const eventTypeOf = (token: string): string | undefined =>
  Object.keys((claimsOfNotice(token)['events'] as Readonly<Record<string, unknown>> | undefined) ?? {})[0]

/** Which key signed it. */
export function kidOf(token: string): string | undefined {
  const { kid } = partOf(token, 0)
  return typeof kid === 'string' ? kid : undefined
}
