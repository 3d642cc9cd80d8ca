/**
 * What follows the kill of a client, a connection or a tenant, piece by piece: every person who lost something is logged out at the clients that want to
 * hear of it, then the grants are marked, so that lists show them dead.
 *
 * Nobody's access hangs on it: the barrier holds and resource servers have been told. A piece that runs twice does nothing twice, and one that dies is taken
 * up where it stood.
 */
import { type FollowKillPayload, followKillEntry } from '@drawbridge/core/revocation/follow-kill'
import type { DeprovisioningEventId, TenantId } from '@drawbridge/core/tenant/ids'
import { markPage } from '@drawbridge/store/mark-killed'
import { endPiece, type NextPiece } from '@drawbridge/store/outbox-pieces'
import { isAnyClientTold, planLogoutsOfSome } from '@drawbridge/store/plan-logouts'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'
import type { Elapsed } from './settle-grants.job.js'

/** People and grants of one transaction: each of them is over within a second or so, however many there are in all. */
export const followedAtOnce = { people: 500, grants: 2_000 } as const
/** How long a piece goes on beginning transactions: the next one comes behind what others wait for. */
export const pieceMilliseconds = 1_000

export type FollowKillJob = FollowKillPayload & { readonly tenant: string; readonly entry: number }

/** Runs as often as it likes. */
export async function followKill(
  deps: JobDeps,
  { tenant: id, entry, ...payload }: FollowKillJob,
  elapsed: Elapsed = () => performance.now(),
): Promise<void> {
  const tenant = id as TenantId
  const began = elapsed()
  let next: Next = await step(deps, tenant, payload)
  while (next !== undefined && !next.waits && elapsed() - began < pieceMilliseconds) next = await step(deps, tenant, next.payload)
  await inTenant(deps.database, tenant, (db) => endPiece(db, tenant, { id: entry, kind: followKillEntry }, next, deps.clock.now()))
  if (next === undefined) deps.log.info({ tenant, eventId: payload.eventId, target: payload.target }, 'what follows a kill was done')
}

type Next = NextPiece<FollowKillPayload> | undefined

/** One transaction of it; answers what is left. */
async function step(deps: JobDeps, tenant: TenantId, kill: FollowKillPayload): Promise<Next> {
  if (kill.isTold === true) return markSome(deps, tenant, kill)
  const after = await logOutSome(deps, tenant, kill)
  return { payload: after === undefined ? { ...kill, after: undefined, isTold: true } : { ...kill, after }, waits: false }
}

/** What somebody holds at that moment is left out, and looked at again a relay's pause later: whoever still holds it then is waited for. */
async function markSome(
  deps: JobDeps,
  tenant: TenantId,
  { afterGrant, isLeftOut = false, isLastLook = false, ...kill }: FollowKillPayload,
): Promise<Next> {
  const { last, leftOut } = await inTenant(deps.database, tenant, (db) =>
    markPage(db, tenant, kill, { at: deps.clock.now(), after: afterGrant, limit: followedAtOnce.grants, waits: isLastLook }),
  )
  const isAnyLeftOut = isLeftOut || leftOut > 0
  if (last !== undefined) return { payload: { ...kill, afterGrant: last, isLeftOut: isAnyLeftOut, isLastLook }, waits: false }
  return isAnyLeftOut && !isLastLook ? { payload: { ...kill, isLastLook: true }, waits: true } : undefined
}

const logOutSome = (deps: JobDeps, tenant: TenantId, { after, ...kill }: FollowKillPayload): Promise<string | undefined> =>
  acrossTenants(deps.database, async (db) => {
    if (!(await isAnyClientTold(db, tenant))) return undefined
    const ended = { ...kill, tenant, eventId: kill.eventId as DeprovisioningEventId, now: deps.clock.now() }
    return planLogoutsOfSome(db, ended, { after, limit: followedAtOnce.people })
  })
