/** One run: a seed, a length, a fleet in bad weather, and the judgement after it has cleared. */
import { asOwner } from '@drawbridge/testkit/database'
import type { Receiver, ShakenFleet } from './a-shaken-fleet.js'
import { aChance, type Chance } from './chance.js'
import { judgeDeliveries } from './deliveries.js'
import { aLedger, deadSince, type IssuerPath, issuerPaths, judge, type Ledger, timesToDead } from './ledger.js'
import {
  type Ask,
  ask,
  beginWith,
  callReceiver,
  findPeople,
  introspect,
  type Load,
  letIn,
  live,
  type Person,
  probe,
  signIn,
} from './load.js'
import { type Shaken, shake } from './shake.js'
import { now } from './stop-watch.js'

export type Run = {
  readonly seed: number
  readonly seconds: number
  /** Without: the load alone. */
  readonly isShaken?: boolean
  /** What a broken product would do. */
  readonly plant?: (fleet: ShakenFleet) => Ask
  /** How long a notice may be on its way when the weather has cleared: the worker has written it, and a poll may have been lost. */
  readonly noticeMs?: number
}
export type Report = {
  readonly contradictions: readonly string[]
  readonly shaken: readonly Shaken[]
  readonly figures: Readonly<Record<string, number>>
}

const bounds = {
  /** A statement of the broker's longest limit, and a request that waits for a connection before it. */
  doubtMs: 25_000,
  /** Deaf after 35 s; before that what a worker has not told is late after 30 s, and a poll lasts 25 s. */
  receiverMs: 95_000,
}
/** Of acknowledged ends, in a run that counts. */
const fewestEnds = 5
const mostPatienceMs = 60_000
/** By which a process's clock may be behind. */
const mostSkewMs = 20_000
const settleMs = 120_000
const probers = 2
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export async function runFaults(fleet: ShakenFleet, { seed, seconds, isShaken = true, plant, noticeMs = 60_000 }: Run): Promise<Report> {
  const chance = aChance(seed)
  const ledger = aLedger()
  const people = await findPeople(fleet)
  const takeAway = plant?.(fleet) ?? ask
  const began = new Date()
  for (const person of people)
    if (!(await beginWith({ fleet, ledger, takeAway, isOver: () => false }, person)))
      throw new Error(`${person.name} did not get a token of each kind, in good weather`)
  const until = now() + seconds * 1000
  const acknowledged = () => ledger.events.filter(({ effect, answeredAt }) => effect === 'takes' && answeredAt !== undefined).length
  // On a busy machine little happens in a time that is much elsewhere; a run that proved nothing would be no run.
  const isOver = () => now() >= until && (acknowledged() >= fewestEnds || now() >= until + mostPatienceMs)
  const load: Load = { fleet, ledger, takeAway, isOver }
  const [shaken] = await Promise.all([
    isShaken ? shake(fleet, chance.fork('weather'), isOver) : [],
    ...people.map((person) => live(load, chance.fork(person.name), person)),
    ...Array.from({ length: probers }, (_, which) => probe(load, chance.fork(`prober ${which}`))),
  ])
  const clearAt = now()
  const say = (what: string) => console.log(`faults: ${what} ${Math.round((now() - clearAt) / 1000)} s after the weather cleared`)
  await fleet.mended()
  say('everybody serves again')
  const late = [
    ...(await waitUntilDone(fleet, 'outbox', 'done_at IS NULL')),
    ...(await waitUntilDone(fleet, 'deliveries', 'expires_at IS NULL')),
  ]
  const settledAt = now()
  say(`everything is done that was begun, ${ledger.issues.length} tokens are asked about,`)
  const after = await lastLook({ ...load, takeAway: ask, isOver: () => false }, chance.fork('afterwards'), people, noticeMs)
  say('all tokens were asked about')
  // Whoever signed in once more was let in before; what that tells is under way.
  const told = [...(await waitUntilDone(fleet, 'deliveries', 'expires_at IS NULL')), ...(await untold(fleet, began))]
  const stored = await contradictionsOf(fleet, began)
  return {
    shaken,
    contradictions: [
      ...judge(ledger, bounds),
      ...judgeDeliveries(ledger, fleet.outside.told, bounds),
      ...late,
      ...after,
      ...told,
      ...stored,
    ],
    figures: { ...figuresOf(ledger, shaken, settledAt - clearAt), ...toldFigures(fleet) },
  }
}

