/** A server that all tenants share goes on to another one at the front issuer: where the company of the person allows it there, and nowhere else. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { aFrontUrl, aFrontWorld, aSharedClient, basic, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { aFrontGateway, aGateway, behindIt, type FrontGateway } from '@drawbridge/testkit/a-front-gateway'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
let gateway: FrontGateway
beforeAll(async () => {
  world = await aFrontWorld(() => now)
  gateway = await aFrontGateway(world)
  for (const company of ['acme', 'globex'] as const) await gateway.adopt(company)
})
beforeEach(async () => {
  now = addSeconds(now, 60)
  for (const company of ['acme', 'globex'] as const) expect((await gateway.permit(company, gateway.permission())).status).toBe(200)
})
afterAll(() => world?.close())

const tokenAt = async (place: Place, scope = 'read write') => (await world.tokensAt(place, { scope }))['access_token'] ?? ''
const notValid = { status: 400, body: { error: 'invalid_request', error_description: oauthErrors['subject_token_unknown'].say } }
const notAllowed = { status: 400, body: { error: 'invalid_target', error_description: oauthErrors['exchange_not_allowed'].say } }
const claimsOf = (body: Readonly<Record<string, unknown>>) => decodeJwt(String(body['access_token']))

describe.each(['acme', 'globex'] as const)('what a person of %s gave her client at the front', (company) => {
  it('is exchanged for a token of the front that says whose she is, and who acts', async () => {
    const token = await tokenAt(`front for ${company}`)
    const { status, body } = await gateway.exchange(`front for ${company}`, token)
    expect([status, body['error']]).toEqual([200, undefined])
    const of = decodeJwt(token)
    expect(claimsOf(body)).toMatchObject({
      ...{ iss: aFrontUrl, tenant: company, aud: behindIt, client_id: aGateway, act: { sub: `${company}.${aGateway}` }, sub: of.sub },
      parents: [{ gid: of['gid'], client_id: aSharedClient }],
    })
    expect(await gateway.introspect(`front for ${company}`, body['access_token'])).toMatchObject({
      body: { active: true, sub: of.sub, act: { sub: `${company}.${aGateway}` } },
    })
    expect(await gateway.introspect(company, body['access_token'])).toMatchObject({ status: 200, body: { active: false } })
    expect((await world.introspectAt(`front for ${company}`, String(body['access_token']))).body).toEqual({ active: false })
  })
})

describe('at the front nothing comes of', () => {
  it('a permission that is of the company’s own issuer, nor there of one of the front', async () => {
    const [atFront, own] = [await tokenAt('front for acme'), await tokenAt('acme')]
    expect(await gateway.exchange('acme', own)).toMatchObject(notAllowed)
    await gateway.permit('acme', gateway.permission({ at: undefined }))
    expect(await gateway.exchange('front for acme', atFront)).toMatchObject(notAllowed)
    expect((await gateway.exchange('acme', own)).status).toBe(200)
    await gateway.permit('acme', gateway.permission({ at: undefined }), gateway.permission({ scopes: ['read'] }))
    expect((await gateway.exchange('front for acme', atFront)).body).toMatchObject({ scope: 'read' })
    expect((await gateway.exchange('acme', own)).body).toMatchObject({ scope: 'read write' })
  })

  it('a permission of another company', async () => {
    await gateway.permit('acme')
    expect(await gateway.exchange('front for acme', await tokenAt('front for acme'))).toMatchObject(notAllowed)
    expect((await gateway.exchange('front for globex', await tokenAt('front for globex'))).status).toBe(200)
  })

  it('a token of a company’s own issuer, nor there of one of the front', async () => {
    await gateway.permit('acme', gateway.permission(), gateway.permission({ at: undefined }))
    expect(await gateway.exchange('front for acme', await tokenAt('acme'))).toMatchObject(notValid)
    expect(await gateway.exchange('acme', await tokenAt('front for acme'))).toMatchObject(notValid)
    expect(await gateway.exchange('acme', await tokenAt('front for globex'))).toMatchObject(notValid)
  })

  it('a token whose company was exchanged, or that names none', async () => {
    const [head, payload = '', signature] = (await tokenAt('front for acme')).split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    for (const tenant of ['globex', 'vendor', undefined, ['acme', 'globex']]) {
      const changed = Buffer.from(JSON.stringify({ ...claims, tenant })).toString('base64url')
      const refused = await gateway.exchange('front for acme', `${head}.${changed}.${signature}`)
      expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
      if (tenant === 'globex') expect(refused).toMatchObject(notValid)
    }
  })

  it('a token of one company, for the company that the parameter names', async () => {
    const token = await tokenAt('front for acme')
    for (const tenant of ['globex', 'vendor', 'nobody'])
      expect((await gateway.exchange('front for acme', token, { tenant })).body).toMatchObject({ error: 'invalid_request' })
    expect((await gateway.exchange('front for acme', token, { tenant: 'acme' })).status).toBe(200)
  })

  it('a client that proves itself by what it has at a company, or that the company of the person has not let in', async () => {
    const token = await tokenAt('front for acme')
    const asAtAcme = basic(aGateway, gateway.secretAt('acme'))
    expect(await gateway.exchange('front for acme', token, {}, asAtAcme)).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    const other = { clientId: 'stranger', name: 'Stranger', grantTypes: ['urn:ietf:params:oauth:grant-type:token-exchange'] }
    const made = await world.call('POST', '/front-issuer/clients', { ...other, tokenEndpointAuthMethod: 'client_secret_basic' })
    await gateway.permit('acme', gateway.permission({ client: 'stranger' }))
    const asStranger = basic('stranger', made.body.clientSecret)
    expect(await gateway.exchange('front for acme', token, {}, asStranger)).toMatchObject({ status: 401 })
    await gateway.adopt('acme', 'stranger')
    expect((await gateway.exchange('front for acme', token, {}, asStranger)).status).toBe(200)
    expect(await gateway.exchange('front for globex', await tokenAt('front for globex'), {}, asStranger)).toMatchObject({ status: 401 })
  })

  it('an actor token, as anywhere', async () => {
    const token = await tokenAt('front for acme')
    const actor = { actor_token: await tokenAt('front for globex'), actor_token_type: 'urn:ietf:params:oauth:token-type:access_token' }
    expect((await gateway.exchange('front for acme', token, actor)).body).toMatchObject({ error: 'invalid_request' })
  })

  it('a resource that is not shared with it, in a permission or a request', async () => {
    const unshared = { to: world.acme.resource }
    expect((await gateway.permit('acme', gateway.permission(unshared))).status).toBe(409)
    expect((await gateway.permit('acme', gateway.permission({ ...unshared, at: undefined }))).status).toBe(200)
    await gateway.permit('acme', gateway.permission())
    const token = await tokenAt('front for acme')
    expect(await gateway.exchange('front for acme', token, { resource: world.acme.resource })).toMatchObject(notAllowed)
  })

  it('a client of the person that the permission does not name', async () => {
    const token = await tokenAt('front for acme')
    await gateway.permit('acme', gateway.permission({ ofClients: ['another'] }))
    expect(await gateway.exchange('front for acme', token)).toMatchObject(notAllowed)
    await gateway.permit('acme', gateway.permission({ ofClients: [aSharedClient] }))
    expect((await gateway.exchange('front for acme', token)).status).toBe(200)
  })
})

describe('what was exchanged at the front ends', () => {
  const exchangedAt = async (place: Place) => String((await gateway.exchange(place, await tokenAt(place))).body['access_token'])
  const isActive = async (place: Place, token: string) => (await gateway.introspect(place, token)).body['active'] ?? false
  const reason = { reason: 'a test' }

  it.each<{ what: string; end: (token: string) => Promise<unknown>; spares: boolean }>([
    {
      what: 'the person',
      end: (token) => world.call('POST', `/tenants/acme/subjects/${decodeJwt(token).sub}/kill`, reason),
      spares: true,
    },
    {
      what: 'her client, by her company',
      end: () => world.call('POST', `/tenants/acme/clients/${aSharedClient}/kill`, reason),
      spares: true,
    },
    {
      what: 'the one who acts, by her company',
      end: () => world.call('POST', `/tenants/acme/clients/${aGateway}/kill`, reason),
      spares: true,
    },
    {
      what: 'her connection',
      end: () => world.call('POST', `/tenants/acme/connections/${world.acme.connectionId}/kill`, reason),
      spares: true,
    },
    { what: 'her company', end: () => world.call('POST', '/tenants/acme/kill', reason), spares: true },
    { what: 'the permission', end: () => gateway.permit('acme'), spares: true },
    { what: 'a scope of the permission', end: () => gateway.permit('acme', gateway.permission({ scopes: ['read'] })), spares: true },
    {
      what: 'that the permission is of the front',
      end: () => gateway.permit('acme', gateway.permission({ at: undefined })),
      spares: true,
    },
    {
      what: 'the one who acts, by the vendor',
      end: () => world.call('POST', `/front-issuer/clients/${aGateway}/kill`, reason),
      spares: false,
    },
    {
      what: 'her client, by the vendor',
      end: () => world.call('POST', `/front-issuer/clients/${aSharedClient}/kill`, reason),
      spares: false,
    },
  ])('with $what', async ({ end, spares }) => {
    const [hers, other] = [await exchangedAt('front for acme'), await exchangedAt('front for globex')]
    expect([await isActive('front for acme', hers), await isActive('front for globex', other)]).toEqual([true, true])
    now = addSeconds(now, 2)
    expect(((await end(hers)) as { status: number }).status).toBeLessThan(300)
    expect([await isActive('front for acme', hers), await isActive('front for globex', other)]).toEqual([false, spares])
    await wakeUp()
  })

  it('of its own permission alone: what was exchanged at the company’s own issuer lives', async () => {
    await gateway.permit('acme', gateway.permission(), gateway.permission({ at: undefined }))
    const [atFront, own] = [await exchangedAt('front for acme'), await exchangedAt('acme')]
    await gateway.permit('acme', gateway.permission({ at: undefined }))
    expect([await isActive('front for acme', atFront), await isActive('acme', own)]).toEqual([false, true])
    await gateway.permit('acme', gateway.permission())
    expect(await isActive('acme', own)).toBe(false)
  })
})

/** Whoever was ended may come again. */
async function wakeUp(): Promise<void> {
  now = addSeconds(now, 60)
  await rowsOf(world, 'UPDATE clients SET blocked_at = NULL')
  await rowsOf(world, 'UPDATE subjects SET deactivated_at = NULL')
  await rowsOf(world, 'UPDATE connections SET disabled_at = NULL')
  await rowsOf(world, 'UPDATE tenants SET suspended_at = NULL')
  world.broker.deps.configuration.invalidate()
}
