import type { AddressInfo } from 'node:net'
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { createSealer } from '@drawbridge/crypto/seal'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import { createVerifiedSignatures } from '@drawbridge/crypto/verified-signatures'
import { silentLog } from '@drawbridge/runtime/log'
import { createMetrics } from '@drawbridge/runtime/metrics'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aGrant, aRedirectUri, aVerifier } from '@drawbridge/testkit/a-grant'
import { aRobot } from '@drawbridge/testkit/a-robot'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BrokerApp, createApp } from '../app.js'
import { createClientCache } from '../clients/client-cache.js'
import type { BrokerDeps } from '../deps.js'
import { createConfigurationCache } from '../http/tenant.js'

const installationId = '00000000-0000-4000-8000-00000000000f'
const publicUrl = 'http://localhost:4400'
let now: Instant = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
let app: BrokerApp
let origin: string
let as: oauth.AuthorizationServer
let client: oauth.Client

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme', publicUrl })
  const random = systemRandom()
  const sealer = createSealer([{ version: 1, key: Buffer.alloc(32, 9) }])
  const key = generateSigningKey(random, 'tokens')
  const context = { installation: installationId, tenant: acme.tenantId, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at)
     VALUES ($1, $2, $3, 'tokens', 'ES256', 'active', $4, $5, $6)`,
    [acme.tenantId, key.id, acme.issuerId, JSON.stringify(key.publicJwk), sealer.seal(key.privateKey, context), new Date(now)],
  )
  const clock = { now: () => now }
  const settings = { publicUrl, trustedProxyHops: 0, allowedOrigins: [] }
  const shared = { settings, database: fixture.database, clock, log: silentLog(), metrics: createMetrics({ withProcess: false }), sealer }
  const deps = {
    ...shared,
    random,
    installation: { id: installationId, kind: 'demo' },
    configuration: createConfigurationCache({ ...shared, installationId }),
    clients: createClientCache(fixture.database),
    logins: { record: () => undefined, settled: async () => undefined },
    signatures: createVerifiedSignatures(),
    fetchSafely: () => Promise.reject(new Error('nothing is fetched here')),
    connectorFor: () => undefined,
  } as unknown as BrokerDeps
  app = createApp(deps)
  await new Promise<void>((resolve) => app.server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  as = (await (await fetch(`${origin}/t/acme/.well-known/openid-configuration`)).json()) as oauth.AuthorizationServer
  client = { client_id: acme.clientId }
})
afterAll(async () => {
  await app.close()
  await fixture.close()
})

/** The issuer's URL is not where this test listens. */
const options = {
  [oauth.allowInsecureRequests]: true,
  [oauth.customFetch]: (url: string, init: RequestInit) => fetch(url.replace(publicUrl, origin), init),
} as const
const post = (path: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${origin}/t/acme/${path}`, { method: 'POST', body: new URLSearchParams(form), headers })
const basic = (id: string, secret: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })
const introspect = async (token: string) => (await post('introspect', { token }, basic(acme.credentialId, acme.credentialSecret))).json()

async function login(given: { scopes?: readonly string[]; identityScopes?: readonly ['openid']; nonce?: string } = {}) {
  const { code } = await aGrant(fixture, acme, { now, ...given })
  const callback = oauth.validateAuthResponse(as, client, new URLSearchParams({ code, iss: as.issuer }), oauth.skipStateCheck)
  const response = await oauth.authorizationCodeGrantRequest(as, client, oauth.None(), callback, aRedirectUri, aVerifier, options)
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, given.nonce ? { expectedNonce: given.nonce } : {})
  return { code, tokens }
}
const redeem = (code: string) =>
  post('token', { grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier, client_id: acme.clientId })
const refusalsOf = (grantId: string) =>
  asOwner(fixture.ownerUrl, 'SELECT kind, reason FROM audit_events WHERE reason IS NOT NULL AND grant_id = $1', [grantId])
const refresh = async (token: string) =>
  oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, oauth.None(), token, options))

describe('metadata', () => {
  it('is the same document at every well-known form, open to other origins', async () => {
    const paths = [
      '/.well-known/oauth-authorization-server/t/acme',
      '/.well-known/openid-configuration/t/acme',
      '/t/acme/.well-known/openid-configuration',
      '/t/acme/.well-known/oauth-authorization-server',
    ]
    const answers = await Promise.all(paths.map((path) => fetch(origin + path)))
    expect(answers.map((answer) => answer.headers.get('access-control-allow-origin'))).toEqual(paths.map(() => '*'))
    expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1)
    expect(as.issuer).toBe(`${publicUrl}/t/acme`)
  })
})

