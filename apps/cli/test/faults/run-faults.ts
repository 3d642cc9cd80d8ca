/** One run: a seed, a length, a fleet in bad weather with all its companies, and the judgement after it has cleared. */

import type { ShakenFleet } from './a-shaken-fleet.js'
import { type Absence, absenceFigures, beAway, drawAbsent, judgeAbsence, without } from './absence.js'
import type { Load, Person } from './actors.js'
import { type Ask, ask, sleep } from './ask.js'
import { aChance, type Chance } from './chance.js'
import { judgeDeliveries } from './deliveries.js'
import { endByFetch } from './ends.js'
import { type Figures, figuresOf, kindsOf, toldFigures } from './figures.js'
import { judgeForeign } from './foreign.js'
import { lastLook } from './last-look.js'
import { aLedger, judge } from './ledger.js'
import { live } from './load.js'
import { judgeOverheard } from './overheard.js'
import { beginWith, findPeople } from './people.js'
import { probe } from './probes.js'
import { type Shaken, shake } from './shake.js'
import { now } from './stop-watch.js'
import {
  contradictionsOf,
  type SignalsDone,
  settleMs,
  signalsDone,
  trailOf,
  untold,
  untoldNews,
  untoldNow,
  waitUntilDone,
} from './stored.js'

export type Run = {
  readonly seed: number
  readonly seconds: number
  /** Without: the load alone. */
  readonly isShaken?: boolean
  /** So long a guard, and what a company has outside, are away, from early in the run on; 0: nobody is. */
  readonly awaySeconds?: number
  /** So many times as long as usually everybody rests between two things. */
  readonly restTimes?: number
  /** What a broken product would do. */
  readonly plant?: (fleet: ShakenFleet) => Ask
  /** How long a notice may be on its way when the weather has cleared: the worker has written it, and a poll may have been lost. */
  readonly noticeMs?: number
}
export type Report = {
  readonly contradictions: readonly string[]
  /** Of the grants that they name. */
  readonly trail: readonly string[]
  readonly shaken: readonly Shaken[]
  readonly figures: Figures
  /** How many of each kind of fault. */
  readonly weather: Figures
}

const bounds = {
  /** A statement of the broker's longest limit, and a request that waits for a connection before it. */
  doubtMs: 25_000,
  /** Deaf after 35 s; before that what a worker has not told is late after 30 s, a poll lasts 25 s; and 5 s to spare. */
  receiverMs: 95_000,
}
/** Of acknowledged ends of each company, in a run that counts. */
const fewestEnds = 3
const mostPatienceMs = 60_000
const probers = 2

/** After a long absence the next try may be so far away. */
const longestPauseMs = 300_000

type Cast = { readonly load: Load; readonly people: readonly Person[] }

export async function runFaults(fleet: ShakenFleet, run: Run): Promise<Report> {
  const { seed, awaySeconds = 0, plant, noticeMs = 60_000 } = run
  const chance = aChance(seed)
  const began = new Date()
  const signalsBefore = await signalsDone(fleet)
  const { casts, shaken, absence } = await storm(fleet, chance, run)
  const loads = casts.map(({ load }) => load)
  const ledgers = loads.map(({ ledger }) => ledger)
  const clearAt = now()
  const say = (what: string) => console.log(`faults: ${what} ${Math.round((now() - clearAt) / 1000)} s after the weather cleared`)
  await fleet.mended()
  say('everybody serves again')
  const late = [...(await waitUntilDone(fleet, 'outbox', 'done_at IS NULL')), ...(await waitUntilDone(fleet, 'deliveries', untoldNow))]
  const settledAt = now()
  const tokens = ledgers.reduce((sum, { issues }) => sum + issues.length, 0)
  say(`everything is done that was begun, ${tokens} tokens are asked about,`)
  const looked = casts.map(({ load, people }) =>
    lastLook({ ...load, takeAway: ask, isOver: () => false }, chance.fork(`after ${load.company.slug}`), {
      ...{ people, noticeMs, isSignalled: plant === undefined },
    }),
  )
  const after = (await Promise.all(looked)).flat()
  say('all tokens were asked about')
  // Whoever signed in once more was let in before; what that tells is under way, and whoever was away may have been asked a while ago.
  const pauseMs = Math.min(awaySeconds * 1000, longestPauseMs)
  const told = [
    // A signal of the bad weather that nobody had fetched is heard when it is said again.
    ...(await waitUntilDone(fleet, 'outbox', 'done_at IS NULL')),
    ...(await waitUntilDone(fleet, 'deliveries', untoldNews, settleMs + pauseMs)),
    ...(await untold(fleet, began)),
  ]
  say('everybody was told')
  const stored = [...(await contradictionsOf(fleet, began)), ...judgeSignals(loads, signalsBefore, await signalsDone(fleet))]
  const foreign = await waitUntilAllIsHeard(() => loads.flatMap((load) => judgeForeignOf(load)), noticeMs + pauseMs)
  say('the foreign receiver had it all')
  const ofAbsence = absence === undefined ? [] : judgeAbsence(absence, fleet.outside.told)
  const contradictions = [
    ...loads.flatMap((load) => judgeCompany(load)),
    ...late,
    ...after,
    ...ofAbsence,
    ...told,
    ...foreign,
    ...fleet.foreign.refused,
    ...stored,
  ]
  return {
    shaken,
    weather: kindsOf(shaken),
    contradictions,
    trail: await trailOf(fleet, contradictions),
    figures: {
      ...{
        ...figuresOf(ledgers, settledAt - clearAt),
        faults: shaken.length,
        ...toldFigures(fleet.outside.told),
        foreign: fleet.foreign.heard.length,
      },
      ...(absence === undefined ? {} : absenceFigures(absence, fleet.outside.told)),
    },
  }
}

