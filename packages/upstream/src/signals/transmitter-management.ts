/**
 * A connection's stream at its transmitter: made, changed, asked how it is and to verify itself, and deleted.
 *
 * Everything that is asked for begins with the configuration document of the issuer that the connection names; our credential goes to the
 * endpoints that this document lists and to no other.
 *
 * @spec SSF 1.0 §7.1 configuration, §8.1.1 to §8.1.4 stream management
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { FetchOptions, FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { z } from 'zod'
import { fetchJson } from '../oidc/fetch-json.js'
import { faultOfFetch, faultOfStatus, type TransmitterFault } from './poll.js'
import { parseJson } from './stream-credential.js'
import { configurationUrlOf, type SsfTransmitter } from './transmitter.js'

export const pushDelivery = 'urn:ietf:rfc:8935'
export const pollDelivery = 'urn:ietf:rfc:8936'
export const managementLimits = { maxBytes: 256 * 1024, timeoutMs: 10_000, streamIdLength: 1024 } as const

const url = z.url({ protocol: /^https?$/ }).max(2048)
const documentShape = z.object({
  issuer: z.string(),
  configuration_endpoint: url.optional(),
  status_endpoint: url.optional(),
  verification_endpoint: url.optional(),
})

export type TransmitterEndpoints = {
  readonly configuration: string | undefined
  readonly status: string | undefined
  readonly verification: string | undefined
}

type Answered<T> = Result<T, TransmitterFault>
const lacking = { trouble: 'transmitter_lacks_this' } as const

/** Read anew each time: this is rare, and what it says decides where a credential goes. */
export async function findTransmitterEndpoints(
  fetchSafely: FetchSafely,
  transmitter: SsfTransmitter,
): Promise<Answered<TransmitterEndpoints>> {
  const fetched = await fetchJson(fetchSafely, configurationUrlOf(transmitter))
  if (!fetched.ok) return err(fetched.error === 'unreachable' ? { trouble: 'transmitter_unreachable' } : lacking)
  const read = documentShape.safeParse(fetched.value)
  if (!read.success || read.data.issuer !== transmitter.issuer) return err(lacking)
  const { configuration_endpoint: configuration, status_endpoint: status, verification_endpoint: verification } = read.data
  return ok({ configuration, status, verification })
}

export type WantedStream = {
  readonly delivery: { readonly method: 'push'; readonly url: string; readonly authorization: string } | { readonly method: 'poll' }
  readonly eventTypes: readonly string[]
  /** By which we know a stream of ours again. */
  readonly description: string
}
export type TransmittersStream = {
  readonly id: string
  readonly audiences: readonly string[]
  /** Where events are fetched, if they are. */
  readonly pollUrl: string | undefined
}

const streamShape = z.object({
  stream_id: z.string().min(1).max(managementLimits.streamIdLength),
  aud: z.union([z.string(), z.array(z.string()).min(1).max(20)]),
  delivery: z.object({ method: z.string(), endpoint_url: url.optional() }).optional(),
  description: z.string().optional(),
})
const listShape = z.union([z.array(z.unknown()).max(1000), z.unknown().transform((one) => [one])])

/** A call with our credential. */
export type Managing = { readonly fetchSafely: FetchSafely; readonly authorization: string; readonly endpoints: TransmitterEndpoints }

/**
 * Changes the stream that we have there, or makes one. `known`: its id, if we know one; otherwise one that carries our description is ours, left by
 * an attempt that broke off, so that no attempt leaves a second stream behind.
 */
export async function putStream(
  managing: Managing,
  wanted: WantedStream,
  known: string | undefined,
): Promise<Answered<TransmittersStream>> {
  const id = known ?? (await findOurStream(managing, wanted))
  if (id !== undefined) {
    const changed = await call(managing, 'configuration', { method: 'PATCH', body: { stream_id: id, ...bodyOf(wanted) } })
    if (changed.ok) return readStream(changed.value, wanted)
    if (changed.error.trouble !== 'stream_gone') return changed
  }
  const made = await call(managing, 'configuration', { method: 'POST', body: bodyOf(wanted) })
  return made.ok ? readStream(made.value, wanted) : made
}

