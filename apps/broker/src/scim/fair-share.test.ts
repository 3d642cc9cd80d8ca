/** What one tenant's directory sends at once leaves room for everybody else's, on a real PostgreSQL: no pool belongs to whoever asks most. */
import { setTimeout as sleep } from 'node:timers/promises'
import { addSeconds } from '@drawbridge/core/instant'
import { scimLimits } from '@drawbridge/core/scim/error'
import { asOwner } from '@drawbridge/testkit/database'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { aScimBroker, type Directory, type ScimAnswer, type ScimBroker } from '../../test/a-directory.js'

let broker: ScimBroker
let flooding: Directory
let other: Directory
let elsewhere: pg.Client

beforeAll(async () => {
  broker = await aScimBroker()
})
afterAll(() => broker?.close())
beforeEach(async () => {
  flooding = await broker.aDirectory()
  other = await broker.aDirectory()
})

const person = (name: string) => ({ schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'], userName: name, externalId: name })
const gone = {
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: [{ op: 'replace', path: 'active', value: false }],
}
const statusOf = ({ status }: ScimAnswer) => status

/** As another process does while it works for the same directory. */
async function whileHeld<T>({ tenant }: Directory, run: () => Promise<T>): Promise<T> {
  elsewhere = new pg.Client({ connectionString: broker.fixture.ownerUrl })
  await elsewhere.connect()
  try {
    await elsewhere.query('BEGIN')
    await elsewhere.query("SELECT pg_advisory_xact_lock(hashtextextended('scim:' || $1::text || $2::text, 0))", [
      tenant.tenantId,
      tenant.connectionId,
    ])
    return await run()
  } finally {
    await elsewhere.end()
  }
}

const waiting = async (): Promise<number> => {
  const asked = `SELECT count(*)::int AS many FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted`
  return (await asOwner<{ many: number }>(broker.fixture.ownerUrl, asked))[0]?.many ?? 0
}

async function allHaveArrived(): Promise<void> {
  while ((await waiting()) === 0) await sleep(20)
  await sleep(300)
}

it('while one directory has more to say than may be heard at once, another’s goodbye is heard, and then all of it', async () => {
  const id = (await other.call('POST', '/Users', person('ada'))).body['id']
  const { sent, heard } = await whileHeld(flooding, async () => {
    const all = Array.from({ length: 20 }, (_, nth) => flooding.call('POST', '/Users', person(`person-${nth}`)))
    await allHaveArrived()
    return { sent: all, heard: await other.call('PATCH', `/Users/${id}`, gone) }
  })
  expect(heard).toMatchObject({ status: 200, body: { active: false } })
  expect((await Promise.all(sent)).map(statusOf)).toEqual(Array.from({ length: 20 }, () => 201))
})

it('goodbyes that are refused before they are done, and count all the same, wait without what the rest of their tenant needs', async () => {
  const id = (await flooding.call('POST', '/Users', person('bob'))).body['id']
  const refused = { ...gone, Operations: [...gone.Operations, { op: 'replace', path: 'emails[type xx "work"].value', value: 'x' }] }
  const { sent, read } = await whileHeld(flooding, async () => {
    const all = Array.from({ length: 20 }, () => flooding.call('PATCH', `/Users/${id}`, refused))
    await allHaveArrived()
    return { sent: all, read: await flooding.call('GET', `/Users/${id}`) }
  })
  expect(read).toMatchObject({ status: 200, body: { userName: 'bob' } })
  expect((await Promise.all(sent)).map(statusOf)).toEqual(Array.from({ length: 20 }, () => 400))
})

const made = (name: string) => ({ method: 'POST', path: '/Users', bulkId: name, data: person(name) })
const statusesOf = ({ body }: ScimAnswer) => (body['Operations'] as { status: string }[]).map(({ status }) => status)
const peopleOf = async (directory: Directory) => (await directory.call('GET', '/Users?count=0')).body['totalResults']

it('what has not begun when its Bulk request has taken too long is not done and says so; what was under way is done', async () => {
  const { sent } = await whileHeld(flooding, async () => {
    const bulk = flooding.call('POST', '/Bulk', { Operations: ['a', 'b', 'c'].map(made) })
    await allHaveArrived()
    broker.clock.at = addSeconds(broker.clock.at, scimLimits.bulkSeconds)
    return { sent: bulk }
  })
  const answer = await sent
  // `scim_bulk_late`
  expect([answer.status, statusesOf(answer), await peopleOf(flooding)]).toEqual([200, ['201', '503', '503'], 1])
})

it('an operation of Bulk that finds no turn says so, and the answers of those before it are not lost', async () => {
  const { turns } = broker.fixture.database
  const key = `${flooding.tenant.tenantId} ${flooding.tenant.connectionId}`
  const leave = await Promise.all([turns.directories.take(key), turns.directories.take(key)])
  const answer = await flooding.call('POST', '/Bulk', { Operations: [{ method: 'DELETE', path: '/Robots/1' }, made('a')] })
  for (const go of leave) go()
  expect([answer.status, statusesOf(answer), await peopleOf(flooding)]).toEqual([200, ['404', '503'], 0])
}, 60_000)
