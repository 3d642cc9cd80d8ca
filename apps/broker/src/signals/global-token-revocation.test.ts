/**
 * A Global Token Revocation at its endpoint, sent by a transmitter that shares no code with us: what it ends, whom it cannot name, and that
 * nothing but a JWT of exactly this kind, for exactly this address, from this connection, ends anything.
 */
import { randomUUID } from 'node:crypto'
import { unmatchedSignalLimits } from '@drawbridge/store/unmatched-signals'
import { anAuthorizeUrl, anotherConnection } from '@drawbridge/testkit/a-login'
import { aSamlCompany } from '@drawbridge/testkit/a-saml-company'
import { type ASignallingCompany, aSignallingCompany } from '@drawbridge/testkit/a-signalling-company'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { manyUnmatchedSignals } from '@drawbridge/testkit/many-unmatched-signals'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { globalTokenRevocationLimits } from '@drawbridge/upstream/signals/global-token-revocation'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const idp = 'https://idp.example'
const organization = 'https://acme.okta.example'
type Key = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
let keys: { readonly own: Key; readonly organization: Key; readonly stranger: Key }
let fixture: TestDatabase
let acme: ASignallingCompany

async function aProvider(issuer: string) {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
  const jwk = { ...(await exportJWK(publicKey)), kid: `of ${issuer}`, use: 'sig', alg: 'RS256' }
  const endpoints = { authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys` }
  return {
    privateKey,
    pages: { [`${issuer}/.well-known/openid-configuration`]: { issuer, ...endpoints }, [`${issuer}/keys`]: { keys: [jwk] } },
  }
}

beforeAll(async () => {
  fixture = await testDatabase()
  const [own, org] = await Promise.all([aProvider(idp), aProvider(organization)])
  keys = { own: own.privateKey, organization: org.privateKey, stranger: (await generateKeyPair('RS256')).privateKey }
  acme = await aSignallingCompany(fixture, { ...own.pages, ...org.pages })
})
afterAll(async () => {
  await acme.broker.close()
  await fixture.close()
})
beforeEach(() => acme.begin())

type Shape = { readonly typ?: string | undefined; readonly claims?: Record<string, unknown>; readonly key?: Key; readonly kid?: string }
const addressOf = (connectionId: string = acme.tenant().connectionId) => `${acme.issuer()}/global-token-revocation/${connectionId}`
const aJwt = ({ typ = 'global-token-revocation+jwt', claims = {}, key = keys.own, kid = `of ${idp}` }: Shape = {}): Promise<string> => {
  const now = acme.seconds()
  const said = { iss: idp, sub: '0oa1', aud: addressOf(), jti: randomUUID(), iat: now, nbf: now, exp: now + 300, ...claims }
  return new SignJWT(said).setProtectedHeader({ alg: 'RS256', kid, typ }).sign(key)
}
const send = (body: unknown, authorization?: string, connectionId: string = acme.tenant().connectionId) =>
  fetch(`${acme.broker.url}/t/${acme.tenant().slug}/global-token-revocation/${connectionId}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) },
  })
const ada = { sub_id: { format: 'iss_sub', iss: idp, sub: 'ada' } }
const revoke = async (body: unknown = ada, shape: Shape = {}, connectionId?: string) =>
  send(body, `Bearer ${await aJwt(shape)}`, connectionId)
const aProvenDomain = (connectionId?: string) =>
  acme.owner(
    'INSERT INTO domains (tenant_id, domain, connection_id, verified_at, created_at) VALUES ($1, $2, $3, now(), now())',
    `${acme.tenant().slug}.example`,
    connectionId ?? null,
  )

