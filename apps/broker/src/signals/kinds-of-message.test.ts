/**
 * Every kind of message that the key of an IdP may sign, at every endpoint that takes one: each is accepted at its own and nowhere else. All
 * bear the claims of all, as far as their kind allows, so that the kind alone tells. security.md §12
 */
import { randomUUID } from 'node:crypto'
import { type ASignallingCompany, aSignallingCompany } from '@drawbridge/testkit/a-signalling-company'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const idp = 'https://idp.example'
const sessionRevoked = { 'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {} }
const backchannel = { 'http://schemas.openid.net/event/backchannel-logout': {} }
let sign: (typ: string | undefined, claims: Record<string, unknown>) => Promise<string>
let fixture: TestDatabase
let acme: ASignallingCompany

beforeAll(async () => {
  fixture = await testDatabase()
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'idp', use: 'sig', alg: 'ES256' }
  sign = (typ, claims) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'idp', ...(typ !== undefined && { typ }) }).sign(privateKey)
  const endpoints = { authorization_endpoint: `${idp}/auth`, token_endpoint: `${idp}/token`, jwks_uri: `${idp}/keys` }
  acme = await aSignallingCompany(fixture, {
    [`${idp}/.well-known/openid-configuration`]: { issuer: idp, ...endpoints },
    [`${idp}/keys`]: { keys: [jwk] },
  })
  await acme.begin()
  await acme.configure({ issuer: idp, clientId: 'drawbridge', ssf: { issuer: idp, jwksUri: `${idp}/keys` } })
  // The same keys, at every endpoint: the kind alone tells.
  await acme.owner(
    `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, gen_random_uuid(), 'assertion', 'trust', $2, now())`,
    JSON.stringify({ issuer: idp, jwksUri: `${idp}/keys`, publicClients: true }),
  )
  await acme.owner(`UPDATE clients SET grant_types = grant_types || '{urn:ietf:params:oauth:grant-type:jwt-bearer}' WHERE tenant_id = $1`)
  acme.broker.deps.configuration.invalidate()
})
afterAll(async () => {
  await acme.broker.close()
  await fixture.close()
})

const base = () => `${acme.issuer()}`
const connection = () => acme.tenant().connectionId
const revocationAddress = () => `${base()}/global-token-revocation/${connection()}`
const receiverAddress = () => `${base()}/ssf/receivers/${connection()}`
/** For everybody at once, where a kind allows several audiences. */
const everybody = () => ['drawbridge', receiverAddress(), revocationAddress(), base(), `${base()}/token`]
const subId = { sub_id: { format: 'opaque', id: 'nobody' } }
const common = () => ({ iss: idp, jti: randomUUID(), iat: acme.seconds() })
const ends = () => ({ exp: acme.seconds() + 120 })

