/**
 * A client whose only flow is an assertion, and which describes itself at its client_id: nobody ever brought its document to an authorization endpoint.
 * MCP Enterprise-Managed Authorization, Client Authentication; ADR 102
 */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker } from '@drawbridge/testkit/a-broker'
import { aFrontUrl, aFrontWorld, baseOf, type FrontWorld, type Place, rowsOf } from '@drawbridge/testkit/a-front'
import { aFrontBringer, type FrontBringer } from '@drawbridge/testkit/a-front-bringer'
import { anAssertionKey, fetchedFrom } from '@drawbridge/testkit/an-assertion-company'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

const places: readonly Place[] = ['acme', 'front for acme']
const [published, asked] = [new Map<string, unknown>(), [] as string[]]
/** Happens while a document is fetched. */
let meanwhile: () => Promise<unknown> = async () => undefined
const fetched = fetchedFrom(published, asked)
const fetchSafely: typeof fetched = async (...request) => {
  await meanwhile()
  return fetched(...request)
}
let now: Instant = instant(Date.now())
let world: FrontWorld
let idp: FrontBringer
let count = 0
let url: string

beforeAll(async () => {
  world = await aFrontWorld(() => now, { fetchSafely })
  idp = await aFrontBringer(world, () => now)
})
beforeEach(async () => {
  now = addSeconds(now, 60)
  await idp.distrust()
  await idp.trust('acme', { publicClients: true })
  await ways({})
  url = aDocument()
})
afterAll(() => world?.close())

function aDocument(over: object = {}): string {
  const at = `https://agent-${(count += 1)}.example/client.json`
  const redirect_uris = ['https://agent.example/back']
  published.set(at, {
    client_id: at,
    client_name: 'Agent',
    redirect_uris,
    grant_types: ['authorization_code', jwtBearerGrantType],
    ...over,
  })
  asked.length = 0
  return at
}
async function ways(change: object): Promise<void> {
  const every = { metadataDocuments: true, documentHosts: [], dynamic: true, preregistered: true, approvalRequired: false }
  expect((await world.call('PUT', '/tenants/acme/client-registration', { ...every, ...change })).status).toBe(200)
  world.broker.deps.configuration.invalidate()
}
const asserted = (place: Place, change: object = {}) => idp.assertion(place, { client_id: url, ...change })
const bring = (place: Place, assertion: string, form: Readonly<Record<string, string>> = { client_id: url }) =>
  idp.bring(place, assertion, form, {})
const known = () =>
  rowsOf<{ slug: string; asked_at: Date | null }>(
    world,
    'SELECT t.slug, c.asked_at FROM clients c JOIN tenants t ON t.id = c.tenant_id WHERE c.client_id = $1',
    [url],
  )
const nobody = { status: 401, body: { error: 'invalid_client' } }
const shut = { status: 400, body: { error: 'unauthorized_client' } }

