import { describe, expect, test } from 'vitest'
import { claimExpressionCompiler, conditionCompiler, derivedClaimCompiler, hintConditionCompiler } from './cel.js'
import { policyErrors, policyLimits } from './error.js'

const compile = conditionCompiler({ level: 'number', vip: 'boolean', skills: 'list' })
const context = {
  claims: { email: 'ada@acme.example', level: 3, skills: ['a'] },
  groups: ['engineering', 'staff'],
  resource: 'https://mcp.example',
}
const evaluate = (source: string, given: Record<string, unknown> = context) => {
  const compiled = compile(source)
  if (!compiled.ok) throw new Error(compiled.error.say)
  return compiled.value.evaluate(given)
}
const refusalOf = (source: string) => {
  const compiled = compile(source)
  return compiled.ok ? 'accepted' : compiled.error.reason
}

describe('a condition', () => {
  test.each([
    ["'engineering' in groups", true],
    ["'sales' in groups", false],
    ['claims.level >= 3.0', true],
    ["groups.exists(g, g.startsWith('eng'))", true],
    ["claims.email.matches('^ada@')", true],
    ["claims.email.lowerAscii().matches('ada') && claims.email.matches('acme')", true],
    ['has(claims.vip)', false],
    ['has(claims.vip) && claims.vip', false],
    ["claims['constructor'] == 'x' || true", 'refused'],
  ])('%s is %s', (source, value) => {
    if (value === 'refused') expect(refusalOf(source)).toBe('expression_type')
    else expect(evaluate(source)).toBe(value)
  })

  test.each([['claims.vip'], ["'a' in auth.amr"], ["claims.department == 'x'"]])('reading what is absent is unclear: %s', (source) => {
    expect(evaluate(source)).toBe('unclear')
  })

  test('unknown groups are unclear, unless the rest decides alone', () => {
    const unknown = { ...context, groups: undefined }
    const { groups: _, ...without } = unknown
    expect(evaluate("'a' in groups", without)).toBe('unclear')
    expect(evaluate("!('a' in groups)", without)).toBe('unclear')
    expect(evaluate("'a' in groups || claims.level > 1.0", without)).toBe(true)
    expect(evaluate("'a' in groups && claims.level > 5.0", without)).toBe(false)
  })

  test.each([
    ["claims.emial == 'x'", 'expression_type'],
    ['claims.email == groups', 'expression_type'],
    ['claims.__proto__ == 1', 'expression_type'],
    ['constructor', 'expression_type'],
    ['1 +', 'expression_syntax'],
    ["'text'", 'expression_not_boolean'],
    ['((((((((((((((((((((true))))))))))))))))))))', 'expression_too_complex'],
    [`${'true && '.repeat(150)}${'true && '.repeat(150)}true`, 'expression_too_long'],
    ['groups.exists(a, groups.exists(b, groups.exists(c, a == b && b == c)))', 'expression_too_costly'],
    ['[groups, groups].exists(x, x.exists(y, true))', 'expression_function'],
    ['groups.map(g, groups).exists(x, x.exists(y, true))', 'expression_function'],
    ["claims.email.split('@')[0] == 'ada'", 'expression_function'],
    ['cel.bind(x, groups, x.exists(y, true))', 'expression_function'],
    // The name stands in a comment before the call, so renaming misses it: refused, never left to a backtracking engine.
    ["(claims.email) // matches here\n .matches('@globex')", 'expression_function'],
    // The name that `matches` is moved to takes computed patterns, so nobody else may call it.
    ['claims.email.matchRe(claims.name)', 'expression_function'],
    ['claims.email.matches(claims.name)', 'regex_not_literal'],
    ['claims.email.matches(1)', 'regex_not_literal'],
    ['claims.email.matches()', 'regex_not_literal'],
    ["claims.email.matches('(a)\\\\1')", 'regex_refused'],
    ["claims.email.matches('(?=a)')", 'regex_refused'],
    ["claims.email.matches('[a-z]{257}')", 'regex_refused'],
    ["claims.skills.exists(s, s.matches('[a-z]{200}'))", 'expression_too_costly'],
    // Each of these doubles a text again and again, in a few characters.
    [`[claims.department]${'.map(a, a + a + a + a)'.repeat(9)}[0].contains('zz')`, 'expression_text'],
    [`[claims.email]${'.map(a, true ? a + a : a)'.repeat(5)}[0] == 'x'`, 'expression_text'],
    [`[groups.map(g, g)[0]]${'.map(a, a.trim() + a.lowerAscii())'.repeat(5)}[0] == 'x'`, 'expression_text'],
    [`[claims.email]${'.map(a, a.upperAscii())'.repeat(4)}[0] == 'x'`, 'expression_text'],
    [`[claims.email]${'.map(groups, groups + groups + groups + groups)'.repeat(3)}[0] == 'x'`, 'expression_text'],
    [`[b'xxxx']${'.map(a, a + a + a + a)'.repeat(9)}[0] == b'x'`, 'expression_function'],
    ['[[]].map(a, a + groups)[0] == groups', 'expression_function'],
    ['[[claims.email]].map(a, a + a)[0] == groups', 'expression_function'],
    // What has no declared type could be anything.
    ["claims['sk' + 'ills'].exists(a, a == 'x')", 'expression_function'],
    ['claims[claims.email] == 1', 'expression_function'],
    // Where the library, or the host, takes much longer than a text is long.
    ["duration(claims.email) > duration('1h')", 'expression_too_costly'],
    ['groups.exists(g, size(g) > 100)', 'expression_too_costly'],
    ['claims.skills.exists(s, claims.email.contains(s))', 'expression_too_costly'],
    ['groups.exists(g, claims.email == g || claims.name == g || claims.title == g)', 'expression_too_costly'],
  ])('%s is refused as %s', (source, reason) => {
    expect(refusalOf(source)).toBe(reason)
  })

  test('patterns that together are too large are refused, also those that are small enough alone', () => {
    const compileNext = conditionCompiler({})
    const most = Math.ceil(policyLimits.regexInstructionsInAll / 60)
    const outcomes = Array.from({ length: most + 1 }, (_, index) => compileNext(`claims.email.matches('a{60}${index}')`))
    expect(outcomes[0]).toMatchObject({ ok: true })
    expect(outcomes.at(-1)).toMatchObject({ ok: false, error: { reason: 'regex_refused', say: expect.stringContaining('InAll') } })
  })

  test.each([
    "duration('2h') < duration('36h')",
    "groups.exists(g, g == 'team-' + claims.department)",
    "groups.exists(g, g.contains('admin'))",
    "groups.map(g, g + 'x').exists(g, g == 'z')",
    'claims.skills.exists(s, s in groups)',
    "claims.skills.exists(s, s.lowerAscii() == 'x')",
    "(claims.given_name + ' ' + claims.family_name).lowerAscii().contains('ada')",
  ])('what people write is accepted: %s', (source) => {
    expect(refusalOf(source)).toBe('accepted')
  })

  test('an error within is not traced, and the host traces others as before', () => {
    const before = Error.stackTraceLimit
    expect(evaluate("groups.exists(g, g == claims.name) || claims.name == 'x'")).toBe('unclear')
    expect(Error.stackTraceLimit).toBe(before)
  })

  test('a refusal points at line and column with a caret', () => {
    const compiled = compile("'a' in groups &&\n  claims.emial == 'x'")
    if (compiled.ok) throw new Error('accepted')
    expect(compiled.error.say).toContain('emial')
    expect(compiled.error.position).toEqual({ line: 2, column: 10, caret: "  claims.emial == 'x'\n         ^" })
  })

  test('a pattern that blows up a backtracking engine ends at once', () => {
    const text = `${'a'.repeat(1000)}!`
    const started = process.hrtime.bigint()
    expect(evaluate("claims.email.matches('^(a+)+$')", { ...context, claims: { email: text } })).toBe(false)
    expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(1000)
  })
})

