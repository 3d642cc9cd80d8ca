/** Whom a company trusts to speak of its people is nobody's business who may bring nothing: what he hears is the same of any issuer. MCP Enterprise-Managed Authorization, E8. */
import { jwtBearerGrantType } from '@drawbridge/core/oauth/jwt-bearer'
import { samlBearerGrantType } from '@drawbridge/core/oauth/saml-bearer'
import { type ASamlAgent, aSamlAgent } from '@drawbridge/testkit/a-saml-agent'
import { type AnAssertionCompany, anAgent, anAssertionCompany, anAssertionKey } from '@drawbridge/testkit/an-assertion-company'
import { testDatabase } from '@drawbridge/testkit/database'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let acme: AnAssertionCompany
let agent: ASamlAgent

beforeAll(async () => {
  acme = await anAssertionCompany(await testDatabase())
  agent = aSamlAgent(acme)
})
afterAll(() => acme?.broker.close())

/** With a client that has registered itself and has no credential. */
const begin = async (configuration: { readonly publicClients?: true } = {}) => {
  await acme.begin(configuration)
  await agent.trust({ clients: ['public', anAgent.id], ...configuration })
  await acme.owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
     VALUES ($1, $2, 'public', 'dynamic', 'Public', '{}', $3, 'none', '{}', now())`,
    ...[acme.tenant().issuerId, [jwtBearerGrantType, samlBearerGrantType]],
  )
}
const elsewhere = 'https://elsewhere.example'
const nobodys = { JWT: anAssertionKey(), SAML: aFixtureKey() }
type Whose = 'trusted' | 'elsewhere' | 'forged'
const ways = {
  JWT: async (whose: Whose, form: Record<string, string>, headers: { authorization: string }) => {
    const claims = acme.claimsOf({ ...form, ...(whose === 'elsewhere' && { iss: elsewhere }) })
    return acme.redeem(await (whose === 'forged' ? nobodys.JWT : acme.key).sign({}, claims), form, headers)
  },
  SAML: async (whose: Whose, form: Record<string, string>, headers: { authorization: string }) => {
    const xml = agent.xmlOf(whose === 'elsewhere' ? { parts: { issuer: `<saml:Issuer>${elsewhere}</saml:Issuer>` } } : {})
    return agent.redeem(agent.sign(xml, whose === 'forged' ? nobodys.SAML : agent.key), form, headers)
  },
} as const
const nameless = {} as { authorization: string }
const byAgent = () => acme.basic(anAgent.id, anAgent.secret)

describe.each(['JWT', 'SAML'] as const)('by a %s assertion', (kind) => {
  const heard = async (whose: Whose, form: Record<string, string>, headers: { authorization: string }) => {
    acme.told.take()
    const { status, body } = await ways[kind](whose, form, headers)
    return { status, body, reason: acme.told.take()[0] }
  }
  const asPublic = (whose: Whose) => heard(whose, { client_id: 'public' }, nameless)
  const asAgent = (whose: Whose) => heard(whose, {}, byAgent())

  beforeEach(() => begin())

  it('a client that cannot prove itself hears of no issuer whether it is trusted', async () => {
    const trusted = await asPublic('trusted')
    expect(trusted).toMatchObject({ status: 400, body: { error: 'unauthorized_client' }, reason: 'assertion_client_public' })
    expect([await asPublic('elsewhere'), await asPublic('forged')]).toEqual([trusted, trusted])
  })

  it('nor does one that waits for an approval, also where a trust lets in those that cannot prove themselves', async () => {
    await begin({ publicClients: true })
    await acme.owner(
      `UPDATE tenants SET client_registration = '{"metadataDocuments": true, "documentHosts": [], "dynamic": true, "preregistered": true, "approvalRequired": true}' WHERE id = $1`,
    )
    await acme.owner(`UPDATE clients SET kind = 'dynamic' WHERE tenant_id = $1 AND client_id = $2`, anAgent.id)
    acme.broker.deps.configuration.invalidate()
    for (const ask of [asPublic, asAgent]) {
      const trusted = await ask('trusted')
      expect(trusted).toMatchObject({ body: { error: 'unauthorized_client' }, reason: 'registration_not_approved' })
      expect([await ask('elsewhere'), await ask('forged')]).toEqual([trusted, trusted])
    }
  })

  it('one that may bring some hears the same of an issuer that nobody trusts and of what its issuer has not signed', async () => {
    const { body } = await asAgent('elsewhere')
    expect(body).toMatchObject({ error: 'invalid_grant' })
    expect((await asAgent('forged')).body).toEqual(body)
    expect((await asAgent('trusted')).status).toBe(200)
  })
})

describe('where the keys of a trusted issuer are at an address', () => {
  const jwksUri = `${elsewhere}/keys`
  const atAddress = (configuration: { readonly clients?: readonly string[] } = {}) =>
    acme.begin({ jwks: undefined, jwksUri, profile: 'id-jag', ...configuration })
  /** Twice, of a key that nobody publishes: the second is when one would hear that keys may not be asked for again yet. */
  const heard = async (iss?: string) => {
    const answers = []
    for (let time = 0; time < 2; time += 1) {
      const text = await anAssertionKey('unknown').sign({}, acme.claimsOf(iss === undefined ? {} : { iss }))
      const { status, body, headers } = await acme.redeem(text)
      answers.push({ status, body, wait: headers.get('retry-after') })
    }
    return answers
  }
  const ofNobody = () => heard('https://nobody.example')

  beforeEach(() => {
    acme.asked.length = 0
    acme.published.set(jwksUri, { keys: [acme.key.jwk] })
  })

  it('a client that nobody vouches for does not hear that they are awaited', async () => {
    await atAddress()
    await acme.owner(`UPDATE clients SET kind = 'dynamic' WHERE tenant_id = $1`)
    const unknown = await ofNobody()
    expect(unknown.map(({ status }) => status)).toEqual([400, 400])
    expect(await heard()).toEqual(unknown)
    acme.published.delete(jwksUri)
    acme.wait(600)
    expect(await heard()).toEqual(unknown)
    acme.published.set(jwksUri, { keys: [acme.key.jwk] })
    acme.wait(600)
    expect((await acme.redeem(await acme.assertion())).status).toBe(200)
  })

  it('one that an admin registered or approved does', async () => {
    await atAddress()
    expect((await heard())[1]).toMatchObject({ status: 503 })
    await acme.owner(`UPDATE clients SET kind = 'dynamic', pre_approved = true WHERE tenant_id = $1`)
    expect((await heard())[1]).toMatchObject({ status: 503 })
  })

  it('whoever is not on the list of its trust hears nothing of it, and has nobody fetch them', async () => {
    await atAddress({ clients: ['somebody'] })
    const unknown = await ofNobody()
    expect(await heard()).toEqual(unknown)
    expect((await acme.redeem(await acme.assertion())).body).toEqual(unknown[0]?.body)
    expect(acme.asked).toEqual([])
  })
})
