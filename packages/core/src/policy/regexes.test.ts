import { expect, test } from 'vitest'
import { policyLimits } from './error.js'
import { boundedRegexes } from './regexes.js'

const { regexCharacters, regexInstructions, regexInstructionsInAll } = policyLimits
const instructionsOf = (pattern: string): number => {
  const regex = boundedRegexes()(pattern)
  if (!regex.ok) throw new Error(regex.error)
  return regex.value.instructions
}
/** Of one instruction for each letter, and the few that every pattern has. */
const letters = (instructions: number): string => 'a'.repeat(instructions - instructionsOf('a') + 1)

test('a pattern may be as long as its limit, and its program as large as its own', () => {
  expect(instructionsOf(letters(regexInstructions))).toBe(regexInstructions)
  expect(boundedRegexes()(letters(regexInstructions + 1))).toEqual({ ok: false, error: 'larger than the limit regexInstructions' })
  expect(instructionsOf('[ab]'.padEnd(regexCharacters, '[ab]').slice(0, regexCharacters))).toBeLessThan(regexInstructions)
  expect(boundedRegexes()('[ab]'.padEnd(regexCharacters + 4, '[ab]'))).toEqual({
    ok: false,
    error: 'longer than the limit regexCharacters',
  })
})

test('what is no pattern is refused in the words of its engine', () => {
  expect(boundedRegexes()('a(')).toEqual({ ok: false, error: expect.stringMatching(/missing closing \)/) })
})

test('programs are bounded together, also those that were refused; a pattern that is known costs nothing more', () => {
  const size = 200
  const nth = (index: number): string => `${letters(size).slice(4)}${String(index).padStart(4, '0')}`
  expect(instructionsOf(nth(7))).toBe(size)
  const regexes = boundedRegexes()
  for (let index = 0; index * size <= regexInstructionsInAll; index += 1) expect(regexes(nth(index)).ok).toBe(true)
  expect(regexes('b')).toEqual({ ok: false, error: 'all patterns together are larger than the limit regexInstructionsInAll' })
  expect(regexes(nth(0)).ok).toBe(true)

  const refusing = boundedRegexes()
  for (let index = 0; index * 1_000 <= regexInstructionsInAll; index += 1) expect(refusing(`(b{9}){110}${index}`).ok).toBe(false)
  expect(refusing('b').ok).toBe(false)

  const again = boundedRegexes()
  for (let index = 0; index * size <= regexInstructionsInAll; index += 1) again(nth(0))
  expect(again('b').ok).toBe(true)
})

test('a pattern is looked for anywhere in a text', () => {
  const regex = boundedRegexes()('b+')
  if (!regex.ok) throw new Error(regex.error)
  expect(['abc', 'ac', ''].map(regex.value.test)).toEqual([true, false, false])
})
