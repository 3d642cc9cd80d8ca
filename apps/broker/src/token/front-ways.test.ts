/** At the front both the vendor and the tenant say by which ways clients may come, and which they want approved first: every grant of the token endpoint asks both. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { tokenExchangeGrantType } from '@drawbridge/core/oauth/token-type'
import { aFrontWorld, aSharedResource, basic, type FrontWorld, type Posted, rowsOf } from '@drawbridge/testkit/a-front'
import { aBringer, aFrontBringer, type FrontBringer } from '@drawbridge/testkit/a-front-bringer'
import { aFrontGateway, aGateway, type FrontGateway } from '@drawbridge/testkit/a-front-gateway'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { aWebRedirectUri } from '@drawbridge/testkit/a-login'
import { audienceThere, resourceThere, tokenTypeOf } from '@drawbridge/testkit/an-id-jag-company'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const at = 'front for acme'
const [worker, worded] = ['worker', 'worded']
const clients = [aBringer, aGateway, worker, worded]
let now: Instant = instant(Date.now())
let world: FrontWorld
let idp: FrontBringer
let gateway: FrontGateway
const secrets: Record<string, string> = {}
/** What was granted before anything was closed. */
let held: { readonly gatewayed: string; readonly idToken: string; readonly refreshToken: string }

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  idp = await aFrontBringer(world, () => now)
  gateway = await aFrontGateway(world)
  const withSecret = { tokenEndpointAuthMethod: 'client_secret_basic' }
  const registered = [
    { clientId: worker, name: 'Worker', grantTypes: ['client_credentials'], ...withSecret },
    {
      ...{ clientId: worded, name: 'Worded', redirectUris: [aWebRedirectUri], ...withSecret },
      grantTypes: ['authorization_code', 'refresh_token', tokenExchangeGrantType],
    },
  ]
  for (const client of registered) secrets[client.clientId] = (await world.call('POST', '/front-issuer/clients', client)).body.clientSecret
  for (const id of clients) expect(await gateway.adopt('acme', id)).toBe(200)
  const access = [{ resource: aSharedResource, scopes: ['read'] }]
  await world.call('PUT', `/tenants/acme/front-clients/${worker}/machine-access`, { access })
  await gateway.permit('acme', gateway.permission())
  const word = { client: worded, audience: audienceThere, resource: resourceThere, scopes: [{ name: 'read', tier: 'read' }], at: 'front' }
  await world.call('PUT', '/tenants/acme/id-jag-issuing', { permissions: [word] })
  await idp.trust('acme')
  await idp.trustSaml('acme')
})
beforeEach(async () => {
  now = addSeconds(now, 60)
  await rowsOf(world, 'UPDATE clients SET kind = $2, pre_approved = false WHERE client_id = ANY ($1)', [clients, 'preregistered'])
  for (const place of ['/front-issuer', '/tenants/acme']) await choose(place)
  const gatewayed = (await world.tokensAt(at))['access_token'] ?? ''
  const { id_token: idToken = '', refresh_token: refreshToken = '' } = await redeem(await code())
  held = { gatewayed, idToken, refreshToken }
})
afterAll(() => world?.close())

const every = { metadataDocuments: true, documentHosts: [], dynamic: true, preregistered: true, approvalRequired: false }
async function choose(place: string, change: object = {}): Promise<void> {
  expect((await world.call('PUT', `${place}/client-registration`, { ...every, ...change })).status).toBe(200)
}
/** By another process, of which this one hears nothing: it sees it by the statement that would have opened something. */
const chooseElsewhere = (place: string, change: object) =>
  rowsOf(world, 'UPDATE tenants SET client_registration = $2 WHERE slug = $1', [
    place === '/front-issuer' ? 'vendor' : 'acme',
    JSON.stringify({ ...every, ...change }),
  ])
const itself = (id: string) => basic(id, secrets[id] ?? '')
const code = () => world.codeAt(at, { client_id: worded, scope: 'openid read' })
const redeem = async (given: string) => (await redeeming(given)).body as Readonly<Record<string, string>>
const redeeming = (given: string) =>
  world.post(
    '/token',
    { grant_type: 'authorization_code', code: given, redirect_uri: aWebRedirectUri, code_verifier: aVerifier },
    itself(worded),
  )
const approve = async (place: string, id: string, preApproved = true) =>
  expect((await world.call('PATCH', `${place}/${id}`, { preApproved })).status).toBe(200)

const grants: Readonly<Record<string, { readonly client: string; readonly ask: () => Promise<Posted> }>> = {
  'a JWT assertion': { client: aBringer, ask: async () => idp.bring(at, await idp.assertion(at)) },
  'a SAML assertion': { client: aBringer, ask: () => idp.bringSaml(at, idp.saml(at)) },
  'an exchange': { client: aGateway, ask: () => gateway.exchange(at, held.gatewayed) },
  'an ID-JAG': {
    client: worded,
    ask: () =>
      world.post(
        '/token',
        {
          ...{ grant_type: tokenExchangeGrantType, requested_token_type: tokenTypeOf('id-jag'), audience: audienceThere },
          ...{ subject_token: held.idToken, subject_token_type: tokenTypeOf('id_token'), resource: resourceThere },
        },
        itself(worded),
      ),
  },
  'client credentials': {
    client: worker,
    ask: () => world.post('/token', { grant_type: 'client_credentials', resource: aSharedResource, tenant: 'acme' }, itself(worker)),
  },
}
const names = Object.keys(grants)
const grantOf = (name: string) => grants[name] ?? expect.unreachable(name)
const refusedAs = (reason: 'registration_way_closed' | 'registration_not_approved') => ({
  status: 400,
  body: { error: 'unauthorized_client', error_description: oauthErrors[reason].say },
})

