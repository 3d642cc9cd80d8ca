/** What metadata says of single logout: which of several addresses is taken, what a refresh may do to them, and what ours says. */
import { instant } from '@drawbridge/core/instant'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { aKey, metadataLike, plainMetadata } from './fixtures/vendor-metadata.js'
import { compareMetadata } from './metadata-changes.js'
import { diagnose } from './metadata-diagnosis.js'
import { judgeRefresh } from './metadata-refresh.js'
import type { ServiceProvider } from './service-provider.js'
import { buildSpMetadata } from './sp-metadata.js'

const now = instant(Date.UTC(2026, 10, 23))
const certificate = aKey().certificate
const service = (binding: string, url: string, answersAt?: string) =>
  `<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:${binding}" Location="${url}"${answersAt === undefined ? '' : ` ResponseLocation="${answersAt}"`}/>`
const offering = (inside: string) => plainMetadata({ certificates: [certificate], inside })
const see = (inside: string) => diagnose(offering(inside), { now })
const redirect = service('HTTP-Redirect', 'https://idp.example/slo')
const post = service('HTTP-POST', 'https://idp.example/slo/post')
const soap = service('SOAP', 'https://idp.example/slo/soap')
const atRedirect = { sloUrl: 'https://idp.example/slo', sloResponseUrl: 'https://idp.example/slo', sloBinding: 'redirect' }

describe('of what an IdP lists', () => {
  test.each([
    { listed: 'redirect and POST', inside: post + redirect, taken: atRedirect },
    { listed: 'POST and SOAP', inside: soap + post, taken: { sloUrl: 'https://idp.example/slo/post', sloBinding: 'post' } },
    {
      listed: 'an address of its own for answers',
      inside: service('HTTP-Redirect', 'https://idp.example/slo', 'https://idp.example/slo/answers'),
      taken: { ...atRedirect, sloResponseUrl: 'https://idp.example/slo/answers' },
    },
    {
      listed: 'an insecure address for answers, and another binding',
      inside: service('HTTP-Redirect', 'https://idp.example/slo', 'http://idp.example/answers') + post,
      taken: { sloUrl: 'https://idp.example/slo/post', sloBinding: 'post' },
    },
  ])('$listed, one is taken, and it parses', ({ inside, taken }) => {
    const { configuration, findings } = see(inside)
    expect(configuration).toMatchObject(taken)
    expect(findings).toEqual([{ code: 'logout_offered', detail: { binding: taken.sloBinding } }])
    expect(parseConnection('saml', configuration)).toMatchObject({ ok: true, value: taken })
  })

  test.each([
    { listed: 'nothing', inside: '', found: [] },
    { listed: 'SOAP alone', inside: soap, found: ['logout_unusable'] },
    { listed: 'http alone', inside: service('HTTP-POST', 'http://idp.example/slo'), found: ['logout_unusable'] },
  ])('$listed, none is taken', ({ inside, found }) => {
    const { configuration, findings } = see(inside)
    expect(configuration).not.toHaveProperty('sloUrl')
    expect(findings.map(({ code }) => code)).toEqual(found)
  })

  test('Entra speaks of logout under another name, and Auth0 by POST', () => {
    const keys = [certificate]
    expect(diagnose(metadataLike('entra', keys), { now }).configuration).toMatchObject({
      sloBinding: 'redirect',
      sloIssuer: expect.stringMatching(/^https:\/\/login\.microsoftonline\.com\/[0-9a-f-]{36}\/$/),
    })
    expect(diagnose(metadataLike('auth0', keys), { now }).configuration).toMatchObject({ sloBinding: 'post' })
    expect(diagnose(metadataLike('google', keys), { now }).configuration).not.toHaveProperty('sloUrl')
  })
})

test('of Okta and AD FS it is told that they want the certificate first', () => {
  for (const vendor of ['okta', 'adfs'])
    expect(diagnose(metadataLike(vendor, [certificate]), { now }).findings.map(({ code }) => code)).toContain('logout_needs_certificate')
})

