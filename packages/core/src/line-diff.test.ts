import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diffLines, lineDiffLimits } from './line-diff.js'

const lines = (...all: readonly string[]): string => all.map((line) => `${line}\n`).join('')

test.each([
  ['the same', lines('a', 'b'), lines('a', 'b'), []],
  ['a line more', lines('a'), lines('a', 'b'), [[' a', '+b']]],
  ['a line less', lines('a', 'b'), lines('a'), [[' a', '-b']]],
  ['another line', lines('a', 'b', 'c'), lines('a', 'x', 'c'), [[' a', '-b', '+x', ' c']]],
  ['all of it', '', lines('a'), [['+a']]],
  ['nothing left', lines('a'), '', [['-a']]],
  ['only the end of the last line', 'a\nb', 'a\nb\n', [['-b', '\\ No newline at end of file', '+b']]],
  ['a last line without an end is a line', 'a\nb', 'a\nb\nc\n', [[' a', ' b', '+c']]],
] as const)('%s', (_, before, after, expected) => {
  expect(diffLines(before, after).map((hunk) => hunk.lines)).toEqual(expected)
})

test('shows a little of what stands around, and where it is', () => {
  const before = lines(...Array.from({ length: 20 }, (_, index) => `line ${index + 1}`))
  const [hunk, ...others] = diffLines(before, before.replace('line 10\n', 'changed\n'))
  expect(others).toEqual([])
  expect([hunk?.before, hunk?.after]).toEqual([
    { line: 7, lines: 7 },
    { line: 7, lines: 7 },
  ])
})

describe('a diff', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 }).map((all) => lines(...all))

  test('turns the one text into the other', () => {
    fc.assert(fc.property(text, text, (before, after) => applied(before, diffLines(before, after)) === after))
  })

  test('of texts with little in common takes the one away and puts the other in its place, in bounded work', () => {
    const many = (letter: string) => lines(...Array.from({ length: lineDiffLimits.edits + 1 }, (_, index) => `${letter}${index}`))
    const hunks = diffLines(many('a'), many('b'))
    expect(hunks).toHaveLength(1)
    expect(applied(many('a'), hunks)).toBe(many('b'))
  })
})

function applied(before: string, hunks: ReturnType<typeof diffLines>): string {
  const old = before === '' ? [] : before.replace(/\n$/, '').split('\n')
  const out: string[] = []
  let at = 0
  for (const hunk of hunks) {
    const start = hunk.before.lines === 0 ? hunk.before.line : hunk.before.line - 1
    out.push(...old.slice(at, start))
    at = start + hunk.before.lines
    out.push(...hunk.lines.filter((line) => line.startsWith(' ') || line.startsWith('+')).map((line) => line.slice(1)))
  }
  return lines(...out, ...old.slice(at))
}
