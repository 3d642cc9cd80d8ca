import { expect, test } from '@jest/globals'
import { scopePatterns } from './scope-pattern.js'

/** What stands between two `*` must be there, in its order, and share no character with what stands before or behind it. */
test.each([
  ['a*b*c', 'abc', true],
  ['a*b*c', 'axbxc', true],
  ['a*b*c', 'ac', false],
  ['a*b*c', 'axc', false],
  ['ab*b*bc', 'abbc', false],
  ['ab*b*bc', 'abbbc', true],
  ['*b*b*', 'b', false],
  ['*b*b*', 'bb', true],
  ['*ab*ba*', 'aba', false],
  ['*ab*ba*', 'abba', true],
  ['*b*a*', 'ab', false],
  ['*:read', 'read', false],
  ['orders:*', 'orders:', true],
  ['orders:*', 'my-orders:read', false],
])('%s covers %s: %s', (pattern, scope, isCovered) => {
  expect(scopePatterns([pattern]).covers(scope)).toBe(isCovered)
})