describe.each(places)('at %s', (place) => {
  it('a public one is met by an assertion that names it, once, and known from then on', async () => {
    expect(await bring(place, await asserted(place))).toMatchObject({ status: 200, body: { scope: 'read write' } })
    expect(await bring(place, await asserted(place))).toMatchObject({ status: 200 })
    expect(asked).toEqual([url])
    expect(await known()).toMatchObject([{ slug: 'acme' }])
  })

  it('of many that come at once it is fetched once, and each is answered', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, async () => bring(place, await asserted(place))))
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200))
    expect(asked).toEqual([url])
  })

  it('one with keys proves itself by those of its document, and by no others', async () => {
    const [own, strange] = [anAssertionKey('own'), anAssertionKey('own')]
    url = aDocument({ jwks: { keys: [own.jwk] }, token_endpoint_auth_method: 'private_key_jwt' })
    const issuer = `${aFrontUrl}${baseOf(place)}`
    const by = async (key: typeof own) => ({
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await key.sign(
        { typ: 'JWT' },
        { iss: url, sub: url, aud: issuer, jti: randomUUID(), iat: toSeconds(now), exp: toSeconds(now) + 60 },
      ),
    })
    expect(await bring(place, await asserted(place), await by(strange))).toMatchObject(nobody)
    expect(await bring(place, await asserted(place))).toMatchObject(nobody)
    expect(await bring(place, await asserted(place), await by(own))).toMatchObject({ status: 200 })
    const other = aDocument()
    expect(await bring(place, await idp.assertion(place, { client_id: other }), await by(own))).toMatchObject({ status: 400 })
  })

  it('a public one is refused where the trust takes none, as whoever is known', async () => {
    await idp.distrust()
    await idp.trust('acme')
    expect(await bring(place, await asserted(place))).toMatchObject(shut)
  })

  it.each<{ what: string; assertion: () => Promise<string> }>([
    { what: 'names another client', assertion: () => idp.assertion(place) },
    { what: 'names it with a slash', assertion: () => asserted(place, { client_id: `${url}/` }) },
    { what: 'names no client', assertion: () => asserted(place, { client_id: undefined }) },
    { what: 'is over', assertion: () => asserted(place, { iat: 1_000_000_000, exp: 1_000_000_060 }) },
    { what: 'is for another issuer', assertion: () => asserted(place, { aud: 'https://other.example' }) },
    { what: 'another key signed', assertion: () => anAssertionKey().sign({}, idp.claimsFor(place, { client_id: url })) },
    { what: 'an issuer made whom the company does not trust', assertion: () => asserted(place, { iss: 'https://other.example' }) },
    { what: 'is an access token by its type', assertion: () => idp.assertion(place, { client_id: url }, { typ: 'at+jwt' }) },
  ])('nothing is fetched for an assertion that $what', async ({ assertion }) => {
    expect(await bring(place, await assertion(), { client_id: url, tenant: 'acme' })).toMatchObject(nobody)
    expect([asked, await known()]).toEqual([[], []])
  })

  it.each([
    { grant_type: 'refresh_token', refresh_token: 'dbr_x' },
    { grant_type: 'client_credentials', resource: 'https://mcp.vendor.example/mcp' },
    { grant_type: 'authorization_code', code: 'dbc_x', code_verifier: 'x'.repeat(43) },
  ])('nothing is fetched for a request of type $grant_type', async (form) => {
    const answer = await bring(place, await asserted(place), { ...form, client_id: url, tenant: 'acme' })
    expect(answer).toMatchObject(nobody)
    expect([asked, await known()]).toEqual([[], []])
  })

  it.each([
    { what: 'no documents', change: { metadataDocuments: false } },
    { what: 'documents elsewhere', change: { documentHosts: ['other.example'] } },
  ])('nothing is fetched where the company admits $what', async ({ change }) => {
    await ways(change)
    expect(await bring(place, await asserted(place))).toMatchObject(shut)
    expect([asked, await known()]).toEqual([[], []])
  })

  it('it waits for an approval that the company demands, in the list of those that asked', async () => {
    await ways({ approvalRequired: true })
    expect(await bring(place, await asserted(place))).toMatchObject(shut)
    expect(await known()).toMatchObject([{ slug: 'acme', asked_at: expect.any(Date) }])
    await rowsOf(world, 'UPDATE clients SET pre_approved = true WHERE client_id = $1', [url])
    expect(await bring(place, await asserted(place))).toMatchObject({ status: 200 })
  })

  it('one whose document is not there, or says that it uses no assertions, gets nothing', async () => {
    const without = aDocument({ grant_types: ['authorization_code'] })
    expect(await bring(place, await idp.assertion(place, { client_id: without }), { client_id: without })).toMatchObject(shut)
    published.delete(url)
    expect(await bring(place, await asserted(place))).toMatchObject(nobody)
    expect(await known()).toEqual([])
  })
})

