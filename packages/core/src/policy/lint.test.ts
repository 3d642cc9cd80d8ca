import { expect, test } from 'vitest'
import { aPolicy, aWall, orders } from './fixtures/a-situation.js'
import { lintInTurns, lintPolicy } from './lint.js'
import { lintLimits } from './lint-limits.js'

const resources = [{ identifier: orders.identifier, scopes: orders.scopes.map(({ name }) => name) }]
const warningsOf = (text: string, options = {}) => lintPolicy(aPolicy(text, options), resources).map(({ kind, rule }) => [kind, rule])

const rule = (name: string, effect: string, scopes: string, rest = 'everyone: true'): string =>
  `{ name: ${name}, effect: ${effect}, scopes: [${scopes}], ${rest} }`
const rules = (...all: readonly string[]): string => `rules: [${all.join(', ')}]`
const read = '"orders:read"'

test.each([
  ['nothing to say', rules(rule('a', 'grant', read)), []],
  [
    'a grant that a deny takes back from everybody',
    rules(rule('a', 'grant', read), rule('no', 'deny', '"orders:*", "orders:read"')),
    [['grant_always_denied', 'a']],
  ],
  [
    'a deny with a condition may leave something',
    rules(rule('a', 'grant', read), rule('no', 'deny', '"*"', 'when: "claims.name == \'x\'"')),
    [],
  ],
  ['a deny for some may leave something', rules(rule('a', 'grant', read), rule('no', 'deny', '"*"', 'groups: [g]')), []],
  [
    'a grant and a deny for the same group',
    rules(rule('a', 'grant', read, 'groups: [g, h]'), rule('no', 'deny', '"orders:*"', 'groups: [g]')),
    [['grant_conflicts', 'a']],
  ],
  [
    'for the same group at different resources',
    rules(
      rule('a', 'grant', read, 'groups: [g], resource: "https://mcp.example"'),
      rule('no', 'deny', '"*"', 'groups: [g], resource: "https://other.example"'),
    ),
    [['resource_unknown', 'no']],
  ],
  ['a rule inside another', rules(rule('a', 'grant', '"*"'), rule('b', 'grant', read, 'groups: [g]')), [['rule_repeats', 'b']]],
  ['a rule beside another', rules(rule('a', 'grant', '"*"', 'groups: [g]'), rule('b', 'grant', read, 'groups: [h]')), []],
  [
    'twins: the second repeats',
    rules(rule('a', 'grant', read, 'groups: [g]'), rule('b', 'grant', read, 'groups: [g]')),
    [['rule_repeats', 'b']],
  ],
  ['a scope that nobody declares', rules(rule('a', 'grant', '"orders:delete"')), [['scope_undeclared', 'a']]],
  ['a pattern that covers something', rules(rule('a', 'grant', '"*:read"')), []],
  [
    'a resource that is not there',
    rules(rule('a', 'grant', read, 'everyone: true, resource: "https://no.example"')),
    [['resource_unknown', 'a']],
  ],
  ['a constant condition', rules(rule('a', 'grant', read, 'when: "1 < 2"')), [['condition_constant', 'a']]],
  [
    'one client that is to be two',
    rules(rule('a', 'grant', read, "when: \"client.id == 'x' && client.id == 'y'\"")),
    [['condition_contradicts', 'a']],
  ],
  [
    'clients named twice and differently',
    rules(rule('a', 'grant', read, 'clients: { ids: [x] }, when: "client.id == \'y\'"')),
    [['condition_contradicts', 'a']],
  ],
  ['somebody in two groups', rules(rule('a', 'grant', read, "when: \"'x' in groups && 'y' in groups\"")), []],
])('%s', (_, text, expected) => {
  expect(warningsOf(text)).toEqual(expected)
})

test('the vendor’s denies are looked at, and the vendor’s rules are not the tenant’s to mend', () => {
  const other = aWall(rules(rule('no', 'deny', '"orders:write", "*:nothing"')))
  expect(warningsOf(rules(rule('a', 'grant', read)), { wall: other })).toEqual([])
  const total = aWall(rules(rule('no', 'deny', '"*"')))
  expect(warningsOf(rules(rule('a', 'grant', read)), { wall: total })).toEqual([['grant_always_denied', 'a']])
})

test('a tenant without resources is not told that nothing declares its scopes', () => {
  expect(lintPolicy(aPolicy(rules(rule('a', 'grant', '"x"'))), [])).toEqual([])
})

test('there are no more warnings than the limit, by line', () => {
  const many = Array.from({ length: 300 }, (_, index) => rule(`r${index}`, 'grant', '"none"'))
  const found = lintPolicy(aPolicy(`rules:\n${many.map((each) => `  - ${each}`).join('\n')}`), resources)
  expect(found).toHaveLength(lintLimits.warnings)
  expect(found.map(({ line }) => line ?? 0)).toEqual(found.map(({ line }) => line ?? 0).toSorted((one, other) => one - other))
})

