/** The algorithm that a tenant chooses, over the wire: what it is told, what a strict client of another maker believes, and what goes on. */
import { instant } from '@drawbridge/core/instant'
import { type TokenAlgorithm, tokenAlgorithms } from '@drawbridge/core/oauth/token-algorithm'
import { leftHalfHash } from '@drawbridge/crypto/hash'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant, aRedirectUri, aVerifier } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { anAdmin, type Call } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let fixture: TestDatabase
let broker: TestBroker
let acme: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  broker = await aBroker(fixture.database)
  acme = await aTenant(fixture, { slug: 'acme' })
  await aTokenKey(fixture, broker, acme)
}, 60_000)
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const call: Call = (...asked) => anAdmin(broker)(...asked)
const at = (path: string) => `${broker.url}/t/acme/${path}`
const metadata = async () => (await (await fetch(at('.well-known/openid-configuration'))).json()) as Record<string, unknown>
const introspect = async (token: string) => {
  const authorization = `Basic ${Buffer.from(`${acme.credentialId}:${acme.credentialSecret}`).toString('base64')}`
  const response = await fetch(at('introspect'), { method: 'POST', body: new URLSearchParams({ token }), headers: { authorization } })
  return ((await response.json()) as { active: boolean }).active
}
const algorithmOf = (token: string) => decodeProtectedHeader(token).alg

type Tokens = { readonly access_token: string; readonly id_token: string; readonly refresh_token: string }
async function redeem(): Promise<Tokens> {
  const { code } = await aGrant(fixture, acme, { now: instant(Date.now()), identityScopes: ['openid'] })
  const form = { grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier, client_id: acme.clientId }
  const response = await fetch(at('token'), { method: 'POST', body: new URLSearchParams(form) })
  expect(response.status).toBe(200)
  return (await response.json()) as Tokens
}

async function refresh({ refresh_token: token }: Tokens): Promise<Tokens> {
  const form = { grant_type: 'refresh_token', refresh_token: token, client_id: acme.clientId }
  return (await (await fetch(at('token'), { method: 'POST', body: new URLSearchParams(form) })).json()) as Tokens
}

async function choose(algorithm: TokenAlgorithm): Promise<void> {
  expect(await call('PUT', '/tenants/acme/token-algorithm', { algorithm })).toMatchObject({ status: 200, body: { algorithm } })
  expect(await call('GET', '/tenants/acme/token-algorithm')).toMatchObject({ status: 200, body: { algorithm } })
}
const activate = () => call('POST', '/tenants/acme/signing-keys/rotate', { purpose: 'tokens' })
const keysIn = async (state: string) => {
  const { body } = await call('GET', '/tenants/acme/signing-keys')
  return (body.signingKeys as { state: string; algorithm: string; activatesAt: string | null }[]).filter((key) => key.state === state)
}

describe.each(tokenAlgorithms.filter((algorithm) => algorithm !== 'ES256'))('%s', (algorithm) => {
  it('is published at once, signs when its key takes over, and nothing that was issued dies by it', async () => {
    const before = await redeem()
    await choose(algorithm)
    // Not yet: the key waits, and says until when.
    const [waiting] = await keysIn('next')
    expect(waiting?.algorithm).toBe(algorithm)
    expect(Date.parse(waiting?.activatesAt ?? '') - Date.now()).toBeGreaterThan(23 * 3_600_000)
    const former = algorithmOf(before.access_token) ?? ''
    expect((await metadata())['id_token_signing_alg_values_supported']).toEqual(expect.arrayContaining([former, algorithm]))
    expect(algorithmOf((await redeem()).access_token)).toBe(former)

    expect((await activate()).status).toBe(200)
    const after = await redeem()
    expect([algorithmOf(after.access_token), algorithmOf(after.id_token)]).toEqual([algorithm, algorithm])
    const renewed = await refresh(before)
    expect([algorithmOf(renewed.access_token), algorithmOf(renewed.id_token)]).toEqual([algorithm, algorithm])
    expect(((await metadata())['id_token_signing_alg_values_supported'] as string[])[0]).toBe(algorithm)
    const issuer = String((await metadata())['issuer'])
    const keys = createRemoteJWKSet(new URL(at('jwks')))
    for (const { access_token: token } of [before, after]) {
      await jwtVerify(token, keys, { issuer, audience: acme.resource, typ: 'at+jwt' })
      expect(await introspect(token)).toBe(true)
    }
    await jwtVerify(after.id_token, keys, { issuer, audience: acme.clientId, algorithms: [algorithm] })
  }, 60_000)

  it('is that of at_hash, too (OIDC Core §3.1.3.6)', async () => {
    const { access_token: token, id_token: idToken } = await redeem()
    expect(algorithmOf(idToken)).toBe(algorithm)
    expect(decodeJwt(idToken)['at_hash']).toBe(leftHalfHash(algorithm, token))
  })

  it('a token is refused that says another algorithm than its key has (RFC 8725 §3.1)', async () => {
    const { access_token: token } = await redeem()
    const [head = '', claims, signature] = token.split('.')
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object
    for (const alg of ['none', 'HS256', 'ES256', 'EdDSA', 'RS256', 'PS256'].filter((other) => other !== algorithm)) {
      const forged = `${Buffer.from(JSON.stringify({ ...header, alg })).toString('base64url')}.${claims}.${signature}`
      expect([alg, await introspect(forged)]).toEqual([alg, false])
    }
  })
})

it('refuses what is no algorithm of ours', async () => {
  for (const algorithm of ['HS256', 'none', 'RS512', 'es256', ''])
    expect((await call('PUT', '/tenants/acme/token-algorithm', { algorithm })).status).toBe(400)
})

it('the same choice again replaces no key', async () => {
  await choose('PS256')
  const before = await keysIn('next')
  await choose('PS256')
  expect(await keysIn('next')).toEqual(before)
})
