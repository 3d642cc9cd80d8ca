/**
 * People in many groups sign in, whichever reader the connection has; what is larger is refused before it costs, and what only the library may
 * not be given is refused in words that say so.
 */
import { addSeconds } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { describe, expect, test } from 'vitest'
import type { SamlConnection } from '../connection-configuration.js'
import { parseConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from './fixtures/a-saml-response.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { encryptAssertion } from './fixtures/an-encrypted-assertion.js'
import { type LimitName, libraryLimits, logoutMessageLimits, messageLimits } from './prescan.js'
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

const inGroups = (count: number, name: (index: number) => string, attributes = ''): string =>
  signed(statement(named(count, name), attributes))
const signedTwice = (message: string): string => signXml(message, '_response1', key)
const objectId = (index: number): string => `9f3a0c1e-5b7d-4c2f-8a6e-${String(index).padStart(12, '0')}`
const teamName = (index: number): string => `engineering-team-of-berlin-${index}`
const distinguishedName = (index: number): string => `CN=team-${index},OU=Groups,OU=Berlin,DC=acme,DC=example`

/** Entra sends at most 150 object ids; AD FS sends whatever the directory has, by name or whole; Okta types each value and signs twice. */
const ordinary: readonly (readonly [string, number, string])[] = [
  ['150 object ids', 150, inGroups(150, objectId)],
  ['150 object ids, signed twice', 150, signedTwice(inGroups(150, objectId))],
  ['150 typed distinguished names, signed twice', 150, signedTwice(inGroups(150, distinguishedName, typed))],
  ['300 typed object ids, signed twice', 300, signedTwice(inGroups(300, objectId, typed))],
  ['400 names', 400, inGroups(400, teamName)],
]
const many: readonly (readonly [string, number, string])[] = [
  ['1000 names', 1000, inGroups(1000, teamName)],
  ['1000 typed names, signed twice', 1000, signedTwice(inGroups(1000, (index) => `team-${index}`, typed))],
  ['1500 distinguished names', 1500, inGroups(1500, distinguishedName)],
]
const encrypted = (message: string): string => {
  const inside = /<saml:Assertion .*<\/saml:Assertion>/s.exec(message)?.[0] ?? ''
  return responseXml({ assertions: encryptAssertion(inside, { certificate: serviceProvider.active.certificate }) })
}

test.each(many)('the default reader takes a person in %s, the library refuses and says who takes her', (_, count, message) => {
  const read = judge(message, connectionWith('xml-signature'))
  expect(read.ok && read.value.attributes.get('groups')).toHaveLength(count)
  expect(judge(message, connectionWith('xml-crypto'))).toMatchObject({ ok: false, error: { reason: 'saml_reader_limit_exceeded' } })
})

test('a person in 1500 distinguished names signs in where the assertion is encrypted, too', () => {
  const message = encrypted(inGroups(1500, distinguishedName))
  expect(judge(message, connectionWith('xml-signature', { encryption: 'required' }))).toMatchObject({ ok: true })
  expect(judge(message, connectionWith('xml-crypto', { encryption: 'required' }))).toMatchObject({
    ok: false,
    error: { reason: 'saml_reader_limit_exceeded', detail: { limit: 'octets', most: libraryLimits.octets } },
  })
})

test('during an exception for SHA-1 the limits are those of the reader that then reads', () => {
  const { acsUrl, requestId: expectedRequestId, now } = fixtureParties
  const excepted = { ...serviceProvider, sha1Until: addSeconds(now, 60) }
  const connectionId = 'c' as ConnectionId
  const expected = { connectionId, connection: connectionWith('xml-signature'), acsUrl, expectedRequestId, now, serviceProvider: excepted }
  expect(verifySamlResponse(encodeMessage(inGroups(1000, teamName)), expected)).toMatchObject({
    ok: false,
    error: { reason: 'saml_reader_limit_exceeded', detail: { limit: 'octets' } },
  })
})

describe.each(signatureReaderNames)('read by %s', (reader) => {
  test.each(ordinary)('a person in %s signs in', (_, count, message) => {
    const read = judge(message, connectionWith(reader))
    expect(read.ok && read.value.attributes.get('groups')).toHaveLength(count)
  })

  test('also where the assertion is encrypted', () => {
    const message = encrypted(inGroups(150, distinguishedName, typed))
    expect(judge(message, connectionWith(reader, { encryption: 'required' }))).toMatchObject({ ok: true })
  })

  test('a message of more octets than the limit is refused unread', () => {
    const message = responseXml({ extensions: `<samlp:Extensions>${'x'.repeat(messageLimits.octets)}</samlp:Extensions>` })
    expect(judge(message, connectionWith(reader))).toMatchObject({ ok: false, error: { reason: 'saml_message_too_large' } })
  })
})

/** In an honest response beside its signed assertion: as many as there are, so that one more is one too many. */
const beside = (inside: string): string => signed('').replace('<samlp:Status>', `<samlp:Extensions>${inside}</samlp:Extensions>$&`)
const countOf = (what: RegExp): number => beside('').match(what)?.length ?? 0
const attributesOf = (count: number): string => `<b ${named(count, (index) => `a${index}=""`).join(' ')}/>`
const declarationsOf = (count: number): string => `<b ${named(count, (index) => `xmlns:a${index}="urn:a"`).join(' ')}/>`
/** One element of so many for as long as there is room, and one with what is left. */
const inAll = (count: number, each: number, write: (count: number) => string): string =>
  write(each).repeat(Math.floor(count / each)) + (count % each === 0 ? '' : write(count % each))
const nested = (depth: number): string => '<b>'.repeat(depth) + '</b>'.repeat(depth)
/** Response and Extensions. */
const depthAround = 2

/** Each writes a message that has exactly so many. */
const exactly: Readonly<Record<LimitName, (count: number) => string>> = {
  octets: (count) => beside(' '.repeat(count - beside('').length)),
  depth: (count) => beside(nested(count - depthAround)),
  elements: (count) => beside('<b/>'.repeat(count - countOf(/<[a-zA-Z]/g))),
  attributes: (count) => beside(inAll(count - countOf(/="/g), 8, attributesOf)),
  attributesPerElement: (count) => beside(attributesOf(count)),
  namespaceDeclarations: (count) => beside(inAll(count - countOf(/ xmlns[:=]/g), 4, declarationsOf)),
  namespaceDeclarationsPerElement: (count) => beside(declarationsOf(count)),
  namespaceLength: (count) => beside(`<b xmlns="urn:${'x'.repeat(count - 4)}"/>`),
}

describe.each(Object.keys(exactly) as LimitName[])('the limit %s', (limit) => {
  test('holds to the last one for the library, whose refusal names it', () => {
    const most = libraryLimits[limit]
    expect(judge(exactly[limit](most), connectionWith('xml-crypto'))).toMatchObject({ ok: true })
    expect(judge(exactly[limit](most + 1), connectionWith('xml-crypto'))).toEqual({
      ok: false,
      error: { reason: 'saml_reader_limit_exceeded', detail: { limit, most } },
    })
    expect(judge(exactly[limit](most + 1), connectionWith('xml-signature'))).toMatchObject({ ok: true })
  })

  test('holds to the last one for the default reader, and what exceeds it no reader is said to take', () => {
    expect(judge(exactly[limit](messageLimits[limit]), connectionWith('xml-signature'))).toMatchObject({ ok: true })
    for (const reader of signatureReaderNames)
      expect(judge(exactly[limit](messageLimits[limit] + 1), connectionWith(reader))).toMatchObject({
        ok: false,
        error: { reason: reasonOf(limit, reader) },
      })
  })
})

function reasonOf(limit: LimitName, reader: SignatureReaderName): string {
  if (limit === 'octets') return 'saml_message_too_large'
  // To the parser of our own reader no namespace is so long.
  return limit === 'namespaceLength' && reader === 'xml-signature' ? 'saml_xml_malformed' : 'saml_limit_exceeded'
}

test('a logout message is no larger than any reader takes', () => {
  for (const [limit, most] of Object.entries(logoutMessageLimits)) expect(most).toBeLessThanOrEqual(libraryLimits[limit as LimitName])
})
