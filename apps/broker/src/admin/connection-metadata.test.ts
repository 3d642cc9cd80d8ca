/** Metadata through the admin API: looked at first, applied by the digest of what was seen, by whoever may `impersonate` and nobody else. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aFixtureKey, withUnreadableEnd } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { aKey, metadataLike, plainMetadata, signCarrying, signMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { fingerprintOf } from '@drawbridge/upstream/saml/metadata-changes'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const [old, fresh] = [aKey().certificate, aKey().certificate]
const publisher = aFixtureKey()
let db: TestDatabase
let broker: TestBroker
let idp: Server
let url: string
let served = ''
let call: Call

beforeAll(async () => {
  db = await testDatabase()
  broker = await aBroker(db.database)
  call = anAdmin(broker)
  idp = createServer((_request, response) => void response.writeHead(200, { etag: '"1"' }).end(served))
  await new Promise<void>((resolve) => idp.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(idp.address() as AddressInfo).port}/metadata`
  for (const slug of ['acme', 'globex']) await call('POST', '/tenants', { slug, name: slug })
})
afterAll(async () => {
  idp?.close()
  await broker?.close()
  await db?.close()
})

const connections = '/tenants/acme/connections'
const offering = (certificates: readonly string[], parts: Partial<Parameters<typeof plainMetadata>[0]> = {}) =>
  plainMetadata({ certificates, ...parts })
const refused = (status: number, reason: string) => ({ status, body: { type: `urn:drawbridge:error:${reason}` } })
const create = async (body: Record<string, unknown>) => call('POST', connections, { kind: 'saml', name: 'IdP', ...body })
const idOf = async (body: Record<string, unknown>): Promise<string> => (await create(body)).body.id
const trail = async (kind: string) => (await call('GET', `/tenants/acme/audit-events?kind=${kind}`)).body.auditEvents[0]

describe('a diagnosis', () => {
  it('says vendor, doors, keys and what to do, and writes nothing', async () => {
    const seen = await call('POST', `${connections}/diagnose-metadata`, { metadataXml: metadataLike('entra', [old, fresh]) })
    expect(seen).toMatchObject({
      status: 200,
      body: {
        usable: true,
        vendor: { id: 'entra', name: 'Microsoft Entra ID' },
        entityId: 'https://sts.windows.net/9f3c2a10-6b1d-4f7e-8a52-3d1f0c9b7e21/',
        signature: 'unchecked',
        certificates: [{ fingerprint: fingerprintOf(old) }, { fingerprint: fingerprintOf(fresh) }],
        preset: { stableIdAttribute: 'http://schemas.microsoft.com/identity/claims/objectidentifier' },
      },
    })
    const overage = seen.body.findings.find(({ code }: { code: string }) => code === 'groups_overage')
    expect(overage).toMatchObject({ severity: 'notice', cause: expect.stringContaining('150 groups'), remedy: expect.any(String) })
    expect((await call('GET', connections)).body.connections).toEqual([])
  })

  it('of a signed document says by which certificate, and remembers it once it is applied', async () => {
    const publisher = aFixtureKey()
    const signedBy = fingerprintOf(publisher.certificate)
    const metadataXml = signCarrying(offering([old]), publisher)
    const seen = await call('POST', `${connections}/diagnose-metadata`, { metadataXml })
    expect(seen.body).toMatchObject({
      signature: 'intact',
      signedBy,
      findings: [{ code: 'signature_intact', detail: { fingerprint: signedBy } }],
    })
    const id = await idOf({ metadataXml })
    expect((await call('GET', `${connections}/${id}/metadata`)).body).toMatchObject({ signedBy, pinnedCertificates: [] })
    await call('DELETE', `${connections}/${id}`)
  })

  it('of a certificate whose end cannot be read leaves it out, and says so; alone, nothing is signed by a key: no answer is 500', async () => {
    const spoilt = withUnreadableEnd(old)
    const beside = await call('POST', `${connections}/diagnose-metadata`, { metadataXml: offering([spoilt, fresh]) })
    expect(beside).toMatchObject({ status: 200, body: { usable: true, certificates: [{ fingerprint: fingerprintOf(fresh) }] } })
    expect(beside.body.findings).toContainEqual(expect.objectContaining({ code: 'certificate_unusable' }))
    const alone = await call('POST', `${connections}/diagnose-metadata`, { metadataXml: offering([spoilt]) })
    expect(alone).toMatchObject({ status: 200, body: { usable: false } })
    expect(alone.body.findings).toContainEqual(expect.objectContaining({ code: 'signing_key_unusable' }))
    const id = await idOf({ metadataXml: offering([old]) })
    const preview = await call('POST', `${connections}/${id}/metadata/preview`, { metadataXml: offering([spoilt]) })
    expect(preview).toMatchObject({ status: 200, body: { change: null } })
    const bare = { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [spoilt] }
    expect(await create({ configuration: bare })).toMatchObject(refused(400, 'connection_invalid'))
    await call('DELETE', `${connections}/${id}`)
  })

  it('of what cannot be used says why, with status 200: it is an answer', async () => {
    const seen = await call('POST', `${connections}/diagnose-metadata`, { metadataXml: '<!DOCTYPE html><html></html>' })
    expect(seen.body).toMatchObject({ usable: false, findings: [{ code: 'document_is_html', severity: 'error' }] })
  })

  it('of several entities waits for the admin to name one', async () => {
    const metadataXml = metadataLike('several-entities', [old, fresh])
    const seen = await call('POST', `${connections}/diagnose-metadata`, { metadataXml })
    expect(seen.body).toMatchObject({ usable: false, entities: ['urn:acme:one', 'urn:acme:two'], findings: [{ code: 'entity_several' }] })
    expect(await create({ metadataXml })).toMatchObject(refused(400, 'metadata_invalid'))
    const made = await create({ metadataXml, entityId: 'urn:acme:two' })
    expect(made.body.configuration).toMatchObject({ idpEntityId: 'urn:acme:two', certificates: [fresh] })
  })

  it('of an address that cannot be reached says so', async () => {
    const seen = await call('POST', `${connections}/diagnose-metadata`, { metadataUrl: 'http://127.0.0.1:1/' })
    expect(seen).toMatchObject(refused(400, 'metadata_invalid'))
    expect(seen.body.errors[0]).toMatchObject({ path: 'metadataUrl', message: expect.stringMatching(/^url_unreachable: /) })
    const inside = await call('POST', `${connections}/diagnose-metadata`, { metadataUrl: 'https://169.254.169.254/latest' })
    expect(inside.body.errors[0].message).toMatch(/^url_not_public: /)
  })

  it.each([
    { given: {}, message: 'either metadataXml or metadataUrl' },
    { given: { metadataXml: 'x', metadataUrl: 'https://idp.example' }, message: 'either metadataXml or metadataUrl' },
    { given: { metadataXml: 'x', pinnedCertificates: ['no certificate'] }, message: 'connection_certificate_invalid' },
  ])('of a request that gives $given is refused', async ({ given, message }) => {
    const answer = await call('POST', `${connections}/diagnose-metadata`, given)
    expect(answer).toMatchObject(refused(400, 'metadata_invalid'))
    expect(answer.body.errors[0].message).toContain(message)
  })
})

describe('a connection is made', () => {
  it('from an address: with the vendor’s preset, which is looked at again by itself', async () => {
    served = metadataLike('pingone', [old])
    const made = await create({ metadataUrl: url, configuration: { groupsAttribute: 'mine' } })
    expect(made.body.configuration).toMatchObject({ groupsAttribute: 'mine', mapping: { idpSessionEnd: 'ignore' }, certificates: [old] })
    const source = (await call('GET', `${connections}/${made.body.id}/metadata`)).body
    expect(source).toMatchObject({ url, outcome: 'changed', failures: 0, withdrawnCertificates: [] })
    expect(Date.parse(source.nextFetchAt)).toBeGreaterThan(Date.now() + 3600_000)
  })

  it('without the preset where the admin does not want it', async () => {
    const made = await create({ metadataXml: metadataLike('entra', [old, fresh]), usePreset: false })
    expect(made.body.configuration).not.toHaveProperty('stableIdAttribute')
    const source = (await call('GET', `${connections}/${made.body.id}/metadata`)).body
    expect(source).toMatchObject({ url: null, nextFetchAt: null })
  })

  it('from bare fields, with a warning about a certificate that ends', async () => {
    const soon = aKey({ notAfter: new Date(Date.now() + 5 * 86_400_000) }).certificate
    const configuration = { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [soon] }
    const made = await create({ configuration })
    expect(made).toMatchObject({ status: 201, body: { warnings: ['certificate_expires_soon'] } })
    expect(await call('GET', `${connections}/${made.body.id}/metadata`)).toMatchObject(refused(404, 'not_found'))
  })

  it('signing its requests where the metadata asks for it', async () => {
    const made = await create({ metadataXml: metadataLike('keycloak', [old, fresh]) })
    expect(made.body).toMatchObject({ configuration: { signRequests: true }, warnings: ['requests_wanted_signed'] })
  })

  it('not from metadata that another than the pinned certificate signed', async () => {
    const metadataXml = signMetadata(offering([old]), aFixtureKey())
    const answer = await create({ metadataXml, pinnedCertificates: [publisher.certificate] })
    expect(answer.body.errors[0].message).toMatch(/^signature_invalid: /)
    const signed = await create({ metadataXml: signMetadata(offering([old]), publisher), pinnedCertificates: [publisher.certificate] })
    expect(signed.status).toBe(201)
  })
})

describe('a change is looked at, then applied', () => {
  it('tells what would change and writes nothing; the apply writes that, keeps the old key for a while and is in the trail', async () => {
    const id = await idOf({ metadataXml: offering([old]), configuration: { groupsAttribute: 'memberOf' } })
    const metadataXml = offering([fresh], { ssoUrl: 'https://idp.example/v2' })
    const preview = await call('POST', `${connections}/${id}/metadata/preview`, { metadataXml })
    expect(preview.body.change).toMatchObject({
      entityId: null,
      ssoUrl: { from: 'https://idp.example/sso', to: 'https://idp.example/v2' },
      certificates: { added: [{ fingerprint: fingerprintOf(fresh) }], removed: [{ fingerprint: fingerprintOf(old) }], kept: [] },
    })
    expect((await call('GET', `${connections}/${id}`)).body.configuration).toMatchObject({ certificates: [old] })

    const { digest } = preview.body.diagnosis
    const applied = await call('POST', `${connections}/${id}/metadata/apply`, { metadataXml, digest })
    expect(applied.body).toMatchObject({
      configuration: { certificates: [fresh, old], ssoUrl: 'https://idp.example/v2', groupsAttribute: 'memberOf' },
      source: { withdrawnCertificates: [{ fingerprint: fingerprintOf(old) }] },
    })
    expect((await call('GET', `${connections}/${id}`)).body.configuration).toEqual(applied.body.configuration)
    expect(await trail('connection.metadata_applied')).toMatchObject({ connectionId: id, detail: { digest, keepOld: true } })
  })

  it('sets up single logout with keys of ours to sign it, and another entity is told of none', async () => {
    const id = await idOf({ metadataXml: offering([old]) })
    const slo = '<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/slo"/>'
    const apply = async (metadataXml: string) => {
      const { diagnosis } = (await call('POST', `${connections}/${id}/metadata/preview`, { metadataXml })).body
      return call('POST', `${connections}/${id}/metadata/apply`, { metadataXml, digest: diagnosis.digest })
    }
    const { body } = await apply(offering([old], { inside: slo }))
    const at = 'https://idp.example/slo'
    expect(body.configuration).toMatchObject({ sloUrl: at, sloResponseUrl: at, sloBinding: 'redirect' })
    expect(body.change).toMatchObject({ sloUrl: { from: null, to: at }, ssoUrl: null })
    const { signingKeys } = (await call('GET', '/tenants/acme/signing-keys')).body
    expect(signingKeys.some(({ purpose }: { purpose: string }) => purpose === 'saml')).toBe(true)
    expect((await apply(offering([fresh], { entityId: 'urn:another' }))).body.configuration).not.toHaveProperty('sloUrl')
  })

  it('drops the old key at once where it was stolen, or where it is another entity’s', async () => {
    const id = await idOf({ metadataXml: offering([old]) })
    const apply = async (metadataXml: string, more = {}) => {
      const { diagnosis } = (await call('POST', `${connections}/${id}/metadata/preview`, { metadataXml })).body
      return call('POST', `${connections}/${id}/metadata/apply`, { metadataXml, digest: diagnosis.digest, ...more })
    }
    const stolen = await apply(offering([fresh]), { keepOldCertificates: false })
    expect(stolen.body.configuration.certificates).toEqual([fresh])
    const another = await apply(offering([old], { entityId: 'urn:another' }))
    expect(another.body).toMatchObject({
      configuration: { idpEntityId: 'urn:another', certificates: [old] },
      source: { nextFetchAt: null },
    })
  })

  it('refuses a document that is not the one that was looked at', async () => {
    served = offering([old])
    const id = await idOf({ metadataUrl: url })
    const { digest } = (await call('POST', `${connections}/${id}/metadata/preview`, { metadataUrl: url })).body.diagnosis
    served = offering([fresh], { ssoUrl: 'https://evil.example/sso' })
    const applied = await call('POST', `${connections}/${id}/metadata/apply`, { metadataUrl: url, digest })
    expect(applied).toMatchObject(refused(409, 'metadata_moved'))
    expect((await call('GET', `${connections}/${id}`)).body.configuration).toMatchObject({ certificates: [old] })
  })

  it('refuses what cannot be used, and what would make a connection that does not parse', async () => {
    const id = await idOf({ metadataXml: offering([old]) })
    const sp =
      '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:sp"><md:SPSSODescriptor/></md:EntityDescriptor>'
    const preview = await call('POST', `${connections}/${id}/metadata/preview`, { metadataXml: sp })
    expect(preview.body).toMatchObject({ change: null, diagnosis: { usable: false } })
    const { digest } = preview.body.diagnosis
    const applied = await call('POST', `${connections}/${id}/metadata/apply`, { metadataXml: sp, digest })
    expect(applied.body.errors[0].message).toMatch(/^role_sp_only: /)
  })
})

describe('the address', () => {
  it('is asked at once on demand, and no more once it is forgotten; what is configured stays', async () => {
    served = offering([old])
    const id = await idOf({ metadataUrl: url })
    expect((await call('POST', `${connections}/${id}/metadata/refetch`)).status).toBe(202)
    const source = (await call('GET', `${connections}/${id}/metadata`)).body
    expect(Date.parse(source.nextFetchAt)).toBeLessThanOrEqual(Date.now())
    expect((await call('DELETE', `${connections}/${id}/metadata`)).status).toBe(204)
    expect(await trail('connection.metadata_source_removed')).toMatchObject({ connectionId: id })
    expect(await call('POST', `${connections}/${id}/metadata/refetch`)).toMatchObject(refused(404, 'not_found'))
    expect((await call('GET', `${connections}/${id}`)).body.configuration).toMatchObject({ certificates: [old] })
  })

  it('is kept when the configuration is written by hand, and its next answer is compared whole', async () => {
    served = offering([old])
    const id = await idOf({ metadataUrl: url })
    const configuration = { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [fresh] }
    const withdrawn = JSON.stringify([{ fingerprint: fingerprintOf(fresh), at: 0 }])
    await asOwner(db.ownerUrl, 'UPDATE metadata_sources SET withdrawn = $2 WHERE connection_id = $1', [id, withdrawn])
    await call('PUT', `${connections}/${id}`, { kind: 'saml', name: 'By hand', configuration })
    const [row] = await asOwner(db.ownerUrl, 'SELECT url, etag, withdrawn FROM metadata_sources WHERE connection_id = $1', [id])
    expect(row).toEqual({ url, etag: null, withdrawn: [] })
  })
})

describe('who may', () => {
  const paths = (id: string) => [
    ['POST', `${connections}/diagnose-metadata`, { metadataXml: 'x' }],
    ['POST', `${connections}/${id}/metadata/preview`, { metadataXml: 'x' }],
    ['POST', `${connections}/${id}/metadata/apply`, { metadataXml: 'x', digest: 'x' }],
    ['POST', `${connections}/${id}/metadata/refetch`, undefined],
    ['DELETE', `${connections}/${id}/metadata`, undefined],
  ]
  it('is whoever may impersonate in this tenant, and nobody else', async () => {
    const id = await idOf({ metadataXml: offering([old]) })
    const keyWith = async (permissions: readonly string[], tenant: string) =>
      (await call('POST', '/admin-keys', { name: 'x', permissions, expiresAt: '2099-01-01T00:00:00Z', tenant })).body.secret as string
    const support = await keyWith(['configuration:read', 'configuration:write', 'audit:read', 'revoke'], 'acme')
    const foreign = await keyWith(['configuration:read', 'impersonate'], 'globex')
    for (const [method, path, body] of paths(id)) {
      expect(await call(method as string, path as string, body, support)).toMatchObject(refused(403, 'permission_missing'))
      expect(await call(method as string, path as string, body, foreign)).toMatchObject(refused(404, 'other_tenant'))
    }
    expect(await call('GET', `/tenants/globex/connections/${id}/metadata`, undefined, foreign)).toMatchObject(refused(404, 'not_found'))
    const body = { metadataXml: offering([old]) }
    expect(await call('POST', `/tenants/globex/connections/${id}/metadata/preview`, body, foreign)).toMatchObject(refused(404, 'not_found'))
  })
})