const rowsOf = <Row>(fleet: ShakenFleet, sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fleet.postgres.ownerUrl, sql, parameters)

/** As long as it goes on: what piled up in a long run takes a while, and only what stands still is lost. */
async function waitUntilDone(fleet: ShakenFleet, table: 'outbox' | 'deliveries', undone: string): Promise<readonly string[]> {
  const look = () => rowsOf<{ id: string; attempts: number }>(fleet, `SELECT id, attempts FROM ${table} WHERE ${undone}`)
  let left = await look()
  let fewest = left.length
  let movedAt = now()
  while (left.length > 0 && now() - movedAt < settleMs) {
    await sleep(100)
    left = await look()
    if (left.length >= fewest) continue
    fewest = left.length
    movedAt = now()
  }
  return left.map(
    ({ id, attempts }) => `${id} of ${table} was not done: nothing of it moved for ${settleMs} ms in good weather, after ${attempts} tries`,
  )
}

type Delivery = { readonly id: string; readonly part: string; readonly eventId: string; readonly isTaken: boolean }

/** What the database says was told, and was not; and ends of which there is not even the attempt to tell. */
async function untold(fleet: ShakenFleet, began: Date): Promise<readonly string[]> {
  const deliveries = await rowsOf<Delivery>(
    fleet,
    'SELECT id, part, event_id AS "eventId", delivered_at IS NOT NULL AS "isTaken" FROM deliveries',
  )
  const events = await rowsOf<{ id: string; isDead: boolean }>(
    fleet,
    `SELECT id, dead_at IS NOT NULL AS "isDead" FROM deprovisioning_events WHERE matched AND received_at >= $1`,
    [new Date(began.getTime() - mostSkewMs)],
  )
  const taken = new Set(fleet.outside.told.map(({ id }) => id))
  const written = new Set(deliveries.map(({ part, eventId }) => `${part} of ${eventId}`))
  const owed = events.flatMap(({ id, isDead }) => [`access.ended of ${id}`, ...(isDead ? [`access.dead_everywhere of ${id}`] : [])])
  return [
    ...deliveries
      .filter(({ id, isTaken }) => isTaken && !taken.has(id))
      .map(({ id }) => `the delivery ${id} is called delivered, and nobody had it`),
    ...[...taken].filter((id) => !deliveries.some((one) => one.id === id)).map((id) => `${id} was told, and no delivery has this id`),
    ...owed.filter((what) => !written.has(what)).map((what) => `${what} was never to be told`),
  ]
}

/** More than a distinct id: a receiver that took it and whose answer was lost, or a worker that died before it wrote that down. */
function toldFigures({ outside: { told } }: ShakenFleet): Report['figures'] {
  const ids = new Set(told.map(({ id }) => id))
  return {
    logouts: new Set(told.filter(({ kind }) => kind === 'logout').map(({ id }) => id)).size,
    told: ids.size,
    toldAgain: told.length - ids.size,
  }
}

/** Everybody is let in and signs in once more; then every token that can still be asked about is asked about, everywhere. */
async function lastLook(load: Load, chance: Chance, people: readonly Person[], noticeMs: number): Promise<readonly string[]> {
  const { fleet, ledger } = load
  const found: string[] = []
  for (const receiver of fleet.receivers) found.push(...(await waitUntilItHears(receiver)))
  for (const person of people) {
    await letIn(load, chance, person)
    const issue = await signInAtLast(load, person, chance.one(issuerPaths))
    if (issue === undefined) found.push(`${person.name} was let in again and cannot sign in`)
  }
  const until = now() + noticeMs
  for (const issue of ledger.issues) {
    if (now() >= issue.expiresAt) continue
    for (const broker of fleet.brokers)
      if ((await introspect(load, issue, broker)) === 'unsure')
        found.push(`${broker.name} cannot say whether a token is active, in good weather`)
    for (const receiver of fleet.receivers) {
      const said = await receiverAtLast(load, issue, receiver, until)
      if (said !== 'dead' && deadSince(ledger, issue) !== undefined)
        found.push(`${receiver.name} still calls a token of ${issue.subject} ${said}, whose end was acknowledged, when everything was done`)
      if (said === 'unsure') found.push(`${receiver.name} cannot judge a token, in good weather`)
    }
  }
  return found
}

