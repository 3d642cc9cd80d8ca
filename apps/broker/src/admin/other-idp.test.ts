/** A connection that is turned to another IdP keeps nothing that the old one said; any other change of it ends nothing. */
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { aKey, plainMetadata } from '@drawbridge/upstream/saml/fixtures/vendor-metadata'
import { digestOfDocument } from '@drawbridge/upstream/saml/metadata-document'
import { afterAll, beforeAll, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const stateOf = async (id: string) => {
  const read = `SELECT epoch, disabled_at IS NULL AS enabled, barrier_at IS NULL AS ageless,
      (SELECT count(*)::int FROM outbox WHERE tenant_id = $1 AND payload->>'targetId' = $2::text) AS told
    FROM connections WHERE tenant_id = $1 AND id = $2::uuid`
  return (await asOwner(fixture.ownerUrl, read, [acme.tenantId, id]))[0]
}
/** Sessions, grants and trips to the IdP carry the epoch; how old a sign-in at the new IdP may be is not asked. */
const ended = { epoch: 2, enabled: true, ageless: true, told: 1 }
const untouched = { epoch: 1, enabled: true, ageless: true, told: 0 }

const oidc = { issuer: 'https://idp.example', clientId: 'x' }

it.each([
  { change: 'its client id', to: { ...oidc, clientId: 'y' }, ends: false },
  { change: 'what is asked of it', to: { ...oidc, prompt: 'login' }, ends: false },
  { change: 'its issuer', to: { ...oidc, issuer: 'https://other.example' }, ends: true },
  { change: 'where its document is', to: { ...oidc, discoveryUrl: 'https://elsewhere.example/openid' }, ends: true },
  {
    change: 'nothing, its document being said where it is by default',
    to: { ...oidc, discoveryUrl: 'https://idp.example/.well-known/openid-configuration' },
    ends: false,
  },
  { change: 'whose domains of a shared issuer', to: { ...oidc, hostedDomains: ['other.example'] }, ends: true },
])('a change of $change ends what was opened through it: $ends', async ({ to, ends }) => {
  const made = await call('POST', '/tenants/acme/connections', { kind: 'oidc', name: 'IdP', configuration: oidc })
  const changed = await call('PUT', `/tenants/acme/connections/${made.body.id}`, { kind: 'oidc', name: 'IdP', configuration: to })
  expect(changed.status).toBe(200)
  expect(await stateOf(made.body.id)).toEqual(ends ? ended : untouched)
})

it('metadata of another entity ends it; new keys of the same one do not', async () => {
  const describe = () => plainMetadata({ certificates: [aKey().certificate] })
  const made = await call('POST', '/tenants/acme/connections', { kind: 'saml', name: 'IdP', metadataXml: describe() })
  const apply = async (metadataXml: string) => {
    const body = { metadataXml, digest: digestOfDocument(metadataXml) }
    expect((await call('POST', `/tenants/acme/connections/${made.body.id}/metadata/apply`, body)).status).toBe(200)
  }
  await apply(describe())
  expect(await stateOf(made.body.id)).toEqual(untouched)
  await apply(describe().replace(/entityID="[^"]*"/, 'entityID="https://other.example/saml"'))
  expect(await stateOf(made.body.id)).toEqual(ended)
})
