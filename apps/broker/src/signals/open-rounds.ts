/**
 * Guards of one resource server that open their streams at one issuer at the same moment: they share a transaction, the snapshot that it reads, and the octets in
 * which that is sent. A fleet that comes back costs what one guard costs, and a stream's position is taken under the lock under which its snapshot is read.
 *
 * Few snapshots are read at once, whoever asks: the others wait without a connection, and hear 503 after a while. One that says what the last one of its
 * issuer said is that, so that many readers who are slow hold one copy.
 */
import { addSeconds } from '@drawbridge/core/instant'
import type { Database } from '@drawbridge/store/database'
import { listLateTenants } from '@drawbridge/store/notice-polls'
import {
  type NewStream,
  openStreamsAcrossTenants,
  type Snapshot,
  type StreamIssuer,
  type StreamsOf,
} from '@drawbridge/store/notice-streams'
import { acrossTenants } from '@drawbridge/store/transaction'
import { inTurn } from '@drawbridge/store/turns'
import type { BrokerDeps } from '../deps.js'
import { createLatestUsed, type LatestUsed } from '../http/latest-used.js'
import { createRounds, type Rounds } from '../http/rounds.js'
import { keyOfStreams, lateAfterSeconds } from './poll-rounds.js'

export const mostOpeningsPerRound = 1000
/** Of issuers, and of what they said last, in octets: a hundred thousand barriers are some four million. */
const kept = { most: 100, weight: 16_777_216 }

/** `barriers`: JSON, shared by all that were opened together. `late`: of which tenants the snapshot lacks what the worker has yet to decide. */
export type Opened = Omit<Snapshot, 'barriers'> & { readonly barriers: Buffer; readonly late: readonly string[] }
type Openings = { readonly rounds: Rounds<NewStream, Opened | undefined>; readonly said: LatestUsed<string, Buffer> }

const byDatabase = new WeakMap<Database, Openings>()

function openingsOf(database: Database): Openings {
  const known = byDatabase.get(database)
  if (known !== undefined) return known
  const rounds = createRounds<NewStream, Opened | undefined>({ mostOfRound: mostOpeningsPerRound, isAskedAlike: true })
  const made = { rounds, said: createLatestUsed<string, Buffer>(kept) }
  byDatabase.set(database, made)
  return made
}

/** `undefined`: the resource server has as many streams there as it may have. */
export function openStream(deps: BrokerDeps, of: StreamsOf, stream: NewStream): Promise<Opened | undefined> {
  const { database } = deps
  return openingsOf(database).rounds.ask(keyOfStreams(of), stream, (asked) =>
    inTurn(database.turns.snapshots, of.resource.tenantId, () => openRound(deps, of, asked)),
  )
}

async function openRound(deps: BrokerDeps, of: StreamsOf, asked: readonly NewStream[]): Promise<readonly (Opened | undefined)[]> {
  const now = deps.clock.now()
  const found = await acrossTenants(deps.database, async (db) => ({
    streams: await openStreamsAcrossTenants(db, of, { asked, now }),
    // After it: what was decided in between is behind the position.
    late: await listLateTenants(db, of.issuer, addSeconds(now, -lateAfterSeconds)),
  }))
  const { streams, late } = found
  if (streams === undefined) return asked.map(() => undefined)
  const { opened, barriers, ...snapshot } = streams
  const answer = { ...snapshot, late, barriers: asSaidBefore(deps.database, of.issuer, barriers) }
  return asked.map((_stream, index) => (index < opened ? answer : undefined))
}

function asSaidBefore(database: Database, { id }: StreamIssuer, barriers: string): Buffer {
  const { said } = openingsOf(database)
  const octets = Buffer.from(barriers)
  const before = said.get(id)
  if (before?.equals(octets)) return before
  said.set(id, octets, octets.byteLength)
  return octets
}
