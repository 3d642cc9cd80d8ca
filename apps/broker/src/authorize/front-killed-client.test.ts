/** A client that a company has killed does not come back by the other issuer that it has: one that meets it afterwards meets a dead one. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { createGuard } from '@drawbridge/guard/create-guard'
import { aFrontWorld, aSharedClient, type FrontWorld, ofSharedGuard, rowsOf } from '@drawbridge/testkit/a-front'
import { aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, expect, it } from 'vitest'

const now: Instant = instant(Date.now())
let world: FrontWorld
let behindSeconds = 0
beforeAll(async () => {
  world = await aFrontWorld(() => addSeconds(now, -behindSeconds))
})
afterAll(() => world?.close())

it('one that was killed at the company’s own issuer is blocked at the front from its first request on, for that company alone', async () => {
  expect((await world.call('POST', `/tenants/acme/clients/${aSharedClient}/kill`, { reason: 'a test' })).status).toBe(200)
  await expect(world.signIn('front for acme')).rejects.toThrow('client_blocked')
  expect((await world.call('GET', `/tenants/acme/front-clients/${aSharedClient}`)).body).toMatchObject({ blockedAt: expect.any(String) })
  expect((await world.tokensAt('front for globex'))['access_token']).toBeDefined()
})

it('and once the company lets it in there, no guard takes its tokens for those that were killed', async () => {
  const governed = await world.call('PATCH', `/tenants/acme/front-clients/${aSharedClient}`, { blocked: false })
  expect(governed.body).toMatchObject({ blockedAt: null })
  const { access_token: token = '' } = await world.tokensAt('front for acme')
  const guard = createGuard(ofSharedGuard(world, () => now))
  await guard.start()
  try {
    expect(await guard.check(`Bearer ${token}`)).toMatchObject({ ok: true })
  } finally {
    await guard.stop()
  }
})

it('one that the vendor killed at the front is blocked where a company that had used it registers it itself', async () => {
  const client = { clientId: 'late', name: 'Late', redirectUris: [aWebRedirectUri], tokenEndpointAuthMethod: 'none' }
  await world.call('POST', '/front-issuer/clients', client)
  await world.signIn('front for globex', { client_id: 'late' })
  expect((await world.call('POST', '/front-issuer/clients/late/kill', { reason: 'a test' })).status).toBe(200)
  for (const [tenant, blockedAt] of [
    ['globex', expect.any(String)],
    ['acme', null],
  ] as const)
    expect((await world.call('POST', `/tenants/${tenant}/clients`, client)).body).toMatchObject({ clientId: 'late', blockedAt })
})

it('a block that is no kill is that issuer’s alone', async () => {
  const client = { clientId: 'held', name: 'Held', redirectUris: [aWebRedirectUri], tokenEndpointAuthMethod: 'none' }
  await world.call('POST', '/front-issuer/clients', client)
  await world.call('POST', '/tenants/acme/clients', client)
  await world.call('PATCH', '/tenants/acme/clients/held', { blocked: true })
  await world.signIn('front for acme', { client_id: 'held' })
  const epochs = await rowsOf<{ epoch: number }>(world, "SELECT epoch FROM clients WHERE client_id = 'held' AND blocked_at IS NULL")
  expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 1])
})

it('the time of what a company killed does not go back where the vendor ends it by a clock that is behind, and what is told says so', async () => {
  const client = { clientId: 'twice', name: 'Twice', redirectUris: [aWebRedirectUri], tokenEndpointAuthMethod: 'none' }
  await world.call('POST', '/front-issuer/clients', client)
  await world.signIn('front for globex', { client_id: 'twice' })
  expect((await world.call('POST', '/tenants/globex/clients/twice/kill', { reason: 'a test' })).status).toBe(200)
  behindSeconds = 20
  try {
    expect((await world.call('POST', '/front-issuer/clients/twice/kill', { reason: 'a test' })).status).toBe(200)
  } finally {
    behindSeconds = 0
  }
  const barrier = { barrier_at: new Date(now) }
  const atGlobex = "= (SELECT id FROM tenants WHERE slug = 'globex')"
  expect(await rowsOf(world, `SELECT barrier_at FROM clients WHERE client_id = 'twice' AND tenant_id ${atGlobex}`)).toEqual([barrier])
  const events = await rowsOf(world, `SELECT barrier_at FROM deprovisioning_events WHERE target_id = 'twice' AND tenant_id ${atGlobex}`)
  expect(events).toEqual([barrier, barrier])
})
