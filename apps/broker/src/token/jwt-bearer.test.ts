/** An assertion of a trusted issuer becomes one access token, for whom a login would let in and for what both name; and nothing else does. */
import { createHmac, createPublicKey } from 'node:crypto'
import { createLog } from '@drawbridge/runtime/log'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
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
const subjects = () =>
  acme.owner(`SELECT stable_id, connection_id FROM subjects WHERE tenant_id = $1 AND stable_id <> 'ada' OR connection_id = $2`, trust)
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
    {
      what: 'nobody names a resource',
      claims: { resource: undefined },
      form: {},
      error: 'invalid_target',
      reason: 'resource_not_of_grant',
    },
  ])('is refused where $what', async ({ claims, form, error, reason }) => {
    expect(await told(await acme.assertion(claims), form)).toEqual({ status: 400, error, reason })
    expect(await grants()).toEqual([])
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
    { what: 'bound to a key that is not shown', claims: () => ({ cnf: { jkt: 'x' } }) },
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
    await acme.owner(
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
       VALUES ($1, $2, 'public', 'preregistered', 'Public', '{}', '{urn:ietf:params:oauth:grant-type:jwt-bearer}', 'none', '{}', now())`,
      acme.tenant().issuerId,
    )
    const asPublic = { client_id: 'public' }
    const theirs = () => acme.assertion({ client_id: 'public' })
    expect(await acme.redeem(await acme.assertion(), {}, acme.basic(anAgent.id, 'wrong'))).toMatchObject({ status: 401 })
    expect(await acme.redeem(await theirs(), asPublic, {} as never)).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } })
    expect(
      await acme.redeem(await acme.assertion({ client_id: acme.tenant().clientId }), { client_id: acme.tenant().clientId }, {} as never),
    ).toMatchObject({
      status: 400,
      body: { error: 'unauthorized_client' },
    })
    expect(acme.told.take()).toEqual(['client_secret_wrong', 'assertion_client_public', 'grant_type_not_for_client'])
    await acme.begin({ publicClients: true })
    await acme.owner(
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
       VALUES ($1, $2, 'public', 'preregistered', 'Public', '{}', '{urn:ietf:params:oauth:grant-type:jwt-bearer}', 'none', '{}', now())`,
      acme.tenant().issuerId,
    )
    expect(await acme.redeem(await theirs(), asPublic, {} as never)).toMatchObject({ status: 200 })
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

describe('who may come in', () => {
  const deactivated = () =>
    acme.owner('UPDATE subjects SET deactivated_at = now(), epoch = epoch + 1 WHERE tenant_id = $1 AND connection_id = $2', trust)

  it('is decided as at a login: nobody who is deactivated', async () => {
    const { body } = await acme.redeem(await acme.assertion())
    await deactivated()
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
    expect(await told(await acme.assertion())).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_subject_refused' })
    expect((await acme.audited()).at(-1)).toMatchObject({ kind: 'assertion_refused', reason: 'subject_deactivated' })
  })

  it('nobody new, where only the directory makes people', async () => {
    await acme.owner(`UPDATE tenants SET provisioning_mode = 'scim_only' WHERE id = $1`)
    expect(await told(await acme.assertion())).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_subject_refused' })
    expect(await subjects()).toEqual([])
    expect((await acme.audited()).at(-1)).toMatchObject({ reason: 'directory_missing', subject_id: null })
  })

  it('nobody new by any name of somebody who is out, at whichever connection', async () => {
    await acme.owner(`UPDATE subjects SET deactivated_at = now() WHERE tenant_id = $1 AND stable_id = 'ada'`)
    expect(await told(await acme.assertion())).toMatchObject({ status: 400, reason: 'assertion_subject_refused' })
    expect((await acme.audited()).at(-1)).toMatchObject({ reason: 'subject_tombstone' })
  })

  it('nobody whom the mapping cannot name', async () => {
    trust = await acme.begin({ stableIdAttribute: 'oid' })
    expect(await told(await acme.assertion())).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_identity_unusable' })
    expect((await acme.redeem(await acme.assertion({ oid: 'ada-7' }))).status).toBe(200)
    expect(await subjects()).toEqual([{ stable_id: 'ada-7', connection_id: trust }])
  })

  it('nobody on evidence of before a barrier', async () => {
    const old = await acme.assertion()
    await acme.redeem(await acme.assertion())
    acme.wait(2)
    await acme.owner(
      'UPDATE subjects SET epoch = epoch + 1, barrier_at = $3 WHERE tenant_id = $1 AND connection_id = $2',
      trust,
      new Date(acme.now()),
    )
    expect(await told(old)).toEqual({ status: 400, error: 'invalid_grant', reason: 'assertion_below_barrier' })
    acme.wait(2)
    // Made after it, of a sign-in before it: the issuer is to ask her again.
    expect(await told(await acme.assertion())).toEqual({
      status: 400,
      error: 'insufficient_user_authentication',
      reason: 'assertion_authentication_insufficient',
    })
    expect((await acme.redeem(await acme.assertion({ auth_time: acme.seconds() }))).status).toBe(200)
  })

  it('whoever the issuer vouches for after a barrier, where the admin says that this proves a sign-in', async () => {
    trust = await acme.begin({ freshnessEvidence: 'issued_at' })
    await acme.redeem(await acme.assertion({ auth_time: undefined }))
    await acme.owner(
      'UPDATE subjects SET epoch = epoch + 1, barrier_at = $3 WHERE tenant_id = $1 AND connection_id = $2',
      trust,
      new Date(acme.now()),
    )
    acme.wait(2)
    expect((await acme.redeem(await acme.assertion({ auth_time: undefined }))).status).toBe(200)
  })
})

describe('a kill of the trust', () => {
  it('ends what it opened, and nothing is accepted of it before or after', async () => {
    const { body } = await acme.redeem(await acme.assertion())
    const old = await acme.assertion()
    acme.wait(1)
    await acme.owner(
      'UPDATE connections SET epoch = epoch + 1, barrier_at = $3, disabled_at = $3 WHERE tenant_id = $1 AND id = $2',
      trust,
      new Date(acme.now()),
    )
    acme.wait(1)
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
    expect(await told(await acme.assertion())).toMatchObject({ status: 400, reason: 'assertion_issuer_unknown' })
    await acme.owner('UPDATE connections SET disabled_at = NULL WHERE tenant_id = $1 AND id = $2', trust)
    acme.broker.deps.configuration.invalidate()
    expect(await told(old)).toMatchObject({ status: 400, reason: 'assertion_below_barrier' })
    expect((await acme.redeem(await acme.assertion({ auth_time: acme.seconds() }))).status).toBe(200)
  })

  it('that another process has not heard of is found in the statement', async () => {
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).status).toBe(200)
    await acme.owner('UPDATE connections SET disabled_at = now() WHERE tenant_id = $1 AND id = $2', trust)
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).body.error).toBe('invalid_grant')
    await acme.owner('UPDATE tenants SET suspended_at = now() WHERE id = $1')
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).status).toBe(400)
  })
})

