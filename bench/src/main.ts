/**
 * `pnpm bench [http] [federation] [take-away] [policy] [start] [cold] [--trial]`: measures this checkout on this machine and prints tables. Without a
 * word: all but `cold`, which clones, downloads and builds everything anew. A trial runs little, to see that the bench itself works.
 *
 * Nothing here passes or fails. CPU per operation survives a noisy machine, requests per second do not; what must never grow, the
 * number of SQL statements, is a test (`statements.test.ts`).
 */
import { cpus, loadavg } from 'node:os'
import { connections, createSender, type Measured, measure, percentile } from './closed-loop.js'
import { measureOurs, printColumns } from './federation.js'
import { inLaboratory, type Laboratory } from './laboratory.js'
import { loginWorkloads } from './login-workloads.js'
import { oauthWorkloads, rounds } from './oauth-workloads.js'
import { measureJackson } from './peers/jackson.js'
import { measureLibraries } from './peers/libraries.js'
import { measureOidcProvider } from './peers/oidc-provider.js'
import { installPeers } from './peers/peer-packages.js'
import { measurePolicies } from './policy.js'
import { requireProc, residentBytesOf } from './process-figures.js'
import { measureColdStart, measureStarts, type Start, type Starts } from './start-time.js'
import { createStatementCounter } from './statement-count.js'
import { inMebibytes, inMilliseconds, inSeconds, printTable } from './table.js'
import { measureTakingAway } from './take-away.js'
import { measureDraining } from './worker-drain.js'

const takeAwayRuns = 100
const takeAwayTrialRuns = 5
const parts = ['http', 'federation', 'take-away', 'policy', 'start', 'cold'] as const
type Part = (typeof parts)[number]
type Wanted = { readonly isTrial: boolean; readonly isWanted: (part: Part) => boolean }

async function main(words: readonly string[]): Promise<void> {
  requireProc()
  const isTrial = words.includes('--trial')
  const named = words.filter((word) => word !== '--trial')
  const unknown = named.filter((word) => !(parts as readonly string[]).includes(word))
  if (unknown.length > 0) throw new Error(`the bench has no part "${unknown.join(' ')}": name any of ${parts.join(', ')}, or none`)
  const wanted: Wanted = { isTrial, isWanted: (part) => (named.length === 0 ? part !== 'cold' : named.includes(part)) }
  console.log(`Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model})`)
  printMoment('Begun')
  if (isTrial) console.log('A trial: these figures mean nothing.')
  if (wanted.isWanted('http') || wanted.isWanted('federation') || wanted.isWanted('take-away'))
    await inLaboratory((laboratory) => runInLaboratory(laboratory, wanted))
  if (wanted.isWanted('policy')) {
    console.error('  decisions …')
    measurePolicies(isTrial)
    printMoment('Policy measured')
  }
  if (wanted.isWanted('start')) {
    console.error('  npm start, twice …')
    printStarts('npm start, packages installed and built', await measureStarts(), ['first, new database', 'second, warm'])
  }
  if (wanted.isWanted('cold')) {
    console.error('  npm start in a fresh clone …')
    printStarts('npm start in a fresh clone with empty caches', await measureColdStart(), ['first, cold', 'second, warm'])
  }
  printMoment('Ended')
}

/** No figure is worth more than the machine was quiet, so each table stands between two of these. */
const printMoment = (what: string): void => console.log(`\n${what} ${new Date().toISOString()}, load average ${loadavg()[0]?.toFixed(1)}`)

async function runInLaboratory(laboratory: Laboratory, { isTrial, isWanted }: Wanted): Promise<void> {
  const brokerPid = await laboratory.startBroker()
  if (isWanted('http')) await runHttp(laboratory, brokerPid, isTrial)
  if (isWanted('http')) printMoment('HTTP measured')
  if (isWanted('federation')) await runFederation(laboratory, brokerPid, isTrial)
  if (isWanted('federation')) printMoment('Federation measured')
  if (isWanted('http')) await runDraining(laboratory)
  else await laboratory.startWorker()
  if (isWanted('take-away')) await runTakeAway(laboratory, isTrial ? takeAwayTrialRuns : takeAwayRuns)
}

