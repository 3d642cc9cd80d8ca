/** At the front issuer a request names its tenant where no credential does, a tenant knows a client before anybody uses it, and a client acts in its own name. */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { oauthErrors } from '@drawbridge/core/oauth/error'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { holdClient } from '@drawbridge/store/admin-clients'
import { holdMachineAccess, markMachineAccess } from '@drawbridge/store/machine-access'
import { inTenant } from '@drawbridge/store/transaction'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import {
  aFrontUrl,
  aFrontWorld,
  aSharedClient,
  aSharedResource,
  baseOf,
  basic,
  type FrontWorld,
  type Posted,
  rowsOf,
} from '@drawbridge/testkit/a-front'
import { publish } from '@drawbridge/testkit/a-login'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let world: FrontWorld
let count = 0
/** Registered by the vendor at the front, another one in each test. */
let worker: { readonly id: string; readonly secret: string }

beforeAll(async () => {
  world = await aFrontWorld(() => now)
})
afterAll(() => world?.close())
beforeEach(async () => {
  now = addSeconds(now, 60)
  worker = await registered()
})

const alone = { name: 'Worker', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'client_secret_basic' }
async function registered(over: object = {}): Promise<typeof worker> {
  const { status, body } = await world.call('POST', '/front-issuer/clients', { ...alone, clientId: `worker-${(count += 1)}`, ...over })
  expect(status).toBe(201)
  return { id: body.clientId, secret: body.clientSecret }
}
type Form = Readonly<Record<string, string>>
const ask = (form: Form = {}, headers: Form = basic(worker.id, worker.secret)) =>
  world.post('/token', { grant_type: 'client_credentials', resource: aSharedResource, ...form }, headers)
const refusedAs = (reason: keyof typeof oauthErrors) => ({
  status: oauthErrors[reason].status,
  body: { error: 'code' in oauthErrors[reason] ? oauthErrors[reason].code : '', error_description: oauthErrors[reason].say },
})
const at = (slug: string, id = worker.id) => `/tenants/${slug}/front-clients/${id}`
const adopt = async (slug = 'acme', id = worker.id) => expect((await world.call('POST', at(slug, id))).status).toBe(200)
const give = (access: readonly object[], slug = 'acme', id = worker.id) => world.call('PUT', `${at(slug, id)}/machine-access`, { access })
const read = { resource: aSharedResource, scopes: ['read'] }
async function mayRead(slug = 'acme'): Promise<void> {
  await adopt(slug)
  expect((await give([read], slug)).body).toEqual({ access: [read], grantsEnded: 0 })
}
const tokenOf = ({ status, body }: Posted): string => {
  expect({ status, body }).toMatchObject({ status: 200 })
  return String(body['access_token'])
}
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
const isActive = async (token: string) => (await world.introspectAt('front for acme', token)).body['active']
const copies = () =>
  rowsOf(world, "SELECT t.slug FROM clients c JOIN tenants t ON t.id = c.tenant_id WHERE c.client_id = $1 AND t.slug <> 'vendor'", [
    worker.id,
  ])