describe('policy decides', () => {
  const policy = (more: string) => `version: 1\nrules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff]}]\n${more}`

  it('on what the assertion says, as on a login', async () => {
    expect(await told(await acme.assertion({ groups: [] }))).toEqual({
      status: 400,
      error: 'invalid_grant',
      reason: 'assertion_policy_denies',
    })
    expect(await grants()).toEqual([])
    // Somebody of whom policy wants nothing is nobody here.
    expect(await subjects()).toEqual([])
  })

  it.each([
    { what: 'a second factor that is not shown', claims: { amr: ['pwd'] } },
    { what: 'a second factor of which nothing is said', claims: { amr: undefined } },
  ])('on $what', async ({ claims }) => {
    await acme.publish(policy('mfa: [{name: strong, strength: multi_factor}]\n'))
    expect(await told(await acme.assertion(claims))).toEqual({
      status: 400,
      error: 'insufficient_user_authentication',
      reason: 'assertion_authentication_insufficient',
    })
    expect((await acme.redeem(await acme.assertion())).status).toBe(200)
  })

  it('and where it wants her own word, sends her to where she can give it', async () => {
    await acme.owner(
      `INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier, is_default) VALUES ($1, $2, 'refund', 'Refund', 'sensitive', false)`,
      acme.tenant().resourceId,
    )
    await acme.publish('version: 1\nrules: [{name: staff, effect: grant, scopes: [read, refund], groups: [staff]}]\n')
    const refused = { status: 400, error: 'invalid_grant', reason: 'assertion_consent_needed' }
    expect(await told(await acme.assertion({ scope: 'read refund' }))).toEqual(refused)
    expect((await acme.redeem(await acme.assertion({ scope: 'read refund' }), { scope: 'read' })).body['scope']).toBe('read')
  })

  it('and who says less than before has lost it everywhere', async () => {
    const { body } = await acme.redeem(await acme.assertion())
    acme.wait(1)
    expect(await told(await acme.assertion({ groups: [] }))).toMatchObject({ reason: 'assertion_policy_denies' })
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
  })

  it('anew, where it was published elsewhere meanwhile', async () => {
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).body['scope']).toBe('read write')
    await acme.publish('version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}]\n')
    expect((await acme.redeem(await acme.assertion(), {}, undefined, other.url)).body['scope']).toBe('read')
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
    expect(await told(await plain({ client_id: 'somebody' }))).toMatchObject({ reason: 'assertion_of_other_client' })
    expect(await told(await acme.assertion())).toMatchObject({ reason: 'assertion_refused' })
    await acme.begin({ profile: 'rfc7523', clients: ['somebody'] })
    expect(await told(await plain())).toMatchObject({ reason: 'assertion_of_other_client' })
  })
})