const bodyOf = ({ delivery, eventTypes, description }: WantedStream) => ({
  delivery:
    delivery.method === 'push'
      ? { method: pushDelivery, endpoint_url: delivery.url, authorization_header: delivery.authorization }
      : { method: pollDelivery },
  events_requested: eventTypes,
  description,
})

/** What cannot be listed is not ours: a transmitter that allows one stream alone then refuses to make another, and says so. */
async function findOurStream(managing: Managing, { delivery, description }: WantedStream): Promise<string | undefined> {
  const listed = await call(managing, 'configuration', { method: 'GET' })
  const streams = listed.ok ? listShape.parse(listed.value) : []
  for (const one of streams) {
    const read = streamShape.safeParse(one)
    if (!read.success) continue
    const isOurs = delivery.method === 'push' ? read.data.delivery?.endpoint_url === delivery.url : read.data.description === description
    if (isOurs) return read.data.stream_id
  }
  return undefined
}

function readStream(value: unknown, { delivery }: WantedStream): Answered<TransmittersStream> {
  const read = streamShape.safeParse(value)
  if (!read.success) return err({ trouble: 'transmitter_answer_malformed' })
  const { stream_id: id, aud, delivery: given } = read.data
  const isAsAsked = given === undefined || given.method === (delivery.method === 'push' ? pushDelivery : pollDelivery)
  const pollUrl = delivery.method === 'poll' ? given?.endpoint_url : undefined
  if (!isAsAsked || (delivery.method === 'poll' && pollUrl === undefined)) return err({ trouble: 'transmitter_answer_malformed' })
  return ok({ id, audiences: typeof aud === 'string' ? [aud] : aud, pollUrl })
}

const statusShape = z.object({ status: z.enum(['enabled', 'paused', 'disabled']), reason: z.string().optional() })
export type SaidStatus = z.output<typeof statusShape>

export async function readStreamStatus(managing: Managing, streamId: string): Promise<Answered<SaidStatus>> {
  const answer = await call(managing, 'status', { method: 'GET', streamId })
  if (!answer.ok) return answer
  const read = statusShape.safeParse(answer.value)
  return read.success ? ok(read.data) : err({ trouble: 'transmitter_answer_malformed' })
}

/** The answer to this comes by the stream itself. */
export async function askToVerify(managing: Managing, streamId: string, state: string): Promise<Answered<undefined>> {
  const asked = await call(managing, 'verification', { method: 'POST', body: { stream_id: streamId, state } })
  return asked.ok ? ok(undefined) : asked
}

/** That there is none is a success. */
export async function deleteStream(managing: Managing, streamId: string): Promise<Answered<undefined>> {
  const answer = await call(managing, 'configuration', { method: 'DELETE', streamId })
  return answer.ok || answer.error.trouble === 'stream_gone' ? ok(undefined) : answer
}

type Call = {
  readonly method: NonNullable<FetchOptions['method']>
  readonly body?: Readonly<Record<string, unknown>>
  readonly streamId?: string
}

async function call(managing: Managing, at: keyof TransmitterEndpoints, { method, body, streamId }: Call): Promise<Answered<unknown>> {
  const endpoint = managing.endpoints[at]
  if (endpoint === undefined) return err(lacking)
  const address = new URL(endpoint)
  if (streamId !== undefined) address.searchParams.set('stream_id', streamId)
  const answer = await managing.fetchSafely(address.href, {
    ...{ method, maxBytes: managementLimits.maxBytes, timeoutMs: managementLimits.timeoutMs },
    headers: { authorization: managing.authorization, accept: 'application/json', ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  if (!answer.ok) return err(faultOfFetch(answer.error))
  const fault = faultOfStatus(answer.value)
  return fault === undefined ? ok(parseJson(answer.value.body)) : err(fault)
}
