import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { readYaml, writeYaml, yamlLimits } from './placed-yaml.js'

const valuesOf = (text: string) => {
  const read = readYaml(text)
  return read.ok ? read.value.map(({ value }) => value) : read.error
}

test.each([
  { what: 'broken', text: 'a: [', say: /./, line: 1 },
  { what: 'a key twice', text: 'a: 1\nb: 2\na: 3', say: /"a" is said twice/, line: 3 },
  { what: 'a key twice in other clothes', text: 'a: 1\n"a": 2', say: /twice/, line: 2 },
  { what: 'an alias', text: 'a: &x [1]\nb: *x', say: /aliases/, line: 1 },
  { what: 'an anchor that nothing uses', text: 'a: 1\nb: &x 1', say: /aliases/, line: 2 },
  { what: 'an anchor on a key', text: 'a: 1\n&x b: 1', say: /aliases/, line: 2 },
  { what: 'a tag of somebody’s own', text: 'a: 1\nb: !x 1', say: /tag/i, line: 2 },
  { what: 'a tag that makes bytes', text: 'a: !!binary aGk=', say: /tag/i, line: 1 },
  { what: 'a key that is a list', text: 'a: 1\n? [x]\n: 1', say: /plain text/, line: 2 },
  { what: 'too deep', text: `${'['.repeat(70)}${']'.repeat(70)}`, say: /deeper/, line: 1 },
  { what: 'far too deep', text: '['.repeat(20_000), say: /./, line: undefined },
])('$what is refused, with its place', ({ text, say, line }) => {
  const read = readYaml(text)
  expect(read.ok).toBe(false)
  if (read.ok) return
  expect(read.error[0]?.say).toMatch(say)
  if (line !== undefined) expect(read.error[0]?.place?.line).toBe(line)
})

test('thousands of keys are no work: comparing each with each would keep this test for half a minute', () => {
  expect(readYaml(Array.from({ length: 30_000 }, (_, index) => `k${index}: 1`).join('\n')).ok).toBe(true)
})

test.each(['[', '{', '[]', '!!x ', '&a ', '"', '{a: '])(
  'a text of nothing but %j is refused for as much work as its length: telling each mistake with its line would keep this test for minutes',
  (piece) => {
    const read = readYaml(piece.repeat(65_536 / piece.length))
    expect(read.ok ? 0 : read.error.length).toBeGreaterThan(0)
    expect(read.ok ? 0 : read.error.length).toBeLessThanOrEqual(yamlLimits.mistakes)
  },
)

test('documents beyond the limit are not read', () => {
  expect(valuesOf('---\n'.repeat(yamlLimits.documents))).toHaveLength(yamlLimits.documents)
  expect(valuesOf('---\n'.repeat(yamlLimits.documents + 1))).toMatchObject([{ say: 'more than 1000 documents' }])
})

test('the places of thousands of keys are no work: looking through all of them for each would keep this test for half a minute', () => {
  const keys = Array.from({ length: 30_000 }, (_, index) => `k${index}`)
  const read = readYaml(keys.map((key) => `${key}: 1`).join('\n'))
  const [first] = read.ok ? read.value : []
  expect(keys.map((key) => first?.placeOf([key]).line)).toEqual(keys.map((_, index) => index + 1))
})

test('a merge key is a key like any other', () => {
  expect(valuesOf('<<: {a: 1}')).toEqual([{ '<<': { a: 1 } }])
})

test('several documents are several values, and none of them pollutes anything', () => {
  expect(valuesOf('a: 1\n---\n__proto__: {b: 2}\n')).toHaveLength(2)
  expect(({} as Record<string, unknown>)['b']).toBeUndefined()
  expect(valuesOf('')).toEqual([])
})

describe('places', () => {
  const read = readYaml('one:\n  - x\n  - deep:\n      key: 1\ntwo: |\n  text\n---\nthree: 3\n')
  const [first, second] = read.ok ? read.value : []
  it.each([
    { path: ['one', 1, 'deep', 'key'], place: { line: 4, column: 7 } },
    { path: ['one', 0], place: { line: 2, column: 5 } },
    { path: ['two'], place: { line: 5, column: 1 } },
    { path: ['one', 1, 'deep', 'missing'], place: { line: 3, column: 5 } },
    { path: ['one', 7, 'nothing'], place: { line: 1, column: 1 } },
  ])('$path is at $place', ({ path, place }) => {
    expect(first?.placeOf(path)).toEqual(place)
  })
  it('count through the documents of a text', () => {
    expect(second?.placeOf(['three'])).toEqual({ line: 8, column: 1 })
  })
})

test('whatever is written is read as it was, comments or not', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), fc.string(), (value, say) => {
      const [first] = Object.keys(value)
      const comments = [{ at: [], say }, ...(first === undefined ? [] : [{ at: [first], say }])]
      const read = readYaml(writeYaml(value, comments))
      expect(read.ok && JSON.stringify(read.value[0]?.value)).toBe(JSON.stringify(value))
    }),
    { numRuns: 300 },
  )
})

test('no text makes the reader throw', () => {
  const pieces = fc.constantFrom(
    'a',
    ':',
    ' ',
    '\n',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '&x',
    '*x',
    '!t',
    '|',
    '"',
    "'",
    '#',
    '?',
    '---',
    '\t',
    '\0',
    '<<',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => typeof readYaml(parts.join('')).ok === 'boolean'),
    { numRuns: 1000 },
  )
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof readYaml(text).ok === 'boolean'))
})
