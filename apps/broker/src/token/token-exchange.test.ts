/** A resource server that was sent a person's token gets one for another resource: never more than it was sent, and dead with all that it comes from. */
import { type AnExchangeCompany, anExchangeCompany, basicOf } from '@drawbridge/testkit/an-exchange-company'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let acme: AnExchangeCompany
beforeAll(async () => {
  acme = await anExchangeCompany()
})
beforeEach(() => acme.begin())
afterAll(() => acme.at.close())

const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
/** What was answered, and by which reason. */
const refusalOf = async (asked: ReturnType<AnExchangeCompany['exchange']>) => {
  acme.told.take()
  const { status, body } = await asked
  return { status, error: body.error, reason: acme.told.take()[0] }
}
const exchanged = async (form: Readonly<Record<string, string>> = {}) => {
  const subject = await acme.signIn()
  const { status, body } = await acme.exchange(acme.gateway, subject.access_token, form)
  expect([status, body.error]).toEqual([200, undefined])
  return { subject, body, claims: decodeJwt(body.access_token), of: decodeJwt(subject.access_token) }
}

describe('a resource server that may', () => {
  it('gets a token of the other resource for the same person, which names it as the one who acts', async () => {
    const { body, claims, of } = await exchanged()
    expect(body).toMatchObject({ issued_token_type: accessToken, token_type: 'Bearer', scope: 'read write' })
    expect(Object.keys(body).toSorted()).toEqual(['access_token', 'expires_in', 'issued_token_type', 'scope', 'token_type'])
    expect(claims).toMatchObject({
      ...{ iss: acme.at.issuer, sub: of.sub, aud: acme.files.resource, client_id: 'gateway', act: { sub: 'gateway' }, tenant: 'acme' },
      ...{ sid: of['sid'], amr: of['amr'], auth_time: of['auth_time'], connection: of['connection'] },
      parents: [{ gid: of['gid'], client_id: acme.at.acme.clientId, epochs: of['epochs'] }],
    })
    expect(claims.sub).toEqual(expect.any(String))
    expect(await acme.introspect(acme.files, body.access_token)).toMatchObject({
      ...{ active: true, sub: of.sub, scope: 'read write', act: { sub: 'gateway' } },
    })
    expect(await acme.introspect(acme.gateway, body.access_token)).toEqual({ active: false })
  })

  it('leaves a line that says from which grant', async () => {
    const { claims, of } = await exchanged()
    const lines = await acme.audited()
    expect(lines.at(-1)).toMatchObject({
      ...{ kind: 'token_exchanged', reason: null, client_id: 'gateway', grant_id: claims['gid'] },
      ...{ subject_id: of.sub, scopes: ['read', 'write'] },
      detail: { from: of['gid'], issuedTo: acme.at.acme.clientId, permission: { from: acme.at.acme.resource, to: acme.files.resource } },
    })
  })

  it('may name the resource by audience, by both names, and with a slash more', async () => {
    const { access_token: token } = await acme.signIn()
    const { resource } = acme.files
    const ways = [
      { resource: '', audience: resource },
      { audience: resource },
      { resource: `${resource}/` },
      { requested_token_type: accessToken },
    ]
    for (const form of ways) expect((await acme.exchange(acme.gateway, token, form as Record<string, string>)).status).toBe(200)
  })

  it.each([
    { what: 'what it asks for', asked: 'read', may: ['read', 'write'], has: 'read write', granted: 'read' },
    {
      what: 'all that the token has, where it asks for nothing',
      asked: '',
      may: ['read', 'write'],
      has: 'read write',
      granted: 'read write',
    },
    { what: 'no more than the token has', asked: '', may: ['read', 'write'], has: 'read', granted: 'read' },
    { what: 'no more than its permission says', asked: '', may: ['write'], has: 'read write', granted: 'write' },
    { what: 'no identity scope', asked: 'openid read', may: ['read'], has: 'openid read', granted: 'read' },
  ])('is granted $what', async ({ asked, may, has, granted }) => {
    await acme.permit({ client: 'gateway', from: acme.at.acme.resource, to: acme.files.resource, scopes: may })
    const { access_token: token } = await acme.signIn(has)
    const { body } = await acme.exchange(acme.gateway, token, { scope: asked })
    expect([body.error, body.scope]).toEqual([undefined, granted])
  })

  it('narrows a token of its own resource before it hands it on', async () => {
    await acme.permit({ client: 'gateway', from: acme.at.acme.resource, to: acme.at.acme.resource, scopes: ['read'] })
    const { access_token: token } = await acme.signIn()
    const { body } = await acme.exchange(acme.gateway, token, { resource: acme.at.acme.resource })
    expect(decodeJwt(body.access_token)).toMatchObject({ aud: acme.at.acme.resource, scope: 'read', act: { sub: 'gateway' } })
  })

  it('gets no refresh token, and nothing that lives longer than the token that it was sent', async () => {
    const subject = await acme.signIn()
    const { exp = 0, iat = 0 } = decodeJwt(subject.access_token)
    acme.wait(exp - iat - 20)
    const { body } = await acme.exchange(acme.gateway, subject.access_token)
    expect(decodeJwt(body.access_token).exp).toBeLessThanOrEqual(exp)
    expect(body['expires_in']).toBeLessThanOrEqual(20)
    expect(body).not.toHaveProperty('refresh_token')
    acme.wait(20)
    expect(await acme.introspect(acme.files, body.access_token)).toEqual({ active: false })
    expect(await refusalOf(acme.exchange(acme.gateway, subject.access_token))).toEqual({
      ...{ status: 400, error: 'invalid_request', reason: 'subject_token_unknown' },
    })
  })

  it('gets a token that lives no longer than the limit of the resource', async () => {
    const limit = (seconds: number | null) =>
      acme.owner(
        `UPDATE resources SET access_token_ttl_seconds = $3 WHERE tenant_id = $1 AND identifier = $2`,
        acme.files.resource,
        seconds,
      )
    await limit(120)
    const { body } = await exchanged()
    await limit(null)
    expect(body['expires_in']).toBe(120)
  })
})

