/**
 * A company's transmitter of security events: its configuration document, the management of streams, and what is fetched from it.
 *
 * @spec SSF 1.0 §7.1 configuration, §8.1 streams, RFC 8936 polling
 */
import { createPublicKey, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { exportJWK } from 'jose'
import { readForm, send } from '../http.js'
import type { SigningPair } from '../keys.js'
import { createStreams, type Delivery, eventTypes, pollMethod, pushMethod, type Stream, type Streams, verificationType } from './streams.js'

export type TransmitterSettings = {
  /** Below the public address: `<public>/<company>`. */
  readonly issuer: string
  readonly keys: () => SigningPair
  readonly now: () => Date
}

export type Transmitter = {
  readonly issuer: string
  readonly streams: Streams
  /** What an administrator enters at the receiver. */
  readonly bearerToken: string
  readonly client: { readonly tokenUrl: string; readonly clientId: string; readonly clientSecret: string }
  /** How long a request is kept open when nothing waits. */
  waitMs: number
  /** Serves `/<company>/ssf/…` and the configuration document. */
  serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>
  /** Puts an event about a person into every stream. */
  emit(name: string, personId: string, event?: Readonly<Record<string, unknown>>): Promise<readonly string[]>
}

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly url: URL }

export function createTransmitter(settings: TransmitterSettings): Transmitter {
  const { issuer, now } = settings
  const base = `${issuer}/ssf`
  const streams = createStreams(settings)
  const tokens = new Set<string>()
  const bearerToken = randomBytes(32).toString('base64url')
  const client = { tokenUrl: `${base}/token`, clientId: 'signals', clientSecret: randomBytes(32).toString('base64url') }
  const isProven = (request: IncomingMessage): boolean => {
    const token = (request.headers.authorization ?? '').replace(/^Bearer /, '')
    return token === bearerToken || tokens.has(token)
  }
  const transmitter: Transmitter = {
    ...{ issuer, streams, bearerToken, client, waitMs: 20_000 },
    emit: async (name, personId, event = {}) => {
      const type = eventTypes[name]
      if (type === undefined) throw new Error(`there is no event ${name}`)
      const said = { event_timestamp: Math.floor(now().getTime() / 1000), ...event }
      const subject = { format: 'iss_sub', iss: issuer, sub: personId }
      return Promise.all([...streams.all.values()].map((stream) => streams.put(stream, type, said, subject)))
    },
    serve: async (request, response, path) => {
      const exchange = { request, response, url: new URL(request.url ?? '/', issuer) }
      if (path === '/configuration') return json(response, 200, configurationOf(issuer, base))
      if (path === '/jwks') return json(response, 200, { keys: [await jwkOf(settings.keys())] })
      if (path === '/token' && request.method === 'POST') return giveToken(exchange, client, tokens)
      if (!isProven(request)) return json(response, 401, { error: 'invalid_token' })
      if (path === '/stream') return manage(exchange, streams, base)
      const [, what = '', id] = /^\/(status|verification|poll)(?:\/([\w-]+))?$/.exec(path) ?? []
      if (what === 'poll') return poll(exchange, streams.all.get(id ?? ''), transmitter.waitMs)
      if (what === 'status') return tellStatus(exchange, streams)
      if (what === 'verification') return verify(exchange, streams)
      json(response, 404, { error: 'not_found' })
    },
  }
  return transmitter
}

const configurationOf = (issuer: string, base: string) => ({
  spec_version: '1_0',
  issuer,
  jwks_uri: `${base}/jwks`,
  delivery_methods_supported: [pushMethod, pollMethod],
  configuration_endpoint: `${base}/stream`,
  status_endpoint: `${base}/status`,
  verification_endpoint: `${base}/verification`,
  authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:6749' }, { spec_urn: 'urn:ietf:rfc:6750' }],
})

async function jwkOf(pair: SigningPair): Promise<Record<string, unknown>> {
  const key = createPublicKey(pair.privateKeyPem)
  return { ...(await exportJWK(key)), kid: pair.keyId, use: 'sig', alg: 'RS256' }
}

/** @spec RFC 6749 §4.4 */
async function giveToken({ request, response }: Exchange, client: Transmitter['client'], tokens: Set<string>): Promise<void> {
  const form = await readForm(request)
  const basic = `Basic ${Buffer.from(`${client.clientId}:${client.clientSecret}`).toString('base64')}`
  if (request.headers.authorization !== basic || form.get('grant_type') !== 'client_credentials')
    return json(response, 401, { error: 'invalid_client' })
  const token = randomBytes(32).toString('base64url')
  tokens.add(token)
  json(response, 200, { access_token: token, token_type: 'Bearer', expires_in: 3600 })
}

