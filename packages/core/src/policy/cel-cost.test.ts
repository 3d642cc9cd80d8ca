/** What a condition may cost at the very most: one step for each node, more for what walks a text, a list, or a pattern. */
import { describe, expect, test } from 'vitest'
import { conditionCompiler } from './cel.js'
import { conditionFunctions } from './cel-cost.js'
import { boundedRegexes } from './regexes.js'

const compile = conditionCompiler({ level: 'number', skills: 'list' })
const costOf = (source: string): number | string => {
  const compiled = compile(source)
  return compiled.ok ? compiled.value.cost : compiled.error.say
}
const instructionsOf = (pattern: string): number => {
  const regex = boundedRegexes()(pattern)
  if (!regex.ok) throw new Error(regex.error)
  return regex.value.instructions
}

const [oneText, twoTexts] = [1 + 2, 1 + 2 + 1] // a call or an operator is in the sum; `claims.email` is two nodes, a literal one
const inTime = 16 + 2
const priced: readonly (readonly [string, number])[] = [
  ['true', 1],
  ['!claims.email_verified', oneText],
  ["claims.email == 'a'", twoTexts],
  ["claims.email != 'a'", twoTexts],
  ["claims['email'] == 'a'", twoTexts + 1],
  ['-claims.level < 0.0', 1 + 3 + 1],
  ['true ? true : false', 4],
  ['true && false', 3],
  ['true || false', 3],
  ...['<', '<=', '>', '>='].map((operator) => [`1 ${operator} 2`, 3] as const),
  ...['-', '*', '/', '%', '+'].map((operator) => [`3 ${operator} 2 == 1`, 1 + 3 + 1] as const),
  ["'a' + 'b' == 'ab'", 1 + 3 + 1],
  // Searching a list: a step for each ten items of the longest that it can be.
  ["'a' in ['b', 'c']", 2 + 3 + 1],
  ["'a' in groups", 2 + 1 + 100],
  ["'a' in claims.roles", 2 + 2 + 10],
  ["'a' in claims.skills", 2 + 2 + 10],
  ["'a' in claims['skills']", 2 + 3 + 10],
  ["'a' in auth.amr", 2 + 2 + 10],
  ["'a' in request.scopes", 2 + 2 + 10],
  // Comparing and joining lists: a step for each three items of both.
  ["claims.skills == ['a']", 1 + 2 + 2 + 34],
  ["claims.skills != ['a']", 1 + 2 + 2 + 34],
  ["groups + ['a'] == ['b']", 1 + (1 + 1 + 2 + 334) + 2 + 334],
  ["groups + claims.roles == ['b']", 1 + (1 + 1 + 2 + 367) + 2 + 367],
  ["(true ? groups : ['a']) == ['b']", 1 + 5 + 2 + 334],
  ["(true ? ['a'] : groups) == ['b']", 1 + 5 + 2 + 334],
  // Comprehensions: the body and one more for each item.
  ['groups.exists(g, true)', 1 + 1_000 * 2],
  ['groups.exists_one(g, true)', 1 + 1_000 * 2],
  ['groups.all(g, true)', 1 + 1_000 * 2],
  ["['a'].exists(g, g == 'a')", 2 + 4],
  ["['a', 'b'].exists(g, g == 'a')", 3 + 2 * 4],
  ['[].all(g, true)', 1 + 2],
  ["claims.roles.filter(r, r == 'a') == ['a']", 1 + (2 + 100 * 4) + 2 + 34],
  ["claims.roles.map(r, r) == ['a']", 1 + (2 + 100 * 2) + 2 + 34],
  ["claims.roles.map(r, true, r) == ['a']", 1 + (2 + 100 * 3) + 2 + 34],
  ["claims.roles.filter(r, true).exists(r, r == 'a')", 2 + 100 * 2 + 100 * 4],
  // Functions.
  ['size(groups) > 1', 1 + 2 + 1],
  ['groups.size() > 1', 1 + 2 + 1],
  ['has(claims.email)', 1 + 2],
  ["claims.email.startsWith('a')", 2 + 2 + 1],
  ["claims.email.endsWith('a')", 2 + 2 + 1],
  ["claims.email.contains('a')", 44 + 2 + 1],
  ["claims.email.lowerAscii() == 'a'", 1 + 257 + 2 + 1],
  ["claims.email.upperAscii() == 'a'", 1 + 257 + 2 + 1],
  ["claims.email.trim() == 'a'", 1 + 48 + 2 + 1],
  ["int('1') == 1", 1 + 48 + 1 + 1],
  ["double('1') == 1.0", 1 + 48 + 1 + 1],
  ["timestamp('2026-01-01T00:00:00Z') < request.time", 1 + 16 + 1 + 2],
  ["duration('1h') < duration('2h')", 1 + 18 + 18],
  // The longer a text can be, the more is what walks it, compares it and joins it.
  ['size(claims.email) > 1', 1 + (1 + 171) + 2 + 1],
  ["(claims.email + claims.name).contains('a')", 88 + (1 + 2 + 2 + 8) + 1],
  ["(claims.email + claims.name).trim() == 'a'", 1 + 96 + (1 + 2 + 2 + 8) + 1],
  ['claims.email < claims.name', 1 + 2 + 2 + 16],
  ['claims.email in groups', 1 + 2 + 1 + 100 + 250],
  ['claims.email.contains(claims.name)', 44 + 16_384 + 2 + 2],
  ["duration('1h30m20s') < duration('2h')", 1 + (16 + 8 + 1) + 18],
  // An error that is taken in, and the characters before it that are counted for its message.
  ["groups.exists(g, claims.email == 'a')", 1 + 1_000 * (5 + 20 + 1)],
  ["groups.all(g, claims.email == 'a')", 1 + 1_000 * (5 + 20 + 1)],
  ["groups.exists_one(g, claims.email == 'a')", 1 + 1_000 * 5],
  ['claims.email_verified && true', 4 + 20 + 1],
  ['true || claims.email_verified', 4 + 20 + 1],
  ['1 / 1 == 1 && true', 1 + 5 + 1 + 20 + 1],
  ...[
    'getDate',
    'getDayOfMonth',
    'getDayOfWeek',
    'getDayOfYear',
    'getFullYear',
    'getHours',
    'getMilliseconds',
    'getMinutes',
    'getMonth',
    'getSeconds',
  ].flatMap((name) => [
    [`request.time.${name}() == 1`, 1 + inTime + 1] as const,
    [`request.time.${name}('Europe/Vienna') == 1`, 1 + inTime + 8_000 + 1 + 1] as const,
  ]),
  ...['a', 'ab', '[a-z]{9}'].map((pattern) => [`claims.email.matches('${pattern}')`, 128 + 256 * instructionsOf(pattern) + 2 + 1] as const),
]

