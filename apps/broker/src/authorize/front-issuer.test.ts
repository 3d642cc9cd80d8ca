/** The front issuer from its making on: whose a request becomes, once; what of a client is one registration and what is each tenant's; and how it all ends. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { aFrontUrl, aFrontWorld, aSharedClient, aSharedResource, basic, type FrontWorld, rowsOf } from '@drawbridge/testkit/a-front'
import { hidden } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
beforeAll(async () => {
  world = await aFrontWorld(() => now, { withFront: false })
})
afterAll(() => world?.close())

const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${world.broker.url}${path}`, { headers, redirect: 'manual' })
const asJson = async (answer: Response) => (await answer.json()) as Record<string, unknown>

describe('until the vendor makes it', () => {
  it.each([
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/jwks',
    '/ssf/jwks',
    '/authorize',
    '/userinfo',
  ])('there is no %s', async (path) => {
    expect((await get(path)).status).toBe(404)
  })

  it.each(['/token', '/introspect', '/revoke', '/par', '/register', '/ssf/streams'])('nor does %s take anything', async (path) => {
    expect((await world.post(path, { token: 'x', grant_type: 'refresh_token' })).status).toBe(404)
  })

  it('and only the vendor makes it, once', async () => {
    const tenants = (
      await world.call('POST', '/admin-keys', {
        name: 'x',
        tenant: 'acme',
        permissions: ['tenants:write'],
        expiresAt: '2099-01-01T00:00:00Z',
      })
    ).body
    expect((await world.call('POST', '/front-issuer', undefined, tenants.key ?? tenants.secret)).status).toBe(403)
    expect((await world.call('GET', '/front-issuer')).status).toBe(404)
    expect((await world.call('POST', '/front-issuer')).body).toMatchObject({ issuer: aFrontUrl })
    expect((await world.call('POST', '/front-issuer')).status).toBe(409)
    const [shared] = (await world.call('GET', '/shared-resources')).body.resources
    expect((await world.call('POST', `/front-issuer/shared-resources/${shared.id}`)).status).toBe(204)
  })
})

it('says the same of itself wherever it is asked, and lists nothing that it does not do', async () => {
  const documents = await Promise.all(
    ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'].map(async (path) => asJson(await get(path))),
  )
  expect(documents[0]).toEqual(documents[1])
  expect(documents[0]).toMatchObject({
    issuer: aFrontUrl,
    authorization_endpoint: `${aFrontUrl}/authorize`,
    registration_endpoint: `${aFrontUrl}/register`,
    end_session_endpoint: `${aFrontUrl}/logout`,
    // Whose assertions, and whose exchanges, each tenant says; devices, once the vendor wants them.
    grant_types_supported: [
      ...['authorization_code', 'refresh_token', 'client_credentials'],
      ...['jwt-bearer', 'token-exchange', 'saml2-bearer'].map((name) => `urn:ietf:params:oauth:grant-type:${name}`),
    ],
    client_id_metadata_document_supported: true,
  })
})

/** A public client, registered at the front by itself. */
async function aRegistration(change: object = {}): Promise<Record<string, string>> {
  const metadata = {
    client_name: 'A',
    redirect_uris: ['https://client.example/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    ...change,
  }
  const headers = { 'content-type': 'application/json' }
  return (await asJson(await fetch(`${world.broker.url}/register`, { method: 'POST', headers, body: JSON.stringify(metadata) }))) as Record<
    string,
    string
  >
}

describe('a request', () => {
  it('is asked whose it is, and becomes a tenant’s once', async () => {
    const { client_id: clientId = '' } = await aRegistration()
    const browser = world.browser()
    const asked = await browser.visit(world.authorizeUrl('front for acme', { client_id: clientId, login_hint: 'ada' }))
    const page = await browser.visit(asked.location)
    expect(asked.location).toContain(`${aFrontUrl}/authorize/choose-tenant?request=`)
    const form = { request: hidden(page.text, 'request'), proof: hidden(page.text, 'proof') }
    const say = (organisation: string) => browser.visit(`${aFrontUrl}/authorize/choose-tenant`, { ...form, organisation })
    for (const nobody of ['ada@nobody.example', 'nobody', 'vendor', '', 'x'.repeat(400), 'acme.example']) {
      expect((await say(nobody)).text, nobody).toContain('No organisation that signs in here')
    }
    const [first, second] = await Promise.all([say('ada@acme.example'), say('globex')])
    const won = [first, second].filter(({ location }) => location.includes('/client-notice?'))
    expect(won.length).toBe(1)
    // Neither twice, nor for another one.
    for (const again of ['acme', 'globex']) expect((await say(again)).text).toContain('request_expired')
    const trail = (await world.call('GET', '/audit-events')).body.auditEvents as { kind: string; reason: string }[]
    expect(trail.filter(({ kind }) => kind === 'tenant_chosen').map(({ reason }) => reason)).toEqual([won[0] === first ? 'acme' : 'globex'])
  })

  it('of one browser is nobody else’s to choose, and of the front no tenant’s page shows it', async () => {
    const { client_id: clientId = '' } = await aRegistration()
    const asked = await world.browser().visit(world.authorizeUrl('front for acme', { client_id: clientId, login_hint: 'ada' }))
    const id = new URL(asked.location).searchParams.get('request') ?? ''
    const stranger = world.browser()
    await stranger.visit(world.authorizeUrl('acme'))
    expect((await stranger.visit(asked.location)).status).toBe(400)
    for (const step of ['choose-connection', 'client-notice', 'consent'])
      expect((await stranger.visit(`${aFrontUrl}/t/acme/authorize/${step}?request=${id}`)).status).toBe(400)
    const own = await stranger.visit(world.authorizeUrl('acme', { client_id: aSharedClient, prompt: 'login' }))
    const other = new URL(own.location).searchParams.get('request') ?? ''
    expect((await stranger.visit(`${aFrontUrl}/authorize/choose-tenant?request=${other}`)).status).toBe(400)
  })

  it('without a page is refused where nobody says whose it is', async () => {
    const { client_id: clientId = '' } = await aRegistration()
    const silent = await world
      .browser()
      .visit(world.authorizeUrl('front for acme', { client_id: clientId, login_hint: 'ada', prompt: 'none' }))
    expect([silent.location, silent.text].join()).toContain('login')
  })

  it('of a suspended tenant goes no further', async () => {
    await world.call('POST', '/tenants/globex/kill', { reason: 'a test' })
    const page = await world
      .browser()
      .visit(world.authorizeUrl('front for globex', { client_id: (await aRegistration())['client_id'] ?? '' }))
    expect(page.text).toContain('tenant_suspended')
    await world.call('POST', '/tenants/globex/reinstate')
    // Evidence of the moment of a barrier is none.
    now = addSeconds(now, 5)
  })
})

type Client = { readonly id: string; readonly registration: Record<string, string> }
async function aClient(): Promise<Client> {
  const registration = await aRegistration()
  return { id: registration['client_id'] ?? '', registration }
}
/** Of the public client. */
async function tokensOf({ id }: Client, company: 'acme' | 'globex'): Promise<Record<string, string>> {
  const back = await world.signIn(`front for ${company}`, { client_id: id })
  const form = {
    ...{ grant_type: 'authorization_code', client_id: id, code: back.searchParams.get('code') ?? '' },
    ...{ redirect_uri: 'https://client.example/callback', code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk' },
  }
  const { status, body } = await world.post('/token', form)
  expect({ status, body }).toMatchObject({ status: 200 })
  return body as Record<string, string>
}
const refresh = ({ id }: Client, { refresh_token: token = '' }: Record<string, string>) =>
  world.post('/token', { grant_type: 'refresh_token', client_id: id, refresh_token: token })
const isActive = async ({ access_token: token = '' }: Record<string, string>) =>
  (await world.post('/introspect', { token }, basic(world.credential.id, world.credential.secret))).body['active']
/** By its owner; of all else it says what it said. */
async function rename({ id, registration }: Client, name: string): Promise<void> {
  const headers = { authorization: `Bearer ${registration['registration_access_token']}`, 'content-type': 'application/json' }
  const body = JSON.stringify({
    client_id: id,
    client_name: name,
    redirect_uris: ['https://client.example/callback'],
    token_endpoint_auth_method: 'none',
  })
  const answer = await fetch(`${world.broker.url}/register/${id}`, { method: 'PUT', headers, body })
  expect(answer.status).toBe(200)
  Object.assign(registration, await asJson(answer))
}
const waitingFor = (slug: string) =>
  rowsOf<{ target: string }>(
    world,
    `SELECT payload ->> 'target' AS target FROM outbox JOIN tenants t ON t.id = tenant_id WHERE t.slug = $1 AND kind = 'revoke' AND done_at IS NULL`,
    [slug],
  )

describe('a client that registered at the front', () => {
  it('ends at every tenant in the commit in which its owner ends the registration, and guards are to be told, once', async () => {
    const client = await aClient()
    const [acme, globex] = [await tokensOf(client, 'acme'), await tokensOf(client, 'globex')]
    expect([await isActive(acme), await isActive(globex)]).toEqual([true, true])
    const before = { acme: (await waitingFor('acme')).length, globex: (await waitingFor('globex')).length }
    const ended = await fetch(`${world.broker.url}/register/${client.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${client.registration['registration_access_token']}` },
    })
    expect(ended.status).toBe(204)
    expect([await isActive(acme), await isActive(globex)]).toEqual([false, false])
    expect((await refresh(client, acme)).status).toBe(401)
    expect([(await waitingFor('acme')).length, (await waitingFor('globex')).length]).toEqual([before.acme + 1, before.globex + 1])
  })

  it('is shut out by one tenant for itself, and approved by one for itself', async () => {
    const client = await aClient()
    const [acme, globex] = [await tokensOf(client, 'acme'), await tokensOf(client, 'globex')]
    expect((await world.call('PATCH', `/tenants/acme/front-clients/${client.id}`, { blocked: true })).status).toBe(200)
    expect([await isActive(acme), await isActive(globex)]).toEqual([false, true])
    expect((await world.call('GET', `/tenants/globex/front-clients/${client.id}`)).body).toMatchObject({ blockedAt: null })
    expect((await refresh(client, globex)).status).toBe(200)
    expect((await world.call('GET', `/tenants/acme/clients/${client.id}`)).status).toBe(404)
  })

  it('is killed by the vendor everywhere, and unblocked where no tenant has blocked it itself', async () => {
    const client = await aClient()
    const [acme, globex] = [await tokensOf(client, 'acme'), await tokensOf(client, 'globex')]
    await world.call('PATCH', `/tenants/acme/front-clients/${client.id}`, { blocked: true })
    now = addSeconds(now, 5)
    expect((await world.call('POST', `/front-issuer/clients/${client.id}/kill`, { reason: 'a test' })).status).toBe(200)
    expect([await isActive(acme), await isActive(globex)]).toEqual([false, false])
    await world.call('PATCH', `/front-issuer/clients/${client.id}`, { blocked: false })
    const blocked = async (slug: string) => (await world.call('GET', `/tenants/${slug}/front-clients/${client.id}`)).body.blockedAt !== null
    expect([await blocked('acme'), await blocked('globex')]).toEqual([true, false])
    // Nothing that died comes back.
    expect(await isActive(globex)).toBe(false)
  })

  it('changes at every tenant as its owner changes it', async () => {
    const client = await aClient()
    await tokensOf(client, 'acme')
    await rename(client, 'B')
    expect((await world.call('GET', `/tenants/acme/front-clients/${client.id}`)).body).toMatchObject({ name: 'B' })
  })

  it('knows people by a sub of its own at a tenant that wants that, whatever its registration says, unless it was known there before', async () => {
    const sectorOf = async ({ id }: Client, slug: string) =>
      (await world.call('GET', `/tenants/${slug}/front-clients/${id}`)).body.sectorIdentifier as string | null
    const [known, client] = [await aClient(), await aClient()]
    await tokensOf(known, 'acme')
    expect((await world.call('PUT', '/tenants/acme/subject-types', { pairwiseByDefault: true })).status).toBe(200)
    for (const each of [known, client]) await tokensOf(each, 'acme')
    await tokensOf(client, 'globex')
    const own = `client:${client.id}`
    expect([await sectorOf(known, 'acme'), await sectorOf(client, 'acme'), await sectorOf(client, 'globex')]).toEqual([null, own, null])
    for (const pairwiseByDefault of [true, false]) {
      await world.call('PUT', '/tenants/acme/subject-types', { pairwiseByDefault })
      await rename(client, `C ${pairwiseByDefault}`)
      expect([await sectorOf(client, 'acme'), await sectorOf(client, 'globex')]).toEqual([own, null])
    }
  })

  it('is no client at a tenant’s own issuer', async () => {
    const client = await aClient()
    const page = await world.browser().visit(world.authorizeUrl('acme', { client_id: client.id }))
    expect([page.status, page.text.includes('client_unknown')]).toEqual([400, true])
  })

  it('is used by whoever uses it at any tenant, so that it is never idle', async () => {
    const client = await aClient()
    await tokensOf(client, 'globex')
    const [front] = await rowsOf<{ last_used_at: Date | null }>(
      world,
      "SELECT last_used_at FROM clients JOIN issuers i ON i.id = issuer_id WHERE client_id = $1 AND i.kind = 'front'",
      [client.id],
    )
    expect(front?.last_used_at).not.toBeNull()
  })

  it('is nobody’s at a tenant that lets clients register only by a statement, until its admin vouches for it', async () => {
    const client = await aClient()
    const demand = async (json: string | null) => {
      await rowsOf(world, "UPDATE tenants SET software_statements = $1 WHERE slug = 'acme'", [json])
      world.broker.deps.configuration.invalidate()
    }
    // What cannot be read demands one of everybody.
    await demand('{}')
    const page = await world.browser().visit(world.authorizeUrl('front for acme', { client_id: client.id }))
    expect([page.status, page.text.includes('client_way_closed')]).toEqual([403, true])
    await tokensOf(client, 'globex')
    // Nothing of it was kept there, so she lets it in by name.
    expect((await world.call('PATCH', `/tenants/acme/front-clients/${client.id}`, { preApproved: true })).status).toBe(404)
    expect((await world.call('POST', `/tenants/acme/front-clients/${client.id}`)).status).toBe(200)
    await world.call('PATCH', `/tenants/acme/front-clients/${client.id}`, { preApproved: true })
    await tokensOf(client, 'acme')
    await demand(null)
  })

  it('gets nothing at a tenant that demands an approval, not by the vendor’s either, until that tenant’s admin gives hers', async () => {
    const client = await aClient()
    const demand = async (approvalRequired: boolean) => {
      const ways = { metadataDocuments: true, documentHosts: [], dynamic: true, preregistered: true, approvalRequired }
      expect((await world.call('PUT', '/tenants/acme/client-registration', ways)).status).toBe(200)
      world.broker.deps.configuration.invalidate()
    }
    await demand(true)
    expect((await world.call('PATCH', `/front-issuer/clients/${client.id}`, { preApproved: true })).status).toBe(200)
    const browser = world.browser()
    const asked = await browser.visit(world.authorizeUrl('front for acme', { client_id: client.id, login_hint: 'nobody' }))
    const page = await browser.visit(asked.location)
    const form = { request: hidden(page.text, 'request'), proof: hidden(page.text, 'proof') }
    const say = (organisation: string) => browser.visit(`${aFrontUrl}/authorize/choose-tenant`, { ...form, organisation })
    const refused = await say('acme')
    expect([refused.status, refused.text.includes('client_not_approved')]).toEqual([403, true])
    const waitsAt = async (slug: string) => {
      const { clients } = (await world.call('GET', `/tenants/${slug}/waiting-clients`)).body
      return (clients as { clientId: string; askedAt: string }[])
        .filter(({ clientId }) => clientId === client.id)
        .map(({ askedAt }) => askedAt)
    }
    expect([await waitsAt('acme'), await waitsAt('globex')]).toEqual([[new Date(now).toISOString()], []])
    // The registration waits with it, and is not forgotten for want of use.
    const rows = await rowsOf<{ asked_at: Date | null }>(world, 'SELECT asked_at FROM clients WHERE client_id = $1', [client.id])
    expect(rows.map(({ asked_at: at }) => at?.getTime())).toEqual([now, now])
    await world.call('PATCH', `/tenants/acme/front-clients/${client.id}`, { preApproved: true })
    // What was refused is not over: it goes on where it stood.
    expect((await say('acme')).text).not.toContain('client_not_approved')
    await tokensOf(client, 'acme')
    await tokensOf(await aClient(), 'globex')
    await demand(false)
  })

  it('does not bring along to a tenant that adopts it that it asked elsewhere', async () => {
    const client = await aClient()
    await rowsOf(world, 'UPDATE clients SET asked_at = now() WHERE client_id = $1', [client.id])
    await tokensOf(client, 'globex')
    const rows = await rowsOf<{ asked_at: Date | null }>(
      world,
      "SELECT asked_at FROM clients JOIN issuers i ON i.id = issuer_id WHERE client_id = $1 AND i.kind = 'front_member'",
      [client.id],
    )
    expect(rows).toEqual([{ asked_at: null }])
  })

  it('is adopted by a tenant for itself alone', async () => {
    const { id } = await aClient()
    const text = "SELECT set_config('drawbridge.tenant_id', $1, true), adopt_front_client($2, $3, now())"
    await expect(rowsOf(world, text, [world.acme.tenantId, world.globex.tenantId, id])).rejects.toThrow('for itself alone')
  })
})

