/** The end of somebody's access that a directory names in advance: kept with the person, whoever came first, and a reason to decide again. */
import { addSeconds, instant } from '@drawbridge/core/instant'
import type { SubjectId } from '@drawbridge/core/tenant/ids'
import { endSubject, listEndedSubjectsAcrossTenants } from '@drawbridge/store/end-dates'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aScimBroker, type Directory, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker.close())

const hr = 'urn:acme:params:scim:schemas:extension:hr:2.0:User'
const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(broker.fixture.ownerUrl, sql, parameters)
async function aDirectory(): Promise<Directory> {
  const directory = await broker.aDirectory()
  const configuration = { issuer: 'https://idp.example', clientId: 'drawbridge', directory: { endDate: `${hr}:endDate` } }
  await owner('UPDATE connections SET configuration = $2 WHERE id = $1', [directory.tenant.connectionId, JSON.stringify(configuration)])
  return directory
}
const ada = (endDate?: unknown) => ({ userName: 'ada', externalId: 'ada', ...(endDate === undefined ? {} : { [hr]: { endDate } }) })
type Subject = { deactivates_at: Date | null; claims_version: number; claims_barrier: number; epoch: number; deactivated_at: Date | null }
const subjectOf = async ({ tenant }: Directory) =>
  (
    await owner<Subject>('SELECT deactivates_at, claims_version, claims_barrier, epoch, deactivated_at FROM subjects WHERE id = $1', [
      tenant.subjectId,
    ])
  )[0]
const kindsOf = async ({ tenant }: Directory) =>
  (
    await owner<{ kind: string }>("SELECT kind FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'scim_user.end%' ORDER BY id", [
      tenant.tenantId,
    ])
  ).map(({ kind }) => kind)

test('is kept when it is named, changed and taken back, and each time what is open is decided again', async () => {
  const directory = await aDirectory()
  const id = String((await directory.call('POST', '/Users', ada('2030-06-30'))).body['id'])
  expect(await subjectOf(directory)).toMatchObject({
    deactivates_at: new Date('2030-07-01T00:00:00Z'),
    claims_version: 2,
    claims_barrier: 2,
  })
  const change = (value: unknown) =>
    directory.call('PATCH', `/Users/${id}`, { Operations: [{ op: 'replace', path: `${hr}:endDate`, value }] })
  await change('2029-01-31T18:00:00+01:00')
  expect(await subjectOf(directory)).toMatchObject({
    deactivates_at: new Date('2029-01-31T17:00:00Z'),
    claims_version: 3,
    claims_barrier: 3,
  })
  await directory.call('PATCH', `/Users/${id}`, { Operations: [{ op: 'replace', path: 'title', value: 'Analyst' }] })
  expect(await subjectOf(directory)).toMatchObject({ claims_version: 3 })
  await directory.call('PUT', `/Users/${id}`, ada())
  expect(await subjectOf(directory)).toMatchObject({ deactivates_at: null, claims_version: 4, claims_barrier: 4 })
  expect(await kindsOf(directory)).toEqual(['scim_user.end_changed', 'scim_user.end_changed', 'scim_user.end_changed'])
})

const toldOf = async ({ tenant }: Directory) =>
  (
    await owner<{ told: string }>(
      `SELECT e.reason || ', told: ' || (SELECT count(*) FROM outbox o WHERE o.kind = 'revoke' AND o.payload ->> 'eventId' = e.id::text) AS told
         FROM deprovisioning_events e WHERE e.tenant_id = $1 AND e.target_id = $2 ORDER BY e.barrier_at, e.id`,
      [tenant.tenantId, tenant.subjectId],
    )
  ).map(({ told }) => told)

test('one that is past already when it is named is a barrier in that request, once, and is left to no job', async () => {
  const directory = await aDirectory()
  const id = String((await directory.call('POST', '/Users', ada())).body['id'])
  expect(await subjectOf(directory)).toMatchObject({ epoch: 1 })
  await directory.call('PUT', `/Users/${id}`, ada('2027-01-14'))
  const told = 'the end that the directory named has come, told: 1'
  expect([await subjectOf(directory), await toldOf(directory)]).toMatchObject([{ epoch: 2, deactivated_at: null }, [told]])
  await directory.call('PUT', `/Users/${id}`, ada('2027-01-14'))
  const { tenant } = directory
  const due = await acrossTenants(broker.fixture.database, (db) => listEndedSubjectsAcrossTenants(db, broker.clock.at, 1000))
  expect(due.filter((one) => one.tenant === tenant.tenantId)).toEqual([])
  expect(await toldOf(directory)).toEqual([told])
  await directory.call('PUT', `/Users/${id}`, ada('2027-01-15T08:00:00Z'))
  expect([await subjectOf(directory), await toldOf(directory)]).toMatchObject([{ epoch: 3 }, [told, told]])
})

