/** Counts the rules that a decision could not judge, in every process that decides: an operator sees them rise before people call. */
import type { Metrics } from './metrics.js'

export const countUnclear =
  ({ metrics }: { readonly metrics: Pick<Metrics, 'count'> }) =>
  (rules: number): void => {
    if (rules > 0) metrics.count('drawbridge_policy_unclear_rules_total', {}, rules)
  }