test.each([
  ['1 +', 'the expression cannot be read', 1, 4, '1 +\n   ^'],
  [
    "claims.email\n  .matches('(')",
    'the pattern of `matches` is not a linear-time regular expression',
    2,
    12,
    "  .matches('(')\n           ^",
  ],
  [
    'claims.email.matches(claims.name)',
    'the pattern of `matches` must be written in the expression, not computed',
    1,
    1,
    'claims.email.matches(claims.name)\n^',
  ],
  ["true &&\n\n  'text'", 'the expression does not type-check', 1, 1, 'true &&\n^'],
  ["'text'", 'a condition must be true or false: this one is string', 1, 1, "'text'\n^"],
  ['1', 'a condition must be true or false: this one is int', 1, 1, '1\n^'],
  ['claims.email.split(1) == []', 'the function is not available in a policy: split', 1, 1, 'claims.email.split(1) == []\n^'],
  [
    'true && claims.email.matchRe(claims.name)',
    'the function is not available in a policy: a name of our own',
    1,
    9,
    `true && claims.email.matchRe(claims.name)\n${' '.repeat(8)}^`,
  ],
  [
    "(claims.email) // matches here\n .matches('a')",
    'the function is not available in a policy: matches',
    1,
    2,
    '(claims.email) // matches here\n ^',
  ],
  [
    'groups.exists(a, groups.exists(b, a == b))',
    'the expression could take longer than the limit expressionCost: bound 4024001, limit 60000',
    1,
    1,
    'groups.exists(a, groups.exists(b, a == b))\n^',
  ],
  [
    `${'('.repeat(17)}true${')'.repeat(17)}`,
    'the expression is beyond one of the limits',
    1,
    17,
    `${'('.repeat(17)}true${')'.repeat(17)}\n${' '.repeat(16)}^`,
  ],
])('what is wrong with %s is said, and where', (source, says, line, column, caret) => {
  const found = compile(source)
  expect(found).toMatchObject({ ok: false, error: { say: expect.stringContaining(says) } })
  expect(found.ok ? undefined : found.error.position).toEqual({ line, column, caret })
})