it('at the front it gets nothing whom the vendor has blocked there', async () => {
  await rowsOf(
    world,
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, blocked_at, created_at)
     SELECT tenant_id, id, $1, 'metadata_document', 'Agent', '{}', '{}', 'none', '{}', now(), now() FROM issuers WHERE kind = 'front'`,
    [url],
  )
  expect(await bring('front for acme', await asserted('front for acme'))).toMatchObject(shut)
  expect(asked).toEqual([])
})

it('at the front it is blocked whom the vendor blocks while its document is fetched', async () => {
  const [{ id = '' } = {}] = await rowsOf<{ id: string }>(
    world,
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
     SELECT tenant_id, id, $1, 'metadata_document', 'Agent', '{}', '{}', 'none', '{}', now() FROM issuers WHERE kind = 'front' RETURNING tenant_id AS id`,
    [url],
  )
  meanwhile = () => rowsOf(world, 'UPDATE clients SET blocked_at = now() WHERE tenant_id = $1 AND client_id = $2', [id, url])
  try {
    expect((await bring('front for acme', await asserted('front for acme'))).status).not.toBe(200)
  } finally {
    meanwhile = async () => undefined
  }
  expect(await rowsOf(world, 'SELECT blocked_at FROM clients WHERE client_id = $1', [url])).toEqual([
    { blocked_at: expect.any(Date) },
    { blocked_at: expect.any(Date) },
  ])
})

it('at the front it waits for an approval that the vendor demands, where he finds it, and is let in by it', async () => {
  const every = { metadataDocuments: true, documentHosts: [], dynamic: true, preregistered: true }
  const demand = async (approvalRequired: boolean) => {
    expect((await world.call('PUT', '/front-issuer/client-registration', { ...every, approvalRequired })).status).toBe(200)
    world.broker.deps.configuration.invalidate()
  }
  await demand(true)
  try {
    expect(await bring('front for acme', await asserted('front for acme'))).toMatchObject(shut)
    const { clients } = (await world.call('GET', '/front-issuer/clients')).body as { readonly clients: readonly { clientId: string }[] }
    expect(clients.map(({ clientId }) => clientId)).toContain(url)
    expect(
      (await known())
        .filter(({ asked_at: at }) => at !== null)
        .map(({ slug }) => slug)
        .sort(),
    ).toEqual(['acme', 'vendor'])
    expect((await world.call('PATCH', `/front-issuer/clients/${encodeURIComponent(url)}`, { preApproved: true })).status).toBe(200)
    expect(await bring('front for acme', await asserted('front for acme'))).toMatchObject({ status: 200 })
  } finally {
    await demand(false)
  }
})

it('one whose document is gone is refused for that, and nobody introduces it anew', async () => {
  expect(await bring('acme', await asserted('acme'))).toMatchObject({ status: 200 })
  published.delete(url)
  now = addSeconds(now, 86_400)
  expect(await bring('acme', await asserted('acme'))).toMatchObject({ status: 200 })
  now = addSeconds(now, 301)
  const log = vi.spyOn(world.broker.deps.log, 'info')
  expect(await bring('acme', await asserted('acme'))).toMatchObject(nobody)
  expect(JSON.stringify(log.mock.calls)).toContain('client_document_gone')
  log.mockRestore()
  const { body } = await world.call('GET', `/tenants/acme/clients/${encodeURIComponent(url)}`)
  expect(body['documentWithdrawnAt']).toEqual(expect.any(String))
})

it('one address begins so many of these fetches at once as of any', async () => {
  const limited = await aBroker(world.fixture.database, {
    ...{ clock: { now: () => now }, settings: readEnv({ DRAWBRIDGE_RATE_LIMIT_FACTOR: '1' }), fetchSafely: fetchedFrom(published, asked) },
  })
  try {
    asked.length = 0
    const answers = []
    for (let n = 0; n <= rateLimits.client_document.burst; n += 1) {
      url = `https://many-${n}.example/client.json`
      const form = { grant_type: jwtBearerGrantType, assertion: await asserted('acme'), client_id: url }
      answers.push(await fetch(`${limited.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) }))
    }
    expect(asked).toHaveLength(rateLimits.client_document.burst)
    expect(answers.map(({ status }) => status)).toEqual([...Array.from({ length: rateLimits.client_document.burst }, () => 401), 503])
  } finally {
    await limited.close()
  }
})
