/** What rules say in vain, each alone and beside each other. How much is looked at is in lint.test.ts. */
import { expect, test } from 'vitest'
import { aPolicy, orders } from './fixtures/a-situation.js'
import { lintPolicy, policyWarnings } from './lint.js'
import { lintLimits } from './lint-limits.js'

const resources = [{ identifier: orders.identifier, scopes: orders.scopes.map(({ name }) => name) }]
const rule = (name: string, effect: string, scopes: string, rest = 'everyone: true'): string =>
  `{ name: ${name}, effect: ${effect}, scopes: [${scopes}], ${rest} }`
const rules = (...all: readonly string[]): string => `rules: [${all.join(', ')}]`
const read = '"orders:read"'

test('a warning is told with its rule, its line, and what it is about', () => {
  const text = `rules:
  - { name: never, effect: grant, scopes: ["orders:read"], when: "client.id == 'a' && client.id == 'b'" }
  - { name: always, effect: deny, scopes: ["orders:write"], when: "1 < 2" }
  - { name: nowhere, effect: deny, scopes: ["a", "b", "c", "d", "e*", "f"], groups: [g] }
  - { name: elsewhere, effect: deny, scopes: ["*"], groups: [g], resource: "https://no.example" }
  - { name: wide, effect: grant, scopes: ["orders:refund"], groups: [g, h] }
  - { name: narrow, effect: grant, scopes: ["orders:refund"], groups: [g] }
  - { name: no, effect: deny, scopes: ["orders:admin"], groups: [x] }
  - { name: some, effect: grant, scopes: ["orders:admin"], groups: [x, y] }
  - { name: none, effect: deny, scopes: ["orders:r*"], everyone: true }`
  const told = lintPolicy(aPolicy(text), resources).map(({ kind, rule: name, line, say }) => [
    kind,
    name,
    line,
    say.slice(policyWarnings[kind].length),
  ])
  expect(told).toEqual([
    ['condition_contradicts', 'never', 3, ''],
    ['grant_always_denied', 'never', 3, ': none'],
    ['condition_constant', 'always', 4, ''],
    ['scope_undeclared', 'nowhere', 5, ': a, b, c, d, f'],
    ['resource_unknown', 'elsewhere', 6, ': https://no.example'],
    ['grant_always_denied', 'wide', 7, ': none'],
    ['grant_always_denied', 'narrow', 8, ': none'],
    ['grant_conflicts', 'some', 10, ': no'],
  ])
  expect(new Set(Object.values(policyWarnings)).size).toBe(Object.keys(policyWarnings).length)
  for (const say of Object.values(policyWarnings)) expect(say).toMatch(/^[a-z].{20,}$/)
})

