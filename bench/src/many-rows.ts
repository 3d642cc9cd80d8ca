/**
 * `node bench/dist/many-rows.js [grants]`: what the hot operations cost among few rows, and among ten million grants, each with a family of refresh
 * tokens, of ten thousand tenants with their clients and people; a tenth of all belongs to the tenant that is measured. The broker starts anew for each.
 */
import { loadavg } from 'node:os'
import { createSender, type Measured, measure } from './closed-loop.js'
import { inLaboratory, type Laboratory } from './laboratory.js'
import { loginWorkloads } from './login-workloads.js'
import { insertManyConnections } from './many-connections.js'
import { oauthWorkloads } from './oauth-workloads.js'
import { requireProc } from './process-figures.js'
import { seedGrants } from './seed-grants.js'
import { endOf } from './server-process.js'
import { createStatementCounter } from './statement-count.js'
import { inMilliseconds, inSeconds, printTable } from './table.js'

const usual = 10_000_000
const tenants = 10_000
const documents = ['metadata', 'JWKS']

/** Those that ask the database; what is a ready answer cannot grow. */
async function measureAll(laboratory: Laboratory): Promise<readonly Measured[]> {
  const serverPid = await laboratory.startBroker()
  const counter = await createStatementCounter(laboratory.fixture.ownerUrl)
  const sender = createSender(laboratory.brokerUrl)
  const measured: Measured[] = []
  try {
    for (const workload of [...oauthWorkloads(laboratory, sender, false), ...loginWorkloads(laboratory, sender, false)]) {
      if (documents.includes(workload.name)) continue
      console.error(`  ${workload.name} …`)
      measured.push(await measure(workload, { serverPid, databasePid: laboratory.databasePid, counter }))
    }
  } finally {
    sender.close()
    await counter.close()
    await endOf(serverPid)
  }
  return measured
}

const costOf = (row: Measured): readonly string[] => [
  `${inMilliseconds(row.serverCpuMs)} + ${inMilliseconds(row.databaseCpuMs)}`,
  inMilliseconds(row.p50Ms),
  inMilliseconds(row.p99Ms),
]

requireProc()
const grants = Number(process.argv[2] ?? usual)
await inLaboratory(async (laboratory) => {
  const few = await measureAll(laboratory)
  console.error(`  ${grants} grants …`)
  const begun = performance.now()
  await insertManyConnections(laboratory.fixture.ownerUrl, { count: tenants, publicUrl: laboratory.brokerUrl })
  const { gibibytes } = await seedGrants(laboratory, grants)
  console.log(`\n${grants} grants were made in ${inSeconds(performance.now() - begun)}; the database holds ${gibibytes.toFixed(1)} GiB.`)
  const many = new Map((await measureAll(laboratory)).map((row) => [row.name, row]))
  printTable(
    `The same operations among few rows and among ${grants} grants of ${tenants} tenants, load average ${loadavg()[0]?.toFixed(1)} (CPU in ms: broker + PostgreSQL)`,
    ['operation', 'few', 'p50 ms', 'p99 ms', 'many', 'p50 ms', 'p99 ms'],
    few.map((row) => [row.name, ...costOf(row), ...costOf(many.get(row.name) as Measured)]),
  )
})
