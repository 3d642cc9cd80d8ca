/**
 * After a directory changed somebody's groups or claims, with effect at once: the live grants of those whom it touched are decided again.
 *
 * Nobody waits for it: since the commit of the change whoever refreshes, redeems or introspects settles the grant that she meets. This comes to
 * the others, whose tokens guards believe offline. A change that named its people begins with them; one that touched a whole connection goes through
 * it piece by piece, behind what others wait for. What is settled is above the barrier, so a run that dies is taken up where it stood.
 */
import { type SettleDirectoryPayload, settleDirectoryEntry } from '@drawbridge/core/revocation/settled-grants'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import { endPiece, type NextPiece } from '@drawbridge/store/outbox-pieces'
import { inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'
import { type Elapsed, settlePart } from './settle-grants.job.js'

export type SettleDirectoryJob = SettleDirectoryPayload & { readonly tenant: string; readonly entry: number }

/** Runs as often as it likes; settles each grant once. */
export async function settleDirectory(
  deps: JobDeps,
  { tenant: id, entry, ...payload }: SettleDirectoryJob,
  elapsed: Elapsed = () => performance.now(),
): Promise<void> {
  const tenant = id as TenantId
  const next = await runPiece(deps, tenant, payload, elapsed)
  await inTenant(deps.database, tenant, (db) => endPiece(db, tenant, { id: entry, kind: settleDirectoryEntry }, next, deps.clock.now()))
}

/**
 * What is left to do after it. The last look comes a relay's pause later, as after a policy: a pass leaves out what somebody else holds, and cannot
 * see a grant that is being opened by a statement which began before the change.
 */
async function runPiece(
  deps: JobDeps,
  tenant: TenantId,
  payload: SettleDirectoryPayload,
  elapsed: Elapsed,
): Promise<NextPiece<SettleDirectoryPayload> | undefined> {
  const { connection, subjects, after, isLastLook = false } = payload
  const { isOver, last } = await settlePart(deps, tenant, { after, isLastLook, of: { connection, subjects } }, elapsed)
  if (isOver) return isLastLook ? undefined : { payload: { connection, subjects, isLastLook: true }, waits: true }
  return { payload: { ...payload, after: last }, waits: false }
}
