/** What is open to clients of each way, and closed to them: through HTTP, from the admin's choice on. OAuth CIMD §6.8, RFC 7591 §3. */
import { createHash } from 'node:crypto'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { err, ok } from '@drawbridge/core/result'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { resolveClient } from '../clients/resolve-client.js'
import type { ResolvedTenant } from '../http/tenant.js'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let call: Call
let fetches: string[] = []
const redirectUri = 'http://127.0.0.1/cb'

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, {
    fetchSafely: async (url) => {
      fetches.push(url)
      if (!url.endsWith('/client.json')) return err({ reason: 'unreachable' })
      const document = { client_id: url, client_name: 'Tools', redirect_uris: [redirectUri] }
      return ok({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(document)) })
    },
  })
  call = anAdmin(broker)
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const open = { metadataDocuments: true, documentHosts: [], dynamic: true, preregistered: true, approvalRequired: false }
/** Its answer, once this process has heard of it. */
const choose = async (change: object) => {
  const { body } = await call('PUT', '/tenants/acme/client-registration', { ...open, ...change })
  broker.deps.configuration.invalidate()
  return body
}
beforeEach(async () => {
  await choose({})
  fetches = []
})

const authorize = async (clientId: string) => {
  const query = new URLSearchParams({
    ...{ response_type: 'code', client_id: clientId, redirect_uri: redirectUri, resource: acme.resource, state: 's' },
    ...{ code_challenge: createHash('sha256').update('v').digest('base64url'), code_challenge_method: 'S256' },
  })
  const response = await fetch(`${broker.url}/t/acme/authorize?${query}`, { redirect: 'manual' })
  return { status: response.status, isClosed: (await response.text()).includes('client_way_closed') }
}
const register = () =>
  fetch(`${broker.url}/t/acme/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }),
  })
const metadata = async () =>
  (await (await fetch(`${broker.url}/.well-known/oauth-authorization-server/t/acme`)).json()) as Record<string, unknown>

it('has every way open until somebody chooses, and says what was chosen', async () => {
  expect((await call('GET', '/tenants/acme/client-registration')).body).toEqual(open)
  expect(await choose({ dynamic: false, documentHosts: ['claude.ai'] })).toEqual({ ...open, dynamic: false, documentHosts: ['claude.ai'] })
  expect((await call('PUT', '/tenants/acme/client-registration', { documentHosts: ['https://claude.ai'] })).status).toBe(400)
})

it.each(Object.keys(open))('is not widened by whoever leaves %s out', async (member) => {
  const closed = { metadataDocuments: false, documentHosts: ['claude.ai'], dynamic: false, preregistered: false, approvalRequired: true }
  await choose(closed)
  const { [member as keyof typeof open]: _, ...others } = closed
  const refused = await call('PUT', '/tenants/acme/client-registration', others)
  expect(refused).toMatchObject({ status: 400, body: { errors: [{ path: member }] } })
  expect((await call('GET', '/tenants/acme/client-registration')).body).toEqual(closed)
})

describe('metadata of the issuer (RFC 8414 §2, OAuth CIMD §5)', () => {
  it('names what is open', async () => {
    expect(await metadata()).toMatchObject({ client_id_metadata_document_supported: true, registration_endpoint: expect.any(String) })
  })
  it('names nothing that is closed', async () => {
    await choose({ dynamic: false, metadataDocuments: false })
    const said = await metadata()
    expect(said['client_id_metadata_document_supported']).toBe(false)
    expect(said).not.toHaveProperty('registration_endpoint')
  })
})

describe('a document', () => {
  it('is not even fetched where documents are closed, or its host is not on the list', async () => {
    await choose({ metadataDocuments: false })
    expect(await authorize('https://closed.example/client.json')).toEqual({ status: 403, isClosed: true })
    await choose({ documentHosts: ['claude.ai'] })
    expect(await authorize('https://closed.example/client.json')).toEqual({ status: 403, isClosed: true })
    expect(fetches).toEqual([])
    expect((await authorize('https://claude.ai/client.json')).isClosed).toBe(false)
    expect(fetches).toEqual(['https://claude.ai/client.json'])
  })
  it('of a client that is known already is refused a new grant, while its client goes on with what it has', async () => {
    const url = 'https://known.example/client.json'
    expect((await authorize(url)).isClosed).toBe(false)
    await choose({ documentHosts: ['claude.ai'] })
    expect((await authorize(url)).isClosed).toBe(true)
    const tenant = (await broker.deps.configuration.find('acme')) as ResolvedTenant
    const refused = await resolveClient(broker.deps, tenant, url, 'authorize')
    expect(!refused.ok && refused.error.reason).toBe('client_way_closed')
    expect((await resolveClient(broker.deps, tenant, url, 'token')).ok).toBe(true)
  })
})

describe('a client that registers itself', () => {
  it('is refused where that is closed, with the remedy; and so is a new grant of one that did before', async () => {
    const { client_id: id } = (await (await register()).json()) as { client_id: string }
    expect((await authorize(id)).isClosed).toBe(false)
    await choose({ dynamic: false })
    const refused = await register()
    expect({ status: refused.status, body: await refused.json() }).toMatchObject({
      status: 403,
      body: { error: 'access_denied', error_description: oauthErrors['registration_closed'].say },
    })
    expect((await authorize(id)).isClosed).toBe(true)
  })
})

describe('a client that an admin registered', () => {
  it('is granted nothing new where that is closed, in a person’s name or its own', async () => {
    const client = {
      clientId: 'agent',
      name: 'Agent',
      redirectUris: [redirectUri],
      grantTypes: ['authorization_code', 'client_credentials'],
    }
    const { body } = await call('POST', '/tenants/acme/clients', { ...client, tokenEndpointAuthMethod: 'client_secret_post' })
    const ownToken = async () => {
      const form = { grant_type: 'client_credentials', client_id: 'agent', client_secret: body.clientSecret, resource: acme.resource }
      const response = await fetch(`${broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) })
      return (await response.json()) as Record<string, string>
    }
    expect((await authorize('agent')).isClosed).toBe(false)
    await choose({ preregistered: false })
    expect((await authorize('agent')).isClosed).toBe(true)
    expect(await ownToken()).toMatchObject({
      error: 'unauthorized_client',
      error_description: oauthErrors['registration_way_closed'].say,
    })
    await choose({})
    expect((await ownToken())['error_description'] ?? '').not.toBe(oauthErrors['registration_way_closed'].say)
  })
})