describe('the parameter tenant, at the front', () => {
  it('says for which company a request is that nothing else says it of; without it, or without a value, the answer says to send it', async () => {
    await mayRead()
    for (const form of [{}, { tenant: '' }]) expect(await ask(form)).toEqual(refusedAs('tenant_parameter_missing'))
    expect(await ask({}, {})).toEqual(refusedAs('tenant_parameter_missing'))
    expect(oauthErrors.tenant_parameter_missing.say).toContain('send `tenant`')
    expect(claimsOf(tokenOf(await ask({ tenant: 'acme' })))).toMatchObject({ iss: aFrontUrl, tenant: 'acme' })
  })

  it.each(['nobody', 'vendor', 'ACME', 'acme ', 'acme.example', '../acme', 'a'.repeat(5000)])(
    'names nobody by %s, whoever asks',
    async (tenant) => {
      for (const headers of [basic(worker.id, worker.secret), {}])
        expect(await ask({ tenant }, headers)).toEqual(refusedAs('tenant_parameter_unfit'))
    },
  )

  it('is taken once', async () => {
    const body = new URLSearchParams([
      ...Object.entries({ grant_type: 'client_credentials', resource: aSharedResource, tenant: 'acme' }),
      ['tenant', 'globex'],
    ])
    const answer = await fetch(`${world.broker.url}/token`, { method: 'POST', body, headers: basic(worker.id, worker.secret) })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: 'invalid_request' }])
  })

  it('is no other than what the credential names: a refresh token, whose family lives; a code, which is still good', async () => {
    const proof = basic(aSharedClient, world.secretAt('front for acme'))
    const code = await world.codeAt('front for acme')
    const { redeemAt, post } = world
    for (const tenant of ['globex', 'nobody', 'vendor'])
      expect(
        await post(
          '/token',
          { grant_type: 'authorization_code', code, redirect_uri: 'https://x.example', code_verifier: 'v'.repeat(43), tenant },
          proof,
        ),
      ).toEqual(refusedAs('tenant_parameter_unfit'))
    const { refresh_token: token = '' } = (await redeemAt('front for acme', code)).body as Record<string, string>
    const refresh = (form: Form) => post('/token', { grant_type: 'refresh_token', refresh_token: token, ...form }, proof)
    expect(await refresh({ tenant: 'globex' })).toEqual(refusedAs('tenant_parameter_unfit'))
    expect((await refresh({ tenant: 'acme' })).status).toBe(200)
  })

  it('saves no credential of another tenant, nor one that names none', async () => {
    const { refresh_token: own = '' } = await world.tokensAt('acme')
    await world.tokensAt('front for acme')
    const form = { grant_type: 'refresh_token', refresh_token: own, tenant: 'acme' }
    const answered = await world.post('/token', form, basic(aSharedClient, world.secretAt('front for acme')))
    expect(answered).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    expect(await world.refreshAt('acme', own)).toMatchObject({ status: 200 })
  })

  it('of a suspended company is answered as its own address answers', async () => {
    await mayRead()
    await rowsOf(world, "UPDATE tenants SET suspended_at = now() WHERE slug = 'acme'")
    world.broker.deps.configuration.invalidate()
    try {
      const own = await world.post(
        '/t/acme/token',
        { grant_type: 'client_credentials', resource: aSharedResource },
        basic(worker.id, worker.secret),
      )
      expect(await ask({ tenant: 'acme' })).toMatchObject({ status: own.status, body: { error: own.body['error'] } })
    } finally {
      await rowsOf(world, "UPDATE tenants SET suspended_at = NULL WHERE slug = 'acme'")
      world.broker.deps.configuration.invalidate()
    }
  })
})

it('at a tenant’s own issuer it is left out, or that tenant’s', async () => {
  const { refresh_token: token = '' } = await world.tokensAt('acme')
  const refresh = (tenant: string) =>
    world.post('/t/acme/token', { grant_type: 'refresh_token', refresh_token: token, tenant }, basic(aSharedClient, world.secretAt('acme')))
  for (const tenant of ['globex', 'nobody', 'vendor']) expect(await refresh(tenant)).toEqual(refusedAs('tenant_parameter_unfit'))
  expect((await refresh('acme')).status).toBe(200)
})

