/**
 * One port, two lanes. Endpoints marked hot are found by a short list and served straight from `node:http`; the others go through
 * Express, which is only the router. Both end in `serveEndpoint`, so body, limits, headers, log and metrics are the same.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import express from 'express'
import type { BrokerDeps } from '../deps.js'
import { empty } from './answer.js'
import { type Endpoint, endpoint, type Method } from './endpoint.js'
import type { RateLimiter } from './rate-limit.js'
import { type Matched, type Serving, serveEndpoint } from './serve-endpoint.js'
import { type RefusalShape, refuseHttp } from './write-error.js'

export const serverLimits = { headersTimeoutMs: 15_000, requestTimeoutMs: 30_000, maxHeaderBytes: 32_768, urlLength: 16_384 } as const

export function createHttpServer(deps: BrokerDeps, endpoints: readonly Endpoint[], limiter: RateLimiter): Server {
  const serving: Serving = { deps, limiter }
  const routes = endpoints.map(toRoute)
  const hot = routes.filter((route) => route.endpoint.hot)
  const ordinary = createOrdinaryLane(serving, endpoints, routes)
  const server = createServer({ maxHeaderSize: serverLimits.maxHeaderBytes }, (request, response) => {
    const { path, search } = splitUrl(request.url ?? '/')
    const method = request.method === 'HEAD' ? 'GET' : request.method
    for (const route of hot) {
      if (route.endpoint.method !== method) continue
      const params = route.match(path)
      if (params) return void serveEndpoint(serving, request, response, { endpoint: route.endpoint, path, search, params })
    }
    ordinary(request, response)
  })
  server.headersTimeout = serverLimits.headersTimeoutMs
  server.requestTimeout = serverLimits.requestTimeoutMs
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })
  return server
}

type Params = Readonly<Record<string, string>>
type Route = { readonly endpoint: Endpoint; readonly match: (path: string) => Params | undefined }

/** Parameters of hot routes are plain (slugs, ids), so a segment that needs decoding is not one. */
function toRoute(found: Endpoint): Route {
  const names = [...found.path.matchAll(/:([a-zA-Z]+)/g)].map((match) => match[1] as string)
  const pattern = new RegExp(`^${found.path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[a-zA-Z]+/g, '([^/]+)')}/?$`)
  return {
    endpoint: found,
    match: (path) => {
      const match = pattern.exec(path)
      if (!match) return undefined
      const values = match.slice(1).map(decodeSegment)
      return values.includes(undefined) ? undefined : Object.fromEntries(names.map((name, index) => [name, values[index] as string]))
    },
  }
}

function decodeSegment(segment: string): string | undefined {
  try {
    const value = decodeURIComponent(segment)
    return value.includes('\0') ? undefined : value
  } catch {
    return undefined
  }
}

function splitUrl(url: string): { readonly path: string; readonly search: string } {
  const at = url.indexOf('?')
  return at < 0 ? { path: url, search: '' } : { path: url.slice(0, at), search: url.slice(at + 1) }
}

type Lane = (request: IncomingMessage, response: ServerResponse) => void

function createOrdinaryLane(serving: Serving, endpoints: readonly Endpoint[], routes: readonly Route[]): Lane {
  const app = express()
  app.disable('x-powered-by')
  app.set('etag', false)
  app.set('query parser', false)
  for (const found of endpoints) {
    if (found.hot) continue
    const register = found.method.toLowerCase() as Lowercase<Method>
    app[register](found.path, (request, response) => {
      const { path, search } = splitUrl(request.url)
      const params = request.params as Record<string, string>
      const malformed = Object.values(params).some((value) => value.includes('\0'))
      const served = malformed ? fallback('path_malformed', found.refusals) : found
      void serveEndpoint(serving, request, response, { endpoint: served, path, search, params: malformed ? {} : params })
    })
  }
  // Nothing matched: 404, 405 with Allow, or the answer to a preflight.
  app.use((request, response) => {
    const matched: Matched = { ...splitUrl(request.url), endpoint: fallbackFor(request, routes), params: {} }
    void serveEndpoint(serving, request, response, matched)
  })
  // Express itself throws only on a path that it cannot decode.
  const onError: express.ErrorRequestHandler = (_error, request, response, _next) => {
    void serveEndpoint(serving, request, response, {
      ...splitUrl(request.url),
      endpoint: fallback('path_malformed', shapeFor(request)),
      params: {},
    })
  }
  app.use(onError)
  return (request, response) => void app(request, response)
}

const scimPath = /^\/t\/[^/]+\/scim(\/|$)/
/** A person's browser gets a page, a program gets JSON: each of them the JSON that its specification names. */
const shapeFor = (request: IncomingMessage): RefusalShape => {
  if (request.url?.startsWith('/admin/')) return 'problem'
  if (scimPath.test(request.url ?? '')) return 'scim'
  return request.headers.accept?.includes('text/html') ? 'page' : 'json'
}

function fallbackFor(request: IncomingMessage, routes: readonly Route[]): Endpoint {
  const { path } = splitUrl(request.url ?? '/')
  if (decodeSegment(path) === undefined) return fallback('path_malformed', shapeFor(request))
  const there = routes.filter((route) => route.match(path) !== undefined).map((route) => route.endpoint)
  if (there.length === 0) return fallback('path_unknown', shapeFor(request))
  const allow = [...new Set(there.flatMap((found) => (found.method === 'GET' ? ['GET', 'HEAD'] : [found.method]))), 'OPTIONS'].join(', ')
  if (request.method !== 'OPTIONS') return fallback('method_refused', there[0]?.refusals ?? 'json', { allow })
  const cors = there.some((found) => found.cors)
  const preflight = {
    allow,
    'access-control-allow-methods': allow,
    'access-control-allow-headers': 'authorization, content-type, dpop, mcp-protocol-version',
    'access-control-max-age': '3600',
  }
  return {
    ...fallback('path_unknown', 'json'),
    ...(cors ? { cors: true } : {}),
    serve: async () => empty(204, { headers: cors ? preflight : { allow } }),
  }
}

/** An endpoint that only refuses, so that refusals of the router get the same id, headers, log and metrics. */
function fallback(
  reason: 'path_unknown' | 'method_refused' | 'path_malformed',
  shape: RefusalShape,
  headers: Readonly<Record<string, string>> = {},
): Endpoint {
  return endpoint({
    method: 'GET',
    path: `(${reason})`,
    spec: 'RFC 9110 §15',
    summary: 'Refuses what no endpoint answers',
    refusals: shape,
    run: () => refuseHttp(shape, reason, undefined, { headers }),
  })
}
