/** Lab only: every scheduled job at once, because somebody asked for it through the outbox. A suite that moved the clock need not wait. */
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { findInstallation } from '@drawbridge/store/installation'
import { markDone } from '@drawbridge/store/outbox-relay'
import { acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'

export type RunScheduled = { readonly tenant: string; readonly entry: number }

/** Runs them one after the other and only then calls the entry done. Elsewhere than in a lab it does nothing but that. */
export async function runScheduled(deps: JobDeps, asked: RunScheduled, scheduled: readonly (() => Promise<void>)[]): Promise<void> {
  const installation = await findInstallation(deps.database)
  if (installation?.kind === 'lab') for (const run of scheduled) await run()
  await acrossTenants(deps.database, (db) => markDone(db, asked.tenant as TenantId, asked.entry, deps.clock.now()))
}
