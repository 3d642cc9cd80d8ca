/** Our metadata, imported by those who have to read it. */
import { createRequire } from 'node:module'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { attributeOf, childrenNamed, namespaces, readElement, walk } from './element.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import type { ServiceProvider } from './service-provider.js'
import { buildSpMetadata } from './sp-metadata.js'

const acsUrl = 'https://broker.example/t/acme/saml/c1/acs'
const idp = aFixtureKey()
let ours: ServiceProvider
beforeAll(async () => {
  ours = await aServiceProvider()
}, 30_000)

function connectionWith(more: Record<string, unknown>): SamlConnection {
  const bare = { idpEntityId: 'urn:acme.idp', ssoUrl: 'https://idp.acme.example/sso', certificates: [idp.certificate] }
  const parsed = parseConnection('saml', { ...bare, ...more })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value as SamlConnection
}
const metadataWith = (more: Record<string, unknown>): string =>
  buildSpMetadata({ connection: connectionWith(more), acsUrl, serviceProvider: ours })
const bareCertificates = () => ours.published.map(({ certificate }) => certificate.replace(/-----[^-]+-----|\s/g, ''))

function keysOf(xml: string) {
  const root = readElement(xml)
  if (!root.ok) throw new Error(root.error.reason)
  const all = [...walk(root.value)].map(({ element }) => element)
  return all
    .filter(({ name }) => name === 'KeyDescriptor')
    .map((element) => ({
      use: attributeOf(element, 'use'),
      certificate: [...walk(element)].find(({ element: { name } }) => name === 'X509Certificate')?.element.text,
      methods: childrenNamed(element, namespaces.metadata, 'EncryptionMethod').map((method) => attributeOf(method, 'Algorithm')),
    }))
}

test('a connection that neither signs nor decrypts shows no key: AD FS and Shibboleth would encrypt to it', () => {
  expect(keysOf(metadataWith({}))).toEqual([])
  expect(metadataWith({})).toContain('AuthnRequestsSigned="false" WantAssertionsSigned="true"')
})

test('a connection that signs shows both keys for signing, and none to encrypt to', () => {
  const [active, next] = bareCertificates()
  const xml = metadataWith({ signRequests: true })
  expect(keysOf(xml)).toEqual([
    { use: 'signing', certificate: active, methods: [] },
    { use: 'signing', certificate: next, methods: [] },
  ])
  expect(xml).toContain('AuthnRequestsSigned="true"')
})

test.each([
  { contentEncryption: 'gcm', cbc: false },
  { contentEncryption: 'gcm-or-cbc', cbc: true },
])('a connection that decrypts $contentEncryption says so, what we prefer first', ({ contentEncryption, cbc }) => {
  const keys = keysOf(metadataWith({ encryption: 'accepted', contentEncryption }))
  expect(keys.map(({ use, certificate }) => [use, certificate])).toEqual(bareCertificates().map((each) => ['encryption', each]))
  const [first] = keys
  expect(first?.methods[0]).toBe('http://www.w3.org/2009/xmlenc11#aes256-gcm')
  expect(first?.methods.some((method) => method?.endsWith('-cbc'))).toBe(cbc)
  expect(first?.methods.some((method) => method?.includes('rsa-1_5'))).toBe(false)
})

test('elements stand in the order of the schema, which strict importers demand', () => {
  const root = readElement(
    metadataWith({ signRequests: true, encryption: 'required', nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent' }),
  )
  if (!root.ok) throw new Error(root.error.reason)
  const names = root.value.children[0]?.children.map(({ name }) => name)
  expect(names).toEqual(['KeyDescriptor', 'KeyDescriptor', 'KeyDescriptor', 'KeyDescriptor', 'NameIDFormat', 'AssertionConsumerService'])
})

test('entity ID and ACS are escaped', () => {
  expect(metadataWith({ spEntityId: 'urn:a"<&>' })).toContain('entityID="urn:a&quot;&lt;&amp;&gt;"')
  const connection = connectionWith({})
  const xml = buildSpMetadata({ connection, acsUrl: `${acsUrl}?x=1&y=2`, serviceProvider: ours })
  expect(xml).toContain(`Location="${acsUrl}?x=1&amp;y=2"`)
})

describe('is imported by', () => {
  type Saml20 = { parseMetadata(xml: string, options: object): Promise<Record<string, unknown>> }
  type Samlify = {
    ServiceProvider(settings: { metadata: string }): {
      entityMeta: {
        getEntityID(): string
        getX509Certificate(use: string): string | string[]
        isAuthnRequestSigned(): boolean
        isWantAssertionsSigned(): boolean
        getAssertionConsumerService(binding: string): string
      }
    }
  }
  const load = createRequire(import.meta.url)

  test('samlify', () => {
    const { entityMeta } = (load('samlify') as Samlify).ServiceProvider({
      metadata: metadataWith({ signRequests: true, encryption: 'accepted' }),
    })
    expect(entityMeta.getEntityID()).toBe('https://broker.example/t/acme/saml/c1/metadata')
    expect(entityMeta.getX509Certificate('signing')).toEqual(bareCertificates())
    expect(entityMeta.getX509Certificate('encryption')).toEqual(bareCertificates())
    expect([entityMeta.isAuthnRequestSigned(), entityMeta.isWantAssertionsSigned()]).toEqual([true, true])
    expect(entityMeta.getAssertionConsumerService('post')).toBe(acsUrl)
  })

  test('@boxyhq/saml20', async () => {
    const { default: saml20 } = load('@boxyhq/saml20') as { default: Saml20 }
    expect(await saml20.parseMetadata(metadataWith({ signRequests: true }), {})).toMatchObject({
      entityID: 'https://broker.example/t/acme/saml/c1/metadata',
      loginType: 'sp',
    })
  })
})
