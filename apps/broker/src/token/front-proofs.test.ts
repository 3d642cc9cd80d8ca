/** Front and tenant, both ways: what a client signs for the one issuer proves nothing at the other, be it by the same key under the same name. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { type ADpopKey, aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { aFrontUrl, aFrontWorld, aSharedClient, baseOf, basic, type FrontWorld, type Place } from '@drawbridge/testkit/a-front'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const keyed = 'keyed'
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
let now: Instant = instant(Date.now())
let world: FrontWorld
let dpop: ADpopKey
beforeAll(async () => {
  world = await aFrontWorld(() => now)
  dpop = await aDpopKey()
  const jwks = { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'one' }] }
  const client = {
    clientId: keyed,
    name: 'Keyed',
    grantTypes: ['refresh_token', 'authorization_code'],
    redirectUris: ['https://keyed.example/back'],
  }
  for (const whose of ['/front-issuer', '/tenants/acme', '/tenants/globex']) {
    const { status } = await world.call('POST', `${whose}/clients`, { ...client, tokenEndpointAuthMethod: 'private_key_jwt', jwks })
    expect(status).toBe(201)
  }
  for (const slug of ['acme', 'globex']) {
    for (const id of [keyed, aSharedClient]) expect((await world.call('POST', `/tenants/${slug}/front-clients/${id}`)).status).toBe(200)
  }
})
beforeEach(async () => {
  now = addSeconds(now, 60)
  await demandNonces(false)
})
afterAll(() => world?.close())

async function demandNonces(nonceDemanded: boolean): Promise<void> {
  for (const whose of ['/front-issuer', '/tenants/acme', '/tenants/globex'])
    expect((await world.call('PUT', `${whose}/dpop`, { boundTokensDemanded: false, nonceDemanded })).status).toBe(200)
}
const bothWays: readonly { readonly from: Place; readonly to: Place }[] = [
  { from: 'front for acme', to: 'acme' },
  { from: 'acme', to: 'front for acme' },
  { from: 'front for acme', to: 'globex' },
  { from: 'globex', to: 'front for globex' },
  { from: 'acme', to: 'globex' },
]
const issuerOf = (place: Place): string => `${aFrontUrl}${baseOf(place)}`
/** A refresh token that nobody has: whoever asks with it has been believed before he hears that. At the front it names its company. */
const nobodys = (place: Place) => ({
  grant_type: 'refresh_token',
  refresh_token: place.startsWith('front') ? `dbr_${place.replace('front for ', '')}.${'x'.repeat(43)}` : `dbr_${'x'.repeat(43)}`,
})
const believed = { status: 400, body: { error: 'invalid_grant' } }

describe.each(bothWays)('made for $from, at $to', ({ from, to }) => {
  const assertion = (aud: string | readonly string[]) =>
    new SignJWT({ iss: keyed, sub: keyed, aud, jti: randomUUID(), iat: toSeconds(now), exp: toSeconds(now) + 60 } as never)
      .setProtectedHeader({ alg: 'ES256', kid: 'one', typ: 'client-authentication+jwt' })
      .sign(pair.privateKey)
  const present = (place: Place, signed: string) =>
    world.post(`${baseOf(place)}/token`, {
      ...nobodys(place),
      ...{ client_id: keyed, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: signed },
    })

  it('a client assertion proves nobody, and is still good where it belongs', async () => {
    const signed = await assertion(issuerOf(from))
    expect(await present(to, signed)).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    expect(await present(from, signed)).toMatchObject(believed)
  })

  const refresh = (place: Place, proof: string) =>
    world.post(`${baseOf(place)}/token`, nobodys(place), { ...basic(aSharedClient, world.secretAt(place)), dpop: proof })
  const prove = (place: Place, claims: object = {}) => dpop.prove({ url: `${issuerOf(place)}/token`, now }, { claims: { ...claims } })

  it('a proof of a key proves none', async () => {
    expect(await refresh(to, await prove(from))).toMatchObject({
      status: 400,
      body: { error: 'invalid_dpop_proof', error_description: oauthErrors.dpop_proof_of_other_request.say },
    })
    expect(await refresh(from, await prove(from))).toMatchObject(believed)
  })

  it('a nonce is none of ours', async () => {
    await demandNonces(true)
    const form = new URLSearchParams(nobodys(from))
    const headers = { ...basic(aSharedClient, world.secretAt(from)), dpop: await prove(from) }
    const asked = await fetch(`${world.broker.url}${baseOf(from)}/token`, { method: 'POST', body: form, headers })
    const nonce = asked.headers.get('dpop-nonce') ?? ''
    expect([asked.status, nonce.length > 0]).toEqual([400, true])
    expect(await refresh(to, await prove(to, { nonce }))).toMatchObject({ status: 400, body: { error: 'use_dpop_nonce' } })
    expect(await refresh(from, await prove(from, { nonce }))).toMatchObject(believed)
  })
})