const ended = 'the end that the directory named has come, told: 1'

describe.each(['now', 'at_next_refresh'] as const)('where changes of claims count %s', (claimChanges) => {
  async function aDirectoryOf(): Promise<Directory> {
    const directory = await aDirectory()
    await owner('UPDATE tenants SET claim_changes = $2 WHERE id = $1', [directory.tenant.tenantId, claimChanges])
    return directory
  }

  test('one that was taken back and is named again as it was is a barrier again', async () => {
    const directory = await aDirectoryOf()
    const id = String((await directory.call('POST', '/Users', ada('2027-01-14'))).body['id'])
    expect([await subjectOf(directory), await toldOf(directory)]).toMatchObject([{ epoch: 2 }, [ended]])
    await directory.call('PUT', `/Users/${id}`, ada())
    expect(await subjectOf(directory)).toMatchObject({ epoch: 2, deactivates_at: null })
    await directory.call('PUT', `/Users/${id}`, ada('2027-01-14'))
    expect([await subjectOf(directory), await toldOf(directory)]).toMatchObject([{ epoch: 3 }, [ended, ended]])
  })

  test('one that was named of whom the directory kept out, and was taken back with that, is a barrier when it is named again', async () => {
    const directory = await aDirectoryOf()
    const id = String((await directory.call('POST', '/Users', ada())).body['id'])
    await directory.call('PUT', `/Users/${id}`, { ...ada(), active: false })
    await directory.call('PUT', `/Users/${id}`, { ...ada('2027-01-14'), active: false })
    await directory.call('PUT', `/Users/${id}`, { ...ada(), active: true })
    expect(await subjectOf(directory)).toMatchObject({ epoch: 2, deactivates_at: null, deactivated_at: null })
    await directory.call('PUT', `/Users/${id}`, ada('2027-01-14'))
    expect(await subjectOf(directory)).toMatchObject({ epoch: 3 })
    expect((await toldOf(directory)).toSorted()).toEqual(['the directory set active to false, told: 1', ended])
  })
})

test('one that is to come in a second is no barrier yet', async () => {
  const directory = await aDirectory()
  await directory.call('POST', '/Users', ada(new Date(broker.clock.at + 1000).toISOString()))
  expect([await subjectOf(directory), await toldOf(directory)]).toMatchObject([{ epoch: 1 }, []])
})

test('whoever is made inactive together with an end that is past is told of once', async () => {
  const directory = await aDirectory()
  const id = String((await directory.call('POST', '/Users', ada())).body['id'])
  await directory.call('PUT', `/Users/${id}`, { ...ada('2020-01-01'), active: false })
  expect(await subjectOf(directory)).toMatchObject({ epoch: 2, deactivated_at: new Date(broker.clock.at) })
  expect(await toldOf(directory)).toEqual(['the directory set active to false, told: 1'])
})

describe.each([
  ['a later one', ada('2027-01-16')],
  ['none', ada()],
])('one that came while no worker raised its barrier', (another, user) => {
  test(`is a barrier when the directory names ${another} in its place`, async () => {
    const directory = await aDirectory()
    const { tenant } = directory
    const id = String((await directory.call('POST', '/Users', ada(new Date(broker.clock.at + 1000).toISOString()))).body['id'])
    await owner('UPDATE subjects SET epoch = 7 WHERE id = $1', [tenant.subjectId])
    broker.clock.at = addSeconds(broker.clock.at, 5)
    await directory.call('PUT', `/Users/${id}`, user)
    expect([await subjectOf(directory), await toldOf(directory)]).toMatchObject([{ epoch: 8, deactivated_at: null }, [ended]])
    await directory.call('PUT', `/Users/${id}`, ada('2027-01-20'))
    expect(await toldOf(directory)).toEqual([ended])
  })
})

test('one that came while no worker raised its barrier, and another past one in its place, are one barrier', async () => {
  const directory = await aDirectory()
  const id = String((await directory.call('POST', '/Users', ada(new Date(broker.clock.at + 1000).toISOString()))).body['id'])
  broker.clock.at = addSeconds(broker.clock.at, 5)
  await directory.call('PUT', `/Users/${id}`, ada('2027-01-01'))
  expect([await subjectOf(directory), await toldOf(directory)]).toMatchObject([{ epoch: 2 }, [ended]])
})

