import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addSeconds } from '@drawbridge/core/instant'
import type { Result } from '@drawbridge/core/result'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { type UpstreamRefusal, upstreamErrors } from '../error.js'
import { skewLimits } from './configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import {
  fixtureTime,
  logoutNameId,
  logoutParties,
  logoutRequestXml,
  logoutResponseXml,
  redirectPieces,
  redirectQuery,
  statusXml,
} from './fixtures/a-logout-message.js'
import { algorithms, assertionXml, fixtureParties, responseXml, signXml } from './fixtures/a-saml-response.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { encryptAssertion } from './fixtures/an-encrypted-assertion.js'
import { type Arrival, goodLogouts, logoutAttacks } from './fixtures/logout-cases.js'
import { noServiceProvider, type ServiceProvider } from './service-provider.js'
import { signatureReaderNames } from './signature-reader-name.js'
import { type ExpectedLogoutMessage, type ReceivedLogout, type SamlLogoutMessage, verifyLogout } from './verify-logout.js'
import { verifyRedirectedResponse } from './verify-response.js'

const folder = join(dirname(fileURLToPath(import.meta.url)), 'fixtures')
const certificatesOfFixtures = ['logout-rsa.pem', 'logout-ec.pem'].map((name) => readFileSync(join(folder, name), 'utf8'))