/** A poll that began in the bad weather may still be waiting for its end. */
async function waitUntilItHears(receiver: Receiver): Promise<readonly string[]> {
  const begun = now()
  while (now() - begun < settleMs) {
    if (receiver.guard().isReady()) return []
    await sleep(100)
  }
  return [`${receiver.name} did not hear again`]
}

async function receiverAtLast(load: Load, issue: Ledger['issues'][number], receiver: Receiver, until: number) {
  const mustDie = deadSince(load.ledger, issue) !== undefined
  for (;;) {
    const said = await callReceiver(load, issue, receiver)
    if ((mustDie ? said === 'dead' : said !== 'unsure') || now() > until) return said
    await sleep(50)
  }
}

async function signInAtLast(load: Load, person: Person, issuerPath: IssuerPath) {
  const begun = now()
  for (;;) {
    const issue = await signIn(load, person, issuerPath)
    // A barrier that was written by a clock ahead of the others' asks for a sign-in that is fresher than it: until then nobody is believed.
    if (issue !== undefined || now() - begun > settleMs) return issue
    await sleep(1000)
  }
}

/** What the database says of the same: nothing lost, nothing twice. */
async function contradictionsOf(fleet: ShakenFleet, began: Date): Promise<readonly string[]> {
  const instances = fleet.receivers.map((receiver) => receiver.instance())
  const checks: readonly (readonly [string, string, readonly unknown[]])[] = [
    ['dead letters', 'SELECT id, kind, dead_reason FROM outbox WHERE dead_at IS NOT NULL', []],
    ['deliveries that were given up', 'SELECT id, part, reason FROM deliveries WHERE dead_at IS NOT NULL', []],
    ['events that were not swept', 'SELECT id, target, source FROM deprovisioning_events WHERE swept_at IS NULL AND matched', []],
    ['news that was told twice', 'SELECT resource_id, issuer_id, event_id, count(*) FROM notices GROUP BY 1, 2, 3 HAVING count(*) > 1', []],
    ['positions with a gap', 'SELECT resource_id, count(*), max(position) FROM notices GROUP BY 1 HAVING count(*) <> max(position)', []],
    [
      'people whose epoch is not the number of their events',
      `SELECT s.id, s.epoch, count(e.id) FROM subjects s LEFT JOIN deprovisioning_events e ON e.tenant_id = s.tenant_id AND e.target = 'subject' AND e.target_id = s.id::text
        GROUP BY s.tenant_id, s.id, s.epoch HAVING s.epoch <> count(e.id) + 1`,
      [],
    ],
    [
      'receipts that a living receiver owes',
      // Of its present stream: whoever came back by a new one has everything in its snapshot, and the old one lapses by itself.
      `SELECT r.event_id, r.instance, r.notified_at FROM notice_receipts r JOIN notice_streams s ON s.id = r.stream_id
        WHERE r.instance = ANY ($1) AND r.acknowledged_at IS NULL AND r.lapsed_at IS NULL AND r.due_at >= $2
          AND NOT EXISTS (SELECT 1 FROM notice_streams later WHERE later.instance = s.instance AND later.opened_at > s.opened_at)`,
      [instances, began],
    ],
  ]
  const found: string[] = []
  for (const [what, sql, parameters] of checks) {
    const rows = await rowsOf(fleet, sql, parameters)
    if (rows.length > 0) found.push(`${what}: ${rows.length}, of them ${JSON.stringify(rows[0])}`)
  }
  return found
}

function figuresOf(ledger: Ledger, shaken: readonly Shaken[], settledMs: number): Report['figures'] {
  const times = timesToDead(ledger)
  const at = (part: number) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0)
  const takes = ledger.events.filter(({ effect }) => effect === 'takes')
  return {
    faults: shaken.length,
    tokens: ledger.issues.length,
    atFront: ledger.issues.filter(({ issuerPath }) => issuerPath === '').length,
    exchanged: ledger.issues.filter(({ how }) => how === 'exchanged').length,
    brought: ledger.issues.filter(({ how }) => how === 'brought').length,
    probes: ledger.probes.length,
    takenAway: takes.length,
    acknowledged: takes.filter(({ answeredAt }) => answeredAt !== undefined).length,
    receiverP50Ms: at(0.5),
    receiverP99Ms: at(0.99),
    receiverWorstMs: at(1),
    settledMs: Math.round(settledMs),
  }
}
