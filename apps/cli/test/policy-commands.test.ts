/** A policy changed on the command line: drafted, looked at, asked, published and rolled back, as the how-to says it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from './a-process.js'

let fixture: TestDatabase
let broker: TestBroker
let folder: string
let environment: Record<string, string>
beforeAll(async () => {
  fixture = await testDatabase()
  const { resourceId } = await aTenant(fixture, { slug: 'initech' })
  broker = await aBroker(fixture.database)
  folder = mkdtempSync(join(tmpdir(), 'drawbridge policies '))
  environment = { DRAWBRIDGE_ADMIN_URL: broker.url, DRAWBRIDGE_ADMIN_KEY: broker.adminKey }
  const scopes = [{ name: 'documents:read', description: 'Read documents', tier: 'read' }]
  await anAdmin(broker)('PUT', `/tenants/initech/resources/${resourceId}/scopes`, { scopes })
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await broker?.close()
  await fixture?.close()
})

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  return join(folder, name)
}
const policy = (...words: string[]) => run(['policy', ...words], environment)
const granting = (group: string) => `version: 1\nbundles:\n  - { name: readers, groups: [${group}], scopes: ["documents:read"] }\n`
const cases = 'cases:\n  - { name: staff read, groups: [staff], expect: { granted: ["documents:read"] } }\n'

it('is drafted, tested, asked, published and rolled back', async () => {
  const [first, second] = [file('first.yaml', granting('staff')), file('second.yaml', granting('others'))]
  const asked = file('cases.yaml', cases)
  expect(await policy('publish', 'initech', '--file', first, '--cases', asked, '--note', 'the first')).toMatchObject({ code: 0 })
  expect((await policy('cases', 'initech')).output.trimEnd()).toBe(cases.trimEnd())
  expect(await policy('test', 'initech')).toMatchObject({ code: 0, output: expect.stringContaining('All 1 test cases hold.') })

  const created = await policy('draft', 'create', 'initech', '--file', second, '--note', 'others')
  expect(created).toMatchObject({
    code: 0,
    output: expect.stringMatching(/revision 1, on top of version 1[\s\S]*1 of 1 test cases do not hold/),
  })
  const draft = /Draft ([0-9a-f-]{36})/.exec(created.output)?.[1] ?? ''
  expect((await policy('draft', 'show', 'initech', draft)).code).toBe(1)
  expect((await policy('draft', 'diff', 'initech', draft)).output).toMatch(
    /--- version 1, document\n\+\+\+ draft [\s\S]*\n-.*\[staff\][\s\S]*\n\+.*\[others\]/,
  )
  const ada = file('ada.yaml', 'groups: [others]\n')
  expect((await policy('dry-run', 'initech', '--situation', ada)).output).toMatch(
    /version 1, .*: denied \(nothing_granted\)[\s\S]*- documents:read/,
  )
  const dry = await policy('dry-run', 'initech', '--situation', ada, '--draft', draft)
  expect(dry.output).toMatch(
    /granted documents:read\n\+ documents:read \(read\): granted by rule readers \(line 3\)[\s\S]*access token 1800 s/,
  )

  const refused = await policy('draft', 'publish', 'initech', draft)
  expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('staff read: wanted [documents:read]')])
  const broken = file('broken.yaml', 'version: 1\nrules:\n  - { name: a, effect: grant, scopes: ["*"], when: claims.emial == "x" }\n')
  expect((await policy('draft', 'change', 'initech', draft, '--file', broken)).output).toMatch(
    /does not compile: 1 mistake[\s\S]*claims\.emial[\s\S]*\n +\^/,
  )
  const none = file('none.yaml', 'cases: []\n')
  expect(await policy('draft', 'change', 'initech', draft, '--file', second, '--cases', none)).toMatchObject({ code: 0 })
  expect(await policy('draft', 'publish', 'initech', draft, '--revision', '1')).toMatchObject({ code: 1 })
  expect(await policy('draft', 'publish', 'initech', draft)).toMatchObject({ code: 0 })
  expect((await policy('diff', 'initech', '2')).output).toContain('+++ version 2, cases')

  expect(await policy('rollback', 'initech', '1', '--note', 'others could read')).toMatchObject({ code: 0 })
  expect((await policy('show', 'initech')).output.trimEnd()).toBe(granting('staff').trimEnd())
  expect((await policy('list', 'initech')).output).toContain('others could read')
}, 120_000)
