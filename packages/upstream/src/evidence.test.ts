/**
 * Vendor × evidence → strength, by the preset that is proposed for each vendor: what a vendor cannot know proves nothing, whatever it says.
 * The guide shows the same table.
 */
import { readFileSync } from 'node:fs'
import { type AuthenticationStrength, authenticationStrength } from '@drawbridge/core/identity/authentication-strength'
import type { LoginAssertion } from '@drawbridge/core/identity/identity-assertion'
import { normalize } from '@drawbridge/core/identity/normalize'
import { instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { describe, expect, test } from 'vitest'
import { parseConnection } from './connection.js'
import { type OidcVendorId, oidcVendors } from './oidc/vendors.js'
import { aFixtureKey } from './saml/fixtures/a-certificate.js'
import { type VendorId, vendors } from './saml/metadata-vendors.js'

const at = instant(1_800_000_000_000)
const connectionId = 'c' as ConnectionId
const certificates = [aFixtureKey().certificate]
const classes = 'urn:oasis:names:tc:SAML:2.0:ac:classes:'
const refeds = 'https://refeds.org/profile/mfa'
const multiple = 'http://schemas.microsoft.com/claims/multipleauthn'
const references = 'http://schemas.microsoft.com/claims/authnmethodsreferences'
const entraPassword = 'http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password'
const pape = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'

function strengthOf(kind: 'saml' | 'oidc', configuration: object, assertion: LoginAssertion): AuthenticationStrength {
  const parsed = parseConnection(kind, configuration)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  const identity = normalize(assertion, { ...parsed.value.mapping, stableId: { from: 'protocol' } })
  if (!identity.ok) throw new Error(identity.error.say)
  return authenticationStrength(identity.value.authentication)
}

type Evidence = {
  readonly says: string
  readonly acr?: string
  readonly amr?: readonly string[]
  readonly attributes?: Record<string, readonly string[]>
}
type Row = readonly [evidence: Evidence, strength: AuthenticationStrength]

function bySaml(vendor: VendorId, { acr, attributes = {} }: Evidence): AuthenticationStrength {
  const address = 'https://idp.example/sso'
  return strengthOf(
    'saml',
    { ...vendors[vendor].preset, idpEntityId: 'https://idp.example', ssoUrl: address, certificates },
    {
      ...{ kind: 'saml', connectionId, assertionId: 'a', responseId: 'r', issuer: 'https://idp.example', sessionIndex: undefined },
      nameId: { value: 'ada', format: undefined, nameQualifier: undefined, spNameQualifier: undefined },
      attributes: new Map(Object.entries(attributes)),
      ...{ authnContextClassRef: acr, authnInstant: at, sessionNotOnOrAfter: undefined, issuedAt: at, replayableUntil: at },
    },
  )
}

function byOidc(vendor: OidcVendorId | undefined, { acr, amr = [], attributes = {} }: Evidence): AuthenticationStrength {
  const preset = vendor === undefined ? {} : oidcVendors[vendor].preset
  return strengthOf(
    'oidc',
    { ...preset, issuer: 'https://idp.example', clientId: 'c' },
    {
      ...{ kind: 'oidc', connectionId, issuer: 'https://idp.example', sub: 'ada', claims: new Map(Object.entries(attributes)), acr, amr },
      ...{ authTime: at, sid: undefined, issuedAt: at, expiresAt: at },
    },
  )
}

/** What nobody who cannot know it can make us believe. */
const imitations: readonly Evidence[] = [
  { says: 'REFEDS MFA', acr: refeds },
  { says: 'the class of Microsoft', acr: multiple },
  { says: 'a certificate', acr: `${classes}X509` },
  { says: 'a password', acr: `${classes}PasswordProtectedTransport` },
  { says: 'an attribute amr', attributes: { amr: ['mfa'] } },
  { says: 'an attribute AMR', attributes: { AMR: ['pwd,otp'] } },
  { says: 'an attribute session.amr', attributes: { 'session.amr': ['pwd,okta_verify'] } },
  { says: 'authnmethodsreferences', attributes: { [references]: [multiple] } },
]
const cannotSay = imitations.map((evidence): Row => [evidence, 'unknown'])
/** Its class is a setting of the application. */
const classIsSetting = imitations.filter(({ acr }) => acr !== undefined).map((evidence): Row => [evidence, 'unknown'])
const bySpecification: readonly Row[] = [
  [{ says: 'REFEDS MFA', acr: refeds }, 'multi_factor'],
  [{ says: 'REFEDS SFA', acr: 'https://refeds.org/profile/sfa' }, 'single_factor'],
  [{ says: 'a password', acr: `${classes}Password` }, 'single_factor'],
  [{ says: 'unspecified', acr: `${classes}unspecified` }, 'unknown'],
  [{ says: 'a name of its own', acr: 'urn:acme:strong' }, 'unknown'],
]

const saml: Readonly<Record<VendorId, readonly Row[]>> = {
  okta: [
    ...classIsSetting,
    [{ says: 'session.amr', attributes: { 'session.amr': ['pwd,okta_verify'] } }, 'multi_factor'],
    [{ says: 'session.amr with a password', attributes: { 'session.amr': ['pwd'] } }, 'single_factor'],
    [{ says: 'session.amr with a security key', attributes: { 'session.amr': ['pop,user'] } }, 'phishing_resistant'],
    [{ says: 'session.amr of another IdP before it', attributes: { 'session.amr': ['fed'] } }, 'unknown'],
  ],
  entra: [
    ...classIsSetting,
    [{ says: 'authnmethodsreferences', attributes: { [references]: [entraPassword, multiple] } }, 'multi_factor'],
    [{ says: 'authnmethodsreferences with a password', attributes: { [references]: [entraPassword] } }, 'single_factor'],
    [{ says: 'an attribute amr', attributes: { amr: ['mfa'] } }, 'unknown'],
  ],
  google: cannotSay,
  pingone: bySpecification,
  onelogin: cannotSay,
  jumpcloud: cannotSay,
  duo: [
    [{ says: 'AMR', attributes: { AMR: ['pwd,duo'] } }, 'multi_factor'],
    [{ says: 'AMR, empty for a directory', attributes: { AMR: [''] } }, 'unknown'],
    [{ says: 'authnmethodsreferences', attributes: { [references]: [multiple] } }, 'unknown'],
  ],
  auth0: cannotSay,
  adfs: [
    [{ says: 'the class of Microsoft', acr: multiple }, 'multi_factor'],
    [{ says: 'Windows', acr: 'urn:federation:authentication:windows' }, 'single_factor'],
    [{ says: 'authnmethodsreferences', attributes: { [references]: [multiple] } }, 'multi_factor'],
    [{ says: 'an attribute amr', attributes: { amr: ['mfa'] } }, 'unknown'],
  ],
  keycloak: bySpecification,
  pingfederate: bySpecification,
  shibboleth: [...bySpecification, [{ says: 'a certificate', acr: `${classes}X509` }, 'phishing_resistant']],
  simplesamlphp: bySpecification,
}

const oidc: Readonly<Record<OidcVendorId, readonly Row[]>> = {
  okta: [
    [{ says: 'acr', acr: 'urn:okta:loa:2fa:any' }, 'multi_factor'],
    [{ says: 'acr if possible', acr: 'urn:okta:loa:2fa:any:ifpossible' }, 'unknown'],
    [{ says: 'phr', acr: 'phr' }, 'phishing_resistant'],
    [{ says: 'phrh', acr: 'phrh' }, 'phishing_resistant_hardware'],
    [{ says: 'amr', amr: ['pwd', 'kba'] }, 'single_factor'],
    [{ says: 'amr', amr: ['pwd', 'okta_verify'] }, 'multi_factor'],
  ],
  entra: [
    [{ says: 'nothing, as version 2 does' }, 'unknown'],
    [{ says: 'acr of version 1', acr: '1' }, 'unknown'],
    [{ says: 'an authentication context, whose meaning the tenant says', acr: 'c1' }, 'unknown'],
    [{ says: 'ngcmfa', amr: ['ngcmfa'] }, 'multi_factor'],
  ],
  google: [[{ says: 'nothing' }, 'unknown']],
  pingone: [
    [{ says: 'a sign-on policy, whose meaning the tenant says', acr: 'Multi_Factor' }, 'unknown'],
    [{ says: 'amr', amr: ['pwd'] }, 'single_factor'],
  ],
  onelogin: [[{ says: 'nothing' }, 'unknown']],
  jumpcloud: [[{ says: 'nothing' }, 'unknown']],
  duo: [
    [{ says: 'nothing' }, 'unknown'],
    [{ says: 'amr, mapped', amr: ['pwd', 'duo'] }, 'multi_factor'],
  ],
  auth0: [
    [{ says: 'acr', acr: pape }, 'multi_factor'],
    [{ says: 'amr', amr: ['mfa'] }, 'multi_factor'],
  ],
  adfs: [[{ says: 'acr', acr: multiple }, 'multi_factor']],
  pingam: [[{ says: 'a journey', acr: 'gold' }, 'unknown']],
  keycloak: [
    [{ says: 'a level', acr: '1' }, 'unknown'],
    [{ says: 'REFEDS MFA, mapped', acr: refeds }, 'multi_factor'],
  ],
}

describe.each(Object.entries(saml) as [VendorId, readonly Row[]][])('SAML: %s', (vendor, rows) => {
  test.each(rows.map(([evidence, strength]) => ({ ...evidence, evidence, strength })))('$says is $strength', ({ evidence, strength }) => {
    expect(bySaml(vendor, evidence)).toBe(strength)
  })
  test('that says nothing proves nothing', () => {
    expect(bySaml(vendor, { says: 'nothing' })).toBe('unknown')
  })
})

describe.each(Object.entries(oidc) as [OidcVendorId, readonly Row[]][])('OpenID Connect: %s', (vendor, rows) => {
  test.each(rows.map(([evidence, strength]) => ({ ...evidence, evidence, strength })))('$says is $strength', ({ evidence, strength }) => {
    expect(byOidc(vendor, evidence)).toBe(strength)
  })
})

test('whom we do not recognise is taken by the words of the specifications alone', () => {
  const words: readonly Row[] = [
    ...bySpecification,
    [{ says: 'amr', amr: ['pwd', 'otp'] }, 'multi_factor'],
    [{ says: 'amr', amr: ['strong'] }, 'unknown'],
  ]
  expect(words.map(([evidence]) => byOidc(undefined, evidence))).toEqual(words.map(([, strength]) => strength))
})

test('the guide has a row for every vendor', () => {
  const guide = readFileSync(new URL('../../../docs/how-to/write-a-policy.md', import.meta.url), 'utf8')
  const rows = guide.split('\n').filter((line) => line.startsWith('|'))
  const names = [...Object.values(vendors), ...Object.values(oidcVendors)].map(({ name }) => name)
  expect(names.filter((name) => !rows.some((row) => row.startsWith(`| ${name} |`)))).toEqual([])
})
