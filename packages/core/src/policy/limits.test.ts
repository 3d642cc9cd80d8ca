/** What is handled, to the last one; and beyond, refused with the limit's name. */
import { describe, expect, test } from 'vitest'
import { parsePolicyCases } from './cases.js'
import { compileDocument, compilePolicy } from './compile.js'
import { decide } from './decide.js'
import { policySchema } from './document.js'
import { policyLimits } from './error.js'
import { aSituation } from './fixtures/a-situation.js'

const sized = <T>(length: number, make: (index: number) => T): T[] => Array.from({ length }, (_, index) => make(index))
const saidOf = (document: object): string => {
  const compiled = compilePolicy(JSON.stringify({ version: 1, ...document }))
  return compiled.ok ? 'accepted' : compiled.error.map(({ say }) => say).join('; ')
}
const aRule = (index: number, more: object = {}) => ({
  name: `r${index}`,
  effect: 'grant',
  scopes: ['orders:read'],
  groups: [`g${index}`],
  ...more,
})
const grantedTo = (policy: Parameters<typeof decide>[0], groups: string[]): readonly string[] => {
  const decision = decide(policy, aSituation({ groups }))
  return decision.kind === 'allow' ? decision.scopes : []
}

describe('handled', () => {
  test('ten thousand rules, each of them found', () => {
    const compiled = compileDocument(policySchema.parse({ version: 1, rules: sized(policyLimits.rules, (index) => aRule(index)) }), {})
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.error))
    expect(grantedTo(compiled.value, ['g0'])).toEqual(['orders:read'])
    expect(grantedTo(compiled.value, [`g${policyLimits.rules - 1}`])).toEqual(['orders:read'])
    expect(grantedTo(compiled.value, [`g${policyLimits.rules}`])).toEqual([])
  })

  test('a thousand groups of one person, the last of which counts', () => {
    const compiled = compilePolicy(JSON.stringify({ version: 1, rules: [aRule(999)] }))
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.error))
    expect(
      grantedTo(
        compiled.value,
        sized(1_000, (index) => `g${index}`),
      ),
    ).toEqual(['orders:read'])
    expect(
      grantedTo(
        compiled.value,
        sized(999, (index) => `g${index}`),
      ),
    ).toEqual([])
  })

  test('a document of 64 KiB', () => {
    const begin = JSON.stringify({ version: 1, rules: sized(500, (index) => aRule(index)) })
    expect(compilePolicy(begin.padEnd(policyLimits.documentBytes)).ok).toBe(true)
    expect(compilePolicy(begin.padEnd(policyLimits.documentBytes + 1))).toMatchObject({
      ok: false,
      error: [{ reason: 'document_too_large', say: expect.stringContaining('documentBytes') }],
    })
  })
})

