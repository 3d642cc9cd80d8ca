/** A SAML assertion of a trusted issuer becomes one access token, for whom a login would let in; what was made for a login, or for another, becomes nothing. */
import { createLog } from '@drawbridge/runtime/log'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { type ASamlAgent, aSamlAgent, aSamlIssuer, type SaidInSaml } from '@drawbridge/testkit/a-saml-agent'
import { type AnAssertionCompany, anAgent, anAssertionCompany } from '@drawbridge/testkit/an-assertion-company'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { certificateOf } from '@drawbridge/upstream/certificate'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { responseXml } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let acme: AnAssertionCompany
let agent: ASamlAgent
/** Another process of the same installation. */
let other: TestBroker
let trust: string
/** What the other one logged. */
const lines: string[] = []

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await anAssertionCompany(fixture)
  agent = aSamlAgent(acme)
  other = await aBroker(fixture.database, {
    clock: { now: () => acme.now() },
    fetchSafely: acme.broker.deps.fetchSafely,
    log: createLog({ level: 'debug', destination: { write: (line) => lines.push(line) } }),
  })
})
beforeEach(async () => {
  await acme.begin()
  trust = await agent.trust()
})
afterAll(async () => {
  await other.close()
  await acme.broker.close()
  await fixture.close()
})

const grants = () => acme.owner('SELECT id FROM grants WHERE tenant_id = $1')
const configure = async (change: Record<string, unknown>) => {
  const text = 'UPDATE connections SET configuration = configuration || $3 WHERE tenant_id = $1 AND id = $2'
  await acme.owner(text, trust, JSON.stringify(change))
  acme.broker.deps.configuration.invalidate()
}
/** What was answered, and by which reason. */
const told = async (xml: string, form: Record<string, string> = {}, headers?: { authorization: string }) => {
  acme.told.take()
  const { status, body } = await agent.redeem(xml, form, headers)
  return { status, error: body.error, reason: acme.told.take()[0] }
}
const rule = async () =>
  (
    await acme.owner(
      `SELECT detail ->> 'rule' AS rule FROM audit_events WHERE tenant_id = $1 AND kind = 'assertion_refused' ORDER BY at DESC, id DESC LIMIT 1`,
    )
  )[0]?.['rule']
const refused = (reason: string) => ({ status: 400, error: 'invalid_grant', reason })

describe('a SAML assertion of a trusted issuer', () => {
  it('becomes one access token for the resource that is asked for, and no refresh token', async () => {
    const { status, body } = await agent.redeem(agent.assertion())
    expect([status, body]).toEqual([200, expect.objectContaining({ token_type: 'Bearer', scope: 'read write' })])
    expect(body).not.toHaveProperty('refresh_token')
    expect(body).not.toHaveProperty('id_token')
    const claims = decodeJwt(body.access_token ?? '')
    expect(claims).toMatchObject({
      iss: acme.issuer(),
      aud: acme.tenant().resource,
      client_id: anAgent.id,
      acr: 'https://refeds.org/profile/mfa',
    })
    expect(await acme.introspect(body.access_token ?? '')).toMatchObject({ active: true, sub: claims.sub })
    const [grant] = await acme.owner('SELECT subject_id, connection_id, session_id, refresh_ttl_seconds FROM grants WHERE tenant_id = $1')
    expect(grant).toEqual({ subject_id: claims.sub, connection_id: trust, session_id: null, refresh_ttl_seconds: null })
    expect(await acme.audited()).toMatchObject([{ kind: 'assertion_redeemed', reason: null, connection_id: trust, client_id: anAgent.id }])
  })

  it('names the same person each time, and nobody of another connection who has the same name', async () => {
    const subs = []
    for (let round = 0; round < 2; round += 1) subs.push(decodeJwt((await agent.redeem(agent.assertion())).body.access_token ?? '').sub)
    expect(subs[0]).toBe(subs[1])
    expect(subs[0]).not.toBe(acme.tenant().subjectId)
  })

  it('names no resource: one is asked for, or nothing is granted', async () => {
    expect(await told(agent.assertion(), { resource: '' })).toEqual({
      status: 400,
      error: 'invalid_target',
      reason: 'resource_unnamed',
    })
    expect(await told(agent.assertion(), { resource: 'https://other.example/mcp' })).toMatchObject({ error: 'invalid_target' })
    expect((await agent.redeem(agent.assertion(), { scope: '' })).body['scope']).toBe('read')
  })

  it('binds its token to the key of a proof', async () => {
    const proof = await (await aDpopKey()).prove({ url: `${acme.issuer()}/token`, now: acme.now() })
    const { body } = await agent.redeem(agent.assertion(), {}, { ...acme.basic(anAgent.id, anAgent.secret), dpop: proof })
    expect(body['token_type']).toBe('DPoP')
  })
})

