/** Our signed requests, judged by those who receive them: an IdP library from npm, and xmlsec1. */
import { spawnSync } from 'node:child_process'
import { createVerify, X509Certificate } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import type { StartedLogin } from '../connector.js'
import { samlConnector } from './connector.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { noServiceProvider, type ServiceProvider, type ServiceProviderKey } from './service-provider.js'
import { buildSpMetadata } from './sp-metadata.js'

const idp = aFixtureKey()
const acsUrl = 'https://broker.example/t/acme/saml/c1/acs'
let ours: ServiceProvider & { readonly active: ServiceProviderKey }
beforeAll(async () => {
  ours = await aServiceProvider()
}, 30_000)

function connectionWith(more: Record<string, unknown>): SamlConnection {
  const bare = { idpEntityId: 'urn:acme.idp', ssoUrl: 'https://idp.acme.example/sso?idpid=C%201', certificates: [idp.certificate] }
  const parsed = parseConnection('saml', { ...bare, signRequests: true, ...more })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value as SamlConnection
}

const start = (connection: SamlConnection, serviceProvider: ServiceProvider = ours) =>
  samlConnector({ random: systemRandom(), serviceProvider }, 'c1' as ConnectionId, connection).start({
    loginRequestId: 'l1',
    callbackUrl: acsUrl,
    relayState: '0b6b1c1e-8a54-4b6e-9d0e-4c8a3d9b7f11',
    stepUpAcr: undefined,
    forceAuthn: false,
    loginHint: 'ada+1@acme.example',
    now: instant(Date.now()),
  })

async function startedWith(more: Record<string, unknown>): Promise<StartedLogin> {
  const started = await start(connectionWith(more))
  if (!started.ok) throw new Error(started.error.reason)
  return started.value
}
const urlOf = ({ answer }: StartedLogin): string => {
  if (answer.kind !== 'redirect') throw new Error('no redirect')
  return answer.url
}
const formOf = ({ answer }: StartedLogin): Readonly<Record<string, string>> => {
  if (answer.kind !== 'form') throw new Error('no form')
  return answer.fields
}

type ParsedRequest = { readonly extract: { readonly request: { readonly id: string } } }
type Samlify = {
  setSchemaValidator(validator: { validate: (xml: string) => Promise<string> }): void
  IdentityProvider(settings: Record<string, unknown>): {
    parseLoginRequest(party: unknown, binding: string, request: Record<string, unknown>): Promise<ParsedRequest>
  }
  ServiceProvider(settings: { metadata: string }): unknown
}
const samlify = createRequire(import.meta.url)('samlify') as Samlify
samlify.setSchemaValidator({ validate: async () => 'not asked: ours is the writer' })

