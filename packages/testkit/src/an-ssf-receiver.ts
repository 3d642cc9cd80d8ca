/**
 * A receiver of security events as another maker would write it: by the text of SSF 1.0, RFC 8417, RFC 8935, RFC 8936, RFC 9493 and CAEP 1.0, with `jose`
 * and nothing of ours.
 *
 * It discovers the transmitter, manages its streams, serves the address that is pushed to, and polls. What it is sent it judges strictly; what it finds
 * wrong is refused on the wire, and kept with the reason for the test to read.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose'

export type Called = { readonly status: number; readonly headers: Headers; readonly body: any }
export type SecurityEvent = JWTPayload & { readonly jti: string; readonly sub_id: any; readonly events: Readonly<Record<string, any>> }
type Push = { readonly status: number; readonly err?: string }

export type SsfReceiver = {
  readonly origin: string
  /** Where it is pushed to. */
  readonly endpointUrl: string
  /** What it has believed, each once, in the order in which it came. */
  readonly believed: readonly SecurityEvent[]
  /** Ids of everything that was pushed, repeated ones too. */
  readonly pushed: readonly string[]
  readonly refused: readonly string[]
  /** What it wants to see as Authorization of a push. */
  wants(header: string | undefined): void
  /** How it answers pushes from now on instead of judging them; `undefined`: it judges again. */
  answers(instead: ((jti: string) => Push | 'hang up') | undefined): void
  close(): Promise<void>
}

/** `at`: where the issuer's host is found. @spec SSF 1.0 §7.2: the well-known part goes between host and path */
export async function discover(issuer: string, at = new URL(issuer).origin): Promise<Readonly<Record<string, any>>> {
  const { pathname } = new URL(issuer)
  const response = await fetch(`${at}/.well-known/ssf-configuration${pathname === '/' ? '' : pathname}`)
  const found = (await response.json()) as Readonly<Record<string, any>>
  if (found['issuer'] !== issuer) throw new Error(`the configuration is of ${found['issuer']}`)
  return found
}

export type Managed = { readonly configuration: Readonly<Record<string, any>>; readonly authorization: string }

const call = async ({ authorization }: Managed, method: string, url: string, body?: unknown): Promise<Called> => {
  const headers = { authorization, accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}

/** The management of streams, by the addresses that the configuration names. @spec SSF 1.0 §8.1 */
export function managing(managed: Managed) {
  const { configuration_endpoint: streams, status_endpoint: status, verification_endpoint: verification } = managed.configuration
  const of = (url: string, id: string) => `${url}?stream_id=${encodeURIComponent(id)}`
  return {
    create: (body: unknown) => call(managed, 'POST', streams, body),
    read: (id: string) => call(managed, 'GET', of(streams, id)),
    list: () => call(managed, 'GET', streams),
    update: (body: unknown) => call(managed, 'PATCH', streams, body),
    replace: (body: unknown) => call(managed, 'PUT', streams, body),
    remove: (id: string) => call(managed, 'DELETE', of(streams, id)),
    status: (id: string) => call(managed, 'GET', of(status, id)),
    setStatus: (body: unknown) => call(managed, 'POST', status, body),
    verify: (body: unknown) => call(managed, 'POST', verification, body),
    poll: (url: string, body: unknown = { returnImmediately: true }) => call(managed, 'POST', url, body),
  }
}

/** What a set must be that this receiver believes: throws an `Error` whose message is the code of RFC 8935 §2.4, or `keys_unavailable`: it cannot say. */
export function judging({ configuration }: Pick<Managed, 'configuration'>, audience: string) {
  const keys = createRemoteJWKSet(new URL(configuration['jwks_uri']), { cooldownDuration: 0 })
  return async (token: string): Promise<SecurityEvent> => {
    const payload = await verify(keys, token, configuration['issuer'])
    if (payload.aud !== audience) throw new Error('invalid_audience')
    // SSF 1.0 §11.1: neither may be in a set.
    if ('exp' in payload || 'sub' in payload) throw new Error('invalid_request')
    const { events, sub_id: subject } = payload as Partial<SecurityEvent>
    const [type, ...more] = Object.keys(events ?? {})
    if (typeof payload.jti !== 'string' || type === undefined || more.length > 0 || !isSubject(subject)) throw new Error('invalid_request')
    const { event_timestamp: at } = events?.[type] ?? {}
    // CAEP 1.0 §2: seconds.
    if (type.includes('/caep/') && !(Number.isInteger(at) && Math.abs(at - (payload.iat ?? 0)) < 86_400)) throw new Error('invalid_request')
    return payload as SecurityEvent
  }
}

async function verify(keys: ReturnType<typeof createRemoteJWKSet>, token: string, issuer: string): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, keys, { typ: 'secevent+jwt', issuer, requiredClaims: ['iat', 'jti', 'events', 'aud'] })).payload
  } catch (error) {
    if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'iss') throw new Error('invalid_issuer')
    if (isOfTheWay(error)) throw new Error('keys_unavailable')
    throw new Error(error instanceof errors.JWTClaimValidationFailed ? 'invalid_request' : 'invalid_key')
  }
}