describe('a Global Token Revocation', () => {
  it.each([
    { by: 'issuer and sub', body: ada },
    { by: 'her id at the IdP', body: { sub_id: { format: 'opaque', id: 'ada' } } },
  ])('by $by ends session, access token and refresh token at once, and leaves a receipt', async ({ body }) => {
    const tokens = await acme.signIn()
    expect(await acme.isActive(tokens)).toBe(true)
    const answer = await revoke(body)
    expect([answer.status, answer.headers.get('cache-control'), await answer.text()]).toEqual([204, 'no-store', ''])
    expect([await acme.isActive(tokens), await acme.refresh(tokens)]).toEqual([false, 400])
    expect(await acme.events()).toEqual([
      { source: 'signal', target: 'subject', reason: 'global_token_revocation', matched: true, told_at: null },
    ])
  })

  it('deactivates nobody: who signs in anew comes in, and who brings an older sign-in does not', async () => {
    await acme.signIn()
    const signedInAt = acme.now()
    expect((await revoke()).status).toBe(204)
    acme.wait(60)
    acme.idp.says = { ...acme.idp.says, signedInAt }
    await expect(acme.signIn()).rejects.toThrow()
    acme.idp.says = { ...acme.idp.says, signedInAt: acme.now() }
    expect(await acme.isActive(await acme.signIn())).toBe(true)
  })

  it('reaches a first login that is on its way home, though she is not known yet', async () => {
    acme.idp.says = { ...acme.idp.says, sub: 'grace' }
    const browser = acme.browser()
    const left = await browser.visit(anAuthorizeUrl(acme.issuer(), acme.tenant()))
    expect((await revoke({ sub_id: { format: 'opaque', id: 'grace' } })).status).toBe(404)
    expect(await browser.comeHome(left, acme.tenant().connectionId)).toMatchObject({ status: 400 })
  })

  it('of somebody whom nobody knows is an alarm, and never a silent success', async () => {
    const tokens = await acme.signIn()
    const answer = await revoke({ sub_id: { format: 'opaque', id: 'eve' } })
    expect([answer.status, await answer.json()]).toMatchObject([404, { error: 'not_found' }])
    expect(acme.told.take()).toEqual(['revocation_subject_unknown'])
    expect(await acme.events()).toMatchObject([{ source: 'signal', matched: false }])
    const alarm = "SELECT detail ->> 'named' AS named FROM audit_events WHERE tenant_id = $1 AND kind = 'deprovisioning.unmatched'"
    expect(await acme.owner(alarm)).toEqual([{ named: `signal:${acme.tenant().connectionId}:eve` }])
    expect(await acme.isActive(tokens)).toBe(true)
  })

  it('of somebody whom nobody knows, where no more of them are kept, is to be sent again, and is heard then', async () => {
    const { tenantId, connectionId } = acme.tenant()
    const many = { name: 'out ', count: unmatchedSignalLimits.ofConnection, deactivates: true, at: acme.now() }
    await manyUnmatchedSignals(fixture.ownerUrl, { tenantId, connectionId, ...many })
    const [eve, jwt] = [{ sub_id: { format: 'opaque', id: 'eve' } }, `Bearer ${await aJwt()}`]
    const full = await send(eve, jwt)
    expect([full.status, full.headers.get('retry-after'), acme.told.take()]).toEqual([503, '60', ['unmatched_signals_full']])
    const told = `SELECT kind, detail ->> 'named' AS named FROM audit_events WHERE tenant_id = $1
      AND kind IN ('deprovisioning.unmatched', 'connection.signal_alarm') ORDER BY id`
    const named = `signal:${connectionId}:eve`
    expect(await acme.owner(told)).toEqual([
      { kind: 'deprovisioning.unmatched', named },
      { kind: 'connection.signal_alarm', named },
    ])
    await acme.owner("DELETE FROM unmatched_signals WHERE tenant_id = $1 AND stable_id = 'out 1'")
    expect((await send(eve, jwt)).status).toBe(404)
  })

  it('counts once', async () => {
    const jwt = `Bearer ${await aJwt()}`
    expect((await send({ sub_id: { format: 'opaque', id: 'eve' } }, jwt)).status).toBe(404)
    const tokens = await acme.signIn()
    expect((await send(ada, jwt)).status).toBe(401)
    expect(acme.told.take()).toContain('revocation_token_replayed')
    expect(await acme.isActive(tokens)).toBe(true)
  })

  it('at another connection of the same IdP takes nothing from people of this one', async () => {
    const tokens = await acme.signIn()
    const other = await anotherConnection(fixture, acme.tenant(), 'Other')
    expect((await revoke(ada, { claims: { aud: addressOf(other) } }, other)).status).toBe(404)
    expect((await revoke(ada, { claims: { aud: addressOf(other) } })).status).toBe(401)
    expect(await acme.isActive(tokens)).toBe(true)
  })

  it('is heard at a connection that is switched off', async () => {
    const tokens = await acme.signIn()
    await acme.owner('UPDATE connections SET disabled_at = now() WHERE tenant_id = $1')
    expect((await revoke()).status).toBe(204)
    await acme.owner('UPDATE connections SET disabled_at = NULL WHERE tenant_id = $1')
    expect(await acme.refresh(tokens)).toBe(400)
  })

  it('reaches her by the id that the directory gave her, where the stable id is another', async () => {
    const tokens = await acme.signIn()
    const user = `INSERT INTO scim_users (tenant_id, id, connection_id, user_name, user_name_key, external_id, resource, created_at, updated_at)
      VALUES ($1, $2, $3, 'ada', 'ada', '00u1', '{}', now(), now())`
    const id = randomUUID()
    await acme.owner(user, id, acme.tenant().connectionId)
    await acme.owner("UPDATE subjects SET scim_user_id = $2 WHERE tenant_id = $1 AND stable_id = 'ada'", id)
    expect((await revoke({ sub_id: { format: 'iss_sub', iss: idp, sub: '00u1' } })).status).toBe(204)
    expect(await acme.isActive(tokens)).toBe(false)
  })

  it('by a key that two people bear chooses neither: what both hold ends, and the contacts are told', async () => {
    await acme.configure({ issuer: idp, clientId: 'drawbridge', scimLinkKey: { attribute: 'email', scim: 'externalId' } })
    await acme.owner(
      "INSERT INTO contacts (tenant_id, id, name, email, created_at) VALUES ($1, gen_random_uuid(), 'IT', 'it@a.example', now())",
    )
    const adas = await acme.signIn()
    acme.idp.says = { ...acme.idp.says, sub: 'another' }
    const others = await acme.signIn()
    const answer = await revoke({ sub_id: { format: 'opaque', id: `ada@${acme.tenant().slug}.example` } })
    expect([answer.status, await answer.text()]).toEqual([422, expect.not.stringContaining('nothing was revoked')])
    expect([await acme.isActive(adas), await acme.isActive(others)]).toEqual([false, false])
    expect(await acme.owner("SELECT acts -> 0 ->> 'kind' AS kind FROM announcements WHERE tenant_id = $1")).toEqual([
      { kind: 'deprovisioning.ambiguous' },
    ])
  })

  it('is not answered before anything is done: what the database cannot write is 5xx, and may be sent again', async () => {
    const tokens = await acme.signIn()
    const jwt = `Bearer ${await aJwt()}`
    const refused = await whileNothingIsWritten(() => send(ada, jwt))
    expect(refused.status).toBeGreaterThanOrEqual(500)
    expect((await send(ada, jwt)).status).toBe(204)
    expect(await acme.isActive(tokens)).toBe(false)
  })
})

