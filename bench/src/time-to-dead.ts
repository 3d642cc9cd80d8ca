/**
 * Time to dead: from the moment before the directory's PATCH active=false is sent until each of many guards refuses the person's token,
 * idle and beside a load of tokens. The guards run in this process, each with a stream of its own, as replicas would.
 *
 * A guard is asked once it has taken in what it was told, which it has when it polls again: asking a hundred of them all the time would measure the asking.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { createGuard, type Guard } from '@drawbridge/guard/create-guard'
import { connections, createSender, loop, percentile } from './closed-loop.js'
import type { Laboratory } from './laboratory.js'
import { bySecret } from './machine-clients.js'
import { cpuMsOf } from './process-figures.js'
import { aPerson, deactivate, type Person } from './take-away.js'

const giveUpMs = 20_000

export type TimeToDead = {
  readonly guards: number
  readonly load: string
  readonly events: number
  /** Milliseconds until the directory had its answer, which is sent after the barrier's commit. */
  readonly answered: readonly number[]
  /** Until the first guard refused, until each did, and until the last did. */
  readonly first: readonly number[]
  readonly each: readonly number[]
  readonly last: readonly number[]
  /** Tokens per second that were issued meanwhile. */
  readonly tokensPerSecond: number
  /** CPU milliseconds for each event, the acknowledgements of it included. */
  readonly cpuMs: CpuOf<number>
}

/** `guards`: this process, in which all of them live, with its asking of each until it refuses. */
export type CpuOf<Value> = { readonly broker: Value; readonly worker: Value; readonly database: Value; readonly guards: Value }
type Processes = { readonly broker: number; readonly worker: number }

type Listening = { readonly guard: Guard; hasNews: boolean }
type Took = { readonly answered: number; readonly each: readonly number[] }
type Measuring = {
  readonly laboratory: Laboratory
  readonly processes: Processes
  readonly guards: number
  readonly events: number
  readonly lanes: number
}
/** The last acknowledgements come with the polls that follow. */
const settleMs = 1000

export async function measureTimeToDead(measuring: Measuring): Promise<TimeToDead> {
  const { laboratory, processes, guards, events, lanes } = measuring
  const people: Person[] = []
  await loop(async () => void people.push(await aPerson(laboratory)), 0, events)
  const listening = await startGuards(laboratory, guards)
  const load = startLoad(laboratory, lanes)
  try {
    const took: Took[] = []
    const before = readCpu(laboratory, processes)
    for (const person of people) took.push(await untilDead(laboratory, listening, person))
    await sleep(settleMs)
    const after = readCpu(laboratory, processes)
    const issued = await load.stop()
    return {
      ...{ guards, events, tokensPerSecond: issued },
      load: lanes === 0 ? 'idle' : `tokens, ${lanes} connections`,
      answered: took.map(({ answered }) => answered),
      first: took.map(({ each }) => Math.min(...each)),
      each: took.flatMap(({ each }) => each),
      last: took.map(({ each }) => Math.max(...each)),
      cpuMs: perEvent(before, after, events),
    }
  } finally {
    await load.stop()
    await Promise.all(listening.map(({ guard }) => guard.stop()))
  }
}

function readCpu({ databasePid }: Laboratory, { broker, worker }: Processes): CpuOf<number> {
  const { user, system } = process.cpuUsage()
  return { broker: cpuMsOf(broker), worker: cpuMsOf(worker), database: cpuMsOf(databasePid), guards: (user + system) / 1000 }
}

const perEvent = (before: CpuOf<number>, after: CpuOf<number>, events: number): CpuOf<number> => ({
  broker: (after.broker - before.broker) / events,
  worker: (after.worker - before.worker) / events,
  database: (after.database - before.database) / events,
  guards: (after.guards - before.guards) / events,
})

async function startGuards({ tenant, issuer }: Laboratory, count: number): Promise<readonly Listening[]> {
  const listening = Array.from({ length: count }, (_, index): Listening => {
    const of: { one?: Listening } = {}
    const guard = createGuard({
      resource: tenant.resource,
      issuers: [{ issuer, credential: { id: tenant.credentialId, secret: tenant.credentialSecret } }],
      toolScopes: {},
      onDeaf: 'refuse',
      instance: `bench-${index}`,
      fetch: (...request) => {
        if (of.one !== undefined) of.one.hasNews = true
        return fetch(...request)
      },
    })
    of.one = { guard, hasNews: false }
    return of.one
  })
  for (let from = 0; from < count; from += connections)
    await Promise.all(listening.slice(from, from + connections).map(({ guard }) => guard.start()))
  return listening
}

async function untilDead(laboratory: Laboratory, listening: readonly Listening[], person: Person): Promise<Took> {
  const authorization = `Bearer ${person.accessToken}`
  const refuses = async ({ guard }: Listening): Promise<boolean> => !(await guard.check(authorization)).ok
  for (const one of listening.slice(0, 1)) if (await refuses(one)) throw new Error('a guard refused before anything was taken away')
  for (const one of listening) one.hasNews = false
  const begun = performance.now()
  const elapsed = (): number => performance.now() - begun
  let answered = Number.NaN
  const asking = deactivate(laboratory, person).then(() => {
    answered = elapsed()
  })
  const alive = new Set(listening)
  const each: number[] = []
  while (alive.size > 0) {
    const told = [...alive].filter(({ hasNews }) => hasNews)
    for (const one of told) {
      one.hasNews = false
      if (!(await refuses(one))) continue
      alive.delete(one)
      each.push(elapsed())
    }
    if (elapsed() > giveUpMs) throw new Error(`${alive.size} of ${listening.length} guards still believed after ${giveUpMs / 1000} s`)
    await (told.length > 0 ? nextTurn() : sleep(1))
  }
  await asking
  return { answered, each }
}

/** Tokens by `client_credentials`, each lane one after the other, until it is stopped; answers how many a second that were. */
export function startLoad({ brokerUrl, tenant }: Laboratory, lanes: number): { stop(): Promise<number> } {
  const sender = createSender(brokerUrl)
  const body = new URLSearchParams(bySecret(tenant)).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const begun = performance.now()
  let isOver = false
  let issued = 0
  const running = Promise.all(
    Array.from({ length: lanes }, async () => {
      while (!isOver) {
        const { status, text } = await sender.send({ method: 'POST', path: '/t/bench/token', headers, body })
        if (status !== 200) throw new Error(`the token endpoint answered ${status}: ${text}`)
        issued += 1
      }
    }),
  )
  let perSecond: number | undefined
  return {
    stop: async () => {
      if (perSecond !== undefined) return perSecond
      isOver = true
      await running
      sender.close()
      perSecond = issued / ((performance.now() - begun) / 1000)
      return perSecond
    },
  }
}

export const timesOf = (values: readonly number[]): readonly [number, number, number] => [
  percentile(values, 0.5),
  percentile(values, 0.99),
  Math.max(...values),
]
