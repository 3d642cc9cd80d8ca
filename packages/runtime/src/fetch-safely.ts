/**
 * The only way out: every fetch of the house goes through here, because most of them go where a stranger's URL says.
 *
 * The host is resolved once, every address it has must be public, and the connection is made to the address that was judged, so a
 * name that answers differently the second time (DNS rebinding) gains nothing. No redirects, no proxies, a limit on time and size.
 *
 * @spec OWASP SSRF prevention; OAuth Client ID Metadata Document §6
 */
import { lookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { err, ok, type Result } from '@drawbridge/core/result'
import { Agent, request } from 'undici'
import { isLoopbackAddress, isSpecialUseAddress } from './special-use.js'

export type FetchRefusal = {
  readonly reason:
    | 'url_invalid'
    | 'scheme_refused'
    | 'name_unresolved'
    | 'address_refused'
    | 'redirect_refused'
    | 'type_refused'
    | 'too_large'
    | 'timed_out'
    | 'unreachable'
  readonly detail?: Readonly<Record<string, string | number>>
}

export type FetchDeps = {
  /** Origins that may rest on special-use addresses and speak plain http: exactly what the embedded start or the operator named. */
  readonly allowedOrigins: readonly string[]
  /** Lab only. */
  readonly allowLoopback: boolean
  /** Tests only: how names are resolved. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>
}

export type FetchOptions = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly maxBytes: number
  readonly timeoutMs: number
  /** Only the status is of interest: nothing of the body is read, however long it is. */
  readonly discardBody?: boolean
  /** Media types that the answer may have, without parameters. Checked on 2xx only. */
  readonly accept?: readonly string[] | string
  /** Ends it early: of whoever waits long and may have to stop. */
  readonly signal?: AbortSignal
  /** Hears when the look-up of the name ends, which may be long after the fetch was given up: nothing can end it. */
  readonly onLookup?: (ended: Promise<unknown>) => void
}

export type Fetched = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }
export type FetchSafely = (url: string, options: FetchOptions) => Promise<Result<Fetched, FetchRefusal>>

export async function fetchSafely(deps: FetchDeps, url: string, options: FetchOptions): Promise<Result<Fetched, FetchRefusal>> {
  const target = judgeUrl(deps, url)
  if (!target.ok) return target
  // AbortSignal.timeout() would keep each signal, and what listens to it, for all of the time-out, long after its fetch is over.
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), options.timeoutMs).unref()
  const stop = () => late.abort()
  if (options.signal?.aborted) stop()
  options.signal?.addEventListener('abort', stop, { once: true })
  try {
    return await fetchFrom(deps, target.value, options, late.signal)
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', stop)
  }
}

async function fetchFrom(deps: FetchDeps, url: URL, options: FetchOptions, signal: AbortSignal): Promise<Result<Fetched, FetchRefusal>> {
  const lookup = resolveSafely(deps, url)
  options.onLookup?.(lookup)
  const address = await beforeAbort(signal, lookup)
  if (!address.ok) return address
  const agent = new Agent({ connect: { lookup: pinTo(address.value), timeout: options.timeoutMs }, pipelining: 0, connections: 1 })
  try {
    return await exchange(agent, url, options, signal)
  } catch (cause) {
    return err(
      signal.aborted
        ? { reason: 'timed_out', detail: { ms: options.timeoutMs } }
        : { reason: 'unreachable', detail: { cause: causeOf(cause) } },
    )
  } finally {
    void agent.destroy()
  }
}

/** The same with its dependencies bound, as apps pass it around. */
export const createFetchSafely =
  (deps: FetchDeps): FetchSafely =>
  (url, options) =>
    fetchSafely(deps, url, options)

function judgeUrl(deps: FetchDeps, text: string): Result<URL, FetchRefusal> {
  if (!URL.canParse(text)) return err({ reason: 'url_invalid' })
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return err({ reason: 'url_invalid', detail: { because: 'credentials in the URL' } })
  if (url.protocol === 'https:') return ok(url)
  const plainAllowed =
    url.protocol === 'http:' && (deps.allowedOrigins.includes(url.origin) || (deps.allowLoopback && isLoopbackName(url.hostname)))
  return plainAllowed ? ok(url) : err({ reason: 'scheme_refused', detail: { scheme: url.protocol } })
}