describe('the token endpoint', () => {
  it('redeems a code for tokens that the published keys verify', async () => {
    const { tokens } = await login()
    const keys = createRemoteJWKSet(new URL(`${origin}/t/acme/jwks`))
    const { payload } = await jwtVerify(tokens.access_token, keys, {
      issuer: as.issuer,
      audience: acme.resource,
      typ: 'at+jwt',
      algorithms: ['ES256'],
    })
    expect(payload).toMatchObject({
      sub: acme.subjectId,
      client_id: acme.clientId,
      tenant: 'acme',
      scope: 'read write',
      epochs: '1.1.1.1.1',
      acr: 'mfa',
    })
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 900, scope: 'read write' })
    expect(tokens.refresh_token).toMatch(/^dbr_/)
    expect(tokens.id_token).toBeUndefined()
  })

  it('adds an ID token with nonce and at_hash when openid was granted', async () => {
    const { tokens } = await login({ identityScopes: ['openid'], nonce: 'n-0S6_WzA2Mj' })
    expect(oauth.getValidatedIdTokenClaims(tokens)).toMatchObject({ sub: acme.subjectId, nonce: 'n-0S6_WzA2Mj', amr: ['pwd', 'otp'] })
    expect(decodeJwt(tokens.id_token as string)['at_hash']).toMatch(/^[\w-]{22}$/)
  })

  it('refuses a code twice and lets nothing of its grant live', async () => {
    const { code, tokens } = await login()
    expect(await introspect(tokens.access_token)).toMatchObject({ active: true, sub: acme.subjectId })
    const form = { grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier, client_id: acme.clientId }
    const replay = await post('token', form)
    expect([replay.status, ((await replay.json()) as { error: string }).error]).toEqual([400, 'invalid_grant'])
    expect(await introspect(tokens.access_token)).toEqual({ active: false })
    await expect(refresh(tokens.refresh_token as string)).rejects.toMatchObject({ error: 'invalid_grant' })
  })

  it('holds a refresh and a redemption to the ceilings of this moment, and refuses it where the issuer may no longer mint', async () => {
    const { tokens } = await login()
    const { code } = await aGrant(fixture, acme, { now })
    const set = (sql: string) => asOwner(fixture.ownerUrl, sql, [acme.tenantId])
    await set("UPDATE clients SET scope_ceiling = '{read}', access_token_ttl_seconds = 120 WHERE tenant_id = $1")
    const held = await refresh(tokens.refresh_token as string)
    expect(held).toMatchObject({ scope: 'read', expires_in: 120 })
    const redeemed = await redeem(code)
    expect(await redeemed.json()).toMatchObject({ scope: 'read', expires_in: 120 })
    await set("UPDATE clients SET scope_ceiling = '{}', access_token_ttl_seconds = NULL WHERE tenant_id = $1")
    const [shared] = await asOwner<{ resource_id: string }>(
      fixture.ownerUrl,
      'DELETE FROM resource_issuers WHERE tenant_id = $1 RETURNING *',
      [acme.tenantId],
    )
    await expect(refresh(held.refresh_token as string)).rejects.toMatchObject({ error: 'invalid_grant' })
    await asOwner(
      fixture.ownerUrl,
      'INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $1, $3)',
      [acme.tenantId, shared?.resource_id, acme.issuerId],
    )
  })

  it('gives parallel refreshes one successor, and kills the family for a replay after the grace', async () => {
    const { tokens } = await login()
    const first = tokens.refresh_token as string
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(first)))
    const successors = new Set(answers.map((answer) => answer.refresh_token))
    expect(successors.size).toBe(1)
    const last = answers[0]?.access_token as string
    now = addSeconds(now, 31)
    await expect(refresh(first)).rejects.toMatchObject({ error: 'invalid_grant' })
    await expect(refresh([...successors][0] as string)).rejects.toMatchObject({ error: 'invalid_grant' })
    expect(await introspect(last)).toEqual({ active: false })
  })

  it('refuses everything of a person from the moment she is deactivated, and revives nothing afterwards', async () => {
    const { tokens } = await login()
    const change = (sql: string) => asOwner(fixture.ownerUrl, `UPDATE subjects SET ${sql} WHERE id = $1`, [acme.subjectId])
    await change('epoch = epoch + 1, barrier_at = claims_at, deactivated_at = claims_at')
    await expect(refresh(tokens.refresh_token as string)).rejects.toMatchObject({ error: 'invalid_grant' })
    await change('deactivated_at = NULL')
    await expect(refresh(tokens.refresh_token as string)).rejects.toMatchObject({ error: 'invalid_grant' })
    expect(await introspect(tokens.access_token)).toEqual({ active: false })
    await change('epoch = 1')
  })

  it.each([
    { when: 'there is no grant_type', form: {}, status: 400, error: 'invalid_request' },
    { when: 'the grant_type is unknown', form: { grant_type: 'password' }, status: 400, error: 'unsupported_grant_type' },
    {
      when: 'the client is unknown',
      form: { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'nobody' },
      status: 401,
      error: 'invalid_client',
    },
    {
      when: 'the token is not ours',
      form: { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'client-of-acme' },
      status: 400,
      error: 'invalid_grant',
    },
  ])('answers $status $error when $when', async ({ form, status, error }) => {
    const answer = await post('token', form as Record<string, string>)
    expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([status, error])
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  it('answers 400 for a body that is no form and for a repeated parameter', async () => {
    for (const body of ['grant_type=refresh_token&grant_type=refresh_token', '%ff']) {
      const answer = await fetch(`${origin}/t/acme/token`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
      expect(answer.status).toBe(400)
    }
    expect(
      (await fetch(`${origin}/t/acme/token`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })).status,
    ).toBe(400)
  })

  it('decides again when policy has changed, shrinks the grant for good, and refuses when nothing is left', async () => {
    const identity: NormalizedIdentity = {
      connectionId: acme.connectionId,
      stableId: 'ada',
      subjectId: acme.subjectId,
      claims: new Map(),
      groups: { state: 'known', value: ['engineering'] },
      authentication: { acr: 'mfa', amr: ['otp'], authenticatedAt: now },
      sessionExpiresAt: undefined,
      idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
    }
    const publish = (document: string) =>
      inTenant(fixture.database, acme.tenantId, (db) => publishPolicy(db, acme.tenantId, { document, author: 'test', now }))
    await asOwner(fixture.ownerUrl, 'UPDATE subjects SET claims = $2 WHERE id = $1', [
      acme.subjectId,
      JSON.stringify(identityToJson(identity)),
    ])
    for (const name of ['read', 'write']) {
      await asOwner(
        fixture.ownerUrl,
        'INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier) VALUES ($1, $2, $3, $3, $3)',
        [acme.tenantId, acme.resourceId, name],
      )
    }
    const { tokens } = await login({ scopes: ['read', 'write'] })
    const waiting = await aGrant(fixture, acme, { now, scopes: ['read', 'write'] })
    const hopeless = await aGrant(fixture, acme, { now, scopes: ['write'] })
    await publish('version: 1\nrules: [{name: readers, effect: grant, scopes: ["read"], everyone: true}]')
    const shrunk = await refresh(tokens.refresh_token as string)
    expect(shrunk).toMatchObject({ scope: 'read' })
    const redeemed = await redeem(waiting.code)
    expect(await redeemed.json()).toMatchObject({ scope: 'read' })
    const denied = await redeem(hopeless.code)
    expect(await denied.json()).toMatchObject({ error: 'invalid_grant' })
    expect(await refusalsOf(hopeless.grantId)).toEqual([{ kind: 'code_refused', reason: 'grant_policy_denies' }])
    expect(await introspect(tokens.access_token)).toMatchObject({ active: true, scope: 'read' })
    expect(await refresh(tokens.refresh_token as string)).toMatchObject({ scope: 'read', refresh_token: shrunk.refresh_token })
    await publish('version: 1\nrules: [{name: all, effect: grant, scopes: ["read", "write"], everyone: true}]')
    const again = await refresh(shrunk.refresh_token as string)
    expect(again).toMatchObject({ scope: 'read' })
    await publish('version: 1\nrules: []')
    await expect(refresh(again.refresh_token as string)).rejects.toMatchObject({ error: 'invalid_grant' })
    const audited = await asOwner(
      fixture.ownerUrl,
      "SELECT count(*)::int AS n FROM audit_events WHERE reason = 'grant_policy_denies' AND grant_id = $1",
      [decodeJwt(again.access_token)['gid']],
    )
    expect(audited).toEqual([{ n: 1 }])
    await asOwner(fixture.ownerUrl, 'UPDATE tenants SET policy_version = 0 WHERE id = $1', [acme.tenantId])
  })
})

