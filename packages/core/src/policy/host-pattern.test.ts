import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { clientMatcher, isMeant } from './client-match.js'
import { aSituation } from './fixtures/a-situation.js'
import { isHostPattern } from './host-pattern.js'

test.each([
  ['claude.example', true],
  ['*.claude.example', true],
  ['A.Claude.Example', true],
  ['localhost', true],
  ['192.0.2.1', true],
  ['[::1]', true],
  ['xn--bcher-kva.example', true],
  ['com.example.app:', true],
  ['https://evil.example', false],
  ['evil.example/path', false],
  ['evil.example:443', false],
  ['evil.example.', false],
  ['user@evil.example', false],
  ['*evil.example', false],
  ['*', false],
  ['*.', false],
  ['a.*.example', false],
  ['*.*.example', false],
  ['evil example', false],
  [' evil.example', false],
  ['b\u00fccher.example', false],
  ['192.0.513', false],
  ['[0:0::1]', false],
  ['', false],
])('%j is a host that a client can have: %s', (text, isTaken) => {
  expect(isHostPattern(text)).toBe(isTaken)
})

test('what is taken matches the host that an address of it has', () => {
  const { client } = aSituation()
  fc.assert(
    fc.property(fc.webUrl(), (url) => {
      const host = new URL(url).hostname.replace(/\.$/, '')
      fc.pre(host !== '')
      expect(isHostPattern(host)).toBe(true)
      expect(isMeant(clientMatcher({ hosts: [host] }), { ...client, host })).toBe('yes')
    }),
  )
})
