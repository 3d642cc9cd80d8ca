/** A policy from draft to version: its test cases must hold, nobody publishes over what she has not seen, and an old version comes back only if it still may. */

import { policyDraftLimits } from '@drawbridge/store/policy-drafts'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { publishWall } from './fixtures/publish-wall.js'

let fixture: TestDatabase
let broker: TestBroker
let call: Call
let at = ''
let tenants = 0

beforeAll(async () => {
  fixture = await testDatabase()
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
})
beforeEach(async () => {
  tenants += 1
  const { slug, resourceId } = await aTenant(fixture, { slug: `company-${tenants}` })
  at = `/tenants/${slug}`
  const scopes = [{ name: 'documents:read', description: 'Read documents', tier: 'read' }]
  await call('PUT', `${at}/resources/${resourceId}/scopes`, { scopes })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const refused = (status: number, reason: string) => ({ status, body: { type: `urn:drawbridge:error:${reason}` } })
const granting = (group: string): string => `version: 1\nbundles:\n  - { name: readers, groups: [${group}], scopes: ["documents:read"] }\n`
/** Staff may read. */
const cases = `cases:\n  - { name: staff read, groups: [staff], request: ["documents:read"], expect: { granted: ["documents:read"] } }\n`
const publish = (document: string, rest: object = {}) => call('POST', `${at}/policies`, { document, ...rest })
const draftAt = (id: string, end = '') => `${at}/policy-drafts/${id}${end}`
const begin = async (body: object = {}) => (await call('POST', `${at}/policy-drafts`, body)).body

describe('test cases of a policy', () => {
  it('are kept with the version, and the next one keeps them until somebody says that there are none', async () => {
    expect(await publish(granting('staff'), { cases })).toMatchObject({ status: 201, body: { version: 1, cases: 1, warnings: [] } })
    expect((await publish(`${granting('staff')}# again\n`)).body).toMatchObject({ version: 2, cases: 1 })
    expect((await call('GET', `${at}/policy`)).body).toMatchObject({ version: 2, cases })
    expect((await publish(granting('staff'), { cases: 'cases: []\n' })).body).toMatchObject({ version: 3, cases: 0 })
    expect((await publish(granting('nobody'))).body).toMatchObject({ version: 4, cases: 0 })
  })

  it('that do not hold refuse the version, each with what came instead, and what holds stays', async () => {
    await publish(granting('staff'), { cases })
    const wrong = await publish(granting('others'))
    expect(wrong).toMatchObject(refused(400, 'policy_cases_fail'))
    expect(wrong.body.errors).toEqual([
      { path: 'staff read', message: 'wanted [documents:read], got nothing_granted: no rule grants any of the requested scopes' },
    ])
    expect((await call('GET', `${at}/policy`)).body).toMatchObject({ version: 1, document: granting('staff') })
  })

  it('that are none are shown as mistakes, beside those of the policy', async () => {
    const { body } = await publish('version: 1\nrules: [{}]\n', { cases: 'cases:\n  - { name: x }\n' })
    expect(body.type).toBe('urn:drawbridge:error:policy_invalid')
    expect(body.errors.map(({ path }: { path: string }) => path)).toEqual(expect.arrayContaining(['rules[0].name', 'cases[0].expect']))
  })

  it('are run by a check, which publishes nothing and says what the policy says in vain', async () => {
    const vain = `${granting('others')}rules: [{ name: gone, effect: deny, scopes: ["documents:gone"], everyone: true }]\n`
    const { status, body } = await call('POST', `${at}/policies/check`, { document: vain, cases })
    expect([status, body.compiles, body.cases.total, body.cases.failed]).toEqual([200, true, 1, 1])
    expect(body.cases.failures).toMatchObject([{ name: 'staff read' }])
    expect(body.warnings).toMatchObject([{ kind: 'scope_undeclared', rule: 'gone', line: 4 }])
    expect((await call('GET', `${at}/policy`)).body.version).toBe(0)
  })

  it('of the version that holds are run by a check that names none', async () => {
    await publish(granting('staff'), { cases })
    expect((await call('POST', `${at}/policies/check`, { document: granting('others') })).body.cases).toMatchObject({ total: 1, failed: 1 })
  })

  it('are never lost to a version that is published beside them', async () => {
    await publish(granting('staff'))
    const both = await Promise.all([publish(granting('staff'), { cases }), ...Array.from({ length: 3 }, () => publish(granting('staff')))])
    expect(both.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    expect((await call('GET', `${at}/policy`)).body).toMatchObject({ version: 5, cases })
  })
})

describe('a draft', () => {
  it('begins with what holds, may be saved with mistakes, and is not published with them', async () => {
    await publish(granting('staff'), { cases })
    const draft = await begin()
    expect(draft).toMatchObject({ base: 1, newest: 1, revision: 1, document: granting('staff'), cases, mistakes: [] })
    const broken = await call('PATCH', draftAt(draft.id), {
      revision: 1,
      document: 'version: 1\nrules:\n  - { name: a, effect: grant, scopes: ["*"], when: claims.emial == "x" }\n',
    })
    expect(broken.body.mistakes).toMatchObject([{ path: 'rules[0].when', message: expect.stringContaining('^') }])
    expect(await call('POST', draftAt(draft.id, '/publish'), { revision: 2 })).toMatchObject(refused(400, 'policy_invalid'))
    expect((await call('GET', `${at}/policy`)).body.version).toBe(1)
  })

  it('decides nothing until it is published, and is gone then', async () => {
    await publish(granting('staff'))
    const draft = await begin({ document: granting('contractors'), note: 'contractors' })
    expect((await call('GET', `${at}/policy`)).body).toMatchObject({ version: 1, document: granting('staff') })
    expect((await call('POST', draftAt(draft.id, '/publish'), { revision: 1 })).body).toMatchObject({ version: 2 })
    expect((await call('GET', `${at}/policy`)).body).toMatchObject({ version: 2, document: granting('contractors'), note: 'contractors' })
    expect(await call('GET', draftAt(draft.id))).toMatchObject(refused(404, 'not_found'))
    expect((await call('GET', `${at}/audit-events?kind=policy.published`)).body.auditEvents[0].detail).toMatchObject({
      version: 2,
      draft: draft.id,
    })
  })

  it('whose test cases do not hold shows it, and is not published', async () => {
    const draft = await begin({ document: granting('others'), cases })
    expect(draft.caseResults).toMatchObject({ total: 1, failed: 1, failures: [{ name: 'staff read' }] })
    expect(await call('POST', draftAt(draft.id, '/publish'), { revision: 1 })).toMatchObject(refused(400, 'policy_cases_fail'))
  })

  it('is not published over a version that its author has not seen, and is when it is based on it', async () => {
    await publish(granting('staff'))
    const draft = await begin({ document: granting('contractors') })
    await publish(granting('managers'))
    expect(await call('POST', draftAt(draft.id, '/publish'), { revision: 1 })).toMatchObject(refused(409, 'policy_moved_on'))
    expect((await call('GET', draftAt(draft.id))).body).toMatchObject({ base: 1, newest: 2 })
    expect(await call('PATCH', draftAt(draft.id), { revision: 1, base: 1 })).toMatchObject(refused(409, 'policy_moved_on'))
    expect((await call('PATCH', draftAt(draft.id), { revision: 1, base: 2 })).body).toMatchObject({ base: 2, revision: 2 })
    expect((await call('POST', draftAt(draft.id, '/publish'), { revision: 2 })).status).toBe(201)
  })

  it('that was made before there were cases keeps those that came since', async () => {
    const draft = await begin({ document: granting('others') })
    await publish(granting('staff'), { cases })
    await call('PATCH', draftAt(draft.id), { revision: 1, base: 1 })
    expect(await call('POST', draftAt(draft.id, '/publish'), { revision: 2 })).toMatchObject(refused(400, 'policy_cases_fail'))
  })

  it('is not stopped by the wall of the vendor, whose versions are not the tenant’s', async () => {
    await publish(granting('staff'))
    const draft = await begin({ document: granting('contractors') })
    await publishWall(call, 'version: 1\nrules: []\n')
    expect((await call('POST', draftAt(draft.id, '/publish'), { revision: 1 })).status).toBe(201)
  })

  it('is changed and published only as it was seen', async () => {
    const draft = await begin()
    const both = await Promise.all(['a', 'b'].map((note) => call('PATCH', draftAt(draft.id), { revision: 1, note })))
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
    expect(both.find(({ status }) => status === 409)).toMatchObject(refused(409, 'policy_draft_moved'))
    expect(await call('POST', draftAt(draft.id, '/publish'), { revision: 1 })).toMatchObject(refused(409, 'policy_draft_moved'))
    const twice = await Promise.all([1, 2].map(() => call('POST', draftAt(draft.id, '/publish'), { revision: 2 })))
    expect(twice.filter(({ status }) => status === 201)).toHaveLength(1)
    expect((await call('GET', `${at}/policy`)).body.version).toBe(1)
  })

  it('is one of a bounded number, and is thrown away in the end', async () => {
    for (let n = 0; n < policyDraftLimits.most; n += 1) await begin()
    expect(await call('POST', `${at}/policy-drafts`, {})).toMatchObject(refused(409, 'policy_drafts_full'))
    await asOwner(fixture.ownerUrl, "UPDATE policy_drafts SET expires_at = '2020-01-01'")
    expect((await call('GET', `${at}/policy-drafts`)).body.policyDrafts).toEqual([])
    const draft = await begin()
    expect((await call('DELETE', draftAt(draft.id))).status).toBe(204)
    for (const [method, end] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/diff'],
    ] as const)
      expect(await call(method, draftAt(draft.id, end))).toMatchObject(refused(404, 'not_found'))
  })

  it('of another tenant is nothing', async () => {
    const draft = await begin()
    const other = await aTenant(fixture, { slug: `other-${tenants}` })
    const stranger = `/tenants/${other.slug}/policy-drafts/${draft.id}`
    expect(await call('GET', stranger)).toMatchObject(refused(404, 'not_found'))
    expect(await call('PATCH', stranger, { revision: 1, note: 'x' })).toMatchObject(refused(404, 'not_found'))
    expect(await call('POST', `${stranger}/publish`, { revision: 1 })).toMatchObject(refused(404, 'not_found'))
    expect(await call('DELETE', stranger)).toMatchObject(refused(404, 'not_found'))
    expect((await call('GET', draftAt(draft.id))).body).toMatchObject({ revision: 1 })
  })
})

describe('a diff', () => {
  it('shows line by line what a version changed, in the document and in the cases', async () => {
    await publish(granting('staff'))
    await publish(granting('contractors'), { cases: 'cases: []\n' })
    const { body } = await call('GET', `${at}/policies/2/diff`)
    expect([body.from, body.to]).toEqual([
      { version: 1, draft: null },
      { version: 2, draft: null },
    ])
    expect(body.changed.document).toEqual([
      {
        before: { line: 1, lines: 3 },
        after: { line: 1, lines: 3 },
        lines: [
          ' version: 1',
          ' bundles:',
          '-  - { name: readers, groups: [staff], scopes: ["documents:read"] }',
          '+  - { name: readers, groups: [contractors], scopes: ["documents:read"] }',
        ],
      },
    ])
    expect(body.changed.cases).toMatchObject([{ lines: ['+cases: []'] }])
    expect((await call('GET', `${at}/policies/2/diff?against=2`)).body.changed).toEqual({ document: [], cases: [] })
    expect((await call('GET', `${at}/policies/1/diff`)).body.from).toEqual({ version: 0, draft: null })
    expect(await call('GET', `${at}/policies/2/diff?against=9`)).toMatchObject(refused(404, 'not_found'))
    expect(await call('GET', `${at}/policies/9/diff`)).toMatchObject(refused(404, 'not_found'))
  })

  it('shows what a draft would change', async () => {
    await publish(granting('staff'))
    const draft = await begin({ document: granting('contractors') })
    const { body } = await call('GET', draftAt(draft.id, '/diff'))
    expect([body.from, body.to]).toEqual([
      { version: 1, draft: null },
      { version: null, draft: draft.id },
    ])
    expect(body.changed.document[0].lines).toContain('+  - { name: readers, groups: [contractors], scopes: ["documents:read"] }')
    expect(await call('GET', draftAt(draft.id, '/diff?against=7'))).toMatchObject(refused(404, 'not_found'))
  })
})

describe('a roll back', () => {
  it('publishes an old version with its own cases, and says so in the trail', async () => {
    await publish(granting('staff'), { cases })
    await publish(granting('others'), { cases: 'cases: []\n' })
    const back = await call('POST', `${at}/policies/1/republish`, { note: 'others could read' })
    expect(back).toMatchObject({ status: 201, body: { version: 3, cases: 1 } })
    expect((await call('GET', `${at}/policy`)).body).toMatchObject({ document: granting('staff'), cases, note: 'others could read' })
    expect((await call('GET', `${at}/audit-events?kind=policy.published`)).body.auditEvents[0].detail).toMatchObject({ republished: 1 })
  })

  it('to a version that had no cases keeps those that came since, which must hold', async () => {
    await publish(granting('others'))
    await publish(granting('staff'), { cases })
    expect(await call('POST', `${at}/policies/1/republish`, {})).toMatchObject(refused(400, 'policy_cases_fail'))
    expect((await call('POST', `${at}/policies/1/republish`, { cases: 'cases: []\n' })).body).toMatchObject({ version: 3, cases: 0 })
  })

  it('to a version that is looser than the wall as it is now is refused', async () => {
    await publish('version: 1\nlimits: { read: { accessTokenSeconds: 900 } }\n')
    await publish(granting('staff'))
    await publishWall(call, 'version: 1\nlimits: { read: { accessTokenSeconds: 600 } }\n')
    expect(await call('POST', `${at}/policies/1/republish`, {})).toMatchObject(refused(400, 'policy_invalid'))
    expect((await call('GET', `${at}/policy`)).body).toMatchObject({ version: 2, document: granting('staff') })
    await publishWall(call, 'version: 1\nrules: []\n')
  })
})
