/** An admin's word on who somebody is in the directory: it ends what was issued, and opens no door. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { listEndedSubjectsAcrossTenants } from '@drawbridge/store/end-dates'
import { markProvisioningMode } from '@drawbridge/store/tenants'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type AnIdp, aCompany, anAuthorizeUrl, anIdp, anotherConnection, aPlainBrowser } from '@drawbridge/testkit/a-login'
import { aScimUser } from '@drawbridge/testkit/a-scim-user'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const issuer = 'http://localhost:4400/t/acme'
let now: Instant = instant(1_800_000_000_000)
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let acme: ATenant
let globex: ATenant
let call: Call
let lisbon: ConnectionId
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme', now)
  globex = await aCompany(fixture, 'globex', now)
  lisbon = await anotherConnection(fixture, acme, 'Lisbon')
  idp = anIdp(() => now)
  broker = await aBroker(fixture.database, { clock: { now: () => now }, connectorFor: idp.connectorFor })
  call = anAdmin(broker)
  await inTenant(fixture.database, acme.tenantId, (db) => markProvisioningMode(db, acme.tenantId, 'just_in_time'))
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  now = addSeconds(now, 60)
})

const owner = <Row extends Record<string, unknown>>(text: string, ...parameters: unknown[]) =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const aBrowser = () => aPlainBrowser({ issuer, url: broker.url })
const signIn = async (sub: string, browser = aBrowser(), connectionId = acme.connectionId) => {
  idp.says = { ...idp.says, sub }
  return browser.comeHome(await browser.visit(anAuthorizeUrl(issuer, acme, { connection: connectionId })), connectionId)
}
const subjectOf = async (sub: string) => {
  const [row] = await owner<{ id: string; epoch: number; scim_user_id: string | null; deactivated_at: Date | null }>(
    'SELECT id, epoch, scim_user_id, deactivated_at FROM subjects WHERE tenant_id = $1 AND stable_id = $2',
    ...[acme.tenantId, sub],
  )
  return row as NonNullable<typeof row>
}
/** Somebody who has signed in, with a session and a grant. */
async function aPerson(sub: string) {
  const browser = aBrowser()
  expect((await signIn(sub, browser)).location).toContain('code=dbc_')
  return { browser, id: (await subjectOf(sub)).id }
}
const change = (id: string, verb: 'link' | 'unlink', body: object = {}, tenant = 'acme') =>
  call('POST', `/tenants/${tenant}/subjects/${id}/${verb}`, { reason: 'her key was mistyped', ...body })
const deactivate = (scimUserId: string) => owner('UPDATE scim_users SET active = false WHERE id = $1', scimUserId)

it('links whom the key did not link, ends what was issued until then, and a later deactivation hits her', async () => {
  const { browser, id } = await aPerson('ada')
  const scimUserId = await aScimUser(fixture, acme, 'ada@acme.example')
  const { epoch } = await subjectOf('ada')
  now = addSeconds(now, 5)
  const answer = await change(id, 'link', { scimUserId })
  expect(answer).toMatchObject({ status: 200, body: { subjectId: id, scimUserId, epoch: epoch + 1, deactivated: false } })
  expect((await subjectOf('ada')).scim_user_id).toBe(scimUserId)
  // The session of before answers nothing: she is sent to her IdP.
  expect((await browser.visit(anAuthorizeUrl(issuer, acme, { connection: acme.connectionId }))).location).toContain('https://idp.example')
  const living = await owner(
    `SELECT 1 FROM grants g JOIN subjects s ON s.tenant_id = g.tenant_id AND s.id = g.subject_id WHERE s.id = $1 AND g.subject_epoch >= s.epoch`,
    id,
  )
  expect(living).toEqual([])
  now = addSeconds(now, 5)
  expect((await signIn('ada')).location).toContain('code=dbc_')
  const receipts = (await call('GET', '/tenants/acme/revocations')).body.revocations
  expect(receipts).toContainEqual(expect.objectContaining({ eventId: answer.body.eventId, target: 'subject', targetId: id, matched: true }))
  await deactivate(scimUserId)
  now = addSeconds(now, 5)
  expect((await signIn('ada')).text).toContain('subject_deactivated')
})