describe.each(names)('by %s', (name) => {
  it.each(['/front-issuer', '/tenants/acme'])('nothing comes of a way that is closed at %s, from the next request on', async (place) => {
    const { ask } = grantOf(name)
    expect((await ask()).status).toBe(200)
    await chooseElsewhere(place, { preregistered: false })
    expect(await ask()).toMatchObject(refusedAs('registration_way_closed'))
    await choose(place)
    expect((await ask()).status).toBe(200)
  })
})

describe.each(names.filter((name) => name !== 'client credentials'))('of a client that registered itself, by %s', (name) => {
  it.each([
    { who: 'the vendor', demanding: '/front-issuer', other: '/tenants/acme/front-clients', own: '/front-issuer/clients' },
    { who: 'the tenant', demanding: '/tenants/acme', other: '/front-issuer/clients', own: '/tenants/acme/front-clients' },
  ])('nothing comes until $who approves it, who demands that', async ({ demanding, other, own }) => {
    const { client, ask } = grantOf(name)
    await rowsOf(world, `UPDATE clients SET kind = 'dynamic' WHERE client_id = $1`, [client])
    expect((await ask()).status).toBe(200)
    await choose(demanding, { approvalRequired: true })
    expect(await ask()).toMatchObject(refusedAs('registration_not_approved'))
    await approve(other, client)
    expect(await ask()).toMatchObject(refusedAs('registration_not_approved'))
    await approve(own, client)
    expect((await ask()).status).toBe(200)
    await approve(own, client, false)
    expect(await ask()).toMatchObject(refusedAs('registration_not_approved'))
  })
})

describe('a client whom the tenant does not know', () => {
  const stranger = 'stranger'
  const bring = async () => idp.bring(at, await idp.assertion(at, { client_id: stranger }), {}, itself(stranger))
  const copies = () => rowsOf(world, 'SELECT 1 FROM clients WHERE client_id = $1 AND tenant_id = $2', [stranger, world.acme.tenantId])

  it('is not made known by an assertion where the vendor has closed its way, or has not approved it', async () => {
    const client = {
      clientId: stranger,
      name: 'Stranger',
      grantTypes: [jwtBearerGrantType],
      tokenEndpointAuthMethod: 'client_secret_basic',
    }
    secrets[stranger] = (await world.call('POST', '/front-issuer/clients', client)).body.clientSecret
    await choose('/front-issuer', { preregistered: false })
    expect(await bring()).toMatchObject(refusedAs('registration_way_closed'))
    await rowsOf(world, `UPDATE clients SET kind = 'dynamic' WHERE client_id = $1`, [stranger])
    await choose('/front-issuer', { approvalRequired: true })
    expect(await bring()).toMatchObject(refusedAs('registration_not_approved'))
    expect(await copies()).toEqual([])
    await approve('/front-issuer/clients', stranger)
    expect((await bring()).status).toBe(200)
    expect(await copies()).toHaveLength(1)
  })
})

it('an approval of the vendor’s is of what the vendor saw: of another document that a tenant has read it is none', async () => {
  const say = (slug: string, change: string) =>
    rowsOf(world, `UPDATE clients c SET ${change} FROM tenants t WHERE t.id = c.tenant_id AND t.slug = $1 AND c.client_id = $2`, [
      slug,
      worker,
    ])
  const approved = async () =>
    (
      await rowsOf<{ approved: boolean }>(
        world,
        'SELECT approved_at_front AS approved FROM clients WHERE client_id = $1 AND tenant_id = $2',
        [worker, world.acme.tenantId],
      )
    )[0]?.approved
  // Neither follows the other: each has read it for itself.
  for (const slug of ['vendor', 'acme'])
    await say(slug, `kind = 'metadata_document', document_digests = '{"document": "1 of ${slug}", "keys": "a"}'`)
  expect(await approved()).toBe(false)
  await say('acme', 'approved_at_front = true')
  expect(await approved()).toBe(false)
  await say('vendor', 'pre_approved = true')
  expect(await approved()).toBe(true)
  await say('acme', `document_digests = '{"document": "2", "keys": "b"}'`)
  expect(await approved()).toBe(false)
  await say('vendor', `document_digests = '{"document": "3", "keys": "b"}'`)
  expect(await approved()).toBe(true)
  await say('vendor', 'unregistered_at = now()')
  expect(await approved()).toBe(false)
  await say('vendor', 'unregistered_at = NULL')
  expect(await approved()).toBe(true)
  await rowsOf(world, `DELETE FROM clients c USING tenants t WHERE t.id = c.tenant_id AND t.slug = 'vendor' AND c.client_id = $1`, [worker])
  expect(await approved()).toBe(false)
})

describe('what was granted before', () => {
  it('lives on, as at a tenant’s own issuer: a refresh token, and a code that was given a moment ago', async () => {
    const given = await code()
    await choose('/front-issuer', { preregistered: false })
    expect((await world.post('/token', { grant_type: 'refresh_token', refresh_token: held.refreshToken }, itself(worded))).status).toBe(200)
    expect((await redeeming(given)).status).toBe(200)
  })

  it('but a person who is on her way when the vendor closes it comes no further', async () => {
    const browser = world.browser()
    const first = await browser.visit(world.authorizeUrl(at, { client_id: worded }))
    await choose('/front-issuer', { preregistered: false })
    const page = await browser.submit(first.location, { answer: 'continue' })
    expect(page).toMatchObject({ status: 403, location: '' })
    expect(page.text).toContain('client_way_closed')
  })
})