const newsOf = async ({ tenant }: Directory) =>
  (
    await owner<{ news: string }>(
      `SELECT kind || COALESCE(' ' || (payload ->> 'deactivated'), '') AS news FROM outbox WHERE tenant_id = $1 AND kind IN ('revoke', 'tell-reinstated')
         AND $2 IN (payload ->> 'targetId', payload ->> 'subjectId') ORDER BY id`,
      [tenant.tenantId, tenant.subjectId],
    )
  ).map(({ news }) => news)

test('one that has come is told as any other way out, and that it is taken back as any other way in', async () => {
  const directory = await aDirectory()
  const id = String((await directory.call('POST', '/Users', ada('2027-01-14'))).body['id'])
  expect(await newsOf(directory)).toEqual(['revoke true'])
  await directory.call('PUT', `/Users/${id}`, ada('2027-01-13'))
  expect(await newsOf(directory)).toEqual(['revoke true', 'revoke true'])
  await directory.call('PUT', `/Users/${id}`, ada('2030-06-30'))
  const back = ['revoke true', 'revoke true', 'tell-reinstated']
  expect(await newsOf(directory)).toEqual(back)
  await directory.call('PUT', `/Users/${id}`, ada())
  expect(await newsOf(directory)).toEqual(back)
})

test('who is out by another word as well is not told to be back with her end, and not with that word while her end has come', async () => {
  const directory = await aDirectory()
  const id = String((await directory.call('POST', '/Users', ada('2027-01-14'))).body['id'])
  await owner("UPDATE subjects SET deactivated_at = now(), deactivated_by = ARRAY['admin'] WHERE id = $1", [directory.tenant.subjectId])
  await directory.call('PUT', `/Users/${id}`, ada())
  await owner("UPDATE subjects SET deactivated_by = ARRAY['scim'] WHERE id = $1", [directory.tenant.subjectId])
  await directory.call('PUT', `/Users/${id}`, { ...ada(), active: false })
  await directory.call('PUT', `/Users/${id}`, { ...ada('2027-01-14'), active: true })
  expect(await newsOf(directory)).not.toContain('tell-reinstated')
  await directory.call('PUT', `/Users/${id}`, ada())
  expect((await newsOf(directory)).at(-1)).toBe('tell-reinstated')
})

test('what is no date changes nothing and stands in the trail; without the setting nothing is read', async () => {
  const directory = await aDirectory()
  const id = String((await directory.call('POST', '/Users', ada('2030-06-30'))).body['id'])
  expect((await directory.call('PUT', `/Users/${id}`, ada('soon'))).status).toBe(200)
  expect(await subjectOf(directory)).toMatchObject({ deactivates_at: new Date('2030-07-01T00:00:00Z') })
  expect(await kindsOf(directory)).toEqual(['scim_user.end_changed', 'scim_user.end_unreadable'])
  const other = await broker.aDirectory()
  await other.call('POST', '/Users', ada('2030-06-30'))
  expect(await subjectOf(other)).toMatchObject({ deactivates_at: null, claims_version: 1 })
})

test('what is no date leaves the end of before, to whoever is linked by the same change, too', async () => {
  const directory = await aDirectory()
  const id = String((await directory.call('POST', '/Users', { ...ada('2030-06-30'), externalId: 'another' })).body['id'])
  expect(await subjectOf(directory)).toMatchObject({ deactivates_at: null })
  expect((await directory.call('PUT', `/Users/${id}`, ada('soon'))).status).toBe(200)
  expect(await subjectOf(directory)).toMatchObject({ deactivates_at: new Date('2030-07-01T00:00:00Z') })
  const over = await aDirectory()
  const past = String((await over.call('POST', '/Users', { ...ada('2020-06-30'), externalId: 'another' })).body['id'])
  const { epoch = 0 } = (await subjectOf(over)) ?? {}
  await over.call('PUT', `/Users/${past}`, ada('soon'))
  expect(await subjectOf(over)).toMatchObject({ deactivates_at: new Date('2020-07-01T00:00:00Z'), epoch: epoch + 1 })
})

