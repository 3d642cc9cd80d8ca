import { describe, expect, test } from 'vitest'
import { compilePolicy, compileWall, defaultWall, safeDefaultPolicy } from './compile.js'
import { policyErrors, policyLimits } from './error.js'
import { aPolicy, aWall } from './fixtures/a-situation.js'
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

describe('every mistake is told with its place and with what it is about', () => {
  const told = (text: string, compile: (text: string) => ReturnType<typeof compilePolicy | typeof compileWall> = compilePolicy) => {
    const compiled = compile(`version: 1\n${text}`)
    return compiled.ok
      ? []
      : compiled.error.map(({ reason, path, line, say }) => [reason, path, line, say.slice(policyErrors[reason].say.length)])
  }
  const rule = 'effect: deny, scopes: [x], everyone: true'
  const deep = '/x'.repeat(policyLimits.placeDepth + 1)
  test.each([
    [`rules:\n  - { name: a, ${rule} }\n  - { name: a, ${rule} }`, [['rule_name_repeated', 'rules[1].name', 4, ': a']]],
    [
      `bundles:\n  - { name: a, groups: [g], scopes: [x] }\nrules:\n  - { name: a, ${rule} }`,
      [['rule_name_repeated', 'rules[0].name', 5, ': a']],
    ],
    ['mfa:\n  - { name: m }\n  - {}\n  - {}\n  - { name: m, strength: single_factor }', [['rule_name_repeated', 'mfa[3].name', 6, ': m']]],
    [
      'strength:\n  - { name: s, acr: a, means: multi_factor }\n  - { name: s, acr: b, means: multi_factor }',
      [['rule_name_repeated', 'strength[1].name', 4, ': s']],
    ],
    [`rules:\n  - { name: a, ${rule} }\nmfa:\n  - { name: a }`, []],
    [`rules:\n  - { name: a, ${rule} }\nclients:\n  - { name: a, refuse: true }`, [['rule_name_repeated', 'clients[0].name', 5, ': a']]],
    ['rules:\n  - { name: a, effect: deny, scopes: [x] }', [['rule_without_condition', 'rules[0]', 3, ': a']]],
    ['rules:\n  - { name: a, effect: deny, scopes: [x], groups: [g] }', []],
    ['rules:\n  - { name: a, effect: deny, scopes: [x], clients: { ids: [c] } }', []],
    ['rules:\n  - { name: a, effect: deny, scopes: [x], when: "true" }', []],
    ['clients:\n  - { name: a, clients: { ids: [c] } }', [['client_rule_without_effect', 'clients[0]', 3, ': a']]],
    [
      'clients:\n  - { name: a, scopes: [x] }\n  - { name: b, accessTokenSeconds: 1 }\n  - { name: c, refreshTokenSeconds: none }\n  - { name: d, refuse: true }',
      [],
    ],
    ['acceptsStrengthOf:\n  - c', [['wall_only', 'acceptsStrengthOf', 3, '']]],
    [
      `rules:\n  - { name: a, effect: deny, scopes: [x], groups: [{ path: "${deep}" }] }`,
      [['place_too_deep', 'rules[0].groups', 3, ': limit 32']],
    ],
    [
      `bundles:\n  - { name: a, scopes: [x], groups: [g, { path: "${deep}" }] }`,
      [['place_too_deep', 'bundles[0].groups', 3, ': limit 32']],
    ],
    [`groups:\n  g: { paths: [/a, "${deep}"] }`, [['place_too_deep', 'groups.g.paths', 3, ': limit 32']]],
    [`groups:\n  g: { paths: ["${deep.slice(2)}"] }`, []],
    ['claims:\n  email: { type: string, from: "resource" }', [['claim_reserved', 'claims.email', 3, ': email']]],
    ['claims:\n  toString: { type: string, from: "resource" }', []],
    ['claims:\n  a: { type: string, from: "1" }', [['expression_type', 'claims.a.from', 3, ': a string is wanted, this one is int']]],
    ['mfa:\n  - when: "1"', [['expression_not_boolean', 'mfa[0].when', 3, ': this one is int']]],
    ['clients:\n  - { name: a, refuse: true, when: "1" }', [['expression_not_boolean', 'clients[0].when', 3, ': this one is int']]],
    ['mfa:\n  - {}\n  - groups:\n      - path: "' + deep + '"', [['place_too_deep', 'mfa[1].groups', 5, ': limit 32']]],
    [
      'acr:\n  "https://refeds.org/profile/mfa": multi_factor',
      [['strength_defined', 'acr.https://refeds.org/profile/mfa', 3, ': https://refeds.org/profile/mfa']],
    ],
    ['strength:\n  - { name: s, means: multi_factor }', [['strength_without_evidence', 'strength[0]', 3, ': s']]],
    ['strength:\n  - { name: s, amr: [otp], means: multi_factor }', [['strength_defined', 'strength[0]', 3, ': s']]],
  ] as const)('%s', (text, expected) => {
    expect(told(text)).toEqual(expected)
  })

  test.each([
    [`rules:\n  - { name: a, effect: grant, scopes: [x], everyone: true }`, [['wall_grants', 'rules[0]', 3, ': a']]],
    [`bundles:\n  - { name: b, groups: [g], scopes: [x] }`, [['wall_grants', 'bundles', 3, ': b']]],
    ['acceptsStrengthOf: [{ connection: c, acr: x, means: multi_factor }]', []],
    ['acceptsStrengthOf: [c]', [['strength_not_named', 'acceptsStrengthOf[0]', 2, ': c']]],
    ['acceptsStrengthOf:\n  - { connection: c, means: multi_factor }', [['strength_without_evidence', 'acceptsStrengthOf[0]', 3, '']]],
    ['acceptsStrengthOf:\n  - { connection: c, amr: [otp], means: multi_factor }', [['strength_defined', 'acceptsStrengthOf[0]', 3, '']]],
    ['session: { absoluteSeconds: 43201 }', [['session_too_long', 'session.absoluteSeconds', 2, ': 43201, limit 43200']]],
    [`rules:\n  - { name: a, ${rule} }`, []],
  ] as const)('of a wall: %s', (text, expected) => {
    expect(told(text, compileWall)).toEqual(expected)
  })

  test('as many pairs of group and scope as the limit of rules, and not one more', () => {
    const list = (length: number, letter: string) => Array.from({ length }, (_, index) => `${letter}${index}`)
    const bundle = { name: 'b', groups: list(100, 'g'), scopes: list(100, 's') }
    const written = (rest: object) => JSON.stringify({ version: 1, bundles: [bundle], ...rest })
    expect(mistakesOf(written({}))).toEqual([])
    const more = { rules: [{ name: 'r', effect: 'deny', scopes: ['x'], everyone: true }] }
    expect(mistakesOf(written(more))).toMatchObject([
      { reason: 'too_many_rules', path: 'rules', say: expect.stringContaining(': 10001, limit 10000') },
    ])
  })

  test('what all expressions together cost is told with its bound', () => {
    const rules = Array.from({ length: 100 }, (_, index) => ({
      name: `r${index}`,
      effect: 'deny',
      scopes: ['x'],
      when: 'groups.exists(g, g == resource)',
    }))
    const last = { name: 'last', effect: 'deny', scopes: ['x'], when: '1 +' }
    // Each costs 4 001 steps. Once the limit is passed nothing more is looked at, so the broken one is not told.
    expect(mistakesOf(JSON.stringify({ version: 1, rules: [...rules, last] }))).toMatchObject([
      { reason: 'policy_too_costly', path: 'rules', line: undefined, say: expect.stringMatching(/: bound 20\d{4}, limit 200000$/) },
    ])
    const claims = { a: { type: 'boolean', from: 'groups.exists(g, g == resource)' } }
    expect(mistakesOf(JSON.stringify({ version: 1, rules: rules.slice(0, 49) }))).toEqual([])
    expect(mistakesOf(JSON.stringify({ version: 1, claims, rules: rules.slice(0, 49) }))).toMatchObject([{ reason: 'policy_too_costly' }])
  })
})