describe('client_credentials', () => {
  const robot = { client_id: 'robot' }
  const ask = (form: Record<string, string>) =>
    oauth
      .clientCredentialsGrantRequest(as, robot, oauth.ClientSecretBasic('dbk_robot'), form, options)
      .then((response) => oauth.processClientCredentialsResponse(as, robot, response))

  it('gives a registered client what its ceiling names, and nothing else', async () => {
    await aRobot(fixture, acme, { now, method: 'client_secret_basic' })
    const tokens = await ask({ resource: acme.resource })
    expect(tokens).toMatchObject({ scope: 'read', expires_in: 1800 })
    expect(tokens.refresh_token).toBeUndefined()
    expect(await introspect(tokens.access_token)).toMatchObject({ active: true, sub: 'robot', client_id: 'robot', epochs: '1.1.0.0.1' })
    expect(await ask({ resource: acme.resource, scope: 'read write' })).toMatchObject({ scope: 'read' })
    await expect(ask({ resource: acme.resource, scope: 'write' })).rejects.toMatchObject({ error: 'invalid_scope' })
    await expect(ask({ resource: 'https://other.example' })).rejects.toMatchObject({ error: 'invalid_target' })
    await asOwner(fixture.ownerUrl, "UPDATE clients SET epoch = 2 WHERE client_id = 'robot'")
    expect(await introspect(tokens.access_token)).toEqual({ active: false })
    expect(await ask({ resource: acme.resource })).toMatchObject({ scope: 'read' })
  })

  it('refuses a public client', async () => {
    const answer = await post('token', { grant_type: 'client_credentials', client_id: acme.clientId, resource: acme.resource })
    expect(await answer.json()).toMatchObject({ error: 'unauthorized_client' })
  })
})

