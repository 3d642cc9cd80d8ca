/**
 * One request for security events: it acknowledges what has happened, says what was not believed, and asks for more.
 *
 * @spec RFC 8936 §2.4
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { StreamTrouble } from '@drawbridge/core/signals/stream-trouble'
import type { FetchRefusal, FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { z } from 'zod'
import { parseJson } from './stream-credential.js'

export const pollLimits = {
  /** Asked for at once, beside those that are known to wait at the head of the stream. */
  events: 100,
  /** Asked for at most, and read of one answer, however many it holds: the rest is not acknowledged and comes again. */
  eventsRead: 1000,
  maxBytes: 4 * 1024 * 1024,
  /** Of a request that is answered at once. */
  timeoutMs: 10_000,
  /** Of one that the transmitter may keep until there is something. */
  waitTimeoutMs: 40_000,
  /** The longest that a transmitter may tell us to wait. */
  retryAfterSeconds: 3600,
} as const

export type PollAsked = {
  readonly url: string
  readonly authorization: string
  readonly ack: readonly string[]
  readonly setErrs: Readonly<Record<string, { readonly err: string; readonly description: string }>>
  readonly maxEvents: number
  /** May be kept waiting. */
  readonly waits: boolean
  readonly signal: AbortSignal
}
export type PollAnswered = { readonly sets: readonly (readonly [id: string, token: string])[]; readonly moreAvailable: boolean }
export type TransmitterFault = { readonly trouble: StreamTrouble; readonly retryAfterSeconds?: number }

const answerShape = z.object({ sets: z.record(z.string(), z.unknown()).default({}), moreAvailable: z.boolean().default(false) })

export async function pollTransmitter(fetchSafely: FetchSafely, asked: PollAsked): Promise<Result<PollAnswered, TransmitterFault>> {
  const { ack, setErrs, maxEvents } = asked
  const answer = await fetchSafely(asked.url, {
    method: 'POST',
    headers: { authorization: asked.authorization, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ maxEvents, returnImmediately: !asked.waits || maxEvents === 0 },
      ...(ack.length > 0 && { ack }),
      ...(Object.keys(setErrs).length > 0 && { setErrs }),
    }),
    accept: 'application/json',
    maxBytes: pollLimits.maxBytes,
    timeoutMs: asked.waits ? pollLimits.waitTimeoutMs : pollLimits.timeoutMs,
    signal: asked.signal,
  })
  if (!answer.ok) return err(faultOfFetch(answer.error))
  const fault = faultOfStatus(answer.value)
  if (fault !== undefined) return err(fault)
  // What only acknowledges may be answered with nothing.
  if (maxEvents === 0 || answer.value.body.length === 0) return ok({ sets: [], moreAvailable: false })
  const read = answerShape.safeParse(parseJson(answer.value.body))
  if (!read.success) return err({ trouble: 'transmitter_answer_malformed' })
  const sets = Object.entries(read.data.sets).flatMap(([id, token]) => (typeof token === 'string' ? [[id, token] as const] : []))
  return ok({ sets: sets.slice(0, pollLimits.eventsRead), moreAvailable: read.data.moreAvailable || sets.length > pollLimits.eventsRead })
}

export const faultOfFetch = ({ reason }: FetchRefusal): TransmitterFault => ({
  trouble:
    reason === 'too_large'
      ? 'transmitter_answer_too_large'
      : reason === 'type_refused'
        ? 'transmitter_answer_malformed'
        : 'transmitter_unreachable',
})

type Status = { readonly status: number; readonly headers: Readonly<Record<string, string>> }

/** `undefined`: it is 2xx. */
export function faultOfStatus({ status, headers }: Status): TransmitterFault | undefined {
  if (status >= 200 && status < 300) return undefined
  const seconds = Number(headers['retry-after'])
  const later = Number.isFinite(seconds) && seconds > 0 ? { retryAfterSeconds: Math.min(seconds, pollLimits.retryAfterSeconds) } : {}
  if (status === 429) return { trouble: 'transmitter_busy', ...later }
  if (status >= 500) return { trouble: 'transmitter_unreachable', ...later }
  if (status === 404 || status === 410) return { trouble: 'stream_gone' }
  return { trouble: status === 401 || status === 403 ? 'transmitter_says_no' : 'transmitter_answer_malformed' }
}
