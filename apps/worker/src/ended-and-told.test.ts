/** An end that a directory named, from the job to the guard: at the front, whose guards hear one stream for all companies. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { ok } from '@drawbridge/core/result'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { createGuard } from '@drawbridge/guard/create-guard'
import type { ScimCaller } from '@drawbridge/store/scim-caller'
import { insertScimUser, updateScimUser } from '@drawbridge/store/scim-users'
import { inTenant } from '@drawbridge/store/transaction'
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

type Entry = { readonly id: string; readonly tenant_id: string; readonly payload: { readonly eventId: string } }
const entries = () =>
  rowsOf<Entry>(world, "SELECT id, tenant_id, payload FROM outbox WHERE kind = 'revoke' AND done_at IS NULL ORDER BY id")
async function tell(told: readonly Entry[]): Promise<void> {
  for (const { id, tenant_id: tenant, payload } of told) await findJob('revoke')?.run(deps(), { tenant, entry: Number(id), payload })
}

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
      { tenant: world.acme.tenantId, target: 'subject', epoch: 2, deactivated: true },
    ])
    await tell(told)

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

/** What the directory of globex says of its ada: with no end, or with this one. */
async function name(end: Instant | undefined): Promise<void> {
  const { tenantId: tenant, connectionId } = world.globex
  const caller: ScimCaller = { tenant, connectionId, now, requestId: undefined, newId: () => crypto.randomUUID(), endDate: 'endsOn' }
  const attributes = end === undefined ? {} : { endsOn: new Date(end).toISOString() }
  const [known] = await rowsOf<{ id: string }>(world, 'SELECT id FROM scim_users WHERE tenant_id = $1', [tenant])
  await inTenant(world.fixture.database, tenant, async (db) => {
    if (known) expect(await updateScimUser(db, caller, known.id, (before) => ok({ ...before, attributes }))).toMatchObject({ ok: true })
    else await insertScimUser(db, caller, { userName: 'ada', externalId: 'ada', active: true, attributes })
  })
}

it.each(['now', 'at_next_refresh'])(
  'an end that had come, was taken back and is named again is told again and acknowledged, where changes of claims count %s',
  async (claimChanges) => {
    await rowsOf(world, 'UPDATE tenants SET claim_changes = $2 WHERE id = $1 RETURNING id', [world.globex.tenantId, claimChanges])
    const endsAt = addSeconds(now, 5)
    await name(endsAt)
    now = endsAt
    await endSubjects(deps())
    await tell(await entries())

    now = addSeconds(now, 5)
    await name(undefined)
    const { access_token: token } = await world.tokensAt('front for globex')
    const guard = createGuard(ofSharedGuard(world, () => now))
    await guard.start()
    try {
      expect(await guard.check(`Bearer ${token}`)).toMatchObject({ ok: true })
      await name(endsAt)
      const told = await entries()
      expect(told).toMatchObject([{ tenant_id: world.globex.tenantId, payload: { target: 'subject' } }])
      await tell(told)
      await eventually(async () => !(await guard.check(`Bearer ${token}`)).ok)
      const receipts = 'SELECT acknowledged_at IS NOT NULL AS "isHeard" FROM notice_receipts WHERE tenant_id = $1 AND event_id = $2'
      await eventually(
        async () =>
          (await rowsOf<{ isHeard: boolean }>(world, receipts, [world.globex.tenantId, told[0]?.payload.eventId]))[0]?.isHeard === true,
      )
    } finally {
      await guard.stop()
      await name(undefined)
    }
  },
)
