/** What a trust in SAML assertions may say. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { aFixtureKey } from '../saml/fixtures/a-certificate.js'
import { isOfSamlTrust, parseSamlTrust } from './saml-trust.js'

const { certificate } = aFixtureKey()
const good = { profile: 'saml2-bearer', issuer: 'https://idp.example/saml', certificates: [certificate], clients: ['agent'] }
const connection = crypto.randomUUID()

describe('a trust in SAML assertions', () => {
  it('believes one issuer by its own keys, plain, of listed and confidential clients, unless it says otherwise', () => {
    expect(parseSamlTrust(good)).toMatchObject({
      ok: true,
      value: {
        ...{ kind: 'saml-assertion', publicClients: false, encryption: 'off', authnInstant: 'trusted', freshnessEvidence: 'auth_time' },
        ...{ clockSkewSeconds: 180, peopleOf: undefined, from: { issuer: good.issuer, certificates: [certificate] } },
        mapping: { stableId: { from: 'protocol' } },
      },
    })
    expect(isOfSamlTrust(good)).toBe(true)
    expect([{ profile: 'id-jag' }, {}, null, undefined, 'x'].some(isOfSamlTrust)).toBe(false)
  })

  it('may believe the keys of a login connection in their place', () => {
    const { issuer: _issuer, certificates: _certificates, ...rest } = good
    expect(parseSamlTrust({ ...rest, keysOf: connection })).toMatchObject({ ok: true, value: { from: { keysOf: connection } } })
  })

  test.each([
    { key: 'NameID', stableId: { from: 'protocol' } },
    { key: 'oid', stableId: { from: 'attribute', name: 'oid' } },
  ])('names the people of a connection by $key', ({ key, stableId }) => {
    expect(parseSamlTrust({ ...good, peopleOf: { connection, key } })).toMatchObject({
      ok: true,
      value: { peopleOf: { connection, key }, mapping: { stableId } },
    })
  })

  test.each([
    { what: 'an unknown member', change: { isuer: 'x' }, member: 'configuration' },
    { what: 'no client', change: { clients: undefined }, member: 'clients' },
    { what: 'no clients', change: { clients: [] }, member: 'clients' },
    { what: 'no issuer', change: { issuer: undefined }, member: 'issuer' },
    { what: 'no keys', change: { certificates: undefined }, member: 'certificates' },
    { what: 'an issuer that is no URI', change: { issuer: 'idp' }, member: 'issuer' },
    { what: 'keys beside those of a connection', change: { keysOf: connection }, member: 'issuer' },
    { what: 'certificates beside those of a connection', change: { keysOf: connection, issuer: undefined }, member: 'certificates' },
    { what: 'a connection that is no id', change: { keysOf: connection.toUpperCase(), issuer: undefined }, member: 'keysOf' },
    { what: 'an algorithm of JWT', change: { algorithms: ['ES256'] }, member: 'configuration' },
    { what: 'two names of a person', change: { peopleOf: { connection, key: 'NameID' }, stableIdAttribute: 'oid' }, member: 'peopleOf' },
    { what: 'a mapping that writes what it must not', change: { mapping: { claims: { acr: { from: ['x'] } } } }, member: 'mapping' },
  ])('is refused with $what', ({ change, member }) => {
    expect(parseSamlTrust({ ...good, ...change })).toMatchObject({
      ok: false,
      error: { reason: 'connection_configuration_invalid', detail: { member } },
    })
  })

  it('is refused with a certificate that is none', () => {
    expect(parseSamlTrust({ ...good, certificates: [certificate, 'x'] })).toMatchObject({
      error: { reason: 'connection_certificate_invalid', detail: { member: 'certificates[1]' } },
    })
  })

  it('is read or refused, whatever it is', () => {
    const member = fc.constantFrom(...Object.keys(good), 'keysOf', 'mapping', 'peopleOf')
    fc.assert(fc.property(fc.dictionary(member, fc.jsonValue()), (value) => typeof parseSamlTrust({ ...good, ...value }).ok === 'boolean'))
  })
})
