/**
 * `node bench/dist/deprovisioning.js [time] [mass] [scim] [large] [guard] [barrier] [--guards=N] [--trial]`: from IT's click to every token dead.
 * Without a word: all six. `--guards=100`: `time` with so many alone, and not with one and a hundred.
 */
import { loadavg } from 'node:os'
import { measureBarrierCommits } from './barrier-commit.js'
import { createSender, type Measured, measure } from './closed-loop.js'
import { measureGuardMemory } from './guard-memory.js'
import { inLaboratory, type Laboratory } from './laboratory.js'
import { measureLargeDirectory } from './large-directory.js'
import { measureMass, p99 } from './mass-deprovisioning.js'
import { installPeers } from './peers/peer-packages.js'
import { measureScimmy } from './peers/scimmy.js'
import { requireProc } from './process-figures.js'
import { scimWorkloads } from './scim-workloads.js'
import { createStatementCounter } from './statement-count.js'
import { inMebibytes, inMilliseconds, inSeconds, printTable } from './table.js'
import { scimHeaders } from './take-away.js'
import { measureTimeToDead, timesOf } from './time-to-dead.js'

const parts = ['time', 'mass', 'scim', 'large', 'guard', 'barrier'] as const
const words = process.argv.slice(2)
const isTrial = words.includes('--trial')
const guardsGiven = words.find((word) => word.startsWith('--guards='))?.slice('--guards='.length)
const guardCounts = guardsGiven === undefined ? [1, 100] : [Number(guardsGiven)]
const named = words.filter((word) => !word.startsWith('--'))
const isWanted = (part: (typeof parts)[number]): boolean => named.length === 0 || named.includes(part)
const unknown = named.filter((word) => !(parts as readonly string[]).includes(word))

const moment = (what: string): void => console.log(`\n${what} ${new Date().toISOString()}, load average ${loadavg()[0]?.toFixed(1)}`)

async function printScim(laboratory: Laboratory, broker: number): Promise<void> {
  const counter = await createStatementCounter(laboratory.fixture.ownerUrl)
  const sender = createSender(laboratory.brokerUrl)
  const ours: Measured[] = []
  const { authorization } = scimHeaders(laboratory)
  for (const workload of scimWorkloads({ sender, base: '/t/bench/scim/v2', headers: { authorization } }, isTrial)) {
    console.error(`  SCIM: ${workload.name} …`)
    ours.push(await measure(workload, { serverPid: broker, databasePid: laboratory.databasePid, counter }))
  }
  sender.close()
  await counter.close()
  const theirs = await measureScimmy(laboratory, installPeers('scim'), isTrial)
  const cells = ({ serverCpuMs, databaseCpuMs }: Measured) => [
    `${inMilliseconds(serverCpuMs)} + ${inMilliseconds(databaseCpuMs)}`,
    (1000 / (serverCpuMs + databaseCpuMs)).toFixed(0),
  ]
  printTable(
    'SCIM operations (CPU in ms: server + PostgreSQL), and how many a second of CPU is enough for',
    ['operation', 'ours', 'per CPU second', 'SQL', 'p99 ms', 'scimmy-routers', 'per CPU second', 'p99 ms'],
    ours.map((own, index) => {
      const peer = theirs[index] as Measured
      return [own.name, ...cells(own), own.statements.toFixed(1), inMilliseconds(own.p99Ms), ...cells(peer), inMilliseconds(peer.p99Ms)]
    }),
  )
}

async function printLarge(laboratory: Laboratory, broker: number): Promise<void> {
  const size = isTrial ? { people: 500, members: 200, runs: 3 } : { people: 100_000, members: 50_000, runs: 50 }
  const rows = await measureLargeDirectory(laboratory, broker, size)
  printTable(
    `A directory of ${size.people} people and a group of ${size.members} (ms; CPU of broker + PostgreSQL)`,
    ['request', 'runs', 'p50', 'longest', 'CPU'],
    rows.map(({ name, runs, p50Ms, longestMs, cpuMs }) => [name, String(runs), ...[p50Ms, longestMs, cpuMs].map(inMilliseconds)]),
  )
}

type Processes = { readonly broker: number; readonly worker: number }

