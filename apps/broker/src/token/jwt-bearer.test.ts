/** An assertion of a trusted issuer becomes one access token, for whom a login would let in and for what both name; and nothing else does. */
import { createHmac, createPublicKey } from 'node:crypto'
import { createLog } from '@drawbridge/runtime/log'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ADpopKey, aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import {
  type AnAssertionCompany,
  anAgent,
  anAssertionCompany,
  anAssertionIssuer,
  anAssertionKey,
} from '@drawbridge/testkit/an-assertion-company'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let acme: AnAssertionCompany
/** Another process of the same installation. */
let other: TestBroker
let trust: string
/** What the other one logged. */
const lines: string[] = []

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await anAssertionCompany(fixture)
  other = await aBroker(fixture.database, {
    clock: { now: () => acme.now() },
    fetchSafely: acme.broker.deps.fetchSafely,
    log: createLog({ level: 'debug', destination: { write: (line) => lines.push(line) } }),
  })
})
beforeEach(async () => {
  trust = await acme.begin()
})
afterAll(async () => {
  await other.close()
  await acme.broker.close()
  await fixture.close()
})

const grants = () => acme.owner('SELECT id FROM grants WHERE tenant_id = $1')

/** What was answered, and by which reason. */
const told = async (text: string, form: Record<string, string> = {}) => {
  acme.told.take()
  const { status, body } = await acme.redeem(text, form)
  return { status, error: body.error, reason: acme.told.take()[0] }
}

describe('an assertion of a trusted issuer', () => {
  it('becomes one access token for its resource, and no refresh token', async () => {
    const { status, body } = await acme.redeem(await acme.assertion())
    expect([status, body]).toEqual([200, expect.objectContaining({ token_type: 'Bearer', scope: 'read write' })])
    expect(body).not.toHaveProperty('refresh_token')
    expect(body).not.toHaveProperty('id_token')
    const claims = decodeJwt(body.access_token ?? '')
    expect(claims).toMatchObject({ iss: acme.issuer(), aud: acme.tenant().resource, client_id: anAgent.id, amr: ['pwd', 'otp'] })
    expect(await acme.introspect(body.access_token ?? '')).toMatchObject({ active: true, sub: claims.sub })
    const [grant] = await acme.owner('SELECT subject_id, connection_id, refresh_ttl_seconds, scopes FROM grants WHERE tenant_id = $1')
    expect(grant).toEqual({ subject_id: claims.sub, connection_id: trust, refresh_ttl_seconds: null, scopes: ['read', 'write'] })
    expect(await acme.audited()).toMatchObject([{ kind: 'assertion_redeemed', reason: null, connection_id: trust, client_id: anAgent.id }])
  })

  it('names the same person each time, and nobody of another connection who has the same name', async () => {
    const subs = []
    for (let round = 0; round < 2; round += 1) subs.push(decodeJwt((await acme.redeem(await acme.assertion())).body.access_token ?? '').sub)
    expect(subs[0]).toBe(subs[1])
    expect(subs[0]).not.toBe(acme.tenant().subjectId)
  })

  it.each([
    { what: 'all that it names, where nothing is asked for', asserted: 'read write', asked: undefined, granted: 'read write' },
    { what: 'only what is asked for of that', asserted: 'read write', asked: 'read', granted: 'read' },
    { what: 'only what it names of what is asked for', asserted: 'read', asked: 'read write', granted: 'read' },
    { what: 'what is asked for, where it names nothing', asserted: undefined, asked: 'write', granted: 'write' },
    { what: 'the defaults, where neither names anything', asserted: undefined, asked: undefined, granted: 'read' },
    { what: 'what policy allows of it', asserted: 'read admin', asked: undefined, granted: 'read' },
  ])('is granted $what', async ({ asserted, asked, granted }) => {
    const { status, body } = await acme.redeem(await acme.assertion({ scope: asserted }), asked === undefined ? {} : { scope: asked })
    expect([status, body['scope']]).toEqual([200, granted])
  })

  it.each([
    {
      what: 'nothing of what it names is asked for',
      claims: { scope: 'read' },
      form: { scope: 'write' },
      error: 'invalid_scope',
      reason: 'scope_widened',
    },
    { what: 'it names no scope of the resource', claims: { scope: 'openid' }, form: {}, error: 'invalid_scope', reason: 'scope_widened' },
    {
      what: 'its resource is not known here',
      claims: { resource: 'https://other.example/mcp' },
      form: {},
      error: 'invalid_target',
      reason: 'resource_not_of_grant',
    },
    {
      what: 'another resource is asked for',
      claims: {},
      form: { resource: 'https://other.example/mcp' },
      error: 'invalid_target',
      reason: 'resource_not_of_grant',
    },
  ])('is refused where $what', async ({ claims, form, error, reason }) => {
    expect(await told(await acme.assertion(claims), form)).toEqual({ status: 400, error, reason })
    expect(await grants()).toEqual([])
  })

  it('is for the only resource of its issuer where neither it nor the request names one', async () => {
    const { status, body } = await acme.redeem(await acme.assertion({ resource: undefined }))
    expect([status, decodeJwt(String(body['access_token'])).aud]).toEqual([200, acme.tenant().resource])
  })

  it('takes the resource from the request where it names none, a slash more or less', async () => {
    const { status } = await acme.redeem(await acme.assertion({ resource: undefined }), { resource: `${acme.tenant().resource}/` })
    expect(status).toBe(200)
    expect((await acme.redeem(await acme.assertion({ resource: [acme.tenant().resource] }))).status).toBe(200)
  })
})

