/** A client that a person gave access to at the front gets a word about her for servers of others: by her company's issuer of such words, as at its own. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { aFrontUrl, aFrontWorld, baseOf, basic, type FrontWorld, type Place, type Posted } from '@drawbridge/testkit/a-front'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { audienceThere, resourceThere, tokenTypeOf } from '@drawbridge/testkit/an-id-jag-company'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const worded = 'worded'
let now: Instant = instant(Date.now())
let world: FrontWorld
const secrets: Record<string, string> = {}
const places = ['acme', 'globex', 'front for acme', 'front for globex'] as const satisfies readonly Place[]

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  const client = {
    ...{ clientId: worded, name: 'Worded', redirectUris: [aWebRedirectUri], tokenEndpointAuthMethod: 'client_secret_basic' },
    grantTypes: ['authorization_code', 'refresh_token', tokenExchangeGrantType],
  }
  secrets['front'] = (await world.call('POST', '/front-issuer/clients', client)).body.clientSecret
  for (const company of ['acme', 'globex'] as const)
    secrets[company] = (await world.call('POST', `/tenants/${company}/clients`, client)).body.clientSecret
})
beforeEach(async () => {
  now = addSeconds(now, 60)
  for (const company of ['acme', 'globex'] as const) await permit(company, permission(), permission({ at: undefined }))
})
afterAll(() => world?.close())

const permission = (change: object = {}) => ({
  ...{ client: worded, audience: audienceThere, resource: resourceThere, scopes: [{ name: 'read', tier: 'read' }], at: 'front', ...change },
})
async function permit(company: 'acme' | 'globex', ...permissions: readonly object[]): Promise<number> {
  const { status } = await world.call('PUT', `/tenants/${company}/id-jag-issuing`, { permissions })
  world.broker.deps.configuration.invalidate()
  return status
}
const byItself = (place: Place) => basic(worded, secrets[place.startsWith('front') ? 'front' : place] ?? '')
async function signIn(place: Place): Promise<Readonly<Record<string, string>>> {
  const code = await world.codeAt(place, { client_id: worded, scope: 'openid read' })
  const form = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  return (await world.post(`${baseOf(place)}/token`, form, byItself(place))).body as Readonly<Record<string, string>>
}
const kinds = ['refresh_token', 'id_token'] as const
const ask = (place: Place, kind: (typeof kinds)[number], token: string | undefined, form: object = {}): Promise<Posted> => {
  const asked = { grant_type: tokenExchangeGrantType, requested_token_type: tokenTypeOf('id-jag'), audience: audienceThere }
  const subject = { subject_token: token ?? '', subject_token_type: tokenTypeOf(kind) }
  return world.post(`${baseOf(place)}/token`, { ...asked, ...subject, resource: resourceThere, ...form }, byItself(place))
}
const wordOf = ({ body }: Posted) => String(body['access_token'])
const get = async (path: string) => {
  const answer = await fetch(`${world.broker.url}${path}`)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const keysOf = async (company: string) => createLocalJWKSet((await get(`/t/${company}/id-jag/jwks`)).body as never)
const says = (reason: 'subject_token_unknown' | 'id_jag_not_allowed') => ({ body: { error_description: oauthErrors[reason].say } })

describe.each(['acme', 'globex'] as const)('a client of a person of %s at the front', (company) => {
  it.each(kinds)('gets a word by its %s, of the issuer and with the keys of her company, which is no word of the front', async (kind) => {
    const tokens = await signIn(`front for ${company}`)
    const issued = await ask(`front for ${company}`, kind, tokens[kind])
    expect(issued).toMatchObject({ status: 200, body: { issued_token_type: tokenTypeOf('id-jag'), token_type: 'N_A' } })
    const expected = { issuer: `${aFrontUrl}/t/${company}/id-jag`, audience: audienceThere, typ: 'oauth-id-jag+jwt' }
    const { payload } = await jwtVerify(wordOf(issued), await keysOf(company), { ...expected, currentDate: new Date(now) })
    expect(payload).toMatchObject({ client_id: worded, resource: resourceThere, sub: decodeJwt(tokens['access_token'] ?? '').sub })
    // Its issuer speaks for one company: nothing tells two apart (draft §6.1).
    expect(payload).not.toHaveProperty('tenant')
    const other = company === 'acme' ? 'globex' : 'acme'
    await expect(jwtVerify(wordOf(issued), await keysOf(other), { currentDate: new Date(now) })).rejects.toThrow()
  })

  it('is told of her by the same name as a client of her company’s own issuer', async () => {
    const names: unknown[] = []
    for (const place of [`front for ${company}`, company] as const) {
      const { iss, sub } = decodeJwt(wordOf(await ask(place, 'id_token', (await signIn(place))['id_token'])))
      names.push([iss, sub])
    }
    expect(names[0]).toEqual(names[1])
  })
})

it('a word says by what the other server knows the company, where the admin says so', async () => {
  await permit('acme', permission({ tenantThere: 'initech-of-vendor' }))
  const word = wordOf(await ask('front for acme', 'refresh_token', (await signIn('front for acme'))['refresh_token']))
  expect(decodeJwt(word)).toMatchObject({ aud: audienceThere, aud_tenant: 'initech-of-vendor' })
})

describe('nothing is issued', () => {
  it.each(places)('at %s by what was got elsewhere', async (place) => {
    for (const from of places.filter((other) => other !== place)) {
      const tokens = await signIn(from)
      for (const kind of kinds) {
        // At the front a token is asked for where it belongs, whatever else is meant: there is no other way to name a company.
        if (place.startsWith('front') && from.startsWith('front')) continue
        const refused = await ask(place, kind, tokens[kind])
        expect([400, 401]).toContain(refused.status)
        expect(refused.body).not.toHaveProperty('access_token')
      }
    }
  })

  it('by an ID token whose company was exchanged', async () => {
    const [head, payload = '', signature] = ((await signIn('front for acme'))['id_token'] ?? '').split('.')
    await signIn('front for globex')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    const changed = Buffer.from(JSON.stringify({ ...claims, tenant: 'globex' })).toString('base64url')
    expect(await ask('front for globex', 'id_token', `${head}.${changed}.${signature}`)).toMatchObject(says('subject_token_unknown'))
  })

  it('by a permission of the other issuer, or of another company', async () => {
    const [atFront, own] = [await signIn('front for acme'), await signIn('acme')]
    await permit('acme', permission({ at: undefined }))
    expect(await ask('front for acme', 'refresh_token', atFront['refresh_token'])).toMatchObject(says('id_jag_not_allowed'))
    expect((await ask('acme', 'refresh_token', own['refresh_token'])).status).toBe(200)
    await permit('acme', permission())
    expect((await ask('front for acme', 'refresh_token', atFront['refresh_token'])).status).toBe(200)
    expect(await ask('acme', 'refresh_token', own['refresh_token'])).toMatchObject(says('id_jag_not_allowed'))
    await permit('acme')
    expect(await ask('front for acme', 'refresh_token', atFront['refresh_token'])).toMatchObject(says('id_jag_not_allowed'))
    expect((await ask('front for globex', 'refresh_token', (await signIn('front for globex'))['refresh_token'])).status).toBe(200)
  })

  it('for the front itself, which is of this installation', async () => {
    expect(await permit('acme', permission({ audience: aFrontUrl }))).toBe(409)
  })

  it('of somebody who is out, whose client was ended by the vendor, or whose company is over', async () => {
    const killed = async (path: string) => {
      now = addSeconds(now, 2)
      expect((await world.call('POST', path, { reason: 'a test' })).status).toBe(200)
    }
    const [hers, others] = [await signIn('front for acme'), await signIn('front for globex')]
    const asked = async (place: Place, tokens: Readonly<Record<string, string>>) =>
      Promise.all(kinds.map(async (kind) => (await ask(place, kind, tokens[kind])).status))
    await killed(`/tenants/acme/subjects/${decodeJwt(hers['access_token'] ?? '').sub}/kill`)
    expect([await asked('front for acme', hers), await asked('front for globex', others)]).toEqual([
      [400, 400],
      [200, 200],
    ])
    await killed(`/front-issuer/clients/${worded}/kill`)
    expect(await asked('front for globex', others)).toEqual([401, 401])
  })
})

describe('the metadata', () => {
  it('of the front says that words are issued, and nothing else of the front issues one', async () => {
    const { body } = await get('/.well-known/oauth-authorization-server')
    expect(body).toMatchObject({
      identity_chaining_requested_token_types_supported: [tokenTypeOf('id-jag')],
      grant_types_supported: expect.arrayContaining([tokenExchangeGrantType]),
    })
    for (const path of ['/id-jag/jwks', '/.well-known/oauth-authorization-server/id-jag']) expect((await get(path)).status).toBe(404)
  })

  it('of a company’s issuer of words is there for clients of the front alone, too', async () => {
    await permit('acme', permission())
    expect(await get('/t/acme/id-jag/.well-known/openid-configuration')).toMatchObject({
      ...{ status: 200, body: { issuer: `${aFrontUrl}/t/acme/id-jag` } },
    })
    await permit('acme')
    expect((await get('/t/acme/id-jag/jwks')).status).toBe(404)
  })
})
