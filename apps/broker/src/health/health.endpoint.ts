/** Health: is the process alive, can it serve, how does it do. None of them needs a tenant. */
import { mayReadMetrics } from '@drawbridge/runtime/metrics-access'
import { json, text } from '../http/answer.js'
import { endpoint } from '../http/endpoint.js'
import { retryAfterSeconds } from '../http/serve-endpoint.js'
import { refuseHttp } from '../http/write-error.js'

export const healthzEndpoint = endpoint({
  method: 'GET',
  path: '/healthz',
  spec: 'ours',
  summary: 'The process is alive',
  hot: true,
  run: () => json({ status: 'alive' }),
})

/** A broker needs PostgreSQL and its keys; the queue is the worker's need, not this process's. */
export const readyzEndpoint = endpoint({
  method: 'GET',
  path: '/readyz',
  spec: 'ours',
  summary: 'The process can serve: PostgreSQL answers',
  hot: true,
  run: async (_http, deps) => {
    if (await deps.database.isReachable()) return json({ status: 'ready' })
    return json({ status: 'unready', needs: ['postgresql'] }, { status: 503, headers: { 'retry-after': String(retryAfterSeconds) } })
  },
})

export const metricsEndpoint = endpoint({
  method: 'GET',
  path: '/metrics',
  spec: 'Prometheus text format',
  summary: 'Figures for Prometheus: with the metrics token, or from loopback when none is set',
  run: async ({ address, headers }, deps) =>
    mayReadMetrics(deps.settings, { address, authorization: headers['authorization'] })
      ? text(deps.metrics.contentType, await deps.metrics.print())
      : refuseHttp('json', 'path_unknown'),
})
