/** Whose SAML assertions are accepted is an admin's word: by certificates, by metadata, or by the keys of a login connection. */

import { ok } from '@drawbridge/core/result'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { afterAll, afterEach, beforeAll, describe, expect, it, test } from 'vitest'

const path = '/tenants/acme/assertion-trusts'
const issuer = 'https://sts.example/saml'
const key = aFixtureKey()
const metadataUrl = 'https://sts.example/metadata'
const metadata = plainMetadata({ entityId: issuer, certificates: [key.certificate] })
let fixture: TestDatabase
let acme: ATenant
let broker: TestBroker
let call: Call

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, {
    fetchSafely: async (url) => ok({ status: url === metadataUrl ? 200 : 404, headers: {}, body: Buffer.from(metadata) }),
  })
  call = anAdmin(broker)
})
afterEach(async () => {
  await asOwner(fixture.ownerUrl, `DELETE FROM connections WHERE tenant_id = $1 AND id <> $2`, [acme.tenantId, acme.connectionId])
  broker.deps.configuration.invalidate()
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})

const bearer = { profile: 'saml2-bearer', clients: ['agent'] }
const byHand = { ...bearer, issuer, certificates: [key.certificate] }
const post = (configuration: object, more: object = {}) => call('POST', path, { name: 'STS', configuration, ...more })
const reasonOf = async (configuration: object, more: object = {}) =>
  String((await post(configuration, more)).body?.type).replace('urn:drawbridge:error:', '')
const aSamlConnection = async (entityId = issuer) => {
  const configuration = { idpEntityId: entityId, ssoUrl: 'https://sts.example/sso', certificates: [key.certificate] }
  return String((await call('POST', '/tenants/acme/connections', { kind: 'saml', name: 'Login', configuration })).body.id)
}

describe('a trust in SAML assertions', () => {
  it('is made, read and changed, and says what the issuer has to write', async () => {
    const made = await post(byHand)
    const addresses = { audience: 'http://localhost:4400/t/acme', tokenEndpoint: 'http://localhost:4400/t/acme/token' }
    expect(made).toMatchObject({ status: 201, body: { addresses, configuration: byHand } })
    const changed = { name: 'STS', configuration: { ...byHand, publicClients: true, freshnessEvidence: 'issued_at' } }
    expect((await call('PUT', `${path}/${made.body.id}`, changed)).status).toBe(200)
    const trail = await asOwner(
      fixture.ownerUrl,
      `SELECT kind, detail -> 'accepts' AS accepts FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'assertion_trust%' ORDER BY at, id`,
      [acme.tenantId],
    )
    expect(trail).toEqual([
      { kind: 'assertion_trust.created', accepts: [] },
      { kind: 'assertion_trust.updated', accepts: ['publicClients', 'freshnessEvidence'] },
    ])
  })

  test.each([{ given: { metadataXml: metadata } }, { given: { metadataUrl } }])(
    'takes issuer and keys from metadata, once',
    async ({ given }) => {
      expect(await post(bearer, given)).toMatchObject({
        status: 201,
        body: { configuration: { ...bearer, issuer, certificates: [key.certificate] } },
      })
      expect(await asOwner(fixture.ownerUrl, 'SELECT url FROM metadata_sources', [])).toEqual([])
    },
  )

  it('makes keys that assertions can be encrypted to, where it accepts such', async () => {
    const keys = async () =>
      (await call('GET', '/tenants/acme/signing-keys')).body.signingKeys.filter((each: { purpose: string }) => each.purpose === 'saml')
    expect(await keys()).toEqual([])
    await post({ ...byHand, encryption: 'accepted' })
    expect(await keys()).toMatchObject([{ certificate: expect.stringContaining('CERTIFICATE') }, { certificate: expect.any(String) }])
  })

  it('keeps the connection whose keys it believes, and ends what was opened where another is named', async () => {
    const connection = await aSamlConnection()
    const made = await post({ ...bearer, keysOf: connection })
    expect(made.status).toBe(201)
    const at = `/tenants/acme/connections/${connection}`
    expect((await call('DELETE', at)).body.type).toBe('urn:drawbridge:error:still_in_use')
    await call('PUT', `${path}/${made.body.id}`, { name: 'STS', configuration: byHand })
    expect(await asOwner(fixture.ownerUrl, 'SELECT epoch FROM connections WHERE id = $1', [made.body.id])).toEqual([{ epoch: 2 }])
    expect((await call('DELETE', at)).status).toBe(204)
  })

  it('is one for each issuer, however it is named', async () => {
    const connection = await aSamlConnection()
    expect((await post({ ...bearer, keysOf: connection })).status).toBe(201)
    expect(await reasonOf(byHand)).toBe('trust_taken')
    expect(await reasonOf({ ...bearer, keysOf: connection })).toBe('trust_taken')
    expect((await post({ ...byHand, issuer: 'urn:another' })).status).toBe(201)
  })
})

describe('no trust is made', () => {
  test.each([
    { what: 'without a client', configuration: () => ({ ...byHand, clients: [] }), reason: 'connection_invalid' },
    {
      what: 'in an issuer at our own address',
      configuration: () => ({ ...byHand, issuer: 'http://localhost:4400/t/x' }),
      reason: 'trust_loops',
    },
    {
      what: 'in keys of a connection that there is not',
      configuration: () => ({ ...bearer, keysOf: crypto.randomUUID() }),
      reason: 'reference_unknown',
    },
    {
      what: 'in keys of a connection that speaks no SAML',
      configuration: () => ({ ...bearer, keysOf: acme.connectionId }),
      reason: 'reference_unknown',
    },
    {
      what: 'in people of a connection that there is not',
      configuration: () => ({ ...byHand, peopleOf: { connection: crypto.randomUUID(), key: 'NameID' } }),
      reason: 'reference_unknown',
    },
  ])('$what', async ({ configuration, reason }) => {
    if (reason === 'reference_unknown')
      await asOwner(fixture.ownerUrl, `UPDATE connections SET kind = 'oidc' WHERE id = $1`, [acme.connectionId])
    expect(await reasonOf(configuration())).toBe(reason)
  })

  test.each([
    {
      what: 'from metadata without a usable key',
      configuration: bearer,
      more: { metadataXml: plainMetadata({ entityId: issuer, certificates: [] }) },
    },
    { what: 'from metadata that is not there', configuration: bearer, more: { metadataUrl: 'https://sts.example/nowhere' } },
    { what: 'in an issuer of JWTs from metadata', configuration: { issuer: 'https://idp.example' }, more: { metadataXml: metadata } },
  ])('$what', async ({ configuration, more }) => {
    expect(await reasonOf(configuration, more)).toBe('metadata_invalid')
  })

  it('in a key of this installation', async () => {
    await call('POST', '/tenants/acme/signing-keys/rotate', { purpose: 'saml' })
    const keys = (await call('GET', '/tenants/acme/signing-keys')).body.signingKeys
    const { certificate } = keys.find((each: { certificate: string | null }) => each.certificate !== null)
    expect(await reasonOf({ ...byHand, certificates: [certificate] })).toBe('trust_loops')
  })
})