describe('a client that is registered at the front', () => {
  it('is known at a tenant once its admin says so, and is given nothing by that', async () => {
    expect(await ask({ tenant: 'acme' })).toEqual(refusedAs('machine_access_missing'))
    expect(await copies()).toEqual([])
    const { status, body } = await world.call('POST', at('acme'))
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { clientId: worker.id, kind: 'preregistered', preApproved: false, machineAccess: [] },
    })
    expect((await world.call('POST', at('acme'))).body).toEqual(body)
    expect(await copies()).toEqual([{ slug: 'acme' }])
    const audited = await rowsOf(world, "SELECT kind FROM audit_events WHERE client_id = $1 AND kind = 'client.adopted'", [worker.id])
    expect(audited).toHaveLength(1)
    // Whether a company knows it, nobody hears who is given nothing there.
    for (const tenant of ['acme', 'globex']) expect(await ask({ tenant })).toEqual(refusedAs('machine_access_missing'))
  })

  it('is known to nobody who does not prove to be it', async () => {
    for (const headers of [basic(worker.id, 'wrong'), basic('nobody', worker.secret), basic(worker.id, world.secretAt('acme'))]) {
      const answered = await ask({ tenant: 'acme' }, headers)
      expect(answered).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    }
    const { id } = await registered({
      tokenEndpointAuthMethod: 'none',
      grantTypes: ['authorization_code'],
      redirectUris: ['https://x.example/back'],
    })
    expect(await ask({ tenant: 'acme', client_id: id }, {})).toEqual(refusedAs('grant_type_not_for_client'))
    expect(await copies()).toEqual([])
  })

  it('is not brought to a tenant by a code or a refresh token that it makes up', async () => {
    const both = await registered({ grantTypes: ['authorization_code', 'refresh_token'], redirectUris: ['https://x.example/back'] })
    for (const [id, secret] of [
      [worker.id, worker.secret],
      [both.id, both.secret],
    ] as const)
      expect([400, 401]).toContain(
        (await world.post('/token', { grant_type: 'refresh_token', refresh_token: 'dbr_acme.x', tenant: 'acme' }, basic(id, secret)))
          .status,
      )
    expect(
      await rowsOf(
        world,
        "SELECT 1 FROM clients c JOIN tenants t ON t.id = c.tenant_id WHERE c.client_id = ANY ($1) AND t.slug <> 'vendor'",
        [[worker.id, both.id]],
      ),
    ).toEqual([])
  })

  it('and is unknown, blocked or over there is known at no tenant', async () => {
    expect((await world.call('POST', at('acme', 'nobody'))).status).toBe(404)
    await world.call('PATCH', `/front-issuer/clients/${worker.id}`, { blocked: true })
    expect((await world.call('POST', at('acme'))).status).toBe(404)
    expect(await ask({ tenant: 'acme' })).toMatchObject({ status: 401 })
    expect(await copies()).toEqual([])
  })

  it('is adopted, and given anything, by nobody of another tenant', async () => {
    const made = { name: 'x', tenant: 'globex', permissions: ['configuration:write'], expiresAt: '2099-01-01T00:00:00Z' }
    const { key, secret } = (await world.call('POST', '/admin-keys', made)).body
    expect((await world.call('POST', at('acme'), undefined, key ?? secret)).status).toBe(404)
    await adopt()
    expect((await world.call('PUT', `${at('acme')}/machine-access`, { access: [read] }, key ?? secret)).status).toBe(404)
    expect((await world.call('POST', at('globex'), undefined, key ?? secret)).status).toBe(200)
  })
})