describe('a refresh', () => {
  const active = (more: Record<string, unknown>): SamlConnection => {
    const parsed = parseConnection('saml', {
      idpEntityId: 'urn:idp',
      ssoUrl: 'https://idp.example/sso',
      certificates: [certificate],
      ...more,
    })
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
    return parsed.value as SamlConnection
  }
  const judge = (more: Record<string, unknown>, inside: string) =>
    judgeRefresh({ active: active(more), document: offering(inside), url: undefined, pinned: [], signedBy: undefined, withdrawn: [], now })

  test('does not begin logout where no admin has set it up', () => {
    expect(judge({}, redirect)).toMatchObject({ kind: 'unchanged' })
  })
  test('takes no address away', () => {
    expect(judge(atRedirect, '')).toMatchObject({ kind: 'unchanged' })
  })
  test('follows it on its host', () => {
    expect(judge(atRedirect, service('HTTP-Redirect', 'https://idp.example/new'))).toMatchObject({
      kind: 'changed',
      configuration: { sloUrl: 'https://idp.example/new', sloResponseUrl: 'https://idp.example/new' },
      change: { sloUrl: { from: 'https://idp.example/slo', to: 'https://idp.example/new' }, ssoUrl: undefined },
    })
  })
  test.each([
    { what: 'the address', inside: service('HTTP-Redirect', 'https://evil.example/slo') },
    { what: 'the address for answers', inside: service('HTTP-Redirect', 'https://idp.example/slo', 'https://evil.example/slo') },
  ])('holds $what that moves to another host for an admin', ({ inside }) => {
    expect(judge(atRedirect, inside)).toMatchObject({ kind: 'held', reason: 'endpoint_moved' })
  })
  test('what an admin would get is told with what there was', () => {
    const offered = see(redirect).configuration
    expect(offered && compareMetadata(active({}), offered)).toMatchObject({
      sloUrl: { from: null, to: 'https://idp.example/slo' },
      sloBinding: { from: null, to: 'redirect' },
      ssoUrl: undefined,
    })
  })
})

describe('what we say', () => {
  const acsUrl = 'https://broker.example/t/acme/saml/c1/acs'
  let serviceProvider: ServiceProvider
  beforeAll(async () => {
    serviceProvider = await aServiceProvider()
  })
  const metadataOf = (more: Record<string, unknown>) => {
    const parsed = parseConnection('saml', {
      idpEntityId: 'urn:idp',
      ssoUrl: 'https://idp.example/sso',
      certificates: [certificate],
      ...more,
    })
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
    return buildSpMetadata({ connection: parsed.value as SamlConnection, acsUrl, serviceProvider })
  }
  const logoutOf = (xml: string) =>
    [...xml.matchAll(/SingleLogoutService Binding="[^"]*:([^":]+)" Location="([^"]+)"/g)].map(([, binding, url]) => [binding, url])

  test('names our logout addresses and the keys that sign, where the connection has single logout', () => {
    const xml = metadataOf({ sloUrl: 'https://idp.example/slo' })
    const at = 'https://broker.example/t/acme/saml/c1/slo'
    expect(logoutOf(xml)).toEqual([
      ['HTTP-Redirect', at],
      ['HTTP-POST', at],
      ['SOAP', `${at}/soap`],
    ])
    expect(xml.match(/use="signing"/g)).toHaveLength(2)
    expect(xml).toContain('AuthnRequestsSigned="false"')
    // The order of the schema: keys, logout, NameID formats, ACS.
    expect(xml.indexOf('KeyDescriptor')).toBeLessThan(xml.indexOf('SingleLogoutService'))
    expect(xml.indexOf('SingleLogoutService')).toBeLessThan(xml.indexOf('AssertionConsumerService'))
    expect(diagnose(xml, { now }).findings).toMatchObject([{ code: 'role_sp_only' }])
  })
  test('names none where it has not', () => {
    expect(logoutOf(metadataOf({}))).toEqual([])
  })
  test('asks for the answer to a login by redirect where the connection wants that', () => {
    expect(metadataOf({ responseBinding: 'redirect' })).toContain(
      'AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"',
    )
  })
})

test.each([
  {
    when: 'sloUrl is http',
    more: { sloUrl: 'http://idp.example/slo' },
    error: { reason: 'connection_url_insecure', detail: { member: 'sloUrl' } },
  },
  {
    when: 'sloResponseUrl is http',
    more: { sloUrl: 'https://idp.example/slo', sloResponseUrl: 'http://idp.example/slo' },
    error: { reason: 'connection_url_insecure', detail: { member: 'sloResponseUrl' } },
  },
  {
    when: 'sloResponseUrl stands alone',
    more: { sloResponseUrl: 'https://idp.example/slo' },
    error: { reason: 'connection_configuration_invalid', detail: { member: 'sloResponseUrl' } },
  },
  {
    when: 'sloBinding is unknown',
    more: { sloBinding: 'soap' },
    error: { reason: 'connection_configuration_invalid', detail: { member: 'sloBinding' } },
  },
])('a connection is refused when $when', ({ more, error }) => {
  expect(
    parseConnection('saml', { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [certificate], ...more }),
  ).toMatchObject({
    ok: false,
    error,
  })
})
