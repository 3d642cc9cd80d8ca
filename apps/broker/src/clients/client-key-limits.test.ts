/** Keys of clients that would only cost us: none is taken, and none that was taken before is verified by. RFC 7518 §6.3 */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { publicKeyLimits } from '@drawbridge/core/oauth/json-web-key'
import { err, ok } from '@drawbridge/core/result'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { readForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import { insertClient } from '@drawbridge/store/clients'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aClientAssertion, assertionType, byEs256, presentAssertion, type Signer } from '@drawbridge/testkit/a-client-assertion'
import { aCostlyKey, type CostlyKey } from '@drawbridge/testkit/a-costly-key'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Answer } from '../http/answer.js'
import type { RateLimitName } from '../http/rate-limit.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { clientAssertionLimits, createSignatureJudge } from './client-assertion.js'
import { authenticateClient, readClientClaim } from './client-authentication.js'
import { resolveClient } from './resolve-client.js'

const { rsaMostBits, exponentMostBits } = publicKeyLimits
const long = aCostlyKey({ modulusBits: rsaMostBits + 1 })
const slow = aCostlyKey({ exponent: (1n << BigInt(exponentMostBits)) + 15n })
const honest = aCostlyKey()
const beyond = [
  { what: 'a modulus that is too long', key: long },
  { what: 'an exponent that is too long', key: slow },
  { what: 'an exponent of 1', key: aCostlyKey({ exponent: 1n }) },
]

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant
let tenant: ResolvedTenant
let call: Call
const published = new Map<string, unknown>()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    fetchSafely: async (url) => {
      const body = published.get(url)
      if (body === undefined) return err({ reason: 'unreachable' })
      return ok({ status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) })
    },
  })
  call = anAdmin(broker)
  tenant = (await broker.deps.configuration.find('acme')) as ResolvedTenant
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(() => {
  now = addSeconds(now, 90_000)
})

/** As it rests in the database since before there were limits. */
const stored = async (jwks: object) => {
  const id = `client-${randomUUID()}` as ClientId
  await inTenant(fixture.database, acme.tenantId, (db) =>
    insertClient(db, acme.tenantId, {
      ...{ id, issuerId: acme.issuerId, kind: 'preregistered', name: 'Keyed', redirectUris: [], postLogoutRedirectUris: [] },
      ...{ grantTypes: ['client_credentials'], authMethod: 'private_key_jwt', secretHash: undefined, jwks, applicationType: 'web' },
      ...{ preApproved: true, scopeCeiling: [], accessTokenTtlSeconds: undefined, now },
    }),
  )
  return id
}
const prove = async (id: string, header: object, signer: Signer) => {
  const claims = { iss: id, sub: id, aud: tenant.issuer.url, exp: toSeconds(now) + 60, jti: randomUUID() }
  return (await presentAssertion(`${broker.url}/t/acme`, aClientAssertion(header, claims, signer))).said
}
const rs256 = (id: string, { sign }: CostlyKey) => prove(id, { alg: 'RS256', kid: 'k' }, sign)
const named = ({ jwk }: CostlyKey) => ({ ...jwk, kid: 'k' })
const anEcKey = (kid: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { signer: byEs256(privateKey), jwk: { ...publicKey.export({ format: 'jwk' }), kid } }
}

