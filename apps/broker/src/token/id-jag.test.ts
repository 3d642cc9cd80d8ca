/** A client that a person gave access to gets a signed word about her for a resource of another server, where an admin lets it; nothing is opened here. */
import { addSeconds } from '@drawbridge/core/instant'
import { tokenExchangeGrantType as exchange } from '@drawbridge/core/oauth/token-type'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { hashOf } from '@drawbridge/testkit/a-grant'
import { publish } from '@drawbridge/testkit/a-login'
import { type AnExchangeCompany, basicOf } from '@drawbridge/testkit/an-exchange-company'
import {
  type AnIdJagCompany,
  anIdJagCompany,
  audienceThere as audience,
  resourceThere as resource,
  tokenTypeOf,
} from '@drawbridge/testkit/an-id-jag-company'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let jag: AnIdJagCompany
let acme: AnExchangeCompany

beforeAll(async () => {
  jag = await anIdJagCompany()
  acme = jag.acme
})
beforeEach(() => jag.begin())
afterAll(() => acme.at.close())

const json = async (path: string) => {
  const answer = await fetch(`${acme.at.broker.url}${path}`)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

describe('a client that may', () => {
  it.each(['refresh_token', 'id_token'] as const)(
    'gets one for its %s, which says who she is, for whom it is and what for',
    async (kind) => {
      const tokens = await jag.signIn()
      const { status, body } = await jag.ask(kind, tokens[kind])
      expect([status, body]).toEqual([
        200,
        {
          access_token: expect.any(String),
          issued_token_type: tokenTypeOf('id-jag'),
          token_type: 'N_A',
          expires_in: 300,
          scope: 'read write',
        },
      ])
      const keys = (await json('/t/acme/id-jag/jwks')).body as unknown as JSONWebKeySet
      const { payload, protectedHeader } = await jwtVerify(body.access_token, createLocalJWKSet(keys), {
        ...{ typ: 'oauth-id-jag+jwt', issuer: `${acme.at.issuer}/id-jag`, audience, currentDate: new Date(acme.now()) },
      })
      const hers = decodeJwt(tokens.access_token)
      expect(payload).toMatchObject({
        ...{ sub: hers.sub, client_id: 'agent-there', resource, scope: 'read write', jti: expect.any(String) },
        ...{ auth_time: hers['auth_time'], amr: ['pwd', 'otp'] },
      })
      expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300)
      expect(payload).not.toHaveProperty('email')
      expect(payload).not.toHaveProperty('gid')
      expect(protectedHeader.kid).not.toBe(decodeProtectedHeader(tokens.access_token).kid)
      expect(await jag.trail()).toMatchObject([
        {
          kind: 'id_jag_issued',
          reason: null,
          client_id: jag.agent,
          grant_id: hers['gid'],
          subject_id: hers.sub,
          detail: { audience, resource },
        },
      ])
      expect(await acme.owner('SELECT id FROM grants WHERE tenant_id = $1 AND created_at >= $2', new Date(acme.now()))).toHaveLength(1)
    },
  )

  it('gets one by an ID token alone for as long as it refreshes, and by none that is over', async () => {
    const first = await jag.signIn()
    acme.wait(360)
    expect(await jag.refusalOf(jag.ask('id_token', first.id_token))).toMatchObject({ reason: 'subject_token_unknown' })
    const { body: second } = await jag.refresh(first.refresh_token)
    const { body } = await jag.ask('id_token', second['id_token'])
    const hers = decodeJwt(first.access_token)
    expect(decodeJwt(body.access_token)).toMatchObject({ sub: hers.sub, auth_time: hers['auth_time'], scope: 'read write' })
    expect((await jag.ask('refresh_token', second['refresh_token'])).status).toBe(200)
  })

  it('uses its refresh token up by nothing of it', async () => {
    const { refresh_token: token } = await jag.signIn()
    for (let round = 0; round < 3; round += 1) expect((await jag.ask('refresh_token', token)).status).toBe(200)
    expect((await jag.refresh(token)).status).toBe(200)
    expect(await jag.refusalOf(jag.ask('refresh_token', token))).toEqual({
      status: 400,
      error: 'invalid_request',
      reason: 'subject_token_dead',
    })
  })

  it('is granted what it asks for, and may leave out the resource where it has one alone', async () => {
    const { refresh_token: token } = await jag.signIn()
    expect(decodeJwt((await jag.ask('refresh_token', token, { scope: 'read', resource: '' })).body.access_token)).toMatchObject({
      scope: 'read',
      resource,
    })
    await jag.permit(jag.permission(), jag.permission({ resource: 'https://other.vendor.example/mcp' }))
    expect(await jag.refusalOf(jag.ask('refresh_token', token, { resource: '' }))).toMatchObject({
      error: 'invalid_target',
      reason: 'id_jag_not_allowed',
    })
  })

  it('is understood where it writes the resource as SDKs do, and what it gets names it as the admin did', async () => {
    const root = 'https://api.vendor.example'
    await jag.permit(jag.permission({ resource: root }), jag.permission())
    const { refresh_token: token } = await jag.signIn()
    for (const written of [root, `${root}/`, 'HTTPS://API.Vendor.Example/']) {
      const { body } = await jag.ask('refresh_token', token, { resource: written })
      expect(decodeJwt(body.access_token)).toMatchObject({ resource: root, aud: audience })
    }
    expect(decodeJwt((await jag.ask('refresh_token', token, { resource: `${resource}/` })).body.access_token)).toMatchObject({ resource })
    const refused = { error: 'invalid_target', reason: 'id_jag_not_allowed' }
    for (const other of [`${root}//`, `${root}/other`, `${root}/?a=b`, `${root}/#a`, `${resource.toUpperCase()}`])
      expect(await jag.refusalOf(jag.ask('refresh_token', token, { resource: other }))).toMatchObject(refused)
    // Two that differ by the slash alone are two: each by its own letters, and neither by others.
    await jag.permit(jag.permission({ resource: root, clientThere: 'a' }), jag.permission({ resource: `${root}/`, clientThere: 'b' }))
    const whose = async (written: string) =>
      decodeJwt((await jag.ask('refresh_token', token, { resource: written })).body.access_token)['client_id']
    expect([await whose(root), await whose(`${root}/`)]).toEqual(['a', 'b'])
    expect(await jag.refusalOf(jag.ask('refresh_token', token, { resource: root.toUpperCase() }))).toMatchObject(refused)
  })

  it('has it bound to the key that it proves', async () => {
    const key = await aDpopKey()
    const { refresh_token: token } = await jag.signIn()
    const dpop = await key.prove({ url: `${acme.at.issuer}/token`, now: acme.now() })
    const { body } = await jag.ask('refresh_token', token, {}, { ...jag.byAgent(), dpop })
    expect(decodeJwt(body.access_token)['cnf']).toEqual({ jkt: key.thumbprint })
    expect(await jag.refusalOf(jag.ask('refresh_token', token, {}, { ...jag.byAgent(), dpop }))).toMatchObject({
      reason: 'dpop_proof_replayed',
    })
  })

  it('tells her address where her tenant has clients told of it', async () => {
    acme.at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd', 'otp'], email: 'ada@acme.example' }
    await acme.owner('UPDATE tenants SET told_of_people = $2 WHERE id = $1', JSON.stringify({ profile: true, email: true }))
    acme.at.broker.deps.configuration.invalidate()
    const { refresh_token: token } = await jag.signIn()
    const claims = decodeJwt((await jag.ask('refresh_token', token)).body.access_token)
    await acme.owner('UPDATE tenants SET told_of_people = NULL WHERE id = $1')
    expect(claims).toMatchObject({ email: 'ada@acme.example', email_verified: false })
    expect(claims).not.toHaveProperty('name')
  })

  it('has her named as resource servers are told of her, also where it knows her by a sub of its own', async () => {
    await acme.owner(`UPDATE clients SET sector_identifier = 'agent.example' WHERE tenant_id = $1 AND client_id = $2`, jag.agent)
    const tokens = await jag.signIn()
    const told = (await Promise.all((['refresh_token', 'id_token'] as const).map((kind) => jag.ask(kind, tokens[kind])))).map(
      ({ body }) => decodeJwt(body.access_token).sub,
    )
    await acme.owner('UPDATE clients SET sector_identifier = NULL WHERE tenant_id = $1 AND client_id = $2', jag.agent)
    const { sub } = decodeJwt(tokens.access_token)
    expect(decodeJwt(String(tokens.id_token)).sub).not.toBe(sub)
    expect(told).toEqual([sub, sub])
  })

  it('gets one that ends with her grant', async () => {
    const { refresh_token: token, access_token: access } = await jag.signIn()
    await acme.owner(
      'UPDATE grants SET expires_at = $3 WHERE tenant_id = $1 AND id = $2',
      decodeJwt(access)['gid'],
      new Date(addSeconds(acme.now(), 40)),
    )
    expect((await jag.ask('refresh_token', token)).body['expires_in']).toBeLessThanOrEqual(40)
  })
})

