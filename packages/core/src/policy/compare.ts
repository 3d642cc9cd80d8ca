/** What another policy would change for somebody: scopes gained and lost, lives longer and shorter. */
import type { Scope } from '../tenant/ids.js'
import type { PolicyDecision } from './decision.js'

export type LifetimeChange = { readonly from: number | undefined; readonly to: number | undefined }

export type DecisionChange = {
  readonly outcome: { readonly from: PolicyDecision['kind']; readonly to: PolicyDecision['kind'] }
  readonly gained: readonly Scope[]
  readonly lost: readonly Scope[]
  /** Seconds; `undefined` on a side where there is no such token. Absent: the same. */
  readonly accessTokenSeconds?: LifetimeChange
  readonly refreshTokenSeconds?: LifetimeChange
}

/** `undefined`: nothing changes. */
export function compareDecisions(before: PolicyDecision, after: PolicyDecision): DecisionChange | undefined {
  const [had, has] = [grantedBy(before), grantedBy(after)]
  const gained = has.filter((scope) => !had.includes(scope))
  const lost = had.filter((scope) => !has.includes(scope))
  const access = changeOf(secondsOf(before, 'accessTokenTtl'), secondsOf(after, 'accessTokenTtl'))
  const refresh = changeOf(secondsOf(before, 'refreshTokenTtl'), secondsOf(after, 'refreshTokenTtl'))
  if (before.kind === after.kind && gained.length === 0 && lost.length === 0 && !access && !refresh) return undefined
  return {
    outcome: { from: before.kind, to: after.kind },
    gained,
    lost,
    ...(access && { accessTokenSeconds: access }),
    ...(refresh && { refreshTokenSeconds: refresh }),
  }
}

const grantedBy = (decision: PolicyDecision): readonly Scope[] => (decision.kind === 'allow' ? decision.scopes : [])
const secondsOf = (decision: PolicyDecision, of: 'accessTokenTtl' | 'refreshTokenTtl'): number | undefined =>
  decision.kind === 'allow' ? decision[of]?.seconds : undefined
const changeOf = (from: number | undefined, to: number | undefined): LifetimeChange | undefined => (from === to ? undefined : { from, to })