describe('a trust in the people of a login connection', () => {
  it('names them there: the same person by either way, with her claims as her logins say them', async () => {
    trust = await acme.begin()
    const { connectionId, subjectId } = acme.tenant()
    await acme.owner(
      'UPDATE connections SET configuration = configuration || $3 WHERE tenant_id = $1 AND id = $2',
      trust,
      JSON.stringify({ peopleOf: { connection: connectionId, key: 'sub' } }),
    )
    acme.broker.deps.configuration.invalidate()
    const { status, body } = await acme.redeem(await acme.assertion())
    expect(status).toBe(200)
    expect(decodeJwt(body.access_token ?? '').sub).toBe(subjectId)
    expect(await acme.owner('SELECT claims FROM subjects WHERE tenant_id = $1 AND id = $2', subjectId)).toEqual([{ claims: {} }])
    // What ends her there ends this, too.
    await acme.owner('UPDATE subjects SET deactivated_at = now(), epoch = epoch + 1 WHERE tenant_id = $1 AND id = $2', subjectId)
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
  })

  it('ends with that connection, and is off while that is', async () => {
    const { connectionId } = await peopleOfLogins()
    const { body } = await acme.redeem(await acme.assertion())
    const killed = await acme.kill(connectionId)
    expect(killed).toBe(200)
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
    acme.wait(2)
    expect(await told(await acme.assertion({ auth_time: acme.seconds() }))).toMatchObject({ reason: 'assertion_issuer_unknown' })
  })

  async function peopleOfLogins() {
    trust = await acme.begin()
    const { connectionId } = acme.tenant()
    await acme.owner(
      'UPDATE connections SET configuration = configuration || $3 WHERE tenant_id = $1 AND id = $2',
      trust,
      JSON.stringify({ peopleOf: { connection: connectionId, key: 'sub' } }),
    )
    acme.broker.deps.configuration.invalidate()
    return { connectionId }
  }
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
