/** How much of one IdP is believed: SHA-1 for a time, a clock that is off, the instant of the sign-in. */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { samlConnector } from './connector.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { algorithms, assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from './fixtures/a-saml-response.js'
import { noServiceProvider } from './service-provider.js'
import { signatureReaderNames } from './signature-reader-name.js'

const key = aFixtureKey()
const { acsUrl, requestId, now, idpEntityId } = fixtureParties
const bare = { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates: [key.certificate] }

type Asked = { readonly more?: Record<string, unknown>; readonly fresh?: boolean; readonly at?: Instant; readonly sha1Until?: Instant }

/** The instant that is believed, or the reason of the refusal. */
async function told(xml: string, { more = {}, fresh = false, at = now, sha1Until }: Asked = {}) {
  const parsed = parseConnection('saml', { ...bare, ...more })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  const serviceProvider = { ...noServiceProvider, sha1Until }
  const connector = samlConnector({ random: systemRandom(), serviceProvider }, 'c1' as ConnectionId, parsed.value as SamlConnection)
  const state = new Secret(JSON.stringify({ requestId, startedAt: addSeconds(now, -30), fresh }))
  const message = { binding: 'post' as const, parameters: new Map([['SAMLResponse', encodeMessage(xml)]]) }
  const verdict = await connector.finish(message, { upstreamId: requestId, state, callbackUrl: acsUrl, now: at })
  if (!verdict.ok) return verdict.error.reason
  return verdict.value.kind === 'saml' ? verdict.value.authnInstant : undefined
}
const signed = (options = {}) => signXml(responseXml(), '_response1', key, options)
const instantOfFixture = addSeconds(now, -20)

describe('SHA-1', () => {
  const tomorrow = addSeconds(now, 86_400)
  const weak = [
    { what: 'signature and digest', options: { signatureAlgorithm: algorithms.rsaSha1, digestAlgorithm: algorithms.sha1 } },
    { what: 'signature alone', options: { signatureAlgorithm: algorithms.rsaSha1 } },
    { what: 'digest alone', options: { digestAlgorithm: algorithms.sha1 } },
  ]
  const cases = signatureReaderNames.flatMap((signatureReader) => weak.map((each) => ({ signatureReader, ...each })))
  test.each(cases)(
    '$what, connection read by $signatureReader: refused by name, believed while an exception lasts',
    async ({ options, signatureReader }) => {
      const more = { signatureReader }
      expect(await told(signed(options), { more })).toBe('saml_algorithm_sha1')
      expect(await told(signed(options), { more, sha1Until: tomorrow })).toBe(instantOfFixture)
      expect(await told(signed(options), { more, sha1Until: addSeconds(now, 1) })).toBe(instantOfFixture)
      expect(await told(signed(options), { more, sha1Until: now })).toBe('saml_algorithm_sha1')
    },
  )

  test('an exception makes nothing else weaker', async () => {
    const stranger = aFixtureKey()
    const foreign = signXml(responseXml(), '_response1', stranger, {
      signatureAlgorithm: algorithms.rsaSha1,
      digestAlgorithm: algorithms.sha1,
    })
    expect(await told(foreign, { sha1Until: tomorrow })).toBe('saml_signature_invalid')
    expect(await told(responseXml(), { sha1Until: tomorrow })).toBe('saml_unsigned')
    const hmac = signed().replaceAll(algorithms.rsaSha256, 'http://www.w3.org/2000/09/xmldsig#hmac-sha1')
    expect(await told(hmac, { sha1Until: tomorrow })).toBe('saml_algorithm_refused')
    const dsa = signed().replaceAll(algorithms.rsaSha256, 'http://www.w3.org/2000/09/xmldsig#dsa-sha1')
    expect(await told(dsa, { sha1Until: tomorrow })).toBe('saml_algorithm_sha1')
    expect(await told(signed(), { sha1Until: tomorrow })).toBe(instantOfFixture)
  })

  test('it cannot be switched on by the configuration', () => {
    expect(parseConnection('saml', { ...bare, sha1Until: '2030-01-01T00:00:00Z' }).ok).toBe(false)
  })
})

describe('a clock that is off', () => {
  test.each([
    { clockSkewSeconds: 0, ahead: 0, verdict: instantOfFixture },
    { clockSkewSeconds: 0, ahead: 11, verdict: 'saml_issue_instant_invalid' },
    { clockSkewSeconds: 60, ahead: 70, verdict: instantOfFixture },
    { clockSkewSeconds: 60, ahead: 71, verdict: 'saml_issue_instant_invalid' },
    { clockSkewSeconds: 300, ahead: 310, verdict: instantOfFixture },
    { clockSkewSeconds: 300, ahead: 311, verdict: 'saml_issue_instant_invalid' },
    { clockSkewSeconds: 0, ahead: -299, verdict: instantOfFixture },
    { clockSkewSeconds: 0, ahead: -300, verdict: 'saml_confirmation_expired' },
    { clockSkewSeconds: 60, ahead: -359, verdict: instantOfFixture },
    { clockSkewSeconds: 60, ahead: -360, verdict: 'saml_confirmation_expired' },
  ])('by $ahead s, where $clockSkewSeconds s are allowed: $verdict', async ({ clockSkewSeconds, ahead, verdict }) => {
    expect(await told(signed(), { more: { clockSkewSeconds }, at: addSeconds(now, -ahead) })).toBe(verdict)
  })

  test.each([-1, 301, 1.5, '60'])('no connection allows %s s', (clockSkewSeconds) => {
    expect(parseConnection('saml', { ...bare, clockSkewSeconds }).ok).toBe(false)
  })
})

describe('the instant of the sign-in', () => {
  const stale = signXml(
    responseXml({
      assertions: assertionXml({ authnStatement: `<saml:AuthnStatement AuthnInstant="${new Date(now - 3600_000).toISOString()}"/>` }),
    }),
    '_response1',
    key,
  )
  test.each([
    { authnInstant: 'trusted', fresh: false, verdict: instantOfFixture },
    { authnInstant: 'trusted', fresh: true, verdict: instantOfFixture },
    { authnInstant: 'when-forced', fresh: false, verdict: undefined },
    { authnInstant: 'when-forced', fresh: true, verdict: instantOfFixture },
    { authnInstant: 'untrusted', fresh: false, verdict: undefined },
    { authnInstant: 'untrusted', fresh: true, verdict: 'saml_authn_not_fresh' },
  ])('$authnInstant, a fresh sign-in demanded: $fresh', async ({ authnInstant, fresh, verdict }) => {
    expect(await told(signed(), { more: { authnInstant }, fresh })).toBe(verdict)
  })

  test('an old one is no fresh sign-in, however far it is trusted', async () => {
    for (const authnInstant of ['trusted', 'when-forced', 'untrusted'])
      expect(await told(stale, { more: { authnInstant }, fresh: true })).toBe('saml_authn_not_fresh')
  })

  test('a connection that always demands a fresh sign-in and believes none cannot be stored', () => {
    expect(parseConnection('saml', { ...bare, forceAuthn: true, authnInstant: 'untrusted' })).toMatchObject({
      ok: false,
      error: { reason: 'connection_configuration_invalid', detail: { member: 'authnInstant' } },
    })
  })
})