describe('a tenant', () => {
  it('that is made later is a member, with all that is shared there', async () => {
    await world.call('POST', '/tenants', { slug: 'later', name: 'Later' })
    const member = await world.broker.deps.configuration.find('later', 'front_member')
    expect(member).toMatchObject({ slug: 'later', issuer: { url: aFrontUrl, kind: 'front_member' } })
    expect(member?.resources.map(({ identifier }) => identifier)).toEqual([aSharedResource])
    // Its own issuer mints for nothing by that.
    const [listed] = (await world.call('GET', '/tenants/later/resources')).body.resources
    expect(listed).toMatchObject({ identifier: aSharedResource, shared: true, mintable: false })
  })

  it('has no key of its own there, and signs by the front’s', async () => {
    const member = await world.broker.deps.configuration.find('acme', 'front_member')
    const front = await world.broker.deps.configuration.find('vendor', 'front')
    expect(member?.signingKey('tokens').kid).toBe(front?.signingKey('tokens').kid)
    expect(
      await rowsOf(
        world,
        "SELECT 1 FROM signing_keys k JOIN issuers i ON i.tenant_id = k.tenant_id AND i.id = k.issuer_id WHERE i.kind = 'front_member'",
      ),
    ).toEqual([])
  })

  it('has one membership, at no other URL than the front’s', async () => {
    const insert = "INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, $3, 'front_member', now())"
    await expect(rowsOf(world, insert, [world.acme.tenantId, randomUUID(), aFrontUrl])).rejects.toMatchObject({ code: '23505' })
    await rowsOf(world, "INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, 'bare', 'x', now())", [randomUUID()])
    const bare =
      "INSERT INTO issuers (tenant_id, id, url, kind, created_at) SELECT id, $1, 'https://elsewhere.example', 'front_member', now() FROM tenants WHERE slug = 'bare'"
    await expect(rowsOf(world, bare, [randomUUID()])).rejects.toThrow('has its URL')
  })
})

