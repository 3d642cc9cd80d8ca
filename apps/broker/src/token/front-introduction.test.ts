/** A tenant that has never heard of a client of the front comes to know it by an assertion of an issuer that it trusts, and by nothing less. ADR 91 */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { samlBearerGrantType } from '@drawbridge/core/oauth/saml-bearer'
import { aFrontWorld, basic, type FrontWorld, rowsOf } from '@drawbridge/testkit/a-front'
import { aFrontBringer, type FrontBringer } from '@drawbridge/testkit/a-front-bringer'
import { anAssertionKey } from '@drawbridge/testkit/an-assertion-company'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const at = 'front for acme'
let now: Instant = instant(Date.now())
let world: FrontWorld
let idp: FrontBringer
let count = 0
type Known = { readonly id: string; readonly secret: string }
let agent: Known

beforeAll(async () => {
  world = await aFrontWorld(() => now)
  idp = await aFrontBringer(world, () => now)
})
beforeEach(async () => {
  now = addSeconds(now, 60)
  await idp.distrust()
  await idp.trust('acme')
  await ways({})
  agent = await ofVendor()
})
afterAll(() => world?.close())

async function ofVendor(over: object = {}): Promise<Known> {
  const grantTypes = [jwtBearerGrantType, samlBearerGrantType]
  const client = { clientId: `agent-${(count += 1)}`, name: 'Agent', grantTypes, tokenEndpointAuthMethod: 'client_secret_basic', ...over }
  const { status, body } = await world.call('POST', '/front-issuer/clients', client)
  expect(status).toBe(201)
  return { id: body.clientId, secret: body.clientSecret }
}
/** By itself, at the front. */
async function registered(): Promise<Known> {
  const metadata = { redirect_uris: ['https://agent.example/back'], grant_types: ['authorization_code', jwtBearerGrantType] }
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${world.broker.url}/register`, { method: 'POST', headers, body: JSON.stringify(metadata) })
  const { client_id: id, client_secret: secret } = (await answer.json()) as { client_id: string; client_secret: string }
  return { id, secret }
}
async function ways(change: object): Promise<void> {
  const every = { metadataDocuments: true, documentHosts: [], dynamic: true, preregistered: true, approvalRequired: false }
  expect((await world.call('PUT', '/tenants/acme/client-registration', { ...every, ...change })).status).toBe(200)
  world.broker.deps.configuration.invalidate()
}
const asserted = ({ id }: Known, change: object = {}) => idp.assertion(at, { client_id: id, ...change })
const bring = (assertion: string, { id, secret }: Known = agent, form: Readonly<Record<string, string>> = {}) =>
  idp.bring(at, assertion, form, basic(id, secret))
const knows = async ({ id }: Known) =>
  (
    await rowsOf<{ slug: string }>(
      world,
      "SELECT t.slug FROM clients c JOIN tenants t ON t.id = c.tenant_id WHERE c.client_id = $1 AND t.slug <> 'vendor'",
      [id],
    )
  ).map(({ slug }) => slug)

it('is known there from then on, and nowhere else', async () => {
  expect(await knows(agent)).toEqual([])
  expect(await bring(await asserted(agent))).toMatchObject({ status: 200, body: { scope: 'read write' } })
  expect(await knows(agent)).toEqual(['acme'])
  expect((await world.call('GET', `/tenants/acme/front-clients/${agent.id}`)).body).toMatchObject({ preApproved: false, machineAccess: [] })
  expect((await bring(await asserted(agent))).status).toBe(200)
})

it('of many that come at once it is made known once, and each is answered', async () => {
  const answers = await Promise.all(Array.from({ length: 6 }, async () => bring(await asserted(agent))))
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200))
  expect(await knows(agent)).toEqual(['acme'])
})

it('by a SAML assertion, too, where the trust lists it', async () => {
  await idp.trustSaml('acme', { clients: [agent.id] })
  expect((await idp.bringSaml(at, idp.saml(at), {}, basic(agent.id, agent.secret))).status).toBe(200)
  expect(await knows(agent)).toEqual(['acme'])
  const other = await ofVendor()
  expect((await idp.bringSaml(at, idp.saml(at), {}, basic(other.id, other.secret))).status).toBe(400)
  expect(await knows(other)).toEqual([])
})

describe('is not made known', () => {
  it.each<{ what: string; assertion: () => Promise<string> }>([
    { what: 'names another client', assertion: () => idp.assertion(at) },
    { what: 'is over', assertion: () => asserted(agent, { iat: 1_000_000_000, exp: 1_000_000_060 }) },
    { what: 'is for another company', assertion: () => asserted(agent, { aud_tenant: 'globex' }) },
    { what: 'is for the company’s own issuer', assertion: () => idp.assertion('acme', { client_id: agent.id, aud_tenant: 'acme' }) },
    { what: 'another key signed', assertion: () => anAssertionKey().sign({}, idp.claimsFor(at, { client_id: agent.id })) },
    { what: 'an issuer made whom the company does not trust', assertion: () => asserted(agent, { iss: 'https://other.example' }) },
    { what: 'is none', assertion: async () => 'a.b.c' },
  ])('by an assertion that $what', async ({ assertion }) => {
    expect((await bring(await assertion(), agent, { tenant: 'acme' })).status).toBe(400)
    expect(await knows(agent)).toEqual([])
  })

  it('where it does not prove itself, or is blocked at the front', async () => {
    const assertion = await asserted(agent)
    expect(await bring(assertion, { ...agent, secret: 'wrong' })).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    await world.call('PATCH', `/front-issuer/clients/${agent.id}`, { blocked: true })
    expect((await bring(assertion)).status).toBe(401)
    expect(await knows(agent)).toEqual([])
  })

  it('where its registration has not the grant type', async () => {
    const other = await ofVendor({ grantTypes: [samlBearerGrantType] })
    expect(await bring(await asserted(other), other)).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } })
    expect(await knows(other)).toEqual([])
  })
})

describe('one that registered itself', () => {
  it('is made known like another, where the company leaves that way open', async () => {
    const other = await registered()
    await ways({ dynamic: false })
    expect(await bring(await asserted(other), other)).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } })
    expect(await knows(other)).toEqual([])
    await ways({})
    expect((await bring(await asserted(other), other)).status).toBe(200)
  })

  it('waits for an approval that the company demands; the vendor’s is none', async () => {
    const other = await registered()
    await world.call('PATCH', `/front-issuer/clients/${other.id}`, { preApproved: true })
    await ways({ approvalRequired: true })
    const bringAgain = async () => (await bring(await asserted(other), other)).status
    expect(await bringAgain()).toBe(400)
    expect(await knows(other)).toEqual([])
    expect((await world.call('POST', `/tenants/acme/front-clients/${other.id}`)).status).toBe(200)
    expect(await bringAgain()).toBe(400)
    await world.call('PATCH', `/tenants/acme/front-clients/${other.id}`, { preApproved: true })
    expect(await bringAgain()).toBe(200)
  })
})
