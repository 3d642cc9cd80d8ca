/** An assertion for the front is for one company: whoever brings it anywhere else gets nothing, and takes nothing from whom it is for. ADR 90 */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import {
  aFrontUrl,
  aFrontWorld,
  aSharedResource,
  basic,
  type FrontWorld,
  type Place,
  type Posted,
  rowsOf,
} from '@drawbridge/testkit/a-front'
import { aBringer, aFrontBringer, type FrontBringer } from '@drawbridge/testkit/a-front-bringer'
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
const claimsOf = ({ body }: Posted) => decodeJwt(String(body['access_token']))
const isActive = async (place: Place, { body }: Posted) =>
  (await world.introspectAt(place, String(body['access_token']))).body['active'] ?? false

describe.each([
  { company: 'acme', place: atAcme },
  { company: 'globex', place: atGlobex },
] as const)('an assertion for $company at the front', ({ company, place }) => {
  it('opens access there, for its person, once, and needs no other word for whose it is', async () => {
    await idp.trust('acme')
    await idp.trust('globex')
    const assertion = await idp.assertion(place)
    const granted = await idp.bring(place, assertion)
    expect(granted).toMatchObject({ status: 200, body: { token_type: 'Bearer', scope: 'read write' } })
    expect(granted.body).not.toHaveProperty('refresh_token')
    expect(claimsOf(granted)).toMatchObject({ iss: aFrontUrl, tenant: company, aud: aSharedResource, client_id: aBringer })
    expect([await isActive(place, granted), await isActive(company, granted)]).toEqual([true, false])
    expect(await idp.bring(place, assertion)).toMatchObject(refused)
  })

  it('counts once, also of many at once', async () => {
    await idp.trust(company)
    const assertion = await idp.assertion(place)
    const answers = await Promise.all(Array.from({ length: 8 }, () => idp.bring(place, assertion)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 7 }, () => 400)])
  })
})

describe('of an issuer that both companies trust', () => {
  beforeEach(async () => {
    await idp.trust('acme')
    await idp.trust('globex')
  })

  it('an assertion for one is nothing at the other, and is still good where it belongs', async () => {
    const assertion = await idp.assertion(atAcme)
    expect((await idp.bring(atAcme, assertion, { tenant: 'globex' })).status).toBe(400)
    expect(await idp.bring(atAcme, assertion)).toMatchObject({ status: 200 })
  })

  it.each<{ what: string; change: Readonly<Record<string, unknown>> }>([
    { what: 'names no company', change: { aud_tenant: undefined } },
    { what: 'names both', change: { aud_tenant: ['acme', 'globex'] } },
    { what: 'names one in a list', change: { aud_tenant: ['acme'] } },
    { what: 'names the vendor', change: { aud_tenant: 'vendor' } },
    { what: 'names a company that is not here', change: { aud_tenant: 'initech' } },
    { what: 'names it otherwise than we do', change: { aud_tenant: 'Acme' } },
    { what: 'names it by the claim of the issuer’s own companies', change: { aud_tenant: undefined, tenant: 'acme' } },
  ])('one that $what is nothing at either, whatever the request says', async ({ change }) => {
    const assertion = await idp.assertion(atAcme, change)
    for (const form of [{}, { tenant: 'acme' }, { tenant: 'globex' }] as Record<string, string>[]) {
      const { status, body } = await idp.bring(atAcme, assertion, form)
      expect([status, body['access_token']]).toEqual([400, undefined])
    }
  })

  it('one whose company was exchanged after it was signed is nothing', async () => {
    const [head, payload = '', signature] = (await idp.assertion(atAcme)).split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    const changed = Buffer.from(JSON.stringify({ ...claims, aud_tenant: 'globex' })).toString('base64url')
    expect(await idp.bring(atGlobex, `${head}.${changed}.${signature}`)).toMatchObject(refused)
  })
})

