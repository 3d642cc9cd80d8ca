/** The client secret that is kept for one IdP goes to no other: whoever turns the connection says it again, or that there is none. */
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'

let fixture: TestDatabase
let acme: ATenant
let broker: TestBroker
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

const path = '/tenants/acme/connections'
const oidc = { issuer: 'https://idp.example', clientId: 'x' }
const tenantIds = ['11111111-2222-4333-8444-555555555555']
const draft = (configuration: object, more: object = {}) => ({ kind: 'oidc', name: 'IdP', configuration, ...more })
const made = async (configuration: object): Promise<string> =>
  `${path}/${(await call('POST', path, draft(configuration, { clientSecret: 'of-the-old' }))).body.id}`

async function secretOf(at: string): Promise<string | undefined> {
  const id = at.slice(path.length + 1)
  const [row] = await asOwner<{ sealed_secret: Buffer | null }>(fixture.ownerUrl, 'SELECT sealed_secret FROM connections WHERE id = $1', [
    id,
  ])
  if (!row?.sealed_secret) return undefined
  const place = { tenant: acme.tenantId, table: 'connections', column: 'sealed_secret', row: id }
  const opened = broker.deps.sealer.open(row.sealed_secret, { installation: broker.deps.installation.id, ...place })
  return opened.ok ? opened.value.toString('utf8') : 'does not open'
}

const changes = [
  { what: 'the issuer', to: { ...oidc, issuer: 'https://other.example' } },
  { what: 'where its document is', to: { ...oidc, discoveryUrl: 'https://other.example/openid' } },
  { what: 'who gives tokens for Graph', to: { ...oidc, tenantIds, graph: { tokenUrl: 'https://other.example/{tenantid}/token' } } },
  { what: 'whose Graph is sent such a token', to: { ...oidc, tenantIds, graph: { url: 'https://other.example/v1.0' } } },
]

it.each(changes)('a change of $what without the secret is refused, and nothing is written: connection_secret_needed', async ({ to }) => {
  const at = await made(oidc)
  const refused = await call('PUT', at, draft(to))
  expect(refused).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:connection_secret_needed' } })
  expect((await call('GET', at)).body).toMatchObject({ configuration: oidc, hasSecret: true })
})

it.each(changes)('with the secret, or without any from then on, $what may change', async ({ to }) => {
  const at = await made(oidc)
  expect((await call('PUT', at, draft(to, { clientSecret: 'of-the-new' }))).status).toBe(200)
  expect(await secretOf(at)).toBe('of-the-new')
  const other = await made(oidc)
  expect((await call('PUT', other, draft(to, { clientSecret: null }))).body).toMatchObject({ hasSecret: false })
})

it('neither a way round is open: not by a key in between, nor by a step through what cannot be read', async () => {
  const at = await made(oidc)
  const byKey = { ...oidc, issuer: 'https://other.example', clientAuthentication: 'private_key_jwt' }
  expect((await call('PUT', at, draft(byKey))).status).toBe(409)
  await asOwner(fixture.ownerUrl, `UPDATE connections SET configuration = '{"issuer": 7}' WHERE id = $1`, [at.slice(path.length + 1)])
  expect((await call('PUT', at, draft(oidc))).status).toBe(409)
})

it('any other change keeps it, also of what goes away', async () => {
  const at = await made({ ...oidc, tenantIds, graph: { tokenUrl: 'https://idp.example/{tenantid}/token' } })
  for (const to of [
    { ...oidc, tenantIds, prompt: 'login' },
    { ...oidc, clientId: 'y' },
    { ...oidc, tenantIds, graph: {} },
  ])
    expect((await call('PUT', at, draft(to))).status).toBe(200)
  expect(await secretOf(at)).toBe('of-the-old')
})

it('null removes it, and the trail says so', async () => {
  const at = await made(oidc)
  const byKey = { ...oidc, clientAuthentication: 'private_key_jwt' }
  expect((await call('PUT', at, draft(byKey, { clientSecret: null }))).body).toMatchObject({ hasSecret: false })
  expect(await secretOf(at)).toBeUndefined()
  const [event] = (await call('GET', '/tenants/acme/audit-events?kind=connection.updated')).body.auditEvents
  expect(event.detail).toMatchObject({ name: 'IdP', secret: 'removed' })
})
