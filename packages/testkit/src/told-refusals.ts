/** Metrics that also write down, in order, by which reasons was refused: what the log and the counters would call it. */
import { createMetrics, type Metrics } from '@drawbridge/runtime/metrics'

export type ToldRefusals = {
  /** For the broker's dependencies. */
  readonly metrics: Metrics
  /** What was told since the last call. */
  take(): readonly string[]
}

export function toldRefusals(): ToldRefusals {
  const counted = createMetrics({ withProcess: false })
  let told: string[] = []
  const metrics: Metrics = {
    ...counted,
    count: (name, labels, by) => {
      if (name === 'drawbridge_refusals_total') told.push(String(labels?.['reason']))
      counted.count(name, labels, by)
    },
  }
  return {
    metrics,
    take: () => {
      const taken = told
      told = []
      return taken
    },
  }
}
