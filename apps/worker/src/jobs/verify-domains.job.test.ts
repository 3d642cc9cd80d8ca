/** Proven domains are looked at again, each once, and lapse in the end where their DNS no longer says what it should. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { proofLimits } from '@drawbridge/core/tenant/domain-proof'
import { createMetrics } from '@drawbridge/runtime/metrics'
import type { TxtAnswer } from '@drawbridge/runtime/txt-resolver'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { jobDeps } from '../../test/a-company.js'
import { verifyDomains } from './verify-domains.job.js'

const start = instant(1_800_000_000_000)
let fixture: TestDatabase
let slugs = 0
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture.close())

const write = <Row>(sql: string, ...parameters: readonly unknown[]) => asOwner<Row>(fixture.ownerUrl, sql, parameters)
async function aProvenDomain(): Promise<{ tenant: ATenant; domain: string }> {
  const tenant = await aTenant(fixture, { slug: `domains-${(slugs += 1)}` })
  const domain = `${tenant.slug}.example`
  await write(
    `INSERT INTO domains (tenant_id, domain, verified_at, proof, challenge, next_check_at, created_at) VALUES ($1, $2, $3, 'dns', $2, $3, $3)`,
    ...[tenant.tenantId, domain, new Date(start)],
  )
  return { tenant, domain }
}
const says = (domain: string): TxtAnswer => ({ kind: 'found', records: [`drawbridge-domain-verification=${domain}`] })
const metrics = createMetrics({ withProcess: false })
/** Runs the job with what the DNS says; answers the names that were asked for. */
async function runAt(at: Instant, answer: (name: string) => TxtAnswer): Promise<readonly string[]> {
  const asked: string[] = []
  const resolveTxt = async (name: string) => {
    asked.push(name)
    return answer(name)
  }
  await verifyDomains({ ...jobDeps(fixture), metrics, clock: { now: () => at }, resolveTxt })
  return asked
}
const stateOf = async (domain: string) =>
  (
    await write<Record<string, unknown>>(
      'SELECT verified_at IS NOT NULL AS proven, lapsed_at IS NOT NULL AS lapsed, failed_checks, next_check_at FROM domains WHERE domain = $1',
      domain,
    )
  )[0]
const toldTo = async ({ tenantId }: ATenant) =>
  (await write<{ kind: string }>('SELECT kind FROM audit_events WHERE tenant_id = $1 ORDER BY id', tenantId)).map(({ kind }) => kind)
const versionOf = async ({ tenantId }: ATenant) =>
  Number((await write<{ v: string }>('SELECT configuration_version AS v FROM tenants WHERE id = $1', tenantId))[0]?.v)

it('a proof that holds is looked at once a day, a little earlier by chance, and changes no configuration', async () => {
  const { tenant, domain } = await aProvenDomain()
  const version = await versionOf(tenant)
  expect(await runAt(start, () => says(domain))).toEqual([`_drawbridge-challenge.${domain}`])
  expect(await runAt(addSeconds(start, 60), () => says(domain))).toEqual([])
  const next = Number(new Date((await stateOf(domain))?.['next_check_at'] as string))
  expect(next).toBeLessThanOrEqual(addSeconds(start, proofLimits.checkEverySeconds))
  expect(next).toBeGreaterThanOrEqual(addSeconds(start, proofLimits.checkEverySeconds * (1 - proofLimits.jitter)) - 1000)
  expect([await versionOf(tenant), await toldTo(tenant)]).toEqual([version, []])
})

it('a proof whose record is gone warns, lapses after three days with an alarm, and is then left alone', async () => {
  const { tenant, domain } = await aProvenDomain()
  const version = await versionOf(tenant)
  for (let hours = 0; hours <= 72; hours += 6) {
    await write(
      'UPDATE domains SET next_check_at = $2 WHERE domain = $1 AND proof IS NOT NULL',
      domain,
      new Date(addSeconds(start, hours * 3600)),
    )
    expect(await stateOf(domain)).toMatchObject({ proven: true })
    await runAt(addSeconds(start, hours * 3600), () => ({ kind: 'absent' }))
  }
  expect(await stateOf(domain)).toMatchObject({ proven: false, lapsed: true, next_check_at: null })
  expect(await toldTo(tenant)).toEqual(['domain.proof_failing', 'domain.proof_lapsed'])
  expect(await versionOf(tenant)).toBeGreaterThan(version)
  expect(await metrics.print()).toMatch(/drawbridge_domain_proofs_lapsed_total 1/)
  expect(await runAt(addSeconds(start, 90 * 86_400), () => says(domain))).not.toContain(`_drawbridge-challenge.${domain}`)
})

it('a proof that fails and comes back recovers, and says both', async () => {
  const { tenant, domain } = await aProvenDomain()
  await runAt(start, () => ({ kind: 'unreachable' }))
  await runAt(addSeconds(start, 7 * 3600), () => says(domain))
  expect(await toldTo(tenant)).toEqual(['domain.proof_failing', 'domain.proof_recovered'])
  expect(await stateOf(domain)).toMatchObject({ proven: true, failed_checks: 0 })
})

it('of workers that run at once each looks at other domains', async () => {
  const at = addSeconds(start, 200 * 86_400)
  const made = await Promise.all(Array.from({ length: 6 }, () => aProvenDomain()))
  await write('UPDATE domains SET next_check_at = $1 WHERE proof IS NOT NULL', new Date(at))
  const asked = (await Promise.all([1, 2, 3].map(() => runAt(at, (name) => says(name.replace('_drawbridge-challenge.', '')))))).flat()
  expect(new Set(asked).size).toBe(asked.length)
  expect(asked).toEqual(expect.arrayContaining(made.map(({ domain }) => `_drawbridge-challenge.${domain}`)))
})

it('what the vendor vouched for is not looked at', async () => {
  const { domain } = await aProvenDomain()
  await write("UPDATE domains SET proof = 'vouched' WHERE domain = $1", domain)
  expect(await runAt(addSeconds(start, 300 * 86_400), () => ({ kind: 'absent' }))).not.toContain(`_drawbridge-challenge.${domain}`)
})
