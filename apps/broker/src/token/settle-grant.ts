/**
 * Settles one grant that was decided below a barrier: an admin had a policy take effect at once, or a directory changed somebody's groups or
 * claims, and the worker has not come to this grant yet. Nobody waits for it: whoever meets the grant decides it first.
 */

import type { Instant } from '@drawbridge/core/instant'
import { settleGrant } from '@drawbridge/core/oauth/redecide-grant'
import { countUnclear } from '@drawbridge/runtime/unclear-rules'
import { settleGrants } from '@drawbridge/store/settle-grants'
import { inTenant } from '@drawbridge/store/transaction'
import { claimSourcesOf } from '../admission/claim-sources.js'
import type { BrokerDeps } from '../deps.js'
import type { ResolvedTenant } from '../http/tenant.js'

/** The configuration may change again while it is being decided on. What is not settled after this many rounds stays refused. */
const mostRounds = 3

export type Unsettled = {
  readonly grantId: string
  readonly configurationVersion: number
  readonly now: Instant
  readonly requestId: string
}

export async function settleOneGrant(deps: BrokerDeps, known: ResolvedTenant, unsettled: Unsettled): Promise<void> {
  const { grantId, now, requestId } = unsettled
  const onUnclear = countUnclear(deps)
  let version = unsettled.configurationVersion
  for (let round = 0; round < mostRounds; round += 1) {
    const tenant = await deps.configuration.atVersion(known, version)
    const { policy, domains, configurationVersion } = tenant
    const outcome = await inTenant(deps.database, tenant.id, (db) =>
      settleGrants(db, tenant.id, {
        which: { grantId },
        configurationVersion,
        decide: ({ audience, client, evidence }) =>
          settleGrant(
            { policy, domains, client, resource: tenant.resource(audience), mappingOf: claimSourcesOf(tenant), onUnclear },
            evidence,
            now,
          ),
        now,
        requestId,
      }),
    )
    if (outcome.kind === 'settled') return
    version = outcome.configurationVersion
  }
}
