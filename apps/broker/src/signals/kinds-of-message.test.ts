/**
 * Every kind of message that the key of an IdP may sign, and every credential, at every endpoint that takes one: each is accepted at its own and nowhere
 * else. All bear the claims of all, as far as their kind allows, so that the kind alone tells; the same key is trusted everywhere. security.md §12
 */
import { randomUUID } from 'node:crypto'
import { hashOf } from '@drawbridge/testkit/a-grant'
import { type ASignallingCompany, aSignallingCompany } from '@drawbridge/testkit/a-signalling-company'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const idp = 'https://idp.example'
const sessionRevoked = { 'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {} }
const backchannel = { 'http://schemas.openid.net/event/backchannel-logout': {} }
const bye = 'https://client.example/bye'
const gateway = { id: 'gateway', secret: 'dbk_gateway' }
let sign: (typ: string | undefined, claims: Record<string, unknown>, header?: Record<string, unknown>) => Promise<string>
let publicJwk: Record<string, unknown>
let keyedClient: string
let scimToken: string
let fixture: TestDatabase
let acme: ASignallingCompany

beforeAll(async () => {
  fixture = await testDatabase()
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'idp', use: 'sig', alg: 'ES256' }
  publicJwk = await exportJWK(publicKey)
  sign = (typ, claims, header = { kid: 'idp' }) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', ...header, ...(typ !== undefined && { typ }) }).sign(privateKey)
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
  await trustEverywhere({ keys: [jwk] })
  acme.broker.deps.configuration.invalidate()
})