it('said again changes nothing and ends nothing', async () => {
  const { id } = await aPerson('again')
  const scimUserId = await aScimUser(fixture, acme, 'again@acme.example')
  const first = await change(id, 'link', { scimUserId })
  expect(await change(id, 'link', { scimUserId })).toMatchObject({ status: 200, body: { eventId: null, epoch: first.body.epoch } })
  const unlinked = await change(id, 'unlink')
  expect(unlinked.body).toMatchObject({ scimUserId: null, epoch: first.body.epoch + 1 })
  expect(await change(id, 'unlink')).toMatchObject({ status: 200, body: { eventId: null, epoch: unlinked.body.epoch } })
})

it('to an inactive user deactivates at once, and another link does not let her back in', async () => {
  const { id } = await aPerson('leaver')
  const gone = await aScimUser(fixture, acme, 'leaver@acme.example', { active: false })
  expect((await change(id, 'link', { scimUserId: gone })).body).toMatchObject({ deactivated: true })
  const here = await aScimUser(fixture, acme, 'leaver2@acme.example')
  expect((await change(id, 'link', { scimUserId: here })).body).toMatchObject({ deactivated: true })
  await change(id, 'unlink')
  now = addSeconds(now, 5)
  expect((await signIn('leaver')).text).toContain('subject_deactivated')
  expect((await subjectOf('leaver')).deactivated_at).not.toBeNull()
})

it('to one whose end has come ends what was issued by itself: nobody waits for a second barrier, and another end later has one of its own', async () => {
  const { id } = await aPerson('over')
  const scimUserId = await aScimUser(fixture, acme, 'over@acme.example')
  await owner('UPDATE scim_users SET ends_at = $2 WHERE id = $1', scimUserId, new Date(now - 1000))
  await change(id, 'link', { scimUserId })
  const isUntold = async () =>
    (await acrossTenants(fixture.database, (db) => listEndedSubjectsAcrossTenants(db, now, 1000))).some((one) => one.id === id)
  expect(await isUntold()).toBe(false)
  await change(id, 'unlink')
  await owner('UPDATE scim_users SET ends_at = $2 WHERE id = $1', scimUserId, new Date(now + 1000))
  await change(id, 'link', { scimUserId })
  now = addSeconds(now, 5)
  expect(await isUntold()).toBe(true)
})

describe('an ambiguity', () => {
  it('of a user whom a wrong subject has is resolved by taking that link away: the key then links the right one', async () => {
    const wrong = await aPerson('wrong')
    const scimUserId = await aScimUser(fixture, acme, 'right@acme.example', { externalId: 'right' })
    await change(wrong.id, 'link', { scimUserId })
    expect((await signIn('right')).text).toContain('subject_not_provisioned')
    expect((await change(wrong.id, 'unlink')).status).toBe(200)
    now = addSeconds(now, 5)
    expect((await signIn('right')).location).toContain('code=dbc_')
    expect((await subjectOf('right')).scim_user_id).toBe(scimUserId)
  })
  it('of a person whom her key and her link name differently is refused until the link is the key’s', async () => {
    const { id } = await aPerson('moved')
    const old = await aScimUser(fixture, acme, 'moved-before@acme.example')
    await change(id, 'link', { scimUserId: old })
    const fresh = await aScimUser(fixture, acme, 'moved-now@acme.example', { externalId: 'moved' })
    now = addSeconds(now, 5)
    expect((await signIn('moved')).text).toContain('subject_not_provisioned')
    expect((await change(id, 'link', { scimUserId: fresh })).status).toBe(200)
    now = addSeconds(now, 5)
    expect((await signIn('moved')).location).toContain('code=dbc_')
  })
})

