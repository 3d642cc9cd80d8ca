/**
 * The policies of tenants, compiled once per version: a tenant's configuration is loaded anew at every change of anything, its policy and the
 * vendor's wall seldom are.
 *
 * A published document that no longer compiles (after an upgrade that refuses what was accepted before) fails closed: the tenant's grants
 * nothing, the vendor's lets nothing through.
 */
import {
  type CompiledPolicy,
  closedWall,
  compilePolicy,
  compileWall,
  defaultWall,
  safeDefault,
  type Wall,
} from '@drawbridge/core/policy/compile'
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
    const isCurrent = known?.policy.version === stored.policyVersion && known.wall === present
    const policy = isCurrent ? known : { wall: present, policy: compileStored(log, stored, present) }
    kept.set(stored.id, policy)
    if (kept.size > most) kept.delete(kept.keys().next().value as TenantId)
    return policy
  }
}

function compileStoredWall(log: Log, { version, document }: NonNullable<Stored['wall']>): Wall {
  const compiled = compileWall(document, version)
  if (compiled.ok) return compiled.value
  log.error({ wallVersion: version }, 'the published policy of the vendor does not compile; nothing is granted until it does')
  return closedWall(version)
}

function compileStored(log: Log, { slug, policyVersion: version, policyDocument }: Stored, wall: Wall): CompiledPolicy {
  if (policyDocument === undefined) return { ...safeDefault(wall), version }
  const compiled = compilePolicy(policyDocument, { version, wall, isPublished: true })
  if (compiled.ok) return compiled.value
  log.error({ tenant: slug, policyVersion: version }, 'a published policy does not compile; the safe default applies')
  return { ...safeDefault(wall), version }
}
