import { readFileSync } from 'node:fs'
import { type LoginFailureReason, loginFailures } from '@drawbridge/core/identity/login-failure'
import { loginStages } from '@drawbridge/core/identity/login-trace'
import { describe, expect, it, test } from 'vitest'
import { type ConnectionConfiguration, parseConnection } from './connection-configuration.js'
import { type UpstreamErrorReason, upstreamErrors } from './error.js'
import { explainFailure, stageOfRefusal } from './explain-failure.js'
import { idTokenRules } from './oidc/error.js'
import { oidcVendors } from './oidc/vendors.js'
import { aFixtureKey } from './saml/fixtures/a-certificate.js'
import { vendors } from './saml/metadata-vendors.js'
import { oidcRemedies, samlRemedies } from './vendor-remedies.js'

const { certificate } = aFixtureKey()
function configured(kind: 'saml' | 'oidc', given: object): ConnectionConfiguration {
  const parsed = parseConnection(kind, given)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value
}
const saml = (idpEntityId: string, ssoUrl = 'https://idp.example/sso') =>
  configured('saml', { idpEntityId, ssoUrl, certificates: [certificate] })
const oidc = (issuer: string) => configured('oidc', { issuer, clientId: 'c', hostedDomains: ['acme.example'] })

const upstreamReasons = Object.keys(upstreamErrors) as UpstreamErrorReason[]
const everyReason = [...upstreamReasons, ...(Object.keys(loginFailures) as LoginFailureReason[])]

describe('every reason', () => {
  it('has a cause and a remedy, each a sentence', () => {
    for (const reason of everyReason) {
      const told = explainFailure({ reason }, undefined)
      expect([reason, told?.cause]).toEqual([reason, expect.stringMatching(/^[A-Z“][^]{10,}[.:]$|^[A-Z“][^]{10,}\.$/)])
      expect([reason, told?.remedy]).toEqual([reason, expect.stringMatching(/^[A-Z<“][^]{10,}\.$/)])
    }
  })
  it('stands at a stage of a login', () => {
    for (const reason of upstreamReasons) expect([reason, loginStages.includes(stageOfRefusal(reason))]).toEqual([reason, true])
    for (const [reason, { stage }] of Object.entries(loginFailures)) expect([reason, loginStages.includes(stage)]).toEqual([reason, true])
  })
  test('and what is no reason is explained by nobody', () => {
    for (const reason of ['', 'toString', '__proto__', 'saml_of_another_version'])
      expect(explainFailure({ reason }, undefined)).toBeUndefined()
  })
})

test.each<[UpstreamErrorReason, string]>([
  ['sp_key_missing', 'start'],
  ['saml_doctype', 'message'],
  ['saml_status_not_success', 'answer'],
  ['oidc_access_denied', 'answer'],
  ['saml_signature_invalid', 'signature'],
  ['saml_algorithm_sha1', 'signature'],
  ['saml_decryption_failed', 'signature'],
  ['saml_audience_wrong', 'rules'],
  ['oidc_id_token_refused', 'rules'],
])('%s stands at %s', (reason, stage) => {
  expect(stageOfRefusal(reason)).toBe(stage)
})

describe('what one vendor’s console calls it', () => {
  test.each([
    {
      of: saml('https://app.onelogin.com/saml/metadata/1'),
      reason: 'saml_recipient_wrong',
      says: 'Recipient',
      guide: 'saml-idp.md#onelogin',
    },
    { of: saml('https://app.onelogin.com/saml/metadata/1'), reason: 'saml_algorithm_sha1', says: 'SHA-256', guide: 'saml-idp.md#onelogin' },
    { of: saml('urn:acme.auth0.com'), reason: 'saml_algorithm_sha1', says: 'rsa-sha256', guide: 'saml-idp.md#auth0' },
    { of: saml('http://fs.acme.example/adfs/services/trust'), reason: 'saml_algorithm_sha1', says: 'Advanced', guide: 'saml-idp.md#ad-fs' },
    {
      of: saml('http://fs.acme.example/adfs/services/trust'),
      reason: 'saml_status_not_success',
      says: 'MSIS7084',
      guide: 'saml-idp.md#ad-fs',
    },
    {
      of: saml('https://sts.windows.net/11111111-2222-3333-4444-555555555555/'),
      reason: 'saml_authn_context_unmet',
      says: 'AADSTS75011',
      guide: 'saml-idp.md#microsoft-entra-id',
    },
    { of: saml('http://www.okta.com/exk1'), reason: 'saml_audience_wrong', says: 'Audience URI', guide: 'saml-idp.md#okta' },
    {
      of: saml('Acme', 'https://sso.jumpcloud.com/saml2/acme'),
      reason: 'saml_assertion_issuer_wrong',
      says: 'IdP Entity ID',
      guide: 'saml-idp.md#jumpcloud',
    },
    {
      of: saml('https://accounts.google.com/o/saml2?idpid=C1'),
      reason: 'saml_signature_invalid',
      says: 'validUntil',
      guide: 'saml-idp.md#google-workspace',
    },
    {
      of: saml('urn:x', 'https://idp.uni.example/idp/profile/SAML2/Redirect/SSO'),
      reason: 'saml_authn_context_unmet',
      says: 'NoAuthnContext',
      guide: 'saml-idp.md#shibboleth',
    },
    {
      of: oidc('https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0'),
      reason: 'oidc_client_secret_expired',
      says: 'AADSTS7000222',
      guide: 'oidc-idp.md#microsoft-entra-id',
    },
    {
      of: oidc('https://accounts.google.com'),
      reason: 'oidc_tenant_refused',
      says: 'hostedDomains',
      guide: 'oidc-idp.md#google-workspace',
    },
  ])('$guide on $reason says $says', ({ of, reason, says, guide }) => {
    const told = explainFailure({ reason }, of)
    expect(told?.vendor?.remedy).toContain(says)
    expect(told?.guide).toBe(`docs/how-to/connect-a${guide.startsWith('oidc') ? 'n' : ''}-${guide}`)
  })

  test('an IdP that nobody recognises gets the words of the catalogue, and the guide', () => {
    expect(explainFailure({ reason: 'saml_audience_wrong' }, saml('urn:idp'))).toEqual({
      cause: upstreamErrors.saml_audience_wrong.cause,
      remedy: upstreamErrors.saml_audience_wrong.remedy,
      vendor: undefined,
      guide: 'docs/how-to/connect-a-saml-idp.md',
    })
  })

  it('is written only for reasons that exist', () => {
    for (const rows of [...Object.values(samlRemedies), ...Object.values(oidcRemedies)])
      for (const [reason, remedy] of Object.entries(rows))
        expect([reason, everyReason.includes(reason as never), remedy?.endsWith('.')]).toEqual([reason, true, true])
  })
})

