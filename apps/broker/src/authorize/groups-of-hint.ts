/** What is known of the groups of an address that somebody gave: asked for only where a rule of the tenant needs it, and not often. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { addressToLookUp } from '@drawbridge/core/tenant/connection-choice'
import { type AddressGroups, judgeGroupsOfAddress, unknownGroups } from '@drawbridge/core/tenant/groups-of-address'
import { findAddressHolders } from '@drawbridge/store/address-holders'
import { onHotPath } from '@drawbridge/store/transaction'
import type { Answer } from '../http/answer.js'
import type { ResolvedConnection } from '../http/tenant.js'
import type { Flow } from './flow.js'

/** Over the limit nobody is sent anywhere: another connection than hers would be worse than a wait. docs/adr/0027 */
export async function groupsOfHint(
  { http, deps, tenant, now }: Pick<Flow, 'http' | 'deps' | 'tenant' | 'now'>,
  usable: readonly ResolvedConnection[],
  hint: string | undefined,
): Promise<Result<AddressGroups, Answer>> {
  const address = addressToLookUp(tenant, usable, hint)
  if (!address) return ok(unknownGroups)
  const refused = http.spend('group_choice')
  if (refused) return err(refused)
  return ok(judgeGroupsOfAddress(await findAddressHolders(onHotPath(deps.database), tenant.id, address), now))
}
