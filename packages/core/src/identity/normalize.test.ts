import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { instant } from '../instant.js'
import type { ConnectionId, SubjectId } from '../tenant/ids.js'
import { authenticationStrength } from './authentication-strength.js'
import { defaultClaimMapping, parseClaimMapping } from './claim-mapping.js'
import { withVerifiedAddress } from './email-address.js'
import type { IdToken, SamlAssertion } from './identity-assertion.js'
import { identityFromJson, identityToJson } from './identity-json.js'
import { normalize } from './normalize.js'

const connectionId = 'connection' as ConnectionId
const aSaml = (attributes: Record<string, readonly string[]>, over: Partial<SamlAssertion> = {}): SamlAssertion => ({
  kind: 'saml',
  connectionId,
  assertionId: '_a',
  responseId: '_r',
  issuer: 'https://idp.example',
  nameId: { value: '00u1', format: undefined, nameQualifier: undefined, spNameQualifier: undefined },
  sessionIndex: '_s',
  attributes: new Map(Object.entries(attributes)),
  authnContextClassRef: undefined,
  authnInstant: instant(5),
  sessionNotOnOrAfter: instant(9),
  issuedAt: instant(5),
  replayableUntil: instant(10),
  ...over,
})
const anIdToken = (claims: Record<string, unknown>, over: Partial<IdToken> = {}): IdToken => ({
  kind: 'oidc',
  connectionId,
  issuer: 'https://op.example',
  sub: 'ada',
  claims: new Map(Object.entries(claims)),
  acr: undefined,
  amr: [],
  authTime: undefined,
  sid: 'sid',
  issuedAt: instant(5),
  expiresAt: instant(10),
  ...over,
})
const valueOf = (assertion: SamlAssertion | IdToken, mapping: unknown = undefined) => {
  const parsed = parseClaimMapping(mapping)
  if (!parsed.ok) throw new Error(parsed.error.say)
  const normalized = normalize(assertion, parsed.value)
  if (!normalized.ok) throw new Error(normalized.error.reason)
  return normalized.value
}

describe('groups', () => {
  test.each([
    { when: 'they came', given: aSaml({ groups: ['a', 'b', 'a', ''] }), groups: { state: 'known', value: ['a', 'b'] } },
    { when: 'they came empty', given: aSaml({ groups: [''] }), groups: { state: 'known', value: [] } },
    { when: 'the attribute never came', given: aSaml({}), groups: { state: 'unknown' } },
    {
      when: 'Entra has too many (SAML)',
      given: aSaml({ groups: [], 'http://schemas.microsoft.com/claims/groups.link': ['https://graph'] }),
      groups: { state: 'unknown' },
    },
    { when: 'Entra has too many (OIDC)', given: anIdToken({ _claim_names: { groups: 'src1' } }), groups: { state: 'unknown' } },
    { when: 'an empty list came', given: anIdToken({ groups: [] }), groups: { state: 'known', value: [] } },
    {
      when: 'there are more than the limit',
      given: anIdToken({ groups: Array.from({ length: 1001 }, (_, index) => `g${index}`) }),
      groups: { state: 'unknown', beyond: 'groups' },
    },
    {
      when: 'the name of one is longer than the limit',
      given: anIdToken({ groups: ['a', 'x'.repeat(1_025)] }),
      groups: { state: 'unknown', beyond: 'claimCharacters' },
    },
  ])('$groups.state when $when', ({ given, groups }) => {
    const identity = valueOf(given)
    expect(identity.groups).toEqual(groups)
    expect(identityFromJson(identityToJson(identity))).toMatchObject({ ok: true, value: { groups } })
  })
  test('absent when the connection sends none', () => expect(valueOf(aSaml({}), { groups: 'none' }).groups).toEqual({ state: 'absent' }))
})