/** An IdP that has imported our metadata and demands our signature. */
function askSamlify(connection: SamlConnection, serviceProvider: ServiceProvider, binding: string, request: Record<string, unknown>) {
  const metadata = buildSpMetadata({ connection, acsUrl, serviceProvider })
  const theirs = samlify.IdentityProvider({
    entityID: 'urn:acme.idp',
    wantAuthnRequestsSigned: true,
    signingCert: idp.certificate,
    singleLogoutService: [{ Binding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', Location: 'x' }],
    singleSignOnService: [
      { Binding: `urn:oasis:names:tc:SAML:2.0:bindings:HTTP-${binding === 'post' ? 'POST' : 'Redirect'}`, Location: 'x' },
    ],
  })
  return theirs.parseLoginRequest(samlify.ServiceProvider({ metadata }), binding, request)
}

describe('over Redirect', () => {
  test.each(['rsa-sha256', 'rsa-sha512'])('%s covers the octets of the query as they are sent', async (requestSignature) => {
    const url = urlOf(await startedWith({ requestSignature, requestParameters: { tenant: 'a b' }, loginHintParameter: 'login_hint' }))
    expect(url).toMatch(/^https:\/\/idp\.acme\.example\/sso\?idpid=C%201&tenant=a%20b&login_hint=ada%2B1%40acme\.example&SAMLRequest=/)
    const [, signed = '', signature = ''] = /(SAMLRequest=.*)&Signature=([^&]+)$/.exec(url) ?? []
    expect(signed).toMatch(/^SAMLRequest=[^&]+&RelayState=[^&]+&SigAlg=[^&]+$/)
    const verifier = createVerify(requestSignature.slice(4)).update(signed)
    const key = new X509Certificate(ours.active.certificate).publicKey
    expect(verifier.verify(key, decodeURIComponent(signature), 'base64')).toBe(true)
  })

  test('an IdP library verifies it with the certificate of our metadata, and refuses one octet changed', async () => {
    const started = await startedWith({})
    const url = new URL(urlOf(started))
    const query = Object.fromEntries(url.searchParams)
    const octetString = /SAMLRequest=.*(?=&Signature=)/.exec(url.search)?.[0] ?? ''
    // Over Redirect this library knows one certificate of a party only; over POST it tries all.
    const oneKey = { ...ours, published: [ours.active] }
    const verified = await askSamlify(connectionWith({}), oneKey, 'redirect', { query, octetString })
    expect(verified.extract.request.id).toBe(started.upstreamId)
    const changed = { query, octetString: octetString.replace('RelayState=0', 'RelayState=1') }
    await expect(askSamlify(connectionWith({}), oneKey, 'redirect', changed)).rejects.toThrow()
  })
})

describe('over POST', () => {
  const withXmlsec = hasTool('xmlsec1') ? test : test.skip // npm brings no xmlsec1; .ci/run installs and requires it
  withXmlsec.each(['rsa-sha256', 'rsa-sha512'])(
    '%s stands in the message, directly behind the Issuer, and xmlsec1 verifies it',
    async (requestSignature) => {
      const xml = Buffer.from(formOf(await startedWith({ ssoBinding: 'post', requestSignature }))['SAMLRequest'] ?? '', 'base64').toString(
        'utf8',
      )
      expect(xml).toMatch(/<\/saml:Issuer><ds:Signature /)
      expect(askXmlsec(xml)).toBe(0)
      expect(askXmlsec(xml.replace('/acs"', '/act"'))).not.toBe(0)
    },
  )

  test('an IdP library verifies it with the certificate of our metadata, and refuses one letter changed', async () => {
    const started = await startedWith({ ssoBinding: 'post' })
    const connection = connectionWith({ ssoBinding: 'post' })
    const verified = await askSamlify(connection, ours, 'post', { body: formOf(started) })
    expect(verified.extract.request.id).toBe(started.upstreamId)
    const xml = Buffer.from(formOf(started)['SAMLRequest'] ?? '', 'base64').toString('utf8')
    const SAMLRequest = Buffer.from(xml.replace('/acs"', '/act"'), 'utf8').toString('base64')
    await expect(askSamlify(connection, ours, 'post', { body: { SAMLRequest } })).rejects.toThrow()
  })

  test('a key is known from our metadata before it signs, and still when the next one does', async () => {
    const next = ours.published[1] as ServiceProviderKey
    const started = await start(connectionWith({ ssoBinding: 'post' }), { ...ours, active: next })
    if (!started.ok) throw new Error(started.error.reason)
    const body = formOf(started.value)
    const verified = await askSamlify(connectionWith({ ssoBinding: 'post' }), ours, 'post', { body })
    expect(verified.extract.request.id).toBe(started.value.upstreamId)
    const withoutIt = { ...ours, published: [ours.active] }
    await expect(askSamlify(connectionWith({ ssoBinding: 'post' }), withoutIt, 'post', { body })).rejects.toThrow()
  })

  test('what is added to the query is in the address of the form', async () => {
    const { answer } = await startedWith({ ssoBinding: 'post', requestParameters: { whr: 'acme' } })
    expect(answer).toMatchObject({ action: 'https://idp.acme.example/sso?idpid=C%201&whr=acme' })
  })
})

test('a connection that signs asks nobody anything without a key', async () => {
  expect(await start(connectionWith({}), noServiceProvider)).toEqual({ ok: false, error: { reason: 'sp_key_missing' } })
})

test('nothing is signed, compared or added unless it was configured', async () => {
  const url = urlOf(await startedWith({ signRequests: false }))
  expect([...new URL(url).searchParams.keys()]).toEqual(['idpid', 'SAMLRequest', 'RelayState'])
})

test.each(['SAMLRequest', 'samlresponse', 'RelayState', 'SigAlg', 'Signature', 'SAMLEncoding'])(
  'a parameter of the protocol cannot be added: %s',
  (name) => {
    expect(parseConnection('saml', { ...connectionWith({}), requestParameters: { [name]: 'x' } }).ok).toBe(false)
    const bare = { idpEntityId: 'urn:i', ssoUrl: 'https://idp.example/sso', certificates: [idp.certificate] }
    expect(parseConnection('saml', { ...bare, requestParameters: { [name]: 'x' } })).toMatchObject({
      ok: false,
      error: { reason: 'connection_configuration_invalid', detail: { member: `requestParameters.${name}` } },
    })
  },
)

/** The exit code of `xmlsec1 --verify` with our certificate as the only trusted key. */
function askXmlsec(xml: string): number | null {
  const folder = mkdtempSync(join(tmpdir(), 'sign-request-'))
  const [message, certificate] = [join(folder, 'message.xml'), join(folder, 'certificate.pem')]
  writeFileSync(message, xml)
  writeFileSync(certificate, ours.active.certificate)
  const id = ['--id-attr:ID', 'urn:oasis:names:tc:SAML:2.0:protocol:AuthnRequest']
  return spawnSync('xmlsec1', ['--verify', '--enabled-key-data', 'key-name,x509', '--pubkey-cert-pem', certificate, ...id, message]).status
}
