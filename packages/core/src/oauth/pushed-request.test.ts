import { expect, test } from 'vitest'
import { Secret } from '../secret.js'
import { authorizationParameters } from './authorization-parameters.js'
import {
  buildRequestUri,
  isPushedRequestUri,
  mustBePushed,
  parametersOfPush,
  parseRequestUri,
  pushedParametersFromJson,
} from './pushed-request.js'

const handle = 'A'.repeat(43)

test('an address is read as it was built (RFC 9126 §2.2)', () => {
  const requestUri = buildRequestUri(new Secret(handle))
  expect(requestUri).toBe(`urn:ietf:params:oauth:request_uri:${handle}`)
  expect(parseRequestUri(requestUri)?.reveal()).toBe(handle)
})

test.each(['', handle, 'https://client.example/request.jwt', 'urn:example:x'])('%j names nothing that was pushed', (text) => {
  expect([isPushedRequestUri(text), parseRequestUri(text)]).toEqual([false, undefined])
})

test.each(['', handle.slice(1), `${handle}A`, `${handle.slice(1)}=`, `${handle.slice(1)} `])('%j is no handle of ours', (text) => {
  expect(parseRequestUri(`urn:ietf:params:oauth:request_uri:${text}`)).toBeUndefined()
})

test('what proves the client, and what nobody knows, is no part of what it asks for, and the client is the one that was proven', () => {
  const proof = { client_secret: 'x', client_assertion: 'y', client_assertion_type: 'z' }
  const strange = {
    password: 'p',
    access_token: 't',
    CLIENT_SECRET: 'x',
    id_token_hint: 'h',
    ['__proto__']: 'q',
    constructor: 'c',
    unknown: 'u',
  }
  const asked = Object.fromEntries(authorizationParameters.map((name) => [name, `of ${name}`]))
  const kept = parametersOfPush({ ...proof, ...strange, ...asked }, 'proven')
  expect(kept.ok && { ...kept.value }).toEqual({ ...asked, client_id: 'proven' })
})

test('an address cannot be pushed, not even an empty one (RFC 9126 §2.1)', () => {
  expect(parametersOfPush({ request_uri: '' }, 'c')).toEqual({ ok: false, error: { reason: 'pushed_request_nested' } })
})

test('what was stored has its own members and nothing of Object', () => {
  const read = pushedParametersFromJson({ state: 's' })
  expect(read && 'constructor' in read).toBe(false)
  for (const json of [undefined, null, 'x', { state: 1 }, ['x']]) expect(pushedParametersFromJson(json)).toBeUndefined()
})

test.each([
  [false, undefined, false],
  [false, false, false],
  [true, false, true],
  [false, true, true],
])('where the tenant says %s and the client %s, it must be pushed: %s', (requirePushedRequests, ofClient, must) => {
  expect(mustBePushed({ requirePushedRequests }, { requirePushedAuthorizationRequests: ofClient })).toBe(must)
})