const there = 'resource: "https://mcp.example"'
const here = { identifier: 'https://here.example', scopes: ['orders:read'] }
test.each([
  [
    'a deny elsewhere takes nothing back',
    rules(
      rule('a', 'grant', read, `everyone: true, ${there}`),
      rule('no', 'deny', '"*"', 'everyone: true, resource: "https://here.example"'),
    ),
    [],
  ],
  [
    'a deny here takes back what is granted here',
    rules(rule('a', 'grant', read, `everyone: true, ${there}`), rule('no', 'deny', '"*"', `everyone: true, ${there}`)),
    [['grant_always_denied', 'a']],
  ],
  [
    'a deny here takes some of what is granted everywhere',
    rules(rule('a', 'grant', read), rule('no', 'deny', '"*"', `everyone: true, ${there}`)),
    [['grant_conflicts', 'a']],
  ],
  [
    'a deny of one of two scopes takes some',
    rules(rule('a', 'grant', `${read}, "orders:write"`), rule('no', 'deny', read)),
    [['grant_conflicts', 'a']],
  ],
  [
    'a deny of one of two patterns takes some',
    rules(rule('a', 'grant', '"orders:r*", "*:write"'), rule('no', 'deny', '"orders:r*"')),
    [['grant_conflicts', 'a']],
  ],
  [
    'a deny of the same pattern takes it back',
    rules(rule('a', 'grant', '"orders:r*"'), rule('no', 'deny', '"orders:write", "orders:r*"')),
    [['grant_always_denied', 'a']],
  ],
  [
    'a deny of everything takes back every pattern',
    rules(rule('a', 'grant', '"orders:r*"'), rule('no', 'deny', '"*"')),
    [['grant_always_denied', 'a']],
  ],
  [
    'a wider pattern takes at least some',
    rules(rule('a', 'grant', '"orders:r*"'), rule('no', 'deny', '"orders:*"')),
    [['grant_conflicts', 'a']],
  ],
  ['a deny for some clients may leave something', rules(rule('a', 'grant', read), rule('no', 'deny', '"*"', 'clients: { ids: [x] }')), []],
  [
    'a deny for some clients of the group conflicts not for certain',
    rules(rule('a', 'grant', read, 'groups: [g]'), rule('no', 'deny', '"*"', 'groups: [g], clients: { ids: [x] }')),
    [],
  ],
  ['a deny for another group', rules(rule('a', 'grant', read, 'groups: [g]'), rule('no', 'deny', '"*"', 'groups: [h]')), []],
  [
    'a deny for the group, of another scope',
    rules(rule('a', 'grant', read, 'groups: [g]'), rule('no', 'deny', '"orders:write"', 'groups: [g]')),
    [],
  ],
  [
    'a deny for the group, of a scope that a pattern grants',
    rules(rule('a', 'grant', '"orders:*"', 'groups: [g]'), rule('no', 'deny', '"orders:write"', 'groups: [g]')),
    [['grant_conflicts', 'a']],
  ],
  ['a deny for the group that a grant to everybody meets', rules(rule('a', 'grant', read), rule('no', 'deny', read, 'groups: [g]')), []],
  [
    'a deny for the group, here, and the grant everywhere',
    rules(rule('a', 'grant', read, 'groups: [g]'), rule('no', 'deny', read, `groups: [g], ${there}`)),
    [['grant_conflicts', 'a']],
  ],
  [
    'a deny for the group, everywhere, and the grant here',
    rules(rule('a', 'grant', read, `groups: [g], ${there}`), rule('no', 'deny', read, 'groups: [g]')),
    [['grant_conflicts', 'a']],
  ],
  [
    'a deny for the group at the same place',
    rules(rule('a', 'grant', read, `groups: [g], ${there}`), rule('no', 'deny', read, `groups: [g], ${there}`)),
    [['grant_conflicts', 'a']],
  ],
  [
    'a deny is not taken back by a deny, but repeated',
    rules(rule('a', 'deny', read, 'groups: [g]'), rule('no', 'deny', '"*"')),
    [['rule_repeats', 'a']],
  ],
  [
    'a rule with a condition inside one without',
    rules(rule('a', 'grant', '"*"'), rule('b', 'grant', read, 'when: "claims.name == \'x\'"')),
    [['rule_repeats', 'b']],
  ],
  ['a rule beside one with a condition', rules(rule('a', 'grant', '"*"', 'when: "claims.name == \'x\'"'), rule('b', 'grant', read)), []],
  [
    'a rule for clients inside one for all',
    rules(rule('a', 'grant', '"*"'), rule('b', 'grant', read, 'clients: { ids: [x] }')),
    [['rule_repeats', 'b']],
  ],
  ['a rule beside one for clients', rules(rule('a', 'grant', '"*"', 'clients: { ids: [x] }'), rule('b', 'grant', read)), []],
  ['a rule for everybody beside one for a group', rules(rule('a', 'grant', '"*"', 'groups: [g]'), rule('b', 'grant', read)), []],
  [
    'a rule for two groups beside one for one',
    rules(rule('a', 'grant', '"*"', 'groups: [g]'), rule('b', 'grant', read, 'groups: [g, h]')),
    [],
  ],
  [
    'a rule for a place inside one for it and more',
    rules(rule('a', 'grant', '"*"', 'groups: [{ path: /a }, g]'), rule('b', 'grant', read, 'groups: [{ path: /a }]')),
    [['rule_repeats', 'b']],
  ],
  [
    'a rule for a place beside one for another',
    rules(rule('a', 'grant', '"*"', 'groups: [{ path: /a }]'), rule('b', 'grant', read, 'groups: [{ path: /b }]')),
    [],
  ],
  [
    'a rule for more scopes',
    rules(rule('a', 'grant', read, 'groups: [g]'), rule('b', 'grant', `${read}, "orders:write"`, 'groups: [g]')),
    [['rule_repeats', 'a']],
  ],
  [
    'a grant beside a deny of the group',
    rules(rule('a', 'grant', read, 'groups: [g]'), rule('b', 'deny', '"orders:write"', 'groups: [g]')),
    [],
  ],
  ['twins for everybody: the second repeats', rules(rule('b', 'grant', read), rule('a', 'grant', read)), [['rule_repeats', 'b']]],
  [
    'a rule for everybody and the same for a group',
    rules(rule('b', 'grant', read), rule('a', 'grant', read, 'groups: [g]')),
    [['rule_repeats', 'a']],
  ],
  [
    'the same here and everywhere',
    rules(rule('a', 'grant', read, `everyone: true, ${there}`), rule('b', 'grant', read)),
    [['rule_repeats', 'a']],
  ],
  [
    'the same here and at another',
    rules(
      rule('a', 'grant', read, `everyone: true, ${there}`),
      rule('b', 'grant', read, 'everyone: true, resource: "https://here.example"'),
    ),
    [],
  ],
  ['clients named twice and alike', rules(rule('a', 'grant', read, 'clients: { ids: [x, y] }, when: "client.id == \'y\'"')), []],
  [
    'clients named by id and asked of something else',
    rules(rule('a', 'grant', read, 'clients: { ids: [x] }, when: "claims.name == \'y\'"')),
    [],
  ],
  ['a client that only the condition names', rules(rule('a', 'grant', read, 'when: "client.id == \'y\'"')), []],
  [
    'a deny for the group under a condition',
    rules(rule('a', 'grant', read, 'groups: [g]'), rule('no', 'deny', read, 'groups: [g], when: "claims.name == \'x\'"')),
    [],
  ],
  [
    'a deny for everybody of one of two scopes of a group',
    rules(rule('a', 'grant', `${read}, "orders:write"`, 'groups: [g]'), rule('no', 'deny', read)),
    [['grant_conflicts', 'a']],
  ],
  [
    'a deny for the group, by a pattern of one of two scopes',
    rules(rule('a', 'grant', `${read}, "orders:write"`, 'groups: [g]'), rule('no', 'deny', '"orders:rea*"', 'groups: [g]')),
    [['grant_conflicts', 'a']],
  ],
  [
    'a deny for the group, of two scopes of which a pattern grants one',
    rules(rule('a', 'grant', '"orders:r*"', 'groups: [g]'), rule('no', 'deny', `${read}, "orders:write"`, 'groups: [g]')),
    [['grant_conflicts', 'a']],
  ],
  [
    'a deny for the group, of a scope that no pattern grants',
    rules(rule('a', 'grant', '"orders:r*"', 'groups: [g]'), rule('no', 'deny', '"orders:write"', 'groups: [g]')),
    [],
  ],
  [
    'a deny for the group, by a pattern that reaches no scope of the grant',
    rules(rule('a', 'grant', '"orders:r*"', 'groups: [g]'), rule('no', 'deny', '"orders:w*"', 'groups: [g]')),
    [],
  ],
  [
    'the same under a condition, and told before',
    rules(rule('a', 'grant', read, 'when: "claims.name == \'x\'"'), rule('b', 'grant', read)),
    [['rule_repeats', 'a']],
  ],
  [
    'the same for clients, and told before',
    rules(rule('a', 'grant', read, 'clients: { ids: [x] }'), rule('b', 'grant', read)),
    [['rule_repeats', 'a']],
  ],
  [
    'a scope that only the other resource declares',
    rules(rule('a', 'grant', '"orders:write"', 'everyone: true, resource: "https://here.example"')),
    [['scope_undeclared', 'a']],
  ],
  ['a scope that one of two resources declares', rules(rule('a', 'grant', '"orders:write"')), []],
] as const)('%s', (_, text, expected) => {
  expect(lintPolicy(aPolicy(text), [...resources, here]).map(({ kind, rule: name }) => [kind, name])).toEqual(expected)
})

