import { createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { parseConnection } from './connection.js'
import { aFixtureKey } from './saml/fixtures/a-certificate.js'

const { certificate } = aFixtureKey()
const saml = { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [certificate] }
const oidc = { issuer: 'https://idp.example', clientId: 'c' }

test('bare fields are enough, and everything else has a default', () => {
  expect(parseConnection('saml', saml)).toMatchObject({
    ok: true,
    value: {
      kind: 'saml',
      ssoBinding: 'redirect',
      signatureReader: 'xml-signature',
      stepUpClassRef: 'https://refeds.org/profile/mfa',
      forceAuthn: false,
      mapping: { stableId: { from: 'protocol' } },
    },
  })
  expect(parseConnection('oidc', oidc)).toMatchObject({
    ok: true,
    value: { kind: 'oidc', scopes: ['openid', 'profile', 'email'], userinfo: true },
  })
})

test('a certificate may be bare base64, and becomes PEM', () => {
  const bare = certificate.replace(/-----[^-]+-----|\s/g, '')
  expect(parseConnection('saml', { ...saml, certificates: [bare] })).toMatchObject({ ok: true, value: { certificates: [certificate] } })
})

test.each(['prime256v1', 'secp384r1', 'secp521r1'])('a key may be on the curve %s', (curve) => {
  expect(parseConnection('saml', { ...saml, certificates: [aFixtureKey({ type: 'ec', curve }).certificate] }).ok).toBe(true)
})

test('short forms are folded into the mapping', () => {
  const parsed = parseConnection('saml', { ...saml, stableIdAttribute: 'objectId', groupsAttribute: 'memberOf' })
  expect(parsed).toMatchObject({
    ok: true,
    value: { mapping: { stableId: { from: 'attribute', name: 'objectId' }, groups: { from: ['memberOf'] } } },
  })
})

test('scope openid is always asked for', () => {
  expect(parseConnection('oidc', { ...oidc, scopes: ['groups'] })).toMatchObject({ ok: true, value: { scopes: ['openid', 'groups'] } })
})

describe('is refused', () => {
  test.each([
    { when: 'the kind is unknown', kind: 'ldap', given: {}, reason: 'connection_configuration_invalid' },
    { when: 'a member is misspelt', kind: 'saml', given: { ...saml, ssoURL: 'x' }, reason: 'connection_configuration_invalid' },
    { when: 'there is no certificate', kind: 'saml', given: { ...saml, certificates: [] }, reason: 'connection_configuration_invalid' },
    { when: 'it is null', kind: 'saml', given: null, reason: 'connection_configuration_invalid' },
    {
      when: 'the mapping writes acr',
      kind: 'saml',
      given: { ...saml, mapping: { claims: { acr: { from: ['x'] } } } },
      reason: 'connection_configuration_invalid',
    },
    { when: 'the SSO URL is http', kind: 'saml', given: { ...saml, ssoUrl: 'http://idp.example/sso' }, reason: 'connection_url_insecure' },
    { when: 'the SSO URL is a script', kind: 'saml', given: { ...saml, ssoUrl: 'javascript:alert(1)' }, reason: 'connection_url_insecure' },
    {
      when: 'an address carries credentials',
      kind: 'saml',
      given: { ...saml, ssoUrl: 'https://ada:s3cret@idp.example/sso' },
      reason: 'connection_url_insecure',
    },
    {
      when: 'an address carries a name',
      kind: 'saml',
      given: { ...saml, ssoUrl: 'https://ada@idp.example/sso' },
      reason: 'connection_url_insecure',
    },
    {
      when: 'an address has a fragment',
      kind: 'saml',
      given: { ...saml, ssoUrl: 'https://idp.example/sso#a' },
      reason: 'connection_url_insecure',
    },
    { when: 'an address is none', kind: 'saml', given: { ...saml, ssoUrl: 'idp.example' }, reason: 'connection_url_insecure' },
    {
      when: 'the logout URL is http',
      kind: 'saml',
      given: { ...saml, sloUrl: 'http://idp.example/slo' },
      reason: 'connection_url_insecure',
    },
    {
      when: 'the URL for logout answers is http',
      kind: 'saml',
      given: { ...saml, sloUrl: 'https://idp.example/slo', sloResponseUrl: 'http://idp.example/slo' },
      reason: 'connection_url_insecure',
    },
    {
      when: 'the discovery URL is http',
      kind: 'oidc',
      given: { ...oidc, discoveryUrl: 'http://idp.example/discovery' },
      reason: 'connection_url_insecure',
    },
    {
      when: 'a further issuer of an OpenID provider is http',
      ...{ kind: 'oidc', given: { ...oidc, signalIssuers: ['http://idp.example'] }, reason: 'connection_url_insecure' },
    },
    ...['issuer', 'jwksUri', 'configurationUrl'].map((member) => ({
      when: `the ${member} of the transmitter is http`,
      ...{
        kind: 'saml',
        given: { ...saml, ssf: { issuer: 'https://tx.example', [member]: 'http://tx.example' } },
        reason: 'connection_url_insecure',
      },
    })),
    ...[{ events: ['unheard-of'] }, { events: [] }, { pushTokenSha256: ['abc'] }, { bearer: 'x' }, { issuer: undefined }].map((more) => ({
      when: `the transmitter says ${JSON.stringify(more)}`,
      ...{ kind: 'oidc', given: { ...oidc, ssf: { issuer: 'https://tx.example', ...more } }, reason: 'connection_configuration_invalid' },
    })),
    {
      when: 'Graph is http',
      kind: 'oidc',
      given: { ...oidc, tenantIds: ['11111111-2222-4333-8444-555555555555'], graph: { url: 'http://graph.example' } },
      reason: 'connection_url_insecure',
    },
    {
      when: 'the token endpoint of Graph is http',
      kind: 'oidc',
      given: { ...oidc, tenantIds: ['11111111-2222-4333-8444-555555555555'], graph: { tokenUrl: 'http://graph.example' } },
      reason: 'connection_url_insecure',
    },
    { when: 'the issuer is http', kind: 'oidc', given: { ...oidc, issuer: 'http://idp.example' }, reason: 'connection_url_insecure' },
    {
      when: 'a certificate is garbage',
      kind: 'saml',
      given: { ...saml, certificates: ['garbage'] },
      reason: 'connection_certificate_invalid',
    },
    {
      when: 'a key is too short',
      kind: 'saml',
      given: { ...saml, certificates: [aFixtureKey({ bits: 1024 }).certificate] },
      reason: 'connection_certificate_invalid',
    },
    ...[
      { what: 'long', jwk: { n: `AQ${'_'.repeat(682)}`, e: 'AQAB' } },
      { what: 'long in its exponent', jwk: { n: `${'_'.repeat(341)}w`, e: 'AQAAAAE' } },
    ].map(({ what, jwk }) => ({
      when: `a key is too ${what}`,
      kind: 'saml',
      given: {
        ...saml,
        certificates: [aFixtureKey({ publicKey: createPublicKey({ key: { kty: 'RSA', ...jwk }, format: 'jwk' }) }).certificate],
      },
      reason: 'connection_certificate_invalid',
    })),
    ...['secp256k1', 'secp224r1', 'brainpoolP256r1'].map((curve) => ({
      when: `a key is on the curve ${curve}`,
      kind: 'saml',
      given: { ...saml, certificates: [aFixtureKey({ type: 'ec', curve }).certificate] },
      reason: 'connection_certificate_invalid',
    })),
  ])('a connection when $when', ({ kind, given, reason }) => {
    expect(parseConnection(kind, given)).toMatchObject({ ok: false, error: { reason } })
  })
  test('http is accepted for a loopback host, as the simulator has', () => {
    expect(parseConnection('saml', { ...saml, ssoUrl: 'http://127.0.0.1:4410/acme/sso' }).ok).toBe(true)
  })
})
