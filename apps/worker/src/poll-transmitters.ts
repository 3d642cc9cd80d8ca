/**
 * Fetches the events of transmitters that do not push: a bounded number at once, and each stream by one worker at a time.
 *
 * It stands beside the queue: a request that a transmitter keeps waiting must not hold a place that revocations need. A worker keeps the leases of its
 * turns alive while they run; one that dies leaves them to the others within seconds.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { claimDueStreamsAcrossTenants, type HeldStream, keepStreamLeasesAcrossTenants } from '@drawbridge/store/signal-streams'
import { acrossTenants } from '@drawbridge/store/transaction'
import { type PollDeps, pollStream, pollTurn, type Turn } from './poll-transmitter.js'

/** Of one worker. */
export const turnsAtOnce = 32
/** Of one company, at all workers: however slow its transmitters are, the others have places. */
export const turnsOfTenant = 8
export const lookForDueMs = 1000

/** Several times within a lease: one that comes late because the database was slow costs no turn. */
export const keepLeasesMs = 5000

export type BegunTurn = { readonly held: HeldStream; readonly done: Promise<void> }
export type Poller = { stop(): Promise<void> }

/**
 * Begins what is due, at most `room`. Where there is more than room nobody is kept waiting, so that a few patient transmitters do not take all
 * places from the others; nor is the last of a company's share, which all others of its streams go through.
 */
export async function pollDueStreams(deps: PollDeps, room: number, { waits, signal }: Turn): Promise<readonly BegunTurn[]> {
  const now = deps.clock.now()
  const claim = {
    now,
    limit: room,
    mostOfTenant: turnsOfTenant,
    lease: deps.random.uuid(),
    leaseUntil: addSeconds(now, pollTurn.leaseSeconds),
  }
  const claimed = await acrossTenants(deps.database, (db) => claimDueStreamsAcrossTenants(db, claim))
  const isRoom = waits && claimed.length < room
  return claimed.map((held) => ({
    held,
    done: pollStream(deps, held, { waits: isRoom && !held.isLastOfShare, signal }).catch((cause: unknown) => {
      const { tenantId: tenant, connectionId: connection } = held
      deps.log.error({ tenant, connection, cause: causeOf(cause) }, 'a turn of a stream failed')
    }),
  }))
}

const causeOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Looks every second until stopped; requests that are under way are then broken off, and their turns given back. */
export function startPolling(deps: PollDeps): Poller {
  const stopping = new AbortController()
  const running = new Map<HeldStream, Promise<void>>()
  let looking: Promise<void> | undefined
  const look = async (): Promise<void> => {
    try {
      for (const turn of await pollDueStreams(deps, turnsAtOnce - running.size, { waits: true, signal: stopping.signal })) {
        running.set(turn.held, turn.done)
        void turn.done.then(() => running.delete(turn.held))
      }
    } catch (cause) {
      deps.log.warn({ cause: causeOf(cause) }, 'streams that are due could not be looked for')
    }
  }
  let keepingNow: Promise<void> | undefined
  const keep = async (): Promise<void> => {
    const until = addSeconds(deps.clock.now(), pollTurn.leaseSeconds)
    try {
      await acrossTenants(deps.database, (db) => keepStreamLeasesAcrossTenants(db, [...running.keys()], until))
    } catch (cause) {
      deps.log.warn({ cause: causeOf(cause) }, 'the leases of streams could not be kept alive')
    }
  }
  const timer = setInterval(() => {
    if (running.size >= turnsAtOnce || looking !== undefined) return
    looking = look().finally(() => {
      looking = undefined
    })
  }, lookForDueMs)
  const keeping = setInterval(() => {
    if (running.size === 0 || keepingNow !== undefined) return
    keepingNow = keep().finally(() => {
      keepingNow = undefined
    })
  }, keepLeasesMs)
  return {
    stop: async () => {
      clearInterval(timer)
      clearInterval(keeping)
      stopping.abort()
      await looking
      await Promise.all([keepingNow, ...running.values()])
    },
  }
}
