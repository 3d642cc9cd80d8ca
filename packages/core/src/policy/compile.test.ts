import { describe, expect, test } from '@jest/globals'
import { compilePolicy } from './compile.js'
import { scopePatterns } from './scope-pattern.js'

const mistakesOf = (text: string) => {
  const compiled = compilePolicy(text)
  return compiled.ok ? [] : compiled.error
}

describe('a document is refused', () => {
  test.each([
    ['version: 1\nrules: [', 'document_not_yaml'],
    ['version: 1\nversion: 1', 'document_not_yaml'],
    ['version: 1\nx: &a [1]\nclaims: *a', 'document_has_alias'],
    ['version: 2', 'document_shape'],
    ['', 'document_shape'],
    ['version: 1\nrule: []', 'document_shape'],
    [`version: 1\ndescription: "${'x'.repeat(65_536)}"`, 'document_too_large'],
    ['version: 1\nrules: [{name: a, effect: grant, scopes: ["x"]}]', 'rule_without_condition'],
    [
      'version: 1\nrules: [{name: a, effect: grant, scopes: ["x"], everyone: true}, {name: a, effect: deny, scopes: ["x"], everyone: true}]',
      'rule_name_repeated',
    ],
    ['version: 1\nclients: [{name: c}]', 'client_rule_without_effect'],
    ['version: 1\nclaims: {email: {type: string, from: "claims.name"}}', 'claim_reserved'],
    ['version: 1\nclaims: {sub: {type: string, from: "claims.name"}}', 'claim_reserved'],
    ['version: 1\nclaims: {email_verified: {type: boolean, from: "true"}}', 'claim_reserved'],
    ['version: 1\nclaims: {a: {type: string, from: "1"}}', 'expression_type'],
    ['version: 1\nclaims: {a: {type: string, from: "claims.b"}, b: {type: string, from: "claims.name"}}', 'expression_type'],
    [
      JSON.stringify({
        version: 1,
        bundles: [
          { name: 'b', groups: Array.from({ length: 101 }, (_, i) => `g${i}`), scopes: Array.from({ length: 100 }, (_, i) => `s${i}`) },
        ],
      }),
      'too_many_rules',
    ],
    ['version: 1\nlimits: {read: {accessTokenSeconds: 1801}}', 'limit_loosened'],
    ['version: 1\nlimits: {admin: {refreshTokenSeconds: 60}}', 'limit_loosened'],
    ['version: 1\nsession: {absoluteSeconds: 43201}', 'limit_loosened'],
  ])('%#: %s', (text, reason) => {
    expect(mistakesOf(text).map((mistake) => mistake.reason)).toContain(reason)
  })

  test('all mistakes are reported at once, each with its place', () => {
    const text =
      'version: 1\nrules:\n  - name: a\n    effect: grant\n    scopes: ["x"]\n    when: claims.emial == "x"\n  - name: b\n    effect: deny\n    scopes: ["x"]\n    when: "1 +"\n'
    expect(mistakesOf(text)).toMatchObject([
      { reason: 'expression_type', path: 'rules[0].when', line: 6, expression: { line: 1, column: 8 } },
      { reason: 'expression_syntax', path: 'rules[1].when', line: 10 },
    ])
  })

  test('many costly expressions are refused together, though each alone would do', () => {
    const when = 'groups.exists(g, g.startsWith(resource))'
    const rules = Array.from({ length: 300 }, (_, index) => ({ name: `r${index}`, effect: 'grant', scopes: ['x'], when }))
    expect(mistakesOf(JSON.stringify({ version: 1, rules })).map((mistake) => mistake.reason)).toEqual(['policy_too_costly'])
    expect(mistakesOf(JSON.stringify({ version: 1, rules: rules.slice(0, 35) }))).toEqual([])
  })

  test('it never throws, whatever the text', () => {
    for (const text of [
      '\u0000',
      '- a',
      '!!binary x',
      '? {a: b}\n: c',
      '{{}}',
      'version: 1\nclaims: {__proto__: string}',
      '%YAML 9.9\n---\nversion: 1',
    ])
      expect(() => compilePolicy(text)).not.toThrow()
  })
})

test.each([
  ['orders:*', 'orders:read', true],
  ['*:read', 'orders:read', true],
  ['*', 'anything', true],
  ['a*a', 'a', false],
  ['a*b*c', 'a-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['orders:read', 'orders:readx', false],
])('pattern %s covers %s: %s', (pattern, scope, covered) => {
  expect(scopePatterns([pattern]).covers(scope)).toBe(covered)
})
