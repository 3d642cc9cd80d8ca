/**
 * The policies of tenants, compiled once per version: a tenant's configuration is loaded anew at every change of anything, its policy and the
 * vendor's wall seldom are.
 */
import { type CompiledPolicy, defaultWall, type Wall } from '@drawbridge/core/policy/compile'
import { compilePublishedPolicy, compilePublishedWall } from '@drawbridge/core/policy/published-policy'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { Log } from '@drawbridge/runtime/log'
import type { StoredConfiguration } from '@drawbridge/store/tenant-configuration'
import { createLatestUsed } from './latest-used.js'

type Stored = Pick<StoredConfiguration, 'id' | 'slug' | 'policyVersion' | 'policyDocument' | 'wall'>
export type TenantPolicy = { readonly wall: Wall; readonly policy: CompiledPolicy }
export type PolicyCompiler = (stored: Stored) => TenantPolicy

/** Tenants whose policy is kept, and the characters of their documents; the longest unloaded goes first. */
export type KeptPolicies = { readonly most: number; readonly weight: number }

export function createPolicyCompiler(log: Log, limits: KeptPolicies): PolicyCompiler {
  const kept = createLatestUsed<TenantId, TenantPolicy>(limits)
  let wall: Wall = defaultWall
  const wallOf = (stored: Stored): Wall => {
    if (stored.wall === undefined) return defaultWall
    if (stored.wall.version !== wall.version) wall = compileStoredWall(log, stored.wall)
    return wall
  }
  return (stored) => {
    const present = wallOf(stored)
    const known = kept.get(stored.id)
    const isCurrent = known?.policy.version === stored.policyVersion && known.policy.wallVersion === present.version
    const policy = isCurrent ? known : { wall: present, policy: compileStored(log, stored, present) }
    kept.set(stored.id, policy, stored.policyDocument?.length ?? 0)
    return policy
  }
}

function compileStoredWall(log: Log, published: NonNullable<Stored['wall']>): Wall {
  const { value, isBroken } = compilePublishedWall(published)
  if (isBroken)
    log.error({ wallVersion: published.version }, 'the published policy of the vendor does not compile; nothing is granted until it does')
  return value
}

function compileStored(log: Log, stored: Stored, wall: Wall): CompiledPolicy {
  const { value, isBroken } = compilePublishedPolicy(stored, wall)
  const { slug, policyVersion } = stored
  if (isBroken) log.error({ tenant: slug, policyVersion }, 'a published policy does not compile; the safe default applies')
  return value
}
