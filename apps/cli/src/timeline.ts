/** A process serves only on the history that its installation knows: what a restore or a promotion may have lost is dealt with first. */
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import type { Clock } from '@drawbridge/runtime/clock'
import type { Settings } from '@drawbridge/runtime/env'
import type { Log } from '@drawbridge/runtime/log'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { createDatabase, type Database, type DatabaseOptions } from '@drawbridge/store/database'
import type { InstallationKind } from '@drawbridge/store/installation'
import { findHistory, findStanding, type History, isSameHistory, recordHistory, type Standing } from '@drawbridge/store/timeline'
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

/** Throws what an operator should read, or remembers the history on which this installation stands from now on, and answers it. */
export async function holdToHistory(held: Held): Promise<History> {
  const standing = await findStanding(held.database)
  refuseForgetful(held, standing)
  const { history, known } = standing
  if (known === undefined) await acrossTenants(held.database, (db) => recordHistory(db, history))
  if (known === undefined || isSameHistory(known, history)) return history
  if (!isPromotion(known, history) || held.settings.failover !== 'lossless') throw new HistoryError(refusalOf(known, history))
  await acceptHistory(held, standing, 'DRAWBRIDGE_FAILOVER is lossless')
  return history
}

/** To whoever asked it is a database that cannot be used now: SQLSTATE cannot_connect_now. */
class OtherHistory extends Error {
  readonly code = '57P03'
}

/**
 * Lets no connection of this process do anything on another history than the one that it was held to. The pools reach a promoted server before anybody has
 * looked at it; what it may have forgotten is not served meanwhile.
 */
export type HistoryWatch = {
  readonly admit: NonNullable<DatabaseOptions['admit']>
  /** From here on: until then everything passes. */
  begin(held: History, looking: Looking): void
  /** Looks anew on which history the database stands; whoever asks while that is under way is answered by it. */
  look(): void
  /** Nobody looks any more; ends with the look that is under way. */
  close(): Promise<void>
}

type Looking = {
  readonly look: () => Promise<History>
  /** A look has found that history may be lost. Said once, until a look finds that it is not. */
  readonly onLost: (error: HistoryError) => void
  /** A look that could not be done, for another reason: nothing is served from another history meanwhile. */
  readonly onFailed: (error: unknown) => void
}

export function createHistoryWatch(): HistoryWatch {
  let held: History | undefined
  let looking: Looking | undefined
  let underWay: Promise<void> | undefined
  let isLossSaid = false

  const lookOnce = async ({ look, onLost, onFailed }: Looking): Promise<void> => {
    try {
      held = notBefore(held, await look())
      isLossSaid = false
    } catch (error) {
      if (!(error instanceof HistoryError)) onFailed(error)
      else if (looking && !isLossSaid) {
        isLossSaid = true
        onLost(error)
      }
    }
    underWay = undefined
  }
  const look = (): void => {
    if (looking) underWay ??= lookOnce(looking)
  }
  return {
    admit: async (client) => {
      if (held === undefined || isSameHistory(held, await findHistory(client))) return
      look()
      throw new OtherHistory('the database stands on another history than this process was held to')
    },
    begin: (history, how) => {
      held = history
      looking = how
    },
    look,
    close: async () => {
      looking = undefined
      await underWay
    },
  }
}

/**
 * What a look found, if a process that was held to that may go on by it. A primary of before a promotion, which answers again, is true to its own record: what
 * was revoked since is unknown to it.
 */
function notBefore(held: History | undefined, found: History): History {
  if (held === undefined || (held.cluster === found.cluster && found.timeline >= held.timeline)) return found
  throw new HistoryError(
    `the database went back from timeline ${held.timeline} to ${found.timeline}${held.cluster === found.cluster ? '' : ' of another PostgreSQL'}: ` +
      'a server of before the last promotion may answer again; keep it away from every process',
  )
}

/** `holdToHistory` by a connection of its own, which no watch refuses. */
export async function holdAnew({ url, ...held }: Omit<Held, 'database'> & { readonly url: string }): Promise<History> {
  const database = createDatabase({ url, connectionBudget: 4 })
  try {
    return await holdToHistory({ ...held, database })
  } finally {
    await database.close()
  }
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
