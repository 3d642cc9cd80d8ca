/** What the vendor says of a client at the front binds every tenant, whenever it is said; what a tenant says only takes away from it. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aFrontWorld, aSharedClient, basic, companyAt, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
const places = ['front for acme', 'front for globex'] as const satisfies readonly Place[]

beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world?.close())
beforeEach(async () => {
  now = addSeconds(now, 60)
  for (const place of places) await ofTenant(place, { scopeCeiling: [], accessTokenTtlSeconds: null })
  await ofVendor({ scopeCeiling: [], accessTokenTtlSeconds: null })
})

const path = `/front-issuer/clients/${aSharedClient}`
const ofVendor = async (say: object) => {
  expect((await world.call('PATCH', path, say)).status).toBe(200)
}
/** Before somebody of the tenant has used the client there is nothing to say of it. */
const ofTenant = (place: Place, say: object) => world.call('PATCH', `/tenants/${companyAt(place)}/front-clients/${aSharedClient}`, say)
const wide = { scope: 'read write' }
const shownTo = async (place: Place) => (await world.call('GET', `/tenants/${companyAt(place)}/front-clients/${aSharedClient}`)).body

describe('a ceiling of scopes', () => {
  it('that the vendor lowers shrinks what is open at each tenant, and what is granted from then on', async () => {
    for (const place of places) {
      const open = await world.tokensAt(place, wide)
      expect(open['scope']).toBe('read write')
      await ofVendor({ scopeCeiling: ['read'] })
      const fresh = await world.refreshAt(place, open['refresh_token'] ?? '')
      expect(fresh.body).toMatchObject({ scope: 'read' })
      expect(await world.tokensAt(place, wide)).toMatchObject({ scope: 'read' })
      await ofVendor({ scopeCeiling: [] })
    }
  })

  it('is made no wider by a tenant, and no wider than a tenant said by the vendor, in whichever order', async () => {
    const [here, there] = places
    await world.tokensAt(here)
    await ofVendor({ scopeCeiling: ['read'] })
    expect((await ofTenant(here, { scopeCeiling: ['read', 'write'] })).body).toMatchObject({ scopeCeiling: ['read'] })
    expect(await world.tokensAt(here, wide)).toMatchObject({ scope: 'read' })
    // The very words of the vendor are the tenant's own, too, once it has said them.
    expect((await ofTenant(here, { scopeCeiling: ['read'] })).status).toBe(200)
    await ofVendor({ scopeCeiling: [] })
    expect(await world.tokensAt(here, wide)).toMatchObject({ scope: 'read' })
    expect(await world.tokensAt(there, wide)).toMatchObject({ scope: 'read write' })
    expect((await ofTenant(here, { scopeCeiling: ['read', 'write'] })).body).toMatchObject({ scopeCeiling: ['read', 'write'] })
  })

  it('of one and of the other that have nothing in common let nothing through, though none at all would let all through', async () => {
    const [here] = places
    const open = await world.tokensAt(here, wide)
    await ofTenant(here, { scopeCeiling: ['write'] })
    await ofVendor({ scopeCeiling: ['read'] })
    expect((await shownTo(here)).scopeCeiling).toEqual(['"nothing"'])
    expect((await world.refreshAt(here, open['refresh_token'] ?? '')).status).toBe(400)
    await expect(world.codeAt(here, wide)).rejects.toThrow('she came no further')
  })

  it('that the vendor had said before a tenant met the client is no word of that tenant: a wider one holds there, too', async () => {
    const metadata = { clientId: 'late', name: 'Late', redirectUris: [aWebRedirectUri], tokenEndpointAuthMethod: 'none' }
    expect((await world.call('POST', '/front-issuer/clients', metadata)).status).toBe(201)
    const sayOfLate = (say: object) => world.call('PATCH', '/front-issuer/clients/late', say)
    const lowered = { scopeCeiling: ['read'], accessTokenTtlSeconds: 100 }
    expect((await sayOfLate(lowered)).body).toMatchObject(lowered)
    await world.signIn(places[0], { client_id: 'late', scope: 'read' })
    const shown = async () => (await world.call('GET', '/tenants/acme/front-clients/late')).body
    expect(await shown()).toMatchObject(lowered)
    for (const said of [
      { scopeCeiling: ['write'], accessTokenTtlSeconds: 200 },
      { scopeCeiling: [], accessTokenTtlSeconds: null },
    ]) {
      await sayOfLate(said)
      expect(await shown()).toMatchObject(said)
    }
  })

  it('is not lost by what else is said: a block, an approval', async () => {
    const [here] = places
    await world.tokensAt(here)
    await ofVendor({ scopeCeiling: ['read'] })
    await ofTenant(here, { blocked: true })
    await ofTenant(here, { blocked: false })
    await ofVendor({ scopeCeiling: ['read', 'write'] })
    expect(await world.tokensAt(here, wide)).toMatchObject({ scope: 'read write' })
  })
})