describe('front and company’s own issuer', () => {
  it('an assertion for the one is nothing at the other', async () => {
    await idp.trust('acme')
    const [own, front] = [await idp.assertion('acme'), await idp.assertion(atAcme)]
    expect((await idp.bring(atAcme, own, { tenant: 'acme' })).status).toBe(400)
    expect(await idp.bring('acme', front)).toMatchObject(refused)
    expect((await idp.bring('acme', own)).status).toBe(200)
    expect((await idp.bring(atAcme, front)).status).toBe(200)
    const both = await idp.assertion(atAcme, { aud: [aFrontUrl, `${aFrontUrl}/t/acme`] })
    expect(await idp.bring(atAcme, both)).toMatchObject(refused)
  })

  it.each([
    { at: 'own', opens: ['acme'] },
    { at: 'front', opens: [atAcme] },
    { at: 'both', opens: ['acme', atAcme] },
    { at: undefined, opens: ['acme'] },
  ])('a trust that holds at $at opens that alone', async ({ at, opens }) => {
    await idp.trust('acme', { at })
    for (const place of ['acme', atAcme] as const)
      expect((await idp.bring(place, await idp.assertion(place))).status).toBe(opens.includes(place) ? 200 : 400)
    expect(await idp.bring(atGlobex, await idp.assertion(atGlobex))).toMatchObject({ status: expect.not.toBeOneOf([200]) })
  })

  it('an assertion for a company’s own issuer that names another company is refused there, too', async () => {
    await idp.trust('acme')
    expect(await idp.bring('acme', await idp.assertion('acme', { aud_tenant: 'globex' }))).toMatchObject(refused)
    expect((await idp.bring('acme', await idp.assertion('acme', { aud_tenant: 'acme' }))).status).toBe(200)
  })
})

it('no trust in an issuer of this installation is made for the front, and none that is there all the same opens anything', async () => {
  const loop = { name: 'Loop', configuration: { issuer: `${aFrontUrl}/t/globex/id-jag`, jwks: { keys: [idp.key.jwk] }, at: 'front' } }
  const made = await world.call('POST', '/tenants/acme/assertion-trusts', loop)
  expect(made.body).toMatchObject({ type: 'urn:drawbridge:error:trust_loops' })
  const id = await idp.trust('acme')
  await rowsOf(world, 'UPDATE connections SET configuration = $2 WHERE id = $1', [id, JSON.stringify(loop.configuration)])
  world.broker.deps.configuration.invalidate()
  expect(await idp.bring(atAcme, await idp.assertion(atAcme, { iss: loop.configuration.issuer }))).toMatchObject(refused)
})

describe('who brings it', () => {
  beforeEach(() => idp.trust('acme'))

  it('is the client of the front that it names: by the front’s secret, and nobody else', async () => {
    const assertion = await idp.assertion(atAcme)
    expect(await idp.bring(atAcme, assertion, {}, idp.byItself('acme'))).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    const other = {
      clientId: 'other-bringer',
      name: 'Other',
      grantTypes: [jwtBearerGrantType],
      tokenEndpointAuthMethod: 'client_secret_basic',
    }
    const { clientSecret } = (await world.call('POST', '/front-issuer/clients', other)).body
    expect(await idp.bring(atAcme, assertion, {}, basic('other-bringer', clientSecret ?? ''))).toMatchObject(refused)
    expect((await idp.bring(atAcme, assertion)).status).toBe(200)
  })

  it('proves the key that it is bound to', async () => {
    expect(await idp.bring(atAcme, await idp.assertion(atAcme, { cnf: { jkt: 'x'.repeat(43) } }))).toMatchObject(refused)
  })
})

describe('the rules of such assertions hold at the front', () => {
  it.each<{ what: string; change?: Readonly<Record<string, unknown>>; header?: Readonly<Record<string, unknown>> }>([
    { what: 'another type', header: { typ: 'JWT' } },
    { what: 'the token endpoint as audience', change: { aud: `${aFrontUrl}/token` } },
    { what: 'no client', change: { client_id: undefined } },
    { what: 'details that we do not carry out', change: { authorization_details: [] } },
    { what: 'an id that is none', change: { jti: undefined } },
    { what: 'an end long ago', change: { iat: 1_000_000_000, exp: 1_000_000_060 } },
  ])('$what', async ({ change, header }) => {
    await idp.trust('acme')
    expect(await idp.bring(atAcme, await idp.assertion(atAcme, change, header))).toMatchObject(refused)
  })

  it('another resource than those that the front may mint for', async () => {
    await idp.trust('acme')
    const assertion = await idp.assertion(atAcme, { resource: world.acme.resource })
    expect(await idp.bring(atAcme, assertion)).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
  })

  it('and of others by RFC 7523 the token endpoint may be the audience, where the trust says so', async () => {
    await idp.trust('acme', { profile: 'rfc7523', clients: [aBringer] })
    const bring = async (change: object) => (await idp.bring(atAcme, await idp.assertion(atAcme, { ...change }, { typ: undefined }))).status
    expect(await bring({ aud: `${aFrontUrl}/token` })).toBe(200)
    expect(await bring({ aud: `${aFrontUrl}/token`, aud_tenant: undefined })).toBe(400)
    expect(await bring({ aud: `${aFrontUrl}/t/acme/token` })).toBe(400)
  })
})

