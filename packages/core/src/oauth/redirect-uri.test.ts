import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isAcceptableRedirectUri, isLoopbackOnly, isOnOwnMachine, matchesRedirectUri, withParameters } from './redirect-uri.js'

test.each([
  { registered: 'https://app.example/cb', claimed: 'https://app.example/cb', matches: true },
  { registered: 'https://app.example/cb', claimed: 'https://app.example/cb/', matches: false },
  { registered: 'https://app.example/cb', claimed: 'https://app.example:443/cb', matches: false },
  { registered: 'https://app.example/cb', claimed: 'https://APP.example/cb', matches: false },
  { registered: 'https://app.example/cb', claimed: 'https://app.example/cb?x=1', matches: false },
  { registered: 'http://127.0.0.1/cb', claimed: 'http://127.0.0.1:50123/cb', matches: true },
  { registered: 'http://127.0.0.1:3000/cb', claimed: 'http://127.0.0.1:50123/cb', matches: true },
  { registered: 'http://localhost/cb', claimed: 'http://localhost:50123/cb', matches: true },
  { registered: 'http://[::1]/cb', claimed: 'http://[::1]:50123/cb', matches: true },
  { registered: 'http://127.0.0.1/cb', claimed: 'http://localhost:1/cb', matches: false },
  { registered: 'http://127.0.0.1/cb', claimed: 'http://127.0.0.1:1/other', matches: false },
  { registered: 'http://127.0.0.1/cb', claimed: 'http://127.0.0.1:1@evil.example/cb', matches: false },
  { registered: 'http://127.0.0.1/cb', claimed: 'http://127.0.0.1.evil.example/cb', matches: false },
  { registered: 'http://127.0.0.1/cb', claimed: 'http://127.0.0.1:99999/cb', matches: false },
  { registered: 'com.example.app:/cb', claimed: 'com.example.app:/cb', matches: true },
])('$claimed against $registered: $matches', ({ registered, claimed, matches }) => {
  expect(matchesRedirectUri(claimed, [registered])).toBe(matches)
})

test.each([
  'https://app.example/cb#x',
  'https://app.example/\r\ncb',
  'https:///cb',
  'https://good.example@evil.example/cb',
  'https://app.example\\cb',
  'http://app.example/cb',
  'javascript:alert(1)',
  'data:text/html,x',
  'myapp:/cb',
  'com.example.app://[/cb',
  'com.example.app://host:99999/cb',
  '',
])('%j may not be registered', (uri) => {
  expect(isAcceptableRedirectUri(uri)).toBe(false)
})

test('whatever is claimed, nothing matches an empty registration and nothing throws', () => {
  fc.assert(fc.property(fc.string(), (claimed) => !matchesRedirectUri(claimed, [])))
})

test('only what stays on the person’s machine is loopback only', () => {
  expect(isLoopbackOnly(['http://127.0.0.1/cb', 'http://localhost:1/cb'])).toBe(true)
  expect(isLoopbackOnly(['http://127.0.0.1/cb', 'https://app.example/cb'])).toBe(false)
})

test('response parameters join a query that is already there', () => {
  expect(withParameters('https://app.example/cb?a=1', { code: 'x y', state: undefined })).toBe('https://app.example/cb?a=1&code=x+y')
})

test.each([
  ['https://agent.example/cb', false],
  ['https://localhost.example/cb', false],
  ['https://127.0.0.1.example/cb', false],
  ['http://localhost/cb', true],
  ['http://127.0.0.1:5000/cb', true],
  ['http://[::1]:5000/cb', true],
  ['https://localhost:8443/cb', true],
  ['https://LOCALHOST./cb', true],
  ['https://app.localhost/cb', true],
  ['https://127.8.8.8/cb', true],
  ['https://2130706433/cb', true],
  ['https://[::1]/cb', true],
  ['https://[::ffff:127.0.0.1]/cb', true],
  ['com.example.app:/cb', true],
  ['com.example.app://agent.example/cb', true],
  ['', true],
])('whether any program of the machine can take what is sent to %s: %s', (uri, expected) => {
  expect(isOnOwnMachine(uri)).toBe(expected)
})