describe('nothing is issued', () => {
  it.each<{ what: string; form: Record<string, string>; error?: string; reason: string }>([
    {
      what: 'for an audience that nobody allowed',
      form: { audience: 'https://evil.example' },
      error: 'invalid_target',
      reason: 'id_jag_not_allowed',
    },
    { what: 'for the audience with a slash', form: { audience: `${audience}/` }, error: 'invalid_target', reason: 'id_jag_not_allowed' },
    {
      what: 'for a resource that nobody allowed',
      form: { resource: 'https://evil.example/mcp' },
      error: 'invalid_target',
      reason: 'id_jag_not_allowed',
    },
    { what: 'without an audience', form: { audience: '' }, reason: 'token_request_malformed' },
    { what: 'for more scopes', form: { scope: 'read admin' }, error: 'invalid_scope', reason: 'scope_widened' },
    { what: 'for an access token', form: { subject_token_type: tokenTypeOf('access_token') }, reason: 'subject_token_type_unsupported' },
    { what: 'for an assertion of SAML', form: { subject_token_type: tokenTypeOf('saml2') }, reason: 'subject_token_type_unsupported' },
    { what: 'for a token that is none', form: { subject_token: 'dbr_x' }, reason: 'subject_token_unknown' },
    {
      what: 'for a refresh token that is called an ID token',
      form: { subject_token_type: tokenTypeOf('id_token') },
      reason: 'subject_token_unknown',
    },
  ])('$what', async ({ form, error = 'invalid_request', reason }) => {
    const { refresh_token: token } = await jag.signIn()
    expect(await jag.refusalOf(jag.ask('refresh_token', token, form))).toEqual({ status: 400, error, reason })
  })

  it('to a client that nobody allowed, with another client’s tokens, or that does not prove itself', async () => {
    const tokens = await jag.signIn()
    const gateway = basicOf(acme.gateway.clientId, acme.gateway.secret)
    const ofOther = { reason: 'subject_token_of_other_client' }
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token, {}, gateway))).toMatchObject(ofOther)
    await jag.permit(jag.permission({ client: 'gateway' }))
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token, {}, gateway))).toMatchObject(ofOther)
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token))).toMatchObject({ reason: 'id_jag_not_allowed' })
    expect(await jag.refusalOf(jag.ask('id_token', tokens.id_token, {}, gateway))).toMatchObject({ reason: 'subject_token_unknown' })
    expect((await jag.ask('refresh_token', tokens.refresh_token, { client_id: jag.agent }, {})).status).toBe(401)
  })

  it.each([
    { what: 'her grant is revoked', sql: 'UPDATE grants SET revoked_at = created_at WHERE tenant_id = $1' },
    { what: 'she is out', sql: 'UPDATE subjects SET deactivated_at = created_at WHERE tenant_id = $1' },
    { what: 'her sessions were revoked', sql: 'UPDATE subjects SET epoch = epoch + 1 WHERE tenant_id = $1' },
    { what: 'her connection is ended', sql: 'UPDATE connections SET epoch = epoch + 1 WHERE tenant_id = $1' },
    { what: 'her grant lost something', sql: 'UPDATE grants SET epoch = epoch + 1 WHERE tenant_id = $1', only: 'id_token' as const },
  ])('after $what', async ({ sql, only }) => {
    const tokens = await jag.signIn()
    await acme.owner(sql)
    for (const kind of ['refresh_token', 'id_token'] as const)
      if (only === undefined || only === kind)
        expect(await jag.refusalOf(jag.ask(kind, tokens[kind]))).toEqual({
          status: 400,
          error: 'invalid_request',
          reason: 'subject_token_dead',
        })
    await acme.owner('UPDATE subjects SET deactivated_at = NULL WHERE tenant_id = $1')
    expect(await jag.trail()).toMatchObject([{ kind: 'id_jag_refused', reason: 'subject_token_dead' }])
  })

  it('for an ID token that is over', async () => {
    const { id_token: token } = await jag.signIn()
    acme.wait(301)
    expect(await jag.refusalOf(jag.ask('id_token', token))).toMatchObject({ reason: 'subject_token_unknown' })
  })

  it('without the key that the family of a refresh token is bound to', async () => {
    const { refresh_token: token } = await jag.signIn()
    await acme.owner(`UPDATE refresh_tokens SET dpop_jkt = 'another' WHERE tenant_id = $1 AND token_hash = $2`, hashOf(token))
    expect(await jag.refusalOf(jag.ask('refresh_token', token))).toMatchObject({ reason: 'subject_token_of_other_key' })
  })

  it('that policy does not grant, or wants a stronger sign-in or her own yes for', async () => {
    const under = async (rules: string, change: object = {}) => {
      await publish(acme.at.fixture, acme.at.acme, acme.now(), `version: 1\n${rules}`)
      await jag.permit(jag.permission(change))
      acme.at.idp.says = { sub: 'ada', groups: ['staff'], amr: ['pwd'] }
      return jag.refusalOf(jag.ask('refresh_token', (await jag.signIn()).refresh_token))
    }
    const everything = 'rules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff]}]\n'
    const here = `rules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff], resource: "${acme.at.acme.resource}"}]\n`
    expect(await under(here)).toMatchObject({ error: 'invalid_request', reason: 'exchange_policy_denies' })
    expect(await under(`${everything}mfa: [{name: there, resource: "${resource}", scopes: [read]}]\n`)).toMatchObject({
      ...{ error: 'insufficient_user_authentication', reason: 'exchange_authentication_insufficient' },
    })
    expect(await under(everything, { scopes: [{ name: 'read', tier: 'sensitive' }] })).toMatchObject({ reason: 'exchange_consent_needed' })
    expect(await under(everything)).toMatchObject({ status: 200 })
  })
})