type Storm = { readonly casts: readonly Cast[]; readonly shaken: readonly Shaken[]; readonly absence: Absence | undefined }

/** Everybody acts, and everything breaks, until the time is over and something was proven by it. */
async function storm(
  fleet: ShakenFleet,
  chance: Chance,
  { seconds, isShaken = true, awaySeconds = 0, restTimes = 1, plant }: Run,
): Promise<Storm> {
  let isOver = () => false
  const shared = { fleet, takeAway: plant?.(fleet) ?? ask, restTimes, isOver: () => isOver() }
  const casts = await Promise.all(
    fleet.companies.map((company) => begin({ ...shared, company, once: [] }, chance.fork(`begin ${company.slug}`), isShaken)),
  )
  const loads = casts.map(({ load }) => load) as [Load, ...Load[]]
  const until = now() + seconds * 1000
  const isEnough = () =>
    loads.every(
      ({ ledger: { events } }) =>
        events.filter(({ effect, answeredAt }) => effect === 'takes' && answeredAt !== undefined).length >= fewestEnds,
    )
  // On a busy machine little happens in a time that is much elsewhere; a run that proved nothing would be no run.
  isOver = () => now() >= until && (isEnough() || now() >= until + mostPatienceMs)
  const absent = awaySeconds > 0 ? drawAbsent(fleet, chance.fork('who is away')) : undefined
  const [shaken, absence] = await Promise.all([
    isShaken ? shake(without(fleet, absent), chance.fork('weather'), shared) : [],
    absent && beAway(fleet, chance.fork('away'), absent, awaySeconds),
    ...casts.flatMap(({ load, people }) => people.map((person) => live(load, chance.fork(`${load.company.slug} ${person.name}`), person))),
    ...Array.from({ length: probers }, (_, which) => probe(loads, chance.fork(`prober ${which}`))),
  ])
  return { casts, shaken, absence }
}

/** A ledger of its own, and in good weather a token of each kind for everybody, and a signal that is fetched. */
async function begin(given: Omit<Load, 'ledger'>, chance: Chance, isFetching: boolean): Promise<Cast> {
  const load = { ...given, ledger: aLedger() }
  const people = await findPeople(load.fleet, load.company)
  for (const person of people)
    if (!(await beginWith(load, person)))
      throw new Error(`${person.name} of ${load.company.slug} did not get a token of each kind, in good weather`)
  const [first] = people
  if (isFetching && first && !(await endByFetch(load, chance, first)))
    throw new Error(`no worker fetched a signal about ${first.name} of ${load.company.slug}, in good weather`)
  return { load, people }
}

function judgeCompany({ fleet, company, ledger }: Load): readonly string[] {
  const told = fleet.outside.told.filter((one) => one.company === company.slug)
  const heard = fleet.receivers.flatMap((receiver) => receiver.heard)
  return [...judge(ledger, bounds), ...judgeDeliveries(ledger, told, bounds), ...judgeOverheard(company, ledger, heard)].map(
    (what) => `${company.slug}: ${what}`,
  )
}

const judgeForeignOf = ({ fleet, company: { slug }, ledger }: Load): readonly string[] =>
  judgeForeign(
    ledger,
    fleet.foreign.heard.filter(({ company }) => company === slug),
    bounds,
  ).map((what) => `${slug}: ${what}`)

/** It is pushed to after a pause, or has asked a moment ago. */
async function waitUntilAllIsHeard(judgeNow: () => readonly string[], patienceMs: number): Promise<readonly string[]> {
  const begun = now()
  for (;;) {
    const found = judgeNow()
    if (found.length === 0 || now() - begun > patienceMs) return found
    await sleep(500)
  }
}

/** What is said under an id is done once, if it was acknowledged, and at most once. */
function judgeSignals(loads: readonly Load[], before: SignalsDone, after: SignalsDone): readonly string[] {
  return loads.flatMap(({ company: { slug }, ledger }) => {
    const said = ledger.events.filter((event) => event.effect === 'takes' && event.id !== undefined)
    const acknowledged = said.filter(({ answeredAt }) => answeredAt !== undefined).length
    const done = (after.get(slug) ?? 0) - (before.get(slug) ?? 0)
    return done < acknowledged || done > said.length
      ? [`${slug}: ${done} signals were done; ${said.length} were sent, and ${acknowledged} of them acknowledged`]
      : []
  })
}
