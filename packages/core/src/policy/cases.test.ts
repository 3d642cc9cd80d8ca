import { describe, expect, test } from '@jest/globals'
import { parsePolicyCases, policySituation, runPolicyCases } from './cases.js'
import { policyLimits } from './error.js'
import { aPolicy, orders } from './fixtures/a-situation.js'

const policy = aPolicy(`
bundles: [{ name: staff, groups: [staff], scopes: ["orders:read", "orders:admin"] }]
mfa: [{ name: strong, tiers: [admin] }]`)
const failuresOf = (text: string, resources = [orders]) => {
  const cases = parsePolicyCases(text)
  if (!cases.ok) throw new Error(JSON.stringify(cases.error))
  return runPolicyCases(policy, cases.value, resources).map(({ say }) => say)
}
const oneCase = (rest: string): string => `cases: [{ name: c, groups: [staff], request: ["orders:read"], ${rest} }]`

describe('a case', () => {
  test.each([
    ['that holds', oneCase('expect: { granted: ["orders:read"], accessTokenSeconds: 1800, refreshTokenSeconds: 28800 }'), []],
    ['that wants other scopes', oneCase('expect: { granted: [] }'), ['wanted [], got [orders:read] for 1800 s, refresh 28800']],
    [
      'that wants a denial',
      oneCase('expect: { denied: nothing_granted }'),
      ['wanted nothing_granted, got [orders:read] for 1800 s, refresh 28800'],
    ],
    ['that wants a step-up', oneCase('expect: { stepUp: true }'), ['wanted a step-up, got [orders:read] for 1800 s, refresh 28800']],
    [
      'that wants another life',
      oneCase('expect: { accessTokenSeconds: 60 }'),
      ['wanted an access token of 60 s, got [orders:read] for 1800 s, refresh 28800'],
    ],
    [
      'that wants no refresh token',
      oneCase('expect: { refreshTokenSeconds: none }'),
      ['wanted a refresh token of none s, got [orders:read] for 1800 s, refresh 28800'],
    ],
    [
      'with a resource that is not there',
      oneCase('resource: "https://no.example", expect: { granted: [] }'),
      ['names no known resource: https://no.example'],
    ],
  ])('%s', (_, text, failures) => {
    expect(failuresOf(text)).toEqual(failures)
  })

  test('tells one kind of step-up from the other', () => {
    const admin = (rest: string, expected: string) =>
      `cases: [{ name: c, groups: [staff], request: ["orders:admin"], ${rest}, expect: { ${expected} } }]`
    expect(failuresOf(admin('amr: [pwd]', 'stepUp: mfa'))).toEqual([])
    expect(failuresOf(admin('amr: [pwd]', 'stepUp: fresh'))).toHaveLength(1)
    const old = (expected: string) =>
      `cases: [{ name: c, groups: [staff], request: ["orders:read"], sessionSecondsAgo: 30000, isOwnSession: false, expect: { ${expected} } }]`
    expect(failuresOf(old('stepUp: fresh'))).toEqual([])
    expect(failuresOf(old('stepUp: mfa'))).toHaveLength(1)
    expect(failuresOf(admin('amr: [mfa]', 'granted: ["orders:admin"], refreshTokenSeconds: none'))).toEqual([])
  })

  test('may bring a resource of its own', () => {
    const text =
      'resource: https://x.example\nscopes: { "orders:read": admin }\ncases: [{ name: c, groups: [staff], amr: [mfa], expect: { granted: ["orders:read"], accessTokenSeconds: 300 } }]'
    expect(failuresOf(text, [])).toEqual([])
  })

  test('without a resource means the only one, and there must be one', () => {
    const other = { ...orders, identifier: 'https://other.example' as never }
    expect(failuresOf(oneCase('expect: { granted: ["orders:read"] }'), [orders, other])).toEqual(['names no known resource'])
  })
})

describe('cases are refused', () => {
  test.each([
    ['that expect nothing', 'cases: [{ name: c, expect: {} }]', 'cases_shape'],
    ['that are no YAML', 'cases: [', 'cases_shape'],
    ['with a misspelt member', 'cases: [{ name: c, gruops: [a], expect: { granted: [] } }]', 'cases_shape'],
    ['that are too large', `# ${'x'.repeat(policyLimits.casesBytes)}`, 'cases_too_large'],
    [
      'beyond the limit',
      JSON.stringify({ cases: Array.from({ length: policyLimits.cases + 1 }, () => ({ name: 'c', expect: { granted: [] } })) }),
      'cases_shape',
    ],
  ])('%s', (_, text, reason) => {
    const parsed = parsePolicyCases(text)
    expect(parsed.ok ? [] : parsed.error.map((one) => one.reason)).toContain(reason)
  })
})

test.each([
  ['a claim', { claims: { name: 'x'.repeat(policyLimits.claimCharacters + 1) } }],
  ['a list', { claims: { roles: Array.from({ length: policyLimits.claimListItems + 1 }, String) } }],
  ['claims', { claims: Object.fromEntries(Array.from({ length: policyLimits.claims + 1 }, (_, index) => [`claim${index}`, 'x'])) }],
  ['groups', { groups: Array.from({ length: policyLimits.groups + 1 }, String) }],
  ['a group', { groups: ['x'.repeat(policyLimits.claimCharacters + 1)] }],
])('%s beyond what a login can bring are no situation: what a condition costs is reckoned by it', (_, situation) => {
  expect(policySituation.safeParse(situation).success).toBe(false)
})

test('a resource that cases declare has a bounded number of scopes', () => {
  const scopes = Array.from({ length: policyLimits.caseScopes + 1 }, (_, index) => `s${index}: read`).join(', ')
  expect(parsePolicyCases(`resource: "https://mcp.example"\nscopes: { ${scopes} }\ncases: []\n`)).toMatchObject({
    ok: false,
    error: [{ reason: 'cases_shape', path: 'scopes' }],
  })
})
