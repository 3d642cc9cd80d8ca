/**
 * `node bench/dist/metadata-refresh.js [connections]`: the metadata of many tenants falls due in one moment, as after a long pause of
 * every worker: how long one worker takes, what it costs, how much memory it needs, and how far apart the next looks lie.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { asOwner } from '@drawbridge/testkit/database'
import { mostKnownCertificates } from '@drawbridge/upstream/certificate'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { inLaboratory, type Laboratory } from './laboratory.js'
import { cpuMsOf, residentBytesOf } from './process-figures.js'
import { inMebibytes, inMilliseconds, inSeconds, printTable } from './table.js'

const usual = 10_000
/** One connection of so many has a new key. */
const oneChangedOf = 100
const pollMs = 1000
const giveUpMs = 30 * 60_000

/** More than a worker remembers, so that each look has to parse its own, as among ten thousand companies. */
const certificates = Array.from({ length: 2 * mostKnownCertificates }, () => aFixtureKey({ type: 'ec' }).certificate)
const fresh = aFixtureKey({ type: 'ec' }).certificate
const certificateAt = (index: number): string => certificates[index % certificates.length] as string

type Idp = { readonly server: Server; readonly origin: string; readonly atOnce: () => number; readonly asked: () => number }

async function anIdp(): Promise<Idp> {
  let [underWay, most, asked] = [0, 0, 0]
  const server = createServer((request, response) => {
    asked += 1
    most = Math.max(most, (underWay += 1))
    response.on('close', () => (underWay -= 1))
    const index = Number(request.url?.slice(1))
    const offered = [certificateAt(index), ...(index % oneChangedOf === 0 ? [fresh] : [])]
    response.writeHead(200, { 'content-type': 'application/xml' }).end(plainMetadata({ certificates: offered }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { server, origin, atOnce: () => most, asked: () => asked }
}

/** One tenant each, all of them due since an hour. */
async function arrange({ fixture }: Laboratory, origin: string, count: number): Promise<void> {
  const configuration = JSON.stringify({ idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso' })
  await asOwner(
    fixture.ownerUrl,
    `WITH made AS (
       INSERT INTO tenants (id, slug, name, created_at) SELECT gen_random_uuid(), 'metadata-' || n, 'x', now() FROM generate_series(1, $1) AS n RETURNING id, slug),
     connected AS (
       INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) SELECT id, id, 'saml', 'x', $2::jsonb || jsonb_build_object('certificates', jsonb_build_array(($3::text[])[1 + substr(slug, 10)::int % $4])), now()
       FROM made RETURNING id)
     SELECT count(*) FROM connected`,
    [count, configuration, certificates, certificates.length],
  )
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO metadata_sources (tenant_id, connection_id, url, pinned_certificates, next_fetch_at, created_at)
     SELECT id, id, $1 || '/' || substr(slug, 10), '{}', now() - interval '1 hour', now() FROM tenants WHERE slug LIKE 'metadata-%'`,
    [origin],
  )
}

async function measure(laboratory: Laboratory, idp: Idp, count: number) {
  const { ownerUrl } = laboratory.fixture
  const number = async (sql: string) => Number((await asOwner<{ n: string }>(ownerUrl, `SELECT (${sql}) AS n`))[0]?.n)
  const left = () => number("SELECT count(*) FROM metadata_sources WHERE outcome = 'never'")
  const worker = await laboratory.startWorker()
  const [memory, cpu, database, begun] = [residentBytesOf(worker), cpuMsOf(worker), cpuMsOf(laboratory.databasePid), performance.now()]
  let most = memory
  while ((await left()) > 0) {
    if (performance.now() - begun > giveUpMs) throw new Error(`${await left()} of ${count} were not looked at`)
    most = Math.max(most, residentBytesOf(worker))
    await sleep(pollMs)
  }
  return {
    milliseconds: performance.now() - begun,
    workerCpuMs: (cpuMsOf(worker) - cpu) / count,
    databaseCpuMs: (cpuMsOf(laboratory.databasePid) - database) / count,
    ...{ memory, most, atOnce: idp.atOnce(), asked: idp.asked() },
    changed: await number("SELECT count(*) FROM metadata_sources WHERE outcome = 'changed'"),
    fullestMinute: await number(
      "SELECT max(c) FROM (SELECT count(*) AS c FROM metadata_sources GROUP BY date_trunc('minute', next_fetch_at)) AS minutes",
    ),
  }
}

const count = Number(process.argv[2] ?? usual)
await inLaboratory(async (laboratory) => {
  const idp = await anIdp()
  try {
    await arrange(laboratory, idp.origin, count)
    const found = await measure(laboratory, idp, count)
    printTable(
      `${count} connections due at once, one worker`,
      ['figure', 'value'],
      [
        ['until all were looked at', inSeconds(found.milliseconds)],
        ['CPU of the worker for one look, ms', inMilliseconds(found.workerCpuMs)],
        ['CPU of PostgreSQL for one look, ms', inMilliseconds(found.databaseCpuMs)],
        ['memory of the worker before', inMebibytes(found.memory)],
        ['memory of the worker at its highest', inMebibytes(found.most)],
        ['requests', String(found.asked)],
        ['requests under way at once, at most', String(found.atOnce)],
        ['connections with a new key', String(found.changed)],
        ['next looks in the fullest minute', String(found.fullestMinute)],
      ],
    )
  } finally {
    idp.server.close()
  }
})