function connectionWith(certificates: readonly string[], more: Record<string, unknown> = {}): SamlConnection {
  const { idpEntityId } = fixtureParties
  const { sloIssuer } = logoutParties
  const parsed = parseConnection('saml', { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', sloIssuer, certificates, ...more })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value as SamlConnection
}

const expectingOf = (connection: SamlConnection, serviceProvider: ServiceProvider = noServiceProvider): ExpectedLogoutMessage => ({
  connection,
  destination: logoutParties.sloUrl,
  serviceProvider,
  now: fixtureParties.now,
})

/** As the broker hands on what arrived in this way. */
function judge(arrival: Arrival, text: string, expected: ExpectedLogoutMessage): Result<unknown, UpstreamRefusal> {
  if (arrival === 'query') return verifyLogout({ binding: 'redirect', query: text }, expected)
  if (arrival === 'form') return verifyLogout({ binding: 'post', form: Object.fromEntries(new URLSearchParams(text)) }, expected)
  if (arrival === 'soap') return verifyLogout({ binding: 'soap', body: text }, { ...expected, destination: logoutParties.soapUrl })
  const { acsUrl, requestId, now } = fixtureParties
  const { connection } = expected
  return verifyRedirectedResponse(text, { connectionId: 'c1' as ConnectionId, connection, acsUrl, expectedRequestId: requestId, now })
}

const filesIn = (kind: string) => readdirSync(join(folder, kind)).filter((name) => !name.endsWith('.reason'))
const arrivalOf = (file: string) => file.slice(file.indexOf('.') + 1) as Arrival
const textOf = (kind: string, file: string) => readFileSync(join(folder, kind, file), 'utf8')
const reasonOf = (file: string) => textOf('logout-attacks', file.replace(/\..*$/, '.reason')).trim()

const redirected = (query: string, expected: ExpectedLogoutMessage) => verifyLogout({ binding: 'redirect', query }, expected)

describe.each(signatureReaderNames)('read by %s', (signatureReader) => {
  const expected = expectingOf(connectionWith(certificatesOfFixtures, { signatureReader }))
  const ada = {
    value: 'ada@acme.example',
    format: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
    nameQualifier: undefined,
    spNameQualifier: undefined,
  }

  test.each(filesIn('good-logout').filter((file) => file.startsWith('request')))('%s ends the session of ada', (file) => {
    expect(judge(arrivalOf(file), textOf('good-logout', file), expected)).toMatchObject({
      ok: true,
      value: { kind: 'request', id: '_logout1', nameId: ada, sessionIndexes: ['_s1'] },
    })
  })

  test.each([
    { file: 'request-relay-state.query', relayState: 'a b/c?d=e&f+g' },
    { file: 'request-relay-state-empty.query', relayState: '' },
    { file: 'request-lower-case-hex.query', relayState: 'https://idp.acme.example/ü' },
    { file: 'request-in-another-order.query', relayState: 'back to where we were' },
    { file: 'request-relay-state.form', relayState: 'a b' },
    { file: 'request.query', relayState: undefined },
  ])('RelayState of $file comes out as it went in', ({ file, relayState }) => {
    expect(judge(arrivalOf(file), textOf('good-logout', file), expected)).toMatchObject({ ok: true, value: { relayState } })
  })

  test.each(['response.query', 'response.form'])('%s tells that our request was answered', (file) => {
    expect(judge(arrivalOf(file), textOf('good-logout', file), expected)).toMatchObject({
      ok: true,
      value: { kind: 'response', inResponseTo: fixtureParties.requestId, outcome: 'complete' },
    })
  })

  test.each(filesIn('good-logout').filter((file) => arrivalOf(file) === 'acs.query'))('%s names ada, who signed in', (file) => {
    expect(judge('acs.query', textOf('good-logout', file), expected)).toMatchObject({
      ok: true,
      value: { nameId: { value: 'ada@acme.example' }, assertionId: '_assertion1', sessionIndex: '_s1' },
    })
  })

  test.each(filesIn('logout-attacks'))('attack %s is refused for the reason beside it', (file) => {
    const reason = reasonOf(file)
    expect(reason in upstreamErrors).toBe(true)
    expect(judge(arrivalOf(file), textOf('logout-attacks', file), expected)).toMatchObject({ ok: false, error: { reason } })
  })
})

test('the files are those that the generator builds', () => {
  const keys = { rsa: aFixtureKey(), ec: aFixtureKey({ type: 'ec' }), foreign: aFixtureKey() }
  const named = (cases: readonly { readonly name: string; readonly arrival: Arrival }[]) =>
    cases.map(({ name, arrival }) => `${name}.${arrival}`).sort()
  expect(filesIn('good-logout').sort()).toEqual(named(goodLogouts(keys)))
  expect(filesIn('logout-attacks').sort()).toEqual(named(logoutAttacks(keys)))
})

describe('what a LogoutRequest says', () => {
  const key = aFixtureKey()
  const expected = expectingOf(connectionWith([key.certificate]))
  const told = (parts: Parameters<typeof logoutRequestXml>[0], more: Partial<ExpectedLogoutMessage> = {}) =>
    redirected(redirectQuery(logoutRequestXml(parts), key), { ...expected, ...more })

  test('the NameID comes out with every attribute that it has', () => {
    const nameId =
      '<saml:NameID NameQualifier="https://idp" SPNameQualifier="https://sp" Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">x&amp;y</saml:NameID>'
    expect(told({ nameId })).toMatchObject({
      ok: true,
      value: {
        nameId: {
          value: 'x&y',
          format: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
          nameQualifier: 'https://idp',
          spNameQualifier: 'https://sp',
        },
      },
    })
  })

  test('without SessionIndex it means every session; several are told in their order', () => {
    expect(told({ sessions: '' })).toMatchObject({ ok: true, value: { sessionIndexes: [] } })
    const sessions = '<samlp:SessionIndex>a</samlp:SessionIndex><samlp:SessionIndex>b</samlp:SessionIndex>'
    expect(told({ sessions })).toMatchObject({ ok: true, value: { sessionIndexes: ['a', 'b'] } })
  })

  test('its id must be remembered until it is refused for its age alone, however far an admin lets clocks differ meanwhile', () => {
    const verdict = told({}, { connection: { ...expected.connection, clockSkewSeconds: 0 } })
    if (!verdict.ok) throw new Error(verdict.error.reason)
    const { replayableUntil } = verdict.value
    const endless = { attributes: { NotOnOrAfter: undefined } }
    const widest = { ...expected.connection, clockSkewSeconds: skewLimits.mostSeconds }
    expect(told(endless, { connection: widest, now: addSeconds(replayableUntil, -1) })).toMatchObject({ ok: true })
    expect(told(endless, { connection: widest, now: replayableUntil })).toMatchObject({ ok: false, error: { reason: 'saml_too_old' } })
  })

  test('NotOnOrAfter may lie as far in the past as clocks may differ, and no further', () => {
    expect(told({ attributes: { NotOnOrAfter: fixtureTime(-179) } })).toMatchObject({ ok: true })
    expect(told({ attributes: { NotOnOrAfter: fixtureTime(-180) } })).toMatchObject({ ok: false, error: { reason: 'saml_logout_expired' } })
  })

  test('the name that an IdP uses for logout alone is believed only where the connection says so', () => {
    const query = redirectQuery(logoutRequestXml({ issuer: `<saml:Issuer>${logoutParties.sloIssuer}</saml:Issuer>` }), key)
    expect(redirected(query, expected)).toMatchObject({ ok: true })
    const bare = expectingOf(connectionWith([key.certificate], { sloIssuer: undefined }))
    expect(redirected(query, bare)).toMatchObject({ ok: false, error: { reason: 'saml_logout_issuer_wrong' } })
  })

  test('SHA-1 is believed while an admin’s exception lasts', () => {
    const query = redirectQuery(logoutRequestXml(), key, { algorithm: algorithms.rsaSha1, hash: 'sha1' })
    const until = (sha1Until: typeof expected.now) =>
      redirected(query, { ...expected, serviceProvider: { ...noServiceProvider, sha1Until } })
    expect(until(addSeconds(expected.now, 1))).toMatchObject({ ok: true })
    expect(until(expected.now)).toMatchObject({ ok: false, error: { reason: 'saml_algorithm_sha1' } })
  })

  test('the old and the new certificate are trusted together', () => {
    const both = expectingOf(connectionWith([aFixtureKey().certificate, aFixtureKey({ type: 'ec' }).certificate, key.certificate]))
    expect(redirected(redirectQuery(logoutRequestXml(), key), both)).toMatchObject({ ok: true })
  })
})

describe('what a LogoutResponse says', () => {
  const key = aFixtureKey()
  const expected = expectingOf(connectionWith([key.certificate]))
  test.each([
    { status: statusXml('Success'), outcome: 'complete' },
    { status: statusXml('Success', 'PartialLogout'), outcome: 'partial' },
    { status: statusXml('Responder', 'PartialLogout'), outcome: 'partial' },
    { status: statusXml('Requester'), outcome: 'failed' },
    { status: statusXml('Responder', 'RequestDenied'), outcome: 'failed' },
    { status: '<samlp:Status/>', outcome: 'failed' },
  ])('$status means $outcome', ({ status, outcome }) => {
    const query = redirectQuery(logoutResponseXml({ status }), key, { carries: 'SAMLResponse' })
    expect(redirected(query, expected)).toMatchObject({ ok: true, value: { kind: 'response', outcome } })
  })
})

describe('an encrypted NameID', () => {
  const key = aFixtureKey()
  let serviceProvider: ServiceProvider
  beforeAll(async () => {
    serviceProvider = await aServiceProvider()
  })
  const ourCertificate = () => serviceProvider.published[0]?.certificate ?? ''
  const encrypted = (text: string) =>
    redirectQuery(
      logoutRequestXml({
        nameId: encryptAssertion(text, { certificate: ourCertificate() }).replaceAll('EncryptedAssertion', 'EncryptedID'),
      }),
      key,
    )
  const inside = logoutNameId.replace('<saml:NameID', '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"')
  const accepting = (given = serviceProvider) => expectingOf(connectionWith([key.certificate], { encryption: 'accepted' }), given)

  test('is opened with our key where the connection accepts encryption', () => {
    expect(redirected(encrypted(inside), accepting())).toMatchObject({ ok: true, value: { nameId: { value: 'ada@acme.example' } } })
  })

  test.each([
    { when: 'it holds something else', text: '<x/>', reason: 'saml_encryption_shape_invalid' },
    {
      when: 'it holds an empty name',
      text: '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>',
      reason: 'saml_name_id_missing',
    },
    { when: 'it holds a comment', text: inside.replace('@acme', '<!-- -->@acme'), reason: 'saml_comment' },
    { when: 'it holds no XML', text: '<a', reason: 'saml_decryption_failed' },
  ])('is refused when $when', ({ text, reason }) => {
    expect(redirected(encrypted(text), accepting())).toMatchObject({ ok: false, error: { reason } })
  })

  test('is refused by name without encryption, without a key, and with another key', async () => {
    const bare = expectingOf(connectionWith([key.certificate]), serviceProvider)
    expect(redirected(encrypted(inside), bare)).toMatchObject({ ok: false, error: { reason: 'saml_name_id_encrypted' } })
    expect(redirected(encrypted(inside), accepting(noServiceProvider))).toMatchObject({ ok: false, error: { reason: 'sp_key_missing' } })
    expect(redirected(encrypted(inside), accepting(await aServiceProvider()))).toMatchObject({
      ok: false,
      error: { reason: 'saml_decryption_failed' },
    })
  })
})

describe('whatever arrives', () => {
  const key = aFixtureKey()
  const expected = expectingOf(connectionWith([key.certificate]))
  const xml = logoutRequestXml()
  const { signed, signature } = redirectPieces(xml, key, { relayState: 'home+1' })
  const query = `${signed}&${signature}`
  const posted = signXml(xml, '_logout1', key)
  const form = (text: string): ReceivedLogout => ({ binding: 'post', form: { SAMLRequest: Buffer.from(text).toString('base64') } })
  const believed = (verdict: Result<SamlLogoutMessage, UpstreamRefusal>) =>
    verdict.ok && verdict.value.kind === 'request'
      ? [verdict.value.id, verdict.value.nameId.value, verdict.value.sessionIndexes.join()]
      : undefined
  const flip = (text: string, at: number, bit: number) =>
    text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << bit)) + text.slice(at + 1)

  test('a flipped bit in what the query signs is refused', () => {
    fc.assert(
      fc.property(fc.nat(signed.length - 1), fc.nat(6), (at, bit) => !redirected(`${flip(signed, at, bit)}&${signature}`, expected).ok),
      { numRuns: 500 },
    )
  })

  test('a flipped bit of the signature’s own octets is refused', () => {
    const octets = Buffer.from(decodeURIComponent(signature.slice('Signature='.length)), 'base64')
    fc.assert(
      fc.property(fc.nat(octets.length - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(octets)
        changed[at] = (changed[at] as number) ^ (1 << bit)
        return !redirected(`${signed}&Signature=${encodeURIComponent(changed.toString('base64'))}`, expected).ok
      }),
      { numRuns: 200 },
    )
  })

  test('a flipped bit anywhere else says the same or is refused, by POST too', () => {
    const said = ['_logout1', 'ada@acme.example', '_s1']
    fc.assert(
      fc.property(fc.nat(), fc.nat(6), fc.constantFrom('query', 'form'), (at, bit, way) => {
        const verdict =
          way === 'query'
            ? redirected(flip(query, at % query.length, bit), expected)
            : verifyLogout(form(flip(posted, at % posted.length, bit)), expected)
        expect([undefined, ...[said]]).toContainEqual(believed(verdict))
      }),
      { numRuns: 500 },
    )
  })

  test('arbitrary text is refused by value, and twice for one reason', () => {
    const received = fc.oneof(
      fc.string().map((text): ReceivedLogout => ({ binding: 'redirect', query: text })),
      fc.string().map((text): ReceivedLogout => ({ binding: 'redirect', query: `SAMLRequest=${text}&SigAlg=${text}&Signature=${text}` })),
      fc.string().map(form),
      fc.string().map((body): ReceivedLogout => ({ binding: 'soap', body })),
      fc.string().map(
        (text): ReceivedLogout => ({
          binding: 'soap',
          body: `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>${text}</S:Body></S:Envelope>`,
        }),
      ),
    )
    fc.assert(
      fc.property(received, (message) => {
        const verdict = verifyLogout(message, expected)
        expect(verdict).toMatchObject({ ok: false })
        expect(verifyLogout(message, expected)).toEqual(verdict)
      }),
      { numRuns: 400 },
    )
  })
})