describe('a chain of resource servers', () => {
  const chain = async () => {
    const first = await exchanged()
    const second = await acme.exchange(acme.files, first.body.access_token, { resource: acme.archive.resource })
    expect(second.body.error).toBeUndefined()
    return { first, second: second.body, claims: decodeJwt(second.body.access_token) }
  }

  it('is told in order, the present one first', async () => {
    const { first, claims, second } = await chain()
    expect(claims).toMatchObject({ client_id: 'files', scope: 'read', act: { sub: 'files', act: { sub: 'gateway' } } })
    expect((claims['parents'] as { gid: string }[]).map(({ gid }) => gid)).toEqual([first.claims['gid'], first.of['gid']])
    expect(await acme.introspect(acme.archive, second.access_token)).toMatchObject({ active: true, act: { sub: 'files' } })
  })

  it('is no longer than three', async () => {
    await acme.permit({ client: 'gateway', from: acme.at.acme.resource, to: acme.at.acme.resource, scopes: ['read'] })
    let token = (await acme.signIn()).access_token
    const again = () => acme.exchange(acme.gateway, token, { resource: acme.at.acme.resource })
    for (let round = 0; round < 3; round += 1) token = (await again()).body.access_token
    expect(await refusalOf(again())).toEqual({ status: 400, error: 'invalid_request', reason: 'exchange_chain_too_long' })
  })

  const kills: readonly (readonly [string, string])[] = [
    ['her first client', `UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1 AND client_id = 'client-of-acme'`],
    ['her first client, which is blocked', `UPDATE clients SET blocked_at = now() WHERE tenant_id = $1 AND client_id = 'client-of-acme'`],
    ['the one who acted first', `UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1 AND client_id = 'gateway'`],
    ['the one who acts', `UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1 AND client_id = 'files'`],
    ['the person', 'UPDATE subjects SET epoch = epoch + 1 WHERE tenant_id = $1'],
    ['her account', 'UPDATE subjects SET deactivated_at = created_at WHERE tenant_id = $1'],
    ['the connection', 'UPDATE connections SET epoch = epoch + 1 WHERE tenant_id = $1'],
    ['the tenant', 'UPDATE tenants SET epoch = epoch + 1 WHERE id = $1'],
    ['her grant', 'UPDATE grants SET revoked_at = created_at WHERE tenant_id = $1 AND cardinality(ancestors) = 0'],
    ['a scope of her grant', 'UPDATE grants SET epoch = epoch + 1 WHERE tenant_id = $1 AND cardinality(ancestors) = 0'],
    ['the grant between', 'UPDATE grants SET revoked_at = created_at WHERE tenant_id = $1 AND cardinality(ancestors) = 1'],
  ]
  it.each(kills)('ends at once with %s', async (what, sql) => {
    const { second, first } = await chain()
    expect(await acme.introspect(acme.archive, second.access_token)).toMatchObject({ active: true })
    await acme.owner(sql)
    acme.at.broker.deps.configuration.invalidate()
    expect(await acme.introspect(acme.archive, second.access_token)).toEqual({ active: false })
    const further = await acme.exchange(acme.files, first.body.access_token, { resource: acme.archive.resource })
    // Of a client that was ended and not blocked only what it had is dead.
    expect(further.body.error ?? 'none').toMatch(what === 'the one who acts' ? /^none$/ : /^invalid_(?:request|client)$/)
    await acme.owner(`UPDATE subjects SET deactivated_at = NULL WHERE tenant_id = $1`)
    await acme.owner(`UPDATE clients SET blocked_at = NULL WHERE tenant_id = $1`)
  })

  it('ends with the client’s own revocation of what it gave on', async () => {
    const { first, second } = await chain()
    const form = { token: first.subject.refresh_token, client_id: acme.at.acme.clientId }
    await fetch(`${acme.at.broker.url}/t/acme/revoke`, { method: 'POST', body: new URLSearchParams(form) })
    expect(await acme.introspect(acme.archive, second.access_token)).toEqual({ active: false })
    expect(await acme.introspect(acme.files, first.body.access_token)).toEqual({ active: false })
  })

  it('lives on while only the one who was sent it at last gives its token back', async () => {
    const { first, second } = await chain()
    const { clientId, secret } = acme.files
    await fetch(`${acme.at.broker.url}/t/acme/revoke`, {
      ...{ method: 'POST', body: new URLSearchParams({ token: second.access_token }), headers: basicOf(clientId, secret) },
    })
    expect(await acme.introspect(acme.archive, second.access_token)).toEqual({ active: false })
    expect(await acme.introspect(acme.files, first.body.access_token)).toMatchObject({ active: true })
  })
})

