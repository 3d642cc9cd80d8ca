/** The policy of the vendor changes without fear: nobody publishes over what she has not seen, old versions are read, compared and brought back, and a check names whom it would touch. */
import { policyLimits } from '@drawbridge/core/policy/error'
import { vendorTenantId } from '@drawbridge/core/tenant/ids'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { publishWall } from './fixtures/publish-wall.js'

let fixture: TestDatabase
let broker: TestBroker
let call: Call

beforeAll(async () => {
  fixture = await testDatabase()
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
  for (const slug of ['acme', 'globex', 'initech']) {
    const { resourceId } = await aTenant(fixture, { slug })
    const scopes = ['read', 'write'].map((tier) => ({ name: `documents:${tier}`, description: tier, tier }))
    await call('PUT', `/tenants/${slug}/resources/${resourceId}/scopes`, { scopes })
  }
  const staffRead = (expected: string) =>
    `cases:\n  - { name: staff, groups: [staff], request: ["documents:read", "documents:write"], expect: ${expected} }\n`
  const own = (rest: string) =>
    `version: 1\n${rest}bundles:\n  - { name: staff, groups: [staff], scopes: ["documents:read", "documents:write"] }\n`
  await call('POST', '/tenants/acme/policies', {
    document: own(''),
    cases: staffRead('{ granted: ["documents:read", "documents:write"] }'),
  })
  await call('POST', '/tenants/globex/policies', { document: own('limits: { read: { accessTokenSeconds: 900 } }\n') })
})
beforeEach(async () => {
  await asOwner(fixture.ownerUrl, 'DELETE FROM policies WHERE tenant_id = $1', [vendorTenantId])
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const refused = (status: number, reason: string) => ({ status, body: { type: `urn:drawbridge:error:${reason}` } })
const wall = (rest = 'rules: []') => `version: 1\n${rest}\n`
const noWriting = wall('rules: [{ name: no-writing, effect: deny, scopes: ["*:write"], everyone: true }]')
const short = wall('limits: { read: { accessTokenSeconds: 600 } }')

describe('a version of the policy of the vendor', () => {
  it('is published on top of the newest, and over no version that was not looked at', async () => {
    const { version } = (await publishWall(call, wall())).body
    expect((await call('POST', '/vendor-policies', { base: version, document: short })).status).toBe(201)
    const lost = await call('POST', '/vendor-policies', { base: version, document: noWriting })
    expect(lost).toMatchObject(refused(409, 'policy_moved_on'))
    expect(lost.body.errors).toEqual([{ path: 'base', message: `the newest version is ${version + 1}` }])
    expect((await call('GET', '/vendor-policy')).body).toMatchObject({ version: version + 1, document: short })
    expect(await call('POST', '/vendor-policies', { document: noWriting })).toMatchObject(refused(400, 'body_invalid'))
  })

  it('is one, of several that are published at once on the same base', async () => {
    const { version } = (await publishWall(call, wall())).body
    const all = await Promise.all(
      [short, noWriting, wall('mfa: [{}]')].map((document) => call('POST', '/vendor-policies', { base: version, document })),
    )
    expect(all.map(({ status }) => status).sort()).toEqual([201, 409, 409])
  })

  it('is read by its number, with what it changed, and published again as the next one', async () => {
    const { version } = (await publishWall(call, short, 'short')).body
    await publishWall(call, noWriting)
    expect((await call('GET', `/vendor-policies/${version}`)).body).toMatchObject({ version, document: short, note: 'short' })
    const { body } = await call('GET', `/vendor-policies/${version + 1}/diff`)
    expect(body).toMatchObject({ from: { version }, to: { version: version + 1 }, changed: { cases: [] } })
    expect(body.changed.document[0].lines).toContain('-limits: { read: { accessTokenSeconds: 600 } }')
    const back = await call('POST', `/vendor-policies/${version}/republish`, { base: version + 1 })
    expect(back).toMatchObject({ status: 201, body: { version: version + 2 } })
    expect((await call('GET', '/vendor-policy')).body).toMatchObject({ document: short, note: `version ${version} again` })
    expect(await call('POST', `/vendor-policies/${version}/republish`, { base: version + 1 })).toMatchObject(
      refused(409, 'policy_moved_on'),
    )
    const { auditEvents } = (await call('GET', '/audit-events?kind=vendor_policy.published')).body
    expect(auditEvents[0].detail).toMatchObject({ version: version + 2, base: version + 1, republished: version })
    for (const path of ['', '/diff']) expect(await call('GET', `/vendor-policies/999${path}`)).toMatchObject(refused(404, 'not_found'))
    expect(await call('POST', '/vendor-policies/999/republish', { base: version + 2 })).toMatchObject(refused(404, 'not_found'))
  })

  it('says what it says in vain', async () => {
    const twice = wall(
      'rules: [{ name: a, effect: deny, scopes: [x], everyone: true }, { name: b, effect: deny, scopes: [x], everyone: true }]',
    )
    expect((await publishWall(call, twice)).body.warnings).toMatchObject([{ kind: 'rule_repeats', rule: 'b', line: 2 }])
  })
})

describe('a check of a policy of the vendor', () => {
  const check = async (document: string, rest: object = {}) => (await call('POST', '/vendor-policies/check', { document, ...rest })).body

  it('names tenants whose numbers are looser or whose test cases would hold no more, and publishes nothing', async () => {
    const body = await check(
      wall(
        'limits: { read: { accessTokenSeconds: 600 } }\nrules: [{ name: no-writing, effect: deny, scopes: ["*:write"], everyone: true }]',
      ),
    )
    expect(body).toMatchObject({ compiles: true, warnings: [], tenants: { looked: 3, next: null, leftOut: 0 } })
    expect(body.tenants.changed).toMatchObject([
      {
        tenant: 'acme',
        looser: [],
        cases: { total: 1, failed: 1, failures: [{ name: 'staff', message: expect.stringContaining('got [documents:read]') }] },
      },
      {
        tenant: 'globex',
        looser: [{ path: 'limits.read.accessTokenSeconds', message: expect.stringContaining('at most 600') }],
        cases: { total: 0 },
      },
    ])
    expect((await call('GET', '/vendor-policy')).body.version).toBe(0)
  })

  it('tells only what is news: what is so under the policy that holds is left out', async () => {
    await publishWall(call, noWriting)
    expect((await check(`${noWriting}mfa: []\n`)).tenants).toEqual({ looked: 3, next: null, changed: [], leftOut: 0 })
  })

  it('goes on after a tenant', async () => {
    expect((await check(short, { after: 'acme' })).tenants).toMatchObject({ looked: 2, changed: [{ tenant: 'globex' }] })
  })
})

describe('a tenant inside another policy of the vendor', () => {
  const trial = (body: object, end = 'dry-run') => call('POST', `/tenants/acme/vendor-policies/${end}`, body)
  const situation = { groups: ['staff'] }

  it('is asked in a dry run, by what it has published or by what is given', async () => {
    const { version } = (await publishWall(call, wall())).body
    const { body } = await trial({ wall: { document: noWriting }, situation })
    expect(body).toMatchObject({ outcome: 'allow', granted: ['documents:read'], policy: { wallVersion: version + 1 } })
    expect((await trial({ wall: { version }, situation })).body.granted).toEqual(['documents:read', 'documents:write'])
    expect((await trial({ wall: { version: 0 }, policy: { document: 'version: 1\n' }, situation })).body).toMatchObject({
      outcome: 'deny',
      policy: { wallVersion: 0 },
    })
    expect(await trial({ wall: { document: 'version: 2' }, situation })).toMatchObject(refused(400, 'policy_invalid'))
    expect(await trial({ wall: { version: 999 }, situation })).toMatchObject(refused(404, 'not_found'))
    expect(await trial({ wall: { version }, situation: { resource: 'x' } })).toMatchObject(refused(400, 'dry_run_impossible'))
  })

  it('is replayed, and its trail says so without the text', async () => {
    expect((await trial({ wall: { document: noWriting } }, 'replay')).body).toMatchObject({ complete: true, all: { logins: 0 } })
    const { auditEvents } = (await call('GET', '/tenants/acme/audit-events?kind=policy.replayed')).body
    expect(auditEvents[0].detail).toMatchObject({ wallOfText: true, logins: 0 })
    expect(await trial({ wall: { version: 999 } }, 'replay')).toMatchObject(refused(404, 'not_found'))
  })
})

describe('versions of a day', () => {
  const fill = (owner: string, count: number) =>
    asOwner(
      fixture.ownerUrl,
      `INSERT INTO policies (tenant_id, version, document, cases, author, note, published_at)
       SELECT $1, 1000 + n, 'version: 1', '', 'a', '', now() - interval '1 hour' FROM generate_series(1, $2::int) AS n`,
      [owner, count],
    )

  it('of the vendor are so many as the limit says, and rollbacks have room of their own', async () => {
    await fill(vendorTenantId, policyLimits.versionsADay)
    const base = 1000 + policyLimits.versionsADay
    await asOwner(fixture.ownerUrl, 'UPDATE tenants SET policy_version = $2 WHERE id = $1', [vendorTenantId, base])
    const full = await call('POST', '/vendor-policies', { base, document: wall() })
    expect(full).toMatchObject(refused(429, 'policy_versions_full'))
    expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(22 * 3600)
    expect((await call('POST', `/vendor-policies/${base}/republish`, { base })).status).toBe(201)
  })

  it('of a tenant, too, until the first of them is a day old', async () => {
    const { tenantId } = await aTenant(fixture, { slug: 'hooli' })
    await fill(tenantId, policyLimits.versionsADayWithRollbacks)
    await asOwner(fixture.ownerUrl, 'UPDATE tenants SET policy_version = 2000 WHERE id = $1', [tenantId])
    const publish = () => call('POST', '/tenants/hooli/policies', { document: wall() })
    expect(await publish()).toMatchObject(refused(429, 'policy_versions_full'))
    expect(await call('POST', '/tenants/hooli/policies/1001/republish', {})).toMatchObject(refused(429, 'policy_versions_full'))
    await asOwner(
      fixture.ownerUrl,
      "UPDATE policies SET published_at = now() - interval '25 hours' WHERE tenant_id = $1 AND version < 1022",
      [tenantId],
    )
    expect((await publish()).status).toBe(201)
  })
})
