/**
 * Fetches the events of transmitters that do not push: a bounded number at once, and each stream by one worker at a time.
 *
 * It stands beside the queue: a request that a transmitter keeps waiting must not hold a place that revocations need. A worker that dies leaves its
 * turns to the others when their leases end.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { claimDueStreamsAcrossTenants } from '@drawbridge/store/signal-streams'
import { acrossTenants } from '@drawbridge/store/transaction'
import { type PollDeps, pollStream, pollTurn, type Turn } from './poll-transmitter.js'

/** Of one worker. */
export const turnsAtOnce = 32
/** Of one company, at all workers: however slow its transmitters are, the others have places. */
export const turnsOfTenant = 8
export const lookForDueMs = 1000

export type Poller = { stop(): Promise<void> }

/**
 * Begins what is due, at most `room`. Where there is more than room nobody is kept waiting, so that a few patient transmitters do not take all
 * places from the others; nor is the last of a company's share, which all others of its streams go through.
 */
export async function pollDueStreams(deps: PollDeps, room: number, { waits, signal }: Turn): Promise<readonly Promise<void>[]> {
  const now = deps.clock.now()
  const claim = {
    now,
    limit: room,
    mostOfTenant: turnsOfTenant,
    lease: deps.random.uuid(),
    leaseUntil: addSeconds(now, pollTurn.leaseSeconds),
  }
  const held = await acrossTenants(deps.database, (db) => claimDueStreamsAcrossTenants(db, claim))
  const isRoom = waits && held.length < room
  return held.map((one) =>
    pollStream(deps, one, { waits: isRoom && !one.isLastOfShare, signal }).catch((cause: unknown) => {
      const { tenantId: tenant, connectionId: connection } = one
      deps.log.error({ tenant, connection, cause: cause instanceof Error ? cause.message : String(cause) }, 'a turn of a stream failed')
    }),
  )
}

/** Looks every second until stopped; requests that are under way are then broken off, and their turns given back. */
export function startPolling(deps: PollDeps): Poller {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  let looking: Promise<void> | undefined
  const look = async (): Promise<void> => {
    try {
      for (const turn of await pollDueStreams(deps, turnsAtOnce - running.size, { waits: true, signal: stopping.signal })) {
        running.add(turn)
        void turn.then(() => running.delete(turn))
      }
    } catch (cause) {
      deps.log.warn({ cause: cause instanceof Error ? cause.message : String(cause) }, 'streams that are due could not be looked for')
    }
  }
  const timer = setInterval(() => {
    if (running.size >= turnsAtOnce || looking !== undefined) return
    looking = look().finally(() => {
      looking = undefined
    })
  }, lookForDueMs)
  return {
    stop: async () => {
      clearInterval(timer)
      stopping.abort()
      await looking
      await Promise.all(running)
    },
  }
}
