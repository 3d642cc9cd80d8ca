/** Every attack over every vendor's message, under both readers: each is refused, for the reason that it is refused for over the base message. */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { beforeAll, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { encodeMessage, fixtureParties } from './fixtures/a-saml-response.js'
import { aServiceProvider, aServiceProviderKey } from './fixtures/a-service-provider.js'
import { xenc } from './fixtures/an-encrypted-assertion.js'
import { attackCases } from './fixtures/attack-cases.js'
import { type AttackCase, attack, baseTemplate, type Template } from './fixtures/attack-template.js'
import { encryptedAttackCases } from './fixtures/encrypted-attack-cases.js'
import { encryptInside, issuerOf, vendorMessages } from './fixtures/vendor-messages.js'
import type { ServiceProvider, ServiceProviderKey } from './service-provider.js'
import { type SignatureReaderName, signatureReaderNames } from './signature-reader-name.js'
import { verifySamlResponse } from './verify-response.js'

let ours: ServiceProvider & { readonly active: ServiceProviderKey }
let theirs: ServiceProviderKey
beforeAll(async () => {
  ours = await aServiceProvider()
  theirs = await aServiceProviderKey()
}, 30_000)
const keys = { rsa: aFixtureKey(), ec: aFixtureKey({ type: 'ec' }), foreign: aFixtureKey() }
/** One for each text: how the vendor signs is the attack's to choose. */
const templates: readonly Template[] = [baseTemplate, ...vendorMessages].filter(
  ({ xml }, index, all) => all.findIndex((other) => other.xml === xml) === index,
)

type Judge = (template: Template, message: string | Buffer, reader: SignatureReaderName) => string

/** As its admin would have it at first: the NameID is the person. */
const judgeWith =
  (more: Record<string, unknown>): Judge =>
  (template, message, signatureReader) => {
    const certificates = [keys.rsa.certificate, keys.ec.certificate]
    const bare = { idpEntityId: issuerOf(template), ssoUrl: 'https://idp.acme.example/sso', certificates }
    const parsed = parseConnection('saml', { ...bare, ...more, signatureReader })
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
    const { acsUrl, requestId: expectedRequestId, now } = fixtureParties
    const expected = {
      connectionId: 'c1' as ConnectionId,
      connection: parsed.value as SamlConnection,
      serviceProvider: ours,
      acsUrl,
      expectedRequestId,
      now,
    }
    const encoded = typeof message === 'string' ? encodeMessage(message) : message.toString('base64')
    const verdict = verifySamlResponse(encoded, expected)
    return verdict.ok ? `accepted: ${verdict.value.nameId?.value}` : verdict.error.reason
  }

const plain = judgeWith({})
const encrypted = judgeWith({ encryption: 'accepted', contentEncryption: 'gcm-or-cbc' })
const unexpected = (judge: Judge, template: Template, cases: readonly AttackCase[]) =>
  signatureReaderNames.flatMap((reader) =>
    cases
      .map(({ name, reason, message }) => ({ reader, name, reason, told: judge(template, message, reader) }))
      .filter(({ reason, told }) => told !== reason),
  )
const refusedHonest = (judge: Judge, template: Template, messages: readonly string[]) =>
  signatureReaderNames
    .flatMap((reader) => messages.map((message) => judge(template, message, reader)))
    .filter((told) => !told.startsWith('accepted'))

test.each(templates)('$name: every attack is refused for its reason', (template) => {
  const cases = attackCases(keys, template)
  expect(cases.length).toBeGreaterThan(200)
  expect(refusedHonest(plain, template, Object.values(attack(template, keys).signed))).toEqual([])
  expect(unexpected(plain, template, cases)).toEqual([])
})

test.each(templates)('$name: every attack on an encrypted assertion is refused for its reason', (template) => {
  const all = { ...keys, ours: ours.active.certificate, theirs: theirs.certificate }
  for (const content of [xenc.aes256Gcm, xenc.aes128Cbc]) {
    const honest = encryptInside(attack(template, keys).signed.assertion, { certificate: all.ours, content })
    expect(refusedHonest(encrypted, template, [honest])).toEqual([])
    expect(unexpected(encrypted, template, encryptedAttackCases(all, template, content))).toEqual([])
  }
})

test('no two attacks have one name', () => {
  const all = { ...keys, ours: ours.active.certificate, theirs: theirs.certificate }
  const names = [...attackCases(keys), ...encryptedAttackCases(all, baseTemplate)].map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
})
