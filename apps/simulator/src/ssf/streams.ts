/** The streams of security events that a company offers, what waits in each, and how it is handed over: pushed, or fetched. */
import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { privateKey, type SigningPair } from '../keys.js'

export const pushMethod = 'urn:ietf:rfc:8935'
export const pollMethod = 'urn:ietf:rfc:8936'

const caep = 'https://schemas.openid.net/secevent/caep/event-type/'
const risc = 'https://schemas.openid.net/secevent/risc/event-type/'
const ssf = 'https://schemas.openid.net/secevent/ssf/event-type/'
/** What somebody at the desk may send about a person. */
export const eventTypes: Readonly<Record<string, string>> = {
  'session-revoked': `${caep}session-revoked`,
  'credential-change': `${caep}credential-change`,
  'assurance-level-change': `${caep}assurance-level-change`,
  'device-compliance-change': `${caep}device-compliance-change`,
  'account-disabled': `${risc}account-disabled`,
  'account-purged': `${risc}account-purged`,
  'account-enabled': `${risc}account-enabled`,
  'identifier-changed': `${risc}identifier-changed`,
}
export const verificationType = `${ssf}verification`
export const streamUpdatedType = `${ssf}stream-updated`

export type Delivery = { readonly method: string; readonly endpoint_url: string; readonly authorization_header?: string }
export type StreamState = 'enabled' | 'paused' | 'disabled'
export type Stream = {
  readonly id: string
  readonly audience: string
  delivery: Delivery
  eventsRequested: readonly string[]
  status: StreamState
  /** Not acknowledged yet, in the order of their making. */
  readonly waiting: Map<string, string>
  /** Who holds a request open until there is something. */
  readonly wakers: Set<() => void>
  /** Ids that the receiver did not believe, and why it said so. */
  readonly refused: Map<string, string>
}

export type Streams = {
  readonly all: ReadonlyMap<string, Stream>
  create(delivery: (id: string) => Delivery, eventsRequested: readonly string[]): Stream
  remove(id: string): boolean
  /** Puts one event into a stream and, where it pushes, sends what waits there. Answers its id. */
  put(stream: Stream, type: string, event: Readonly<Record<string, unknown>>, subject: unknown): Promise<string>
  setStatus(stream: Stream, status: StreamState, reason?: string): Promise<void>
  /** Sends again what a receiver has not taken. */
  push(stream: Stream): Promise<void>
}

export type StreamsSettings = { readonly issuer: string; readonly keys: () => SigningPair; readonly now: () => Date }

export function createStreams({ issuer, keys, now }: StreamsSettings): Streams {
  const all = new Map<string, Stream>()
  const sign = (stream: Stream, jti: string, type: string, event: Readonly<Record<string, unknown>>, subject: unknown): Promise<string> => {
    const pair = keys()
    const seconds = Math.floor(now().getTime() / 1000)
    return new SignJWT({ iss: issuer, aud: stream.audience, jti, iat: seconds, sub_id: subject, events: { [type]: event } })
      .setProtectedHeader({ alg: 'RS256', kid: pair.keyId, typ: 'secevent+jwt' })
      .sign(privateKey(pair))
  }
  const streams: Streams = {
    all,
    create: (delivery, eventsRequested) => {
      const id = randomUUID()
      const given = delivery(id)
      // To whoever fetches, the transmitter gives a name of its own.
      const audience = given.method === pushMethod ? given.endpoint_url : `${issuer}/ssf/receivers/${id}`
      const stream: Stream = {
        ...{ id, audience, delivery: given, eventsRequested, status: 'enabled' },
        ...{ waiting: new Map(), wakers: new Set(), refused: new Map() },
      }
      all.set(id, stream)
      return stream
    },
    remove: (id) => all.delete(id),
    put: async (stream, type, event, subject) => {
      const jti = randomUUID()
      stream.waiting.set(jti, await sign(stream, jti, type, event, subject))
      for (const wake of stream.wakers) wake()
      if (stream.delivery.method === pushMethod) await streams.push(stream)
      return jti
    },
    setStatus: async (stream, status, reason) => {
      const said = { status, ...(reason !== undefined && { reason }) }
      stream.status = 'enabled'
      await streams.put(stream, streamUpdatedType, said, { format: 'opaque', id: stream.id })
      stream.status = status
    },
    push: async (stream) => {
      if (stream.status !== 'enabled') return
      const { endpoint_url: url, authorization_header: authorization } = stream.delivery
      for (const [jti, token] of stream.waiting) {
        const headers = { 'content-type': 'application/secevent+jwt', ...(authorization !== undefined && { authorization }) }
        const answer = await fetch(url, { method: 'POST', headers, body: token }).catch(() => undefined)
        if (answer === undefined) return
        if (answer.status === 202) stream.waiting.delete(jti)
        if (answer.status === 400) {
          stream.waiting.delete(jti)
          stream.refused.set(jti, ((await answer.json()) as { readonly err?: string }).err ?? '')
        }
      }
    },
  }
  return streams
}
