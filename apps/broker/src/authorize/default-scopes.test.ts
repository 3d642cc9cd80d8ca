/** Which scopes of a shared resource somebody gets who names none: the vendor's, or her company's where it says so, at its own issuer and at the front. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aFrontWorld, aSharedResource, companyAt, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const places: readonly Place[] = ['acme', 'front for acme', 'globex', 'front for globex']
let now: Instant = instant(Date.now())
let world: FrontWorld

beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world.close())
beforeEach(async () => {
  now = addSeconds(now, 100_000)
  for (const company of ['acme', 'globex']) await choose(company, [])
})

const path = (company: string) => `/tenants/${company}/default-scopes`
async function choose(company: string, sharedResources: readonly { readonly identifier: string; readonly scopes: readonly string[] }[]) {
  expect((await world.call('PUT', path(company), { sharedResources })).status).toBe(200)
  world.broker.deps.configuration.invalidate()
}
const ofShared = (...scopes: readonly string[]) => [{ identifier: aSharedResource, scopes }]
/** Of the first tokens of somebody whose application asked for that. */
const scopeOf = async (place: Place, asked = '') => (await world.tokensAt(place, { scope: asked }))['scope']

describe.each(places)('at %s', (place) => {
  const [own, other] = companyAt(place) === 'acme' ? ['acme', 'globex'] : ['globex', 'acme']

  it('who names none has what the vendor gives by default, whatever another company says', async () => {
    await choose(other ?? '', ofShared('write'))
    expect(await scopeOf(place)).toBe('read')
  })

  it('who names none has what her company gives by default, once it says so, and no longer when it says so no more', async () => {
    await choose(own ?? '', ofShared('write'))
    expect(await scopeOf(place)).toBe('write')
    await choose(own ?? '', ofShared('read', 'write', 'gone'))
    expect(await scopeOf(place)).toBe('read write')
    await choose(own ?? '', [{ identifier: 'https://other.vendor.example/mcp', scopes: ['write'] }])
    expect(await scopeOf(place)).toBe('read')
  })

  it('who names some has those, and openid alone names none of the resource', async () => {
    await choose(own ?? '', ofShared('write'))
    expect(await scopeOf(place, 'read')).toBe('read')
    expect(await scopeOf(place, 'openid')).toBe('openid write')
  })

  it.each([
    { when: 'her company gives nothing by default', stored: { sharedResources: ofShared() } },
    { when: 'what it says cannot be read', stored: { sharedResources: 'everything' } },
  ])('who names none gets nothing where $when', async ({ stored }) => {
    await rowsOf(world, 'UPDATE tenants SET default_scopes = $2 WHERE slug = $1', [own, JSON.stringify(stored)])
    world.broker.deps.configuration.invalidate()
    await expect(world.signIn(place, { scope: '' })).rejects.toThrow('nothing_granted')
    expect(await scopeOf(place, 'read')).toBe('read')
  })
})

it('what a company gives by default is shown to its admins, checked, and in the trail', async () => {
  await choose('acme', ofShared('write'))
  expect((await world.call('GET', path('acme'))).body).toEqual({ sharedResources: ofShared('write') })
  expect((await world.call('GET', path('globex'))).body).toEqual({ sharedResources: [] })
  const twice = { sharedResources: [...ofShared('read'), ...ofShared('write')] }
  for (const wrong of [twice, { sharedResources: ofShared('two words') }, { sharedResources: [{ identifier: aSharedResource }] }, {}])
    expect((await world.call('PUT', path('acme'), wrong)).status).toBe(400)
  const [told] = await rowsOf<{ detail: unknown }>(
    world,
    `SELECT detail FROM audit_events WHERE kind = 'tenant.default_scopes_changed' AND jsonb_array_length(detail -> 'sharedResources') = 1`,
  )
  expect(told?.detail).toMatchObject({ sharedResources: ofShared('write') })
})
