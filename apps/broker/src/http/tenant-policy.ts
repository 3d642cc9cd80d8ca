/**
 * The policies of tenants, compiled once per version: a tenant's configuration is loaded anew at every change of anything, its policy and the
 * vendor's wall seldom are.
 */
import { type CompiledPolicy, defaultWall, type Wall } from '@drawbridge/core/policy/compile'
import { compilePublishedPolicy, compilePublishedWall } from '@drawbridge/core/policy/published-policy'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { Log } from '@drawbridge/runtime/log'
import type { StoredConfiguration } from '@drawbridge/store/tenant-configuration'

type Stored = Pick<StoredConfiguration, 'id' | 'slug' | 'policyVersion' | 'policyDocument' | 'wall'>
export type TenantPolicy = { readonly wall: Wall; readonly policy: CompiledPolicy }
export type PolicyCompiler = (stored: Stored) => TenantPolicy

/** `most`: tenants whose policy is kept; the longest unloaded goes first. */
export function createPolicyCompiler(log: Log, most: number): PolicyCompiler {
  const kept = new Map<TenantId, TenantPolicy>()
  let wall: Wall = defaultWall
  const wallOf = (stored: Stored): Wall => {
    if (stored.wall === undefined) return defaultWall
    if (stored.wall.version !== wall.version) wall = compileStoredWall(log, stored.wall)
    return wall
  }
  return (stored) => {
    const present = wallOf(stored)
    const known = kept.get(stored.id)
    kept.delete(stored.id)
    const isCurrent = known?.policy.version === stored.policyVersion && known.policy.wallVersion === present.version
    const policy = isCurrent ? known : { wall: present, policy: compileStored(log, stored, present) }
    kept.set(stored.id, policy)
    if (kept.size > most) kept.delete(kept.keys().next().value as TenantId)
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