/** The keys could not be fetched: it says nothing of the set. */
const isOfTheWay = (error: unknown): boolean =>
  !(error instanceof errors.JOSEError) || error instanceof errors.JWKSTimeout || error.code === 'ERR_JOSE_GENERIC'

const members: Readonly<Record<string, readonly string[]>> = { iss_sub: ['iss', 'sub'], opaque: ['id'], uri: ['uri'], email: ['email'] }
function isSubject(subject: unknown): boolean {
  if (typeof subject !== 'object' || subject === null) return false
  const { format, ...rest } = subject as Readonly<Record<string, unknown>>
  if (format === 'complex') return Object.keys(rest).length > 0 && Object.values(rest).every(isSubject)
  const wanted = members[String(format)]
  return wanted !== undefined && wanted.every((name) => typeof rest[name] === 'string') && Object.keys(rest).length === wanted.length
}

/** `judge`: known once the transmitter has been discovered. */
export async function anSsfReceiver(judge: () => (token: string) => Promise<SecurityEvent>): Promise<SsfReceiver> {
  const believed: SecurityEvent[] = []
  const pushed: string[] = []
  const refused: string[] = []
  const set: { wanted?: string | undefined; instead?: ((jti: string) => Push | 'hang up') | undefined } = {}

  const take = async (request: IncomingMessage): Promise<Push | 'hang up'> => {
    const token = await readText(request)
    const jti = jtiOf(token)
    pushed.push(jti)
    if (set.instead !== undefined) return set.instead(jti)
    if (request.method !== 'POST' || request.headers['content-type'] !== 'application/secevent+jwt')
      return { status: 400, err: 'invalid_request' }
    if (request.headers.authorization !== set.wanted) return { status: 400, err: 'authentication_failed' }
    try {
      const event = await judge()(token)
      if (!believed.some((known) => known.jti === event.jti)) believed.push(event)
      return { status: 202 }
    } catch (error) {
      const code = (error as Error).message
      refused.push(code)
      return { status: 400, err: code }
    }
  }
  const server = createServer((request, response) => {
    void take(request).then((answer) => {
      if (answer === 'hang up') return request.socket.destroy()
      const body = answer.err === undefined ? undefined : JSON.stringify({ err: answer.err, description: 'said by the receiver' })
      return response
        .writeHead(answer.status, body === undefined ? {} : { 'content-type': 'application/json', 'content-language': 'en' })
        .end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    ...{ origin, endpointUrl: `${origin}/events`, believed, pushed, refused },
    wants: (header) => {
      set.wanted = header
    },
    answers: (instead) => {
      set.instead = instead
    },
    close: () => closed(server),
  }
}

const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()).closeAllConnections())

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

const jtiOf = (token: string): string => {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')).jti
  } catch {
    return 'unreadable'
  }
}
