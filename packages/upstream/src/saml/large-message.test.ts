/** People in very many groups sign in, whichever reader the connection has; what is larger than any honest message is refused before it costs. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { describe, expect, test } from '@jest/globals'
import type { SamlConnection } from '../connection-configuration.js'
import { parseConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from './fixtures/a-saml-response.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { encryptAssertion } from './fixtures/an-encrypted-assertion.js'
import { libraryLimits, messageLimits } from './prescan.js'
import type { SignatureReaderName } from './signature-reader-name.js'
import { signatureReaderNames } from './signature-reader-name.js'
import { verifySamlResponse } from './verify-response.js'

const key = aFixtureKey()
const serviceProvider = await aServiceProvider()

function connectionWith(signatureReader: SignatureReaderName, more: object = {}): SamlConnection {
  const { idpEntityId, spEntityId } = fixtureParties
  const configuration = {
    idpEntityId,
    spEntityId,
    ssoUrl: 'https://idp.acme.example/sso',
    certificates: [key.certificate],
    signatureReader,
  }
  const parsed = parseConnection('saml', { ...configuration, ...more })
  if (!parsed.ok || parsed.value.kind !== 'saml') throw new Error('the test’s own connection is refused')
  return parsed.value
}

function judge(message: string, connection: SamlConnection) {
  const { acsUrl, requestId: expectedRequestId, now } = fixtureParties
  const connectionId = 'c' as ConnectionId
  return verifySamlResponse(encodeMessage(message), { connectionId, connection, acsUrl, expectedRequestId, now, serviceProvider })
}

const signed = (inside: string): string =>
  signXml(responseXml({ assertions: assertionXml({ attributeStatement: inside }) }), '_assertion1', key)
const statement = (groups: readonly string[], attributes = ''): string =>
  `<saml:AttributeStatement><saml:Attribute Name="groups">${groups
    .map((group) => `<saml:AttributeValue${attributes}>${group}</saml:AttributeValue>`)
    .join('')}</saml:Attribute></saml:AttributeStatement>`
const named = (count: number, name: (index: number) => string): readonly string[] =>
  Array.from({ length: count }, (_, index) => name(index))
const typed = ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"'

/** Entra sends at most 150 object ids; AD FS sends whatever the directory has, by name or whole. */
const manyGroups = {
  '150 object ids': { groups: named(150, (index) => `9f3a0c1e-5b7d-4c2f-8a6e-${String(index).padStart(12, '0')}`), attributes: '' },
  '1000 names': { groups: named(1000, (index) => `engineering-team-of-berlin-${index}`), attributes: '' },
  '1000 distinguished names': { groups: named(1000, (index) => `CN=team-${index},OU=Groups,OU=Berlin,DC=acme,DC=example`), attributes: '' },
  '1000 typed names': { groups: named(1000, (index) => `team-${index}`), attributes: typed },
}

describe.each(signatureReaderNames)('read by %s', (reader) => {
  test.each(Object.entries(manyGroups))('a person in %s signs in', (_, { groups, attributes }) => {
    const read = judge(signed(statement(groups, attributes)), connectionWith(reader))
    expect(read.ok && read.value.attributes.get('groups')).toHaveLength(groups.length)
  })

  test('also where the assertion is encrypted', () => {
    const { groups } = manyGroups['1000 distinguished names']
    const inside = /<saml:Assertion .*<\/saml:Assertion>/s.exec(signed(statement(groups)))?.[0] ?? ''
    const message = responseXml({ assertions: encryptAssertion(inside, { certificate: serviceProvider.active.certificate }) })
    expect(judge(message, connectionWith(reader, { encryption: 'required' }))).toMatchObject({ ok: true })
  })

  test('a message of more octets than the limit is refused unread', () => {
    const message = responseXml({ extensions: `<samlp:Extensions>${'x'.repeat(messageLimits.octets)}</samlp:Extensions>` })
    expect(judge(message, connectionWith(reader))).toMatchObject({ ok: false, error: { reason: 'saml_message_too_large' } })
  })
})

const burden = (count: number, one: string): string =>
  responseXml({ extensions: `<samlp:Extensions>${one.repeat(count)}</samlp:Extensions>` })

test.each([
  ['elements', burden(libraryLimits.elements, '<b/>')],
  ['attributes', burden(libraryLimits.attributes / 20, `<b ${named(20, (index) => `a${index}=""`).join(' ')}/>`)],
  [
    'namespaceDeclarations',
    burden(libraryLimits.namespaceDeclarations / 10, `<b ${named(10, (index) => `xmlns:a${index}="urn:a"`).join(' ')}/>`),
  ],
])('the library is given no message of more %s than it can read in time', (limit, message) => {
  expect(judge(message, connectionWith('xml-crypto'))).toMatchObject({
    ok: false,
    error: { reason: 'saml_limit_exceeded', detail: { limit } },
  })
})
