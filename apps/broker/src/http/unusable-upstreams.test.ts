/** A row that leads to this machine, however it came there, admits nobody where the installation is public, and ends nothing for anybody else. */
import { readEnv } from '@drawbridge/runtime/env'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAssertionKey } from '@drawbridge/testkit/an-assertion-company'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createConfigurationCache, type ResolvedTenant, usableConnections } from './tenant.js'

const key = anAssertionKey()
let fixture: TestDatabase
let acme: ATenant
let broker: TestBroker
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme', publicUrl: 'https://login.example.com' })
  broker = await aBroker(fixture.database, { settings: readEnv({ DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com' }) })
  await asOwner(fixture.ownerUrl, `UPDATE connections SET disabled_at = now()`)
  await add('oidc', 'Desk', { issuer: 'http://127.0.0.1:4410/globex', clientId: 'x' })
  await add('oidc', 'Company', { issuer: 'https://idp.example', clientId: 'x' })
  await add('assertion', 'Desk', { issuer: 'https://desk.example', jwksUri: 'http://localhost:4410/keys' })
  await add('assertion', 'Company', { issuer: 'http://localhost/only-a-name', jwks: { keys: [key.jwk] } })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const add = (kind: string, name: string, configuration: object) =>
  asOwner(
    fixture.ownerUrl,
    'INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, gen_random_uuid(), $2, $3, $4, now())',
    [acme.tenantId, kind, name, configuration],
  )

async function load(publicUrl: string) {
  const metrics = createMetrics({ withProcess: false })
  const settings = { publicUrl }
  const cache = createConfigurationCache({ ...broker.deps, settings, metrics, installationId: broker.deps.installation.id })
  const tenant = (await cache.find('acme')) as ResolvedTenant
  return { tenant, told: await metrics.print() }
}

it('nobody is sent to it, its assertions are not accepted, and an alarm says so; the rest of the tenant goes on', async () => {
  const { tenant, told } = await load('https://login.example.com')
  expect(usableConnections(tenant).map(({ name }) => name)).toEqual(['Company'])
  expect(tenant.connections.find(({ name }) => name === 'Desk')?.configuration).toMatchObject({
    ok: false,
    error: { reason: 'connection_url_loopback', detail: { member: 'issuer' } },
  })
  expect(tenant.assertionTrusts.map(({ name }) => name)).toEqual(['Company'])
  // One connection and one trust; the one that is off is nobody's alarm.
  expect(told).toContain('drawbridge_unusable_upstreams_total{reason="connection_url_loopback"} 2')
  expect(told).not.toContain('reason="connection_configuration_invalid"')
})

it('on this machine alone both are good', async () => {
  const { tenant, told } = await load('http://localhost:4400')
  expect(usableConnections(tenant).map(({ name }) => name)).toEqual(['Desk', 'Company'])
  expect(tenant.assertionTrusts.map(({ name }) => name)).toEqual(['Desk', 'Company'])
  expect(told).not.toContain('reason="connection_url_loopback"')
})

it('an authorization request that names it is refused: connection_unknown', async () => {
  const [desk] = await asOwner<{ id: string }>(fixture.ownerUrl, `SELECT id FROM connections WHERE name = 'Desk' AND kind = 'oidc'`)
  const asked = new URLSearchParams({
    client_id: acme.clientId,
    redirect_uri: 'http://127.0.0.1/callback',
    response_type: 'code',
    resource: acme.resource,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    connection: desk?.id ?? '',
  })
  const answer = await fetch(`${broker.url}/t/acme/authorize?${asked}`, { redirect: 'manual' })
  expect([answer.status, answer.headers.get('location'), (await answer.text()).includes('connection_unknown')]).toEqual([404, null, true])
})