test('more methods than the limit are none, never some of them', () => {
  const methods = (count: number) => Array.from({ length: count }, (_, index) => `m${index}`)
  expect(valueOf(anIdToken({}, { amr: methods(20) })).authentication.amr).toEqual(methods(20))
  expect(valueOf(anIdToken({}, { amr: methods(21) })).authentication.amr).toEqual([])
})

describe('claims', () => {
  test('names of several vendors become ours; what is empty is absent, what is repeated unknown', () => {
    const identity = valueOf(
      aSaml({ 'urn:oid:0.9.2342.19200300.100.1.3': ['ada@acme.example'], department: [''], title: ['a', 'b'], Role: ['x', 'y'] }),
    )
    expect(Object.fromEntries(identity.claims)).toEqual({ email: 'ada@acme.example', roles: ['x', 'y'] })
    expect(identity.unknownClaims).toEqual(new Set(['title']))
  })
  // Clients take it apart at the first @, or at a comma: it must be one address to all of them, and say one domain.
  test.each(['ceo@acme.example@evil.example', '"ceo@acme.example"@evil.example', 'ceo@acme.example,x@evil.example', 'c eo@acme.example'])(
    '%j is no address that a client could read in one way, and absent',
    (email) => expect(valueOf(aSaml({ email: [email] })).claims.has('email')).toBe(false),
  )
  test.each(['ceo\u200B@acme.example', 'ceo@ac\u00ADme.example', 'ceo\r\nBcc:x@acme.example', '<ceo@acme.example'])('nor is %j', (email) =>
    expect(valueOf(aSaml({ email: [email] })).claims.has('email')).toBe(false),
  )
  test.each(["o'neil+x@acme.example", 'jürgen@bücher.example', 'ADA#EXT#@acme.example'])('%j is one', (email) =>
    expect(valueOf(aSaml({ email: [email] })).claims.get('email')).toBe(email),
  )
  test('a declared type that does not hold makes the claim unknown', () => {
    const mapping = {
      claims: {
        level: { from: ['level'], type: 'number' },
        vip: { from: ['vip'], type: 'boolean' },
        bad: { from: ['bad'], type: 'number' },
      },
    }
    const { claims, unknownClaims } = valueOf(anIdToken({ level: 3, vip: true, bad: '3x', nested: { a: 1 } }), mapping)
    expect(Object.fromEntries(claims)).toEqual({ level: 3, vip: true })
    expect(unknownClaims).toEqual(new Set(['bad']))
  })
  const one = (from: readonly string[], type = 'string') => ({ claims: { own: { from, type } } })
  test.each<[string, Record<string, unknown>, object, unknown]>([
    ['to be had elsewhere', { _claim_names: { department: 'src1' } }, one(['department']), 'unknown'],
    [
      'to be had elsewhere, and the expression reads it',
      { _claim_names: { d: 's' } },
      { claims: { own: { expression: "attributes['d'][0]", type: 'string' } } },
      'unknown',
    ],
    ['to be had elsewhere, though another that would do is here', { _claim_names: { a: 's' }, b: 'x' }, one(['a', 'b']), 'unknown'],
    ['here, and the other one elsewhere', { _claim_names: { b: 's' }, a: 'x' }, one(['a', 'b']), 'x'],
    ['here, though it is named as elsewhere too', { _claim_names: { a: 's' }, a: 'x' }, one(['a']), 'x'],
    ['of no form that can be read', { a: { b: 'x' } }, one(['a']), 'unknown'],
    ['null', { a: null }, one(['a']), undefined],
    ['too long', { a: 'x'.repeat(1_025) }, one(['a']), 'unknown'],
    ['a list of too many', { a: Array.from({ length: 101 }, () => 'x') }, one(['a'], 'list'), 'unknown'],
    ['no truth', { a: 'perhaps' }, one(['a'], 'boolean'), 'unknown'],
    ['empty', { a: '' }, one(['a']), undefined],
    ['not there', {}, one(['a']), undefined],
    ['not there, and the names of what is elsewhere are none', { _claim_names: 'x' }, one(['a']), undefined],
  ])('what is %s', (_, claims, mapping, expected) => {
    const identity = valueOf(anIdToken(claims), mapping)
    expect(identity.unknownClaims?.has('own') ? 'unknown' : identity.claims.get('own')).toBe(expected)
    expect(identityFromJson(identityToJson(identity))).toEqual({ ok: true, value: identity })
  })
  test('an address that cannot be read is unknown, and whether it is verified too', () => {
    const identity = valueOf(aSaml({ email: ['a@b@c'] }))
    expect(identity.unknownClaims).toEqual(new Set(['email']))
    expect(withVerifiedAddress(identity, []).unknownClaims).toEqual(new Set(['email', 'email_verified']))
    expect(valueOf(aSaml({})).unknownClaims).toBeUndefined()
  })
  test.each(['sub', 'acr', 'amr', 'email_verified', 'tenant', 'groups', 'constructor'])('a mapping cannot write %s', (claim) => {
    expect(parseClaimMapping({ claims: { [claim]: { from: ['x'] } } })).toMatchObject({
      ok: false,
      error: { reason: 'mapping_writes_reserved_claim' },
    })
  })
})

