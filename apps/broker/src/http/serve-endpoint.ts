/**
 * What happens to every request, hot or ordinary, in this order: id, rate limit, body, tenant, endpoint, answer, log, metrics.
 *
 * No request ends in an exception: a database that is lost or too busy becomes 503 with Retry-After, anything else unexpected a 500 that says only its id.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { err, ok, type Result } from '@drawbridge/core/result'
import { busyBy } from '@drawbridge/store/turns'
import type { BrokerDeps } from '../deps.js'
import { type Answer, withCookies } from './answer.js'
import { clientAddress, knownAddress, limitKey } from './client-address.js'
import { clientCountry } from './client-country.js'
import { parseCookies } from './cookies.js'
import { isDatabaseGone } from './database-gone.js'
import type { Endpoint, HttpRequest, Method } from './endpoint.js'
import { FaultAfterwards } from './fault-afterwards.js'
import { type FormRefusal, parseForm, type SingleValuedForm, withoutEmpty } from './form.js'
import { findAtFront } from './front.js'
import { limitAt } from './limit-at.js'
import { noFiles, parseMultipart } from './multipart.js'
import type { RateLimiter, RateLimitName } from './rate-limit.js'
import { decodeUtf8, defaultMaxBodyBytes, parseJsonBody, readBody } from './read-body.js'
import { newRequestId } from './request-id.js'
import type { ResolvedTenant } from './tenant.js'
import { writeAnswer } from './write-answer.js'
import { refuseHttp } from './write-error.js'

export type Serving = { readonly deps: BrokerDeps; readonly limiter: RateLimiter }
/** The path has been matched and decoded; `search` is what stood behind the question mark. */
export type Matched = {
  readonly endpoint: Endpoint
  readonly path: string
  readonly search: string
  readonly params: Readonly<Record<string, string>>
}

export const retryAfterSeconds = 5

export async function serveEndpoint(serving: Serving, request: IncomingMessage, response: ServerResponse, matched: Matched): Promise<void> {
  const { deps } = serving
  const started = performance.now()
  const requestId = newRequestId(deps.random)
  const { endpoint } = matched
  let answer: Answer
  try {
    answer = await answerRequest(serving, request, matched, requestId)
  } catch (cause) {
    answer =
      cause instanceof FaultAfterwards
        ? withCookies(answerFault(deps, endpoint, requestId, cause.cause), cause.setCookies)
        : answerFault(deps, endpoint, requestId, cause)
  }
  const context = { requestId, cors: endpoint.cors === true }
  try {
    writeAnswer(deps, request, response, answer, context)
  } catch (cause) {
    // A header that HTTP cannot carry, say. Nothing has been sent; an exception here would end the process.
    answer = answerFault(deps, endpoint, requestId, cause)
    writeAnswer(deps, request, response, answer, context)
  }
  const seconds = (performance.now() - started) / 1000
  const name = `${endpoint.method} ${endpoint.path}`
  deps.metrics.count('drawbridge_http_requests_total', { endpoint: name, status: String(answer.status) })
  deps.metrics.observe('drawbridge_http_request_seconds', { endpoint: name }, seconds)
  logAnswer(deps, name, requestId, answer, seconds)
}

async function answerRequest(
  serving: Serving,
  request: IncomingMessage,
  matched: Matched,
  requestId: HttpRequest['requestId'],
): Promise<Answer> {
  const { deps, limiter } = serving
  const { endpoint, params } = matched
  const shape = endpoint.refusals
  const known = knownAddress(request, deps.settings.trustedProxyHops)
  const address = clientAddress(request, known)
  const slug = params['tenant']
  const quotas = slug === undefined ? undefined : await labQuotas(deps, endpoint, slug)
  const spend = (limit: RateLimitName, of = limitKey(address)): Answer | undefined => {
    const own = quotas?.[limit]
    const taken = limiter.take(limit, of, slug !== undefined && own ? { slug, limit: own } : undefined)
    if (taken.allowed) return undefined
    deps.metrics.count('drawbridge_rate_limited_total', { limit })
    return refuseHttp(shape, 'rate_limited', { limit }, { headers: { 'retry-after': String(taken.retryAfterSeconds) } })
  }
  const caller = { params, address, headers: headersOf(request) }
  const sparesAddress = endpoint.sparesAddress?.(caller, deps) === true
  const spared = sparesAddress ? endpoint.sparedLimit : undefined
  const limited =
    (sparesAddress ? undefined : spend(endpoint.addressLimit ?? 'address')) ??
    (spared ? spend(spared.limit, spared.of(caller)) : endpoint.rateLimit && spend(endpoint.rateLimit))
  if (limited) return limited
  const body = await readBody(request, endpoint.maxBodyBytes ?? defaultMaxBodyBytes)
  if (!body.ok) return refuseHttp(shape, body.error)
  const place = { address, knownAddress: known, country: clientCountry(request, deps.settings) }
  const asked = toHttpRequest(request, matched, body.value, { ...place, requestId })
  const tenant = await findTenant(deps, endpoint, asked)
  if (slug !== undefined && !tenant) return refuseHttp(shape, 'tenant_unknown')
  if (endpoint.front && !tenant) return refuseHttp(shape, 'path_unknown')
  const limitedTogether = tenant && endpoint.tenantLimit && spend(limitAt(tenant, endpoint.tenantLimit), tenant.id)
  if (limitedTogether) return limitedTogether
  if (tenant?.suspendedAt !== undefined && !endpoint.servesSuspended) return refuseHttp(shape, 'tenant_suspended')
  const http = { ...asked, spend }
  return endpoint.serve(tenant ? { ...http, tenant } : http, deps)
}

