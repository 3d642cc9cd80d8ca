/** The rules that make first contact with an IdP work: those for which no other file has a test of that very rule. See `idp-facts.test`. */

import { instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { beforeAll, describe, expect, test } from 'vitest'
import { samlConnector } from './connector.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { connectionTo, identityOf, told, vendorLogins } from './fixtures/a-vendor-login.js'
import { innerOf, removeElement, setAttribute, setInner } from './fixtures/edit-xml.js'
import { sent, type VendorMessageName, vendorMessage } from './fixtures/vendor-messages.js'
import { at } from './fixtures/vendor-words.js'
import type { ServiceProvider, ServiceProviderKey } from './service-provider.js'

const key = aFixtureKey()
let ours: ServiceProvider & { readonly active: ServiceProviderKey }
beforeAll(async () => {
  ours = await aServiceProvider()
}, 30_000)
const { loginOf, tell } = vendorLogins(key, () => ours)
const okta = vendorMessage('okta signs both')

test('rule 2: the id of a request never begins with a digit, and is another one each time', async () => {
  const connector = samlConnector({ random: systemRandom() }, 'c1' as ConnectionId, connectionTo(okta, [key.certificate]))
  const asked = { loginRequestId: 'l', callbackUrl: 'https://b.example/acs', relayState: 'h', stepUpAcr: undefined, forceAuthn: false }
  const ids = new Set<string>()
  for (let count = 0; count < 50; count += 1) {
    const started = await connector.start({ ...asked, now: instant(Date.UTC(2026, 0, 1)) })
    if (started.ok) ids.add(started.value.upstreamId)
  }
  expect([...ids].filter((id) => !/^_[0-9a-f]{40}$/.test(id))).toEqual([])
  expect(ids.size).toBe(50)
})

test('rule 3: every listed key is tried, whatever its order, its dates and who signed its certificate', async () => {
  const others = Array.from({ length: 6 }, () => aFixtureKey({ type: 'ec' }).certificate)
  const expired = aFixtureKey({ notAfter: new Date(Date.UTC(2026, 1, 1)) })
  const message = sent(okta, expired)
  for (const certificates of [
    [...others, expired.certificate],
    [expired.certificate, ...others],
  ])
    expect(await identityOf({ connection: connectionTo(okta, certificates), message })).toMatchObject({ stableId: 'ada@acme.example' })
  expect(await identityOf({ connection: connectionTo(okta, others), message })).toBe('saml_signature_invalid')
})

test('rule 4: what stands beside the signed element gives nothing', async () => {
  const { connection, message } = await loginOf('entra signs the assertion')
  const extended = setAttribute(message, 'Response', 'Consent', 'urn:evil')
  expect(told(await identityOf({ connection, message: extended }))).toEqual(told(await identityOf({ connection, message })))
})

test.each(['Issuer', 'Audience', 'NameID', 'AuthnContextClassRef'])('rule 6: white space around %s is none of it', async (name) => {
  const padded = (xml: string) => setInner(xml, name, `\n\t  ${innerOf(xml, name)} \r\n`)
  expect(await tell('onelogin signs the response with SHA-512', padded)).toEqual(await tell('onelogin signs the response with SHA-512'))
})

describe('rule 7: the clock of an IdP may be three minutes off, either way, and five at most by choice', () => {
  const starts = (seconds: number) => (xml: string) =>
    setAttribute(setAttribute(xml, 'Conditions', 'NotBefore', at(seconds)), 'Conditions', 'NotOnOrAfter', at(seconds + 60))
  test.each([
    { seconds: 180, skew: 180, outcome: 'in' },
    { seconds: 181, skew: 180, outcome: 'saml_not_yet_valid' },
    { seconds: -239, skew: 180, outcome: 'in' },
    { seconds: -240, skew: 180, outcome: 'saml_expired' },
    { seconds: 300, skew: 300, outcome: 'in' },
    { seconds: -359, skew: 300, outcome: 'in' },
    { seconds: 1, skew: 0, outcome: 'saml_not_yet_valid' },
  ])('a minute that begins $seconds s from now, with a skew of $skew s: $outcome', async ({ seconds, skew, outcome }) => {
    const verdict = await tell('duo signs both', starts(seconds), { clockSkewSeconds: skew })
    expect(typeof verdict === 'string' ? verdict : 'in').toBe(outcome)
  })
})

test.each(['entra signs the assertion', 'adfs signs the assertion', 'okta signs both', 'keycloak signs the response'] as const)(
  'rule 8: the end of what may be accepted is not the end of the session: %s',
  async (name) => {
    const ends = (xml: string) =>
      setAttribute(setAttribute(xml, 'Conditions', 'NotOnOrAfter', at(5)), 'SubjectConfirmationData', 'NotOnOrAfter', at(5))
    const withoutEnd = (xml: string) => setAttribute(ends(xml), 'AuthnStatement', 'SessionNotOnOrAfter', undefined)
    expect(await tell(name, withoutEnd)).toMatchObject({ sessionEndsAt: undefined })
    expect(await tell(name, (xml) => setAttribute(ends(xml), 'AuthnStatement', 'SessionNotOnOrAfter', at(7200)))).toMatchObject({
      sessionEndsAt: 7200,
    })
  },
)

describe('rule 11: an attribute is found by its Name', () => {
  const groupsOf = (name: VendorMessageName, change: (xml: string) => string) => tell(name, change)
  test.each(['urn:oasis:names:tc:SAML:2.0:attrname-format:uri', 'urn:x', undefined])('whatever its NameFormat: %s', async (format) => {
    expect(await groupsOf('okta signs both', (xml) => setAttribute(xml, 'Attribute', 'NameFormat', format, 4))).toMatchObject({
      groups: ['Engineering', 'Staff'],
    })
  })
  test('and never by its FriendlyName', async () => {
    const change = (xml: string) => setAttribute(setAttribute(xml, 'Attribute', 'Name', 'x', 4), 'Attribute', 'FriendlyName', 'groups', 4)
    expect(await groupsOf('okta signs both', change)).toMatchObject({ groups: 'unknown' })
  })
})

test.each([
  'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified',
  'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
  'urn:unknown',
  undefined,
])('rule 12: one NameID is one person, whatever format it says: %s', async (format) => {
  expect(await tell('pingone signs the assertion', (xml) => setAttribute(xml, 'NameID', 'Format', format))).toMatchObject({
    stableId: 'e3d1c0ff-ee00-4abc-8def-001122334455',
  })
})

test('rule 12: an address is never the key where an attribute is', async () => {
  const mailbox = (xml: string) => setInner(xml, 'NameID', 'bob@acme.example')
  expect(await tell('okta signs both', mailbox)).toMatchObject({ stableId: '00u1fcia6d6EMsf331d8' })
  expect(await tell('okta signs both', (xml) => removeElement(xml, 'Attribute', 3))).toBe('identity_without_stable_id')
})