async function printTimes(laboratory: Laboratory, processes: Processes): Promise<void> {
  const rows: string[][] = []
  for (const guards of guardCounts)
    for (const lanes of [0, 4]) {
      const events = isTrial ? 5 : 1000
      console.error(`  ${events} people, ${guards} guards, ${lanes === 0 ? 'idle' : 'under load'} …`)
      const found = await measureTimeToDead({ laboratory, processes, guards, events, lanes })
      const times = (values: readonly number[]) => timesOf(values).map(inMilliseconds)
      rows.push([
        `${guards}, ${found.load}`,
        found.tokensPerSecond.toFixed(0),
        ...times(found.answered),
        ...times(found.first),
        ...times(found.each).slice(0, 2),
        ...times(found.last),
        [found.cpuMs.broker, found.cpuMs.worker, found.cpuMs.database, found.cpuMs.guards].map((ms) => ms.toFixed(0)).join(' + '),
      ])
      console.error(`    load average ${loadavg()[0]?.toFixed(1)}`)
    }
  printTable(
    `From SCIM PATCH active=false, one person after the other (ms: p50, p99, longest; aims: 100, 1000; CPU for each: broker + worker + PostgreSQL + guards)`,
    ['guards', 'tokens/s', 'answered', 'p99', 'max', 'first guard', 'p99', 'max', 'any guard', 'p99', 'all guards', 'p99', 'max', 'CPU'],
    rows,
  )
}

async function printMass(laboratory: Laboratory, processes: Processes): Promise<void> {
  const size = isTrial ? { people: 50, grants: 5 } : { people: 10_000, grants: 5 }
  console.error(`  ${size.people} people with ${size.grants} grants each …`)
  const found = await measureMass(laboratory, processes, size)
  printTable(
    `${found.people} people with ${found.grants} grants each, deactivated one by one over 16 connections`,
    ['', 'figure'],
    [
      ['the directory had all its answers', inSeconds(found.answeredMs)],
      ['one answer (after the barrier’s commit), p50 / p99', timesOf(found.answered).slice(0, 2).map(inMilliseconds).join(' / ')],
      ['the worker was done', inSeconds(found.sweptMs)],
      ['the guard had acknowledged all', inSeconds(found.acknowledgedMs)],
      ['others’ tokens, p99 before / meanwhile', [p99(found.tokensBefore), p99(found.tokensMeanwhile)].map(inMilliseconds).join(' / ')],
      ['CPU of broker, worker, PostgreSQL', [found.cpuMs.broker, found.cpuMs.worker, found.cpuMs.database].map(inSeconds).join(', ')],
    ],
  )
}

async function printBarrier(laboratory: Laboratory): Promise<void> {
  const rows: string[][] = []
  for (const lanes of [0, 4]) {
    const { tookMs, tokensPerSecond } = await measureBarrierCommits(laboratory, isTrial ? 5 : 1000, lanes)
    rows.push([String(tookMs.length), tokensPerSecond.toFixed(0), ...timesOf(tookMs).map(inMilliseconds)])
  }
  printTable(
    'The transaction that ends a person’s access, from BEGIN to the answer of COMMIT (ms)',
    ['people', 'tokens/s', 'p50', 'p99', 'longest'],
    rows,
  )
}

function printGuard(): void {
  const found = measureGuardMemory(isTrial ? 1000 : 100_000)
  printTable(
    'A guard that knows so many live revocations',
    ['revocations', 'heap', 'snapshot', 'taken in, CPU ms', 'asked about a living token, CPU ns'],
    [
      [
        ...[String(found.revocations), inMebibytes(found.heapBytes), inMebibytes(found.snapshotBytes)],
        ...[inMilliseconds(found.takenInMs), found.askNanoseconds.toFixed(0)],
      ],
    ],
  )
}

requireProc()
if (unknown.length > 0) throw new Error(`there is no part "${unknown.join(' ')}": name any of ${parts.join(', ')}, or none`)
moment('Begun')
if (isTrial) console.log('A trial: these figures mean nothing.')
if (isWanted('guard')) printGuard()
if (named.length === 0 || named.some((word) => word !== 'guard'))
  await inLaboratory(async (laboratory) => {
    const broker = await laboratory.startBroker()
    if (isWanted('scim')) await printScim(laboratory, broker)
    if (isWanted('large')) await printLarge(laboratory, broker)
    if (isWanted('barrier')) await printBarrier(laboratory)
    const worker = await laboratory.startWorker()
    if (isWanted('time')) await printTimes(laboratory, { broker, worker })
    if (isWanted('mass')) await printMass(laboratory, { broker, worker })
  })
moment('Ended')
