import { expect, it } from 'vitest'
import { type CheckedWall, wallLinesOf } from './show-wall.js'

const none = { total: 0, failed: 0, failures: [] }
const checked = (tenants: Partial<CheckedWall['tenants']>): CheckedWall => ({
  warnings: [],
  tenants: { looked: 3, next: null, changed: [], leftOut: 0, ...tenants },
})

it('says which tenants would notice, by which numbers and test cases', () => {
  const looser = [{ path: 'limits.read.accessTokenSeconds', message: 'line 2: at most 600' }]
  const cases = { total: 2, failed: 1, failures: [{ name: 'staff', message: 'wanted [write], got [read]' }] }
  const changed = [
    { tenant: 'acme', looser: [], cases },
    { tenant: 'globex', looser, cases: none },
  ]
  expect(wallLinesOf(checked({ changed, leftOut: 1, next: 'initech' }))).toEqual([
    'It compiles.',
    'Of 3 tenants, 3 would notice:',
    'acme',
    '  1 of 2 test cases do not hold:',
    '    - staff: wanted [write], got [read]',
    'globex',
    '  looser than this wall, and would be held to it:',
    '    limits.read.accessTokenSeconds: line 2: at most 600',
    '… and 1 more',
    '! It took too long. Go on with --after initech',
  ])
})

it('says that nobody would', () => {
  const warnings = [{ rule: 'gone', line: 4, message: 'another rule says the same' }]
  expect(wallLinesOf({ ...checked({}), warnings })).toEqual([
    'It compiles.',
    '! line 4, rule gone: another rule says the same',
    'Of 3 tenants, none has numbers or test cases that say otherwise.',
  ])
})