describe.each(beyond)('a key with $what', ({ key }) => {
  it('is not verified by, though it signed and rests in the database', async () => {
    const id = await stored({ keys: [named(key)] })
    expect(await rs256(id, key)).toBe('invalid_client')
    expect(await rs256(await stored({ keys: [named(honest)] }), honest)).toBe('proven')
  })
  it('is not verified by at an address, where the others still count', async () => {
    const body = { name: 'Keyed', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'private_key_jwt' }
    const jwksUri = `https://${randomUUID()}.example/jwks`
    const { clientId } = (await call('POST', '/tenants/acme/clients', { ...body, jwksUri })).body as { clientId: string }
    published.set(jwksUri, { keys: [named(key), named(honest)] })
    expect(await rs256(clientId, key)).toBe('invalid_client')
    expect(await rs256(clientId, honest)).toBe('proven')
  })
  it('is not taken: registered, by an admin, or in a document', async () => {
    const jwks = { keys: [named(honest), named(key)] }
    const register = async (given: object) => {
      const metadata = { redirect_uris: ['https://dcr.example/cb'], token_endpoint_auth_method: 'private_key_jwt', jwks: given }
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${broker.url}/t/acme/register`, { method: 'POST', headers, body: JSON.stringify(metadata) })
      return ((await response.json()) as Record<string, string>)['error']
    }
    expect(await register(jwks)).toBe('invalid_client_metadata')
    expect(await register({ keys: [named(honest)] })).toBeUndefined()
    const body = { name: 'Keyed', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'private_key_jwt', jwks }
    expect(await call('POST', '/tenants/acme/clients', body)).toMatchObject({ status: 400 })
    const url = `https://${randomUUID()}.example/client.json`
    const document = { client_id: url, client_name: 'Agent', redirect_uris: ['https://agent.example/cb'], jwks }
    published.set(url, document)
    const refused = err({ reason: 'client_document_invalid', detail: { field: 'jwks' } })
    expect(await resolveClient(broker.deps, tenant, url, 'authorize')).toEqual(refused)
    published.set(url, { ...document, jwks: { keys: [named(honest)] } })
    expect((await resolveClient(broker.deps, tenant, url, 'authorize')).ok).toBe(true)
  })
})

describe('of many keys that an assertion may mean', () => {
  const keys = Array.from({ length: clientAssertionLimits.candidates + 1 }, (_, at) => anEcKey(`key-${at}`))
  const [within, last] = [keys.at(-2), keys.at(-1)] as [(typeof keys)[0], (typeof keys)[0]]

  it('only the first few are tried where it names none, and the one that it names always', async () => {
    const id = await stored({ keys: keys.map(({ jwk }) => jwk) })
    expect(await prove(id, { alg: 'ES256' }, within.signer)).toBe('proven')
    expect(await prove(id, { alg: 'ES256' }, last.signer)).toBe('invalid_client')
    expect(await prove(id, { alg: 'ES256', kid: last.jwk.kid }, last.signer)).toBe('proven')
  })
  it('only the first few are tried where all have the name that it says', async () => {
    const id = await stored({ keys: keys.map(({ jwk }) => ({ ...jwk, kid: 'k' })) })
    expect(await prove(id, { alg: 'ES256', kid: 'k' }, within.signer)).toBe('proven')
    expect(await prove(id, { alg: 'ES256', kid: 'k' }, last.signer)).toBe('invalid_client')
  })
  it('none takes the place of another that it cannot mean', async () => {
    const others = keys.flatMap(({ jwk }) => [honest.jwk, { ...jwk, use: 'enc' }, { ...jwk, alg: 'ES384' }, { ...jwk, key_ops: ['sign'] }])
    const id = await stored({ keys: [...others, last.jwk].slice(-20) })
    expect(await prove(id, { alg: 'ES256' }, last.signer)).toBe('proven')
  })
  it('each is asked once in one request, in however many sets it is found', () => {
    const claims = { iss: 'a' }
    const read = readForeignJwt(aClientAssertion({ alg: 'ES256' }, claims, last.signer), ['ES256'])
    if (!read.ok) throw new Error('the assertion was not read')
    let asked = 0
    const isSignedBy = createSignatureJudge((jwt, key) => {
      asked += 1
      return key === last.jwk && jwt === read.value
    })
    const [one, two] = keys.map(({ jwk }) => jwk)
    expect(isSignedBy(read.value, { keys: [one, two] })).toBe(false)
    expect(isSignedBy(read.value, { keys: [{ ...one, kid: 'other' }, two] })).toBe(false)
    expect(asked).toBe(2)
    expect(isSignedBy(read.value, { keys: [one, last.jwk] })).toBe(true)
    expect(isSignedBy(read.value, { keys: [one, last.jwk] })).toBe(true)
    expect(asked).toBe(3)
  })
})

describe('assertions', () => {
  const key = anEcKey('k')
  const forged = anEcKey('k').signer
  const of = async (kind: 'vouched' | 'unvouched') => {
    const id = await stored({ keys: [key.jwk] })
    if (kind === 'unvouched')
      await asOwner(fixture.ownerUrl, "UPDATE clients SET kind = 'dynamic', pre_approved = false WHERE client_id = $1", [id])
    return id
  }
  const uses = async () => (await asOwner(fixture.ownerUrl, "SELECT FROM replays WHERE kind = 'client_assertion'")).length
  /** What it spends, in order, of this process; `used`: of the named limit there is nothing left. */
  const bring = async (id: ClientId, signer: Signer, used?: RateLimitName) => {
    const spent: string[] = []
    const spend = (limit: RateLimitName): Answer | undefined => {
      spent.push(limit)
      return limit === used ? { kind: 'empty', status: 429, headers: { 'retry-after': '7' } } : undefined
    }
    const claims = { iss: id, sub: id, aud: tenant.issuer.url, exp: toSeconds(now) + 60, jti: randomUUID() }
    const form = {
      client_assertion_type: assertionType,
      client_assertion: aClientAssertion({ alg: 'ES256', kid: 'k' }, claims, signer),
    }
    const claim = readClientClaim(broker.deps, { headers: {}, spend }, form, tenant)
    if (!claim.ok) throw new Error(claim.error.reason)
    const before = await uses()
    const proven = await authenticateClient(broker.deps, claim.value, 'memory')
    return { spent, said: proven.ok ? 'proven' : proven.error, uses: (await uses()) - before }
  }
  const busy = { reason: 'client_authentication_busy', detail: { why: 'limit', retryAfterSeconds: 7 } }

  it('of clients for which nobody vouches are counted together before a signature is looked at, once however often one is judged', async () => {
    const id = await of('unvouched')
    const [ofAll, ofOne] = ['tenant_unvouched_assertion', 'client_assertion'] as const
    expect(await bring(id, key.signer)).toEqual({ spent: ['tenant_unproven', ofAll, ofOne], said: 'proven', uses: 1 })
    expect(await bring(id, key.signer)).toEqual({ spent: [ofAll, ofOne], said: 'proven', uses: 1 })
    expect(await bring(id, forged)).toMatchObject({
      spent: [ofAll, 'tenant_unproven'],
      said: { reason: 'client_assertion_invalid' },
      uses: 0,
    })
    expect(await bring(id, key.signer, ofAll)).toEqual({ spent: [ofAll, 'tenant_unproven'], said: busy, uses: 0 })
  })

  it('of one client whose signatures hold are counted before they are kept; who only knows its name spends nothing of it', async () => {
    const id = await of('vouched')
    expect(await bring(id, key.signer)).toEqual({ spent: ['tenant_unproven', 'client_assertion'], said: 'proven', uses: 1 })
    expect((await bring(id, forged)).spent).toEqual(['tenant_unproven'])
    expect(await bring(id, key.signer, 'client_assertion')).toMatchObject({ said: busy, uses: 0 })
  })
})