test('when it has come, the barrier is raised once, and again for another end; the door is left to the end itself', async () => {
  const directory = await aDirectory()
  const { tenant } = directory
  const id = String((await directory.call('POST', '/Users', ada('2027-01-31'))).body['id'])
  const end = async (at: string) => {
    const now = instant(Date.parse(at))
    const due = await acrossTenants(broker.fixture.database, (db) => listEndedSubjectsAcrossTenants(db, now, 10))
    const mine = due.filter((one) => one.tenant === tenant.tenantId)
    const who = { tenant: tenant.tenantId, id: tenant.subjectId as SubjectId }
    const raised = await inTenant(broker.fixture.database, tenant.tenantId, (db) => endSubject(db, who, crypto.randomUUID() as never, now))
    return [mine.length, raised]
  }
  expect(await end('2027-01-31T23:59:59Z')).toEqual([0, false])
  expect(await end('2027-02-01T00:00:00Z')).toEqual([1, true])
  expect(await end('2027-02-01T00:01:00Z')).toEqual([0, false])
  expect(await subjectOf(directory)).toMatchObject({ epoch: 2, deactivated_at: null })
  await directory.call('PUT', `/Users/${id}`, ada('2027-03-31'))
  expect(await end('2027-04-01T00:00:00Z')).toEqual([1, true])
  expect(await subjectOf(directory)).toMatchObject({ epoch: 3, deactivated_at: null })
  const events = await owner("SELECT source, reason FROM deprovisioning_events WHERE tenant_id = $1 AND target = 'subject'", [
    tenant.tenantId,
  ])
  expect(events).toEqual(Array.from({ length: 2 }, () => ({ source: 'scim', reason: 'the end that the directory named has come' })))
})

test('is read by the attribute that the connection names at this moment, whatever the process remembers of it', async () => {
  const directory = await broker.aDirectory()
  expect((await directory.call('GET', '/Users')).status).toBe(200)
  const named = { issuer: 'https://idp.example', clientId: 'drawbridge', directory: { endDate: `${hr}:endDate` } }
  await owner('UPDATE connections SET configuration = $2 WHERE id = $1', [directory.tenant.connectionId, JSON.stringify(named)])
  await directory.call('POST', '/Users', ada('2027-01-14'))
  expect([await subjectOf(directory), await toldOf(directory)]).toMatchObject([{ epoch: 2 }, [ended]])
})

test('is found for whoever signed in before her directory told of her, by the link key', async () => {
  const directory = await aDirectory()
  const { tenant } = directory
  const scimLinkKey = { attribute: 'upn', scim: 'userName' }
  const configuration = { issuer: 'https://idp.example', clientId: 'drawbridge', scimLinkKey, directory: { endDate: `${hr}:endDate` } }
  await owner('UPDATE connections SET configuration = $2 WHERE id = $1', [tenant.connectionId, JSON.stringify(configuration)])
  const claims = JSON.stringify({ claims: [['preferred_username', 'ada']] })
  await owner("UPDATE subjects SET stable_id = 'opaque-7', claims = $2 WHERE id = $1", [tenant.subjectId, claims])
  const made = await directory.call('POST', '/Users', { ...ada(), externalId: 'hr-1' })
  expect(await subjectOf(directory)).toMatchObject({ deactivates_at: null })
  await directory.call('PUT', `/Users/${String(made.body['id'])}`, { ...ada('2027-01-31'), externalId: 'hr-1' })
  expect(await subjectOf(directory)).toMatchObject({ deactivates_at: new Date('2027-02-01T00:00:00Z') })
})

test('no company has all the turns: one of each comes before the second of any, however long ago its people ended', async () => {
  const [many, one] = [(await aDirectory()).tenant, (await aDirectory()).tenant]
  await owner(
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at, deactivates_at)
     SELECT $1, gen_random_uuid(), $2, 'gone-' || n, '{}', now(), now(), now(), '1970-01-01' FROM generate_series(1, 3) AS n`,
    [many.tenantId, many.connectionId],
  )
  await owner(`UPDATE subjects SET deactivates_at = '2026-01-31' WHERE id = $1`, [one.subjectId])
  const due = await acrossTenants(broker.fixture.database, (db) =>
    listEndedSubjectsAcrossTenants(db, instant(Date.parse('2026-06-01T00:00:00Z')), 1000),
  )
  const ofThem = due.map(({ tenant }) => tenant).filter((tenant) => [many.tenantId, one.tenantId].includes(tenant))
  expect(ofThem).toEqual([many.tenantId, one.tenantId, many.tenantId, many.tenantId])
})
