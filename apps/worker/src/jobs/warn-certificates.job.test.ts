/** The end of a certificate is told at 60, 30, 14, 7 and 1 days, each once, in the trail of its tenant and as a figure. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aKey } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { fingerprintOf } from '@drawbridge/upstream/saml/metadata-changes'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, jobDeps } from '../../test/a-company.js'
import { warnBatch, warnCertificates } from './warn-certificates.job.js'

const day = 86_400
const end = instant(Date.UTC(2027, 5, 1))
const { certificate } = aKey({ notAfter: new Date(end) })
const { certificate: later } = aKey({ notAfter: new Date(Date.UTC(2035, 0, 1)) })
const metrics = createMetrics({ withProcess: false })
let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const warnAt = (now: Instant) => warnCertificates({ ...jobDeps(fixture), metrics, clock: { now: () => now } })
const toldTo = (tenant: string) =>
  asOwner<{ detail: { threshold: number; daysLeft: number; fingerprint: string; connection: string } }>(
    fixture.ownerUrl,
    "SELECT detail FROM audit_events WHERE tenant_id = $1 AND kind = 'connection.certificate_expiring' ORDER BY id",
    [tenant],
  )
async function companyWith(slug: string, certificates: readonly string[]) {
  const company = await aCompany(fixture, slug)
  const configuration = JSON.stringify({ idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates })
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET configuration = $2 WHERE id = $1', [company.connection, configuration])
  return company
}

it('each threshold is told once, by whichever worker is first', async () => {
  const { tenant } = await companyWith('acme', [certificate, later])
  for (let daysLeft = 65; daysLeft >= -2; daysLeft--) {
    const now = addSeconds(end, -daysLeft * day)
    await Promise.all([warnAt(now), warnAt(now)])
  }
  const told = await toldTo(tenant)
  expect(told.map(({ detail }) => [detail.threshold, detail.daysLeft])).toEqual([
    [60, 60],
    [30, 30],
    [14, 14],
    [7, 7],
    [1, 1],
  ])
  expect(told[0]?.detail).toMatchObject({ fingerprint: fingerprintOf(certificate), connection: 'Corporate' })
  expect(await metrics.print()).toContain('drawbridge_certificate_warnings_total{days="14"} 1')
}, 60_000)

it('so is that of a certificate of a trust in SAML assertions', async () => {
  const { tenant, connection } = await companyWith('sts', [])
  const configuration = JSON.stringify({ profile: 'saml2-bearer', issuer: 'urn:sts', certificates: [certificate], clients: ['agent'] })
  await asOwner(fixture.ownerUrl, "UPDATE connections SET kind = 'assertion', configuration = $2 WHERE id = $1", [
    connection,
    configuration,
  ])
  await warnAt(addSeconds(end, -10 * day))
  expect((await toldTo(tenant)).map(({ detail }) => detail.threshold)).toEqual([14])
})

it('a certificate that comes late is told once, by its tightest threshold', async () => {
  const { tenant } = await companyWith('globex', [certificate])
  await warnAt(addSeconds(end, -10 * day))
  await warnAt(addSeconds(end, -9 * day))
  expect((await toldTo(tenant)).map(({ detail }) => detail.threshold)).toEqual([14])
})

it('a disabled connection, one that is not SAML and an unreadable certificate are passed over', async () => {
  const { tenant, connection } = await companyWith('initech', [certificate, 'no certificate'])
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = now() WHERE id = $1', [connection])
  await warnAt(addSeconds(end, -5 * day))
  expect(await toldTo(tenant)).toEqual([])
  await asOwner(fixture.ownerUrl, "UPDATE connections SET disabled_at = NULL, kind = 'oidc' WHERE id = $1", [connection])
  await warnAt(addSeconds(end, -5 * day))
  expect(await toldTo(tenant)).toEqual([])
})

it('more connections than fit a page are all read', async () => {
  const { tenant } = await aCompany(fixture, 'many')
  const configuration = JSON.stringify({ idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [certificate] })
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at)
     SELECT $1, gen_random_uuid(), 'saml', 'x', $2, now() FROM generate_series(1, $3)`,
    [tenant, configuration, warnBatch + 5],
  )
  await warnAt(addSeconds(end, -20 * day))
  expect(await toldTo(tenant)).toHaveLength(warnBatch + 5)
}, 60_000)
