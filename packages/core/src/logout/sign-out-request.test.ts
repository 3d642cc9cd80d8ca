import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { instant } from '../instant.js'
import { type ClientRegistration, everyWay } from '../oauth/client-registration.js'
import type { ClientId } from '../tenant/ids.js'
import {
  buildSignOutQuery,
  clientOfSignOut,
  parseSignOutRequest,
  type ReturningClient,
  readIdTokenHint,
  returnOfSignOut,
  signOutLimits,
} from './sign-out-request.js'

const uri = 'https://client.example/bye'
const client: ReturningClient = {
  id: 'c' as ClientId,
  kind: 'dynamic',
  preApproved: false,
  redirectUris: ['https://client.example/callback', 'http://127.0.0.1/callback'],
  postLogoutRedirectUris: [uri, 'http://127.0.0.1/bye'],
  blockedAt: undefined,
}
const returnTo = (asked: string | undefined, who: ReturningClient | undefined, ways: ClientRegistration = everyWay) =>
  returnOfSignOut({ postLogoutRedirectUri: asked, state: undefined }, who, { clientRegistration: ways })
const hint = { clientId: 'c' as ClientId, sessionId: 's' }

describe('what is asked', () => {
  test.each([
    ['id_token_hint', signOutLimits.idTokenHint],
    ['client_id', signOutLimits.clientId],
    ['post_logout_redirect_uri', signOutLimits.postLogoutRedirectUri],
    ['state', signOutLimits.state],
    ['tenant', signOutLimits.tenant],
  ])('%s has a limit, and holds no control characters', (field, limit) => {
    expect(parseSignOutRequest({ [field]: 'x'.repeat(limit) }).ok).toBe(true)
    const refused = { ok: false, error: { reason: 'sign_out_malformed', detail: { field } } }
    expect(parseSignOutRequest({ [field]: 'x'.repeat(limit + 1) })).toEqual(refused)
    expect(parseSignOutRequest({ [field]: 'a\nb' })).toEqual(refused)
  })

  test('what is empty is left out', () => {
    const empty = { id_token_hint: '', client_id: '', post_logout_redirect_uri: '', state: '', tenant: '' }
    const nothing = { idTokenHint: undefined, clientId: undefined, postLogoutRedirectUri: undefined, state: undefined, tenant: undefined }
    expect(parseSignOutRequest(empty)).toEqual({ ok: true, value: nothing })
  })
})

test('what is read is built again, octet by octet', () => {
  const value = fc.string({ minLength: 1, maxLength: 200 }).filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text))
  const form = fc.record({ id_token_hint: value, client_id: value, post_logout_redirect_uri: value, state: value }, { requiredKeys: [] })
  fc.assert(
    fc.property(form, (given) => {
      const parsed = parseSignOutRequest(given)
      expect(parsed.ok && Object.fromEntries(new URLSearchParams(buildSignOutQuery(parsed.value)))).toEqual({ ...given })
    }),
  )
})

describe('who asks (OpenID Connect RP-Initiated Logout 1.0 §2)', () => {
  test.each([
    { when: 'nobody says', clientId: undefined, given: undefined, is: undefined },
    { when: 'the parameter says', clientId: 'c', given: undefined, is: 'c' },
    { when: 'the hint says', clientId: undefined, given: hint, is: 'c' },
    { when: 'both say the same', clientId: 'c', given: hint, is: 'c' },
  ])('$when', ({ clientId, given, is }) => {
    expect(clientOfSignOut({ clientId }, given)).toEqual({ ok: true, value: is })
  })

  test('parameter and hint that disagree are refused', () => {
    expect(clientOfSignOut({ clientId: 'other' }, hint)).toEqual({ ok: false, error: { reason: 'sign_out_of_other_client' } })
  })

  test.each([
    [{ aud: 'c', sid: 's' }, hint],
    [{ aud: 'c' }, { clientId: 'c', sessionId: undefined }],
    [{ aud: ['c'], sid: 's' }, undefined],
    [{ sid: 's' }, undefined],
    [
      { aud: 'c', sid: 7 },
      { clientId: 'c', sessionId: undefined },
    ],
  ])('of an ID token %j is read %j', (claims, read) => {
    expect(readIdTokenHint(claims)).toEqual(read)
  })
})

