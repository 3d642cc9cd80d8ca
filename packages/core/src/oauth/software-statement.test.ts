/** What a registration is with the statement that it brings. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { registrationMembers } from './registration-request.js'
import { longestSoftwareStatement, saysSomething, statementIn, withStatement } from './software-statement.js'

const claimsOf = (claims: object) => new Map(Object.entries(claims))
const redirects = ['https://reader.example/callback']

describe('a registration', () => {
  test.each([
    { what: 'none', body: {}, is: undefined },
    { what: 'none where it is nothing', body: undefined, is: undefined },
    { what: 'none where it is a list', body: ['software_statement'], is: undefined },
    { what: 'the text', body: { software_statement: 'a.b.c' }, is: 'a.b.c' },
    { what: 'what is no text', body: { software_statement: { iss: 'x' } }, is: 'malformed' },
    { what: 'what is none', body: { software_statement: null }, is: 'malformed' },
    { what: 'one too long', body: { software_statement: 'a'.repeat(longestSoftwareStatement + 1) }, is: 'malformed' },
  ])('brings $what', ({ body, is }) => {
    expect(statementIn(body)).toEqual(is === 'malformed' ? { ok: false, error: is } : { ok: true, value: is })
  })

  it('is what the statement says, and beside it what only the client says', () => {
    const plain = { redirect_uris: ['https://evil.example'], client_name: 'Reader', software_statement: 'a.b.c', scope: 'read' }
    const { body, stated } = withStatement(
      plain,
      claimsOf({ redirect_uris: redirects, iss: 'x', software_id: 'reader', client_id: 'chosen' }),
    )
    expect(body).toEqual({ redirect_uris: redirects, client_name: 'Reader', scope: 'read' })
    expect([...stated]).toEqual(['redirect_uris'])
  })

  it('has no keys beside those that are stated, in whichever member', () => {
    const jwks = { keys: [{ kty: 'EC' }] }
    expect(withStatement({ jwks }, claimsOf({ jwks_uri: 'https://reader.example/keys' })).body).toEqual({
      jwks_uri: 'https://reader.example/keys',
    })
    expect(withStatement({ jwks_uri: 'https://evil.example' }, claimsOf({ jwks })).body).toEqual({ jwks })
    expect(withStatement({ jwks }, claimsOf({ client_name: 'Reader' })).body).toEqual({ jwks, client_name: 'Reader' })
    const name = { tls_client_auth_subject_dn: 'CN=reader' }
    expect(withStatement({ tls_client_auth_san_dns: 'evil.example' }, claimsOf(name)).body).toEqual(name)
  })

  test.each([
    { what: 'all that is judged is stated', plain: {}, claims: { redirect_uris: redirects }, is: true },
    {
      what: 'what is said plainly is stated, too',
      plain: { client_name: 'Evil' },
      claims: { redirect_uris: redirects, client_name: 'Reader' },
      is: true,
    },
    {
      what: 'what is said plainly decides nothing',
      plain: { scope: 'read', application_type: 'web' },
      claims: { redirect_uris: redirects },
      is: true,
    },
    {
      what: 'its keys are stated in another member',
      plain: { jwks: {} },
      claims: { redirect_uris: redirects, jwks_uri: 'https://reader.example' },
      is: true,
    },
    { what: 'nothing says where it is', plain: {}, claims: { client_name: 'Reader' }, is: false },
    { what: 'it says itself where it is', plain: { redirect_uris: redirects }, claims: { client_name: 'Reader' }, is: false },
    { what: 'it gives itself a name', plain: { client_name: 'Reader' }, claims: { redirect_uris: redirects }, is: false },
    {
      what: 'it says itself how it proves itself',
      plain: { token_endpoint_auth_method: 'none' },
      claims: { redirect_uris: redirects },
      is: false,
    },
    { what: 'it brings keys of its own', plain: { jwks: {} }, claims: { redirect_uris: redirects }, is: false },
    {
      what: 'it names its own certificate',
      plain: { tls_client_auth_san_dns: 'evil.example' },
      claims: { redirect_uris: redirects },
      is: false,
    },
    { what: 'it hears of logouts where it likes', plain: { backchannel_logout_uri: 'x' }, claims: { redirect_uris: redirects }, is: false },
  ])('is vouched for ($is) where $what', ({ plain, claims, is }) => {
    expect(withStatement(plain, claimsOf(claims)).isVouchedFor).toBe(is)
  })

  it('holds of every member what the statement says, whatever else is said', () => {
    const member = fc.constantFrom(...registrationMembers, 'software_statement', '__proto__', 'x')
    fc.assert(
      fc.property(fc.dictionary(member, fc.jsonValue()), fc.dictionary(member, fc.jsonValue()), (plain, said) => {
        const { body, stated } = withStatement(plain, claimsOf(said))
        return [...stated].every((name) => body[name] === claimsOf(said).get(name)) && !Object.hasOwn(body, 'software_statement')
      }),
    )
  })

  it('is said by a token that says something of a client alone', () => {
    expect([{ software_id: 'x' }, { client_name: 'x' }, { sub: 'ada' }, {}].map((claims) => saysSomething(claimsOf(claims)))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})