describe('the stable id', () => {
  test('is the NameID, or the mapped attribute', () => {
    expect(valueOf(aSaml({})).stableId).toBe('00u1')
    expect(valueOf(aSaml({ oid: ['o1'] }), { stableId: { attribute: 'oid' } }).stableId).toBe('o1')
  })
  test.each([
    [
      normalize(
        aSaml(
          {},
          {
            nameId: {
              value: 'x',
              format: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient',
              nameQualifier: undefined,
              spNameQualifier: undefined,
            },
          },
        ),
        defaultClaimMapping,
      ),
      'identity_stable_id_not_stable',
    ],
    [
      normalize(aSaml({ oid: ['a', 'b'] }), { ...defaultClaimMapping, stableId: { from: 'attribute', name: 'oid' } }),
      'identity_without_stable_id',
    ],
  ])('%# is refused', (result, reason) => expect(result).toMatchObject({ ok: false, error: { reason } }))
})

test.each([
  [
    'Entra SAML',
    aSaml({
      'http://schemas.microsoft.com/claims/authnmethodsreferences': [
        'http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password',
        'http://schemas.microsoft.com/claims/multipleauthn',
      ],
    }),
    'multi_factor',
  ],
  [
    'Entra SAML without MFA',
    aSaml({
      'http://schemas.microsoft.com/claims/authnmethodsreferences': [
        'http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password',
      ],
    }),
    'single_factor',
  ],
  ['Okta session.amr', aSaml({ 'session.amr': ['pwd,otp'] }), 'multi_factor'],
  ['REFEDS', aSaml({}, { authnContextClassRef: 'https://refeds.org/profile/mfa' }), 'multi_factor'],
  ['Google', aSaml({}, { authnContextClassRef: 'urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified' }), 'unknown'],
  ['X509', aSaml({}, { authnContextClassRef: 'urn:oasis:names:tc:SAML:2.0:ac:classes:X509' }), 'phishing_resistant'],
  ['hwk alone', anIdToken({}, { amr: ['hwk'] }), 'single_factor'],
  ['user and rba prove nothing', anIdToken({}, { amr: ['user', 'rba', 'geo', 'wia', 'fed'] }), 'unknown'],
  ['pwd and pin are one category', anIdToken({}, { amr: ['pwd', 'pin'] }), 'single_factor'],
])('evidence of %s is %s', (_, assertion, strength) => {
  expect(authenticationStrength(valueOf(assertion as SamlAssertion).authentication)).toBe(strength)
})

test('an identity survives JSON, and reading never throws', () => {
  const identity = { ...valueOf(aSaml({ groups: ['a'], email: ['x@y'], Role: ['r'] })), subjectId: 's' as SubjectId }
  expect(identityFromJson(JSON.parse(JSON.stringify(identityToJson(identity))))).toEqual({ ok: true, value: identity })
  fc.assert(fc.property(fc.jsonValue(), (json) => identityFromJson(json).ok === false))
})

