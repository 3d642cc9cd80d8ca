/** A client that is registered at the front issuer becomes known at a tenant, by a copy of its registration that follows it. */
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { adoptFrontClient } from '@drawbridge/store/front-clients'
import { inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** `member`: the tenant at the front. Answers whether it knows the client from now on: not one that the front does not know, or that is blocked or over there. */
export async function adoptClient(deps: BrokerDeps, member: ResolvedTenant, id: ClientId): Promise<boolean> {
  if (await deps.clients.read({ tenantId: member.id, issuerId: member.issuer.id, id })) return true
  return inTenant(deps.database, member.id, (db) => adoptFrontClient(db, member.id, id, deps.clock.now()))
}
