/** The load: a fixed number of keep-alive connections, each sending its next request when the last one is answered. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { cpuMsOf } from './process-figures.js'
import { callsOf, type StatementCounter, writingCallsOf } from './statement-count.js'

export const connections = 16
const addressesPretended = 4096

export type Call = {
  readonly method: 'GET' | 'POST' | 'PATCH'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}
export type Answered = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }
export type Sender = { send(call: Call): Promise<Answered>; close(): void }

/**
 * Every request claims another client address (the broker is told to believe one proxy), so that the limit per address is on, is paid
 * for, and refuses nothing.
 */
export function createSender(origin: string): Sender {
  const { hostname, port } = new URL(origin)
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  let sent = 0
  return {
    send: ({ method, path, headers, body }) =>
      new Promise((resolve, reject) => {
        sent += 1
        const address = `10.0.${(sent % addressesPretended) >> 8}.${sent & 255}`
        const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
        const outgoing = request(
          { agent, hostname, port, method, path, headers: { ...headers, ...length, 'x-forwarded-for': address } },
          (incoming) => {
            const chunks: Buffer[] = []
            incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
            incoming.once('error', reject)
            incoming.once('end', () => {
              const text = Buffer.concat(chunks).toString('utf8')
              resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text })
            })
          },
        )
        outgoing.once('error', reject)
        outgoing.end(body)
      }),
    close: () => agent.destroy(),
  }
}

/** `lane` is the connection, from 0; `turn` counts over all rounds. */
export type Operation = (lane: number, turn: number) => Promise<void>

/** What one name in the table does. */
export type Workload = {
  readonly name: string
  readonly aim: string
  readonly warmUp: number
  readonly perRound: number
  readonly rounds: number
  /** Makes what the operations will use up; its cost is not counted. */
  readonly prepare?: () => Promise<void>
  readonly run: Operation
}

export type Measured = {
  readonly name: string
  readonly aim: string
  readonly serverCpuMs: number
  readonly databaseCpuMs: number
  readonly statements: number
  readonly writing: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export type Watched = { readonly serverPid: number; readonly databasePid: number; readonly counter: StatementCounter }

/**
 * Warm-up, then rounds; the median of each figure over the rounds. Statements are counted over all rounds together. Statistics are taken
 * in the middle of the warm-up, of tables as the load fills them, so that no plan is measured that was made for empty ones.
 */
export async function measure(workload: Workload, watched: Watched): Promise<Measured> {
  await workload.prepare?.()
  const half = Math.ceil(workload.warmUp / 2)
  await loop(workload.run, 0, half)
  await watched.counter.analyze()
  await loop(workload.run, half, workload.warmUp - half)
  const rounds: Round[] = []
  const statements = await watched.counter.during(async () => {
    for (let round = 0; round < workload.rounds; round += 1)
      rounds.push(await runRound(workload, workload.warmUp + round * workload.perRound, watched))
  })
  const operations = workload.rounds * workload.perRound
  const typical = (of: (round: Round) => number): number => median(rounds.map(of))
  return {
    name: workload.name,
    aim: workload.aim,
    serverCpuMs: typical((round) => round.serverCpuMs / workload.perRound),
    databaseCpuMs: typical((round) => round.databaseCpuMs / workload.perRound),
    statements: callsOf(statements) / operations,
    writing: writingCallsOf(statements) / operations,
    perSecond: typical((round) => workload.perRound / round.seconds),
    p50Ms: typical((round) => percentile(round.latencies, 0.5)),
    p99Ms: typical((round) => percentile(round.latencies, 0.99)),
  }
}

type Round = {
  readonly serverCpuMs: number
  readonly databaseCpuMs: number
  readonly seconds: number
  readonly latencies: readonly number[]
}

async function runRound(workload: Workload, firstTurn: number, watched: Watched): Promise<Round> {
  const before = { server: cpuMsOf(watched.serverPid), database: cpuMsOf(watched.databasePid), at: performance.now() }
  const latencies = await loop(workload.run, firstTurn, workload.perRound)
  return {
    seconds: (performance.now() - before.at) / 1000,
    serverCpuMs: cpuMsOf(watched.serverPid) - before.server,
    databaseCpuMs: cpuMsOf(watched.databasePid) - before.database,
    latencies,
  }
}

/** Answers how long each operation took. */
export async function loop(run: Operation, firstTurn: number, count: number): Promise<readonly number[]> {
  const latencies: number[] = []
  let next = firstTurn
  const lanes = Array.from({ length: Math.min(connections, count) }, async (_, lane) => {
    while (next < firstTurn + count) {
      const turn = next
      next += 1
      const begun = performance.now()
      await run(lane, turn)
      latencies.push(performance.now() - begun)
    }
  })
  await Promise.all(lanes)
  return latencies
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** The smallest value that this share of all values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}
