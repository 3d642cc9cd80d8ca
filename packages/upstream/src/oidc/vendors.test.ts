/** Each quirk of each vendor, in shapes as their providers send them, through the preset that is proposed for them. */
import { readFileSync } from 'node:fs'
import { authenticationStrength } from '@drawbridge/core/identity/authentication-strength'
import { normalize } from '@drawbridge/core/identity/normalize'
import { toSeconds } from '@drawbridge/core/instant'
import { strengthFor } from '@drawbridge/core/policy/strength'
import { describe, expect, test } from 'vitest'
import { diagnoseProvider } from './diagnose.js'
import { oidcFindings } from './findings.js'
import { anOpenIdProvider, logIn, now } from './fixtures/a-provider.js'
import { type VendorShape, vendorShapes } from './fixtures/vendor-shapes.js'
import { oidcVendorOf, oidcVendors, recogniseOidcVendor } from './vendors.js'

type Name = keyof typeof vendorShapes
const names = Object.keys(vendorShapes) as Name[]
const shapeOf = (name: Name): VendorShape => vendorShapes[name]
/** A login as it goes with the proposed preset, at an issuer of this vendor. */
function at(
  name: Name,
  change: { claims?: object; userinfo?: object; configuration?: object } = {},
  login: Parameters<typeof logIn>[0] = {},
) {
  const { issuer, discovery, claims, userinfo, configuration } = shapeOf(name)
  const vendor = recogniseOidcVendor(issuer)
  const preset = vendor === undefined ? {} : oidcVendorOf(vendor).preset
  return logIn({
    answer: discovery['authorization_response_iss_parameter_supported'] === true ? { iss: issuer } : {},
    ...login,
    op: { issuer, discovery, claims: { ...claims, ...change.claims }, userinfo: { ...userinfo, ...change.userinfo } },
    configuration: { ...preset, ...configuration, ...change.configuration },
  })
}
async function identityAt(...asked: Parameters<typeof at>) {
  const { verdict, configuration } = await at(...asked)
  if (!verdict.ok || verdict.value.kind !== 'oidc') throw new Error(verdict.ok ? 'kind' : verdict.error.reason)
  const identity = normalize(verdict.value, configuration.mapping)
  if (!identity.ok) throw new Error(identity.error.reason)
  return { ...identity.value, token: verdict.value }
}
const urlAt = async (...asked: Parameters<typeof at>) => (await at(...asked)).url.searchParams
const forced = { request: { forceAuthn: true } }
const stepUp = { request: { stepUpAcr: 'mfa' as const } }

describe.each(names)('%s', (name) => {
  test('signs in on the first try with the proposed preset', async () => {
    expect((await identityAt(name)).stableId).not.toBe('')
  })
  test('is diagnosed without an error', async () => {
    const { issuer, discovery, configuration } = shapeOf(name)
    const { fetchSafely } = anOpenIdProvider({ issuer, discovery })
    const seen = await diagnoseProvider(fetchSafely, { issuer, configuration })
    expect(seen.findings.filter(({ code }) => oidcFindings[code].severity === 'error')).toEqual([])
    expect(seen.vendor).toBe(['pingfederate', 'shibboleth'].includes(name) ? undefined : name)
  })
})

test('every vendor has a shape, and every notice is given by one', () => {
  for (const vendor of Object.keys(oidcVendors)) expect(names).toContain(vendor)
  expect(oidcVendors.okta.notices).toContain('groups_limit')
  const given = new Set<string>(Object.values(oidcVendors).flatMap(({ notices }) => [...notices]))
  const ofAnyProvider = ['pkce_unlisted', 'backchannel_logout_offered', 'backchannel_logout_sessionless']
  const vendorNotices = Object.keys(oidcFindings).filter(
    (code) => oidcFindings[code as keyof typeof oidcFindings].severity === 'notice' && !ofAnyProvider.includes(code),
  )
  expect(vendorNotices.filter((code) => !given.has(code))).toEqual([])
  for (const code of [
    'groups_overage',
    'groups_need_claim',
    'groups_unavailable',
    'no_auth_time',
    'auth_time_on_request',
    'no_step_up',
    'step_up_ignored',
    'step_up_by_context',
    'subject_pairwise',
    'issuer_shared',
    'email_unproven',
    'names_in_upn',
    'logout_limited',
    'logout_frontchannel',
    'logout_claims',
    'logout_none',
    'logout_siblings',
    'logout_tokens_untyped',
  ])
    expect(given).toContain(code)
})

test('every vendor has a section in the guide', () => {
  const guide = readFileSync(new URL('../../../../docs/how-to/connect-an-oidc-idp.md', import.meta.url), 'utf8')
  const sections = [...guide.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replaceAll(' ', '-'))
  for (const { guide: section } of Object.values(oidcVendors)) expect(sections).toContain(section)
})

