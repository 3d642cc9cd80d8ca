import { expect, test } from 'vitest'
import { isKeepable } from './keepable-text.js'

test.each([
  { what: 'plain words', value: 'Ada Lovelace', keepable: true },
  { what: 'a whole pair', value: { name: '\u{1f600}' }, keepable: true },
  { what: 'the text of an escape', value: '\\u0000', keepable: true },
  { what: 'no text at all', value: [1, true, null, undefined], keepable: true },
  { what: 'NUL', value: 'a\0b', keepable: false },
  { what: 'NUL deep inside', value: { claims: [['name', ['x', 'a\0']]] }, keepable: false },
  { what: 'NUL in a name', value: { 'a\0': 1 }, keepable: false },
  { what: 'the first half of a pair', value: '\ud83d', keepable: false },
  { what: 'the second half of a pair', value: ['\ude00'], keepable: false },
])('$what: keepable=$keepable', ({ value, keepable }) => {
  expect(isKeepable(value)).toBe(keepable)
})