test('what is too much to compare is not compared, and the rest is said', () => {
  const many = (prefix: string, star: string) => Array.from({ length: 150 }, (_, index) => `"${prefix}${index}${star}"`).join(', ')
  const grants = Array.from({ length: 10 }, (_, index) => rule(`g${index}`, 'grant', many(`a${index}-`, '')))
  const denies = Array.from({ length: 10 }, (_, index) => rule(`d${index}`, 'deny', many(`b${index}-`, '*')))
  const found = (text: string) => new Set(warningsOf(text).map(([kind]) => kind))
  expect(3_000 * 1_500).toBeGreaterThan(lintLimits.comparedScopes)
  expect(found(rules(...grants, ...denies, rule('z', 'grant', read), rule('no', 'deny', '"*"')))).toEqual(
    new Set(['not_compared', 'scope_undeclared']),
  )
  expect(found(rules(...grants, rule('z', 'grant', read), rule('no', 'deny', '"*"')))).toEqual(
    new Set(['scope_undeclared', 'grant_always_denied']),
  )
})

test('what is not compared is said first, at the rule from which on it was not', () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => `{name: g${1_000 + index}, effect: grant, scopes: [a], groups: [g${index}]}`)
  const found = (count: number) => lintPolicy(aPolicy(rules(...many(count))), []).map(({ kind, rule: at }) => [kind, at])
  expect(found(lintLimits.comparedRules)).toEqual([])
  expect(found(lintLimits.comparedRules + 1)).toEqual([['not_compared', 'g1000']])
})

/** Each of them but for its last name is within each other, which takes a look at every name. */
const nearlyWithin = (rulesOfEach: number): string => {
  const names = (last: string) => [...Array.from({ length: 990 }, (_, index) => `n${index}`), last].join(', ')
  const groups = ['a', 'b', 'c', 'd'].map((name) => `${name}: { names: [${names(name)}] }`).join(', ')
  const all = ['a', 'b', 'c', 'd'].flatMap((group) =>
    Array.from({ length: rulesOfEach }, (_, index) => rule(`${group}${index}`, 'grant', read, `groups: [${group}, y]`)),
  )
  return `groups: { ${groups} }\n${rules(...all)}`
}

test('comparing groups ends, however many rules name the same large ones', () => {
  expect(warningsOf(nearlyWithin(1))).toEqual([])
  expect(warningsOf(nearlyWithin(40))[0]?.[0]).toBe('not_compared')
})

test('a large group that many rules name is compared once', () => {
  const names = (prefix: string) => Array.from({ length: 1_000 }, (_, index) => `${prefix}${index}`).join(', ')
  const all = ['A', 'B'].flatMap((group) =>
    Array.from({ length: 90 }, (_, index) => rule(`${group}${index}`, 'grant', `"${group}${index}"`, `groups: [${group}]`)),
  )
  const text = `groups: { A: { names: [${names('a')}] }, B: { names: [${names('b')}] } }\n${rules(...all, rule('z', 'grant', '"*"', 'groups: [A]'))}`
  const repeats = lintPolicy(aPolicy(text), []).map(({ kind, rule: at }) => `${kind} ${at[0]}`)
  expect(new Set(repeats)).toEqual(new Set(['rule_repeats A']))
  expect(repeats).toHaveLength(90)
})

test('others have their turn after each rule', () => {
  const turns = lintInTurns(aPolicy(rules(rule('a', 'grant', read), rule('b', 'grant', '"*"'))), resources)
  let taken = 0
  while (turns.next().done !== true) taken += 1
  expect(taken).toBe(4)
})