describe('an imitation is nobody', () => {
  test.each([
    'https://globex.okta.com.evil.example',
    'https://accounts.google.com/',
    'https://login.microsoftonline.com.evil.example/x/v2.0',
    'http://accounts.google.com',
    'https://evil.example/?https://globex.okta.com',
  ])('%s', (issuer) => {
    expect(recogniseOidcVendor(issuer)).toBeUndefined()
  })
})

describe('Okta', () => {
  test('the subject is the Okta id, and groups may come from userinfo', async () => {
    expect(await identityAt('okta')).toMatchObject({ stableId: '00u1a2b3c4', groups: { state: 'known', value: ['Engineering'] } })
  })
  test.each([
    { amr: ['pwd'], strength: 'single_factor' },
    { amr: ['pwd', 'okta_verify'], strength: 'multi_factor' },
    { amr: ['pwd', 'kba'], strength: 'single_factor' },
    { amr: ['pop', 'user'], strength: 'phishing_resistant' },
    { amr: ['fed'], strength: 'unknown' },
    { amr: ['hwk'], strength: 'single_factor' },
  ])('amr $amr is $strength', async ({ amr, strength }) => {
    const { authentication } = await identityAt('okta', { claims: { amr, acr: undefined } })
    expect(authenticationStrength(authentication)).toBe(strength)
  })
  test('phishing resistance is said by acr', async () => {
    const strengthOf = async (acr: string) =>
      authenticationStrength((await identityAt('okta', { claims: { acr, amr: [] } })).authentication)
    expect([await strengthOf('phr'), await strengthOf('phrh')]).toEqual(['phishing_resistant', 'phishing_resistant_hardware'])
  })
  test('an acr_values that it ignored leaves what it answers, which is not MFA', async () => {
    const { authentication } = await identityAt('okta', { claims: { acr: 'urn:okta:loa:1fa:any', amr: ['pwd'] } }, stepUp)
    expect(authenticationStrength(authentication)).toBe('single_factor')
  })
  test('a custom authorization server has another issuer', () => {
    expect(recogniseOidcVendor('https://globex.okta.com/oauth2/default')).toBe('okta')
  })
  test('email_verified is kept out of every decision', async () => {
    expect([...(await identityAt('okta')).claims.keys()]).not.toContain('email_verified')
  })
})

describe('Microsoft Entra ID', () => {
  test('people are keyed by tenant and object id where configured, not by the pairwise subject or the mailbox', async () => {
    const { stableId } = await identityAt('entra')
    expect(JSON.parse(stableId)).toEqual([vendorShapes.entra.claims.tid, vendorShapes.entra.claims.oid])
    expect((await identityAt('entra', { configuration: { mapping: undefined } })).stableId).toBe('pairwise-AAAA')
  })
  test('tokens without acr, amr, auth_time and sid prove nothing, and are accepted', async () => {
    const { authentication, idpSession } = await identityAt('entra')
    expect(authentication).toEqual({ acr: undefined, amr: [], authenticatedAt: undefined })
    expect(idpSession.sid).toBeUndefined()
  })
  test('acr "1" of the older version is no MFA', async () => {
    expect(authenticationStrength((await identityAt('entra', { claims: { acr: '1' } })).authentication)).toBe('unknown')
  })
  test('ngcmfa is fresh MFA', async () => {
    expect(authenticationStrength((await identityAt('entra', { claims: { amr: ['ngcmfa'] } })).authentication)).toBe('multi_factor')
  })
  test('step-up asks for an authentication context and needs it back', async () => {
    expect((await urlAt('entra', { claims: { acrs: ['c1'] } }, stepUp)).get('claims')).toContain('acrs')
    expect((await at('entra', {}, stepUp)).verdict).toMatchObject({ error: { reason: 'oidc_step_up_unmet' } })
    expect((await identityAt('entra', { claims: { acrs: ['c1'] } }, stepUp)).authentication.acr).toBe('c1')
  })
  test('max_age is no lever there, so a fresh sign-in is asked for by the prompt', async () => {
    const asked = await urlAt('entra', {}, forced)
    expect([asked.get('prompt'), asked.get('max_age')]).toEqual(['login', null])
  })
  test('more groups than fit are unknown', async () => {
    const claims = { groups: undefined, hasgroups: true }
    expect((await identityAt('entra', { claims })).groups).toEqual({ state: 'unknown' })
  })
})

describe('Google Workspace', () => {
  test('hd is asked for as a hint and needed in the token', async () => {
    expect((await urlAt('google')).get('hd')).toBe('globex.example')
    expect((await at('google', { claims: { hd: undefined } })).verdict).toMatchObject({ error: { reason: 'oidc_tenant_refused' } })
  })
  test('prompt=login is never sent, and auth_time asked for by claims where it counts', async () => {
    const asked = await urlAt('google', {}, forced)
    expect([asked.get('prompt'), asked.get('max_age')]).toEqual(['select_account', null])
    expect(asked.get('claims')).toBe('{"id_token":{"auth_time":{"essential":true}}}')
  })
  test('groups and a second factor never come', async () => {
    const { groups, authentication } = await identityAt('google')
    expect(groups).toEqual({ state: 'unknown' })
    expect(authenticationStrength(authentication)).toBe('unknown')
    expect((await urlAt('google', {}, stepUp)).get('acr_values')).toBeNull()
  })
})

