/** A process serves only on the history that its installation knows: what a restore or a promotion may have lost is dealt with first. */
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import type { Clock } from '@drawbridge/runtime/clock'
import type { Settings } from '@drawbridge/runtime/env'
import type { Log } from '@drawbridge/runtime/log'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import type { Database } from '@drawbridge/store/database'
import type { InstallationKind } from '@drawbridge/store/installation'
import { findStanding, type History, recordHistory, type Standing } from '@drawbridge/store/timeline'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'

/** Revocations may have been lost. */
export class HistoryError extends Error {}

type Held = {
  readonly database: Database
  readonly settings: Pick<Settings, 'failover'>
  readonly kind: InstallationKind
  readonly clock: Clock
  readonly log: Log
}

/** Throws what an operator should read, or remembers the history on which this installation stands from now on. */
export async function holdToHistory(held: Held): Promise<void> {
  const standing = await findStanding(held.database)
  refuseForgetful(held, standing)
  const { history, known } = standing
  if (known === undefined) return acrossTenants(held.database, (db) => recordHistory(db, history))
  if (known.cluster === history.cluster && known.timeline === history.timeline) return
  if (!isPromotion(known, history) || held.settings.failover !== 'lossless') throw new HistoryError(refusalOf(known, history))
  await acceptHistory(held, standing, 'DRAWBRIDGE_FAILOVER is lossless')
}

/** Says that nothing was lost between the two, and keeps it in the vendor's trail. */
export async function acceptHistory(
  { database, clock, log }: Pick<Held, 'database' | 'clock' | 'log'>,
  { history, known }: Standing,
  reason: string,
): Promise<void> {
  const event = { at: clock.now(), kind: 'installation.promoted' as const, reason, detail: { before: known, after: history } }
  await inTenant(database, vendorTenantId, (db) => insertAuditEvent(db, vendorTenantId, event))
  await acrossTenants(database, (db) => recordHistory(db, history))
  log.warn(event.detail, 'the database stands on another timeline, and nothing was lost')
}

/** A barrier that is answered before it is durable is none. What only a demonstration or a laboratory holds may be lost. */
function refuseForgetful({ settings, kind }: Held, { isDurable, reachesDisk, waitsForStandby }: Standing): void {
  if (kind === 'production' && !isDurable)
    throw new Error('PostgreSQL answers commits before they are durable (synchronous_commit): a revocation could be lost; set it to on')
  if (kind === 'production' && !reachesDisk)
    throw new Error(
      'PostgreSQL does not write to the disk before it answers (fsync): a power cut could take a revocation back; set it to on',
    )
  if (kind === 'production' && settings.failover === 'lossless' && !waitsForStandby)
    throw new Error(
      'DRAWBRIDGE_FAILOVER=lossless needs a standby that PostgreSQL waits for: set synchronous_standby_names, and synchronous_commit to on',
    )
}

const isPromotion = (known: History, found: History): boolean => known.cluster === found.cluster && known.timeline < found.timeline

const refusalOf = (known: History, found: History): string =>
  [
    known.cluster === found.cluster
      ? `this database was restored or promoted since Drawbridge last ran on it (timeline ${known.timeline}, now ${found.timeline})`
      : 'this database was restored into another PostgreSQL since Drawbridge last ran on it',
    'revocations may have been lost: run "drawbridge recover", or "drawbridge recover --nothing-lost" if you know that none was',
  ].join(': ')