describe('where she ends up (§3)', () => {
  test.each([
    { when: 'an address that was registered', asks: uri, is: uri },
    { when: 'one on her own machine, at any port', asks: 'http://127.0.0.1:5000/bye', is: 'http://127.0.0.1:5000/bye' },
    { when: 'nowhere', asks: undefined, is: undefined },
    { when: 'with a query that was not registered', asks: `${uri}?a=b`, is: undefined },
    { when: 'with a slash more', asks: `${uri}/`, is: undefined },
    { when: 'a host in front of hers', asks: 'https://client.example.evil.example/bye', is: undefined },
    { when: 'userinfo', asks: 'https://client.example@evil.example/bye', is: undefined },
    { when: 'script', asks: 'javascript:alert(1)', is: undefined },
  ])('$when', ({ asks, is }) => {
    expect(returnTo(asks, client)).toBe(is)
  })

  test('with the state that it sent', () => {
    expect(returnOfSignOut({ postLogoutRedirectUri: uri, state: 'a b&c' }, client, { clientRegistration: everyWay })).toBe(
      `${uri}?state=a+b%26c`,
    )
  })

  test.each([
    ['nobody', undefined],
    ['a client that is blocked', { ...client, blockedAt: instant(1) }],
    ['a client that registered none', { ...client, postLogoutRedirectUris: [] }],
  ])('%s leads nowhere', (_, who) => {
    expect(returnTo(uri, who)).toBeUndefined()
  })

  test.each([
    { elsewhere: 'https://evil.example/bye' },
    { elsewhere: 'https://evil.client.example/bye' },
    { elsewhere: 'com.example.client://client.example/bye' },
    { elsewhere: 'http://localhost/bye' },
  ])('$elsewhere is only for a client that somebody vouches for', ({ elsewhere }) => {
    const registered = { ...client, postLogoutRedirectUris: [elsewhere] }
    expect(returnTo(elsewhere, registered)).toBeUndefined()
    expect(returnTo(elsewhere, { ...registered, preApproved: true })).toBe(elsewhere)
    expect(returnTo(elsewhere, { ...registered, kind: 'preregistered' })).toBe(elsewhere)
  })

  test('a host in the text of a private scheme vouches for nobody on the web', () => {
    const sly = { ...client, redirectUris: ['com.example.sly://client.example/callback'] }
    expect(returnTo(uri, sly)).toBeUndefined()
  })

  test('the same host at another port is no other', () => {
    const at = 'https://client.example.:8443/bye'
    expect(returnTo(at, { ...client, postLogoutRedirectUris: [at] })).toBe(at)
  })

  test.each([
    ['dynamic', { dynamic: false }],
    ['metadata_document', { metadataDocuments: false }],
    ['preregistered', { preregistered: false }],
  ] as const)('a client whose way is closed (%s) leads nowhere', (kind, closed) => {
    expect(returnTo(uri, { ...client, kind, preApproved: true }, { ...everyWay, ...closed })).toBeUndefined()
    expect(returnTo(uri, { ...client, kind, preApproved: true })).toBe(uri)
  })

  test('a client that has to be approved first leads nowhere until it is', () => {
    const ways = { ...everyWay, approvalRequired: true }
    expect(returnTo(uri, { ...client, kind: 'dynamic', preApproved: false }, ways)).toBeUndefined()
    expect(returnTo(uri, { ...client, kind: 'dynamic', preApproved: true }, ways)).toBe(uri)
  })

  test('whatever is asked, nobody is sent to an address that was not registered', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), (asked) => {
        const to = returnTo(asked, { ...client, postLogoutRedirectUris: [uri] })
        return to === undefined || to === uri
      }),
    )
  })
})