describe('nothing comes of an assertion', () => {
  const seconds = () => acme.seconds()
  const ours = () => `${acme.issuer()}`
  it.each<{ what: string; claims?: () => Record<string, unknown>; header?: Record<string, unknown>; reason?: string }>([
    { what: 'of another type: an ID token', header: { typ: 'JWT' } },
    { what: 'of another type: an access token', header: { typ: 'at+jwt' } },
    { what: 'without a type', header: { typ: undefined } },
    { what: 'for another issuer', claims: () => ({ aud: 'http://localhost:4400/t/globex' }) },
    { what: 'for our token endpoint', claims: () => ({ aud: `${ours()}/token` }) },
    { what: 'for our issuer with a slash', claims: () => ({ aud: `${ours()}/` }) },
    { what: 'for two issuers', claims: () => ({ aud: [ours(), 'https://other.example'] }) },
    { what: 'for nobody', claims: () => ({ aud: [] }) },
    { what: 'of an issuer that nobody trusts', claims: () => ({ iss: 'https://evil.example' }), reason: 'assertion_issuer_unknown' },
    { what: 'of the issuer with a slash', claims: () => ({ iss: `${anAssertionIssuer}/` }), reason: 'assertion_issuer_unknown' },
    { what: 'for another client', claims: () => ({ client_id: 'somebody' }), reason: 'assertion_of_other_client' },
    { what: 'for no client', claims: () => ({ client_id: undefined }) },
    { what: 'for several resources', claims: () => ({ resource: ['https://a.example', 'https://b.example'] }) },
    { what: 'that has ended', claims: () => ({ iat: seconds() - 200, exp: seconds() - 61 }) },
    { what: 'that never ends', claims: () => ({ exp: undefined }) },
    { what: 'that lives too long', claims: () => ({ exp: seconds() + 301 }) },
    { what: 'of tomorrow', claims: () => ({ iat: seconds() + 61, exp: seconds() + 120 }) },
    { what: 'that says not when it was made', claims: () => ({ iat: undefined }) },
    { what: 'that holds only later', claims: () => ({ nbf: seconds() + 61 }) },
    { what: 'of a sign-in to come', claims: () => ({ auth_time: seconds() + 61 }) },
    { what: 'without an id', claims: () => ({ jti: undefined }) },
    { what: 'with an id that is none', claims: () => ({ jti: 7 }) },
    { what: 'of nobody', claims: () => ({ sub: undefined }) },
    { what: 'bound to a key that is not shown', claims: () => ({ cnf: { jkt: 'x' } }), reason: 'assertion_proof_missing' },
    { what: 'of somebody who acts for another', claims: () => ({ act: { sub: 'agent' } }) },
    { what: 'with details that nobody would carry out', claims: () => ({ authorization_details: [{ type: 'payment' }] }) },
    { what: 'that is an event', claims: () => ({ events: {} }) },
    { what: 'that is the answer to a login', claims: () => ({ nonce: 'n' }) },
    { what: 'of a company of the issuer that nobody named', claims: () => ({ tenant: 'globex' }) },
    { what: 'with scopes that are no text', claims: () => ({ scope: ['read'] }) },
    { what: 'that brings its own key', header: { jwk: anAssertionKey().jwk } },
    { what: 'whose header demands something', header: { crit: ['exp'], exp: 1 } },
  ])('$what', async ({ claims, header, reason = 'assertion_refused' }) => {
    const text = await acme.assertion(claims?.(), header).catch(() => forged(acme.claimsOf(claims?.()), header))
    expect(await told(text)).toEqual({ status: 400, error: 'invalid_grant', reason })
    expect(await grants()).toEqual([])
  })

  const forged = (claims: unknown, header: Record<string, unknown> = {}) => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    return `${part({ alg: 'ES256', kid: 'idp', typ: 'oauth-id-jag+jwt', ...header })}.${part(claims)}.${Buffer.alloc(64, 1).toString('base64url')}`
  }

  it('unsigned, signed by a stranger, or with our public knowledge as a secret', async () => {
    const stranger = anAssertionKey()
    expect(await told(forged(acme.claimsOf(), { alg: 'none' }))).toMatchObject({ status: 400, reason: 'assertion_refused' })
    expect(await told(forged(acme.claimsOf()))).toMatchObject({ status: 400, reason: 'assertion_refused' })
    expect(await told(await stranger.sign({}, acme.claimsOf()))).toMatchObject({ status: 400, reason: 'assertion_refused' })
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const input = `${part({ alg: 'HS256', kid: 'idp', typ: 'oauth-id-jag+jwt' })}.${part(acme.claimsOf())}`
    const pem = createPublicKey({ key: acme.key.jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    const signature = createHmac('sha256', pem).update(input).digest('base64url')
    expect(await told(`${input}.${signature}`)).toMatchObject({ status: 400, reason: 'assertion_refused' })
    expect(await grants()).toEqual([])
  })

  it('whose header says where its keys are: nothing is fetched', async () => {
    const evil = anAssertionKey()
    acme.published.set('https://evil.example/keys', { keys: [evil.jwk] })
    acme.asked.length = 0
    const text = await evil.sign({ jku: 'https://evil.example/keys', x5u: 'https://evil.example/cert' }, acme.claimsOf())
    expect(await told(text)).toMatchObject({ status: 400, reason: 'assertion_refused' })
    expect(acme.asked).toEqual([])
  })

  it('of a trust of another tenant', async () => {
    const text = await acme.assertion()
    await acme.begin({ issuer: 'https://another.example' })
    expect(await told(text)).toMatchObject({ status: 400, reason: 'assertion_issuer_unknown' })
  })

  it('whose text is none', async () => {
    for (const text of ['', 'x', 'a.b', 'a.b.c.d', `${'a'.repeat(40_000)}.b.c`])
      expect(await told(text)).toMatchObject({ status: 400, error: 'invalid_request', reason: 'token_request_malformed' })
    expect(await told('a.b.c')).toMatchObject({ status: 400, error: 'invalid_grant', reason: 'assertion_issuer_unknown' })
  })

  it('in the hand of a client that may not bring it, or does not prove itself', async () => {
    expect(await acme.redeem(await acme.assertion(), {}, acme.basic(anAgent.id, 'wrong'))).toMatchObject({ status: 401 })
    const { clientId } = acme.tenant()
    const brought = await acme.redeem(await acme.assertion({ client_id: clientId }), { client_id: clientId }, {} as never)
    expect(brought).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } })
    expect(acme.told.take()).toEqual(['client_secret_wrong', 'grant_type_not_for_client'])
  })

  it('in the hand of a public client, unless its trust says otherwise (MCP Enterprise-Managed Authorization: confidential clients alone)', async () => {
    const asPublic = { client_id: 'public' }
    const bring = async () => {
      await acme.owner(
        `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
         VALUES ($1, $2, 'public', 'preregistered', 'Public', '{}', '{urn:ietf:params:oauth:grant-type:jwt-bearer}', 'none', '{}', now())`,
        acme.tenant().issuerId,
      )
      return acme.redeem(await acme.assertion(asPublic), asPublic, {} as never)
    }
    expect(await bring()).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } })
    expect(acme.told.take()).toEqual(['assertion_client_public'])
    await acme.begin({ publicClients: true })
    expect(await bring()).toMatchObject({ status: 200 })
  })

  it('of a key of an issuer of this installation, whoever was trusted for it', async () => {
    const key = anAssertionKey()
    await acme.begin({ jwks: { keys: [key.jwk] } })
    const { thumbprint } = await import('@drawbridge/crypto/signing-keys')
    const text = await key.sign({}, acme.claimsOf())
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at)
       SELECT tenant_id, $1, id, 'tokens', 'ES256', 'retired', '{}', '', now() FROM issuers ORDER BY created_at LIMIT 1`,
      [thumbprint(key.jwk as never)],
    )
    expect(await told(text)).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_of_this_installation' })
    expect(await acme.audited()).toMatchObject([{ kind: 'assertion_refused', reason: 'assertion_of_this_installation' }])
  })

  it('of an issuer at our own address, whoever was trusted for it', async () => {
    const iss = 'http://localhost:4400/t/elsewhere'
    await acme.begin({ issuer: iss })
    expect(await told(await acme.assertion({ iss }))).toEqual({
      status: 400,
      error: 'invalid_grant',
      reason: 'assertion_of_this_installation',
    })
  })
})

describe('an id counts once', () => {
  it('also at another process', async () => {
    const text = await acme.assertion()
    expect((await acme.redeem(text)).status).toBe(200)
    expect(await told(text)).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_replayed' })
    expect((await acme.redeem(text, {}, undefined, other.url)).body.error).toBe('invalid_grant')
    expect(await grants()).toHaveLength(1)
  })

  it('of many at once, at both', async () => {
    const text = await acme.assertion()
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => acme.redeem(text, {}, undefined, index % 2 === 0 ? acme.broker.url : other.url)),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 11 }, () => 400)])
    expect(await grants()).toHaveLength(1)
  })

  it('of each issuer for itself, and of one who may use them again as often as she likes', async () => {
    await acme.begin({ jtiReuse: true })
    const text = await acme.assertion()
    expect([(await acme.redeem(text)).status, (await acme.redeem(text)).status]).toEqual([200, 200])
    acme.wait(200)
    expect(await told(text)).toMatchObject({ status: 400, reason: 'assertion_refused' })
  })
})

describe('an assertion for the holder of a key', () => {
  const proved = async (key: ADpopKey) => ({
    ...acme.basic(anAgent.id, anAgent.secret),
    dpop: await key.prove({ url: `${acme.issuer()}/token`, now: acme.now() }),
  })

  it('is worth something with a proof of that key alone, and so is what becomes of it', async () => {
    const [hers, anothers] = [await aDpopKey(), await aDpopKey()]
    const bound = () => acme.assertion({ cnf: { jkt: hers.thumbprint } })
    expect((await acme.redeem(await bound(), {}, await proved(anothers))).body.error).toBe('invalid_grant')
    expect(await told(await bound())).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_proof_missing' })
    const proof = await proved(hers)
    const { body } = await acme.redeem(await bound(), {}, proof)
    expect(body['token_type']).toBe('DPoP')
    expect(decodeJwt(body.access_token ?? '')['cnf']).toEqual({ jkt: hers.thumbprint })
    acme.told.take()
    expect((await acme.redeem(await bound(), {}, proof)).status).toBe(400)
    expect(acme.told.take()).toEqual(['dpop_proof_replayed'])
    expect(await grants()).toHaveLength(1)
  })

  it('that is bound otherwise is refused', async () => {
    for (const cnf of [{}, 'x', { jwk: {} }, { jkt: 7 }, { jkt: 'x', kid: 'y' }])
      expect(await told(await acme.assertion({ cnf }))).toMatchObject({ status: 400, reason: 'assertion_refused' })
  })
})

describe('keys at an address', () => {
  it('are fetched, once for a while, and a new one of them is found', async () => {
    await acme.begin({ jwks: undefined, jwksUri: `${anAssertionIssuer}/keys` })
    acme.asked.length = 0
    expect((await acme.redeem(await acme.assertion())).status).toBe(200)
    expect((await acme.redeem(await acme.assertion())).status).toBe(200)
    expect(acme.asked).toEqual([`${anAssertionIssuer}/keys`])
    const next = anAssertionKey('next')
    acme.published.set(`${anAssertionIssuer}/keys`, { keys: [acme.key.jwk, next.jwk] })
    acme.wait(61)
    expect((await acme.redeem(await next.sign({}, acme.claimsOf()))).status).toBe(200)
    expect(acme.asked).toHaveLength(2)
  })

  it('that cannot be read refuse nobody for ever', async () => {
    await acme.begin({ jwks: undefined, jwksUri: 'https://idp.example/nowhere' })
    const answer = await acme.redeem(await acme.assertion())
    expect([answer.status, answer.body.error, Number(answer.headers.get('retry-after'))]).toEqual([503, 'temporarily_unavailable', 30])
    expect(acme.told.take()).toEqual(['assertion_keys_awaited'])
    acme.published.set('https://idp.example/nowhere', { keys: [acme.key.jwk] })
    acme.wait(31)
    expect((await acme.redeem(await acme.assertion())).status).toBe(200)
  })
})

describe('an issuer that speaks for many companies', () => {
  it('is believed about the one that is named', async () => {
    await acme.begin({ tenant: 'acme' })
    expect((await acme.redeem(await acme.assertion({ tenant: 'acme' }))).status).toBe(200)
    for (const tenant of [undefined, 'globex', ['acme'], 'ACME'])
      expect(await told(await acme.assertion({ tenant }))).toMatchObject({ status: 400, reason: 'assertion_refused' })
  })
})

describe('other assertions by RFC 7523', () => {
  it('name no client, and are brought by those that the trust lists', async () => {
    await acme.begin({ profile: 'rfc7523', clients: [anAgent.id] })
    const plain = (claims = {}) => acme.assertion({ client_id: undefined, ...claims }, { typ: 'JWT' })
    expect((await acme.redeem(await plain())).status).toBe(200)
    const endpoint = `${acme.issuer()}/token` // A name of ours, too: RFC 7523 §3.
    expect((await acme.redeem(await plain({ aud: endpoint }))).status).toBe(200)
    for (const aud of [`${endpoint}/`, [endpoint, acme.issuer()]])
      expect(await told(await plain({ aud }))).toMatchObject({ reason: 'assertion_refused' })
    expect(await told(await plain({ client_id: 'somebody' }))).toMatchObject({ reason: 'assertion_of_other_client' })
    expect(await told(await acme.assertion())).toMatchObject({ reason: 'assertion_refused' })
    await acme.begin({ profile: 'rfc7523', clients: ['somebody'] })
    expect(await told(await plain())).toMatchObject({ reason: 'assertion_issuer_unknown' })
  })
})

describe('the metadata of the issuer', () => {
  const metadata = async () =>
    (await (await fetch(`${acme.broker.url}/t/${acme.tenant().slug}/.well-known/oauth-authorization-server`)).json()) as Record<
      string,
      unknown
    >

  it('says that assertions are accepted, and not whose', async () => {
    const told = await metadata()
    expect(told['authorization_grant_profiles_supported']).toEqual(['urn:ietf:params:oauth:grant-profile:id-jag'])
    expect(told['grant_types_supported']).toContain('urn:ietf:params:oauth:grant-type:jwt-bearer')
    expect(JSON.stringify(told)).not.toContain(anAssertionIssuer)
  })

  it('says nothing of it where none are', async () => {
    await acme.owner('UPDATE connections SET disabled_at = now() WHERE tenant_id = $1 AND id = $2', trust)
    acme.broker.deps.configuration.invalidate()
    const told = await metadata()
    expect(told).not.toHaveProperty('authorization_grant_profiles_supported')
    expect(told['grant_types_supported']).not.toContain('urn:ietf:params:oauth:grant-type:jwt-bearer')
  })
})

it('is in no log and in no row, whatever becomes of it', async () => {
  lines.length = 0
  const good = await acme.assertion()
  const texts = [good, good, await acme.assertion({ client_id: 'somebody' }), await anAssertionKey().sign({}, acme.claimsOf())]
  for (const text of texts) await acme.redeem(text, {}, undefined, other.url)
  expect(lines.length).toBeGreaterThan(0)
  const rows = JSON.stringify(await acme.owner('SELECT * FROM audit_events WHERE tenant_id = $1'))
  for (const part of texts.flatMap((text) => text.split('.').slice(1))) expect(lines.join('') + rows).not.toContain(part)
})

it('no login ever comes to a trust', async () => {
  for (const path of [`oidc/${trust}/callback?state=x&code=y`, `saml/${trust}/metadata`, `oidc/${trust}/initiate-login?iss=x`])
    expect((await fetch(`${acme.broker.url}/t/${acme.tenant().slug}/${path}`, { redirect: 'manual' })).status).toBeGreaterThanOrEqual(400)
})
