/** A drill gives tokens that open nothing to somebody who does not exist, through the doors that everybody's tokens pass; and gives nobody else's. */
import { type Instant, instant } from '@drawbridge/core/instant'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenClient, type TokenClient } from '@drawbridge/testkit/a-token-client'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'

let now: Instant = instant(1_800_000_000_000)
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let globex: ATenant
let client: TokenClient
let call: Call
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, { clock: { now: () => now } })
  client = aTokenClient(broker, acme)
  call = anAdmin(broker)
  await aTokenKey(fixture, broker, acme)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const owner = <Row = Record<string, unknown>>(text: string, ...parameters: unknown[]) => asOwner<Row>(fixture.ownerUrl, text, parameters)
const asked = (more: object = {}) => ({ connectionId: acme.connectionId, resource: acme.resource, ...more })
const begin = (more: object = {}, key?: string) => call('POST', '/tenants/acme/drills', asked(more), key)
async function redeemed(more: object = {}) {
  const { status, body } = await begin(more)
  expect(status).toBe(201)
  const form = { grant_type: 'authorization_code', redirect_uri: body.redirectUri, code: body.code, code_verifier: body.codeVerifier }
  return { ...(await client.post('token', { ...form, client_id: body.clientId })), subjectId: body.subjectId as string }
}
const refresh = (refresh_token: string) =>
  client.post('token', { grant_type: 'refresh_token', refresh_token, client_id: 'drawbridge-drill' })

it('gives living tokens that open nothing, which end with the person, and by themselves within minutes', async () => {
  const tokens = await redeemed()
  expect(tokens).toMatchObject({ scope: 'drawbridge:drill' })
  expect(await client.introspect(tokens.access_token)).toMatchObject({
    active: true,
    scope: 'drawbridge:drill',
    sub: tokens.subjectId,
    aud: acme.resource,
  })
  const rotated = await refresh(tokens.refresh_token)
  expect(await client.introspect(rotated.access_token)).toMatchObject({ active: true, scope: 'drawbridge:drill' })
  expect((await call('POST', `/tenants/acme/subjects/${tokens.subjectId}/kill`, { reason: 'drill' })).status).toBe(200)
  expect(await client.introspect(rotated.access_token)).toEqual({ active: false })
  expect(await refresh(rotated.refresh_token)).toMatchObject({ error: 'invalid_grant' })
  const left = await redeemed()
  now = instant(now + 301_000)
  expect(await client.introspect(left.access_token)).toEqual({ active: false })
  expect(await refresh(left.refresh_token)).toMatchObject({ error: 'invalid_grant' })
})

it('asks for more in vain: neither its refresh nor a sign-in for its client gives a scope', async () => {
  const tokens = await redeemed()
  const wider = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, client_id: 'drawbridge-drill', scope: 'read' }
  expect(await client.post('token', wider)).toMatchObject({ error: 'invalid_scope' })
  const query = new URLSearchParams({
    client_id: 'drawbridge-drill',
    redirect_uri: 'urn:drawbridge:drill',
    response_type: 'code',
    scope: 'read',
  })
  const answer = await fetch(`${broker.url}/t/acme/authorize?${query}`, { redirect: 'manual' })
  expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
})

it('is linked to a user whom the directory made for it, and to nobody whom anybody is', async () => {
  const made = await aScimUser(fixture, acme, 'Drill-1@Drill.invalid')
  const { subjectId } = await redeemed({ scimUserId: made })
  expect(await owner('SELECT scim_user_id, stable_id FROM subjects WHERE id = $1', subjectId)).toEqual([
    { scim_user_id: made, stable_id: `drill-${subjectId}` },
  ])
  const refused = { status: 409, body: { type: 'urn:drawbridge:error:drill_impossible' } }
  expect(await begin({ scimUserId: made })).toMatchObject(refused)
  for (const other of [
    await aScimUser(fixture, acme, 'ada@acme.example'),
    await aScimUser(fixture, acme, 'ada@drill.invalid.acme.example'),
    await aScimUser(fixture, acme, 'gone@drill.invalid', { deleted: true }),
    await aScimUser(fixture, acme, 'off@drill.invalid', { active: false }),
    await aScimUser(fixture, globex, 'hers@drill.invalid'),
  ])
    expect(await begin({ scimUserId: other })).toMatchObject(refused)
})

it('is for what the tenant has, where it is switched on, and for whoever may let somebody in', async () => {
  for (const change of [{ resource: 'https://elsewhere.example' }, { resource: globex.resource }, { connectionId: globex.connectionId }])
    expect(await begin(change)).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:reference_unknown' } })
  const key = { name: 'k', permissions: ['revoke', 'audit:read', 'configuration:write'], tenant: 'acme', expiresAt: '2099-01-01T00:00:00Z' }
  const { secret } = (await call('POST', '/admin-keys', key)).body
  expect((await begin({}, secret)).status).toBe(403)
  const declare = 'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier) VALUES ($1, $2, $3, $3, $4)'
  await owner(declare, acme.tenantId, acme.resourceId, 'drawbridge:drill', 'admin')
  broker.deps.configuration.invalidate(acme.tenantId)
  expect(await begin()).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:drill_impossible' } })
  await owner("DELETE FROM resource_scopes WHERE name = 'drawbridge:drill'")
  broker.deps.configuration.invalidate(acme.tenantId)
  await owner('UPDATE connections SET disabled_at = now() WHERE id = $1', acme.connectionId)
  expect(await begin()).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:drill_impossible' } })
  await owner('UPDATE connections SET disabled_at = NULL WHERE id = $1', acme.connectionId)
  await owner("UPDATE clients SET blocked_at = now() WHERE client_id = 'drawbridge-drill'")
  expect(await begin()).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:drill_impossible' } })
  await owner("UPDATE clients SET blocked_at = NULL WHERE client_id = 'drawbridge-drill'")
})

it('stands in the trail of the tenant with the key that ordered it', async () => {
  const [line] = await owner<{ detail: object }>("SELECT detail FROM audit_events WHERE kind = 'drill.begun' ORDER BY id DESC LIMIT 1")
  expect(line?.detail).toMatchObject({ adminKey: expect.any(String), resource: acme.resource })
})
