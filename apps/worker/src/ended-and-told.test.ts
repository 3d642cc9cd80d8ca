/** An end that a directory named, from the job to the guard: at the front, whose guards hear one stream for all companies. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { createGuard } from '@drawbridge/guard/create-guard'
import { aFrontUrl, aFrontWorld, aSharedResource, type FrontWorld, ofSharedGuard, rowsOf } from '@drawbridge/testkit/a-front'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../test/a-company.js'
import { depsAtFront } from '../test/a-front-worker.js'
import { endSubjects } from './jobs/end-subjects.job.js'
import { findJob } from './jobs.js'

let now: Instant = instant(Date.now())
let world: FrontWorld
beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world?.close())

const deps = () => depsAtFront(world, () => now)

const entries = () =>
  rowsOf<{ id: string; tenant_id: string; payload: object }>(
    world,
    "SELECT id, tenant_id, payload FROM outbox WHERE kind = 'revoke' AND done_at IS NULL ORDER BY id",
  )

it('the job raises the barrier, the outbox has it told, and a guard that believed the token refuses it', async () => {
  const tokens = await Promise.all((['front for acme', 'front for globex'] as const).map((place) => world.tokensAt(place)))
  const [ended = '', other = ''] = tokens.map((each) => each['access_token'])
  const guard = createGuard(ofSharedGuard(world, () => now))
  await guard.start()
  const areLetIn = async () => [(await guard.check(`Bearer ${ended}`)).ok, (await guard.check(`Bearer ${other}`)).ok]
  try {
    const endsAt = addSeconds(now, 5)
    await rowsOf(world, 'UPDATE subjects SET deactivates_at = $2 WHERE tenant_id = $1 RETURNING id', [
      world.acme.tenantId,
      new Date(endsAt),
    ])
    await endSubjects(deps())
    expect([await entries(), await areLetIn()]).toEqual([[], [true, true]])

    now = endsAt
    await endSubjects(deps())
    const told = await entries()
    expect(told.map(({ tenant_id: tenant, payload }) => ({ tenant, ...payload }))).toMatchObject([
      { tenant: world.acme.tenantId, target: 'subject', epoch: 2, deactivated: false },
    ])
    for (const { id, tenant_id: tenant, payload } of told) await findJob('revoke')?.run(deps(), { tenant, entry: Number(id), payload })

    const notices = await rowsOf<{ token: string }>(world, 'SELECT token FROM notices')
    const said = notices.map(({ token }) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()))
    expect(said).toContainEqual(
      expect.objectContaining({
        ...{ iss: aFrontUrl, aud: aSharedResource, drawbridge: expect.objectContaining({ target: 'subject', epoch: 2, tenant: 'acme' }) },
        events: { [sessionRevoked]: expect.objectContaining({ event_timestamp: Math.floor(endsAt / 1000) }) },
      }),
    )
    await eventually(async () => (await areLetIn())[0] === false)
    expect(await areLetIn()).toEqual([false, true])
    await endSubjects(deps())
    expect(await entries()).toEqual([])
  } finally {
    await guard.stop()
  }
})
