/** What the vendor's policy says in vain, by itself: it is for the resources and connections of every tenant, so which there are is not asked. */
import { safeDefault, type Wall } from './compile.js'
import { lintInTurns, type PolicyWarning } from './lint.js'

export function* lintWallInTurns(wall: Wall): Generator<undefined, readonly PolicyWarning[]> {
  const policy = safeDefault(wall)
  const own = <T extends object>(list: readonly T[]) => list.map((one) => ({ ...one, owner: 'tenant' as const }))
  const seen = {
    ...policy,
    ownGroups: wall.ownGroups,
    rules: own(policy.rules),
    demands: own(policy.demands),
    clientRules: own(policy.clientRules),
  }
  const warnings = yield* lintInTurns(seen, [])
  return warnings.filter(({ kind }) => kind !== 'resource_unknown')
}
