/** What introspection tells resource servers of people, at a tenant's issuer and at the front: both sides have to want it, and no token holds it. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { claimsOfScopes } from '@drawbridge/core/oauth/userinfo'
import { createGuard } from '@drawbridge/guard/create-guard'
import { aFrontWorld, type FrontWorld, ofSharedGuard, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
let shared = ''
const personal = ['name', 'given_name', 'email', 'email_verified']
const nobody = { profile: false, email: false }

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  const { body } = await world.call('GET', '/shared-resources')
  shared = (body as { readonly resources: readonly { readonly id: string }[] }).resources[0]?.id ?? ''
})
afterAll(() => world.close())
beforeEach(async () => {
  now = addSeconds(now, 100_000)
  await asks({ profile: true, email: true })
  for (const company of ['acme', 'globex']) await allows(company, { profile: true, email: true })
})

const asks = async (toldOfPeople: unknown) =>
  expect((await world.call('PATCH', `/shared-resources/${shared}`, { toldOfPeople })).status).toBe(200)
const allows = async (company: string, chosen: unknown) => {
  expect((await world.call('PUT', `/tenants/${company}/userinfo`, chosen)).status).toBe(200)
  world.broker.deps.configuration.invalidate()
}
/** An access token of somebody of whom that much is known. */
async function aToken(place: Place): Promise<string> {
  const { access_token: token = '' } = await world.tokensAt(place)
  const known = [
    ['name', 'Ada Lovelace'],
    ['given_name', 'Ada'],
    ['email', 'ada@proven.example'],
    ['active', false],
    ['scope', 'write'],
  ]
  await rowsOf(world, `UPDATE subjects SET claims = jsonb_set(claims, '{claims}', $2) WHERE id = $1`, [
    decodeJwt(token).sub,
    JSON.stringify(known),
  ])
  return token
}
const toldOf = async (place: Place, token: string) => {
  const { body } = await world.introspectAt(place, token)
  return {
    active: body['active'],
    told: Object.keys(body)
      .filter((name) => personal.includes(name))
      .sort(),
  }
}

describe.each<{ place: Place; company: string }>([
  { place: 'acme', company: 'acme' },
  { place: 'front for globex', company: 'globex' },
])('a resource server, at $place,', ({ place, company }) => {
  it.each([
    {
      asked: { profile: true, email: true },
      allowed: { profile: true, email: true },
      told: ['email', 'email_verified', 'given_name', 'name'],
    },
    { asked: { profile: true, email: true }, allowed: { profile: false, email: true }, told: ['email', 'email_verified'] },
    { asked: { profile: true }, allowed: { profile: true, email: true }, told: ['given_name', 'name'] },
    { asked: { profile: true }, allowed: { profile: false, email: true }, told: [] },
    { asked: nobody, allowed: { profile: true, email: true }, told: [] },
    { asked: { profile: true, email: true }, allowed: nobody, told: [] },
  ])('that asks for $asked is told $told where $allowed is allowed, and no token holds it', async ({ asked, allowed, told }) => {
    await asks(asked)
    await allows(company, allowed)
    const token = await aToken(place)
    expect(await toldOf(place, token)).toEqual({ active: true, told })
    expect(Object.keys(decodeJwt(token)).filter((name) => personal.includes(name))).toEqual([])
  })

  it('reads what is known of her, and nothing that she could call herself changes what is said of the token', async () => {
    const token = await aToken(place)
    const { body } = await world.introspectAt(place, token)
    expect(body).toMatchObject({ name: 'Ada Lovelace', given_name: 'Ada', email: 'ada@proven.example', email_verified: false })
    expect(body).toMatchObject({ active: true, sub: decodeJwt(token).sub, scope: decodeJwt(token)['scope'] })
  })

  it('is told no more of her from the moment in which either side wants it no longer', async () => {
    const token = await aToken(place)
    await asks(nobody)
    expect(await toldOf(place, token)).toEqual({ active: true, told: [] })
    await asks({ email: true })
    expect(await toldOf(place, token)).toEqual({ active: true, told: ['email', 'email_verified'] })
    await allows(company, nobody)
    expect(await toldOf(place, token)).toEqual({ active: true, told: [] })
  })

  it('is told nothing of somebody who is out', async () => {
    const token = await aToken(place)
    await rowsOf(world, 'UPDATE subjects SET epoch = epoch + 1 WHERE id = $1', [decodeJwt(token).sub])
    expect((await world.introspectAt(place, token)).body).toEqual({ active: false })
  })
})

