import { expect, test } from 'vitest'
import type { ClientId } from '../tenant/ids.js'
import { hostOfClient, hostOfUrl, policyHostOf } from './client.js'

test.each([
  [
    'its document, whatever the redirects',
    'metadata_document',
    'https://Agent.example/client.json',
    ['https://other.example/cb'],
    'agent.example',
  ],
  ['its document, also on another port', 'metadata_document', 'https://agent.example:444/client.json', [], 'agent.example'],
  ['its document, also with a closing dot', 'metadata_document', 'https://agent.example./client.json', [], 'agent.example'],
  ['its redirects', 'dynamic', 'x', ['https://agent.example/a', 'https://agent.example:8443/b'], 'agent.example'],
  ['nobody, where redirects lead to several', 'dynamic', 'x', ['https://trusted.example/cb', 'https://evil.example/cb'], undefined],
  ['nobody, where one leads to the own machine', 'dynamic', 'x', ['https://trusted.example/cb', 'http://127.0.0.1/cb'], undefined],
  ['its scheme', 'preregistered', 'x', ['com.example.app:/cb'], 'com.example.app:'],
  ['its scheme, whatever host that names', 'dynamic', 'x', ['com.evil://trusted.example/cb'], 'com.evil:'],
  [
    'nobody, where a scheme names the host of another',
    'dynamic',
    'x',
    ['https://trusted.example/cb', 'com.evil://trusted.example/cb'],
    undefined,
  ],
  ['nothing, without redirects', 'preregistered', 'x', [], 'unknown'],
] as const)('policy knows a client by the host of %s', (_, kind, id, redirectUris, host) => {
  expect(policyHostOf({ kind, id: id as ClientId, redirectUris: [...redirectUris] })).toBe(host)
})

test.each([
  ['https://agent.example:8443/cb', 'agent.example:8443'],
  ['http://127.0.0.1:5000/cb', '127.0.0.1:5000'],
  ['com.evil://trusted.example/cb', 'com.evil:'],
  ['com.evil:/cb', 'com.evil:'],
  ['nothing', 'unknown'],
])('a person is told of %s that it is at %s', (url, host) => {
  expect(hostOfUrl(url)).toBe(host)
  expect(hostOfClient({ kind: 'dynamic', id: 'x' as ClientId, redirectUris: [url] })).toBe(host)
})
