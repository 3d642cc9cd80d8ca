/** The end that a directory named: raised once for whoever it has come, all of them in a run, and told to whoever would believe the token. */
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aCompany, countOf, jobDeps } from '../../test/a-company.js'
import { endBatch, endSubjects, mostEndedTogether } from './end-subjects.job.js'

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

const people = (tenant: string, connection: string, name: string, count: number, endsAt: string) =>
  asOwner(
    fixture.ownerUrl,
    `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at, deactivates_at)
     SELECT $1, gen_random_uuid(), $2, $3 || '-' || n, '{}', now(), now(), now(), $5 FROM generate_series(1, $4::int) AS n`,
    [tenant, connection, name, count, endsAt],
  )
const waiting = (tenant: string) =>
  countOf(fixture, 'subjects WHERE tenant_id = $1 AND deactivates_at <= now() AND ended_for IS DISTINCT FROM deactivates_at', [tenant])

it('however many end at the same moment, one run ends them all, each by a barrier and an entry of her own', async () => {
  await asOwner(fixture.ownerUrl, 'DROP TRIGGER stick ON subjects')
  const { tenant, connection } = await aCompany(fixture, 'midnight')
  const count = endBatch + mostEndedTogether + 1
  await people(tenant, connection, 'left', count, '2026-01-31T00:00:00Z')
  await people(tenant, connection, 'stays', 1, '2999-01-31T00:00:00Z')
  await endSubjects(jobDeps(fixture))
  expect(await waiting(tenant)).toBe(0)
  const once = "subjects WHERE tenant_id = $1 AND epoch = 2 AND stable_id LIKE 'left-%'"
  expect(await countOf(fixture, once, [tenant])).toBe(count)
  expect(await countOf(fixture, "subjects WHERE tenant_id = $1 AND epoch = 1 AND stable_id LIKE 'stays-%'", [tenant])).toBe(1)
  expect(await countOf(fixture, "outbox WHERE tenant_id = $1 AND kind = 'revoke'", [tenant])).toBe(count)
})

it('two runs at once end nobody twice and wait for neither', async () => {
  const { tenant, connection } = await aCompany(fixture, 'twice')
  await people(tenant, connection, 'left', 3 * mostEndedTogether, '2026-01-31T00:00:00Z')
  await Promise.all([endSubjects(jobDeps(fixture)), endSubjects(jobDeps(fixture))])
  await endSubjects(jobDeps(fixture))
  expect(await waiting(tenant)).toBe(0)
  expect(await countOf(fixture, 'deprovisioning_events WHERE tenant_id = $1', [tenant])).toBe(3 * mostEndedTogether)
})