describe('beyond a limit the refusal names it', () => {
  const email = 'claims.email'
  test.each<[keyof typeof policyLimits, object]>([
    ['rules', { bundles: [{ name: 'b', groups: sized(101, (index) => `g${index}`), scopes: sized(100, (index) => `s${index}`) }] }],
    ['clientRules', { clients: sized(1_001, (index) => ({ name: `c${index}`, refuse: true })) }],
    ['demands', { mfa: sized(1_001, () => ({})) }],
    ['strengthRules', { strength: sized(201, (index) => ({ name: `s${index}`, acr: 'x', means: 'multi_factor' })) }],
    ['ruleScopes', { rules: [aRule(0, { scopes: sized(201, (index) => `s${index}`) })] }],
    ['ruleScopes', { mfa: [{ scopes: sized(201, (index) => `s${index}`) }] }],
    ['patternStars', { rules: [aRule(0, { scopes: ['*a'.repeat(9)] })] }],
    ['patternStars', { mfa: [{ scopes: ['*a'.repeat(9)] }] }],
    ['patternStars', { clients: [{ name: 'c', scopes: ['*a'.repeat(9)] }] }],
    ['ruleClients', { rules: [aRule(0, { clients: { ids: sized(201, (index) => `c${index}`) } })] }],
    ['groups', { rules: [aRule(0, { groups: sized(1_001, (index) => `g${index}`) })] }],
    ['groups', { groups: { g: { names: sized(600, (index) => `g${index}`), ids: sized(401, (index) => `i${index}`) } } }],
    [
      'groupsInAll',
      {
        groups: { g: { names: sized(1_000, (index) => `g${index}`) } },
        bundles: sized(201, (index) => ({ name: `b${index}`, groups: ['g'], scopes: [`s${index}`] })),
      },
    ],
    ['amrValues', { strength: [{ name: 's', amr: sized(21, (index) => `m${index}`), means: 'multi_factor' }] }],
    ['placeDepth', { rules: [aRule(0, { groups: [{ path: '/x'.repeat(33) }] })] }],
    ['expressionCharacters', { rules: [aRule(0, { when: `${email} == '${'x'.repeat(2_000)}'` })] }],
    ['expressionNodes', { rules: [aRule(0, { when: `${'!!'.repeat(200)}true` })] }],
    ['expressionDepth', { rules: [aRule(0, { when: `${'('.repeat(17)}true${')'.repeat(17)}` })] }],
    ['expressionListItems', { rules: [aRule(0, { when: `${email} in [${sized(201, () => "''").join()}]` })] }],
    ['expressionCost', { rules: [aRule(0, { when: 'groups.exists(a, groups.exists(b, groups.exists(c, a == b && b == c)))' })] }],
    ['expressionCost', { rules: [aRule(0, { when: 'claims.roles.exists(a, claims.roles.exists(b, a == b && b + a == a))' })] }],
    ['expressionText', { rules: [aRule(0, { when: `['x']${'.map(a, a + a + a + a)'.repeat(9)}[0].contains('zz')` })] }],
    ['expressionText', { claims: { all: { type: 'string', from: Array.from({ length: 20 }, () => email).join(' + ') } } }],
    ['policyCost', { rules: sized(100, (index) => aRule(index, { when: "groups.exists(g, g.startsWith('x'))" })) }],
    ['policyCost', { rules: sized(30, (index) => aRule(index, { when: `${email}.matches('^[ab]*a[ab]{29}$')` })) }],
    ['policyCost', { rules: sized(100, (index) => aRule(index, { when: "request.time.getHours('Europe/Vienna') < 9" })) }],
    ['regexCharacters', { rules: [aRule(0, { when: `${email}.matches('${'x'.repeat(257)}')` })] }],
    ['regexInstructions', { rules: [aRule(0, { when: `${email}.matches('((a{9}){9}){9}')` })] }],
  ])('%s', (limit, document) => {
    expect(saidOf(document)).toContain(limit)
  })

  test.each<[keyof typeof policyLimits, object]>([
    ['cases', { cases: sized(1_001, (index) => ({ name: `c${index}`, expect: { granted: [] } })) }],
    ['requestScopes', { cases: [{ name: 'c', request: sized(101, (index) => `s${index}`), expect: { granted: [] } }] }],
    ['amrValues', { cases: [{ name: 'c', amr: sized(21, (index) => `m${index}`), expect: { granted: [] } }] }],
  ])('%s of test cases', (limit, document) => {
    const parsed = parsePolicyCases(JSON.stringify(document))
    expect(parsed.ok ? '' : parsed.error.map(({ say }) => say).join()).toContain(limit)
  })
})

test.each([
  ['groups', undefined, 'the groups of this person are unknown: rules that need them are decided strictly'],
  ['groups', 'groups', 'because the login brought more than the limit groups (1000)'],
  ['a name', 'claimCharacters', 'because the login brought more than the limit claimCharacters (1024)'],
] as const)('a decision without %s says that it was the limit: %s', (_, beyond, note) => {
  const compiled = compilePolicy(JSON.stringify({ version: 1, rules: [aRule(0)] }))
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error))
  const input = aSituation({ groups: 'unknown', request: ['orders:read'] })
  const decision = decide(compiled.value, { ...input, identity: { ...input.identity, groups: { state: 'unknown', beyond } } })
  expect(decision.explanation.notes[0]).toContain(note)
  expect(decision).toMatchObject({
    kind: 'deny',
    missing: expect.stringContaining(beyond === undefined ? 'did not name them' : `more than the limit ${beyond}`),
  })
})
