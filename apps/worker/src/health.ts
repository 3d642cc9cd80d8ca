/** The worker's only HTTP: is it alive, can it work, what has it counted. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Metrics } from '@drawbridge/runtime/metrics'
import { type MetricsAccess, mayReadMetrics } from '@drawbridge/runtime/metrics-access'

export type HealthChecks = Readonly<Record<string, () => Promise<boolean> | boolean>>
export type Health = { readonly port: number; close(): Promise<void> }

/** A probe that takes longer than this says no. */
export const probeTimeoutMs = 3000

async function probe(checks: HealthChecks): Promise<Record<string, boolean>> {
  const late = () => new Promise<boolean>((resolve) => setTimeout(resolve, probeTimeoutMs, false).unref())
  const results = Object.entries(checks).map(async ([name, check]) => [name, await Promise.race([check(), late()])] as const)
  return Object.fromEntries(await Promise.all(results))
}

export type HealthOptions = {
  readonly host: string
  readonly port: number
  readonly metrics: Metrics
  readonly metricsAccess: MetricsAccess
  readonly checks: HealthChecks
}

type Answer = { readonly status: number; readonly type: string; readonly body: string }
const json = (status: number, body: unknown): Answer => ({ status, type: 'application/json', body: JSON.stringify(body) })

async function answer({ metrics, metricsAccess, checks }: HealthOptions, request: IncomingMessage): Promise<Answer> {
  const path = (request.url ?? '/').split('?', 1)[0]
  if (path === '/healthz') return json(200, { status: 'alive' })
  if (path === '/metrics') {
    const reader = { address: request.socket.remoteAddress ?? '', authorization: request.headers.authorization }
    if (mayReadMetrics(metricsAccess, reader)) return { status: 200, type: metrics.contentType, body: await metrics.print() }
  }
  if (path !== '/readyz') return json(404, { error: 'not_found' })
  const needs = await probe(checks)
  const isReady = Object.values(needs).every(Boolean)
  return json(isReady ? 200 : 503, { status: isReady ? 'ready' : 'unready', needs })
}

export function serveHealth(options: HealthOptions): Promise<Health> {
  const server: Server = createServer((request, response) => {
    answer(options, request).then(
      ({ status, type, body }) => response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body),
      () => response.writeHead(503).end(),
    )
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : options.port
      resolve({ port, close: () => new Promise((done) => server.close(() => done()).closeAllConnections()) })
    })
  })
}