describe('what it opened ends', () => {
  const reason = { reason: 'a test' }
  const opened = async () => {
    const trust = await idp.trust('acme')
    await idp.trust('globex')
    const [hers, other] = [await idp.bring(atAcme, await idp.assertion(atAcme)), await idp.bring(atGlobex, await idp.assertion(atGlobex))]
    expect([await isActive(atAcme, hers), await isActive(atGlobex, other)]).toEqual([true, true])
    now = addSeconds(now, 2)
    return { trust, hers, other }
  }
  const narrowed = (at: string) => ({ name: 'IdP', configuration: { issuer: 'https://idp.example', jwks: { keys: [idp.key.jwk] }, at } })

  it.each<{ what: string; end: (of: Awaited<ReturnType<typeof opened>>) => Promise<{ readonly status: number }>; spares?: false }>([
    { what: 'the trust', end: ({ trust }) => world.call('POST', `/tenants/acme/assertion-trusts/${trust}/kill`, reason) },
    {
      what: 'that the trust holds there',
      end: ({ trust }) => world.call('PUT', `/tenants/acme/assertion-trusts/${trust}`, narrowed('own')),
    },
    { what: 'its person', end: ({ hers }) => world.call('POST', `/tenants/acme/subjects/${claimsOf(hers).sub}/kill`, reason) },
    { what: 'its client, by the company', end: () => world.call('POST', `/tenants/acme/clients/${aBringer}/kill`, reason) },
    { what: 'its client, by the vendor', end: () => world.call('POST', `/front-issuer/clients/${aBringer}/kill`, reason), spares: false },
    { what: 'the company', end: () => world.call('POST', '/tenants/acme/kill', reason) },
  ])('with $what', async ({ end, spares = true }) => {
    const open = await opened()
    expect((await end(open)).status).toBeLessThan(300)
    expect([await isActive(atAcme, open.hers), await isActive(atGlobex, open.other)]).toEqual([false, spares])
    await rowsOf(world, 'UPDATE clients SET blocked_at = NULL')
    await rowsOf(world, 'UPDATE subjects SET deactivated_at = NULL')
    await rowsOf(world, 'UPDATE tenants SET suspended_at = NULL')
    now = addSeconds(now, 60)
    world.broker.deps.configuration.invalidate()
  })

  it('at no other issuer when it comes to hold at one more', async () => {
    const trust = await idp.trust('acme', { at: 'front' })
    const hers = await idp.bring(atAcme, await idp.assertion(atAcme))
    expect((await world.call('PUT', `/tenants/acme/assertion-trusts/${trust}`, narrowed('both'))).status).toBe(200)
    expect(await isActive(atAcme, hers)).toBe(true)
  })
})

describe('what is shown', () => {
  it('to the admin: what the issuer has to write for the front', async () => {
    const shown = async (id: string) => (await world.call('GET', `/tenants/acme/assertion-trusts/${id}`)).body.frontAddresses
    const there = { audience: aFrontUrl, audTenant: 'acme', tokenEndpoint: `${aFrontUrl}/token` }
    expect(await shown(await idp.trust('acme'))).toEqual(there)
    expect(await shown(await idp.trustSaml('acme'))).toEqual({ ...there, audience: `${aFrontUrl}/t/acme`, audTenant: null })
    await idp.distrust()
    expect(await shown(await idp.trust('acme', { at: 'own' }))).toBeNull()
  })

  it('to everybody: that the front knows the grants and the profile, and nothing of who is trusted', async () => {
    const metadata = async () => (await fetch(`${world.broker.url}/.well-known/oauth-authorization-server`)).json()
    const before = await metadata()
    expect(before).toMatchObject({
      authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'],
      grant_types_supported: expect.arrayContaining([jwtBearerGrantType, 'urn:ietf:params:oauth:grant-type:saml2-bearer']),
    })
    await idp.trust('acme')
    expect(await metadata()).toEqual(before)
  })
})
