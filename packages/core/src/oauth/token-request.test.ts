/** The scope of a token request is read as that of an authorization request is: whatever was granted can be named again. */
import { expect, test } from 'vitest'
import { jwtBearerGrantType } from './jwt-bearer.js'
import { samlBearerGrantType } from './saml-bearer.js'
import { parseScope } from './scope.js'
import { parseTokenRequest } from './token-request.js'
import { accessTokenUrn, idJagUrn, refreshTokenUrn, tokenExchangeGrantType } from './token-type.js'

const subject = { grant_type: tokenExchangeGrantType, subject_token: 't' }
const forms: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  refresh_token: { grant_type: 'refresh_token', refresh_token: 't' },
  client_credentials: { grant_type: 'client_credentials', resource: 'https://mcp.example' },
  'a JWT': { grant_type: jwtBearerGrantType, assertion: 'a.b.c' },
  'a SAML assertion': { grant_type: samlBearerGrantType, assertion: 'PHNhbWw' },
  'an exchange': { ...subject, subject_token_type: accessTokenUrn, resource: 'https://mcp.example' },
  'an ID-JAG': { ...subject, subject_token_type: refreshTokenUrn, requested_token_type: idJagUrn, audience: 'https://as.example' },
}
const long = Array.from({ length: 100 }, (_, at) => `documents:read-${at}-${'x'.repeat(20)}`)

test.each(Object.entries(forms))('%s takes what the authorization endpoint takes, and refuses what that refuses', (_what, form) => {
  const taken: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['read  write', ['read', 'write']],
    [' read write ', ['read', 'write']],
    ['read read', ['read']],
    ['  ', undefined],
    [long.join(' '), long],
  ]
  for (const [scope, scopes] of taken) {
    expect(parseTokenRequest({ ...form, scope })).toMatchObject({ ok: true, value: { scopes } })
    expect(parseScope(scope)).toEqual({ ok: true, value: scopes })
  }
  for (const scope of [
    'a"b',
    'read\twrite',
    'é',
    'x'.repeat(201),
    'x '.repeat(2049),
    Array.from({ length: 101 }, (_, at) => `s${at}`).join(' '),
  ]) {
    expect(parseTokenRequest({ ...form, scope })).toMatchObject({ ok: false, error: { reason: 'scope_list_malformed' } })
    expect(parseScope(scope).ok).toBe(false)
  }
})
