import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { haveScopeInCommon, scopePatterns } from './scope-pattern.js'

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

test.each([
  ['orders:*', 'orders:*', true],
  ['orders:*', '*:read', true],
  ['orders:*', 'finance:*', false],
  ['*:read', '*:write', false],
  ['a*', 'ab*', true],
  ['*b', '*ab', true],
  ['a*b*c', 'a*x*c', true],
  ['a*a', 'a', false],
  ['orders:read', 'orders:*', true],
  ['orders:read', 'orders:write', false],
  ['*', 'x', true],
])('%s and %s have a scope in common: %s', (one, other, isSo) => {
  expect(haveScopeInCommon(scopePatterns([one]), scopePatterns([other]))).toBe(isSo)
  expect(haveScopeInCommon(scopePatterns([other]), scopePatterns([one]))).toBe(isSo)
})

test('patterns that share a scope have one in common, and those that have one in common share some scope', () => {
  const pattern = fc.stringMatching(/^[ab*]{1,6}$/)
  const scope = fc.stringMatching(/^[ab]{1,8}$/)
  fc.assert(
    fc.property(pattern, pattern, scope, (one, other, text) => {
      const [a, b] = [scopePatterns([one]), scopePatterns([other])]
      if (a.covers(text) && b.covers(text)) expect(haveScopeInCommon(a, b)).toBe(true)
      if (!one.includes('*') || !other.includes('*') || !haveScopeInCommon(a, b)) return
      const longer = (x: string, y: string) => (x.length < y.length ? y : x)
      const [begins, ends] = [
        longer(one.split('*')[0] ?? '', other.split('*')[0] ?? ''),
        longer(one.split('*').at(-1) ?? '', other.split('*').at(-1) ?? ''),
      ]
      const shared = [begins, ...one.split('*').slice(1, -1), ...other.split('*').slice(1, -1), ends].join('')
      expect([a.covers(shared), b.covers(shared)]).toEqual([true, true])
    }),
  )
})
