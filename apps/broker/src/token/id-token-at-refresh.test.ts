/** An ID token with every refresh of a grant that has `openid` (OpenID Connect Core §12.2): at a company's own issuer, and at the front for each company. */
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { leftHalfHash } from '@drawbridge/crypto/hash'
import { aFrontUrl, aFrontWorld, aSharedClient, baseOf, companyAt, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
const places = ['acme', 'front for acme', 'front for globex'] as const satisfies readonly Place[]

beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world?.close())
beforeEach(() => {
  now = addSeconds(now, 60)
})

const openid = { scope: 'openid read', nonce: 'n-0S6_WzA2Mj' }
type Tokens = Readonly<Record<string, string>>
const refreshAt = async (place: Place, { refresh_token: token = '' }: Tokens) => (await world.refreshAt(place, token)).body as Tokens
const told = ({ id_token: token = '' }: Tokens) => decodeJwt(token)

/** As a client does: by a key that the issuer publishes, for itself, now. */
async function verify(place: Place, { id_token: token = '' }: Tokens) {
  const keys = (await (await fetch(`${world.broker.url}${baseOf(place)}/jwks`)).json()) as JSONWebKeySet
  const expected = { issuer: `${aFrontUrl}${baseOf(place)}`, audience: aSharedClient, typ: 'JWT', currentDate: new Date(now) }
  return (await jwtVerify(token, createLocalJWKSet(keys), expected)).payload
}

describe.each(places)('%s', (place) => {
  it('says again who she is and how she signed in, to the same client, from now on, of the new access token and without the nonce', async () => {
    const first = await world.tokensAt(place, openid)
    now = addSeconds(now, 360)
    const second = await refreshAt(place, first)
    const [before, after] = [told(first), await verify(place, second)]
    expect(before['nonce']).toBe(openid.nonce)
    const { nonce: _nonce, iat: _iat, exp: _exp, at_hash: _hash, ...same } = before
    expect(same).toMatchObject({ sub: expect.any(String), auth_time: expect.any(Number), amr: expect.any(Array), sid: expect.any(String) })
    expect(after).toEqual({
      ...same,
      ...{ iat: toSeconds(now), exp: toSeconds(now) + 300, at_hash: leftHalfHash('ES256', String(second['access_token'])) },
    })
    expect(after['tenant']).toBe(place.startsWith('front') ? companyAt(place) : undefined)
  })

  it('says it to each that comes within the grace, of the access token that it gets', async () => {
    const first = await world.tokensAt(place, openid)
    const answers = await Promise.all(Array.from({ length: 4 }, () => refreshAt(place, first)))
    for (const answer of answers)
      expect((await verify(place, answer))['at_hash']).toBe(leftHalfHash('ES256', String(answer['access_token'])))
  })

  it('says nothing to a client that was not granted openid', async () => {
    const first = await world.tokensAt(place, { scope: 'read' })
    expect(await refreshAt(place, first)).not.toHaveProperty('id_token')
  })

  it('lives no longer than the grant, and is dated after the latest barrier', async () => {
    const first = await world.tokensAt(place, openid)
    const { gid, sub } = told(first)
    await rowsOf(world, 'UPDATE grants SET expires_at = $2 WHERE id = $1 RETURNING 1', [gid, new Date(addSeconds(now, 100))])
    await rowsOf(world, 'UPDATE subjects SET barrier_at = $2 WHERE id = $1 RETURNING 1', [sub, new Date(addSeconds(now, 5))])
    const { iat, exp } = told(await refreshAt(place, first))
    expect([iat, exp]).toEqual([toSeconds(now) + 6, toSeconds(addSeconds(now, 100))])
  })

  it('does not come with a refresh that is refused', async () => {
    const first = await world.tokensAt(place, openid)
    await rowsOf(world, `UPDATE grants SET revoked_at = now(), revoked_reason = 'test' WHERE id = $1 RETURNING 1`, [told(first)['gid']])
    expect(await refreshAt(place, first)).toEqual({ error: 'invalid_grant', error_description: expect.any(String) })
  })
})
