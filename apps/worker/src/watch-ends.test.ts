/** Ends that come are told within the second, and whoever cannot be ended is left to the schedule. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, countOf, eventually, jobDeps } from '../test/a-company.js'
import { startWatchingEnds } from './watch-ends.js'

const begin = instant(1_800_000_000_000)
let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture?.close())

const endAt = (subject: string, at: Instant) =>
  asOwner(fixture.ownerUrl, 'UPDATE subjects SET deactivates_at = $2 WHERE id = $1', [subject, new Date(at)])
const epochOf = async (subject: string) =>
  (await asOwner<{ epoch: number }>(fixture.ownerUrl, 'SELECT epoch FROM subjects WHERE id = $1', [subject]))[0]?.epoch

it('raises the barrier when the end comes, without the schedule, and looks at nobody whose end came before its last look', async () => {
  const [ada, before] = [await aCompany(fixture, 'acme'), await aCompany(fixture, 'globex')]
  await endAt(ada.subject, addSeconds(begin, 60))
  await endAt(before.subject, addSeconds(begin, -60))
  let now = begin
  const asked: Instant[] = []
  const clock = {
    now: () => {
      asked.push(now)
      return now
    },
  }
  const watching = startWatchingEnds({ ...jobDeps(fixture), clock })
  try {
    const looked = async () => {
      asked.length = 0
      watching.wake()
      await eventually(() => asked.length > 1)
    }
    await looked()
    expect([await epochOf(ada.subject), await epochOf(before.subject)]).toEqual([1, 1])
    now = addSeconds(begin, 60)
    await eventually(async () => (await epochOf(ada.subject)) === 2)
    expect(await countOf(fixture, "outbox WHERE tenant_id = $1 AND kind = 'revoke'", [ada.tenant])).toBe(1)
  } finally {
    await watching.stop()
  }
})

it('one who cannot be ended is not tried at each look', async () => {
  const stuck = await aCompany(fixture, 'initech')
  await asOwner(fixture.ownerUrl, 'CREATE SEQUENCE tries')
  await asOwner(fixture.ownerUrl, 'GRANT USAGE ON SEQUENCE tries TO PUBLIC')
  await asOwner(
    fixture.ownerUrl,
    `CREATE FUNCTION stick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.id = '${stuck.subject}' AND NEW.ended_for IS NOT NULL THEN PERFORM nextval('tries'); RAISE EXCEPTION 'stuck'; END IF; RETURN NEW; END $$`,
  )
  await asOwner(fixture.ownerUrl, 'CREATE TRIGGER stick BEFORE UPDATE ON subjects FOR EACH ROW EXECUTE FUNCTION stick()')
  await endAt(stuck.subject, addSeconds(begin, 120))
  let [now, looks] = [addSeconds(begin, 90), 0]
  const clock = {
    now: () => {
      looks += 1
      return now
    },
  }
  const watching = startWatchingEnds({ ...jobDeps(fixture), clock })
  const tries = async () =>
    Number((await asOwner<{ n: string }>(fixture.ownerUrl, 'SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM tries'))[0]?.n)
  try {
    now = addSeconds(begin, 121)
    await eventually(async () => (await tries()) > 0)
    const first = await tries()
    for (let more = 0; more < 3; more++) {
      const before = looks
      watching.wake()
      await eventually(() => looks > before)
    }
    expect([await tries(), await epochOf(stuck.subject)]).toEqual([first, 1])
  } finally {
    await watching.stop()
  }
})