describe('machine access', () => {
  it('lets a client have what the tenant gave it, in its own name, at that tenant alone', async () => {
    await mayRead()
    await adopt('globex')
    const answered = await ask({ tenant: 'acme' })
    expect(answered.body).toMatchObject({ token_type: 'Bearer', scope: 'read' })
    expect(answered.body).not.toHaveProperty('refresh_token')
    const token = tokenOf(answered)
    expect(claimsOf(token)).toMatchObject({
      iss: aFrontUrl,
      aud: aSharedResource,
      tenant: 'acme',
      sub: `acme.${worker.id}`,
      client_id: worker.id,
      scope: 'read',
    })
    expect(await isActive(token)).toBe(true)
    for (const base of ['acme', 'globex'] as const) expect((await world.introspectAt(base, token)).body).toEqual({ active: false })
    expect(await ask({ tenant: 'globex' })).toEqual(refusedAs('machine_access_missing'))
    // Nor is it a client of the tenant's own issuer.
    const own = await world.post(
      `${baseOf('acme')}/token`,
      { grant_type: 'client_credentials', resource: aSharedResource },
      basic(worker.id, worker.secret),
    )
    expect(own).toMatchObject({ status: 401 })
  })

  it('is the most: more is refused, of what is asked for it gives what it has', async () => {
    await mayRead()
    expect(await ask({ tenant: 'acme', scope: 'write' })).toEqual(refusedAs('scope_widened'))
    expect((await ask({ tenant: 'acme', scope: 'read write' })).body).toMatchObject({ scope: 'read' })
  })

  it('is nothing that a ceiling says, the vendor’s or the tenant’s: those take away from it', async () => {
    await adopt()
    for (const path of [`/front-issuer/clients/${worker.id}`, at('acme')]) {
      await world.call('PATCH', path, { scopeCeiling: ['read', 'write'] })
      expect(await ask({ tenant: 'acme' })).toEqual(refusedAs('machine_access_missing'))
    }
    await give([{ resource: aSharedResource, scopes: ['read', 'write'] }])
    expect((await ask({ tenant: 'acme' })).body).toMatchObject({ scope: 'read write' })
    await world.call('PATCH', at('acme'), { scopeCeiling: ['read'] })
    expect((await ask({ tenant: 'acme' })).body).toMatchObject({ scope: 'read' })
    await world.call('PATCH', `/front-issuer/clients/${worker.id}`, { scopeCeiling: ['write'] })
    expect(await ask({ tenant: 'acme' })).toEqual(refusedAs('machine_access_missing'))
  })

  it('is not begun with, whatever a row of the vendor’s says', async () => {
    await rowsOf(world, 'UPDATE clients SET machine_access = $2 WHERE client_id = $1', [worker.id, JSON.stringify([read])])
    await adopt()
    expect((await world.call('GET', at('acme'))).body).toMatchObject({ machineAccess: [] })
    expect(await ask({ tenant: 'acme' })).toEqual(refusedAs('machine_access_missing'))
  })

  it('that cannot be read gives nothing', async () => {
    await mayRead()
    await rowsOf(world, `UPDATE clients SET machine_access = '{"all": true}' WHERE client_id = $1`, [worker.id])
    expect(await ask({ tenant: 'acme' })).toEqual(refusedAs('machine_access_missing'))
  })

  it('is of resources that the front may mint for, and of clients that can use it', async () => {
    await adopt()
    expect((await give([{ resource: 'https://unknown.example', scopes: ['read'] }])).body).toMatchObject({
      type: 'urn:drawbridge:error:reference_unknown',
    })
    expect((await give([read, read])).status).toBe(400)
    const person = await registered({ grantTypes: ['authorization_code'], redirectUris: ['https://x.example/back'] })
    const nobody = await registered({
      tokenEndpointAuthMethod: 'none',
      grantTypes: ['authorization_code'],
      redirectUris: ['https://x.example/back'],
    })
    for (const { id } of [person, nobody]) {
      await adopt('acme', id)
      expect(await give([read], 'acme', id)).toMatchObject({ status: 409, body: { type: 'urn:drawbridge:error:client_cannot_act_alone' } })
      expect((await give([], 'acme', id)).status).toBe(200)
    }
    expect((await give([read], 'acme', 'nobody')).status).toBe(404)
  })

  it('that is not what was seen is not changed', async () => {
    await adopt()
    const { etag } = (await world.call('GET', at('acme'))).body
    await give([read])
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${world.broker.adminKey}`, 'if-match': `"${etag}"` }
    const answer = await fetch(`${world.broker.url}/admin/v1${at('acme')}/machine-access`, {
      method: 'PUT',
      headers,
      body: '{"access":[]}',
    })
    expect(answer.status).toBe(412)
  })

  it('that is taken away, or less, ends what it opened; what it opened elsewhere lives', async () => {
    const wide = { resource: aSharedResource, scopes: ['read', 'write'] }
    for (const slug of ['acme', 'globex']) {
      await adopt(slug)
      await give([wide], slug)
    }
    const elsewhere = tokenOf(await ask({ tenant: 'globex' }))
    for (const less of [[read], []]) {
      await give([wide])
      const token = tokenOf(await ask({ tenant: 'acme' }))
      expect((await give(less)).body).toMatchObject({ grantsEnded: 1 })
      expect(await isActive(token)).toBe(false)
      const told = await rowsOf(world, "SELECT reason FROM deprovisioning_events WHERE target = 'grant' AND target_id = $1", [
        claimsOf(token)['gid'],
      ])
      expect(told).toEqual([{ reason: 'machine_access_taken_away' }])
    }
    expect(await isActive(elsewhere)).toBe(true)
  })

  it('that somebody is taking away at this moment opens nothing more, and the client does not hold what is being changed', async () => {
    await mayRead()
    await ask({ tenant: 'acme' })
    const { acme, fixture } = world
    const issuer = await rowsOf<{ id: string }>(world, "SELECT id FROM issuers WHERE tenant_id = $1 AND kind = 'front_member'", [
      acme.tenantId,
    ])
    const which = { issuerId: issuer[0]?.id as never, id: worker.id as ClientId }
    let asked: Promise<Posted> | undefined
    await inTenant(fixture.database, acme.tenantId, async (db) => {
      await holdMachineAccess(db, acme.tenantId)
      asked = ask({ tenant: 'acme' })
      for (let waiting = 0; waiting === 0; )
        waiting =
          (await rowsOf<{ n: number }>(world, "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))[0]
            ?.n ?? 0
      // Whoever took both, in the order of the endpoint, waited for the client while the client waited for it: PostgreSQL ended one of the two.
      await db.query("SET LOCAL lock_timeout = '500ms'")
      expect(await holdClient(db, acme.tenantId, which)).toBeDefined()
      await markMachineAccess(db, acme.tenantId, which, [])
    })
    expect(await asked).toEqual(refusedAs('machine_access_missing'))
  })

  it('is held to the policy of the tenant', async () => {
    await adopt()
    await give([{ resource: aSharedResource, scopes: ['read', 'write'] }])
    const publishAt = (rules: string) => publish(world.fixture, world.acme, now, `version: 1\nrules: [${rules}]`)
    const all = '{ name: all, effect: grant, scopes: [read, write], everyone: true }'
    await publishAt(`${all}, { name: none, effect: deny, scopes: [write], everyone: true }`)
    expect((await ask({ tenant: 'acme' })).body).toMatchObject({ scope: 'read' })
    await publishAt(all)
    expect((await ask({ tenant: 'acme' })).body).toMatchObject({ scope: 'read write' })
  })

  it('binds a token to the key that the client proves', async () => {
    await mayRead()
    const key = await aDpopKey()
    const proof = await key.prove({ url: `${aFrontUrl}/token`, now })
    const answered = await ask({ tenant: 'acme' }, { ...basic(worker.id, worker.secret), dpop: proof })
    expect(answered.body).toMatchObject({ token_type: 'DPoP' })
  })
})

describe('what ends it', () => {
  it('a client that is blocked, by the tenant or the vendor, gets nothing more', async () => {
    for (const path of [at('acme'), `/front-issuer/clients/${worker.id}`]) {
      await mayRead()
      await world.call('PATCH', path, { blocked: true })
      expect(await ask({ tenant: 'acme' })).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
      await world.call('PATCH', path, { blocked: false })
      expect((await ask({ tenant: 'acme' })).status).toBe(200)
    }
  })

  const kill = async (path: string, body: object = { reason: 'a test' }) =>
    expect((await world.call('POST', path, body)).status).toBeLessThan(300)
  it.each([
    ['the tenant’s kill of the client', () => `/tenants/acme/clients/${worker.id}/kill`],
    ['the vendor’s kill of the client at the front', () => `/front-issuer/clients/${worker.id}/kill`],
    ['the kill of the tenant', () => '/tenants/acme/kill'],
  ])('%s: the token is dead at once', async (_what, path) => {
    await mayRead()
    const token = tokenOf(await ask({ tenant: 'acme' }))
    expect(await isActive(token)).toBe(true)
    await kill(path())
    // Of a company that is suspended the front answers nothing at all.
    expect(await isActive(token)).not.toBe(true)
  })
})
