/**
 * How much of the queue each tenant gets. The queue is short and first-come-first-served; fairness is made before it, so that whoever has one
 * entry waits for a share of everybody else's, never for all that they have.
 */

/** `share`: what one tenant may have in the queue at a time. `bound`: what the queue may hold in all. */
export type QueueLane = { readonly share: number; readonly bound: number }

/** For what tells somebody that access has ended. Few, because what waits is swept together (docs/adr/0089); enough for what is not. */
export const tellingLane: QueueLane = { share: 12, bound: 256 }
/** For what decides grants anew, which is slower and for which nobody waits. */
export const decidingLane: QueueLane = { share: 8, bound: 64 }
/** For what follows a kill: clients hear of logouts and lists show what is dead. Nobody's access hangs on it, and each kill is one entry at a time. */
export const followingLane: QueueLane = { share: 2, bound: 32 }

export type Lane = 'telling' | 'deciding' | 'following'
/** Each has room of its own in the queue, and none waits for that of another. */
export const lanes: Readonly<Record<Lane, QueueLane>> = { telling: tellingLane, deciding: decidingLane, following: followingLane }

export type Share<Tenant> = { readonly tenant: Tenant; readonly most: number }
export type Waiting<Tenant> = {
  /** Whoever has something waiting, in the order of the turn. */
  readonly tenants: readonly Tenant[]
  /** What each has in the queue already. Absent: nothing. */
  readonly held: ReadonlyMap<Tenant, number>
}

/**
 * What each may put in now. The room is divided evenly; where there are more tenants than room, those whose turn comes first get one each and
 * the turn goes on behind them.
 */
export function shareOut<Tenant>({ share, bound }: QueueLane, { tenants, held }: Waiting<Tenant>): readonly Share<Tenant>[] {
  const inQueue = [...held.values()].reduce((sum, count) => sum + count, 0)
  let room = Math.max(0, bound - inQueue)
  const free = tenants.map((tenant) => ({ tenant, free: share - (held.get(tenant) ?? 0) })).filter((each) => each.free > 0)
  const even = Math.max(1, Math.floor(room / Math.max(1, free.length)))
  const shares: Share<Tenant>[] = []
  for (const { tenant, free: most } of free) {
    const now = Math.min(even, most, room)
    if (now === 0) break
    shares.push({ tenant, most: now })
    room -= now
  }
  return shares
}