describe('nothing comes of', () => {
  it.each<{ what: string; form: Record<string, string>; error?: string; reason: string }>([
    {
      what: 'a wish for another type of token',
      form: { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      reason: 'requested_token_type_unsupported',
    },
    {
      what: 'a subject token of another type',
      form: { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
      reason: 'subject_token_type_unsupported',
    },
    { what: 'an actor token', form: { actor_token: 'x', actor_token_type: accessToken }, reason: 'actor_token_unsupported' },
    { what: 'an actor token type alone', form: { actor_token_type: accessToken }, reason: 'actor_token_unsupported' },
    { what: 'no subject token', form: { subject_token: '' }, reason: 'token_request_malformed' },
    { what: 'no type of it', form: { subject_token_type: '' }, reason: 'token_request_malformed' },
    { what: 'no resource', form: { resource: '' }, error: 'invalid_target', reason: 'exchange_target_missing' },
    {
      what: 'a resource that nobody knows',
      form: { resource: 'https://other.example/mcp' },
      error: 'invalid_target',
      reason: 'exchange_not_allowed',
    },
    {
      what: 'two resources under two names',
      form: { audience: 'https://archive.acme.example/mcp' },
      error: 'invalid_target',
      reason: 'exchange_not_allowed',
    },
    {
      what: 'a resource that the permission does not name',
      form: { resource: 'https://archive.acme.example/mcp' },
      error: 'invalid_target',
      reason: 'exchange_not_allowed',
    },
    { what: 'more scopes than the token has', form: { scope: 'read admin' }, error: 'invalid_scope', reason: 'scope_widened' },
    { what: 'a token that is none', form: { subject_token: 'x.y.z' }, reason: 'subject_token_unknown' },
  ])('$what', async ({ form, error = 'invalid_request', reason }) => {
    const { access_token: token } = await acme.signIn()
    expect(await refusalOf(acme.exchange(acme.gateway, token, form))).toEqual({ status: 400, error, reason })
    expect(
      await acme.owner(`SELECT id FROM grants WHERE tenant_id = $1 AND ancestors <> '{}' AND created_at >= $2`, new Date(acme.now())),
    ).toEqual([])
  })

  it.each(['resource', 'audience'])('two targets, each by a %s: both may be well formed, and a token is for one', async (name) => {
    const { access_token: token } = await acme.signIn()
    const form = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token: token })
    form.set('subject_token_type', accessToken)
    for (const { resource } of [acme.files, acme.archive]) form.append(name, resource)
    const headers = basicOf(acme.gateway.clientId, acme.gateway.secret)
    const answer = await fetch(`${acme.at.broker.url}/t/acme/token`, { method: 'POST', body: form, headers })
    expect([answer.status, await answer.json()]).toEqual([400, expect.objectContaining({ error: 'invalid_target' })])
  })

  it('a token that was issued for another resource than the one that the permission names', async () => {
    const { body } = await exchanged()
    expect(await refusalOf(acme.exchange(acme.gateway, body.access_token, { resource: acme.archive.resource }))).toMatchObject({
      reason: 'exchange_not_allowed',
    })
    expect((await acme.audited()).at(-1)).toMatchObject({
      kind: 'token_exchange_refused',
      reason: 'exchange_not_allowed',
      client_id: 'gateway',
    })
  })

  it('a token of a client that the permission does not name', async () => {
    const permission = { client: 'gateway', from: acme.at.acme.resource, to: acme.files.resource, scopes: ['read'] }
    const { access_token: token } = await acme.signIn()
    await acme.permit({ ...permission, ofClients: ['another'] })
    expect(await refusalOf(acme.exchange(acme.gateway, token))).toMatchObject({ reason: 'exchange_not_allowed' })
    await acme.permit({ ...permission, ofClients: ['another', acme.at.acme.clientId] })
    expect((await acme.exchange(acme.gateway, token)).status).toBe(200)
  })

  it('permissions that cannot be read', async () => {
    const { access_token: token } = await acme.signIn()
    await acme.permit({ client: 'gateway' })
    expect(await refusalOf(acme.exchange(acme.gateway, token))).toMatchObject({ reason: 'exchange_not_allowed' })
  })

  it('the same of an ID token or a refresh token that is called an access token', async () => {
    const tokens = await acme.signIn('openid read')
    for (const token of [tokens.id_token, tokens.refresh_token])
      expect(await refusalOf(acme.exchange(acme.gateway, String(token)))).toMatchObject({ reason: 'subject_token_unknown' })
  })

  it('a client that does not prove itself, or has not the grant type', async () => {
    const { access_token: token } = await acme.signIn()
    expect((await acme.exchange({ ...acme.gateway, secret: 'wrong' }, token)).status).toBe(401)
    await acme.owner(
      `UPDATE clients SET token_endpoint_auth_method = 'none', secret_hash = NULL WHERE tenant_id = $1 AND client_id = 'gateway'`,
    )
    const form = { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token: token, subject_token_type: accessToken }
    const asPublic = () => acme.post('token', { ...form, resource: acme.files.resource, client_id: 'gateway' }, {})
    expect(await refusalOf(asPublic())).toEqual({ status: 400, error: 'unauthorized_client', reason: 'exchange_client_public' })
    await acme.owner(`UPDATE clients SET grant_types = '{client_credentials}' WHERE tenant_id = $1 AND client_id = 'gateway'`)
    expect(await refusalOf(asPublic())).toMatchObject({ reason: 'grant_type_not_for_client' })
    await acme.owner(
      `UPDATE clients SET token_endpoint_auth_method = 'client_secret_basic', grant_types = '{urn:ietf:params:oauth:grant-type:token-exchange}',
         secret_hash = (SELECT sha256('dbk_gateway'::bytea)) WHERE tenant_id = $1 AND client_id = 'gateway'`,
    )
  })

  it('a token that a client has in its own name', async () => {
    const grantTypes = '{client_credentials,urn:ietf:params:oauth:grant-type:token-exchange}'
    await acme.owner(
      `UPDATE clients SET grant_types = $2, scope_ceiling = '{read}' WHERE tenant_id = $1 AND client_id = 'archive'`,
      grantTypes,
    )
    const form = { grant_type: 'client_credentials', resource: acme.at.acme.resource }
    const byArchive = basicOf(acme.archive.clientId, acme.archive.secret)
    // Of the three resources here it has to name one.
    expect(await refusalOf(acme.post('token', { grant_type: form.grant_type }, byArchive))).toEqual({
      ...{ status: 400, error: 'invalid_target', reason: 'resource_unnamed' },
    })
    const { body } = await acme.post('token', form, byArchive)
    expect(await refusalOf(acme.exchange(acme.gateway, body.access_token))).toEqual({
      ...{ status: 400, error: 'invalid_request', reason: 'subject_token_of_no_person' },
    })
  })

  it('a dead grant: revoked, or below a barrier', async () => {
    const { access_token: token } = await acme.signIn()
    await acme.owner('UPDATE grants SET revoked_at = created_at WHERE tenant_id = $1 AND id = $2', decodeJwt(token)['gid'])
    expect(await refusalOf(acme.exchange(acme.gateway, token))).toEqual({
      status: 400,
      error: 'invalid_request',
      reason: 'subject_token_dead',
    })
    expect((await acme.audited()).at(-1)).toMatchObject({ reason: 'subject_token_dead', detail: { why: 'grant_revoked' } })
  })

  it('a token that a condemned key signed', async () => {
    const { access_token: token } = await acme.signIn()
    await acme.owner(`UPDATE signing_keys SET state = 'compromised' WHERE tenant_id = $1 AND purpose = 'tokens'`)
    // Nobody has told this process: the first statement finds another configuration, and the token is judged by its keys before anything is opened.
    const refused = await refusalOf(acme.exchange(acme.gateway, token))
    await acme.owner(`UPDATE signing_keys SET state = 'active' WHERE tenant_id = $1 AND purpose = 'tokens'`)
    acme.at.broker.deps.configuration.invalidate()
    expect(refused).toMatchObject({ status: 400, reason: 'subject_token_unknown' })
  })
})

describe('the metadata', () => {
  it('says that tokens may be exchanged only where somebody may', async () => {
    const supported = async () =>
      ((await (await fetch(`${acme.at.broker.url}/t/acme/.well-known/openid-configuration`)).json()) as { grant_types_supported: string[] })
        .grant_types_supported
    expect(await supported()).toContain('urn:ietf:params:oauth:grant-type:token-exchange')
    await acme.permit()
    expect(await supported()).not.toContain('urn:ietf:params:oauth:grant-type:token-exchange')
  })
})
