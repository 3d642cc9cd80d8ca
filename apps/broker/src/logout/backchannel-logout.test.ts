/** A logout token at its endpoint: what it ends, what it leaves, and that no other kind of signed message passes for one, nor it for another. */
import { randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { signJwt } from '@drawbridge/crypto/jwt'
import { generateSigningKey, toSigningKey } from '@drawbridge/crypto/signing-keys'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import {
  type AnIdp,
  aCompany,
  anAuthorizeUrl,
  anIdp,
  anotherConnection,
  aPlainBrowser,
  aWebRedirectUri,
  hidden,
} from '@drawbridge/testkit/a-login'
import { aSigningIssuer } from '@drawbridge/testkit/a-signing-issuer'
import type { ATenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const idpIssuer = aSigningIssuer('https://idp.example')
const told = toldRefusals()
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let idp: AnIdp
let company: ATenant
let slugs = 0

beforeAll(async () => {
  fixture = await testDatabase()
  idp = anIdp(() => now)
  const { fetchSafely } = idpIssuer
  broker = await aBroker(fixture.database, {
    ...{ clock: { now: () => now }, connectorFor: idp.connectorFor, fetchSafely, metrics: told.metrics },
  })
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})
beforeEach(async () => {
  now = addSeconds(now, 5)
  company = await aCompany(fixture, `out-${(slugs += 1)}`, now)
  idp.says = { sub: 'ada', sid: 's1', groups: ['staff'], amr: ['pwd', 'otp'] }
  await aSigningKey(company)
  told.take()
})

/** A key for access tokens; answers what it signs with. */
async function aSigningKey({ tenantId, issuerId }: ATenant) {
  const key = generateSigningKey(broker.deps.random, 'tokens')
  const place = { tenant: tenantId, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at)
     VALUES ($1, $2, $3, 'tokens', 'ES256', 'active', $4, $5, now())`,
    [
      ...[tenantId, key.id, issuerId, JSON.stringify(key.publicJwk)],
      broker.deps.sealer.seal(key.privateKey, { installation: broker.deps.installation.id, ...place }),
    ],
  )
  return key
}

const issuer = () => `http://localhost:4400/t/${company.slug}`
const at = (path: string, connectionId: string = company.connectionId) => `${broker.url}/t/${company.slug}/oidc/${connectionId}/${path}`
const post = (url: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body: new URLSearchParams(form), headers, redirect: 'manual' })

const event = { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }
const times = () => ({ iat: toSeconds(now), exp: toSeconds(now) + 120, jti: randomUUID() })
const logoutClaims = (claims: object = {}) => ({ iss: idpIssuer.issuer, aud: 'drawbridge', ...times(), ...event, sid: 's1', ...claims })
const aLogoutToken = (claims: object = {}) => idpIssuer.sign({ typ: 'logout+jwt' }, logoutClaims(claims))
const tell = (token: string, connectionId?: string) => post(at('backchannel-logout', connectionId), { logout_token: token })

/** Signs in through the broker and redeems the code. */
async function signIn() {
  const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
  const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer(), company)), company.connectionId)
  const code = new URL(home.location).searchParams.get('code') ?? ''
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: aWebRedirectUri,
    code_verifier: aVerifier,
    client_id: company.clientId,
  }
  const answer = await post(`${broker.url}/t/${company.slug}/token`, form)
  expect(answer.status).toBe(200)
  const tokens = (await answer.json()) as { access_token: string; refresh_token: string }
  return { browser, tokens }
}
async function isActive(token: string): Promise<boolean> {
  const basic = Buffer.from(`${company.credentialId}:${company.credentialSecret}`).toString('base64')
  const answer = await post(`${broker.url}/t/${company.slug}/introspect`, { token }, { authorization: `Basic ${basic}` })
  return ((await answer.json()) as { active: boolean }).active
}
const refresh = async (refreshToken: string): Promise<number> => {
  const form = { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: company.clientId }
  return (await post(`${broker.url}/t/${company.slug}/token`, form)).status
}