const shown = (issuer: string, stream: Stream) => ({
  ...{ stream_id: stream.id, iss: issuer, aud: [stream.audience], delivery: withoutSecret(stream.delivery) },
  events_supported: Object.values(eventTypes),
  events_requested: stream.eventsRequested,
  events_delivered: stream.eventsRequested.filter((type) => Object.values(eventTypes).includes(type)),
  min_verification_interval: 0,
})
const withoutSecret = ({ method, endpoint_url }: Delivery) => ({ method, endpoint_url })

/** @spec SSF 1.0 §8.1.1 */
async function manage({ request, response, url }: Exchange, streams: Streams, base: string): Promise<void> {
  const issuer = base.replace(/\/ssf$/, '')
  const body = request.method === 'GET' || request.method === 'DELETE' ? {} : await readJson(request)
  const id = url.searchParams.get('stream_id') ?? (typeof body['stream_id'] === 'string' ? body['stream_id'] : undefined)
  const stream = id === undefined ? undefined : streams.all.get(id)
  const asked = (body['delivery'] ?? { method: pollMethod }) as Delivery
  const deliveryTo = (streamId: string): Delivery =>
    asked.method === pollMethod ? { method: pollMethod, endpoint_url: `${base}/poll/${streamId}` } : asked
  if (request.method === 'POST') {
    if (asked.method !== pollMethod && (asked.method !== pushMethod || typeof asked.endpoint_url !== 'string'))
      return json(response, 400, { error: 'invalid_request' })
    return json(response, 201, shown(issuer, streams.create(deliveryTo, (body['events_requested'] ?? []) as string[])))
  }
  if (request.method === 'GET' && id === undefined)
    return json(
      response,
      200,
      [...streams.all.values()].map((one) => shown(issuer, one)),
    )
  if (stream === undefined) return json(response, 404, { error: 'not_found' })
  if (request.method === 'GET') return json(response, 200, shown(issuer, stream))
  if (request.method === 'DELETE') {
    streams.remove(stream.id)
    response.writeHead(204).end()
    return
  }
  if (body['delivery'] !== undefined) stream.delivery = deliveryTo(stream.id)
  if (Array.isArray(body['events_requested'])) stream.eventsRequested = body['events_requested'] as string[]
  json(response, 200, shown(issuer, stream))
}

/** @spec SSF 1.0 §8.1.2 */
function tellStatus({ response, url }: Exchange, streams: Streams): void {
  const stream = streams.all.get(url.searchParams.get('stream_id') ?? '')
  if (stream === undefined) return json(response, 404, { error: 'not_found' })
  json(response, 200, { stream_id: stream.id, status: stream.status })
}

/** @spec SSF 1.0 §8.1.4 */
async function verify({ request, response }: Exchange, streams: Streams): Promise<void> {
  const body = await readJson(request)
  const stream = streams.all.get(String(body['stream_id']))
  if (stream === undefined) return json(response, 404, { error: 'not_found' })
  response.writeHead(204).end()
  const event = typeof body['state'] === 'string' ? { state: body['state'] } : {}
  await streams.put(stream, verificationType, event, { format: 'opaque', id: stream.id })
}

/** @spec RFC 8936 §2.4 */
async function poll({ request, response }: Exchange, stream: Stream | undefined, waitMs: number): Promise<void> {
  const body = await readJson(request)
  if (stream === undefined) return json(response, 404, { error: 'not_found' })
  for (const jti of (body['ack'] ?? []) as string[]) stream.waiting.delete(jti)
  for (const [jti, why] of Object.entries((body['setErrs'] ?? {}) as Record<string, { readonly err: string }>)) {
    stream.waiting.delete(jti)
    stream.refused.set(jti, why.err)
  }
  const most = typeof body['maxEvents'] === 'number' ? body['maxEvents'] : 1000
  const isReady = () => stream.status === 'enabled' && stream.waiting.size > 0
  if (most > 0 && body['returnImmediately'] !== true && !isReady()) await wait(stream, waitMs, response)
  const sets = stream.status === 'enabled' ? [...stream.waiting].slice(0, most) : []
  json(response, 200, { sets: Object.fromEntries(sets), ...(sets.length < stream.waiting.size && most > 0 && { moreAvailable: true }) })
}

const wait = (stream: Stream, waitMs: number, response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      stream.wakers.delete(end)
      resolve()
    }
    const timer = setTimeout(end, waitMs).unref()
    stream.wakers.add(end)
    response.once('close', end)
  })

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const json = (response: ServerResponse, status: number, value: unknown): void =>
  send(response, status, 'application/json', JSON.stringify(value))