describe('a stable id of several attributes', () => {
  const mapping = { stableId: { attributes: ['tid', 'oid'] } }
  test('is all of them, and never reads like another person’s', () => {
    expect(valueOf(anIdToken({ tid: 't', oid: 'o' }), mapping).stableId).toBe('["t","o"]')
    expect(valueOf(anIdToken({ tid: 't","o', oid: 'x' }), mapping).stableId).not.toBe(
      valueOf(anIdToken({ tid: 't', oid: 'o","x' }), mapping).stableId,
    )
  })
  test.each([{ tid: 't' }, { tid: 't', oid: '' }, { tid: 't', oid: ['a', 'b'] }])('is none when one is missing: %j', (claims) => {
    expect(() => valueOf(anIdToken(claims as Record<string, unknown>), mapping)).toThrow('identity_without_stable_id')
  })
  test('is not one alone', () => {
    expect(parseClaimMapping({ stableId: { attributes: ['oid'] } }).ok).toBe(false)
    expect(parseClaimMapping({ stableId: { attribute: 'oid', attributes: ['tid', 'oid'] } }).ok).toBe(false)
  })
})

describe('the end of the session at the IdP', () => {
  const ending = (seconds: number) => aSaml({}, { issuedAt: instant(1_000_000), sessionNotOnOrAfter: instant(1_000_000 + seconds * 1000) })
  const endOf = (assertion: SamlAssertion, idpSessionEnd: unknown) => {
    const end = valueOf(assertion, { idpSessionEnd }).sessionExpiresAt
    return end === undefined ? undefined : (end - 1_000_000) / 1000
  }
  test.each([
    { rule: 'honour', seconds: 300, end: 300 },
    { rule: 'ignore', seconds: 300, end: undefined },
    { rule: { floorSeconds: 3600 }, seconds: 300, end: 3600 },
    { rule: { floorSeconds: 3600 }, seconds: 3600, end: 3600 },
    { rule: { floorSeconds: 3600 }, seconds: 86_400, end: 86_400 },
  ])('$seconds s away, by rule $rule: $end', ({ rule, seconds, end }) => {
    expect(endOf(ending(seconds), rule)).toBe(end)
  })

  test('no floor makes an end where the IdP says none', () => {
    expect(
      valueOf(aSaml({}, { sessionNotOnOrAfter: undefined }), { idpSessionEnd: { floorSeconds: 3600 } }).sessionExpiresAt,
    ).toBeUndefined()
  })

  test.each([59, 12 * 3600 + 1, 90.5])('a floor of %s s is refused', (floorSeconds) => {
    expect(parseClaimMapping({ idpSessionEnd: { floorSeconds } }).ok).toBe(false)
  })
})

describe('the class of a login', () => {
  const mfa = aSaml({ amr: ['pwd'] }, { authnContextClassRef: 'https://refeds.org/profile/mfa' })
  test('is evidence unless the mapping says that it is a setting of the IdP', () => {
    expect(valueOf(mfa).authentication.acr).toBe('https://refeds.org/profile/mfa')
    expect(valueOf(mfa, { authnContext: 'ignore' }).authentication).toMatchObject({ acr: undefined, amr: ['pwd'] })
  })
  test.each(['believe', '', true])('%j is no choice', (authnContext) => {
    expect(parseClaimMapping({ authnContext }).ok).toBe(false)
  })
})

test('without a NameID there is no stable id but the attribute that was named', () => {
  const nameless = aSaml({ guid: ['g1'] }, { nameId: undefined })
  expect(valueOf(nameless, { stableId: { attribute: 'guid' } })).toMatchObject({ stableId: 'g1', idpSession: { nameId: undefined } })
  expect(normalize(nameless, defaultClaimMapping)).toMatchObject({ error: { reason: 'identity_without_stable_id' } })
})