describe('a link is refused', () => {
  it('to a user whom another subject has', async () => {
    const [first, second] = [await aPerson('first'), await aPerson('second')]
    const scimUserId = await aScimUser(fixture, acme, 'one@acme.example')
    await change(first.id, 'link', { scimUserId })
    const { epoch } = await subjectOf('second')
    expect(await change(second.id, 'link', { scimUserId })).toMatchObject({
      status: 409,
      body: { type: 'urn:drawbridge:error:scim_user_linked' },
    })
    expect((await subjectOf('second')).epoch).toBe(epoch)
  })
  it('to a deleted user, to one of another connection or tenant, to nobody', async () => {
    const { id } = await aPerson('lonely')
    const users = [
      await aScimUser(fixture, acme, 'deleted@acme.example', { deleted: true, active: false }),
      await aScimUser(fixture, acme, 'lisbon@acme.example', { connectionId: lisbon }),
      await aScimUser(fixture, globex, 'ada@globex.example'),
      '00000000-0000-4000-8000-000000000000',
    ]
    for (const scimUserId of users)
      expect(await change(id, 'link', { scimUserId })).toMatchObject({
        status: 409,
        body: { type: 'urn:drawbridge:error:reference_unknown' },
      })
    expect((await subjectOf('lonely')).scim_user_id).toBeNull()
  })
  it('of nobody, and of somebody of another tenant', async () => {
    const { id } = await aPerson('ours')
    const scimUserId = await aScimUser(fixture, globex, 'theirs@globex.example')
    for (const [subject, tenant] of [
      ['nobody', 'acme'],
      ['00000000-0000-4000-8000-000000000000', 'acme'],
      [id, 'globex'],
    ] as const)
      for (const verb of ['link', 'unlink'] as const)
        expect((await change(subject, verb, verb === 'link' ? { scimUserId } : {}, tenant)).status).toBe(404)
  })
  it('to whoever may revoke, but not impersonate', async () => {
    const expiresAt = '2099-01-01T00:00:00Z'
    const key = { name: 'support', permissions: ['revoke', 'audit:read', 'configuration:write'], expiresAt }
    const { body } = await call('POST', '/admin-keys', key)
    const { id } = await aPerson('supported')
    for (const verb of ['link', 'unlink'])
      expect((await call('POST', `/tenants/acme/subjects/${id}/${verb}`, { reason: 'x' }, body.secret)).status).toBe(403)
  })
})

it('two logins of one person by two connections are two subjects, and no link makes them one', async () => {
  const { id } = await aPerson('twofold')
  expect((await signIn('twofold', aBrowser(), lisbon)).location).toContain('code=dbc_')
  const rows = await owner<{ id: string; connection_id: string }>(
    'SELECT id, connection_id FROM subjects WHERE tenant_id = $1 AND stable_id = $2',
    ...[acme.tenantId, 'twofold'],
  )
  expect(new Set(rows.map((row) => row.connection_id))).toEqual(new Set([acme.connectionId, lisbon]))
  const scimUserId = await aScimUser(fixture, acme, 'twofold@acme.example')
  await change(id, 'link', { scimUserId })
  const other = rows.find((row) => row.id !== id)?.id ?? ''
  expect((await change(other, 'link', { scimUserId })).status).toBe(409)
})

it('the directory’s users are listed with whom each is, by name without case or by externalId', async () => {
  const { id } = await aPerson('listed')
  const scimUserId = await aScimUser(fixture, acme, 'Listed@acme.example', { externalId: 'x-listed' })
  await change(id, 'link', { scimUserId })
  for (const query of ['userName=LISTED@acme.example', 'externalId=x-listed']) {
    const { body } = await call('GET', `/tenants/acme/scim-users?${query}`)
    expect(body.scimUsers).toEqual([expect.objectContaining({ id: scimUserId, subjectId: id, active: true, deletedAt: null })])
  }
  expect((await call('GET', '/tenants/globex/scim-users?externalId=x-listed')).body.scimUsers).toEqual([])
})