test.each(priced)('%s costs at most %i steps', (source, cost) => {
  expect(costOf(source)).toBe(cost)
})

test('every function that a condition may use is in the table, and by the name that its author writes', () => {
  const isShown = (name: string): boolean => priced.some(([source]) => source.includes(`${name}(`))
  expect(conditionFunctions.filter((name) => !isShown(name))).toEqual([])
  expect(conditionFunctions).toEqual(expect.arrayContaining(['matches', 'exists', 'size']))
  expect(conditionFunctions).not.toContain('matchRe')
})

describe('nothing that has no known price gets through', () => {
  const unavailable = 'the function is not available in a policy: '
  test.each([
    ["claims.email.split('@') == ['a']", 'split'],
    ["string(1) == '1'", 'string'],
    ['[groups].exists(g, true)', 'a list inside a list'],
    ["[['a']].exists(g, true)", 'a list inside a list'],
    ["[claims.roles, ['a']].exists(g, true)", 'a list inside a list'],
    ["['a'].map(g, ['b']).exists(g, true)", 'a list inside a list'],
    ['groups.map(g, auth.amr).exists(g, true)', 'a list inside a list'],
    ['[groups.filter(g, true)].exists(g, true)', 'a list inside a list'],
    ["[true ? groups : ['a']].exists(g, true)", 'a list inside a list'],
    ["[groups + ['a']].exists(g, true)", 'a list inside a list'],
    ["[claims['roles']].exists(g, true)", 'a list inside a list'],
    ['exists(groups)', 'exists'],
    ["b'ab' == b'ab'", 'a literal of bytes'],
    ["claims[resource] == 'x'", 'a field whose name is computed'],
    ['{} == {}', 'map'],
  ])('%s: %s', (source, name) => {
    expect(costOf(source)).toBe(`${unavailable}${name}`)
  })

  test('is told where it stands, the first of several', () => {
    const compiled = compile("claims.email.startsWith('a') &&\n  claims.name.reverse() == claims.email.split('@')[0]")
    expect(compiled).toMatchObject({ error: { say: `${unavailable}reverse`, position: { line: 2, column: 3 } } })
  })

  test('a single value in a list is no list', () => {
    expect(costOf("[claims.email, 'a'].exists(e, e == 'a')")).toBe(4 + 2 * 4)
  })
})
