/** A policy is asked about the login that a test found: as it would have been judged then, by the one key that may read the test. */
import { asOwner } from '@drawbridge/testkit/database'
import { aPersonsBrowser, bothCompanies, type Company, type TwoCompanies, twoCompanies } from '@drawbridge/testkit/two-companies'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let two: TwoCompanies
beforeAll(async () => {
  two = await twoCompanies()
})
afterAll(() => two?.close())

const forClient = (company: Company) => ({ clientId: two.of(company).clientId, resource: two.of(company).resource, scopes: ['read'] })
const askAt = (company: Company) => `/tenants/${company}/connections/${two.of(company).connectionId}/test-logins`
async function run(company: Company, asked: object): Promise<string> {
  const { id, url } = (await two.call('POST', askAt(company), { loginHint: `ada@${company}.example`, ...asked })).body
  await (await aPersonsBrowser().open(url)).form().submit()
  return id
}
const dryRun = (company: Company, id: string, body: object = {}, key?: string) =>
  two.call('POST', `/tenants/${company}/test-logins/${id}/dry-run`, body, key)

describe.each(bothCompanies)('a dry run on a test of %s', (company) => {
  it('decides as the test did, with the rules and the values that it read', async () => {
    const id = await run(company, forClient(company))
    const { found } = (await two.call('GET', `/tenants/${company}/test-logins/${id}`)).body
    const { body } = await dryRun(company, id)
    expect([body.outcome, body.granted]).toEqual(['allow', found.decision.scopes])
    expect([body.ceilings.access.won, body.ceilings.refresh.won]).toEqual([found.decision.accessTokenTtl, found.decision.refreshTokenTtl])
    expect(body.endsAt).toBe(new Date(found.decision.endsAt).toISOString())
    expect(body.scopes).toMatchObject([{ scope: 'read', granted: true, rule: 'staff', rules: [{ name: 'staff', outcome: 'yes' }] }])
  })

  it('is bound by the end that her directory gave her access, as the test was', async () => {
    await two.signIn(company, 'ada')
    const ofCompany = 'tenant_id = (SELECT id FROM tenants WHERE slug = $1)'
    const end = new Date(Date.now() + 120_000).toISOString()
    await asOwner(two.fixture.ownerUrl, `UPDATE subjects SET deactivates_at = $2 WHERE ${ofCompany}`, [company, end])
    const id = await run(company, forClient(company))
    await asOwner(two.fixture.ownerUrl, `UPDATE subjects SET deactivates_at = NULL WHERE ${ofCompany}`, [company])
    const { found } = (await two.call('GET', `/tenants/${company}/test-logins/${id}`)).body
    expect(found.decision).toMatchObject({ accessTokenTtl: { by: 'deactivation' }, refreshTokenTtl: { by: 'deactivation' } })
    const { body } = await dryRun(company, id)
    expect([body.ceilings.access.won, body.ceilings.refresh.won]).toEqual([found.decision.accessTokenTtl, found.decision.refreshTokenTtl])
  })

  it('asks another policy about the same login, for a client that the test did not name', async () => {
    const id = await run(company, {})
    expect(await dryRun(company, id)).toMatchObject({ status: 400, body: { type: 'urn:drawbridge:error:dry_run_impossible' } })
    const own = `version: 1\nrules: [{ name: ada, effect: grant, scopes: [read], when: claims.email == "ada@${company}.example" }]\n`
    const { body } = await dryRun(company, id, { policy: { document: own }, ...forClient(company) })
    expect(body.scopes).toMatchObject([
      { granted: true, rule: 'ada', rules: [{ values: [{ variable: 'claims.email', value: `ada@${company}.example` }] }] },
    ])
    const abroad = 'version: 1\nrules: [{ name: abroad, effect: deny, scopes: ["*"], when: request.country == "FR" }]\n'
    const { scopes } = (await dryRun(company, id, { policy: { document: abroad }, ...forClient(company), country: 'FR' })).body
    expect(scopes).toMatchObject([{ granted: false, rule: 'abroad' }])
    for (const change of [{ clientId: 'nobody' }, { resource: 'https://elsewhere.example' }])
      expect(await dryRun(company, id, { ...forClient(company), ...change })).toMatchObject({ status: 400 })
  })
})

it('is for the key that asked for the test, and for no other', async () => {
  const key = async (permissions: readonly string[]) =>
    (await two.call('POST', '/admin-keys', { name: 'k', permissions, tenant: 'acme', expiresAt: '2099-01-01T00:00:00Z' })).body
      .secret as string
  const [own, colleague, reader] = [await key(['impersonate']), await key(['impersonate']), await key(['configuration:read'])]
  const { id, url } = (await two.call('POST', askAt('acme'), { loginHint: 'ada@acme.example', ...forClient('acme') }, own)).body
  expect(await dryRun('acme', id, {}, own)).toMatchObject({ status: 400, body: { type: 'urn:drawbridge:error:dry_run_impossible' } })
  await (await aPersonsBrowser().open(url)).form().submit()
  expect((await dryRun('acme', id, {}, own)).status).toBe(200)
  for (const other of [colleague, undefined]) expect((await dryRun('acme', id, {}, other)).status).toBe(404)
  expect((await dryRun('acme', id, {}, reader)).status).toBe(403)
  await asOwner(two.fixture.ownerUrl, "UPDATE test_logins SET expires_at = '2020-01-01' WHERE id = $1", [id])
  expect((await dryRun('acme', id, {}, own)).status).toBe(404)
})