describe('the issuer of ID-JAGs', () => {
  it('is another one than that of tokens, with metadata and keys of its own, where there is any', async () => {
    const places = [
      '/.well-known/oauth-authorization-server/t/acme/id-jag',
      '/.well-known/openid-configuration/t/acme/id-jag',
      '/t/acme/id-jag/.well-known/openid-configuration',
      '/t/acme/id-jag/.well-known/oauth-authorization-server',
    ]
    const [first] = await Promise.all(places.map(json))
    expect(first).toMatchObject({
      status: 200,
      body: {
        ...{ issuer: `${acme.at.issuer}/id-jag`, token_endpoint: `${acme.at.issuer}/token`, jwks_uri: `${acme.at.issuer}/id-jag/jwks` },
        ...{ grant_types_supported: [exchange], identity_chaining_requested_token_types_supported: [tokenTypeOf('id-jag')] },
      },
    })
    for (const place of places) expect(await json(place)).toEqual(first)
    expect((await json('/t/acme/.well-known/openid-configuration')).body).toMatchObject({
      identity_chaining_requested_token_types_supported: [tokenTypeOf('id-jag')],
    })
    const [own, tokens] = [(await json('/t/acme/id-jag/jwks')).body, (await json('/t/acme/jwks')).body]
    const kids = (set: Record<string, unknown>) => (set['keys'] as { kid: string }[]).map(({ kid }) => kid)
    expect(kids(own)).toHaveLength(2)
    expect(kids(tokens).filter((kid) => kids(own).includes(kid))).toEqual([])
    await jag.permit()
    for (const place of [...places, '/t/acme/id-jag/jwks']) expect((await json(place)).status).toBe(404)
    expect((await json('/t/acme/.well-known/openid-configuration')).body).not.toHaveProperty(
      'identity_chaining_requested_token_types_supported',
    )
  })

  it('issues none for an issuer of this installation, and none of it is accepted here', async () => {
    const loop = await jag.call('PUT', '/tenants/acme/id-jag-issuing', { permissions: [jag.permission({ audience: acme.at.issuer })] })
    expect([loop.status, loop.body.type]).toEqual([409, 'urn:drawbridge:error:trust_loops'])
    const trust = (configuration: object) => jag.call('POST', '/tenants/acme/assertion-trusts', { name: 'Ourselves', configuration })
    const issuer = `${acme.at.issuer}/id-jag`
    expect((await trust({ issuer, jwksUri: `${issuer}/jwks` })).body.type).toBe('urn:drawbridge:error:trust_loops')
    const keys = (await json('/t/acme/id-jag/jwks')).body
    expect((await trust({ issuer: 'https://elsewhere.example', jwks: keys })).body.type).toBe('urn:drawbridge:error:trust_loops')
  })

  it('has keys that are replaced and condemned like others', async () => {
    const kid = async () =>
      decodeProtectedHeader((await jag.ask('refresh_token', (await jag.signIn()).refresh_token)).body.access_token).kid
    const before = await kid()
    expect((await jag.call('POST', '/tenants/acme/signing-keys/rotate', { purpose: 'id_jag' })).status).toBe(200)
    acme.at.broker.deps.configuration.invalidate()
    const after = await kid()
    expect(after).not.toBe(before)
    expect((await jag.call('POST', `/tenants/acme/signing-keys/${after}/compromised`)).status).toBe(200)
    acme.at.broker.deps.configuration.invalidate()
    expect(JSON.stringify((await json('/t/acme/id-jag/jwks')).body)).not.toContain(String(after))
    expect(await kid()).not.toBe(after)
  })

  it('is told with what is allowed, and what cannot be read allows nothing', async () => {
    expect((await jag.call('GET', '/tenants/acme/id-jag-issuing')).body).toEqual({
      permissions: [jag.permission()],
      revision: expect.any(String),
      issuer: `${acme.at.issuer}/id-jag`,
    })
    const { refresh_token: token } = await jag.signIn()
    await acme.owner(
      'UPDATE tenants SET id_jag_issuing = $2 WHERE id = $1',
      JSON.stringify({ permissions: [jag.permission({ audience: 'x' })] }),
    )
    acme.at.broker.deps.configuration.invalidate()
    expect(await jag.refusalOf(jag.ask('refresh_token', token))).toMatchObject({ reason: 'id_jag_not_allowed' })
  })
})