async function whileNothingIsWritten<T>(run: () => Promise<T>): Promise<T> {
  const alter = (change: string) => asOwner(fixture.ownerUrl, `ALTER TABLE deprovisioning_events ${change}`, [])
  await alter("ADD CONSTRAINT no_signals CHECK (source <> 'signal') NOT VALID")
  try {
    return await run()
  } finally {
    await alter('DROP CONSTRAINT no_signals')
  }
}

describe('an address', () => {
  const hers = (): string => `ada@${acme.tenant().slug}.example`
  const byAddress = (email = hers()) => ({ sub_id: { format: 'email', email } })
  it('names her where the tenant has proven its domain and nobody else of the connection has it', async () => {
    await aProvenDomain()
    const tokens = await acme.signIn()
    expect((await revoke(byAddress(hers().toUpperCase()))).status).toBe(204)
    expect(await acme.isActive(tokens)).toBe(false)
  })
  it.each([
    { when: 'nobody has proven its domain', proven: false, status: 404 },
    { when: 'its proof has lapsed', proven: true, lapsed: true, status: 404 },
    { when: 'its domain belongs to another connection', proven: true, ofOther: true, status: 404 },
    { when: 'two have it', proven: true, second: true, status: 422 },
  ])('names nobody where $when: an alarm', async ({ proven, lapsed, ofOther, second, status }) => {
    const tokens = await acme.signIn()
    if (second) {
      acme.idp.says = { ...acme.idp.says, sub: 'another' }
      await acme.signIn()
    }
    const other = await anotherConnection(fixture, acme.tenant(), 'Other')
    if (proven) await aProvenDomain(ofOther ? other : undefined)
    if (lapsed) await acme.owner('UPDATE domains SET verified_at = NULL, lapsed_at = now() WHERE tenant_id = $1')
    expect((await revoke(byAddress())).status).toBe(status)
    expect(acme.told.take()).toContain(status === 422 ? 'revocation_subject_ambiguous' : 'revocation_subject_unknown')
    expect(await acme.events()).toMatchObject([{ matched: false }])
    expect(await acme.isActive(tokens)).toBe(true)
  })
  it('names the one who is still here, where another who had it was deactivated', async () => {
    await aProvenDomain()
    await acme.signIn()
    acme.idp.says = { ...acme.idp.says, sub: 'hired anew' }
    const tokens = await acme.signIn()
    await acme.owner("UPDATE subjects SET deactivated_at = now() WHERE tenant_id = $1 AND stable_id = 'ada'")
    expect((await revoke(byAddress())).status).toBe(204)
    expect(await acme.isActive(tokens)).toBe(false)
  })
})