describe('a logout token', () => {
  it.each([
    { names: 'her session', claims: { sid: 's1' } },
    { names: 'her', claims: { sid: undefined, sub: 'ada' } },
    { names: 'both', claims: { sid: 's1', sub: 'ada' } },
  ])('that names $names ends session, access token and refresh token at once', async ({ claims }) => {
    const { browser, tokens } = await signIn()
    expect(await isActive(tokens.access_token)).toBe(true)
    const answer = await tell(aLogoutToken(claims))
    expect([answer.status, answer.headers.get('cache-control'), await answer.text()]).toEqual([200, 'no-store', ''])
    expect(await isActive(tokens.access_token)).toBe(false)
    expect(await refresh(tokens.refresh_token)).toBe(400)
    expect((await browser.visit(anAuthorizeUrl(issuer(), company))).location).toContain('https://idp.example/login')
  })

  it('that names another session, another person or nobody here changes nothing, and is a success', async () => {
    const { tokens } = await signIn()
    for (const claims of [{ sid: 's2' }, { sid: undefined, sub: 'bob' }]) expect((await tell(aLogoutToken(claims))).status).toBe(200)
    expect(await isActive(tokens.access_token)).toBe(true)
    const events = 'SELECT id FROM deprovisioning_events WHERE tenant_id = $1'
    expect(await asOwner(fixture.ownerUrl, events, [company.tenantId])).toEqual([])
  })

  it('at another connection of the same issuer changes nothing there', async () => {
    const { tokens } = await signIn()
    const other = await anotherConnection(fixture, company, 'Other')
    expect((await tell(aLogoutToken(), other)).status).toBe(200)
    expect(await isActive(tokens.access_token)).toBe(true)
  })

  it('counts once', async () => {
    const token = aLogoutToken()
    expect((await tell(token)).status).toBe(200)
    now = addSeconds(now, 1)
    const { tokens } = await signIn()
    const again = await tell(token)
    expect([again.status, again.headers.get('cache-control')]).toEqual([400, 'no-store'])
    expect(await again.json()).toMatchObject({ error: 'invalid_request' })
    expect(told.take()).toContain('oidc_logout_token_replayed')
    expect(await isActive(tokens.access_token)).toBe(true)
  })

  it('leaves what was granted where the tenant lets it outlive a logout', async () => {
    await asOwner(fixture.ownerUrl, 'UPDATE tenants SET grants_outlive_logout = true WHERE id = $1', [company.tenantId])
    const { browser, tokens } = await signIn()
    expect((await tell(aLogoutToken())).status).toBe(200)
    expect(await isActive(tokens.access_token)).toBe(true)
    expect((await browser.visit(anAuthorizeUrl(issuer(), company))).location).toContain('https://idp.example/login')
  })

  it('reaches a login that is on its way home', async () => {
    const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    const left = await browser.visit(anAuthorizeUrl(issuer(), company))
    expect((await tell(aLogoutToken({ sid: undefined, sub: 'ada' }))).status).toBe(200)
    const home = await browser.comeHome(left, company.connectionId)
    expect(home).toMatchObject({ status: 403, text: expect.stringContaining('idp_session_ended') })
  })

  it('ends a code that has not been redeemed yet', async () => {
    const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    const home = await browser.comeHome(await browser.visit(anAuthorizeUrl(issuer(), company)), company.connectionId)
    expect((await tell(aLogoutToken())).status).toBe(200)
    const code = new URL(home.location).searchParams.get('code') ?? ''
    const form = { grant_type: 'authorization_code', code, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
    const answer = await post(`${broker.url}/t/${company.slug}/token`, { ...form, client_id: company.clientId })
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: 'invalid_grant' }])
  })

  it('ends a request that waits for a yes on the consent page', async () => {
    await asOwner(fixture.ownerUrl, 'UPDATE clients SET pre_approved = false WHERE tenant_id = $1', [company.tenantId])
    const browser = aPlainBrowser({ issuer: issuer(), url: broker.url })
    const noticed = await browser.visit(anAuthorizeUrl(issuer(), company))
    const left = await browser.submit(noticed.location, { answer: 'continue' })
    const consent = await browser.comeHome(left, company.connectionId)
    expect(consent.location).toContain('/authorize/consent?request=')
    const shown = await browser.visit(consent.location)
    expect((await tell(aLogoutToken())).status).toBe(200)
    const fields = { request: hidden(shown.text, 'request'), proof: hidden(shown.text, 'proof'), answer: 'allow' }
    const said = await browser.visit(consent.location.split('?')[0] ?? '', fields)
    expect(said.location).toContain('https://idp.example/login')
    expect(await asOwner(fixture.ownerUrl, 'SELECT id FROM grants WHERE tenant_id = $1', [company.tenantId])).toEqual([])
  })

  it.each([
    { what: 'nothing', form: {} },
    { what: 'twice the token', form: undefined },
  ])('where $what was sent is refused', async ({ form }) => {
    const body = form === undefined ? `logout_token=a&logout_token=${aLogoutToken()}` : ''
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await fetch(at('backchannel-logout'), { method: 'POST', body, headers })
    expect(answer.status).toBe(400)
    expect(told.take()).toEqual(['oidc_logout_token_refused'])
  })

  it('of a key that may be a new one is not refused for good: the provider is told when to send it again', async () => {
    await tell(aLogoutToken())
    told.take()
    const answer = await tell(aSigningIssuer(idpIssuer.issuer).sign({ typ: 'logout+jwt', kid: 'new' }, logoutClaims()))
    expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('cache-control')]).toEqual([503, '60', 'no-store'])
    expect(told.take()).toEqual(['oidc_keys_awaited'])
    expect((await tell(aLogoutToken())).status).toBe(200)
  })

  it('is refused for a connection that is disabled, unknown or speaks SAML', async () => {
    const saml = randomUUID()
    const make = `INSERT INTO connections (tenant_id, id, kind, name, configuration, created_at) VALUES ($1, $2, 'saml', 'S', '{}', now())`
    await asOwner(fixture.ownerUrl, make, [company.tenantId, saml])
    for (const connectionId of [saml, randomUUID(), 'none']) expect((await tell(aLogoutToken(), connectionId)).status).toBe(400)
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET disabled_at = now() WHERE tenant_id = $1', [company.tenantId])
    expect((await tell(aLogoutToken())).status).toBe(400)
  })
})

