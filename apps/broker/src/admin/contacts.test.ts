/** Whoever acts in a tenant's sign-in cannot keep its contacts from reading it: not by silencing them first, nor by acting in another's name. */
import { randomUUID } from 'node:crypto'
import { announcementLimits } from '@drawbridge/core/tenant/announcement'
import { listAnnouncements } from '@drawbridge/store/announcements'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database)
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  await asOwner(fixture.ownerUrl, 'DELETE FROM announcements')
  await asOwner(fixture.ownerUrl, 'DELETE FROM contacts')
})

const add = (name: string, email = `${name}@acme.example`, tenant = 'acme') => call('POST', `/tenants/${tenant}/contacts`, { name, email })
const told = async () => {
  const all = await inTenant(fixture.database, acme.tenantId, (db) => listAnnouncements(db, acme.tenantId, undefined, { limit: 100 }))
  return Object.fromEntries(all.map(({ recipientEmail, acts }) => [recipientEmail.split('@')[0], acts.map(({ kind }) => kind)]))
}

it('what lets its doer become somebody is told to every contact, with its name, key and address; what does not is not', async () => {
  await add('ada')
  await asOwner(fixture.ownerUrl, 'DELETE FROM announcements')
  await call('POST', '/tenants/acme/scim-tokens', { connectionId: acme.connectionId, name: 'directory' })
  await call('PATCH', '/tenants/acme', { name: 'Acme Ltd' })
  const { body } = await call('GET', '/tenants/acme/announcements?state=waiting')
  expect(body.announcements).toHaveLength(1)
  expect(body.announcements[0]).toMatchObject({
    recipientEmail: 'ada@acme.example',
    actCount: 1,
    state: 'waiting',
    acts: [{ kind: 'scim_token.created', about: 'directory', by: { isVendor: true, keyName: expect.any(String) } }],
  })
  expect(JSON.stringify(body)).not.toMatch(/db[a-z]_/)
})

it('an act that names nothing is told with the name of its connection', async () => {
  await add('ada')
  await call('POST', `/tenants/acme/connections/${acme.connectionId}/kill`, { reason: 'a test' })
  await asOwner(fixture.ownerUrl, 'DELETE FROM announcements')
  const { status } = await call('POST', `/tenants/acme/connections/${acme.connectionId}/enable`)
  expect(status).toBeLessThan(300)
  const [row] = await asOwner<{ about: string; name: string }>(
    fixture.ownerUrl,
    "SELECT acts->0->>'about' AS about, (SELECT name FROM connections WHERE id = $1) AS name FROM announcements",
    [acme.connectionId],
  )
  expect(row?.about).toBe(row?.name)
})

it('a key that can become somebody is told when it is made', async () => {
  await add('ada')
  await asOwner(fixture.ownerUrl, 'DELETE FROM announcements')
  const key = (permissions: readonly string[]) =>
    call('POST', '/admin-keys', { name: 'new', permissions, expiresAt: '2099-01-01T00:00:00Z', tenant: 'acme' })
  await key(['configuration:read'])
  expect(await told()).toEqual({})
  await key(['impersonate'])
  expect(await told()).toEqual({ ada: ['admin_key.created'] })
})

describe('contacts cannot be silenced unseen', () => {
  it('who is added is told so, and so are the others', async () => {
    await add('ada')
    await add('ben')
    expect(await told()).toEqual({ ada: ['contact.added', 'contact.added'], ben: ['contact.added'] })
  })
  it('who is removed is told so', async () => {
    const { body } = await add('ada')
    await add('ben')
    await asOwner(fixture.ownerUrl, 'DELETE FROM announcements')
    expect((await call('DELETE', `/tenants/acme/contacts/${body.id}`)).status).toBe(204)
    expect(await told()).toEqual({ ada: ['contact.removed'], ben: ['contact.removed'] })
    expect((await call('DELETE', `/tenants/acme/contacts/${body.id}`)).status).toBe(404)
  })
  it('whose address is changed is told at both', async () => {
    const { body } = await add('ada')
    await asOwner(fixture.ownerUrl, 'DELETE FROM announcements')
    const changed = await call('PUT', `/tenants/acme/contacts/${body.id}`, { name: 'Ada', email: 'Mallory@Elsewhere.example' })
    expect(changed.body).toMatchObject({ name: 'Ada', email: 'mallory@elsewhere.example' })
    expect(await told()).toEqual({ ada: ['contact.changed'], mallory: ['contact.changed'] })
  })
  it('and nothing is told of what was refused', async () => {
    await add('ada')
    await asOwner(fixture.ownerUrl, 'DELETE FROM announcements')
    expect((await add('ada')).status).toBe(409)
    expect((await call('POST', '/tenants/acme/connections', { kind: 'saml', name: 'x', configuration: {} })).status).toBe(400)
    expect(await told()).toEqual({})
  })
})

it('a tenant has a bounded number of contacts, and the next is refused: contacts_full', async () => {
  for (let index = 0; index < 20; index += 1) expect((await add(`c${index}`)).status).toBe(201)
  expect(await add('one-more')).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:contacts_full' } })
})

