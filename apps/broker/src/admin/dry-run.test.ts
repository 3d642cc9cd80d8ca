/** A dry run explains, scope by scope, what a policy would decide about somebody who is described, and leaves no trace of her. */
import { createLog } from '@drawbridge/runtime/log'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publishWall } from './fixtures/publish-wall.js'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
const logged: string[] = []

const document = `version: 1
claims: { department: string }
bundles:
  - { name: staff, groups: [staff], scopes: ["documents:read"] }
rules:
  - { name: buyers, effect: grant, scopes: ["documents:write"], when: claims.department == "buying" }
  - { name: fridays, effect: deny, scopes: ["documents:write"], when: request.time.getDayOfWeek() == 5 }
`
const friday = '2026-11-27T10:00:00Z'

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, { log: createLog({ level: 'debug', destination: { write: (line) => void logged.push(line) } }) })
  call = anAdmin(broker)
  const scopes = [
    { name: 'documents:read', description: 'Read', tier: 'read' },
    { name: 'documents:write', description: 'Write', tier: 'write' },
  ]
  await call('PUT', `/tenants/acme/resources/${acme.resourceId}/scopes`, { scopes })
  await call('POST', '/tenants/acme/policies', { document })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const dryRun = (situation: object, policy?: object) =>
  call('POST', '/tenants/acme/policies/dry-run', { situation, ...(policy && { policy }) })
const refused = (status: number, reason: string) => ({ status, body: { type: `urn:drawbridge:error:${reason}` } })
const buyer = { groups: ['staff'], claims: { department: 'buying' } }

describe('a dry run', () => {
  it('says per scope whether it is granted, by which rule, at which line, with which values', async () => {
    const { status, body } = await dryRun({ ...buyer, at: friday })
    expect([status, body.outcome, body.granted, body.policy]).toEqual([
      200,
      'allow',
      ['documents:read'],
      { version: 1, draft: null, wallVersion: 0 },
    ])
    expect(body.scopes).toMatchObject([
      { scope: 'documents:read', granted: true, rule: 'staff', line: 4, tier: 'read' },
      {
        scope: 'documents:write',
        granted: false,
        rule: 'fridays',
        line: 7,
        rules: [
          { name: 'buyers', effect: 'grant', line: 6, outcome: 'yes', values: [{ variable: 'claims.department', value: 'buying' }] },
          { name: 'fridays', effect: 'deny', line: 7, outcome: 'yes', owner: 'tenant' },
        ],
      },
    ])
  })

  it('names every ceiling and the one that won, for access and refresh token each', async () => {
    const { body } = await dryRun({ ...buyer, idpSessionEndsInSeconds: 1_000 })
    expect(body.ceilings.access.won).toMatchObject({ by: 'tier', seconds: 900 })
    expect(body.ceilings.refresh.won).toMatchObject({ by: 'idp_session', seconds: 1_000 })
    expect(body.ceilings.access.all.map(({ by }: { by: string }) => by)).toEqual(
      expect.arrayContaining(['tier', 'session_absolute', 'idp_session']),
    )
  })

  it('says what is missing, and what would be asked for it', async () => {
    const strong = `${document}mfa: [{ name: strong, tiers: [write] }]\n`
    const { body } = await dryRun(buyer, { document: strong })
    expect(body).toMatchObject({ outcome: 'step_up', demand: 'mfa', granted: [], policy: { version: null } })
    expect(body.demands).toMatchObject([{ name: 'strong', strength: 'multi_factor', missing: expect.stringContaining('multi-factor') }])
    expect((await dryRun({ ...buyer, stepUpsDone: 1 }, { document: strong })).body).toMatchObject({
      outcome: 'deny',
      reason: 'mfa_missing',
    })
  })

  it('asks the policy that is given, a version, a draft, or the one that holds', async () => {
    const none = 'version: 1\n'
    const draft = (await call('POST', '/tenants/acme/policy-drafts', { document: none })).body.id
    const asked = async (policy?: object) => (await dryRun(buyer, policy)).body
    expect((await asked()).granted).toEqual(['documents:read', 'documents:write'])
    expect((await asked({ version: 1 })).granted).toEqual(['documents:read', 'documents:write'])
    expect(await asked({ version: 0 })).toMatchObject({ outcome: 'deny', policy: { version: 0 } })
    expect(await asked({ document: none })).toMatchObject({ outcome: 'deny', reason: 'nothing_granted' })
    expect(await asked({ draft })).toMatchObject({ outcome: 'deny', policy: { version: null, draft } })
  })

  it('is within the wall of the vendor, whose rules it names as the vendor’s', async () => {
    const wall = 'version: 1\nrules: [{ name: none-writes, effect: deny, scopes: ["*:write"], everyone: true }]\n'
    const { version } = (await publishWall(call, wall)).body
    const { body } = await dryRun(buyer, { document })
    expect(body).toMatchObject({ granted: ['documents:read'], policy: { wallVersion: version } })
    expect(body.scopes[1].rules).toContainEqual(expect.objectContaining({ name: 'none-writes', owner: 'vendor', effect: 'deny' }))
    await publishWall(call, 'version: 1\n')
  })

  it('is refused for what does not compile, what is not there, and what describes nobody', async () => {
    expect(await dryRun(buyer, { document: 'version: 2\n' })).toMatchObject(refused(400, 'policy_invalid'))
    for (const policy of [{ version: 99 }, { draft: acme.tenantId }])
      expect(await dryRun(buyer, policy)).toMatchObject(refused(404, 'not_found'))
    expect(await dryRun({ resource: 'https://elsewhere.example' })).toMatchObject(refused(400, 'dry_run_impossible'))
    expect(await dryRun({ claims: { department: 'x'.repeat(5_000) } })).toMatchObject(refused(400, 'body_invalid'))
    expect(await dryRun({ groups: Array.from({ length: 2_000 }, String) })).toMatchObject(refused(400, 'body_invalid'))
  })

  it('is written nowhere: no log and no line of the trail holds what was asked', async () => {
    const marked = { groups: ['staff', 'group-of-4711'], claims: { department: 'department-of-4711' }, address: '192.0.2.47' }
    const lines = `${document}  - { name: marked, effect: deny, scopes: ["*"], when: claims.department == "someone-else-of-4711" }\n`
    expect((await dryRun(marked, { document: lines })).body.granted).toEqual(['documents:read'])
    expect(logged.length).toBeGreaterThan(0)
    expect(logged.filter((line) => line.includes('of-4711'))).toEqual([])
    const trail = await asOwner<{ line: string }>(fixture.ownerUrl, 'SELECT row_to_json(a)::text AS line FROM audit_events AS a', [])
    expect(trail.filter(({ line }) => line.includes('of-4711') || line.includes('dry'))).toEqual([])
  })
})
