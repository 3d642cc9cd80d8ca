/** Assertions as libraries of others encrypt them: every pair of algorithms, and IdPs that have loaded our metadata. */
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { beforeAll, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { samlConnector } from './connector.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from './fixtures/a-saml-response.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { xenc } from './fixtures/an-encrypted-assertion.js'
import type { ServiceProvider, ServiceProviderKey } from './service-provider.js'
import { buildSpMetadata } from './sp-metadata.js'
import { verifySamlResponse } from './verify-response.js'

const idp = aFixtureKey()
const load = createRequire(import.meta.url)
const { acsUrl, idpEntityId, requestId, now } = fixtureParties
let ours: ServiceProvider & { readonly active: ServiceProviderKey }
beforeAll(async () => {
  ours = await aServiceProvider()
}, 30_000)

function connectionWith(more: Record<string, unknown> = {}): SamlConnection {
  const bare = { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates: [idp.certificate] }
  const parsed = parseConnection('saml', { ...bare, encryption: 'required', contentEncryption: 'gcm-or-cbc', ...more })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value as SamlConnection
}

/** Who is believed to have signed in, or why nobody is. `assertions` stands in an unsigned response unless it is one itself. */
function told(assertions: string): string {
  const xml = assertions.startsWith('<samlp:Response') ? assertions : responseXml({ assertions })
  const expected = { connectionId: 'c1' as ConnectionId, connection: connectionWith(), acsUrl, expectedRequestId: requestId, now }
  const verdict = verifySamlResponse(encodeMessage(xml), { ...expected, serviceProvider: ours })
  return verdict.ok ? (verdict.value.nameId?.value ?? 'nobody') : verdict.error.reason
}

const signedAssertion = () => signXml(assertionXml(), '_assertion1', idp)

type XmlEncryption = { encrypt(text: string, options: object, done: (error: Error | null, xml: string) => void): void }
const library = load('xml-encryption') as XmlEncryption
const withLibrary = (content: string, transport: string, digest: string, mask: string | undefined): Promise<string> =>
  new Promise((done, fail) =>
    library.encrypt(
      signedAssertion(),
      {
        rsa_pub: publicPem(),
        pem: ours.active.certificate,
        encryptionAlgorithm: content,
        keyEncryptionAlgorithm: transport,
        keyEncryptionDigest: digest,
        ...(mask !== undefined && { keyEncryptionMgf: mask }),
        disallowEncryptionWithInsecureAlgorithm: false,
        warnInsecureAlgorithm: false,
      },
      (error, xml) => (error ? fail(error) : done(xml)),
    ),
  )

const contents = [xenc.aes128Gcm, xenc.aes256Gcm, xenc.aes128Cbc, xenc.aes256Cbc]
const wraps = [
  { transport: xenc.oaepMgf1p, digest: 'sha1', mask: undefined },
  { transport: xenc.oaepMgf1p, digest: 'sha256', mask: undefined },
  { transport: xenc.oaep11, digest: 'sha256', mask: 'sha256' },
  { transport: xenc.oaep11, digest: 'sha256', mask: 'sha1' },
  { transport: xenc.oaep11, digest: 'sha1', mask: 'sha256' },
]
const pairs = contents.flatMap((content) => wraps.map((wrap) => ({ content, ...wrap })))
test.each(pairs)('xml-encryption: $content, $transport with $digest and mask $mask', async ({ content, transport, digest, mask }) => {
  const encrypted = `<saml:EncryptedAssertion>${await withLibrary(content, transport, digest, mask)}</saml:EncryptedAssertion>`
  expect(told(encrypted)).toBe('ada@acme.example')
})

const withXmlsec = hasTool('xmlsec1') ? test : test.skip // npm brings no xmlsec1; .ci/run installs and requires it
const xmlsecPairs = [
  { content: xenc.aes128Cbc, key: 'aes-128', transport: xenc.oaepMgf1p, digest: undefined },
  { content: xenc.aes256Cbc, key: 'aes-256', transport: xenc.oaepMgf1p, digest: xenc.sha1 },
  { content: xenc.aes128Gcm, key: 'aes-128', transport: xenc.oaepMgf1p, digest: undefined },
  { content: xenc.aes256Gcm, key: 'aes-256', transport: xenc.oaepMgf1p, digest: undefined },
]
withXmlsec.each(xmlsecPairs)('xmlsec1: $content, $transport with $digest', ({ content, key, transport, digest }) => {
  expect(told(askXmlsec(content, key, transport, digest))).toBe('ada@acme.example')
})

const publicPem = () => new X509Certificate(ours.active.certificate).publicKey.export({ format: 'pem', type: 'spki' }).toString()

function askXmlsec(content: string, sessionKey: string, transport: string, digest: string | undefined): string {
  const folder = mkdtempSync(join(tmpdir(), 'open-encrypted-'))
  const path = (name: string) => join(folder, name)
  const method = digest === undefined ? '' : `<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="${digest}"/>`
  const template = `<EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><EncryptionMethod Algorithm="${content}"/><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><EncryptedKey xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="${transport}">${method}</EncryptionMethod><CipherData><CipherValue/></CipherData></EncryptedKey></KeyInfo><CipherData><CipherValue/></CipherData></EncryptedData>`
  writeFileSync(path('template.xml'), template)
  writeFileSync(path('key.pem'), publicPem())
  writeFileSync(
    path('message.xml'),
    `<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">${signedAssertion()}</saml:EncryptedAssertion>`,
  )
  const given = ['--encrypt', '--pubkey-pem', path('key.pem'), '--session-key', sessionKey, '--xml-data', path('message.xml')]
  const node = ['--node-xpath', "/*/*[local-name()='Assertion']", '--output', path('out.xml'), path('template.xml')]
  const ran = spawnSync('xmlsec1', [...given, ...node], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(ran.stderr)
  return readFileSync(path('out.xml'), 'utf8').replace(/<\?xml[^>]*>\s*/, '')
}

type Entity = { readonly entityMeta: unknown }
type Samlify = {
  readonly SamlLib: { encryptAssertion(idp: Entity, sp: Entity, xml: string): Promise<string> }
  IdentityProvider(settings: Record<string, unknown>): Entity
  ServiceProvider(settings: { metadata: string }): Entity
}

test.each([xenc.aes256Gcm, xenc.aes256Cbc])('samlify, with the certificate out of our metadata: %s', async (dataEncryptionAlgorithm) => {
  const samlify = load('samlify') as Samlify
  // This library knows one certificate to encrypt to.
  const metadata = buildSpMetadata({ connection: connectionWith(), acsUrl, serviceProvider: { published: [ours.active] } })
  const theirs = samlify.IdentityProvider({
    entityID: idpEntityId,
    singleSignOnService: [{ Binding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST', Location: 'x' }],
    singleLogoutService: [{ Binding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST', Location: 'x' }],
    isAssertionEncrypted: true,
    dataEncryptionAlgorithm,
    keyEncryptionAlgorithm: xenc.oaepMgf1p,
  })
  const response = responseXml({ assertions: signedAssertion() })
  const encrypted = await samlify.SamlLib.encryptAssertion(theirs, samlify.ServiceProvider({ metadata }), response)
  const xml = Buffer.from(encrypted, 'base64').toString('utf8')
  expect(xml).not.toContain('NameID')
  expect(told(xml)).toBe('ada@acme.example')
  expect(told(signXml(xml, '_response1', idp))).toBe('ada@acme.example')
})

type Samlp = { auth(options: Record<string, unknown>): (request: object, response: unknown, next: (error: unknown) => void) => void }

test('samlp, asked by our signed request, answers with an assertion that nobody else can read', async () => {
  const connection = connectionWith({ signRequests: true, contentEncryption: 'gcm' })
  const connector = samlConnector({ random: systemRandom(), serviceProvider: ours }, 'c1' as ConnectionId, connection)
  const asked = { loginRequestId: 'l1', callbackUrl: acsUrl, relayState: 'handle', stepUpAcr: undefined, forceAuthn: false }
  const started = await connector.start({ ...asked, now: instant(Date.now()) })
  if (!started.ok || started.value.answer.kind !== 'redirect') throw new Error('no redirect')
  const { url } = started.value.answer
  const user = { id: 'ada', emails: [{ value: 'ada@acme.example' }], displayName: 'Ada', name: { givenName: 'Ada', familyName: 'L' } }
  const response = await new Promise<Buffer>((responseHandler, fail) =>
    (load('samlp') as Samlp).auth({
      issuer: idpEntityId,
      cert: idp.certificate,
      key: idp.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      destination: acsUrl,
      recipient: acsUrl,
      getPostURL: (_audience: string, _request: unknown, _http: unknown, found: (error: unknown, url: string) => void) =>
        found(null, acsUrl),
      encryptionPublicKey: publicPem(),
      encryptionCert: ours.active.certificate,
      responseHandler,
    })({ method: 'GET', url, query: Object.fromEntries(new URL(url).searchParams), user }, {}, fail),
  )
  expect(response.toString('utf8')).not.toContain('NameID')
  const message = { binding: 'post' as const, parameters: new Map([['SAMLResponse', response.toString('base64')]]) }
  const { upstreamId, state } = started.value
  expect(await connector.finish(message, { upstreamId, state, callbackUrl: acsUrl, now: instant(Date.now()) })).toMatchObject({
    ok: true,
    value: { nameId: { value: 'ada' } },
  })
})
