/** The worker's only HTTP: is it alive, can it work, what has it counted. */
import { createServer, type Server } from 'node:http'
import type { Metrics } from '@drawbridge/runtime/metrics'

export type HealthChecks = Readonly<Record<string, () => Promise<boolean> | boolean>>
export type Health = { readonly port: number; close(): Promise<void> }

/** A probe that takes longer than this says no. */
export const probeTimeoutMs = 3000

async function probe(checks: HealthChecks): Promise<Record<string, boolean>> {
  const late = () => new Promise<boolean>((resolve) => setTimeout(resolve, probeTimeoutMs, false).unref())
  const results = Object.entries(checks).map(async ([name, check]) => [name, await Promise.race([check(), late()])] as const)
  return Object.fromEntries(await Promise.all(results))
}

export function serveHealth(options: {
  readonly host: string
  readonly port: number
  readonly metrics: Metrics
  readonly checks: HealthChecks
}): Promise<Health> {
  const answer = async (path: string): Promise<{ status: number; type: string; body: string }> => {
    if (path === '/healthz') return { status: 200, type: 'application/json', body: '{"status":"alive"}' }
    if (path === '/metrics') return { status: 200, type: options.metrics.contentType, body: await options.metrics.print() }
    if (path !== '/readyz') return { status: 404, type: 'application/json', body: '{"error":"not_found"}' }
    const results = await probe(options.checks)
    const isReady = Object.values(results).every(Boolean)
    return {
      status: isReady ? 200 : 503,
      type: 'application/json',
      body: JSON.stringify({ status: isReady ? 'ready' : 'unready', needs: results }),
    }
  }
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    answer(path).then(
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