describe('what is compiled', () => {
  const wall = aWall(
    `claims: { far: { type: boolean, from: "true" } }
rules: [{ name: z, effect: deny, scopes: [x], everyone: true }]
mfa: [{ name: z }, { name: y }]
clients: [{ name: x, refuse: true, when: "false" }]
strength: [{ name: z, acr: v, means: multi_factor }]
acceptsStrengthOf: [{ connection: c, acr: u, means: multi_factor }, { connection: d, acr: w, means: multi_factor }]`,
    5,
  )
  const policy = aPolicy(
    `claims: { own: { type: boolean, from: "true" } }
bundles: [{ name: m, groups: [g], scopes: [x] }]
rules: [{ name: n, effect: grant, scopes: [x, "y*"], resource: "https://mcp.example", everyone: true }, { name: b, effect: deny, scopes: [x], everyone: true }]
mfa: [{ name: b, tiers: [read], scopes: [x], resource: r, strength: single_factor }, { name: a, freshSeconds: 9 }, {}]
clients: [{ name: k, refreshTokenSeconds: none, scopes: ["*"] }, { name: c, accessTokenSeconds: 9 }]
strength: [{ name: t, acr: u, means: multi_factor }]`,
    { wall, version: 8 },
  )

  test('the vendor’s comes first, and then each by its name, whatever the order in which they are written', () => {
    const names = (list: readonly { readonly owner: string; readonly name: string }[]) => list.map(({ owner, name }) => `${owner} ${name}`)
    expect(names(policy.rules)).toEqual(['vendor z', 'tenant b', 'tenant m', 'tenant n'])
    expect(policy.rules.map(({ rank }) => rank)).toEqual([0, 1, 2, 3])
    expect(names(policy.demands)).toEqual(['vendor y', 'vendor z', 'tenant a', 'tenant b', 'tenant unnamed demand 1'])
    expect(names(policy.clientRules)).toEqual(['vendor x', 'tenant c', 'tenant k'])
  })

  test('keeps what was written', () => {
    expect(policy).toMatchObject({
      version: 8,
      wallVersion: 5,
      strength: { accepted: new Map([['c', [expect.objectContaining({ acr: 'u' })]]]) },
    })
    expect(policy.derivedClaims.vendor.map(({ name }) => name)).toEqual(['far'])
    expect(policy.derivedClaims.tenant.map(({ name }) => name)).toEqual(['own'])
    expect([policy.strength.vendor, policy.strength.tenant].map((rules) => rules.map(({ name }) => name))).toEqual([['z'], ['t']])
    expect(policy.rules[3]).toMatchObject({
      effect: 'grant',
      line: 4,
      resource: 'https://mcp.example',
      groups: undefined,
      clients: undefined,
    })
    expect(policy.rules[2]).toMatchObject({
      effect: 'grant',
      line: 3,
      groups: { names: new Set(['g']) },
      clients: undefined,
      when: undefined,
    })
    const [, , latest, factor, nameless] = policy.demands
    expect(latest).toMatchObject({ strength: 'multi_factor', freshSeconds: 9, tiers: undefined, line: 5 })
    expect(factor).toMatchObject({ strength: 'single_factor', freshSeconds: undefined, tiers: new Set(['read']), resource: 'r' })
    expect(nameless).toMatchObject({ strength: 'multi_factor', freshSeconds: 300, resource: undefined })
    expect([factor?.scopes.covers('x'), factor?.scopes.covers('y'), nameless?.scopes.covers('y')]).toEqual([true, false, true])
    expect(policy.clientRules[1]).toMatchObject({
      refuse: false,
      accessTokenSeconds: 9,
      refreshTokenSeconds: undefined,
      scopes: undefined,
      line: 6,
    })
    expect(policy.clientRules[2]).toMatchObject({ refuse: false, accessTokenSeconds: undefined, refreshTokenSeconds: 'none', line: 6 })
  })

  test('of no version is the first draft, under a vendor that wrote nothing', () => {
    const compiled = compilePolicy('version: 1')
    expect(compiled).toMatchObject({ ok: true, value: { version: 0, wallVersion: 0, rules: [], demands: [], clientRules: [] } })
    expect(safeDefaultPolicy).toMatchObject({ version: 0, wallVersion: 0, rules: [], derivedClaims: { vendor: [], tenant: [] } })
    expect(compileWall('version: 1')).toEqual({ ok: true, value: defaultWall })
  })
})
