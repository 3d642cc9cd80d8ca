/** What goes wrong, when, and for how long: drawn from the seed alone. Everything that was broken is mended before this ends. */

import type { ShakenFleet } from './a-shaken-fleet.js'
import { fewerTimes, type Load } from './actors.js'
import { restUntil, sleep } from './ask.js'
import type { Chance } from './chance.js'
import { now } from './stop-watch.js'

/** Within what guards allow for clocks that differ. */
const mostAheadMs = 20_000

/** Breaks something and mends it; says what. */
type Fault = { readonly name: string; readonly weight: number; run(chance: Chance): Promise<string> }
/** `kind`: the fault's name. */
export type Shaken = { readonly at: number; readonly kind: string; readonly what: string }

function faultsOf(fleet: ShakenFleet): readonly Fault[] {
  const members = [...fleet.brokers, ...fleet.workers]
  const lines = [
    ...members.flatMap(({ name, lines: own }) =>
      own.map((line, which) => ({ name: `${name} and ${which === 0 ? 'PostgreSQL' : 'Redis'}`, line })),
    ),
    ...fleet.doors.map(({ name, line }) => ({ name: `whoever calls and ${name}`, line })),
    ...fleet.receivers.map(({ name, line }) => ({ name: `${name} and the brokers`, line })),
    ...fleet.outside.companies.map(({ name, line }) => ({ name: `the workers and what ${name} has outside`, line })),
    { name: 'the fleet and what transmitters show and offer', line: fleet.outside.line },
    { name: 'the foreign receiver and the brokers', line: fleet.foreign.line },
  ]
  const restart = (name: string, weight: number, of: typeof members): Fault => ({
    ...{ name, weight },
    run: async (chance) => {
      const member = chance.one(of)
      await member.kill()
      await sleep(chance.between(0, 1500))
      member.start()
      return `kill -9 of ${member.name}`
    },
  })
  const network = (
    name: string,
    weight: number,
    least: number,
    most: number,
    begin: (line: (typeof lines)[number]['line'], chance: Chance) => () => void,
  ): Fault => ({
    ...{ name, weight },
    run: async (chance) => {
      const { name: which, line } = chance.one(lines)
      const end = begin(line, chance)
      const length = chance.between(least, most)
      await sleep(length)
      end()
      return `${name} between ${which} for ${Math.round(length)} ms`
    },
  })
  const set = (state: 'cut' | 'swallowing') => (line: (typeof lines)[number]['line']) => {
    line.set(state)
    return () => line.set('open')
  }
  const { redis } = fleet
  return [
    restart('a broker', 2, [...fleet.brokers]),
    restart('a worker', 3, [...fleet.workers]),
    {
      ...{ name: 'PostgreSQL', weight: 1 },
      run: async () => {
        await fleet.postgres.kill()
        await fleet.postgres.start()
        return 'kill -9 of PostgreSQL'
      },
    },
    ...(redis
      ? [
          {
            ...{ name: 'Redis', weight: 2 },
            run: async (chance: Chance) => {
              await redis.stop()
              await sleep(chance.between(0, 1500))
              await redis.start()
              return 'kill -9 of Redis, which forgets everything'
            },
          },
        ]
      : []),
    {
      ...{ name: 'the queue', weight: 2 },
      run: async (chance) => {
        const length = chance.between(1000, 8000)
        if (chance.isOnce(3)) {
          await fleet.queue.hold(length)
          return `the queue takes nothing and says nothing for ${Math.round(length)} ms`
        }
        await fleet.queue.setFull(true)
        await sleep(length)
        await fleet.queue.setFull(false)
        return `the queue is full for ${Math.round(length)} ms`
      },
    },
    network('a cut', 3, 200, 3000, set('cut')),
    network('a lost route', 3, 500, 5000, set('swallowing')),
    {
      ...{ name: 'a firewall', weight: 2 },
      run: async (chance) => {
        const { name: which, line } = chance.one(lines)
        line.forget()
        return `a firewall forgets what is open between ${which}`
      },
    },
    network('a slow line', 2, 1000, 4000, (line, chance) => {
      line.delay(chance.between(20, 400))
      return () => line.delay(0)
    }),
    {
      ...{ name: 'a receiver', weight: 2 },
      run: async (chance) => {
        const receiver = chance.one(fleet.receivers)
        if (chance.isOnce(2)) {
          await receiver.restart()
          return `a restart of ${receiver.name}`
        }
        receiver.line.set('cut')
        await sleep(chance.between(3000, 10_000))
        receiver.line.set('open')
        return `${receiver.name} is away for a while`
      },
    },
    {
      ...{ name: 'the outside', weight: 2 },
      run: async (chance) => {
        const isUnwell = chance.isOnce(2)
        const set = (state: 'cut' | 'open') => {
          for (const { line } of [...fleet.outside.companies, fleet.outside]) line.set(state)
        }
        if (isUnwell) fleet.outside.setUnwell(true)
        else set('cut')
        await sleep(chance.between(1000, 10_000))
        fleet.outside.setUnwell(false)
        set('open')
        return `who is told outside ${isUnwell ? 'answers 503' : 'is away'} for a while`
      },
    },
    {
      ...{ name: 'a clock', weight: 1 },
      run: async (chance) => {
        const member = chance.one(members)
        const ahead = Math.round(chance.between(-mostAheadMs, mostAheadMs))
        member.setClock(ahead)
        return `the clock of ${member.name} jumps to ${ahead} ms`
      },
    },
  ]
}

function draw(chance: Chance, faults: readonly Fault[]): Fault {
  let left = chance.next() * faults.reduce((sum, { weight }) => sum + weight, 0)
  for (const fault of faults) {
    left -= fault.weight
    if (left < 0) return fault
  }
  return faults[0] as Fault
}

/** One thing at a time in each of two hands, so that two may be broken at once. PostgreSQL is never killed twice at once. */
export async function shake(
  fleet: ShakenFleet,
  chance: Chance,
  { isOver, restTimes }: Pick<Load, 'isOver' | 'restTimes'>,
): Promise<readonly Shaken[]> {
  const shaken: Shaken[] = []
  const faults = faultsOf(fleet)
  const hand = async (own: Chance, able: readonly Fault[]): Promise<void> => {
    while (!isOver()) {
      await restUntil(isOver, own.between(300, 1500) * fewerTimes(restTimes))
      if (isOver()) return
      const at = now()
      const fault = draw(own, able)
      shaken.push({ at, kind: fault.name, what: await fault.run(own) })
    }
  }
  // In one hand, so that none of them meets another: a server that is started anew has forgotten that it is full.
  const isServer = ({ name }: Fault) => ['PostgreSQL', 'Redis', 'the queue'].includes(name)
  const isMember = ({ name }: Fault) => name === 'a broker' || name === 'a worker'
  await Promise.all([
    hand(
      chance.fork('left'),
      faults.filter((fault) => !isMember(fault)),
    ),
    hand(
      chance.fork('right'),
      faults.filter((fault) => !isServer(fault)),
    ),
  ])
  for (const member of [...fleet.brokers, ...fleet.workers]) {
    member.setClock(0)
    for (const line of member.lines) line.delay(0)
  }
  for (const { line } of [...fleet.doors, ...fleet.receivers, ...fleet.outside.companies, fleet.outside, fleet.foreign]) line.delay(0)
  return shaken
}
