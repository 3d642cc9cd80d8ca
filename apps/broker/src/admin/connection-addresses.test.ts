/** What an admin reads of a connection beside its configuration: our addresses, and a revision that keeps two admins apart. */
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aKey } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { brokerEndpoints } from '../app.js'

let fixture: TestDatabase
let broker: TestBroker
let call: Call
beforeAll(async () => {
  fixture = await testDatabase()
  await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const path = '/tenants/acme/connections'
const saml = { idpEntityId: 'urn:idp', ssoUrl: 'https://idp.example/sso', certificates: [aKey().certificate] }
const oidc = { issuer: 'https://idp.example', clientId: 'x' }

/** The address of the table of endpoints that it is. */
const endpointOf = (url: string) =>
  brokerEndpoints.find((each) => new RegExp(`^${each.path.replaceAll(/:\w+/g, '[^/]+')}$`).test(new URL(url).pathname))?.path

/** Where signals of the IdP are heard. */
const heardAt = ['/t/:tenant/ssf/receivers/:connection', '/t/:tenant/global-token-revocation/:connection']

it('tells a SAML IdP’s admin entity id, ACS, metadata and where logout goes', async () => {
  const { body } = await call('POST', path, { kind: 'saml', name: 'SAML', configuration: saml })
  const { entityId, ...urls } = body.addresses
  const { acsUrl, metadataUrl } = urls
  expect(entityId).toBe(metadataUrl)
  expect(acsUrl).toContain(`/t/acme/saml/${body.id}/`)
  const at = '/t/:tenant/saml/:connection'
  const { scimBaseUrl, ...called } = urls
  expect(scimBaseUrl).toMatch(/\/t\/acme\/scim\/v2$/)
  expect(Object.values(called as Record<string, string>).map(endpointOf)).toEqual([
    ...['acs', 'metadata', 'slo', 'slo/soap'].map((last) => `${at}/${last}`),
    ...heardAt,
  ])
  const named = await call('PUT', `${path}/${body.id}`, { kind: 'saml', name: 'SAML', configuration: { ...saml, spEntityId: 'urn:us' } })
  expect(named.body.addresses).toEqual({ entityId: 'urn:us', ...urls })
})

it('tells an OpenID provider’s admin the redirect URI and where our keys are', async () => {
  const { body } = await call('POST', path, { kind: 'oidc', name: 'OIDC', configuration: oidc })
  const { redirectUri, jwksUri, scimBaseUrl, ssfPushUrl, globalTokenRevocationUrl, ...logout } = body.addresses
  expect(endpointOf(`${scimBaseUrl}/Users`)).toBe('/t/:tenant/scim/v2/Users')
  expect([ssfPushUrl, globalTokenRevocationUrl].map(endpointOf)).toEqual(heardAt)
  expect(redirectUri).toContain(`/t/acme/oidc/${body.id}/`)
  expect([redirectUri, jwksUri].map(endpointOf)).toEqual(['/t/:tenant/oidc/:connection/callback', '/t/:tenant/oidc/:connection/jwks'])
  expect(Object.fromEntries(Object.entries<string>(logout).map(([name, url]) => [name, endpointOf(url)]))).toEqual({
    backchannelLogoutUri: '/t/:tenant/oidc/:connection/backchannel-logout',
    frontchannelLogoutUri: '/t/:tenant/oidc/:connection/frontchannel-logout',
    postLogoutRedirectUri: '/t/:tenant/logout/done',
  })
  const listed = (await call('GET', path)).body.connections.find(({ id }: { id: string }) => id === body.id)
  expect(listed.addresses).toEqual(body.addresses)
})

it('keeps a change from overwriting another one that it did not see', async () => {
  const { body } = await call('POST', path, { kind: 'oidc', name: 'Two admins', configuration: oidc })
  const change = (name: string, ifRevision?: string) =>
    call('PUT', `${path}/${body.id}`, { kind: 'oidc', name, configuration: oidc, ...(ifRevision && { ifRevision }) })
  const first = await change('First', body.revision)
  expect(first).toMatchObject({ status: 200, body: { name: 'First' } })
  expect(await change('Second', body.revision)).toMatchObject({ status: 409, body: { type: expect.stringContaining('connection_moved') } })
  expect((await call('GET', `${path}/${body.id}`)).body).toMatchObject({ name: 'First', revision: first.body.revision })
  expect((await change('Second', first.body.revision)).status).toBe(200)
  expect((await change('Third')).status).toBe(200)
})

it('shows the public keys of a client, and nothing that is secret', async () => {
  const jwks = {
    keys: [
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
        y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
        kid: 'one',
      },
    ],
  }
  const client = { clientId: 'keyed', name: 'Keyed', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'private_key_jwt', jwks }
  expect((await call('POST', '/tenants/acme/clients', client)).status).toBe(201)
  expect((await call('GET', '/tenants/acme/clients/keyed')).body).toMatchObject({ jwks })
})
