/** After a restore an admin says that a directory has told of everybody: whom it has not named is listed, and stays out until it names her or he lets her in. */
import { instant } from '@drawbridge/core/instant'
import { inTenant } from '@drawbridge/store/transaction'
import { unnameAll } from '@drawbridge/store/unnamed-people'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, aCompany, anAuthorizeUrl, anIdp, aPlainBrowser } from '@drawbridge/testkit/a-login'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'

const issuer = 'http://localhost:4400/t/acme'
const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let call: Call
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const owner = <Row>(text: string, ...parameters: unknown[]) => asOwner<Row>(fixture.ownerUrl, text, parameters)
const signIn = async (sub: string) => {
  idp.says = { ...idp.says, sub }
  const browser = aPlainBrowser({ issuer, url: broker.url })
  const visited = await browser.visit(anAuthorizeUrl(issuer, acme, { connection: acme.connectionId }))
  return (await browser.comeHome(visited, acme.connectionId)).location ?? ''
}
const resynced = (body: object = {}, connection: string = acme.connectionId) =>
  call('POST', `/tenants/acme/connections/${connection}/resynced`, body)

it('lists who was not named, keeps her out, and lets her in by another word of his alone; each is in the trail', async () => {
  const ben = await aScimUser(fixture, acme, 'ben', { externalId: 'ben' })
  await owner('UPDATE scim_users SET active = false WHERE id = $1', await aScimUser(fixture, acme, 'gone'))
  await inTenant(fixture.database, acme.tenantId, (db) => unnameAll(db, acme.tenantId, [acme.connectionId], now))
  await owner('UPDATE connections SET resync_demanded_at = $2 WHERE id = $1', acme.connectionId, new Date(now))
  const listed = await resynced()
  expect(listed).toMatchObject({ status: 200, body: { keptOut: 1, letIn: 0, unnamed: [{ id: ben }] } })
  expect(await signIn('ben')).not.toContain('code=dbc_')
  const unnamed = async () => (await call('GET', '/tenants/acme/scim-users?unnamed=true')).body['scimUsers']
  expect(await unnamed()).toEqual([expect.objectContaining({ id: ben, unnamedSince: new Date(now).toISOString() })])
  expect((await resynced({ letInUnnamed: true })).body).toMatchObject({ keptOut: 0, letIn: 1, unnamed: [{ id: ben }] })
  expect(await signIn('ben')).toContain('code=dbc_')
  expect(await unnamed()).toEqual([])
  expect((await resynced()).body).toEqual({ keptOut: 0, letIn: 0, unnamed: [] })
  const trail = await owner<{ detail: object }>("SELECT detail FROM audit_events WHERE kind = 'connection.resynced' ORDER BY id")
  expect(trail.map(({ detail }) => detail)).toMatchObject([
    { keptOut: 1, letIn: 0 },
    { keptOut: 0, letIn: 1 },
    { keptOut: 0, letIn: 0 },
  ])
})

it('has somebody told to be back who was taken back while her directory was awaited, and once', async () => {
  const told = async () => (await owner("SELECT 1 FROM outbox WHERE kind = 'tell-reinstated'")).length
  await owner("UPDATE subjects SET barrier_at = last_login_at + interval '1 hour' WHERE tenant_id = $1", acme.tenantId)
  await owner('UPDATE connections SET resync_demanded_at = $2 WHERE id = $1', acme.connectionId, new Date(now))
  const before = await told()
  const [people] = await owner<{ n: number }>('SELECT count(*)::int AS n FROM subjects WHERE tenant_id = $1', acme.tenantId)
  expect(people?.n).toBeGreaterThan(0)
  for (const _time of [1, 2]) {
    expect((await resynced()).status).toBe(200)
    expect((await told()) - before).toBe(people?.n)
  }
})

it('knows no connection of another, and no word that it was not given', async () => {
  const other = await aCompany(fixture, 'globex', now)
  expect((await resynced({ letInUnnamed: true }, other.connectionId)).status).toBe(404)
  expect((await resynced({ letInEverybody: true })).status).toBe(400)
})