const isLoopbackName = (hostname: string): boolean => hostname === 'localhost' || isLoopbackAddress(hostname.replace(/^\[|\]$/g, ''))

async function resolveSafely(deps: FetchDeps, url: URL): Promise<Result<string, FetchRefusal>> {
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  let addresses: readonly string[]
  try {
    addresses = isIP(hostname) ? [hostname] : await (deps.resolve ?? resolveAll)(hostname)
  } catch {
    addresses = []
  }
  const [first] = addresses
  if (first === undefined) return err({ reason: 'name_unresolved', detail: { host: hostname } })
  if (deps.allowedOrigins.includes(url.origin)) return ok(first)
  // One bad address among good ones refuses them all: nobody with honest intent publishes such a name.
  const refused = addresses.find((address) => isSpecialUseAddress(address) && !(deps.allowLoopback && isLoopbackAddress(address)))
  return refused === undefined ? ok(first) : err({ reason: 'address_refused', detail: { host: hostname, address: refused } })
}

const lookupsUnderWay = new Map<string, Promise<readonly string[]>>()

/** One look-up of a name at a time: each holds a thread for as long as its name servers are silent, and the host has few. */
function resolveAll(hostname: string): Promise<readonly string[]> {
  const underWay = lookupsUnderWay.get(hostname)
  if (underWay !== undefined) return underWay
  const found = lookup(hostname, { all: true, order: 'ipv4first' })
    .then((all) => all.map(({ address }) => address))
    .finally(() => lookupsUnderWay.delete(hostname))
  lookupsUnderWay.set(hostname, found)
  return found
}

const pinTo =
  (address: string): LookupFunction =>
  (_hostname, options, callback) => {
    const family = isIP(address)
    if (options.all) callback(null, [{ address, family }])
    else callback(null, address, family)
  }

async function exchange(agent: Agent, url: URL, options: FetchOptions, signal: AbortSignal): Promise<Result<Fetched, FetchRefusal>> {
  const accepted = typeof options.accept === 'string' ? [options.accept] : options.accept
  const answer = await request(url, {
    method: options.method ?? 'GET',
    headers: { 'user-agent': 'Drawbridge', ...(accepted ? { accept: accepted.join(', ') } : {}), ...options.headers },
    body: options.body ?? null,
    dispatcher: agent,
    signal,
    headersTimeout: options.timeoutMs,
    bodyTimeout: options.timeoutMs,
  })
  const refuse = (refusal: FetchRefusal): Result<never, FetchRefusal> => {
    answer.body.destroy()
    return err(refusal)
  }
  answer.body.on('error', () => {})
  const { statusCode: status } = answer
  if (status >= 300 && status < 400 && status !== 304) return refuse({ reason: 'redirect_refused', detail: { status } })
  const headers = flatten(answer.headers)
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  if (accepted && status < 300 && !accepted.includes(type)) return refuse({ reason: 'type_refused', detail: { type } })
  if (options.discardBody) {
    answer.body.destroy()
    return ok({ status, headers, body: Buffer.alloc(0) })
  }
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > options.maxBytes) return refuse({ reason: 'too_large', detail: { maxBytes: options.maxBytes, status } })
    chunks.push(chunk)
  }
  return ok({ status, headers, body: Buffer.concat(chunks) })
}

const flatten = (headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]))

const causeOf = (cause: unknown): string => (cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.name) : 'unknown')

async function beforeAbort<T>(signal: AbortSignal, work: Promise<Result<T, FetchRefusal>>): Promise<Result<T, FetchRefusal>> {
  if (signal.aborted) return err({ reason: 'timed_out' })
  const late = new Promise<Result<T, FetchRefusal>>((resolve) => {
    signal.addEventListener('abort', () => resolve(err({ reason: 'timed_out' })), { once: true })
  })
  return Promise.race([work, late])
}
