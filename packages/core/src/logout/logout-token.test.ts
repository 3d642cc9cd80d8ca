import { expect, test } from 'vitest'
import { instant } from '../instant.js'
import { buildLogoutToken, isAcceptableLogoutUri, isOwnLogoutUri } from './logout-token.js'

const logout = { issuer: 'https://login.example/t/acme', clientId: 'agent', subject: 's', sessionId: undefined, jti: 'j' }

test('a logout token says who, at which client, for two minutes, and never a nonce', () => {
  expect(buildLogoutToken(logout, instant(1_800_000_000_000))).toEqual({
    iss: 'https://login.example/t/acme',
    aud: 'agent',
    iat: 1_800_000_000,
    exp: 1_800_000_120,
    jti: 'j',
    sub: 's',
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
  expect(buildLogoutToken({ ...logout, sessionId: 'sid' }, instant(0))).toMatchObject({ sid: 'sid' })
})

test.each([
  ['https://agent.example/logout', true],
  ['https://agent.example/logout?tenant=acme', true],
  ['http://127.0.0.1:8123/logout', true],
  ['http://agent.example/logout', false],
  ['https://agent.example/logout#now', false],
  ['https://agent@evil.example/logout', false],
  ['com.example.agent:/logout', false],
  ['/logout', false],
  ['', false],
])('logouts may be told at %s: %s', (uri, accepted) => {
  expect(isAcceptableLogoutUri(uri)).toBe(accepted)
})

test.each([
  ['https://agent.example/logout', ['https://agent.example/client.json'], true],
  ['https://agent.example:8443/logout', ['https://agent.example/client.json'], true],
  ['https://api.agent.example/logout', ['https://agent.example/client.json'], false],
  ['https://agent.example/logout', ['https://agent.example/a', 'https://agent.example/b'], true],
  ['https://victim.example/logout', ['https://agent.example/callback', 'https://victim.example/callback'], false],
  ['https://agent.example/logout', [], false],
  ['https://victim.example/', ['com.example.agent:/callback', 'http://127.0.0.1/callback'], false],
  ['http://agent.example/logout', ['https://agent.example/client.json'], false],
])('a client that nobody vouches for has logouts told at %s, being at %j: %s', (uri, places, accepted) => {
  expect(isOwnLogoutUri(uri, places)).toBe(accepted)
})