it('a guard asks who is behind a token that it let through, and is told all that may be told', async () => {
  const token = await aToken('front for acme')
  const claims = claimsOfScopes(['profile', 'email']).filter((name) => name !== 'email_verified')
  const known = JSON.stringify(claims.map((name) => [name, `her ${name}`]))
  await rowsOf(world, `UPDATE subjects SET claims = jsonb_set(claims, '{claims}', $2) WHERE id = $1`, [decodeJwt(token).sub, known])
  // No worker tells it here of what became of others.
  const guard = createGuard({ ...ofSharedGuard(world, () => now), onDeaf: 'introspect' })
  await guard.start()
  try {
    const checked = await guard.check(`Bearer ${token}`)
    if (!checked.ok) throw new Error(checked.error.reason)
    const told = { ...Object.fromEntries(claims.map((name) => [name, `her ${name}`])), email_verified: false }
    expect(await guard.personOf(token, checked.value)).toEqual({ ok: true, value: told })
    await allows('acme', nobody)
    expect(await guard.personOf(token, checked.value)).toEqual({ ok: true, value: {} })
  } finally {
    await guard.stop()
  }
})

it('a company that allows nothing keeps its people to itself at the front, whatever others allow', async () => {
  await allows('acme', nobody)
  expect(await toldOf('front for acme', await aToken('front for acme'))).toEqual({ active: true, told: [] })
  expect((await toldOf('front for globex', await aToken('front for globex'))).told).toContain('email')
})

it('what a resource asks for is shown, kept by other changes, and in the trail', async () => {
  const change = (body: unknown) => world.call('PATCH', `/shared-resources/${shared}`, body)
  await change({ name: 'Papers', toldOfPeople: { email: true } })
  expect((await change({ name: 'Documents' })).body).toMatchObject({ name: 'Documents', toldOfPeople: { profile: false, email: true } })
  expect((await change({ toldOfPeople: { phone: true } })).status).toBe(400)
  const [row] = await rowsOf<{ detail: unknown }>(
    world,
    `SELECT detail FROM audit_events WHERE kind = 'resource.updated' AND detail ->> 'name' = 'Papers'`,
  )
  expect(row?.detail).toMatchObject({ toldOfPeople: { profile: false, email: true } })
  const made = { identifier: 'https://told.vendor.example/mcp', name: 'Told', scopes: [], toldOfPeople: { profile: true } }
  expect((await world.call('POST', '/shared-resources', made)).body).toMatchObject({ toldOfPeople: { profile: true, email: false } })
})

it('each company that shares a resource sees what it asks for, and since when; another change moves that time not', async () => {
  const change = (body: unknown) => world.call('PATCH', `/shared-resources/${shared}`, body)
  const shownTo = async (company: string) => {
    const { body } = await world.call('GET', `/tenants/${company}/resources`)
    const found = body.resources.find(({ id }: { readonly id: string }) => id === shared)
    return [found.toldOfPeople, found.toldOfPeopleSince]
  }
  await change({ toldOfPeople: nobody })
  now = addSeconds(now, 60)
  await change({ toldOfPeople: { email: true } })
  const since = new Date(now).toISOString()
  now = addSeconds(now, 60)
  await change({ name: 'Papers', toldOfPeople: { profile: false, email: true } })
  for (const company of ['acme', 'globex']) expect(await shownTo(company)).toEqual([{ profile: false, email: true }, since])
})
