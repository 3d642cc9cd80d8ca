/** A SAML assertion for the front names its company by its Audience, and the front by its Recipient: with either missing it is nothing. ADR 90 */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aFrontUrl, aFrontWorld, aSharedResource, type FrontWorld, type Place } from '@drawbridge/testkit/a-front'
import { aBringer, aFrontBringer, type FrontBringer, type SaidOtherwise } from '@drawbridge/testkit/a-front-bringer'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
let idp: FrontBringer
beforeAll(async () => {
  world = await aFrontWorld(() => now)
  idp = await aFrontBringer(world, () => now)
})
beforeEach(async () => {
  now = addSeconds(now, 60)
  await idp.distrust()
})
afterAll(() => world?.close())

const refused = { status: 400, body: { error: 'invalid_grant' } }
const [atAcme, atGlobex] = ['front for acme', 'front for globex'] as const satisfies readonly Place[]
const bothTrust = async (change: Readonly<Record<string, unknown>> = {}) => {
  await idp.trustSaml('acme', change)
  await idp.trustSaml('globex', change)
}

it('opens access at the company that it names, once', async () => {
  await bothTrust()
  for (const [company, place] of [['acme', atAcme] as const, ['globex', atGlobex] as const]) {
    const assertion = idp.saml(place)
    const { status, body } = await idp.bringSaml(place, assertion)
    expect([status, body['error']]).toEqual([200, undefined])
    const told = { iss: aFrontUrl, tenant: company, aud: aSharedResource, client_id: aBringer, scope: 'read' }
    expect(decodeJwt(String(body['access_token']))).toMatchObject(told)
    expect(await idp.bringSaml(place, assertion)).toMatchObject(refused)
  }
})

it('of one company is nothing at another that trusts the same issuer, and is still good where it belongs', async () => {
  await bothTrust()
  const assertion = idp.saml(atAcme)
  expect(await idp.bringSaml(atGlobex, assertion)).toMatchObject(refused)
  expect((await idp.bringSaml(atAcme, assertion)).status).toBe(200)
})

it('is nothing without a word of which company is meant, which we do not look for in it', async () => {
  await bothTrust()
  const assertion = idp.saml(atAcme)
  expect((await idp.bringSaml(atAcme, assertion, { tenant: '' })).status).toBe(400)
  expect((await idp.bringSaml(atAcme, assertion, { tenant: 'vendor' })).status).toBe(400)
  expect((await idp.bringSaml(atAcme, assertion)).status).toBe(200)
})

it.each<{ what: string; said: SaidOtherwise; ofOther?: true }>([
  { what: 'the front as Audience', said: { audience: aFrontUrl } },
  { what: 'the front’s token endpoint as Audience', said: { audience: `${aFrontUrl}/token` } },
  { what: 'another company as Audience', said: { audience: `${aFrontUrl}/t/globex` }, ofOther: true },
  { what: 'both companies as Audience', said: { audience: `${aFrontUrl}/t/acme</saml:Audience><saml:Audience>${aFrontUrl}/t/globex` } },
  { what: 'the token endpoint of the company’s own issuer as Recipient', said: { recipient: `${aFrontUrl}/t/acme/token` } },
  { what: 'an answer to a request', said: { inResponseTo: '_request' } },
])('with $what is nothing at the front', async ({ said, ofOther }) => {
  await bothTrust()
  const places = ofOther === true ? [atAcme] : [atAcme, atGlobex]
  for (const place of places) expect(await idp.bringSaml(place, idp.saml(atAcme, said))).toMatchObject(refused)
})

describe('front and company’s own issuer', () => {
  it('an assertion for the one is nothing at the other', async () => {
    await bothTrust()
    const [own, front] = [idp.saml('acme'), idp.saml(atAcme)]
    expect(await idp.bringSaml(atAcme, own)).toMatchObject(refused)
    expect(await idp.bringSaml('acme', front)).toMatchObject(refused)
    expect((await idp.bringSaml('acme', own)).status).toBe(200)
    expect((await idp.bringSaml(atAcme, front)).status).toBe(200)
  })

  it.each([
    { at: 'own', opens: ['acme'] },
    { at: 'front', opens: [atAcme] },
  ])('a trust that holds at $at opens that alone', async ({ at, opens }) => {
    await bothTrust({ at })
    for (const place of ['acme', atAcme] as const)
      expect((await idp.bringSaml(place, idp.saml(place))).status).toBe(opens.includes(place) ? 200 : 400)
  })
})

it('is brought by a client that the trust lists, by its secret at the front', async () => {
  await bothTrust()
  expect(await idp.bringSaml(atAcme, idp.saml(atAcme), {}, idp.byItself('acme'))).toMatchObject({ status: 401 })
  await idp.distrust()
  await bothTrust({ clients: ['another'] })
  expect(await idp.bringSaml(atAcme, idp.saml(atAcme))).toMatchObject(refused)
})