it('whoever names one address after the other has us write to no more than so many a day: contacts_changed_often', async () => {
  const { body: kept } = await add('ada')
  const statuses: number[] = []
  for (let index = 0; index < announcementLimits.addressesPerDay + 5; index += 1) {
    const { status, body } = await add(`victim-${index}`, `v${index}@elsewhere.example`)
    statuses.push(status)
    if (status === 201) await call('DELETE', `/tenants/acme/contacts/${body.id}`)
  }
  expect(statuses.filter((status) => status === 201)).toHaveLength(announcementLimits.addressesPerDay - 1)
  const often = { status: 409, body: { type: 'urn:drawbridge:error:contacts_changed_often' } }
  expect(await add('another')).toMatchObject(often)
  expect(await call('PUT', `/tenants/acme/contacts/${kept.id}`, { name: 'Ada', email: 'x@elsewhere.example' })).toMatchObject(often)
  expect((await call('PUT', `/tenants/acme/contacts/${kept.id}`, { name: 'Ada L.', email: 'ada@acme.example' })).status).toBe(200)
  expect((await add('again', 'v1@elsewhere.example')).status).toBe(201)
  expect((await add('ada', 'ada@globex.example', 'globex')).status).toBe(201)
})

it('a mail that was given up is listed with its reason and tried again when an admin says so; no other is: announcement_not_given_up', async () => {
  await add('ada')
  const failed = () => call('GET', '/tenants/acme/announcements?state=failed')
  const [{ id }] = (await call('GET', '/tenants/acme/announcements')).body.announcements
  const retry = (mail = id, tenant = 'acme') => call('POST', `/tenants/${tenant}/announcements/${mail}/retry`)
  const notGivenUp = { status: 409, body: { type: 'urn:drawbridge:error:announcement_not_given_up' } }
  expect(await retry()).toMatchObject(notGivenUp)
  const end =
    "UPDATE announcements SET state = 'failed', is_open = false, attempts = 9, trouble = 'no such box', ended_at = now(), expires_at = now()"
  await asOwner(fixture.ownerUrl, end)
  expect((await failed()).body.announcements).toMatchObject([{ id, trouble: 'no such box', recipientEmail: 'ada@acme.example' }])
  expect((await retry(id, 'globex')).status).toBe(404)
  expect((await retry(randomUUID())).status).toBe(404)
  expect((await retry('no-id')).status).toBe(404)
  expect(await retry()).toMatchObject({ status: 200, body: { state: 'waiting', attempts: 0, trouble: null, endedAt: null } })
  expect(await retry()).toMatchObject(notGivenUp)
  expect((await failed()).body.announcements).toEqual([])
})

it.each(['no address', 'a@b@acme.example', 'a@acme.example\r\nBcc: x@y.example', '"a b"@acme.example', 'Ada <ada@acme.example>'])(
  'refuses %j as an address',
  async (email) => {
    expect((await add('ada', email)).status).toBe(400)
  },
)

it('another tenant’s contacts and announcements are none of a tenant key’s business', async () => {
  const { body } = await add('ada')
  const made = await call('POST', '/admin-keys', {
    name: 'globex',
    permissions: ['configuration:read', 'audit:read', 'impersonate'],
    expiresAt: '2099-01-01T00:00:00Z',
    tenant: 'globex',
  })
  const globex = anAdmin({ ...broker, adminKey: made.body.secret })
  for (const path of ['contacts', 'announcements']) expect((await globex('GET', `/tenants/acme/${path}`)).status).toBe(404)
  expect((await globex('DELETE', `/tenants/globex/contacts/${body.id}`)).status).toBe(404)
  expect((await globex('GET', '/tenants/globex/announcements')).body.announcements).toEqual([])
})

it('admins who give one new address at the same time: one of them does, and the others are told that it is taken', async () => {
  const kept = await Promise.all(['ada', 'ben'].map(async (name) => (await add(name)).body.id as string))
  for (let round = 0; round < 12; round += 1) {
    const email = `new-${round}@acme.example`
    const asks = [
      ...kept.map((id) => call('PUT', `/tenants/acme/contacts/${id}`, { name: 'Ada', email })),
      ...Array.from({ length: 3 }, () => add('cleo', email)),
    ]
    const answers = await Promise.all(asks)
    expect(answers.map(({ status }) => (status === 201 ? 200 : status)).sort()).toEqual([200, 409, 409, 409, 409])
  }
})

it('acts at the same time wait for each other in one order, and every one of them is told', async () => {
  await add('ada')
  await asOwner(fixture.ownerUrl, 'DELETE FROM announcements')
  const configuration = { issuer: 'https://idp.example', clientId: 'x' }
  const acts = Array.from({ length: 12 }, (_, n) => [
    call('POST', '/tenants/acme/domains', { domain: `at-once-${n}.example` }),
    call('POST', '/tenants/acme/connections', { kind: 'oidc', name: `At once ${n}`, configuration }),
  ]).flat()
  expect((await Promise.all(acts)).map(({ status }) => status)).toEqual(acts.map(() => 201))
  expect((await told())['ada']).toHaveLength(acts.length)
})
