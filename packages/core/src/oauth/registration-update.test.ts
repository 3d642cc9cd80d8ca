import { describe, expect, it, test } from 'vitest'
import type { ClientId } from '../tenant/ids.js'
import type { Client } from './client.js'
import { changedMembers, isAnotherClient, parseRegistrationUpdate } from './registration-update.js'

const id = 'dbd_1' as ClientId
const good = { client_id: id, redirect_uris: ['https://app.example/cb'], token_endpoint_auth_method: 'client_secret_post' }
const reasonOf = (body: unknown) => {
  const parsed = parseRegistrationUpdate(body, id)
  return parsed.ok ? 'taken' : parsed.error.reason
}

describe('an update of a registration (RFC 7592 §2.2)', () => {
  it('is a registration beside what only an update says', () => {
    const parsed = parseRegistrationUpdate({ ...good, client_secret: 's' }, id)
    expect(parsed).toMatchObject({ ok: true, value: { keptSecret: 's', metadata: { redirectUris: good.redirect_uris } } })
  })
  test.each([
    { when: 'it is no object', body: undefined, reason: 'registration_update_malformed' },
    { when: 'it names no client', body: { ...good, client_id: undefined }, reason: 'registration_update_malformed' },
    { when: 'it names another client', body: { ...good, client_id: 'dbd_2' }, reason: 'registration_update_malformed' },
    { when: 'its secret is too long', body: { ...good, client_secret: 'x'.repeat(513) }, reason: 'registration_update_malformed' },
    { when: 'it brings a token', body: { ...good, registration_access_token: 'x' }, reason: 'registration_update_malformed' },
    { when: 'it brings an address', body: { ...good, registration_client_uri: '' }, reason: 'registration_update_malformed' },
    { when: 'it says when the secret ends', body: { ...good, client_secret_expires_at: null }, reason: 'registration_update_malformed' },
    { when: 'it says since when it is known', body: { ...good, client_id_issued_at: 1 }, reason: 'registration_update_malformed' },
    { when: 'no new client could be so', body: { ...good, redirect_uris: [] }, reason: 'registration_redirect_uri' },
    { when: 'all is well', body: good, reason: 'taken' },
  ])('is $reason when $when', ({ body, reason }) => {
    expect(reasonOf(body)).toBe(reason)
  })
})

const client = {
  name: 'Tools',
  redirectUris: ['https://a.example/1', 'https://a.example/2'],
  grantTypes: ['authorization_code'],
  authMethod: 'none',
  postLogoutRedirectUris: [],
} as unknown as Client
test.each([
  { what: 'nothing', change: {}, changed: [], isOther: false },
  { what: 'the order of its URIs', change: { redirectUris: ['https://a.example/2', 'https://a.example/1'] }, changed: [], isOther: false },
  { what: 'its name', change: { name: 'Other' }, changed: ['name'], isOther: false },
  { what: 'a redirect URI', change: { redirectUris: ['https://a.example/1'] }, changed: ['redirectUris'], isOther: true },
  { what: 'how it proves itself', change: { authMethod: 'client_secret_post' }, changed: ['tokenEndpointAuthMethod'], isOther: true },
  {
    what: 'that its tokens are bound to its key',
    change: { dpopBoundAccessTokens: true },
    changed: ['dpopBoundAccessTokens'],
    isOther: true,
  },
  { what: 'its grant types', change: { grantTypes: ['refresh_token'] }, changed: ['grantTypes'], isOther: false },
])('a client that changes $what is another client=$isOther', ({ change, changed, isOther }) => {
  const found = changedMembers(client, { ...client, ...change } as Client)
  expect(found).toEqual(changed)
  expect(isAnotherClient(found)).toBe(isOther)
})