/** A client that proves itself by this key, one that exchanges tokens, publishers who sign by it, and a directory. */
async function trustEverywhere(jwks: object): Promise<void> {
  const { slug, issuerId, resource } = acme.tenant()
  const admin = anAdmin(acme.broker)
  const call = async (method: string, path: string, body: object) => {
    const answer = await admin(method, `/tenants/${slug}${path}`, body)
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const keyed = { name: 'Keyed', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'private_key_jwt', jwks }
  keyedClient = (await call('POST', '/clients', keyed)).clientId as string
  scimToken = (await call('POST', '/scim-tokens', { name: 'directory', connectionId: connection() })).secret as string
  // Who has a directory lets nobody in whom it does not know, unless an admin says so.
  await call('PUT', '/provisioning', { mode: 'just_in_time' })
  await call('PUT', '/software-statements', { required: true, issuers: [{ issuer: idp, jwks }] })
  await acme.owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
     VALUES ($1, $2, $3, 'preregistered', $3, '{}', '{urn:ietf:params:oauth:grant-type:token-exchange,client_credentials}', 'client_secret_basic', $4, '{}', now())`,
    ...[issuerId, gateway.id, hashOf(gateway.secret)],
  )
  await acme.owner(`UPDATE clients SET post_logout_redirect_uris = $3 WHERE tenant_id = $1 AND client_id = $2`, acme.tenant().clientId, [
    bye,
  ])
  const permission = { client: gateway.id, from: resource, to: resource, scopes: ['read'] }
  await acme.owner('UPDATE tenants SET token_exchange = $2 WHERE id = $1', JSON.stringify({ permissions: [permission] }))
}
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
    sign('client-authentication+jwt', { ...common(), ...ends(), ...subId, aud: base(), iss: keyedClient, sub: keyedClient }),
  'software statement': () => sign('JWT', { ...common(), ...software, aud: [base(), `${base()}/register`] }),
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
    sign(
      'dpop+jwt',
      { ...common(), ...ends(), ...subId, aud: everybody(), sub: 'nobody', htm: 'POST', htu: `${base()}/token` },
      { jwk: publicJwk },
    ),
  'our access token': async () => (await acme.signIn()).access_token,
  'our ID token': async () => String((await acme.signIn({ scope: 'openid read' })).id_token),
  'our refresh token': async () => (await acme.signIn()).refresh_token,
  'token of a directory': async () => scimToken,
  'credential of a resource server': async () => `${acme.tenant().credentialId}.${acme.tenant().credentialSecret}`,
  'key of an admin': async () => acme.broker.adminKey,
}
const software = {
  ...{ client_name: 'Reader', redirect_uris: ['https://reader.example/callback'], token_endpoint_auth_method: 'none' },
  ...{ grant_types: ['authorization_code'], software_id: 'reader' },
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const at = (url: string) => url.replace('http://localhost:4400', acme.broker.url)
const asJson = { 'content-type': 'application/json' }
const basic = (id: string, secret: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })
const asGateway = () => basic(gateway.id, gateway.secret)
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const send = (url: string, body: BodyInit, headers: Record<string, string>) =>
  fetch(at(url), { method: 'POST', body, headers, redirect: 'manual' })

type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>>; readonly location: string | null }
const status =
  (...accepted: readonly number[]) =>
  (answer: Answer): boolean =>
    accepted.includes(answer.status)
type Endpoint = {
  readonly send: (token: string) => Promise<Response>
  /** Of which kinds. */
  readonly accepts: readonly string[]
  /** The message was believed, whatever came of it. */
  readonly isAccepted: (answer: Answer) => boolean
  /** Else the status says so: whoever is asked so may know no more than that nothing came of it. */
  readonly isRefused?: (answer: Answer) => boolean
}

const endpoints: Readonly<Record<string, Endpoint>> = {
  'back-channel logout': {
    send: (token) => acme.post(`oidc/${connection()}/backchannel-logout`, { logout_token: token }),
    ...{ accepts: ['logout token'], isAccepted: status(200) },
  },
  'Global Token Revocation': {
    send: (token) => send(revocationAddress(), JSON.stringify(subId), { ...asJson, ...bearer(token) }),
    // 404: it was believed and found nobody.
    ...{ accepts: ['Global Token Revocation'], isAccepted: status(204, 404) },
  },
  'security events': {
    send: (token) => send(receiverAddress(), token, { 'content-type': 'application/secevent+jwt' }),
    ...{ accepts: ['security event'], isAccepted: status(202) },
  },
  'client authentication': {
    send: (token) => acme.post('revoke', { token: 'unknown', client_assertion_type: assertionType, client_assertion: token }),
    ...{ accepts: ['client assertion'], isAccepted: status(200) },
  },
  'assertion grant': {
    send: (token) =>
      acme.post('token', {
        ...{ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: token, client_id: acme.tenant().clientId },
      }),
    ...{ accepts: ['ID-JAG'], isAccepted: status(200) },
  },
  'refresh token grant': {
    send: (token) => acme.post('token', { grant_type: 'refresh_token', refresh_token: token, client_id: acme.tenant().clientId }),
    ...{ accepts: ['our refresh token'], isAccepted: status(200) },
  },
  'token exchange': {
    send: (token) =>
      acme.post(
        'token',
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          ...{
            subject_token: token,
            subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
            resource: acme.tenant().resource,
          },
        },
        asGateway(),
      ),
    ...{ accepts: ['our access token'], isAccepted: status(200) },
  },
  'proof of possession': {
    send: (token) =>
      acme.post('token', { grant_type: 'client_credentials', resource: 'https://nowhere.example' }, { ...asGateway(), dpop: token }),
    ...{ accepts: ['proof of possession'], isAccepted: ({ body }) => body['error'] === 'invalid_target' },
  },
  registration: {
    send: (token) => send(`${base()}/register`, JSON.stringify({ ...software, software_statement: token }), asJson),
    ...{ accepts: ['software statement'], isAccepted: status(201) },
  },
  introspection: {
    send: (token) => acme.post('introspect', { token }, basic(acme.tenant().credentialId, acme.tenant().credentialSecret)),
    ...{ accepts: ['our access token'], isAccepted: ({ body }) => body['active'] === true },
    isRefused: ({ status, body }) => status === 200 && JSON.stringify(body) === '{"active":false}',
  },
  userinfo: {
    send: (token) => fetch(at(`${base()}/userinfo`), { headers: bearer(token) }),
    // 403: it was believed, and its grant has no `openid`.
    ...{ accepts: ['our access token'], isAccepted: status(200, 403) },
  },
  'sign-out': {
    // Whose session is over is led on at once by an ID token of ours alone; else she reads that she is signed out.
    send: (token) =>
      fetch(at(`${base()}/logout?${new URLSearchParams({ id_token_hint: token, post_logout_redirect_uri: bye })}`), { redirect: 'manual' }),
    ...{ accepts: ['our ID token'], isAccepted: ({ location }) => location === bye },
    isRefused: ({ status, location }) => status === 200 && location === null,
  },
  SCIM: {
    send: (token) => fetch(at(`${base()}/scim/v2/Users`), { headers: bearer(token) }),
    ...{ accepts: ['token of a directory'], isAccepted: status(200) },
  },
  'admin API': {
    send: (token) => fetch(`${acme.broker.url}/admin/v1/tenants`, { headers: bearer(token) }),
    ...{ accepts: ['key of an admin'], isAccepted: status(200) },
  },
  'notice poll': {
    send: (token) =>
      send(`${base()}/ssf/poll`, JSON.stringify({ streamId: randomUUID(), returnImmediately: true }), { ...asJson, ...bearer(token) }),
    // 404: there is no such stream of this resource server.
    ...{ accepts: ['credential of a resource server'], isAccepted: status(200, 404) },
  },
}

it('each endpoint accepts one of them: none refuses only because what is sent to it could never be right', () => {
  expect(Object.entries(endpoints).filter(([, { accepts }]) => !accepts.some((kind) => kind in kinds))).toEqual([])
})

describe.each(Object.keys(endpoints))('at the endpoint of %s', (name) => {
  const { send: present, accepts, isAccepted, isRefused } = endpoints[name] as Endpoint
  it.each(Object.keys(kinds))('%s', async (kind) => {
    // A signature that does not hold would be put off, not judged: the keys may be asked for again.
    acme.wait(61)
    const answer = await present(await (kinds[kind] as () => Promise<string>)())
    const text = await answer.text()
    const body = text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : {}
    const told: Answer = { status: answer.status, body, location: answer.headers.get('location') }
    expect({ kind, told, isAccepted: isAccepted(told) }).toEqual({ kind, told, isAccepted: accepts.includes(kind) })
    if (accepts.includes(kind)) return
    expect({ told, isRefused: (isRefused ?? (({ status }) => status >= 400))(told) }).toEqual({ told, isRefused: true })
    expect(text).not.toContain('access_token"')
  })
})

it.each(Object.keys(kinds))('%s is no answer of a SAML identity provider', async (kind) => {
  const answer = await acme.post(`saml/${connection()}/acs`, { SAMLResponse: await (kinds[kind] as () => Promise<string>)() })
  expect(answer.status).toBeGreaterThanOrEqual(400)
})