test('what is not literal is refused in words that name no detail, and `matches` by the name that its author wrote', () => {
  const { say } = policyErrors.regex_not_literal
  expect(compile('claims.email.matches(claims.name)')).toMatchObject({ error: { say } })
  const mistyped = compile("claims.level.matches('a')")
  expect(mistyped).toMatchObject({ ok: false, error: { reason: 'expression_type', say: expect.stringContaining('matches') } })
  expect(mistyped).not.toMatchObject({ error: { say: expect.stringContaining('matchRe') } })
})

test('a condition that is too long is not looked at, so there is no place in it', () => {
  const longest = `'${'x'.repeat(policyLimits.expressionCharacters - 8)}' == ''`
  expect(compile(longest.slice(0, -1))).toMatchObject({ ok: false, error: { reason: 'expression_syntax' } })
  expect(compile(` ${longest}`)).toEqual({
    ok: false,
    error: { reason: 'expression_too_long', say: expect.stringContaining(': 2001 characters'), position: undefined },
  })
  expect(refusalOf(longest.padEnd(policyLimits.expressionCharacters))).toBe('accepted')
})

test('the second of two patterns is looked for in its own call', () => {
  expect(evaluate("claims.email.matches('^ada') && claims.email.matches('example$') && !claims.email.matches('matches')")).toBe(true)
  expect(refusalOf("claims.email.matches('^ada') && claims.email.matches('(?=a)')")).toBe('regex_refused')
})

describe('a claim that a policy makes', () => {
  const make = derivedClaimCompiler({ level: 'number', skills: 'list' })
  const valueOf = (source: string, type: Parameters<typeof make>[1]) => {
    const made = make(source, type)
    return made.ok ? made.value.evaluate(context) : made.error.say
  }
  test.each([
    ["claims.email + '!'", 'string', 'ada@acme.example!'],
    ['size(groups)', 'number', 2],
    ['claims.level * 2.0', 'number', 6],
    ["'staff' in groups", 'boolean', true],
    ['claims.skills', 'list', ['a']],
    ['claims.department', 'string', undefined],
    ['1', 'string', 'the expression does not type-check: a string is wanted, this one is int'],
    ["'1'", 'number', 'the expression does not type-check: a number is wanted, this one is string'],
    ['1.0', 'boolean', 'the expression does not type-check: a boolean is wanted, this one is double'],
    ['[1]', 'list', 'the expression does not type-check: a list is wanted, this one is list<int>'],
    ['claims.emial', 'string', expect.stringContaining('emial')],
  ] as const)('out of %s, of type %s, is %j', (source, type, value) => {
    expect(valueOf(source, type)).toEqual(value)
  })

  test('tells what it costs, and where it is wrong', () => {
    expect(make("'staff' in groups", 'boolean')).toMatchObject({ ok: true, value: { source: "'staff' in groups", cost: 104 } })
    expect(make('1', 'string')).toMatchObject({ error: { reason: 'expression_type', position: { line: 1, column: 1 } } })
  })
})

