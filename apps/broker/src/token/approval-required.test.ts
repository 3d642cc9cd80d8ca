/** Where a tenant demands an approval, no grant gives anything new to a client that nobody vouches for, and each does once an admin has; what was granted lives on. */
import { oauthErrors } from '@drawbridge/core/oauth/error'
import { anAuthorizeUrl } from '@drawbridge/testkit/a-login'
import { type ASamlAgent, aSamlAgent } from '@drawbridge/testkit/a-saml-agent'
import { type AnAssertionCompany, anAgent, anAssertionCompany } from '@drawbridge/testkit/an-assertion-company'
import { basicOf } from '@drawbridge/testkit/an-exchange-company'
import { type AnIdJagCompany, anIdJagCompany } from '@drawbridge/testkit/an-id-jag-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const demanded = JSON.stringify({ metadataDocuments: true, documentHosts: [], dynamic: true, preregistered: true, approvalRequired: true })

type Owner = (sql: string, ...more: readonly unknown[]) => Promise<unknown>
type Invalidated = { readonly deps: { readonly configuration: { invalidate(): void } } }
/** From now on this client speaks for itself, and the tenant demands an approval. */
async function demand(owner: Owner, broker: Invalidated, clientId: string): Promise<void> {
  await owner("UPDATE clients SET kind = 'dynamic', pre_approved = false WHERE tenant_id = $1 AND client_id = $2", clientId)
  await owner('UPDATE tenants SET client_registration = $2 WHERE id = $1', demanded)
  broker.deps.configuration.invalidate()
}
const approve = (owner: Owner, clientId: string) =>
  owner('UPDATE clients SET pre_approved = true WHERE tenant_id = $1 AND client_id = $2', clientId)
const refused = {
  status: 400,
  body: { error: 'unauthorized_client', error_description: oauthErrors['registration_not_approved'].say },
}

describe('assertions and a client’s own name', () => {
  let fixture: TestDatabase
  let acme: AnAssertionCompany
  let agent: ASamlAgent
  beforeAll(async () => {
    fixture = await testDatabase()
    acme = await anAssertionCompany(fixture)
    agent = aSamlAgent(acme)
  })
  beforeEach(async () => {
    await acme.begin()
    await agent.trust()
  })
  afterAll(async () => {
    await acme.broker.close()
    await fixture.close()
  })

  it.each<{ grant: string; ask: () => Promise<{ status: number; body: object }> }>([
    { grant: 'jwt-bearer', ask: async () => acme.redeem(await acme.assertion()) },
    { grant: 'saml2-bearer', ask: () => agent.redeem(agent.assertion()) },
  ])('$grant gives nothing before the approval, and a token after it', async ({ ask }) => {
    expect((await ask()).status).toBe(200)
    await demand(acme.owner, acme.broker, anAgent.id)
    expect(await ask()).toMatchObject(refused)
    await approve(acme.owner, anAgent.id)
    expect((await ask()).status).toBe(200)
  })

  it('client_credentials says to an unapproved one that it is not approved, and to no other', async () => {
    const ask = async () => {
      acme.told.take()
      const form = { grant_type: 'client_credentials', resource: acme.tenant().resource, scope: 'read' }
      const answer = await acme.post('token', form, acme.basic(anAgent.id, anAgent.secret))
      return { status: answer.status, error: ((await answer.json()) as { error?: string }).error, reason: acme.told.take()[0] }
    }
    await acme.owner("UPDATE clients SET grant_types = '{client_credentials}' WHERE tenant_id = $1 AND client_id = $2", anAgent.id)
    await demand(acme.owner, acme.broker, anAgent.id)
    expect(await ask()).toEqual({ status: 400, error: 'unauthorized_client', reason: 'registration_not_approved' })
    await approve(acme.owner, anAgent.id)
    expect((await ask()).reason).not.toBe('registration_not_approved')
  })

  it('a client that an admin registered needs no approval', async () => {
    await acme.owner('UPDATE tenants SET client_registration = $2 WHERE id = $1', demanded)
    acme.broker.deps.configuration.invalidate()
    expect((await acme.redeem(await acme.assertion())).status).toBe(200)
  })
})

describe('exchanges', () => {
  let jag: AnIdJagCompany
  beforeAll(async () => {
    jag = await anIdJagCompany()
  })
  beforeEach(async () => {
    await jag.acme.owner("UPDATE clients SET kind = 'preregistered' WHERE tenant_id = $1")
    await jag.acme.owner('UPDATE tenants SET client_registration = NULL WHERE id = $1')
    await jag.begin()
  })
  afterAll(() => jag.acme.at.close())

  it('token exchange gives nothing before the approval, and a token after it', async () => {
    const { acme } = jag
    const { access_token: token } = await jag.signIn()
    await demand(acme.owner, acme.at.broker, acme.gateway.clientId)
    expect(await acme.exchange(acme.gateway, token, { scope: 'read' })).toMatchObject(refused)
    await approve(acme.owner, acme.gateway.clientId)
    expect((await acme.exchange(acme.gateway, token, { scope: 'read' })).status).toBe(200)
  })

  it('an ID-JAG is not issued before the approval, and what was granted before is refreshed all the same', async () => {
    const { acme } = jag
    const tokens = await jag.signIn()
    await demand(acme.owner, acme.at.broker, jag.agent)
    expect(await jag.ask('id_token', tokens['id_token'])).toMatchObject(refused)
    const refreshed = await jag.refresh(tokens.refresh_token)
    expect(refreshed.status).toBe(200)
    expect(await acme.introspect(acme.gateway, refreshed.body.access_token)).toMatchObject({ active: true })
    await approve(acme.owner, jag.agent)
    expect((await jag.ask('id_token', tokens['id_token'])).status).toBe(200)
  })

  it('a person who is on her way when the demand comes gets no further, and it is put on the list', async () => {
    const { at, owner } = jag.acme
    const browser = at.browser()
    const upstream = await browser.visit(anAuthorizeUrl(at.issuer, at.acme, { scope: 'read' }))
    expect(upstream.location).not.toBe('')
    await demand(owner, at.broker, jag.agent)
    const home = await browser.comeHome(upstream, at.acme.connectionId)
    expect([home.status, home.text.includes('client_not_approved')]).toEqual([403, true])
    const { clients } = (await jag.call('GET', '/tenants/acme/waiting-clients')).body
    expect(clients).toMatchObject([{ clientId: jag.agent, askedAt: new Date(jag.acme.now()).toISOString() }])
  })

  it('one that is unproven is told that first, and nothing of approvals', async () => {
    await demand(jag.acme.owner, jag.acme.at.broker, jag.agent)
    expect((await jag.ask('id_token', 'x', {}, basicOf(jag.agent, 'wrong'))).body.error).toBe('invalid_client')
  })
})
