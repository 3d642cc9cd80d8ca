/** Grants at the front issuer, decided again: as those of the tenant's own issuer, and told in the front's stream, where its guards listen. */
import { type Instant, instant } from '@drawbridge/core/instant'
import { settleGrantsEntry, tellSettledEntry, tokenClaimsChange } from '@drawbridge/core/revocation/settled-grants'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { createGuard } from '@drawbridge/guard/create-guard'
import { aFrontUrl, aFrontWorld, aSharedResource, type FrontWorld, ofSharedGuard, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { aFrontGateway, behindIt } from '@drawbridge/testkit/a-front-gateway'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../../test/a-company.js'
import { depsAtFront } from '../../test/a-front-worker.js'
import { findJob } from '../jobs.js'

const now: Instant = instant(Date.now())
let world: FrontWorld
beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world?.close())

const deps = () => depsAtFront(world, () => now)

type Entry = { readonly id: string; readonly tenant_id: string; readonly kind: string; readonly payload: object }
/** As the relay and the queue would, until nothing of these kinds is left. */
async function settleAll(): Promise<void> {
  for (;;) {
    const undone = 'SELECT id, tenant_id, kind, payload FROM outbox WHERE kind = ANY ($1) AND done_at IS NULL ORDER BY id'
    const entries = await rowsOf<Entry>(world, undone, [[settleGrantsEntry, tellSettledEntry]])
    if (entries.length === 0) return
    for (const { id, tenant_id: tenant, kind, payload } of entries)
      await findJob(kind)?.run(deps(), { tenant, entry: Number(id), payload, ...payload })
  }
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
const grantOf = (token: string) => String(claimsOf(token)['gid'])
type Kept = { readonly scopes: readonly string[]; readonly epoch: number; readonly ended: boolean }
const keptOf = async (token: string): Promise<Kept | undefined> =>
  (await rowsOf<Kept>(world, 'SELECT scopes, epoch, revoked_at IS NOT NULL AS ended FROM grants WHERE id = $1', [grantOf(token)]))[0]

const guardAtFront = () => createGuard(ofSharedGuard(world, () => now))

const granting = (...scopes: readonly string[]) =>
  `version: 1\nrules: [{ name: all, effect: grant, scopes: [${scopes.join(', ')}], everyone: true }]\n`

it('a policy with effect at once shrinks them and ends them, tells their guards, and touches no other tenant', async () => {
  const both = { scope: 'read write' }
  const [narrowed, own, other] = await Promise.all(
    (['front for acme', 'acme', 'front for globex'] as const).map((place: Place) => world.tokensAt(place, both)),
  )
  const ended = await world.tokensAt('front for acme', { scope: 'write' })
  const tokens = [narrowed, ended, own, other].map((each) => each?.['access_token'] ?? '')
  const [ofNarrowed = '', ofEnded = '', ofOwn = '', ofOther = ''] = tokens
  const heard = guardAtFront()
  await heard.start()
  try {
    const isLetIn = async (guard: typeof heard, token: string) => (await guard.check(`Bearer ${token}`)).ok
    expect(await Promise.all([ofNarrowed, ofEnded, ofOther].map((token) => isLetIn(heard, token)))).toEqual([true, true, true])

    const published = await world.call('POST', '/tenants/acme/policies', { document: granting('read'), liveGrants: 'now' })
    expect(published.status).toBe(201)
    await settleAll()

    expect(await keptOf(ofNarrowed)).toEqual({ scopes: ['read'], epoch: 2, ended: false })
    expect(await keptOf(ofEnded)).toMatchObject({ epoch: 2, ended: true })
    expect(await keptOf(ofOwn)).toEqual({ scopes: ['read'], epoch: 2, ended: false })
    expect(await keptOf(ofOther)).toEqual({ scopes: ['read', 'write'], epoch: 1, ended: false })

    const told = await rowsOf<{ token: string; issuer: string }>(
      world,
      'SELECT n.token, i.url AS issuer FROM notices n JOIN issuers i ON i.tenant_id = n.issuer_tenant_id AND i.id = n.issuer_id WHERE i.kind = $1',
      ['front'],
    )
    const said = told.map(({ token }) => claimsOf(token))
    const about = (token: string, type: string, claims = {}) =>
      expect.objectContaining({
        ...{ iss: aFrontUrl, aud: aSharedResource, drawbridge: { target: 'grant', targetId: grantOf(token), epoch: 2, tenant: 'acme' } },
        events: { [type]: expect.objectContaining(claims) },
      })
    const expected = [about(ofNarrowed, tokenClaimsChange, { claims: { scope: 'read' } }), about(ofEnded, sessionRevoked)]
    expect(said).toHaveLength(expected.length)
    expect(said).toEqual(expect.arrayContaining(expected))

    // One that listens, and one that comes later.
    await eventually(async () => !(await isLetIn(heard, ofNarrowed)))
    const late = guardAtFront()
    await late.start()
    for (const guard of [heard, late])
      expect(await Promise.all([ofNarrowed, ofEnded, ofOther].map((token) => isLetIn(guard, token)))).toEqual([false, false, true])
    await late.stop()
    expect((await world.introspectAt('front for acme', ofNarrowed)).body).toEqual({ active: false })
    const fresh = (await world.refreshAt('front for acme', narrowed?.['refresh_token'] ?? '')).body
    expect(fresh).toMatchObject({ scope: 'read' })
    expect(await isLetIn(heard, String(fresh['access_token']))).toBe(true)
    // A receiver that compares times calls dead what is not younger than this.
    const cut = said.flatMap(({ events }) => Object.values(events as object)).map((event) => event['event_timestamp'])
    expect(new Set(cut)).toEqual(new Set([Math.floor(now / 1000)]))
    expect(claimsOf(String(fresh['access_token']))['iat']).toBe(Math.floor(now / 1000) + 1)
    expect(await world.refreshAt('front for acme', ended['refresh_token'] ?? '')).toMatchObject({ status: 400 })
  } finally {
    await heard.stop()
  }
})

it('tells the server that a token may have been exchanged for, where the permission is of the issuer of the grant, and nowhere else', async () => {
  const gateway = await aFrontGateway(world)
  expect((await gateway.permit('acme', gateway.permission())).status).toBe(200)
  await world.call('POST', '/tenants/acme/policies', { document: granting('read', 'write'), liveGrants: 'now' })
  await settleAll()
  const [atFront, own] = await Promise.all(
    (['front for acme', 'acme'] as const).map((place) => world.tokensAt(place, { scope: 'read write' })),
  )
  await world.call('POST', '/tenants/acme/policies', { document: granting('read'), liveGrants: 'now' })
  await settleAll()
  const notices = await rowsOf<{ token: string }>(world, 'SELECT token FROM notices')
  const toldTo = (resource: string, tokens: Readonly<Record<string, string>> | undefined) =>
    notices
      .map(({ token }) => claimsOf(token))
      .some(({ aud, drawbridge }) => {
        const { targetId } = drawbridge as { readonly targetId: string }
        return aud === resource && targetId === grantOf(tokens?.['access_token'] ?? '')
      })
  expect([toldTo(aSharedResource, atFront), toldTo(aSharedResource, own)]).toEqual([true, true])
  expect([toldTo(behindIt, atFront), toldTo(behindIt, own)]).toEqual([true, false])
  await gateway.permit('acme')
})

it('keeps what it may still have of a resource that only the front mints for', async () => {
  const [shared] = (await world.call('GET', '/shared-resources')).body.resources
  await world.call('POST', '/tenants/acme/policies', { document: granting('read', 'write'), liveGrants: 'now' })
  await settleAll()
  const { access_token: token = '' } = await world.tokensAt('front for acme', { scope: 'read write' })
  expect((await world.call('DELETE', `/tenants/acme/shared-resources/${shared.id}`)).status).toBe(204)
  await world.call('POST', '/tenants/acme/policies', { document: granting('read'), liveGrants: 'now' })
  await settleAll()
  expect(await keptOf(token)).toEqual({ scopes: ['read'], epoch: 2, ended: false })
})