async function runHttp(laboratory: Laboratory, brokerPid: number, isTrial: boolean): Promise<void> {
  const counter = await createStatementCounter(laboratory.fixture.ownerUrl)
  const sender = createSender(laboratory.brokerUrl)
  try {
    const measured: Measured[] = []
    for (const workload of [...oauthWorkloads(laboratory, sender, isTrial), ...loginWorkloads(laboratory, sender, isTrial)]) {
      console.error(`  ${workload.name} …`)
      measured.push(await measure(workload, { serverPid: brokerPid, databasePid: laboratory.databasePid, counter }))
    }
    const peer = await measureOidcProvider(laboratory, installPeers('oauth'), isTrial)
    const peers = new Map(peer.measured.map((row) => [row.name, row]))
    printTable(
      `Per operation, closed loop, ${connections} keep-alive connections, medians of ${rounds} rounds (CPU in ms: broker + PostgreSQL)`,
      ['operation', 'measured', 'aim', 'SQL', 'writing', 'per second', 'p50 ms', 'p99 ms', 'oidc-provider', 'per second', 'p99 ms'],
      measured.map((row) => [
        row.name,
        cpuOf(row),
        row.aim,
        row.statements.toFixed(2),
        row.writing.toFixed(2),
        ...[row.perSecond.toFixed(0), inMilliseconds(row.p50Ms), inMilliseconds(row.p99Ms)],
        ...peerCells(peers.get(row.name)),
      ]),
    )
    const [own, others] = [residentBytesOf(brokerPid), peer.residentBytes].map(inMebibytes)
    console.log(`\nResident memory after this load: ${own} (aim: 130 MiB); oidc-provider: ${others}`)
  } finally {
    sender.close()
    await counter.close()
  }
}

const cpuOf = (row: Measured): string => `${inMilliseconds(row.serverCpuMs)} + ${inMilliseconds(row.databaseCpuMs)}`

const peerCells = (row: Measured | undefined): readonly string[] =>
  row === undefined ? ['', '', ''] : [cpuOf(row), row.perSecond.toFixed(0), inMilliseconds(row.p99Ms)]

/** The peers after us, on the same PostgreSQL: what they leave behind burdens nobody else. */
async function runFederation(laboratory: Laboratory, brokerPid: number, isTrial: boolean): Promise<void> {
  const folder = installPeers('federation')
  const ours = await measureOurs(laboratory, brokerPid, isTrial)
  const libraries = await measureLibraries(folder, laboratory.idp, isTrial)
  printColumns([...ours, ...libraries, await measureJackson(laboratory, folder, isTrial)])
}

async function runDraining(laboratory: Laboratory): Promise<void> {
  console.error('  the worker carries out what was revoked …')
  const drained = await measureDraining(laboratory, () => laboratory.startWorker())
  printTable(
    'The worker, for one revocation (CPU in ms)',
    ['entries', 'worker', 'PostgreSQL', 'in all'],
    [
      [
        String(drained.entries),
        inMilliseconds(drained.workerCpuMs),
        inMilliseconds(drained.databaseCpuMs),
        inSeconds(drained.seconds * 1000),
      ],
    ],
  )
}

async function runTakeAway(laboratory: Laboratory, runs: number): Promise<void> {
  console.error(`  ${runs} times from PATCH active=false to 401 …`)
  const took = await measureTakingAway(laboratory, runs)
  printTable(
    `From SCIM PATCH active=false to 401 at the example MCP server, ${took.length} runs (ms)`,
    ['', 'p50', 'p99', 'longest', 'aim for p99'],
    [
      [
        'take away',
        inMilliseconds(percentile(took, 0.5)),
        inMilliseconds(percentile(took, 0.99)),
        inMilliseconds(Math.max(...took)),
        '2000, better 250',
      ],
    ],
  )
}

function printStarts(title: string, { first, second }: Starts, names: readonly [string, string]): void {
  const row = (name: string, start: Start): readonly string[] => [
    name,
    inSeconds(start.readyMs),
    start.demoMs === undefined ? 'failed' : inSeconds(start.demoMs),
    inMebibytes(start.productBytes),
    inMebibytes(start.databaseBytes),
    inMebibytes(start.productBytes + start.databaseBytes),
  ]
  const head = ['', 'to ready', 'then npm run demo', 'product', 'PostgreSQL', 'together']
  printTable(`${title} (memory before the demo)`, head, [row(names[0], first), row(names[1], second)])
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(`\nThe bench stopped: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
