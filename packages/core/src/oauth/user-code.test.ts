import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatUserCode, parseUserCode, type UserCode, userCodeAlphabet, userCodeLength } from './user-code.js'

test.each([
  { typed: 'BCDF-GHJK', is: 'BCDFGHJK' },
  { typed: 'bcdfghjk', is: 'BCDFGHJK' },
  { typed: ' bcdf ghjk\n', is: 'BCDFGHJK' },
  { typed: 'B.C_D–F — GHJK', is: 'BCDFGHJK' },
  { typed: 'BCDF-GHJ', is: undefined },
  { typed: 'BCDF-GHJKL', is: undefined },
  { typed: 'BCDF-GHJA', is: undefined },
  { typed: 'BCDF-GHJ1', is: undefined },
  { typed: 'BCDF/GHJK', is: undefined },
  { typed: 'ＢCDF-GHJK', is: undefined },
  { typed: '', is: undefined },
  { typed: undefined, is: undefined },
  { typed: `${' '.repeat(60)}BCDFGHJK`, is: undefined },
])('$typed is read as $is', ({ typed, is }) => {
  expect(parseUserCode(typed)).toBe(is)
})

test('the alphabet has no vowel, no digit and each letter once', () => {
  expect(userCodeAlphabet).toMatch(/^[B-DF-HJ-NP-TV-XZ]+$/)
  expect(new Set(userCodeAlphabet).size).toBe(20)
})

test('what is shown is read as what it was, in either case', () => {
  const code = fc.array(fc.constantFrom(...userCodeAlphabet.split('')), { minLength: userCodeLength, maxLength: userCodeLength })
  fc.assert(
    fc.property(code, (letters) => {
      const drawn = letters.join('') as UserCode
      expect(parseUserCode(formatUserCode(drawn))).toBe(drawn)
      expect(parseUserCode(formatUserCode(drawn).toLowerCase())).toBe(drawn)
    }),
  )
})

test('reading never throws', () => {
  fc.assert(fc.property(fc.string({ maxLength: 80 }), (typed) => void parseUserCode(typed)))
})
