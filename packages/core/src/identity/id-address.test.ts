/** Which ids count as addresses: one that is left out may be an address of another company, one too many shuts out whoever has a scoped id. */
import { expect, test } from 'vitest'
import { type ClaimMapping, defaultClaimMapping, parseClaimMapping } from './claim-mapping.js'
import { addressesInIds } from './id-address.js'
import type { IdentityAssertion } from './identity-assertion.js'

const boss = 'boss@victim.example'
const formats = 'urn:oasis:names:tc:SAML'
const samlAssertion = (format: string | undefined, attributes: Readonly<Record<string, readonly string[]>> = {}) =>
  ({
    kind: 'saml',
    nameId: { value: boss, format, nameQualifier: undefined, spNameQualifier: undefined },
    attributes: new Map(Object.entries(attributes)),
  }) as unknown as IdentityAssertion
const idToken = (claims: Readonly<Record<string, unknown>>) =>
  ({ kind: 'oidc', sub: boss, claims: new Map(Object.entries({ sub: boss, ...claims })) }) as unknown as IdentityAssertion

function mappingOf(wire: Record<string, unknown>): ClaimMapping {
  const parsed = parseClaimMapping(wire)
  if (!parsed.ok) throw new Error(parsed.error.say)
  return parsed.value
}
const byAttribute = (attribute: string, claims = {}) => mappingOf({ stableId: { attribute }, claims })

test.each([
  { is: 'declared an address', format: `${formats}:1.1:nameid-format:emailAddress`, found: [boss] },
  { is: 'a persistent one', format: `${formats}:2.0:nameid-format:persistent`, found: [] },
  { is: 'an unspecified one', format: `${formats}:1.1:nameid-format:unspecified`, found: [] },
  { is: 'of no format', format: undefined, found: [] },
])('a NameID that is $is is an address: $found', ({ format, found }) => {
  expect(addressesInIds(samlAssertion(format), defaultClaimMapping)).toEqual(found)
  expect(addressesInIds(samlAssertion(format), byAttribute('employeeNumber'))).toEqual(found)
})

test.each([
  { name: 'mail', mapping: byAttribute('mail'), found: [boss] },
  { name: 'upn', mapping: byAttribute('upn'), found: [boss] },
  { name: 'mail', mapping: byAttribute('mail', { email: { from: ['other'] } }), found: [boss] },
  { name: 'work', mapping: byAttribute('work', { email: { from: ['work'] } }), found: [boss] },
  { name: 'work', mapping: byAttribute('work', { preferred_username: { from: ['work'] } }), found: [boss] },
  { name: 'work', mapping: byAttribute('work', { title: { from: ['work'] } }), found: [] },
  { name: 'email', mapping: mappingOf({ stableId: { attributes: ['tid', 'email'] } }), found: [boss] },
  { name: 'email', mapping: defaultClaimMapping, found: [] },
  { name: 'urn:oasis:names:tc:SAML:attribute:subject-id', mapping: byAttribute('urn:oasis:names:tc:SAML:attribute:subject-id'), found: [] },
  { name: 'urn:oid:1.3.6.1.4.1.5923.1.1.1.6', mapping: byAttribute('urn:oid:1.3.6.1.4.1.5923.1.1.1.6'), found: [] },
  { name: 'sub', mapping: byAttribute('sub'), found: [] },
])('a stable id of $name with $mapping.stableId is an address: $found', ({ name, mapping, found }) => {
  expect(addressesInIds(samlAssertion(undefined, { [name]: [boss] }), mapping)).toEqual(found)
  expect(addressesInIds(idToken({ [name]: boss }), mapping)).toEqual(found)
  expect(addressesInIds(idToken({ [name]: [boss] }), mapping)).toEqual(found)
})

test('what makes no stable id is no address of one', () => {
  for (const value of [undefined, 7, {}, [], [boss, boss], [7]])
    expect(addressesInIds(idToken({ mail: value }), byAttribute('mail'))).toEqual([])
  expect(addressesInIds(samlAssertion(undefined, { mail: [boss, 'x'] }), byAttribute('mail'))).toEqual([])
})