/** By the path; at the front issuer by the credential. */
async function findTenant(
  deps: BrokerDeps,
  { front, ofMember }: Endpoint,
  http: Omit<HttpRequest, 'spend'>,
): Promise<ResolvedTenant | undefined> {
  if (front) return findAtFront(deps, front, http)
  const slug = http.params['tenant']
  return slug === undefined ? undefined : deps.configuration.find(slug, ofMember ? 'front_member' : 'tenant')
}

/** A lab's quotas per tenant; the admin API is spared, so that whoever set one too low can mend it. Elsewhere nothing is looked up here. */
async function labQuotas(deps: BrokerDeps, endpoint: Endpoint, slug: string) {
  if (deps.installation.kind !== 'lab' || endpoint.path.startsWith('/admin/')) return undefined
  return (await deps.configuration.find(slug))?.labRateLimits
}

const headersOf = (request: IncomingMessage) => request.headers as HttpRequest['headers']

function toHttpRequest(
  request: IncomingMessage,
  matched: Matched,
  rawBody: Buffer,
  whoAsks: Pick<HttpRequest, 'address' | 'knownAddress' | 'country' | 'requestId'>,
): Omit<HttpRequest, 'spend'> {
  const headers = headersOf(request)
  const contentType = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  const isForm = contentType === 'application/x-www-form-urlencoded'
  const filled =
    matched.endpoint.takesFiles && contentType === 'multipart/form-data'
      ? parseMultipart(headers['content-type'] ?? '', rawBody)
      : undefined
  const form = filled?.ok ? ok(filled.value.form) : (filled ?? (isForm ? parseFormBody(rawBody) : err({ reason: 'form_absent' as const })))
  const query = parseForm(matched.search)
  const { omitsEmpty = false } = matched.endpoint
  return {
    method: matched.endpoint.method as Method,
    path: matched.path,
    params: matched.params,
    query: omitsEmpty ? withoutEmpty(query) : query,
    rawQuery: matched.search,
    form: omitsEmpty ? withoutEmpty(form) : form,
    files: filled?.ok ? filled.value.files : noFiles,
    json: isForm || filled || rawBody.length === 0 ? err('json_malformed') : parseJsonBody(rawBody),
    rawBody,
    headers,
    cookies: parseCookies(headers['cookie']),
    ...whoAsks,
    parsed: undefined,
    caller: undefined,
  }
}

function parseFormBody(body: Buffer): Result<SingleValuedForm, FormRefusal> {
  const text = decodeUtf8(body)
  return text === undefined ? err({ reason: 'parameter_malformed' }) : parseForm(text)
}

function answerFault(deps: BrokerDeps, endpoint: Endpoint, requestId: string, cause: unknown): Answer {
  const busy = busyBy(cause)
  if (busy === 'tenant_busy' || busy === 'directory_busy')
    return refuseHttp(endpoint.refusals, busy, undefined, { headers: { 'retry-after': String(retryAfterSeconds) } })
  if (isDatabaseGone(cause)) {
    deps.log.warn({ requestId, cause: describe(cause) }, 'the database does not answer')
    return refuseHttp(endpoint.refusals, 'database_gone', undefined, { headers: { 'retry-after': String(retryAfterSeconds) } })
  }
  deps.log.error(
    { requestId, endpoint: endpoint.path, cause: describe(cause), stack: cause instanceof Error ? cause.stack : undefined },
    'an invariant broke',
  )
  return refuseHttp(endpoint.refusals, 'server_fault')
}

const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

function logAnswer(deps: BrokerDeps, endpoint: string, requestId: string, answer: Answer, seconds: number): void {
  const fields = { requestId, endpoint, status: answer.status, ms: Math.round(seconds * 1000) }
  if (!answer.refusal) return deps.log.debug(fields, 'answered')
  deps.metrics.count('drawbridge_refusals_total', { reason: answer.refusal.reason })
  deps.log.info(
    { ...fields, reason: answer.refusal.reason, ...(answer.refusal.detail ? { detail: answer.refusal.detail } : {}) },
    'refused',
  )
}