describe('an expression over the attributes of a login', () => {
  const make = claimExpressionCompiler()
  const compiledOf = (source: string, type: Parameters<typeof make>[1] = 'string') => make(source, type)
  const valueOf = (source: string, given: Readonly<Record<string, readonly string[]>>, type: Parameters<typeof make>[1] = 'string') => {
    const made = compiledOf(source, type)
    if (!made.ok) throw new Error(made.error.say)
    return made.value.evaluate(new Map(Object.entries(given)))
  }
  test.each([
    ["attributes['mail'][0]", { mail: ['a', 'b'] }, 'string', 'a'],
    ['attributes.mail[1]', { mail: ['a', 'b'] }, 'string', 'b'],
    ["attributes['roles']", { roles: ['a', 'b'] }, 'list', ['a', 'b']],
    ["'mail' in attributes", { mail: [] }, 'boolean', true],
    ["'mail' in attributes", {}, 'boolean', false],
    ["attributes['mail'][1].matches('^a')", { mail: ['ba', 'ab'] }, 'boolean', true],
    ["size(attributes['mail'])", { mail: ['a', 'b'] }, 'number', 2n],
    ["attributes['mail'][0] == 'attributes'", { mail: ['attributes'] }, 'boolean', true],
    ["attributes['mail'][0]", {}, 'string', undefined],
    ["attributes['mail'][0]", { mail: [] }, 'string', undefined],
  ] as const)('%s of %j as a %s is %p', (source, given, type, value) => {
    expect(valueOf(source, given as Readonly<Record<string, readonly string[]>>, type)).toEqual(value)
  })

  test('tells which attributes it reads, and is shown no other', () => {
    const made = compiledOf("'a' in attributes && attributes.b[0] == 'x' || attributes['c'].exists(c, c == 'x')", 'boolean')
    expect(made).toMatchObject({ ok: true, value: { attributes: ['a', 'b', 'c'] } })
  })

  test.each([
    ['size(attributes) > 0', 'boolean', 'attributes other than by a literal name'],
    ["attributes['a' + 'b'][0]", 'string', 'attributes other than by a literal name'],
    ["attributes.exists(name, name == 'a')", 'boolean', 'attributes other than by a literal name'],
    ["attributes['a'][0] in attributes", 'boolean', 'attributes other than by a literal name'],
    ["attributes['a'].exists(a, a in attributes)", 'boolean', 'attributes other than by a literal name'],
    ["attributes['a'].exists(a, attributes[a][0] == 'x')", 'boolean', 'attributes other than by a literal name'],
    ['1 in attributes', 'boolean', 'attributes other than by a literal name'],
    ["[attributes['a']].exists(a, true)", 'boolean', 'a list inside a list'],
    ["attributes['a']", 'string', 'a string is wanted, this one is list<string>'],
    ["attributes['a'].exists(a, attributes['b'].exists(b, a == b))", 'boolean', 'expressionCost'],
    ["claims.email == 'x'", 'boolean', 'claims'],
    ['1 +', 'string', 'cannot be read'],
  ] as const)('is refused: %s as a %s', (source, type, says) => {
    expect(compiledOf(source, type)).toMatchObject({ ok: false, error: { say: expect.stringContaining(says) } })
  })

  test('has no result over an attribute that is larger than its cost was reckoned for', () => {
    const first = (values: readonly string[]) => valueOf("attributes['a'][0]", { a: values })
    const [values, characters] = [policyLimits.groups, policyLimits.claimCharacters]
    expect(first(Array.from({ length: values }, () => 'x'))).toBe('x')
    expect(first(Array.from({ length: values + 1 }, () => 'x'))).toBeUndefined()
    expect(first(['x'.repeat(characters)])).toHaveLength(characters)
    expect(first(['x', 'x'.repeat(characters + 1)])).toBeUndefined()
    expect(valueOf("attributes['a'][0]", { a: ['x'], other: ['x'.repeat(characters + 1)] })).toBe('x')
  })
})

test('a condition on an address sees the whole and what is behind the @, and nothing of a login', () => {
  const hint = hintConditionCompiler()
  const holds = (source: string) => {
    const made = hint(source)
    return made.ok ? made.value.evaluate({ hint: 'ada@acme.example', domain: 'acme.example' }) : made.error.reason
  }
  expect(holds("hint.startsWith('ada@') && domain == 'acme.example'")).toBe(true)
  expect(holds("hint.matches('^bob')")).toBe(false)
  const asked = hint("domain == 'acme.example'")
  expect(asked.ok ? [asked.value.facts.size, asked.value.reads, asked.value.variables] : asked).toEqual([0, [], []])
  expect(holds("claims.email == 'x'")).toBe('expression_type')
  expect(holds("'mail' in attributes")).toBe('expression_type')
})

describe('a text that can never be there is refused where it stands', () => {
  const compile = conditionCompiler({})
  test.each([
    ["client.kind == 'dyn'", 16, "client.kind is never 'dyn'"],
    ["client.kind in ['dynamic', 'static']", 28, "client.kind is never 'static'"],
    ["!('multifactor' != auth.strength)", 3, "auth.strength is never 'multifactor'"],
    ["auth.strength == 'unknown'", 18, "auth.strength is never 'unknown'"],
    ["client.host == 'https://evil.example'", 16, "client.host is never 'https://evil.example'"],
    ["groups.exists(g, client.host in ['*.evil.example', g])", 34, "client.host is never '*.evil.example'"],
  ])('%s', (source, column, says) => {
    expect(compile(source)).toMatchObject({
      ok: false,
      error: { reason: 'expression_vain', say: expect.stringContaining(says), position: { line: 1, column } },
    })
  })
  test.each([
    "client.kind in ['metadata_document', 'dynamic', 'preregistered']",
    "auth.strength in ['single_factor', 'multi_factor', 'phishing_resistant', 'phishing_resistant_hardware']",
    "client.host == 'Claude.example' || client.host == 'com.example.app:'",
    "client.id == 'https://evil.example' || 'dyn' in groups || claims.department == 'dyn'",
    "client.kind + 'x' == 'dynx'",
  ])('%s is taken', (source) => expect(compile(source).ok).toBe(true))
})
