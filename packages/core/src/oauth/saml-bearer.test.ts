/** The request that brings a SAML assertion. */
import { describe, expect, it, test } from 'vitest'
import { longestSamlAssertion, samlBearerGrantType } from './saml-bearer.js'
import { parseTokenRequest } from './token-request.js'

const request = (form: Record<string, string>) => parseTokenRequest({ grant_type: samlBearerGrantType, ...form })

describe('the request', () => {
  it('hides the assertion from whoever prints it', () => {
    const parsed = request({ assertion: 'PHNhbWw', scope: 'read', resource: 'https://mcp.example/mcp' })
    expect(parsed).toMatchObject({ ok: true, value: { scopes: ['read'], resource: 'https://mcp.example/mcp' } })
    expect(JSON.stringify(parsed)).not.toContain('PHNhbWw')
  })

  test.each(['', 'PHNhbWw=', 'PHNh bWw', 'PHNh\nbWw', 'a.b.c', 'PHN+bW/w', 'a'.repeat(longestSamlAssertion + 1)])(
    'refuses what is no base64url in one line',
    (assertion) => {
      expect(request({ assertion })).toEqual({ ok: false, error: { reason: 'token_request_malformed', detail: { field: 'assertion' } } })
    },
  )

  it('refuses scopes that are none', () => {
    expect(request({ assertion: 'PHNhbWw', scope: 'a"b' })).toMatchObject({ error: { reason: 'scope_list_malformed' } })
  })
})