test('a login by redirect may be encrypted: the query vouches for the cipher text, and a stranger’s for nothing', async () => {
  const key = aFixtureKey()
  const serviceProvider = await aServiceProvider()
  const connection = connectionWith([key.certificate], { encryption: 'required' })
  const assertions = encryptAssertion(assertionXml(), { certificate: serviceProvider.active.certificate })
  const { acsUrl, requestId: expectedRequestId, now } = fixtureParties
  const expected = { connectionId: 'c1' as ConnectionId, connection, acsUrl, expectedRequestId, now, serviceProvider }
  const by = (signer: typeof key) => redirectQuery(responseXml({ assertions }), signer, { carries: 'SAMLResponse' })
  expect(verifyRedirectedResponse(by(key), expected)).toMatchObject({ ok: true, value: { nameId: { value: 'ada@acme.example' } } })
  expect(verifyRedirectedResponse(by(aFixtureKey()), expected)).toMatchObject({ ok: false, error: { reason: 'saml_signature_invalid' } })
})

test('a login by redirect is believed only while its own rules hold', () => {
  const key = aFixtureKey()
  const connection = connectionWith([key.certificate])
  const query = redirectQuery(responseXml(), key, { carries: 'SAMLResponse' })
  const { acsUrl, requestId, now } = fixtureParties
  const expected = { connectionId: 'c1' as ConnectionId, connection, acsUrl, expectedRequestId: requestId, now }
  expect(verifyRedirectedResponse(query, expected)).toMatchObject({ ok: true })
  expect(verifyRedirectedResponse(query, { ...expected, expectedRequestId: '_other' })).toMatchObject({
    ok: false,
    error: { reason: 'saml_in_response_to_wrong' },
  })
  expect(verifyRedirectedResponse(query, { ...expected, now: addSeconds(now, 480) })).toMatchObject({
    ok: false,
    error: { reason: 'saml_confirmation_expired' },
  })
})

test('a login by redirect with a flipped bit names the same person or is refused, and twice for one reason', () => {
  const key = aFixtureKey()
  const query = redirectQuery(responseXml(), key, { carries: 'SAMLResponse' })
  const signedUntil = query.indexOf('&Signature=')
  const { acsUrl, requestId: expectedRequestId, now } = fixtureParties
  const expected = { connectionId: 'c1' as ConnectionId, connection: connectionWith([key.certificate]), acsUrl, expectedRequestId, now }
  const honest = verifyRedirectedResponse(query, expected)
  expect(honest).toMatchObject({ ok: true })
  fc.assert(
    fc.property(fc.nat(query.length - 1), fc.nat(6), (at, bit) => {
      const changed = query.slice(0, at) + String.fromCharCode(query.charCodeAt(at) ^ (1 << bit)) + query.slice(at + 1)
      const verdict = verifyRedirectedResponse(changed, expected)
      expect(verifyRedirectedResponse(changed, expected)).toEqual(verdict)
      if (at < signedUntil || !verdict.ok) expect(verdict).toMatchObject({ ok: false, error: { reason: expect.any(String) } })
      else expect(verdict).toEqual(honest)
    }),
    { numRuns: 400 },
  )
})
