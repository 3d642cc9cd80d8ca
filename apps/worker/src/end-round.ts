/** What is written when a job from the outbox came to nothing: when its next round is, or that it is dead, and why. */
import { addSeconds } from '@drawbridge/core/instant'
import { decideNextRound, type RoundEnd } from '@drawbridge/core/outbox/round'
import { tellsOfAnEnd } from '@drawbridge/core/revocation/ended-grants'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { Random } from '@drawbridge/crypto/random'
import type { Clock } from '@drawbridge/runtime/clock'
import type { Log } from '@drawbridge/runtime/log'
import type { Metrics } from '@drawbridge/runtime/metrics'
import { endRound, findForgiven } from '@drawbridge/store/outbox-relay'
import { type AcrossDb, acrossTenants } from '@drawbridge/store/transaction'
import type { JobDeps } from './deps.js'

export type EndingDeps = { readonly clock: Clock; readonly random: Random; readonly log: Log; readonly metrics: Metrics }
export type Ending = {
  readonly tenantId: TenantId
  readonly id: number
  readonly kind: string
  /** Which hand-over it was, counted over all its life. */
  readonly attempt: number
  readonly forgiven: number
  readonly end: RoundEnd
  readonly cause?: string
}

/** Of what somebody else's program says. */
export const longestDeadReason = 500
const lostReason = 'the queue lost it, or gave up a job that ended its workers'

/** `at_once`: nothing was written, the caller hands it over again now. */
export async function writeRoundEnd(deps: EndingDeps, db: AcrossDb, ending: Ending): Promise<'at_once' | 'later' | 'dead'> {
  const { tenantId: tenant, id, kind, attempt, forgiven, end, cause = lostReason } = ending
  const now = deps.clock.now()
  const next = decideNextRound(attempt - forgiven, end, deps.random.bytes(4).readUInt32BE() / 2 ** 32)
  if (next.kind === 'again') {
    if (next.pauseSeconds === 0) return 'at_once'
    await endRound(db, { tenant, id, attempt, next: { dueAt: addSeconds(now, next.pauseSeconds) } })
    return 'later'
  }
  const reason = cause.slice(0, longestDeadReason)
  if (!(await endRound(db, { tenant, id, attempt, next: { deadAt: now, reason } }))) return 'dead'
  deps.metrics.count('drawbridge_dead_letters_total', { kind: tellsOfAnEnd(kind) ? 'revoke' : 'other' })
  deps.log.error({ tenant, entry: id, kind, attempts: attempt, cause: reason }, `ALARM: ${deadWords(kind)}`)
  return 'dead'
}

const deadWords = (kind: string): string =>
  tellsOfAnEnd(kind)
    ? 'a revocation is a dead letter: the barrier holds, but resource servers are not told until it is replayed'
    : 'work from the outbox is a dead letter until it is replayed'

/** After the last try of a job. Where this cannot be written either, the relay finds out by itself. */
export async function endFailedRound(
  deps: JobDeps,
  { cause, ...failed }: Pick<Ending, 'tenantId' | 'id' | 'kind' | 'attempt'> & { readonly cause: string },
): Promise<void> {
  await acrossTenants(deps.database, async (db) => {
    const forgiven = await findForgiven(db, failed.tenantId, failed.id)
    if (forgiven !== undefined) await writeRoundEnd(deps, db, { ...failed, cause, forgiven, end: 'failed' })
  })
}