it('an access token lives no longer than the vendor says, and no longer than the tenant says', async () => {
  const [here, there] = places
  for (const place of places) await world.tokensAt(place)
  const lives = async (place: Place) => Number((await world.tokensAt(place))['expires_in'])
  await ofTenant(here, { accessTokenTtlSeconds: 200 })
  await ofVendor({ accessTokenTtlSeconds: 100 })
  expect([await lives(here), await lives(there)]).toEqual([100, 100])
  await ofVendor({ accessTokenTtlSeconds: 250 })
  expect([await lives(here), await lives(there)]).toEqual([200, 250])
})

describe('a secret of a client at the front', () => {
  type Shown = { readonly id: string; readonly lastUsedAt: string | null }
  const secretsOf = async (): Promise<readonly Shown[]> => (await world.call('GET', path)).body.secrets
  const codes = async (place: Place) => {
    const code = await world.codeAt(place)
    return { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  }
  const redeem = async (place: Place, secret: string) =>
    (await world.post('/token', await codes(place), basic(aSharedClient, secret))).status
  const push = async (secret: string) => {
    const query = Object.fromEntries(new URL(world.authorizeUrl('front for acme')).searchParams)
    return (await world.post('/par', query, basic(aSharedClient, secret))).status
  }

  it('is replaced by way of a second one, at every tenant and where none is known yet, and the vendor sees which is still used', async () => {
    const older = world.secretAt('front for acme')
    now = addSeconds(now, 7200) // a use is noted once an hour
    const { status, body } = await world.call('POST', `${path}/secrets`, {})
    expect(status).toBe(201)
    const newer: string = body.clientSecret
    for (const place of places) for (const secret of [older, newer]) expect(await redeem(place, secret)).toBe(200)
    for (const secret of [older, newer]) expect(await push(secret)).toBe(201)
    const [first, second] = await secretsOf()
    expect([first?.lastUsedAt, second?.lastUsedAt]).toEqual([new Date(now).toISOString(), new Date(now).toISOString()])

    now = addSeconds(now, 7200)
    expect(await redeem('front for globex', newer)).toBe(200)
    const seen = (await secretsOf()).map(({ lastUsedAt }) => lastUsedAt === new Date(now).toISOString())
    expect(seen).toEqual([false, true])

    expect((await world.call('DELETE', `${path}/secrets/${first?.id}`)).status).toBe(200)
    for (const place of places) expect([await redeem(place, older), await redeem(place, newer)]).toEqual([401, 200])
    expect([await push(older), await push(newer)]).toEqual([401, 201])
    expect(await secretsOf()).toMatchObject([{ id: second?.id, lastUsedAt: new Date(now).toISOString() }])
    expect((await shownTo('front for globex')).secrets).toMatchObject([{ id: second?.id, lastUsedAt: new Date(now).toISOString() }])
  })

  it('that was stolen is worth nothing at any tenant from the commit on in which the vendor replaces it', async () => {
    const [{ clientSecret: known }] = [(await world.call('POST', `${path}/secret`)).body]
    for (const place of places) expect(await redeem(place, known)).toBe(200)
    const { clientSecret: next } = (await world.call('POST', `${path}/secret`)).body
    for (const place of places) expect([await redeem(place, known), await redeem(place, next)]).toEqual([401, 200])
  })
})

it('a redirect URI that the vendor takes away is one at no tenant', async () => {
  const other = 'https://other.example/callback'
  for (const place of places) await world.tokensAt(place)
  expect((await world.call('PATCH', `${path}/registration`, { redirectUris: [other] })).status).toBe(200)
  for (const place of places) {
    const page = await world.browser().visit(world.authorizeUrl(place))
    expect([page.status, page.text.includes('redirect_uri_unregistered')]).toEqual([400, true])
  }
  await world.call('PATCH', `${path}/registration`, { redirectUris: [aWebRedirectUri] })
})

it('what a tenant notes of a client waits for nobody who is changing or killing it at the front, and is noted the next time', async () => {
  const [here] = places
  await world.tokensAt(here)
  const slept = 'SELECT pg_sleep(0.6)'
  const held = rowsOf(
    world,
    `${slept} FROM (SELECT FROM clients c JOIN issuers i ON i.id = c.issuer_id WHERE i.kind = 'front' AND c.client_id = $1 FOR UPDATE OF c) held`,
    [aSharedClient],
  )
  const isHeld = () => rowsOf(world, "SELECT 1 FROM pg_stat_activity WHERE query LIKE $1 AND wait_event = 'PgSleep'", [`${slept}%`])
  await expect.poll(isHeld, { interval: 10 }).toHaveLength(1)
  const note = (at: string) =>
    asOwner(
      world.fixture.ownerUrl,
      `BEGIN; SET LOCAL lock_timeout = '100ms';
       UPDATE clients SET secret_used_at = '${at}' WHERE client_id = '${aSharedClient}' AND tenant_id = '${world.acme.tenantId}'; COMMIT`,
    )
  const ofVendor = () =>
    rowsOf<{ at: Date }>(
      world,
      "SELECT secret_used_at AS at FROM clients c JOIN issuers i ON i.id = c.issuer_id WHERE i.kind = 'front' AND client_id = $1",
      [aSharedClient],
    )
  await note('2100-01-01')
  await held
  expect((await ofVendor())[0]?.at?.getFullYear()).not.toBe(2100)
  await note('2101-01-01')
  expect((await ofVendor())[0]?.at.getUTCFullYear()).toBe(2101)
})