describe('revocation and introspection', () => {
  it.each(['refresh_token', 'access_token'] as const)('kills the grant when its %s is given back', async (kind) => {
    const { tokens } = await login()
    const given = tokens[kind] as string
    expect((await post('revoke', { token: given, client_id: acme.clientId })).status).toBe(200)
    expect(await introspect(tokens.access_token)).toEqual({ active: false })
    await expect(refresh(tokens.refresh_token as string)).rejects.toMatchObject({ error: 'invalid_grant' })
  })

  it('answers 200 for a token that nobody knows', async () => {
    expect((await post('revoke', { token: 'whatever', client_id: acme.clientId as ClientId })).status).toBe(200)
  })

  it('answers 401 with a challenge to whoever is no resource server', async () => {
    const { tokens } = await login()
    for (const headers of [{}, basic(acme.credentialId, 'dbx_wrong'), basic('not-an-id', 'x')]) {
      const answer = await post('introspect', { token: tokens.access_token }, headers as Record<string, string>)
      expect([answer.status, answer.headers.get('www-authenticate')?.startsWith('Basic')]).toEqual([401, true])
    }
  })

  it('knows a resource server whose client percent-encodes its credential (RFC 6749 §2.3.1)', async () => {
    const { tokens } = await login()
    const encode = (text: string) => Buffer.from(text).toString('hex').replaceAll(/../g, '%$&')
    const ask = (secret: string) => post('introspect', { token: tokens.access_token }, basic(encode(acme.credentialId), secret))
    expect(await (await ask(encode(acme.credentialSecret))).json()).toMatchObject({ active: true })
    for (const wrong of [encode(`${acme.credentialSecret}x`), '%', `${acme.credentialSecret}%00`])
      expect((await ask(wrong)).status).toBe(401)
  })

  it('calls a token of a compromised key inactive at once', async () => {
    const { tokens } = await login()
    expect(await introspect(tokens.access_token)).toMatchObject({ active: true })
    const mark = (state: string) =>
      asOwner(fixture.ownerUrl, 'UPDATE signing_keys SET state = $2 WHERE tenant_id = $1', [acme.tenantId, state])
    await mark('compromised')
    expect(await introspect(tokens.access_token)).toEqual({ active: false })
    await mark('active')
  })
})
