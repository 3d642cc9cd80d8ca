/** By which `sub` clients of the front know people: by the tenant's rules, as at its own issuer (ADR 82), whatever registered there said. */
import { type Instant, instant } from '@drawbridge/core/instant'
import { aFrontWorld, type FrontWorld, rowsOf } from '@drawbridge/testkit/a-front'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, expect, it } from 'vitest'

const now: Instant = instant(Date.now())
let world: FrontWorld
beforeAll(async () => {
  world = await aFrontWorld(() => now)
  expect((await world.call('PUT', '/tenants/acme/subject-types', { pairwiseByDefault: true })).status).toBe(200)
  world.broker.deps.configuration.invalidate()
})
afterAll(() => world?.close())

const claimsOf = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
const register = async (method: 'POST' | 'PUT', path: string, body: object, proof = {}) => {
  const headers = { 'content-type': 'application/json', ...proof }
  const answer = await fetch(`${world.broker.url}${path}`, { method, headers, body: JSON.stringify(body) })
  return (await answer.json()) as Record<string, string>
}
const metadata = { client_name: 'A', redirect_uris: [aWebRedirectUri], token_endpoint_auth_method: 'none', subject_type: 'public' }

async function tellAt(company: 'acme' | 'globex', id: string) {
  const back = await world.signIn(`front for ${company}`, { client_id: id, scope: 'openid read' })
  const code = { code: back.searchParams.get('code') ?? '', redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
  const { body } = await world.post('/token', { grant_type: 'authorization_code', client_id: id, ...code })
  const [idToken, accessToken] = [body['id_token'], body['access_token']].map((token) => claimsOf(String(token)))
  return { told: String(idToken?.['sub']), everybody: String(accessToken?.['sub']) }
}

it('one that registered itself knows people of a tenant by a sub of its own where the tenant wants that, and keeps it when it changes', async () => {
  const { client_id: id = '', registration_access_token: token = '' } = await register('POST', '/register', metadata)
  const first = await tellAt('acme', id)
  expect(first.told).not.toBe(first.everybody)
  const other = await tellAt('globex', id)
  expect(other.told).toBe(other.everybody)
  const proof = { authorization: `Bearer ${token}` }
  expect(await register('PUT', `/register/${id}`, { ...metadata, client_id: id, client_name: 'B' }, proof)).toMatchObject({
    client_name: 'B',
  })
  expect(await rowsOf(world, "SELECT name FROM clients WHERE client_id = $1 AND name = 'A'", [id])).toEqual([])
  expect((await tellAt('acme', id)).told).toBe(first.told)
})

it('one that the vendor registered knows them as the vendor said', async () => {
  const client = { clientId: 'ours', name: 'Ours', redirectUris: [aWebRedirectUri], tokenEndpointAuthMethod: 'none' }
  expect((await world.call('POST', '/front-issuer/clients', client)).status).toBe(201)
  const { told, everybody } = await tellAt('acme', 'ours')
  expect(told).toBe(everybody)
})