it('a key of the front that is condemned is believed for no tenant', async () => {
  const client = await aClient()
  const [acme, globex] = [await tokensOf(client, 'acme'), await tokensOf(client, 'globex')]
  const keys = (await world.call('GET', '/front-issuer/signing-keys')).body.signingKeys as { id: string; state: string; purpose: string }[]
  const active = keys.find(({ state, purpose }) => state === 'active' && purpose === 'tokens')?.id
  expect((await world.call('POST', `/front-issuer/signing-keys/${active}/compromised`)).status).toBe(200)
  expect([await isActive(acme), await isActive(globex)]).toEqual([false, false])
  expect(await isActive((await refresh(client, acme)).body as Record<string, string>)).toBe(true)
})

it('a resource that is taken away from the front ends every grant of every tenant for it there, and none of a tenant’s own issuer', async () => {
  const client = await aClient()
  const [acme, globex] = [await tokensOf(client, 'acme'), await tokensOf(client, 'globex')]
  const own = await world.tokensAt('acme')
  const [shared] = (await world.call('GET', '/shared-resources')).body.resources.filter(
    ({ identifier }: { identifier: string }) => identifier === aSharedResource,
  )
  expect((await world.call('DELETE', `/front-issuer/shared-resources/${shared.id}`)).status).toBe(204)
  expect([(await refresh(client, acme)).status, (await refresh(client, globex)).status]).toEqual([400, 400])
  expect((await world.introspectAt('acme', own['access_token'] ?? '')).body).toMatchObject({ active: true })
  const page = await world.browser().visit(world.authorizeUrl('front for acme', { client_id: client.id }))
  expect(`${page.location}${page.text}`).toContain('resource_unknown')
})
