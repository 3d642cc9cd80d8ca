import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { err, ok } from '@drawbridge/core/result'
import type { ClientId, Scope } from '@drawbridge/core/tenant/ids'
import { insertClient } from '@drawbridge/store/clients'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ResolvedTenant } from '../http/tenant.js'
import { authenticateClient, readClientClaim } from './client-authentication.js'
import { resolveClient } from './resolve-client.js'

const now: Instant = instant(Date.now())
const documentUrl = 'https://client.example/metadata.json'
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let tenant: ResolvedTenant
let published: unknown
let fetches = 0

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    fetchSafely: async () => {
      fetches += 1
      if (published === undefined) return err({ reason: 'unreachable' })
      return ok({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(published)) })
    },
  })
  tenant = (await broker.deps.configuration.find('acme')) as ResolvedTenant
})
afterAll(async () => {
  await broker.close()
  await fixture.close()
})

const answering = (text: string) => async () =>
  ok({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(text) })
const register = async (body: unknown) => {
  const response = await fetch(`${broker.url}/t/acme/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}
const authenticate = async (form: Record<string, string>, authorization?: string) => {
  const claim = readClientClaim(broker.deps, { headers: authorization === undefined ? {} : { authorization } }, form, tenant)
  const proven = claim.ok ? await authenticateClient(broker.deps, claim.value, 'memory') : claim
  return proven.ok ? 'proven' : proven.error.reason
}
const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

describe('a client metadata document', () => {
  it('is not kept when it cannot be fetched, is kept when it can, and is fetched again only when it has lapsed', async () => {
    const refused = await resolveClient(broker.deps, tenant, documentUrl, 'authorize')
    expect(!refused.ok && refused.error.reason).toBe('client_document_unreachable')
    published = { client_id: documentUrl, client_name: 'Tools', redirect_uris: ['http://127.0.0.1/cb'] }
    expect((await resolveClient(broker.deps, tenant, documentUrl, 'authorize')).ok).toBe(true)
    const before = fetches
    expect((await resolveClient(broker.deps, tenant, documentUrl, 'token')).ok).toBe(true)
    expect(fetches).toBe(before)
  })
  it('is fetched again when the copy that is remembered has lapsed, and what it says now counts', async () => {
    const before = fetches
    const later = { ...broker.deps, clock: { now: () => addSeconds(now, 86_401) } }
    published = { client_id: documentUrl, client_name: 'Tools', redirect_uris: ['http://127.0.0.1/cb'] }
    const claim = readClientClaim(later, { headers: {} }, { client_id: documentUrl }, tenant)
    if (!claim.ok) throw new Error('no claim')
    expect((await authenticateClient(broker.deps, claim.value, 'memory')).ok).toBe(true)
    expect(fetches).toBe(before)
    expect((await authenticateClient(later, claim.value, 'memory')).ok).toBe(true)
    expect(fetches).toBe(before + 1)
  })
  it.each([
    { when: 'its name holds NUL', raw: String.raw`{"client_name":"a\u0000b"}` },
    { when: 'a key holds half a surrogate pair', raw: String.raw`{"client_name":"Tools","jwks":{"keys":[{"kty":"\ud800"}]}}` },
  ])('is refused by name, not by the database, when $when', async ({ raw }) => {
    const url = 'https://hostile.example/metadata.json'
    const text = `{"client_id":"${url}","redirect_uris":["https://hostile.example/cb"],${raw.slice(1)}`
    const found = await resolveClient({ ...broker.deps, fetchSafely: answering(text) }, tenant, url, 'authorize')
    expect(!found.ok && found.error.reason).toBe('client_document_invalid')
  })
  it('never reaches out from the token endpoint for a client that nobody has met', async () => {
    const before = fetches
    expect(await authenticate({ client_id: 'https://stranger.example/metadata.json' })).toBe('client_authentication_unknown_client')
    expect(fetches).toBe(before)
  })
  it('proves a public client by its URL alone', async () => {
    expect(await authenticate({ client_id: documentUrl })).toBe('proven')
  })
})

describe('a registered client with a secret', () => {
  it('is proven by it, in the header or in the body, and by nothing else', async () => {
    const { status, body } = await register({ redirect_uris: ['https://app.example/cb'], client_name: 'App' })
    expect(status).toBe(201)
    const id = body['client_id'] as string
    const secret = body['client_secret'] as string
    expect(await authenticate({}, basic(id, secret))).toBe('proven')
    expect(await authenticate({ client_id: id, client_secret: secret })).toBe('proven')
    expect(await authenticate({}, basic(id, 'wrong'))).toBe('client_secret_wrong')
    expect(await authenticate({ client_id: id })).toBe('client_authentication_method')
    expect(await authenticate({ client_id: id, client_secret: secret }, basic(id, secret))).toBe('client_authentication_twice')
    expect(await authenticate({ client_id: 'other' }, basic(id, secret))).toBe('client_authentication_twice')
    expect(await authenticate({}, 'Basic !')).toBe('client_authentication_missing')
    expect(await authenticate({}, basic('a\0b', 'secret'))).toBe('client_authentication_unknown_client')
    expect(await authenticate({}, basic('a%00b', 'secret'))).toBe('client_authentication_unknown_client')
    expect(await authenticate({})).toBe('client_authentication_missing')
  })
  it('is refused with the code of the specification when its metadata is unusable', async () => {
    expect(await register({ redirect_uris: ['http://app.example/cb'] })).toMatchObject({
      status: 400,
      body: { error: 'invalid_redirect_uri' },
    })
    expect(await register({ redirect_uris: ['https://app.example/cb'], token_endpoint_auth_method: 'tls' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_client_metadata' },
    })
  })
})

describe('a client with a key', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const id = 'keyed' as ClientId
  const assertion = (change: Record<string, unknown>, key: KeyObject = privateKey, typ?: string) => {
    const exp = toSeconds(now) + 60
    const claims = { iss: id, sub: id, aud: tenant.issuer.url, exp, jti: randomUUID(), ...change }
    const input = [{ alg: 'ES256', kid: 'k', typ }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
  const present = (text: string) =>
    authenticate({ client_assertion: text, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' })
  beforeAll(async () => {
    const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] }
    const scopeCeiling: Scope[] = []
    await inTenant(fixture.database, acme.tenantId, (db) =>
      insertClient(db, acme.tenantId, {
        id,
        issuerId: acme.issuerId,
        kind: 'preregistered',
        name: 'Keyed',
        redirectUris: [],
        postLogoutRedirectUris: [],
        grantTypes: ['client_credentials'],
        authMethod: 'private_key_jwt',
        secretHash: undefined,
        jwks,
        applicationType: 'web',
        preApproved: true,
        scopeCeiling,
        accessTokenTtlSeconds: undefined,
        now,
      }),
    )
  })
  it('is proven by an assertion once, though it come many times at once', async () => {
    const text = assertion({})
    const all = await Promise.all([present(text), present(text), present(text)])
    expect(all.sort()).toEqual(['client_assertion_replayed', 'client_assertion_replayed', 'proven'])
  })
  it.each([
    { when: 'for another issuer', change: { aud: 'https://other.example' } },
    { when: 'for several audiences', change: { aud: ['http://localhost:4400/t/acme', 'https://other.example'] } },
    { when: 'by another client', change: { iss: 'other' } },
    { when: 'expired', change: { exp: toSeconds(now) - 60 } },
    { when: 'good for a day', change: { exp: toSeconds(now) + 86_400 } },
    { when: 'without jti', change: { jti: undefined } },
  ])('is refused an assertion made $when', async ({ change }) => {
    expect(await present(assertion(change))).toBe('client_assertion_invalid')
  })
  it.each(['JWT', 'client-authentication+jwt', undefined])('is proven by an assertion of type %p', async (typ) => {
    expect(await present(assertion({}, privateKey, typ))).toBe('proven')
  })
  it.each(['at+jwt', 'dpop+jwt', 'oauth-authz-req+jwt', 'secevent+jwt', 'logout+jwt'])('is refused a message of type %p', async (typ) => {
    expect(await present(assertion({}, privateKey, typ))).toBe('client_assertion_invalid')
  })
  it('is refused an assertion of a stranger’s key', async () => {
    expect(await present(assertion({}, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey))).toBe('client_assertion_invalid')
  })
})