describe('Ping', () => {
  test('PingOne answers with the name of the policy, which means nothing until the tenant says what', async () => {
    const { authentication } = await identityAt('pingone', { claims: { acr: 'Multi_Factor', amr: [] } }, stepUp)
    expect(authenticationStrength(authentication)).toBe('unknown')
    const means = { name: 'ping', connection: undefined, acr: 'Multi_Factor', amr: [], means: 'multi_factor' as const }
    expect(strengthFor('tenant', { vendor: [], tenant: [means], accepted: new Map() }, authentication, 'pingone')).toBe('multi_factor')
  })
  test('PingOne takes several sign-on policies at every login', async () => {
    expect((await urlAt('pingone', { configuration: { acrValues: ['Single_Factor', 'Multi_Factor'] } })).get('acr_values')).toBe(
      'Single_Factor Multi_Factor',
    )
  })
  test('PingFederate names one group as text', async () => {
    expect((await identityAt('pingfederate')).groups).toEqual({ state: 'known', value: ['CN=Engineering,OU=Groups,DC=globex'] })
  })
  test('PingAM has an essential acr enforced, and a lesser answer is refused', async () => {
    expect((await at('pingam', {}, stepUp)).verdict).toMatchObject({ error: { reason: 'oidc_step_up_unmet' } })
    expect((await at('pingam', { claims: { acr: 'mfa' } }, stepUp)).verdict.ok).toBe(true)
  })
})

describe('others', () => {
  test('OneLogin says neither acr nor auth_time, and numbers its people', async () => {
    const { stableId, authentication, token } = await identityAt('onelogin')
    expect([stableId, authentication.authenticatedAt, token.acr]).toEqual(['31415926', undefined, undefined])
  })
  test('JumpCloud shares one issuer with a slash, and may name one group as text', async () => {
    const { token, groups } = await identityAt('jumpcloud')
    expect(token.issuer).toBe('https://oauth.id.jumpcloud.com/')
    expect(groups).toEqual({ state: 'known', value: ['Engineering'] })
    expect(recogniseOidcVendor('https://oauth.id.jumpcloud.com')).toBeUndefined()
  })
  test('Duo proves no second factor unless amr is mapped', async () => {
    expect(authenticationStrength((await identityAt('duo')).authentication)).toBe('unknown')
    const mapped = await identityAt('duo', { claims: { amr: ['pwd', 'duo'] } })
    expect(authenticationStrength(mapped.authentication)).toBe('multi_factor')
  })
  test('Auth0 has a slash at the end of its issuer, which counts', async () => {
    const { fetchSafely } = anOpenIdProvider({ issuer: 'https://globex.eu.auth0.com/' })
    const seen = await diagnoseProvider(fetchSafely, { issuer: 'https://globex.eu.auth0.com', configuration: {} })
    expect(seen.findings.map(({ code }) => code)).toContain('issuer_slash')
    expect(authenticationStrength((await identityAt('auth0')).authentication)).toBe('multi_factor')
  })
  test('Auth0 names groups by a URL of the company’s own', async () => {
    const configuration = { groupsAttribute: 'https://globex.example/groups' }
    expect((await identityAt('auth0', { configuration })).groups).toEqual({ state: 'known', value: ['Engineering'] })
  })
  test('AD FS has names in upn, another access_token_issuer, a URI for MFA and groups by rule', async () => {
    const identity = await identityAt('adfs')
    expect(identity.claims.get('preferred_username')).toBe('ada@globex.example')
    expect(authenticationStrength(identity.authentication)).toBe('multi_factor')
    expect(identity.groups).toEqual({ state: 'known', value: ['Engineering'] })
  })
  test('Keycloak’s acr is a level, an essential one is asked for, and one that was not reached is refused', async () => {
    const asked = await urlAt('keycloak', { claims: { acr: 'gold' } }, stepUp)
    expect(asked.get('claims')).toContain('"essential":true')
    expect((await at('keycloak', {}, stepUp)).verdict).toMatchObject({ error: { reason: 'oidc_step_up_unmet' } })
    expect(authenticationStrength({ acr: '1', amr: [], authenticatedAt: undefined })).toBe('unknown')
  })
  test('Shibboleth answers with a SAML class and amr as text', async () => {
    const { authentication } = await identityAt('shibboleth')
    expect(authenticationStrength(authentication)).toBe('multi_factor')
    expect(authentication.amr).toEqual(['pwd'])
  })
  test('the end of the IdP’s session bounds ours, and may be ignored per connection', async () => {
    const end = toSeconds(now) + 1800
    expect((await identityAt('okta', { claims: { session_expiry: end } })).sessionExpiresAt).toBe(end * 1000)
    const ignoring = { claims: { session_expiry: end }, configuration: { mapping: { idpSessionEnd: 'ignore' } } }
    expect((await identityAt('okta', ignoring)).sessionExpiresAt).toBeUndefined()
  })
})