/** Every other kind of signed message that there is. Where the same key could sign it, it does: the kind alone must tell. */
const otherKinds: Readonly<Record<string, (tokens: { access_token: string }) => string>> = {
  'an ID token': () => idpIssuer.sign({ typ: 'JWT' }, { ...logoutClaims(), events: undefined, nonce: 'n', sub: 'ada' }),
  'an ID token with the event': () => idpIssuer.sign({ typ: 'JWT' }, logoutClaims({ nonce: 'n', sub: 'ada' })),
  'a client assertion': () => idpIssuer.sign({ typ: 'JWT' }, { iss: 'drawbridge', sub: 'drawbridge', aud: idpIssuer.issuer, ...times() }),
  'an explicitly typed client assertion': () => idpIssuer.sign({ typ: 'client-authentication+jwt' }, logoutClaims()),
  'a security event': () => idpIssuer.sign({ typ: 'secevent+jwt' }, logoutClaims()),
  'a Global Token Revocation': () => idpIssuer.sign({ typ: 'global-token-revocation+jwt' }, logoutClaims()),
  'an ID-JAG': () => idpIssuer.sign({ typ: 'oauth-id-jag+jwt' }, logoutClaims()),
  'an access token of the IdP': () => idpIssuer.sign({ typ: 'at+jwt' }, logoutClaims()),
  'our access token': ({ access_token: token }) => token,
  'our notice': () => {
    const key = generateSigningKey(broker.deps.random, 'notices')
    return signJwt(toSigningKey(key, key.privateKey), { typ: 'secevent+jwt' }, logoutClaims({ iss: issuer() }))
  },
  'a SAML message': () => Buffer.from('<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"/>').toString('base64'),
}

describe('another kind of signed message is no logout token', () => {
  it.each(Object.keys(otherKinds))('%s', async (kind) => {
    const { tokens } = await signIn()
    const answer = await tell(otherKinds[kind]?.(tokens) ?? '')
    expect(answer.status).toBe(400)
    expect(told.take()).toContain('oidc_logout_token_refused')
    expect(await isActive(tokens.access_token)).toBe(true)
  })
})

describe('a logout token is nothing but that', () => {
  const basic = () => ({ authorization: `Basic ${Buffer.from(`${company.credentialId}:${company.credentialSecret}`).toString('base64')}` })
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const api = (path: string) => `${broker.url}/t/${company.slug}/${path}`
  const places: Readonly<Record<string, (token: string) => Promise<{ readonly status: number; text(): Promise<string> }>>> = {
    'a client assertion': (token) => {
      const assertion = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: token }
      return post(api('token'), { grant_type: 'client_credentials', ...assertion })
    },
    'a refresh token': (token) => post(api('token'), { grant_type: 'refresh_token', refresh_token: token, client_id: company.clientId }),
    'an authorization code': (token) => {
      const form = { grant_type: 'authorization_code', code: token, redirect_uri: aWebRedirectUri, code_verifier: aVerifier }
      return post(api('token'), { ...form, client_id: company.clientId })
    },
    'a SAML response': (token) => post(`${broker.url}/t/${company.slug}/saml/${company.connectionId}/acs`, { SAMLResponse: token }),
    'an authorization answer': (token) => fetch(`${at('callback')}?code=${token}&state=${token}`, { redirect: 'manual' }),
    'a SCIM token': (token) => fetch(api('scim/v2/Users'), { headers: bearer(token) }),
    'an admin key': (token) => fetch(`${broker.url}/admin/v1/tenants`, { headers: bearer(token) }),
    'a resource credential': (token) => post(api('introspect'), { token: 'x' }, bearer(token)),
  }
  it.each(Object.keys(places))('and not %s', async (place) => {
    const answer = await places[place]?.(aLogoutToken())
    expect(answer?.status).toBeGreaterThanOrEqual(400)
    expect(await answer?.text()).not.toContain('access_token')
  })
  it('and no access token: introspection calls it inactive', async () => {
    expect(await (await post(api('introspect'), { token: aLogoutToken() }, basic())).json()).toEqual({ active: false })
  })
})
