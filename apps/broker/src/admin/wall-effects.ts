/**
 * What another wall of the vendor would do to its tenants, before it holds: whose policy is looser than it, and whose test cases would hold no
 * more. Only what is news is told: what is so under the present wall already, is left out.
 */
import type { CaseFailure } from '@drawbridge/core/policy/cases'
import { compilePolicy, type Wall } from '@drawbridge/core/policy/compile'
import type { PolicyMistake } from '@drawbridge/core/policy/error'
import { compilePublishedWall } from '@drawbridge/core/policy/published-policy'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { findCurrentPolicy, type StoredPolicy } from '@drawbridge/store/policies'
import { loadConfigurationAcrossTenants } from '@drawbridge/store/tenant-configuration'
import { listTenantsAcrossTenants, type Tenant } from '@drawbridge/store/tenants'
import { inTenant } from '@drawbridge/store/transaction'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { casesUnder } from './check-policy.js'
import { caseResultsShape, placedShape, showMistakes } from './policy-shapes.js'

export const wallEffectLimits = {
  /** Tenants of one answer that are told, and of each so many test cases. */
  tenantsShown: 50,
  casesShown: 10,
  /** After so long it ends with what it has; the rest is asked for by `after`. */
  milliseconds: 10_000,
} as const

export const wallEffectsShape = z.strictObject({
  looked: z.int().describe('How many tenants were looked at'),
  next: z.string().nullable().describe('null: all that there are; or what to send as `after` to go on'),
  changed: z
    .array(
      z.strictObject({
        tenant: z.string(),
        looser: z.array(placedShape).describe('Numbers of its policy that are looser than this wall, and would be held to it'),
        cases: caseResultsShape.describe('Of its test cases those that hold now, and would not'),
      }),
    )
    .describe('Tenants for which it is another policy than the present one, as far as numbers and test cases tell'),
  leftOut: z.int().describe('How many more such tenants there are among those that were looked at'),
})

type Changed = {
  readonly tenant: string
  readonly looser: readonly PolicyMistake[]
  readonly cases: { readonly total: number; readonly failures: readonly CaseFailure[] }
}
export type WallEffects = {
  readonly looked: number
  readonly next: string | undefined
  readonly changed: readonly Changed[]
  readonly leftOut: number
}

const perPage = 100

type Reads = Pick<BrokerDeps, 'database'>
type Limits = { readonly [Name in keyof typeof wallEffectLimits]: number }

export async function effectsOfWall(
  deps: Reads,
  wall: Wall,
  after: string | undefined,
  limits: Limits = wallEffectLimits,
): Promise<WallEffects> {
  const stored = await inTenant(deps.database, vendorTenantId, (db) => findCurrentPolicy(db, vendorTenantId))
  const walls = { present: compilePublishedWall(stored).value, other: wall }
  const until = performance.now() + limits.milliseconds
  const changed: Changed[] = []
  let [looked, leftOut, last] = [0, 0, after]
  for (;;) {
    const page = await listTenantsAcrossTenants(deps.database, { from: last, limit: perPage })
    for (const tenant of page) {
      // Of the vendor itself the wall is the policy.
      if (tenant.id === vendorTenantId) {
        last = tenant.slug
        continue
      }
      // One at least, so that whoever goes on gets on.
      if (looked > 0 && performance.now() >= until) return { looked, next: last, changed, leftOut }
      const found = await effectOn(deps, tenant, walls)
      looked += 1
      last = tenant.slug
      if (found === undefined) continue
      if (changed.length < limits.tenantsShown) changed.push(found)
      else leftOut += 1
    }
    if (page.length < perPage) return { looked, next: undefined, changed, leftOut }
  }
}

type Walls = { readonly present: Wall; readonly other: Wall }

/** `undefined`: none that can be told. */
async function effectOn(deps: Reads, tenant: Tenant, walls: Walls): Promise<Changed | undefined> {
  const policy = await inTenant(deps.database, tenant.id, (db) => findCurrentPolicy(db, tenant.id))
  if (policy === undefined) return undefined
  const looser = newsOf(mistakesUnder(policy, walls.other), mistakesUnder(policy, walls.present), ({ path, say }) => `${path} ${say}`)
  const cases = policy.cases === '' ? { total: 0, failures: [] } : await casesOf(deps, tenant, { policy, walls })
  return looser.length + cases.failures.length === 0 ? undefined : { tenant: tenant.slug, looser, cases }
}

/** As if it were saved anew: what was published is held to the wall, but its author wants to know. */
function mistakesUnder({ document }: StoredPolicy, wall: Wall): readonly PolicyMistake[] {
  const compiled = compilePolicy(document, { wall })
  return compiled.ok ? [] : compiled.error
}

type UnderWalls = { readonly policy: StoredPolicy; readonly walls: Walls }

async function casesOf(deps: Reads, tenant: Tenant, { policy, walls }: UnderWalls): Promise<Changed['cases']> {
  const resources = (await loadConfigurationAcrossTenants(deps.database, tenant.slug))?.resources ?? []
  const other = await casesUnder(policy, { wall: walls.other, resources })
  if (other.failures.length === 0) return other
  const present = await casesUnder(policy, { wall: walls.present, resources })
  return { total: other.total, failures: newsOf(other.failures, present.failures, ({ name }) => name) }
}

function newsOf<T>(other: readonly T[], present: readonly T[], keyOf: (one: T) => string): readonly T[] {
  const known = new Set(present.map(keyOf))
  return other.filter((one) => !known.has(keyOf(one)))
}

export const showEffects = ({ looked, next, changed, leftOut }: WallEffects): z.output<typeof wallEffectsShape> => ({
  looked,
  next: next ?? null,
  changed: changed.map(({ tenant, looser, cases: { total, failures } }) => ({
    tenant,
    looser: [...showMistakes(looser)],
    cases: {
      total,
      failed: failures.length,
      failures: failures.slice(0, wallEffectLimits.casesShown).map(({ name, say }) => ({ name, message: say })),
    },
  })),
  leftOut,
})