describe('is refused and takes nothing, where', () => {
  const { lifeSeconds, skewSeconds } = globalTokenRevocationLimits
  const seconds = () => acme.seconds()
  const refused: readonly { readonly where: string; readonly shape: () => Shape }[] = [
    ...[undefined, 'JWT', 'at+jwt', 'logout+jwt', 'secevent+jwt', 'oauth-id-jag+jwt', 'client-authentication+jwt', 'dpop+jwt'].map(
      (typ) => ({
        where: `the typ is ${typ ?? 'not there'}`,
        shape: () => ({ typ: typ ?? '' }),
      }),
    ),
    { where: 'another issuer says it', shape: () => ({ claims: { iss: 'https://other.example' } }) },
    { where: 'it names no issuer', shape: () => ({ claims: { iss: undefined } }) },
    { where: 'the audience is the issuer', shape: () => ({ claims: { aud: acme.issuer() } }) },
    { where: 'the audience is the client', shape: () => ({ claims: { aud: 'drawbridge' } }) },
    { where: 'the audience is one of several', shape: () => ({ claims: { aud: [addressOf(), 'https://another.example'] } }) },
    { where: 'the address has a slash too many', shape: () => ({ claims: { aud: `${addressOf()}/` } }) },
    { where: 'it has no audience', shape: () => ({ claims: { aud: undefined } }) },
    { where: 'it does not end', shape: () => ({ claims: { exp: undefined } }) },
    { where: 'it has ended', shape: () => ({ claims: { iat: seconds() - 500, exp: seconds() - skewSeconds } }) },
    { where: 'it lives too long', shape: () => ({ claims: { exp: seconds() + lifeSeconds + 1 } }) },
    { where: 'it has no time of issue', shape: () => ({ claims: { iat: undefined } }) },
    { where: 'it is of tomorrow', shape: () => ({ claims: { iat: seconds() + 86_400, exp: seconds() + 86_500 } }) },
    { where: 'it does not hold yet', shape: () => ({ claims: { nbf: seconds() + skewSeconds + 60 } }) },
    { where: 'it has no id', shape: () => ({ claims: { jti: undefined } }) },
    { where: 'its id is empty', shape: () => ({ claims: { jti: '' } }) },
    { where: 'it carries an event', shape: () => ({ claims: { events: {} } }) },
    { where: 'it carries a nonce', shape: () => ({ claims: { nonce: 'n' } }) },
    { where: 'a stranger signed it under the name of a key', shape: () => ({ key: keys.stranger }) },
    {
      where: 'a further issuer of nobody signed it',
      shape: () => ({ claims: { iss: organization }, key: keys.organization, kid: `of ${organization}` }),
    },
  ]
  it.each(refused)('$where', async ({ shape }) => {
    const tokens = await acme.signIn()
    // The keys are at hand: what none of them has signed is judged, and not put off.
    expect((await revoke({ sub_id: { format: 'opaque', id: 'nobody' } })).status).toBe(404)
    acme.wait(61)
    acme.told.take()
    const answer = await revoke(ada, shape())
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="drawbridge"'])
    expect(acme.told.take()).toEqual(['revocation_token_refused'])
    expect(await acme.isActive(tokens)).toBe(true)
    expect(await acme.events()).toMatchObject([{ matched: false }])
  })

  it('nothing is presented, or no JWT', async () => {
    for (const authorization of [undefined, 'Bearer', 'Bearer a.b', 'Basic YTpi', `Bearer ${'a'.repeat(20_000)}`])
      expect((await send(ada, authorization)).status).toBeGreaterThanOrEqual(400)
    expect(acme.told.take()).toContain('revocation_token_missing')
  })
  it.each(['none', 'HS256'])('the algorithm is %s', async (alg) => {
    const [, claims] = (await aJwt()).split('.')
    const header = Buffer.from(JSON.stringify({ alg, typ: 'global-token-revocation+jwt' })).toString('base64url')
    expect((await send(ada, `Bearer ${header}.${claims}.AAAA`)).status).toBe(401)
  })
  it('the connection is of another tenant, unknown or no id at all', async () => {
    for (const connectionId of [randomUUID(), 'none'])
      expect((await revoke(ada, { claims: { aud: addressOf(connectionId) } }, connectionId)).status).toBe(401)
  })
  it.each([
    '{"sub_id":{"format":"opaque","id":"a\\u0000"}}',
    '',
    '{',
    '[]',
    'null',
    '{}',
    '{"sub_id":null}',
    '{"sub_id":{"format":"phone_number","phone_number":"+1"}}',
  ])('the body is %j', async (body) => {
    expect((await revoke(body)).status).toBe(400)
    expect(acme.told.take()).toEqual(['revocation_body_malformed'])
    expect(await acme.events()).toEqual([])
  })
  it('it names somebody of another issuer', async () => {
    const answer = await revoke({ sub_id: { format: 'iss_sub', iss: 'https://other.example', sub: 'ada' } })
    expect([answer.status, acme.told.take()]).toEqual([403, ['revocation_subject_of_another']])
  })
  it('its keys may be new and may not be asked for again: told when to come', async () => {
    expect((await revoke({ sub_id: { format: 'opaque', id: 'nobody' } })).status).toBe(404)
    await revoke(ada, { key: keys.stranger, kid: 'new' })
    acme.told.take()
    const answer = await revoke(ada, { key: keys.stranger, kid: 'newer' })
    expect([answer.status, Number(answer.headers.get('retry-after')) > 0, acme.told.take()]).toEqual([503, true, ['signal_keys_awaited']])
  })
})

