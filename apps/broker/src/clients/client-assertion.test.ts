/** Client assertions as an attacker makes them, over HTTP: every one is refused in the same words, and nobody is asked for a key. RFC 7523 §3, RFC 8725 */
import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import { err } from '@drawbridge/core/result'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aClientAssertion, assertionType, byEs256, encodePart, presentAssertion, type Signer } from '@drawbridge/testkit/a-client-assertion'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { anAdmin } from '@drawbridge/testkit/an-admin'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ResolvedTenant } from '../http/tenant.js'
import { clientAssertionLimits } from './client-assertion.js'

const now: Instant = instant(Date.now())
const seconds = toSeconds(now)
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed = generateKeyPairSync('ed25519')
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwkOf = ({ publicKey }: { readonly publicKey: KeyObject }, kid: string) => ({ ...publicKey.export({ format: 'jwk' }), kid })

let fixture: TestDatabase
let broker: TestBroker
let audience: string
let at: string
let clientId: string
let otherId: string
let secretId: string
let fetches: string[] = []

beforeAll(async () => {
  fixture = await testDatabase()
  for (const slug of ['acme', 'globex']) await aTenant(fixture, { slug })
  broker = await aBroker(fixture.database, {
    clock: { now: () => now },
    fetchSafely: async (url) => {
      fetches.push(url)
      return err({ reason: 'unreachable' })
    },
  })
  at = `${broker.url}/t/acme`
  audience = ((await broker.deps.configuration.find('acme')) as ResolvedTenant).issuer.url
  const call = anAdmin(broker)
  const made = async (body: object) => {
    const { status, body: client } = await call('POST', '/tenants/acme/clients', { grantTypes: ['client_credentials'], ...body })
    expect(status).toBe(201)
    return client.clientId as string
  }
  const jwks = { keys: [jwkOf(ec, 'ec'), jwkOf(rsa, 'rsa'), jwkOf(ed, 'ed')] }
  clientId = await made({ name: 'Keyed', tokenEndpointAuthMethod: 'private_key_jwt', jwks })
  otherId = await made({ name: 'Other', tokenEndpointAuthMethod: 'private_key_jwt', jwks })
  secretId = await made({ name: 'Secret', tokenEndpointAuthMethod: 'client_secret_basic' })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const good = { alg: 'ES256', kid: 'ec', typ: 'client-authentication+jwt' }
const bySelf = byEs256(ec.privateKey)
const byStranger = byEs256(stranger.privateKey)
const claimsOf = (id: string) => ({ iss: id, sub: id, aud: audience, iat: seconds, exp: seconds + 60, jti: randomUUID() })
/** Good but for what is changed; undefined leaves a member out. */
const anAssertion = ({ header = {}, claims = {}, by = bySelf }: { header?: object; claims?: object; by?: Signer } = {}) =>
  aClientAssertion({ ...good, ...header }, { ...claimsOf(clientId), ...claims }, by)
const by = (hash: string | null, key: Parameters<typeof sign>[2]): Signer => {
  return (input) => sign(hash, input, key)
}
const byHmac =
  (secret: string | Buffer): Signer =>
  (input) =>
    createHmac('sha256', secret).update(input).digest()
const unsigned: Signer = () => Buffer.of()
const pem = ec.publicKey.export({ format: 'pem', type: 'spki' })
const rsaPem = rsa.publicKey.export({ format: 'pem', type: 'spki' })

it.each([
  { kind: 'ES256', assertion: () => anAssertion() },
  { kind: 'RS256', assertion: () => anAssertion({ header: { alg: 'RS256', kid: 'rsa' }, by: by('sha256', rsa.privateKey) }) },
  { kind: 'EdDSA', assertion: () => anAssertion({ header: { alg: 'EdDSA', kid: 'ed' }, by: by(null, ed.privateKey) }) },
  { kind: 'one that names no key', assertion: () => anAssertion({ header: { kid: undefined } }) },
  { kind: 'one with its audience in a list', assertion: () => anAssertion({ claims: { aud: [audience] } }) },
  {
    kind: 'one that lives as long as may be',
    assertion: () => anAssertion({ claims: { exp: seconds + clientAssertionLimits.lifeSeconds } }),
  },
  { kind: 'one that says where other keys are', assertion: () => anAssertion({ header: { jku: 'https://evil.example/jwks' } }) },
])('$kind proves its client, and nobody is asked', async ({ assertion }) => {
  fetches = []
  expect((await presentAssertion(at, assertion())).said).toBe('proven')
  expect(fetches).toEqual([])
})

type Attack = { readonly when: string; readonly assertion: () => string }
const attacks: Readonly<Record<string, readonly Attack[]>> = {
  'by its algorithm (RFC 8725 §3.1)': [
    { when: 'HS256 with the public key as PEM', assertion: () => anAssertion({ header: { alg: 'HS256' }, by: byHmac(pem) }) },
    { when: 'HS256 with the RSA key as PEM', assertion: () => anAssertion({ header: { alg: 'HS256', kid: 'rsa' }, by: byHmac(rsaPem) }) },
    {
      when: 'HS256 with the public key as JWK',
      assertion: () => anAssertion({ header: { alg: 'HS256' }, by: byHmac(JSON.stringify(jwkOf(ec, 'ec'))) }),
    },
    ...['none', 'None', 'NONE', 'nOnE', '', null, undefined].map((alg) => ({
      when: `${JSON.stringify(alg)} and unsigned`,
      assertion: () => anAssertion({ header: { alg }, by: unsigned }),
    })),
    { when: 'unsigned and calls itself ES256', assertion: () => anAssertion({ by: unsigned }) },
    { when: 'RS256 and its key an EC one', assertion: () => anAssertion({ header: { alg: 'RS256' } }) },
    { when: 'ES256 and its key an RSA one', assertion: () => anAssertion({ header: { kid: 'rsa' }, by: by('sha256', rsa.privateKey) }) },
    {
      when: 'ES256 by the RSA key, and names none',
      assertion: () => anAssertion({ header: { kid: undefined }, by: by('sha256', rsa.privateKey) }),
    },
    { when: 'EdDSA and its key an EC one', assertion: () => anAssertion({ header: { alg: 'EdDSA' } }) },
    {
      when: 'of an algorithm that is not announced',
      assertion: () => anAssertion({ header: { alg: 'RS512', kid: 'rsa' }, by: by('sha512', rsa.privateKey) }),
    },
    { when: 'ES256 with a signature in DER', assertion: () => anAssertion({ by: by('sha256', ec.privateKey) }) },
  ],
  'by a key that it brings or points to (RFC 8725 §3.10)': [
    { when: 'a key in its header', assertion: () => anAssertion({ header: { jwk: jwkOf(stranger, 'ec') }, by: byStranger }) },
    { when: 'a key in its header beside a true signature', assertion: () => anAssertion({ header: { jwk: jwkOf(ec, 'ec') } }) },
    {
      when: 'an address of keys',
      assertion: () => anAssertion({ header: { jku: 'https://evil.example/jwks', kid: 'evil' }, by: byStranger }),
    },
    { when: 'an address of a certificate', assertion: () => anAssertion({ header: { x5u: 'https://evil.example/cert' }, by: byStranger }) },
    { when: 'a certificate', assertion: () => anAssertion({ header: { x5c: ['MIIB'], kid: undefined }, by: byStranger }) },
    ...['../../dev/null', "ec' OR '1'='1", 'EC', '', 'rsa', ['ec'], null, 7].map((kid) => ({
      when: `the key id ${JSON.stringify(kid)}`,
      assertion: () => anAssertion({ header: { kid } }),
    })),
    { when: 'nothing, signed by a stranger', assertion: () => anAssertion({ by: byStranger }) },
  ],
  'by its form (RFC 7515 §4.1.11, §7.1)': [
    ...[['exp'], ['b64'], [], 'exp', null].map((crit) => ({
      when: `the critical header ${JSON.stringify(crit)}`,
      assertion: () => anAssertion({ header: { crit, b64: true, exp: seconds + 60 } }),
    })),
    { when: 'an unencoded payload', assertion: () => anAssertion({ header: { b64: false } }) },
    ...['at+jwt', 'dpop+jwt', 'secevent+jwt', 'logout+jwt', 'JWT+client-authentication', 7].map((typ) => ({
      when: `the type ${JSON.stringify(typ)}`,
      assertion: () => anAssertion({ header: { typ } }),
    })),
    { when: 'a fourth part', assertion: () => `${anAssertion()}.e30` },
    { when: 'five parts, as if it were encrypted', assertion: () => `${anAssertion()}.e30.e30` },
    { when: 'no signature part', assertion: () => anAssertion().split('.').slice(0, 2).join('.') },
    { when: 'padding', assertion: () => `${anAssertion()}==` },
    { when: 'other claims than were signed', assertion: () => swapClaims(anAssertion(), { ...claimsOf(clientId), admin: true }) },
    { when: 'more octets than are read', assertion: () => anAssertion({ claims: { pad: 'a'.repeat(clientAssertionLimits.length) } }) },
    { when: 'no JSON', assertion: () => 'a.b.c' },
    { when: 'nothing', assertion: () => '' },
  ],
  'by what it says (RFC 7523 §3)': [
    ...['https://other.example', `${'/'}`, undefined, null, 7, {}].map((aud) => ({
      when: `the audience ${JSON.stringify(aud)}`,
      assertion: () => anAssertion({ claims: { aud } }),
    })),
    { when: 'the audience of another tenant', assertion: () => anAssertion({ claims: { aud: audience.replace('acme', 'globex') } }) },
    { when: 'the token endpoint as its audience', assertion: () => anAssertion({ claims: { aud: `${audience}/token` } }) },
    { when: 'our issuer with a slash', assertion: () => anAssertion({ claims: { aud: `${audience}/` } }) },
    { when: 'our issuer in capitals', assertion: () => anAssertion({ claims: { aud: audience.toUpperCase() } }) },
    { when: 'another audience beside ours', assertion: () => anAssertion({ claims: { aud: [audience, 'https://other.example'] } }) },
    { when: 'no audience in its list', assertion: () => anAssertion({ claims: { aud: [] } }) },
    { when: 'another issuer than its subject', assertion: () => anAssertion({ claims: { iss: otherId } }) },
    { when: 'another subject than its issuer', assertion: () => anAssertion({ claims: { sub: otherId, iss: clientId } }) },
    ...['iss', 'sub', 'exp', 'jti'].map((claim) => ({
      when: `no ${claim}`,
      assertion: () => anAssertion({ claims: { [claim]: undefined } }),
    })),
    { when: 'an end that has come', assertion: () => anAssertion({ claims: { exp: seconds - clientAssertionLimits.skewSeconds } }) },
    { when: 'an end too far away', assertion: () => anAssertion({ claims: { exp: seconds + clientAssertionLimits.lifeSeconds + 1 } }) },
    ...[1e300, `${seconds + 60}`, null, [seconds + 60]].map((exp) => ({
      when: `the end ${typeof exp} ${JSON.stringify(exp).slice(0, 6)}`,
      assertion: () => anAssertion({ claims: { exp } }),
    })),
    {
      when: 'a begin that is to come',
      assertion: () => anAssertion({ claims: { nbf: seconds + clientAssertionLimits.skewSeconds + 1 } }),
    },
    ...['', 7, null, ['a']].map((jti) => ({ when: `the id ${JSON.stringify(jti)}`, assertion: () => anAssertion({ claims: { jti } }) })),
    { when: 'a client that nobody knows', assertion: () => anAssertion({ claims: { iss: 'nobody', sub: 'nobody' } }) },
    { when: 'a client that proves itself by a secret', assertion: () => anAssertion({ claims: { iss: secretId, sub: secretId } }) },
    { when: 'a client that is no text', assertion: () => anAssertion({ claims: { iss: [clientId], sub: [clientId] } }) },
  ],
}

/** With the signature of the others. */
function swapClaims(assertion: string, claims: object): string {
  const [header, , signature] = assertion.split('.')
  return `${header}.${encodePart(claims)}.${signature}`
}

/** What a wrong secret hears. */
async function theOneAnswer() {
  const authorization = `Basic ${Buffer.from(`${secretId}:wrong`).toString('base64')}`
  const body = new URLSearchParams({ grant_type: 'client_credentials', resource: 'https://nowhere.example' })
  const response = await fetch(`${at}/token`, { method: 'POST', headers: { authorization }, body })
  return { status: response.status, text: await response.text() }
}

describe.each(Object.entries(attacks))('an assertion gets one and the same answer as a wrong secret: %s', (_, rows) => {
  it.each(rows)('$when', async ({ assertion }) => {
    fetches = []
    const { status, text } = await presentAssertion(at, assertion())
    expect({ status, text }).toEqual(await theOneAnswer())
    expect(status).toBe(401)
    expect(fetches).toEqual([])
  })
})

describe('the token endpoint', () => {
  it.each(['client_assertion', 'client_assertion_type', 'client_id', 'grant_type'])('takes no %s twice', async (name) => {
    const assertion = anAssertion()
    const value = { client_assertion: assertion, client_assertion_type: assertionType, client_id: clientId }[name] ?? 'client_credentials'
    const twice: [string, string][] = name === 'client_id' ? [['client_id', clientId]] : []
    expect(await presentAssertion(at, assertion, [...twice, [name, value]])).toMatchObject({ status: 400, said: 'invalid_request' })
    // Nothing was judged, so nothing was used up.
    expect((await presentAssertion(at, assertion)).said).toBe('proven')
  })
  it('believes an assertion beside no other proof, name or type', async () => {
    expect(await presentAssertion(at, anAssertion(), [['client_secret', 'x']])).toMatchObject({ status: 400, said: 'invalid_request' })
    for (const id of [otherId, secretId])
      expect(await presentAssertion(at, anAssertion(), [['client_id', id]])).toMatchObject({ status: 401, said: 'invalid_client' })
    const authorization = `Basic ${Buffer.from(`${secretId}:x`).toString('base64')}`
    const ask = async (form: Record<string, string>, headers: Record<string, string> = {}) => {
      const body = new URLSearchParams({ grant_type: 'client_credentials', resource: 'https://nowhere.example', ...form })
      return (await fetch(`${at}/token`, { method: 'POST', headers, body })).status
    }
    const client_assertion = anAssertion()
    expect(await ask({ client_assertion, client_assertion_type: assertionType }, { authorization })).toBe(400)
    expect(await ask({ client_assertion })).toBe(401)
    expect(await ask({ client_assertion, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' })).toBe(401)
    expect((await presentAssertion(at, client_assertion, [['client_id', clientId]])).said).toBe('proven')
  })
  it('believes an assertion once, at whichever endpoint, one after the other and in parallel', async () => {
    const [first, second, third] = [anAssertion(), anAssertion(), anAssertion()]
    expect((await presentAssertion(at, first)).said).toBe('proven')
    expect(await presentAssertion(at, first)).toMatchObject({ status: 401, said: 'invalid_client' })
    const all = await Promise.all(Array.from({ length: 20 }, () => presentAssertion(at, second)))
    expect(all.filter(({ said }) => said === 'proven')).toHaveLength(1)
    expect(all.filter(({ status, said }) => status === 401 && said === 'invalid_client')).toHaveLength(19)
    const body = new URLSearchParams({ token: 'x', client_assertion: third, client_assertion_type: assertionType })
    expect((await fetch(`${at}/revoke`, { method: 'POST', body })).status).toBe(200)
    expect((await presentAssertion(at, third)).said).toBe('invalid_client')
  })
  it('believes one id once, in however many assertions, and once more of another client', async () => {
    const jti = randomUUID()
    const together = await Promise.all(
      [60, 61, 62].map((life) => presentAssertion(at, anAssertion({ claims: { jti, exp: seconds + life } }))),
    )
    expect(together.filter(({ said }) => said === 'proven')).toHaveLength(1)
    expect((await presentAssertion(at, anAssertion({ claims: { ...claimsOf(otherId), jti } }))).said).toBe('proven')
  })
  it('believes no assertion that another tenant’s issuer is meant for', async () => {
    expect((await presentAssertion(`${broker.url}/t/globex`, anAssertion())).said).toBe('invalid_client')
  })
})