test('the ID token’s rules are told one by one, and a rule without words falls back to the catalogue', () => {
  for (const [rule, told] of Object.entries(idTokenRules))
    expect(explainFailure({ reason: 'oidc_id_token_refused', detail: { rule } }, undefined)).toMatchObject(told ?? {})
  expect(explainFailure({ reason: 'oidc_id_token_refused', detail: { rule: 'typ' } }, undefined)?.cause).toBe(
    upstreamErrors.oidc_id_token_refused.cause,
  )
})

test.each([
  ['elements', 500, 'at most 500 elements'],
  ['octets', 65536, 'at most 65536 octets'],
  ['namespaceLength', 128, 'at most 128 characters in a namespace'],
])('what exceeds the limit %s of the library is told with its name, and who takes it', (limit, most, says) => {
  const told = explainFailure({ reason: 'saml_reader_limit_exceeded', detail: { limit, most } }, undefined)
  expect(told?.cause).toContain(`The limit is ${limit}: ${says}.`)
  expect(told?.cause).toContain('The default reader takes it.')
  expect(told?.remedy).toContain('"xml-signature"')
})

test('a detail that is of no such refusal leaves the words of the catalogue', () => {
  const { cause, remedy } = upstreamErrors.saml_reader_limit_exceeded
  for (const detail of [undefined, {}, { limit: '__proto__', most: 1 }, { limit: 'elements', most: '1' }])
    expect(explainFailure({ reason: 'saml_reader_limit_exceeded', ...(detail && { detail }) }, undefined)).toMatchObject({ cause, remedy })
})

test('every section of the guide that is linked is there', () => {
  const anchors = (file: string) =>
    readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('## '))
      .map((line) =>
        line
          .slice(3)
          .toLowerCase()
          .replace(/[^a-z0-9 -]/g, '')
          .replaceAll(' ', '-'),
      )
  const samlAnchors = anchors('docs/how-to/connect-a-saml-idp.md')
  const examples: Record<keyof typeof vendors, ConnectionConfiguration> = {
    okta: saml('http://www.okta.com/exk1'),
    entra: saml('https://sts.windows.net/11111111-2222-3333-4444-555555555555/'),
    google: saml('https://accounts.google.com/o/saml2?idpid=C1'),
    pingone: saml('https://auth.pingone.eu/x'),
    onelogin: saml('https://app.onelogin.com/saml/metadata/1'),
    jumpcloud: saml('x', 'https://sso.jumpcloud.com/saml2/x'),
    duo: saml('x', 'https://sso-1.sso.duosecurity.com/saml2/x'),
    auth0: saml('urn:acme.auth0.com'),
    adfs: saml('http://fs.acme.example/adfs/services/trust'),
    keycloak: saml('https://kc.example/realms/acme'),
    pingfederate: saml('x', 'https://pf.example/idp/SSO.saml2'),
    shibboleth: saml('x', 'https://idp.example/idp/profile/SAML2/Redirect/SSO'),
    simplesamlphp: saml('x', 'https://idp.example/saml2/idp/SSOService.php'),
  }
  for (const [vendor, configuration] of Object.entries(examples))
    expect([vendor, samlAnchors]).toEqual([
      vendor,
      expect.arrayContaining([explainFailure({ reason: 'saml_unsigned' }, configuration)?.guide.split('#')[1]]),
    ])
  const oidcAnchors = anchors('docs/how-to/connect-an-oidc-idp.md')
  for (const { guide } of Object.values(oidcVendors)) expect(oidcAnchors).toContain(guide)
})
