/** What every broker holds in memory for a tenant is counted: a tenant's own key cannot fill the processes that serve everybody. */
import { tenantLimits } from '@drawbridge/core/tenant/tenant-limits'
import { anAssertionKey } from '@drawbridge/testkit/an-assertion-company'
import { type SetUpPages, setUpPages } from '@drawbridge/testkit/set-up-pages'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { digestOfDocument } from '@drawbridge/upstream/saml/metadata-document'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

const key = anAssertionKey()
let pages: SetUpPages
beforeAll(async () => {
  pages = await setUpPages()
})
afterAll(() => pages?.close())
beforeEach(async () => {
  for (const table of ['domains', 'setup_links', 'connections']) await pages.owner(`DELETE FROM ${table} WHERE tenant_id = ${tenant}`)
})

const tenant = `(SELECT id FROM tenants WHERE slug = 'initech')`
const oidc = { issuer: 'https://idp.example', clientId: 'x' }
const rows = {
  connections: `INSERT INTO connections (tenant_id, id, kind, name, configuration, disabled_at, created_at)
    SELECT ${tenant}, gen_random_uuid(), 'oidc', 'IdP', '{}', now(), now() FROM generate_series(1, $1)`,
  assertionTrusts: `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at)
    SELECT ${tenant}, gen_random_uuid(), 'assertion', 'IdP', '{}', now() FROM generate_series(1, $1)`,
  resources: `INSERT INTO resources (tenant_id, id, identifier, name, created_at)
    SELECT ${tenant}, gen_random_uuid(), 'https://r' || i || '.initech.example', 'R', now() FROM generate_series(1, $1) AS i`,
  domains: `INSERT INTO domains (tenant_id, domain, created_at) SELECT ${tenant}, 'd' || i || '.example', now() FROM generate_series(1, $1) AS i`,
} as const
const weight = `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at)
  VALUES (${tenant}, gen_random_uuid(), 'oidc', 'IdP', jsonb_build_object('x', repeat('x', $1)), now())`
const full = (path: string) => ({ status: 409, body: { type: 'urn:drawbridge:error:tenant_full', errors: [{ path }] } })
const call: SetUpPages['call'] = (method, path, body) => pages.call(method, `/tenants/initech${path}`, body)
const connection = (configuration: object = oidc) => ({ kind: 'oidc', name: 'IdP', configuration })
const trust = (issuer: string) => ({ name: 'IdP', configuration: { issuer, jwks: { keys: [key.jwk] } } })

it('the last connection has room and the next has none, killed ones counted: tenant_full', async () => {
  await pages.owner(rows.connections, tenantLimits.connections - 1)
  const both = await Promise.all([call('POST', '/connections', connection()), call('POST', '/connections', connection())])
  expect(both.map(({ status }) => status).toSorted()).toEqual([201, 409])
  expect(await call('POST', '/connections', connection())).toMatchObject(full('connections'))
})

it('so it is with trusts, which are counted by themselves', async () => {
  await pages.owner(rows.connections, tenantLimits.connections)
  await pages.owner(rows.assertionTrusts, tenantLimits.assertionTrusts - 1)
  expect((await call('POST', '/assertion-trusts', trust('https://one.example'))).status).toBe(201)
  expect(await call('POST', '/assertion-trusts', trust('https://two.example'))).toMatchObject(full('assertionTrusts'))
})

it('with domains, by an admin and by a set-up link alike', async () => {
  await pages.owner(rows.domains, tenantLimits.domains - 1)
  expect((await call('POST', '/domains', { domain: 'last.example' })).status).toBe(201)
  expect(await call('POST', '/domains', { domain: 'more.example' })).toMatchObject(full('domains'))
  const { browser, page } = await pages.opened('initech')
  const { text } = await browser.ask('/domains', { proof: page.proof, domain: 'more.example' })
  expect(text).toContain('as many domains as it may have')
})

it('and with resources', async () => {
  await pages.owner(rows.resources, tenantLimits.resources - 1)
  await pages.owner(
    `INSERT INTO domains (tenant_id, domain, verified_at, proof, created_at) VALUES (${tenant}, 'initech.example', now(), 'vouched', now())`,
  )
  const resource = (identifier: string) => ({ identifier, name: 'R', scopes: [] })
  expect((await call('POST', '/resources', resource('https://last.initech.example'))).status).toBe(201)
  expect(await call('POST', '/resources', resource('https://more.initech.example'))).toMatchObject(full('resources'))
})

it('configurations weigh so much together and no more, whether one is made or changed', async () => {
  const { body } = await call('POST', '/connections', connection())
  await pages.owner(weight, tenantLimits.configurationBytes - 2000)
  expect((await call('PUT', `/connections/${body.id}`, connection({ ...oidc, scopes: ['openid'] }))).status).toBe(200)
  const large = { ...oidc, scopes: Array.from({ length: 60 }, (_, index) => `scope-${index}`.padEnd(60, 'x')) }
  expect(await call('PUT', `/connections/${body.id}`, connection(large))).toMatchObject(full('configuration'))
  expect(await call('POST', '/connections', connection(large))).toMatchObject(full('configuration'))
  const wide = trust('https://issuer.example')
  const clients = Array.from({ length: 60 }, (_, index) => `client-${index}`.padEnd(60, 'x'))
  expect(await call('POST', '/assertion-trusts', { ...wide, configuration: { ...wide.configuration, clients } })).toMatchObject(
    full('configuration'),
  )
  expect((await call('GET', `/connections/${body.id}`)).body.configuration.scopes).toEqual(['openid'])
})

it('metadata that is applied weighs, too', async () => {
  const metadataXml = plainMetadata({ certificates: [aKey().certificate] })
  const { body } = await call('POST', '/connections', { kind: 'saml', name: 'IdP', metadataXml })
  await pages.owner(weight, tenantLimits.configurationBytes - 600)
  const larger = plainMetadata({ certificates: [aKey().certificate, aKey().certificate] })
  const applied = await call('POST', `/connections/${body.id}/metadata/apply`, { metadataXml: larger, digest: digestOfDocument(larger) })
  expect(applied).toMatchObject(full('configuration'))
})

it('a draft of a set-up link that waits finds no room either, and waits on', async () => {
  const { link } = await pages.opened('initech')
  await pages.owner(
    `UPDATE connection_drafts SET state = 'waiting', kind = 'oidc', name = 'By IT', configuration = $2 WHERE id = $1`,
    link.draftId,
    JSON.stringify(oidc),
  )
  await pages.owner(rows.connections, tenantLimits.connections)
  const approve = async () => {
    const { body } = await call('GET', '/connection-drafts')
    const draft = body.connectionDrafts.find(({ id }: { readonly id: string }) => id === link.draftId)
    return call('POST', `/connection-drafts/${link.draftId}/approve`, { revision: draft.revision })
  }
  expect(await approve()).toMatchObject(full('connections'))
  await pages.owner(`DELETE FROM connections WHERE tenant_id = ${tenant}`)
  expect((await approve()).status).toBe(204)
})