describe('nothing comes of an assertion', () => {
  const login = () => ({ recipient: `${acme.issuer()}/saml/${acme.tenant().connectionId}/acs`, inResponseTo: '_request' })
  it.each<{ what: string; said: () => SaidInSaml; rule: string }>([
    { what: 'that was made for a login', said: login, rule: 'saml_recipient_wrong' },
    { what: 'that answers a request', said: () => ({ inResponseTo: '_request' }), rule: 'saml_in_response_to_wrong' },
    {
      what: 'for another token endpoint',
      said: () => ({ recipient: 'http://localhost:4400/t/globex/token' }),
      rule: 'saml_recipient_wrong',
    },
    { what: 'for another issuer', said: () => ({ audience: 'http://localhost:4400/t/globex' }), rule: 'saml_audience_wrong' },
    { what: 'that has ended', said: () => ({ made: -300, ends: -181 }), rule: 'saml_confirmation_expired' },
    { what: 'that was made too long ago', said: () => ({ made: -781, ends: 600 }), rule: 'saml_too_old' },
    { what: 'of a sign-in to come', said: () => ({ signIn: 181 }), rule: 'saml_authn_instant_invalid' },
  ])('$what, and the trail says so', async ({ said, rule: expected }) => {
    expect(await told(agent.assertion(said()))).toEqual(refused('assertion_refused'))
    expect(await rule()).toBe(expected)
    expect(await grants()).toEqual([])
  })

  it.each<{ what: string; xml: () => string }>([
    { what: 'that nobody signed', xml: () => agent.xmlOf() },
    { what: 'that a stranger signed', xml: () => agent.sign(agent.xmlOf(), aFixtureKey()) },
    { what: 'whose name was changed', xml: () => agent.assertion().replace('>ada<', '>grace<') },
    { what: 'whose name has a comment', xml: () => agent.assertion({ name: 'root@acme.example' }).replace('root@', 'root@<!---->') },
    {
      what: 'that stands beside another in its signature',
      xml: () => agent.assertion().replace('</saml:Assertion>', `${agent.xmlOf({ name: 'root' })}</saml:Assertion>`),
    },
    { what: 'in a response', xml: () => responseXml({ assertions: agent.assertion() }) },
    { what: 'that is a login response', xml: () => agent.sign(responseXml({ assertions: agent.xmlOf() })) },
    { what: 'that is none', xml: () => 'not xml' },
  ])('$what, which is a stranger’s word and no line of the trail', async ({ xml }) => {
    expect(await told(xml())).toEqual(refused('assertion_refused'))
    expect(await acme.audited()).toEqual([])
  })

  it('of an issuer that this tenant does not trust, whoever else does', async () => {
    expect(await told(agent.assertion({ parts: { issuer: '<saml:Issuer>https://evil.example</saml:Issuer>' } }))).toEqual(
      refused('assertion_issuer_unknown'),
    )
    const theirs = acme.tenant()
    await acme.begin()
    const said = { audience: acme.issuer(), recipient: `${acme.issuer()}/token` }
    expect(theirs.tenantId).not.toBe(acme.tenant().tenantId)
    expect(await told(agent.assertion(said))).toEqual(refused('assertion_issuer_unknown'))
  })

  it('without a grant type, without proof of the client, or by a client that the trust does not list', async () => {
    expect((await agent.redeem(agent.assertion(), {}, acme.basic(anAgent.id, 'wrong'))).status).toBe(401)
    await configure({ clients: ['somebody'] })
    expect(await told(agent.assertion())).toEqual(refused('assertion_of_other_client'))
    await configure({ clients: [anAgent.id, 'public'] })
    await acme.owner(
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
       VALUES ($1, $2, 'public', 'preregistered', 'Public', '{}', '{urn:ietf:params:oauth:grant-type:saml2-bearer}', 'none', '{}', now())`,
      acme.tenant().issuerId,
    )
    acme.told.take()
    expect((await agent.redeem(agent.assertion(), { client_id: 'public' }, {} as never)).body.error).toBe('unauthorized_client')
    expect(acme.told.take()).toEqual(['assertion_client_public'])
    await configure({ publicClients: true })
    expect((await agent.redeem(agent.assertion(), { client_id: 'public' }, {} as never)).status).toBe(200)
    await acme.owner(
      `UPDATE clients SET grant_types = '{urn:ietf:params:oauth:grant-type:jwt-bearer}' WHERE tenant_id = $1 AND client_id = $2`,
      anAgent.id,
    )
    expect(await told(agent.assertion())).toEqual({ status: 400, error: 'unauthorized_client', reason: 'grant_type_not_for_client' })
  })

  it('of a key, or at an address, of this installation, whoever was trusted for it', async () => {
    const { thumbprint } = await import('@drawbridge/crypto/signing-keys')
    const key = aFixtureKey()
    await configure({ certificates: [agent.key.certificate, key.certificate] })
    await asOwner(
      fixture.ownerUrl,
      `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at)
       SELECT tenant_id, $1, id, 'tokens', 'RS256', 'retired', '{}', '', now() FROM issuers ORDER BY created_at LIMIT 1`,
      [thumbprint(certificateOf(key.certificate).publicKey.export({ format: 'jwk' }))],
    )
    expect(await told(agent.sign(agent.xmlOf(), key))).toEqual(refused('assertion_of_this_installation'))
    const issuer = 'http://localhost:4400/t/elsewhere'
    await configure({ issuer, certificates: [agent.key.certificate] })
    expect(await told(agent.assertion({ parts: { issuer: `<saml:Issuer>${issuer}</saml:Issuer>` } }))).toEqual(
      refused('assertion_of_this_installation'),
    )
  })
})

describe('an id counts once', () => {
  it('also of many at once, at two processes', async () => {
    const xml = agent.assertion()
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => agent.redeem(xml, {}, undefined, index % 2 === 0 ? acme.broker.url : other.url)),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 400)])
    expect(await grants()).toHaveLength(1)
    expect(await told(xml)).toEqual(refused('assertion_replayed'))
  })

  it('as long as it could come again, and not used up where the configuration moved meanwhile', async () => {
    await agent.redeem(agent.assertion(), {}, undefined, other.url)
    const xml = agent.assertion({ ends: 600 })
    await acme.publish('version: 1\nrules: [{name: staff, effect: grant, scopes: [read], groups: [staff]}]\n')
    expect((await agent.redeem(xml, {}, undefined, other.url)).body['scope']).toBe('read')
    acme.wait(700)
    expect(await told(xml)).toEqual(refused('assertion_replayed'))
    acme.wait(100)
    expect(await told(xml)).toEqual(refused('assertion_refused'))
  })
})

describe('who may come in', () => {
  it('is decided as at a login: nobody new where only the directory makes people', async () => {
    await acme.owner(`UPDATE tenants SET provisioning_mode = 'scim_only' WHERE id = $1`)
    expect(await told(agent.assertion())).toEqual(refused('assertion_subject_refused'))
    expect((await acme.audited()).at(-1)).toMatchObject({ reason: 'directory_missing', subject_id: null })
  })

  it('nobody by a name that names nobody twice', async () => {
    const nameId = '<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient">_x</saml:NameID>'
    expect(await told(agent.assertion({ parts: { nameId } }))).toEqual(refused('assertion_identity_unusable'))
  })

  it('nobody on evidence of before a barrier, nor by a sign-in of before it', async () => {
    const old = agent.assertion()
    const { body } = await agent.redeem(agent.assertion())
    acme.wait(2)
    expect(await acme.kill(trust as never)).toBe(200)
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
    expect(await told(agent.assertion())).toEqual(refused('assertion_issuer_unknown'))
    await acme.owner('UPDATE connections SET disabled_at = NULL WHERE tenant_id = $1 AND id = $2', trust)
    acme.broker.deps.configuration.invalidate()
    acme.wait(2)
    expect(await told(old)).toEqual(refused('assertion_below_barrier'))
    const insufficient = { status: 400, error: 'insufficient_user_authentication', reason: 'assertion_authentication_insufficient' }
    expect(await told(agent.assertion())).toEqual(insufficient)
    expect(await told(agent.assertion({ signIn: undefined }))).toEqual(insufficient)
    await configure({ authnInstant: 'untrusted' })
    expect(await told(agent.assertion({ signIn: 0 }))).toEqual(insufficient)
    await configure({ authnInstant: 'trusted' })
    expect((await agent.redeem(agent.assertion({ signIn: 0 }))).status).toBe(200)
    await configure({ freshnessEvidence: 'issued_at' })
    expect((await agent.redeem(agent.assertion({ signIn: undefined }))).status).toBe(200)
  })

  it('is policy’s to decide, on what the assertion says of her and of her sign-in', async () => {
    expect(await told(agent.assertion({ groups: [] }))).toEqual(refused('assertion_policy_denies'))
    await acme.publish(
      'version: 1\nrules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff]}]\nmfa: [{name: strong, strength: multi_factor}]\n',
    )
    const password = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'
    expect(await told(agent.assertion({ classRef: password }))).toMatchObject({ error: 'insufficient_user_authentication' })
    expect(await told(agent.assertion({ signIn: undefined }))).toMatchObject({ error: 'insufficient_user_authentication' })
    expect((await agent.redeem(agent.assertion())).status).toBe(200)
  })
})

describe('a trust in the IdP of a login connection', () => {
  beforeEach(async () => {
    const { connectionId } = acme.tenant()
    const idp = { idpEntityId: aSamlIssuer, ssoUrl: 'https://idp.acme.example/sso', certificates: [agent.key.certificate] }
    await acme.owner(
      `UPDATE connections SET kind = 'saml', configuration = $3 WHERE tenant_id = $1 AND id = $2`,
      connectionId,
      JSON.stringify(idp),
    )
    await acme.owner(
      `UPDATE connections SET configuration = configuration - 'issuer' - 'certificates' || $3 WHERE tenant_id = $1 AND id = $2`,
      trust,
      JSON.stringify({ keysOf: connectionId }),
    )
    acme.broker.deps.configuration.invalidate()
  })

  it('believes the keys that the connection has at that moment, and none that it has no more', async () => {
    expect((await agent.redeem(agent.assertion())).status).toBe(200)
    const next = aFixtureKey()
    await acme.owner(
      `UPDATE connections SET configuration = jsonb_set(configuration, '{certificates}', $3) WHERE tenant_id = $1 AND id = $2`,
      acme.tenant().connectionId,
      JSON.stringify([next.certificate]),
    )
    acme.broker.deps.configuration.invalidate()
    expect(await told(agent.assertion())).toEqual(refused('assertion_refused'))
    expect((await agent.redeem(agent.sign(agent.xmlOf(), next))).status).toBe(200)
  })

  it('ends with that connection, and is off while that is', async () => {
    const { body } = await agent.redeem(agent.assertion())
    expect(await acme.kill(acme.tenant().connectionId)).toBe(200)
    expect(await acme.introspect(body.access_token ?? '')).toEqual({ active: false })
    acme.wait(2)
    expect(await told(agent.assertion({ signIn: 0 }))).toEqual(refused('assertion_issuer_unknown'))
  })

  it('names its people, and makes none of them, where the admin says so', async () => {
    const { connectionId, subjectId } = acme.tenant()
    await configure({ peopleOf: { connection: connectionId, key: 'NameID' } })
    const claims = {
      ...{
        connectionId,
        stableId: 'ada',
        subjectId: null,
        claims: [],
        groups: { state: 'known', value: ['staff'] },
        sessionExpiresAt: null,
      },
      authentication: { acr: null, amr: ['pwd'], authenticatedAt: null },
      idpSession: { sessionIndex: null, nameId: null, sid: null },
    }
    await acme.owner('UPDATE subjects SET claims = $3 WHERE tenant_id = $1 AND id = $2', subjectId, JSON.stringify(claims))
    const { status, body } = await agent.redeem(agent.assertion({ groups: [] }))
    expect([status, decodeJwt(body.access_token ?? '').sub]).toEqual([200, subjectId])
    expect(await told(agent.assertion({ name: 'grace' }))).toEqual(refused('assertion_subject_refused'))
    expect((await acme.audited()).at(-1)).toMatchObject({ kind: 'assertion_refused', reason: 'person_unknown' })
  })
})

describe('the metadata of the issuer', () => {
  const grantTypes = async () => {
    const answer = await fetch(`${acme.broker.url}/t/${acme.tenant().slug}/.well-known/oauth-authorization-server`)
    const document = (await answer.json()) as { grant_types_supported: string[] }
    expect(JSON.stringify(document)).not.toContain(aSamlIssuer)
    return document.grant_types_supported
  }

  it('says that such assertions are accepted where there is a trust in some, and not whose', async () => {
    const type = 'urn:ietf:params:oauth:grant-type:saml2-bearer'
    expect(await grantTypes()).toContain(type)
    await acme.owner('UPDATE connections SET disabled_at = now() WHERE tenant_id = $1 AND id = $2', trust)
    acme.broker.deps.configuration.invalidate()
    expect(await grantTypes()).not.toContain(type)
  })
})

it('is in no log and in no row, whatever becomes of it', async () => {
  lines.length = 0
  const good = agent.assertion()
  const texts = [good, good, agent.assertion({ audience: 'https://other.example' }), agent.sign(agent.xmlOf(), aFixtureKey())]
  for (const text of texts) await agent.redeem(text, {}, undefined, other.url)
  expect(lines.length).toBeGreaterThan(0)
  const kept = lines.join('') + JSON.stringify(await acme.owner('SELECT * FROM audit_events WHERE tenant_id = $1'))
  for (const text of texts) {
    expect(kept).not.toContain(Buffer.from(text).toString('base64url').slice(0, 200))
    expect(kept).not.toContain(/<ds:SignatureValue>([^<]+)</.exec(text)?.[1]?.slice(0, 60) ?? 'no signature')
  }
})