describe('an IdP that signs under further names', () => {
  const configured = { issuer: idp, clientId: 'drawbridge', signalIssuers: [organization] }
  const byOrganization = { claims: { iss: organization }, kid: `of ${organization}` }
  it('is believed under those that the connection lists, by the keys of each alone', async () => {
    await acme.configure(configured)
    const tokens = await acme.signIn()
    expect((await revoke(ada, { ...byOrganization, key: keys.own, kid: `of ${idp}` })).status).toBeGreaterThanOrEqual(400)
    expect((await revoke(ada, { claims: { iss: idp }, key: keys.organization, kid: `of ${organization}` })).status).toBeGreaterThanOrEqual(
      400,
    )
    expect(await acme.isActive(tokens)).toBe(true)
    const named = { sub_id: { format: 'iss_sub', iss: organization, sub: 'ada' } }
    expect((await revoke(named, { ...byOrganization, key: keys.organization })).status).toBe(204)
    expect(await acme.isActive(tokens)).toBe(false)
  })
})

describe('over a SAML connection', () => {
  it('the key of its certificate signs, its entity id is the issuer, and nobody else counts', async () => {
    const saml = await aSamlCompany(fixture)
    await saml.begin()
    const { tokens } = await saml.signIn()
    const address = `${saml.issuer()}/global-token-revocation/${saml.tenant().connectionId}`
    const now = Math.floor(Date.parse(saml.at(0)) / 1000)
    const { entity, sub } = await factsOf(saml.tenant().tenantId)
    const jwt = (key: Parameters<SignJWT['sign']>[0], iss = entity) =>
      new SignJWT({ iss, sub: '0oa1', aud: address, jti: randomUUID(), iat: now, exp: now + 300 })
        .setProtectedHeader({ alg: 'RS256', kid: 'whatever it calls it', typ: 'global-token-revocation+jwt' })
        .sign(key)
    const tell = async (bearer: string) =>
      (
        await fetch(saml.here(address), {
          method: 'POST',
          body: JSON.stringify({ sub_id: { format: 'iss_sub', iss: entity, sub } }),
          headers: { authorization: `Bearer ${bearer}` },
        })
      ).status
    expect(await tell(await jwt(aFixtureKey().privateKey))).toBe(401)
    expect(await tell(await jwt(saml.key.privateKey, 'https://other.example'))).toBe(401)
    expect(await saml.isActive(tokens)).toBe(true)
    expect(await tell(await jwt(saml.key.privateKey))).toBe(204)
    expect(await saml.isActive(tokens)).toBe(false)
    await saml.broker.close()
  })
})

async function factsOf(tenantId: string): Promise<{ readonly entity: string; readonly sub: string }> {
  const facts = `SELECT c.configuration ->> 'idpEntityId' AS entity, s.stable_id AS sub FROM connections c
    JOIN subjects s ON s.tenant_id = c.tenant_id AND s.connection_id = c.id WHERE c.tenant_id = $1 ORDER BY s.last_login_at DESC LIMIT 1`
  return (await asOwner(fixture.ownerUrl, facts, [tenantId]))[0] as never
}
