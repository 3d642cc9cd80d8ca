/** What a client of the front issuer is called that acts in its own name: at each company by another `sub`, and by none that a person could have. */
import { instant } from '@drawbridge/core/instant'
import { aFrontWorld, aSharedResource, basic, type FrontWorld, rowsOf } from '@drawbridge/testkit/a-front'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'

const now = instant(Date.now())
const worker = 'worker'
let world: FrontWorld
let secret: string

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  const { status, body } = await register(worker)
  expect(status).toBe(201)
  secret = body.clientSecret
  for (const company of ['acme', 'globex']) await mayRead(company, worker)
})
afterAll(() => world?.close())

const register = (clientId: string) =>
  world.call('POST', '/front-issuer/clients', {
    ...{ clientId, name: 'Worker', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'client_secret_basic' },
  })
async function mayRead(company: string, id: string): Promise<void> {
  const at = `/tenants/${company}/front-clients/${id}`
  const access = [{ resource: aSharedResource, scopes: ['read'] }]
  expect((await world.call('POST', at)).status).toBe(200)
  expect((await world.call('PUT', `${at}/machine-access`, { access })).status).toBe(200)
}
async function tokenOf(tenant: string, id = worker, by = secret): Promise<string> {
  const asked = { grant_type: 'client_credentials', resource: aSharedResource, tenant }
  return String((await world.post('/token', asked, basic(id, by))).body['access_token'])
}

it.each(['acme', 'globex'] as const)(
  'its token for %s says so in sub, and at introspection, and its client_id as it is',
  async (company) => {
    const token = await tokenOf(company)
    const called = { sub: `${company}.${worker}`, client_id: worker, tenant: company }
    expect(decodeJwt(token)).toMatchObject(called)
    expect((await world.introspectAt(`front for ${company}`, token)).body).toMatchObject({ active: true, ...called })
  },
)

it('userinfo knows the token, and no person behind it', async () => {
  const answer = await fetch(`${world.broker.url}/userinfo`, { headers: { authorization: `Bearer ${await tokenOf('acme')}` } })
  expect([answer.status, await answer.json()]).toMatchObject([403, { error: 'insufficient_scope' }])
})

it('none is registered whose client_id could be the sub of a person, and one that is there is called so with its company alone', async () => {
  const id = '3f0c5d1e-8a57-4f44-9d0b-2f2d7e1c9a10'
  expect((await register(id)).status).toBe(400)
  const { body } = await register('once')
  await rowsOf(world, "UPDATE clients SET client_id = $1 WHERE client_id = 'once'", [id])
  await mayRead('acme', id)
  expect(decodeJwt(await tokenOf('acme', id, body.clientSecret))).toMatchObject({ sub: `acme.${id}`, client_id: id })
})
