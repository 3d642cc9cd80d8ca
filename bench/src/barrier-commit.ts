/**
 * The barrier alone: from BEGIN to the answer of COMMIT of the transaction that ends a person's access, without the request that brings it.
 * PostgreSQL writes through to the disk, as in production.
 */
import { randomUUID } from 'node:crypto'
import type { DeprovisioningEventId, SubjectId } from '@drawbridge/core/tenant/ids'
import { deprovision } from '@drawbridge/store/deprovisioning'
import { inTenant } from '@drawbridge/store/transaction'
import { asOwner } from '@drawbridge/testkit/database'
import type { Laboratory } from './laboratory.js'
import { subjectRow } from './take-away.js'
import { startLoad } from './time-to-dead.js'

export type BarrierCommits = { readonly tookMs: readonly number[]; readonly tokensPerSecond: number }

/** One person after the other, beside `lanes` connections that ask for tokens. */
export async function measureBarrierCommits(laboratory: Laboratory, people: number, lanes: number): Promise<BarrierCommits> {
  const { fixture, tenant, platform } = laboratory
  const subjects = Array.from({ length: people }, () => randomUUID() as SubjectId)
  for (const id of subjects)
    await asOwner(fixture.ownerUrl, subjectRow, [tenant.tenantId, id, tenant.connectionId, id, new Date(platform.clock.now())])
  const load = startLoad(laboratory, lanes)
  const tookMs: number[] = []
  try {
    for (const targetId of subjects) {
      const event = {
        ...{ tenant: tenant.tenantId, target: 'subject' as const, targetId, source: 'scim' as const, reason: 'bench' },
        ...{ eventId: randomUUID() as DeprovisioningEventId, toldAt: undefined, now: platform.clock.now(), requestId: 'bench' },
      }
      const begun = performance.now()
      await inTenant(fixture.database, tenant.tenantId, (db) => deprovision(db, { ...event, deactivate: true }))
      tookMs.push(performance.now() - begun)
    }
    return { tookMs, tokensPerSecond: await load.stop() }
  } finally {
    await load.stop()
  }
}
