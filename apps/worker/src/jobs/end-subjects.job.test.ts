import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, jobDeps } from '../../test/a-company.js'
import { endSubjects } from './end-subjects.job.js'

let fixture: TestDatabase
beforeAll(async () => {
  fixture = await testDatabase()
})
afterAll(() => fixture?.close())

it('whoever cannot be ended keeps nobody else in, and the run fails all the same', async () => {
  const [stuck, next] = [await aCompany(fixture, 'stuck'), await aCompany(fixture, 'next')]
  const owner = (sql: string) => asOwner<{ isEnded: boolean }>(fixture.ownerUrl, sql)
  await owner(
    `UPDATE subjects SET deactivates_at = CASE WHEN id = '${stuck.subject}' THEN timestamptz '1970-01-01' ELSE timestamptz '2020-01-01' END`,
  )
  await owner(`CREATE FUNCTION stick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.id = '${stuck.subject}' THEN RAISE EXCEPTION 'stuck'; END IF; RETURN NEW; END $$`)
  await owner('CREATE TRIGGER stick BEFORE UPDATE ON subjects FOR EACH ROW EXECUTE FUNCTION stick()')
  await expect(endSubjects(jobDeps(fixture))).rejects.toThrow('1 of 2 could not be ended')
  const isEnded = async (id: string) =>
    (await owner(`SELECT ended_for IS NOT NULL AS "isEnded" FROM subjects WHERE id = '${id}'`))[0]?.isEnded
  expect([await isEnded(stuck.subject), await isEnded(next.subject)]).toEqual([false, true])
})
