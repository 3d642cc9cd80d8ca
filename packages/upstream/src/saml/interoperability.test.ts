import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml'
import { describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { samlConnector } from './connector.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { fixtureParties } from './fixtures/a-saml-response.js'
import { signatureReaderNames } from './signature-reader-name.js'
import { verifySamlResponse } from './verify-response.js'

type SamlpRequest = { method: string; url: string; query: Record<string, string>; user: unknown; body?: Record<string, string> }
type Samlp = { auth(options: Record<string, unknown>): (request: SamlpRequest, response: unknown, next: (error: unknown) => void) => void }
const samlp = createRequire(import.meta.url)('samlp') as Samlp

const acsUrl = 'https://broker.example/t/acme/saml/c1/acs'
const key = aFixtureKey()

function connectionWith(more: Record<string, unknown> = {}): SamlConnection {
  const parsed = parseConnection('saml', {
    idpEntityId: 'urn:acme.idp',
    ssoUrl: 'https://idp.acme.example/sso?idpid=C1',
    certificates: [key.certificate],
    ...more,
  })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value as SamlConnection
}

/** Lets a real IdP library answer our own AuthnRequest. */
async function answerOf(url: string, options: Record<string, unknown>): Promise<string> {
  const query = Object.fromEntries(new URL(url).searchParams)
  const privateKey = key.privateKey.export({ type: 'pkcs8', format: 'pem' })
  return new Promise((done, fail) => {
    const user = { id: 'ada', emails: [{ value: 'ada@acme.example' }], displayName: 'Ada', name: { givenName: 'Ada', familyName: 'L' } }
    const middleware = samlp.auth({
      issuer: 'urn:acme.idp',
      cert: key.certificate,
      key: privateKey,
      destination: acsUrl,
      recipient: acsUrl,
      getPostURL: (_audience: string, _request: unknown, _http: unknown, found: (error: unknown, url: string) => void) =>
        found(null, acsUrl),
      responseHandler: (response: Buffer) => done(response.toString('base64')),
      ...options,
    })
    middleware({ method: 'GET', url, query, user }, {}, fail)
  })
}

describe.each(signatureReaderNames)('samlp, an IdP library of somebody else, answers our AuthnRequest, read by %s', (signatureReader) => {
  test.each([
    { signs: 'the assertion', options: {} },
    { signs: 'the response', options: { signResponse: true, signAssertion: false } },
    { signs: 'both', options: { signResponse: true } },
  ])('and signs $signs', async ({ options }) => {
    const connector = samlConnector({ random: systemRandom() }, 'c1' as ConnectionId, connectionWith({ signatureReader }))
    const now = instant(Date.now())
    const started = await connector.start({
      loginRequestId: 'l1',
      callbackUrl: acsUrl,
      relayState: 'handle',
      stepUpAcr: undefined,
      forceAuthn: false,
      now,
    })
    if (!started.ok || started.value.answer.kind !== 'redirect') throw new Error('no redirect')
    expect(started.value.upstreamId).toMatch(/^_[0-9a-f]{40}$/)
    const message = { binding: 'post' as const, parameters: new Map([['SAMLResponse', await answerOf(started.value.answer.url, options)]]) }
    const expected = { upstreamId: started.value.upstreamId, state: started.value.state, callbackUrl: acsUrl, now: instant(Date.now()) }
    expect(await connector.finish(message, expected)).toMatchObject({
      ok: true,
      value: { kind: 'saml', nameId: { value: 'ada' }, issuer: 'urn:acme.idp' },
    })
    const later = { ...expected, now: instant(Date.now() + 20 * 60_000) }
    expect(await connector.finish(message, later)).toMatchObject({ ok: false, error: { reason: 'saml_too_old' } })
    expect(await connector.finish(message, { ...expected, upstreamId: '_other' })).toMatchObject({
      ok: false,
      error: { reason: 'login_state_invalid' },
    })
  })

  test('and signs with SHA-1, which is refused by name', async () => {
    const connector = samlConnector({ random: systemRandom() }, 'c1' as ConnectionId, connectionWith({ signatureReader }))
    const started = await connector.start({
      loginRequestId: 'l1',
      callbackUrl: acsUrl,
      relayState: 'h',
      stepUpAcr: undefined,
      forceAuthn: false,
      now: instant(Date.now()),
    })
    if (!started.ok || started.value.answer.kind !== 'redirect') throw new Error('no redirect')
    const response = await answerOf(started.value.answer.url, { signatureAlgorithm: 'rsa-sha1', digestAlgorithm: 'sha1' })
    const expected = { upstreamId: started.value.upstreamId, state: started.value.state, callbackUrl: acsUrl, now: instant(Date.now()) }
    expect(await connector.finish({ binding: 'post', parameters: new Map([['SAMLResponse', response]]) }, expected)).toMatchObject({
      ok: false,
      error: { reason: 'saml_algorithm_sha1' },
    })
  })
})

describe('node-saml as second opinion', () => {
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'fixtures')
  const certificate = readFileSync(join(folder, 'idp-rsa.pem'), 'utf8')
  const saml = new SAML({
    idpCert: certificate,
    issuer: fixtureParties.spEntityId,
    audience: fixtureParties.spEntityId,
    callbackUrl: fixtureParties.acsUrl,
    entryPoint: 'https://idp.acme.example/sso',
    wantAuthnResponseSigned: false,
    wantAssertionsSigned: false,
    acceptedClockSkewMs: -1,
    validateInResponseTo: ValidateInResponseTo.never,
  })
  const connection = connectionWith({ idpEntityId: fixtureParties.idpEntityId, certificates: [certificate] })
  const expected = {
    connectionId: 'c1' as ConnectionId,
    connection,
    acsUrl: fixtureParties.acsUrl,
    expectedRequestId: fixtureParties.requestId,
    now: fixtureParties.now,
  }
  const files = ['good', 'attacks'].flatMap((kind) =>
    readdirSync(join(folder, kind))
      .filter((name) => name.endsWith('.xml'))
      .map((name) => join(folder, kind, name)),
  )
  // ECDSA and SHA-384 are beyond it, a second key was not given to it, and it does not trim.
  const beyond = ['ecdsa-sha512', 'rsa-sha384', 'both-signed-by-two-keys', 'pretty-printed']

  test('every message that we accept is accepted by it too, with the same identity', async () => {
    let agreed = 0
    for (const file of files.filter((name) => !beyond.some((word) => name.includes(word)))) {
      const message = readFileSync(file).toString('base64')
      const ours = verifySamlResponse(message, expected)
      if (!ours.ok) continue
      const theirs = await saml.validatePostResponseAsync({ SAMLResponse: message })
      expect(theirs.profile?.nameID.trim()).toBe(ours.value.nameId?.value)
      agreed += 1
    }
    expect(agreed).toBeGreaterThanOrEqual(10)
  })
})