test.each<[string, string, readonly unknown[]]>([
  [
    'a pattern that is granted and denied to one group',
    rules(rule('a', 'grant', '"orders:*"', 'groups: [g]'), rule('no', 'deny', '"*:write"', 'groups: [g]')),
    [['grant_conflicts', 'a']],
  ],
  [
    'patterns that have nothing in common',
    rules(rule('a', 'grant', '"*:read"', 'groups: [g]'), rule('no', 'deny', '"*:write"', 'groups: [g]')),
    [],
  ],
  [
    'part of a grant that is denied to everybody',
    rules(rule('a', 'grant', '"orders:read", "orders:write"', 'groups: [g]'), rule('no', 'deny', '"orders:write"')),
    [['grant_conflicts', 'a']],
  ],
  [
    'a place below one that is denied',
    rules(rule('a', 'grant', read, 'groups: [{ path: /f/a }]'), rule('no', 'deny', read, 'groups: [{ path: /f }]')),
    [['grant_conflicts', 'a']],
  ],
  [
    'a place above one that is denied, which is the exception',
    rules(rule('a', 'grant', read, 'groups: [{ path: "OU=F,DC=x" }]'), rule('no', 'deny', read, 'groups: [{ path: "OU=A,ou=f,dc=x" }]')),
    [],
  ],
  [
    'places beside each other',
    rules(rule('a', 'grant', read, 'groups: [{ path: /f/a }]'), rule('no', 'deny', read, 'groups: [{ path: /f/b }]')),
    [],
  ],
  [
    'a place inside another',
    rules(rule('a', 'grant', read, 'groups: [{ path: /f }]'), rule('b', 'grant', read, 'groups: [{ path: /f/a }]')),
    [['rule_repeats', 'b']],
  ],
  [
    'equal conditions of a grant and a deny',
    rules(rule('a', 'grant', read, 'when: "claims.name == \'x\'"'), rule('no', 'deny', '"*"', 'when: "claims.name == \'x\'"')),
    [['grant_conflicts', 'a']],
  ],
  [
    'equal conditions of two grants',
    rules(rule('a', 'grant', read, 'when: "claims.name == \'x\'"'), rule('b', 'grant', read, 'when: "claims.name == \'x\'"')),
    [['rule_repeats', 'b']],
  ],
  [
    'the same clients of a grant and a deny',
    rules(rule('a', 'grant', read, 'clients: { ids: [x, y] }'), rule('no', 'deny', '"*"', 'clients: { ids: [y, x] }')),
    [['grant_conflicts', 'a']],
  ],
  [
    'other clients of a deny',
    rules(rule('a', 'grant', read, 'clients: { ids: [x] }'), rule('no', 'deny', '"*"', 'clients: { ids: [y] }')),
    [],
  ],
  [
    'some clients of a deny, which are the exception',
    rules(rule('a', 'grant', read), rule('no', 'deny', '"*"', 'clients: { ids: [y] }')),
    [],
  ],
  ['a misspelt scope beside one that is there', rules(rule('no', 'deny', '"orders:read", "orders:raed"')), [['scope_undeclared', 'no']]],
  ['a misspelt scope of a demand', 'mfa: [{ name: m, scopes: ["finanse:*"] }]', [['scope_undeclared', 'm']]],
  ['a demand of every scope', 'mfa: [{ name: m }]', []],
  ['a resource of a demand that is not there', 'mfa: [{ resource: "https://no.example" }]', [['resource_unknown', 'unnamed demand 1']]],
  ['a misspelt scope of a rule for clients', 'clients: [{ name: c, scopes: ["nothing"] }]', [['scope_undeclared', 'c']]],
  ['a rule for clients without scopes', 'clients: [{ name: c, refuse: true }]', []],
  ['a constant condition of a rule for clients', 'clients: [{ name: c, refuse: true, when: "1 < 2" }]', [['condition_constant', 'c']]],
  [
    'a demand of clients that are to be two',
    'mfa: [{ name: m, clients: { ids: [x] }, when: "client.id == \'y\'" }]',
    [['condition_contradicts', 'm']],
  ],
  [
    'a group that is defined as nothing',
    `groups: { g: {} }\n${rules(rule('a', 'grant', read, 'groups: [g, h]'))}`,
    [['groups_empty', 'a']],
  ],
  [
    'a condition on a name of the document',
    `groups: { g: { names: [EXT] } }\n${rules(rule('no', 'deny', read, 'when: "!(\'g\' in groups)"'))}`,
    [['group_of_document', 'no']],
  ],
  [
    'a condition on such a name, which the IdP sends too',
    `groups: { g: { names: [g, h] } }\n${rules(rule('no', 'deny', read, 'when: "\'g\' in groups"'))}`,
    [],
  ],
  [
    'a connection that is not there',
    rules(rule('no', 'deny', read, 'when: "auth.connection == \'nowhere\'"')),
    [['connection_unknown', 'no']],
  ],
  [
    'connections that are there',
    rules(rule('no', 'deny', read, "when: \"auth.connection != 'here' && subject.connection in ['here']\"")),
    [],
  ],
  [
    'a connection of a meaning that is not there',
    'strength: [{ name: s, connection: nowhere, acr: a, means: multi_factor }]',
    [['connection_unknown', 's']],
  ],
])('said of %s', (_, text, expected) => {
  expect(lintPolicy(aPolicy(text), resources, ['here']).map(({ kind, rule: name }) => [kind, name])).toEqual(expected)
})

test('where nobody knows the connections nothing is said of them', () => {
  expect(warningsOf(rules(rule('no', 'deny', read, 'when: "auth.connection == \'nowhere\'"')))).toEqual([])
})