/** Each as good as it can be: what its own endpoint accepts. */
const kinds: Readonly<Record<string, () => Promise<string>>> = {
  'logout token': () =>
    sign('logout+jwt', { ...common(), ...ends(), ...subId, aud: everybody(), events: backchannel, sub: 'nobody', sid: 's' }),
  'Global Token Revocation': () =>
    sign('global-token-revocation+jwt', { ...common(), ...ends(), ...subId, aud: revocationAddress(), sub: 'nobody' }),
  'security event': () => sign('secevent+jwt', { ...common(), ...subId, aud: everybody(), events: sessionRevoked }),
  'security event that is also a logout': () =>
    sign('secevent+jwt', {
      ...common(),
      ...ends(),
      ...subId,
      aud: everybody(),
      sub: 'nobody',
      events: { ...backchannel, ...sessionRevoked },
    }),
  'ID token': () => sign('JWT', { ...common(), ...ends(), aud: 'drawbridge', sub: 'nobody', nonce: 'n', auth_time: acme.seconds() }),
  'message without a kind': () =>
    sign(undefined, { ...common(), ...ends(), ...subId, aud: everybody(), sub: 'nobody', events: sessionRevoked }),
  'access token': () =>
    sign('at+jwt', { ...common(), ...ends(), ...subId, aud: everybody(), sub: 'nobody', events: sessionRevoked, scope: 'read' }),
  'client assertion': () =>
    sign('client-authentication+jwt', {
      ...common(),
      ...ends(),
      aud: everybody(),
      iss: acme.tenant().clientId,
      sub: acme.tenant().clientId,
    }),
  'ID-JAG': () =>
    sign('oauth-id-jag+jwt', {
      ...common(),
      ...ends(),
      ...subId,
      aud: base(),
      sub: 'nobody',
      client_id: acme.tenant().clientId,
      resource: acme.tenant().resource,
      groups: ['staff'],
    }),
  'proof of possession': () =>
    sign('dpop+jwt', { ...common(), ...ends(), ...subId, aud: everybody(), htm: 'POST', htu: revocationAddress() }),
  'our access token': async () => (await acme.signIn()).access_token,
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const at = (url: string) => url.replace('http://localhost:4400', acme.broker.url)
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const send = (url: string, body: BodyInit, headers: Record<string, string>) =>
  fetch(at(url), { method: 'POST', body, headers, redirect: 'manual' })

/** `accepts`: of which kinds. Whether an answer is one of acceptance is told by its status: 404 of a revocation was believed and found nobody. */
const endpoints: Readonly<
  Record<
    string,
    { readonly send: (token: string) => Promise<Response>; readonly accepts: readonly string[]; readonly accepted: readonly number[] }
  >
> = {
  'back-channel logout': {
    send: (token) => acme.post(`oidc/${connection()}/backchannel-logout`, { logout_token: token }),
    ...{ accepts: ['logout token'], accepted: [200] },
  },
  'Global Token Revocation': {
    send: (token) => send(revocationAddress(), JSON.stringify(subId), { 'content-type': 'application/json', ...bearer(token) }),
    ...{ accepts: ['Global Token Revocation'], accepted: [204, 404] },
  },
  'security events': {
    send: (token) => send(receiverAddress(), token, { 'content-type': 'application/secevent+jwt' }),
    ...{ accepts: ['security event'], accepted: [202] },
  },
  'client assertion': {
    send: (token) =>
      acme.post('token', { grant_type: 'client_credentials', client_assertion_type: assertionType, client_assertion: token }),
    ...{ accepts: [], accepted: [200] },
  },
  'assertion grant': {
    send: (token) =>
      acme.post('token', {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: token,
        client_id: acme.tenant().clientId,
      }),
    ...{ accepts: ['ID-JAG'], accepted: [200] },
  },
  SCIM: { send: (token) => fetch(at(`${base()}/scim/v2/Users`), { headers: bearer(token) }), ...{ accepts: [], accepted: [200] } },
  'admin API': {
    send: (token) => fetch(`${acme.broker.url}/admin/v1/tenants`, { headers: bearer(token) }),
    ...{ accepts: [], accepted: [200] },
  },
  'notice poll': {
    send: (token) =>
      send(`${base()}/ssf/poll`, JSON.stringify({ streamId: randomUUID() }), { 'content-type': 'application/json', ...bearer(token) }),
    ...{ accepts: [], accepted: [200] },
  },
  'SAML response': {
    send: (token) => acme.post(`saml/${connection()}/acs`, { SAMLResponse: token }),
    ...{ accepts: [], accepted: [200, 303] },
  },
}

describe.each(Object.keys(endpoints))('at the endpoint of %s', (name) => {
  const { send: present, accepts, accepted } = endpoints[name] as (typeof endpoints)[string]
  it.each(Object.keys(kinds))('%s', async (kind) => {
    // A signature that does not hold would be put off, not judged: the keys may be asked for again.
    acme.wait(61)
    const answer = await present(await (kinds[kind] as () => Promise<string>)())
    expect([kind, accepted.includes(answer.status)]).toEqual([kind, accepts.includes(kind)])
    if (!accepts.includes(kind)) expect(answer.status).toBeGreaterThanOrEqual(400)
    // The one endpoint of these whose acceptance is a token.
    expect((await answer.text()).includes('access_token')).toBe(name === 'assertion grant' && accepts.includes(kind))
  })
})

it('and introspection calls each of the IdP’s inactive', async () => {
  const { credentialId, credentialSecret } = acme.tenant()
  const authorization = `Basic ${Buffer.from(`${credentialId}:${credentialSecret}`).toString('base64')}`
  for (const [kind, make] of Object.entries(kinds).filter(([kind]) => kind !== 'our access token')) {
    const answer = await acme.post('introspect', { token: await make() }, { authorization })
    expect([kind, await answer.json()]).toEqual([kind, { active: false }])
  }
})