test('as many warnings as the limit are all told, and as many rules as the limit are compared', () => {
  const lines = (count: number, scope: string) =>
    `rules:\n${Array.from({ length: count }, (_, index) => `  - ${rule(`r${index}`, 'grant', scope, `groups: [g${index}]`)}`).join('\n')}`
  expect(lintPolicy(aPolicy(lines(lintLimits.warnings, '"none"')), resources)).toHaveLength(lintLimits.warnings)
  const compared = (count: number): number => {
    const { rules: all } = aPolicy(`${lines(20, read)}\n  - ${rule('no', 'deny', '"*"')}`)
    const [first = all[0]] = all
    const filling = Array.from(
      { length: count - all.length },
      (_, index) => ({ ...first, owner: 'vendor', name: `v${index}`, effect: 'grant' }) as never,
    )
    return lintPolicy({ ...aPolicy(''), rules: [...all, ...filling] }, []).length
  }
  expect([compared(lintLimits.comparedRules), compared(lintLimits.comparedRules + 1)]).toEqual([20, 1])
})

test('scopes are held against what resources declare up to the limit of comparisons, and not beyond', () => {
  const declared = (count: number) => [{ identifier: 'r', scopes: Array.from({ length: count }, (_, index) => `s${index}`) }]
  const scopes = (letter: string) => Array.from({ length: 100 }, (_, index) => `"${letter}${index}", "${letter}${index}*"`).join(', ')
  const policy = aPolicy(rules(...['a', 'b', 'c', 'd', 'e'].map((letter) => rule(letter, 'grant', scopes(letter), `groups: [${letter}]`))))
  const kinds = (count: number) => lintPolicy(policy, declared(count)).map(({ kind }) => kind)
  expect(new Set(kinds(lintLimits.comparedScopes / 1_000))).toEqual(new Set(['scope_undeclared']))
  expect(kinds(lintLimits.comparedScopes / 1_000 + 1)).toEqual(['not_compared'])
})
