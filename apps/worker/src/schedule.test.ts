/** What recurs runs by itself, from the start of a worker on: nobody has to ask for it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { fingerprintOf } from '@drawbridge/upstream/saml/metadata-changes'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, eventually, installationId, jobDeps, sealer } from '../test/a-company.js'
import { schedule } from './schedule.js'
import { createWorker, migrateQueue } from './worker.js'

const secondsPerDay = 86_400
const { certificate: ending } = aKey({ notAfter: new Date(Date.now() + 5 * secondsPerDay * 1000) })
const { certificate: fresh } = aKey()
const idp = createServer((_request, response) => void response.writeHead(200).end(plainMetadata({ certificates: [ending, fresh] })))
let fixture: TestDatabase

beforeAll(async () => {
  fixture = await testDatabase()
  await migrateQueue(fixture.ownerUrl, fixture.url)
  await new Promise<void>((resolve) => idp.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  idp.close()
  await fixture.close()
})

/** Its IdP has published a new key, and the one that it signs with ends in five days. */
async function aCompanyWhoseKeyEnds() {
  const company = await aCompany(fixture, 'acme')
  const configuration = JSON.stringify({ idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [ending] })
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $2 WHERE id = $1', [company.connection, configuration])
  const source = `INSERT INTO metadata_sources (tenant_id, connection_id, url, pinned_certificates, next_fetch_at, created_at)
    VALUES ($1, $2, $3, '{}', now(), now())`
  const url = `http://127.0.0.1:${(idp.address() as AddressInfo).port}/metadata`
  await asOwner(fixture.ownerUrl, source, [company.tenant, company.connection, url])
  return company
}

it('metadata is looked at, certificates are watched, domains are asked for, the swept is swept and the told is told', async () => {
  const { tenant } = await aCompanyWhoseKeyEnds()
  const metrics = createMetrics({ withProcess: false })
  const worker = await createWorker({
    ...{ ...jobDeps(fixture), sealer, installationId, metrics, queue: { databaseUrl: fixture.url } },
    ...{ metricsAccess: { metricsToken: undefined, trustedProxyHops: 0 }, host: '127.0.0.1', port: 0 },
  })
  const done = async () =>
    [...(await metrics.print()).matchAll(/drawbridge_jobs_total\{job="([^"]+)",outcome="done"\}/g)].map(([, job]) => job)
  try {
    await eventually(async () => (await done()).length === schedule.length, 30_000)
    expect((await done()).toSorted()).toEqual([
      'check-signal-streams',
      'end-audit-events',
      'end-idle-registrations',
      'end-subjects',
      'refresh-idp-metadata',
      'rotate-signing-keys',
      'send-announcements',
      'sweep-expired',
      'verify-domains',
      'warn-certificates',
    ])
  } finally {
    await worker.close()
  }
  const trail = await asOwner<{ kind: string; detail: Record<string, unknown> }>(
    fixture.ownerUrl,
    "SELECT kind, detail FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'connection.%' ORDER BY kind",
    [tenant],
  )
  expect(trail).toMatchObject([
    { kind: 'connection.certificate_expiring', detail: { fingerprint: fingerprintOf(ending), threshold: 7 } },
    {
      kind: 'connection.metadata_refreshed',
      detail: { change: { certificates: { added: [{ fingerprint: fingerprintOf(fresh) }], removed: [] } } },
    },
  ])
})
